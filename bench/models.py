"""Reference models: finished ones that an experiment names instead of training.

Some lie in `results/models` and come along with asrbench, by name; any other that `asrbench export` wrote, or
that a run of this machine trained, is named by its folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.training import CARD, MARKER, Trained, model_hash
from data.errors import InputError, did_you_mean
from results.store import MODELS

FORMAT = 1


def known_models() -> tuple[str, ...]:
    """The names of those that come along."""
    return tuple(sorted(path.parent.name for path in MODELS.glob(f"*/{CARD}")))


def find_model(name: str) -> Path:
    """The folder of a finished model, by its path or the name of one that comes along."""
    if name in known_models():
        return MODELS / name
    if Path(name).is_dir():
        return Path(name)
    if "/" in name:
        raise InputError("no such folder", name)
    known = ", ".join(known_models()) or "none comes along"
    hint = did_you_mean(name, known_models()) or f" (known: {known})"
    raise InputError(f"unknown model '{name}'{hint}; or give the folder of one")


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a finished model: `use`, `training`, `model_hash` and, where it was exported, all else.

    A model as a run leaves it tells of its training alone, and not of which pipeline it is.
    """
    path = folder / CARD if (folder / CARD).exists() else folder / MARKER
    try:
        card = json.loads(path.read_bytes())
        if path.name == MARKER:
            return {"training": card, "model_hash": card["model_hash"]}
        if card["format"] != FORMAT or not isinstance(card["training"], dict):
            raise ValueError
        return {**card, "use": str(card["use"]), "model_hash": str(card["model_hash"])}
    except OSError as error:
        raise InputError("holds no finished model; train it, or export it from a run", folder) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is no card of this asrbench's models; export the model again", path) from error


def pipeline_of(name: str, use: str = "") -> str:
    """The pipeline whose model `name` is; `use` is what the experiment says, if it does."""
    folder = find_model(name)
    found = str(read_card(folder).get("use", use))
    if not found:
        raise InputError(f"the model '{name}' does not say of which pipeline it is: add 'use'")
    if use not in ("", found):
        raise InputError(f"the model '{name}' is one of the pipeline '{found}', not of '{use}'")
    return found


def ready(name: str) -> Trained:
    """The finished model, with the facts of its training and where it comes from.

    Raises `InputError` where its files are not those of its card.
    """
    folder = find_model(name)
    card = read_card(folder)
    if model_hash(folder) != card["model_hash"]:
        raise InputError("its files are not those that its card was written for; get it again", folder)
    return Trained(folder, {**_origin(card), **card["training"], **_identity(folder, card)})


def _origin(card: Mapping[str, Any]) -> dict[str, Any]:
    """What the card adds to the facts of the training itself."""
    told = {key: card[key] for key in ("data", "about", "weights") if card.get(key)}
    return {"trained_in": card["run"], **told} if "run" in card else told


def _identity(folder: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": card.get("name", folder.resolve().name),
        "model_hash": card["model_hash"],
        "model_dir": folder.resolve().name,
    }
