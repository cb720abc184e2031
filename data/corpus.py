"""Finding corpora: by the name of a card, by a card's path, or as a bare folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from data.card import CARDS, Card, read_card
from data.clean import clean
from data.collection import Corpus
from data.errors import InputError, did_you_mean
from data.layouts import Reading, layout, recognise
from data.text import normaliser

Notify = Callable[..., None]
"""A progress callback, as `pipelines.protocol.Progress`: (done, total, note)."""

__all__ = [
    "Corpus",
    "Notify",
    "bare_card",
    "default_cache",
    "find_card",
    "find_folder",
    "find_general_text",
    "known_corpora",
    "open_corpus",
    "read_corpus",
]


def known_corpora() -> tuple[str, ...]:
    """The names of all cards that come with asrbench."""
    return tuple(sorted(path.stem for path in CARDS.glob("*.toml")))


def default_cache() -> Path:
    """Where downloads and generated speech are kept: $ASRBENCH_CACHE, or ~/.cache/asrbench."""
    return Path(os.environ.get("ASRBENCH_CACHE") or Path.home() / ".cache" / "asrbench")


def find_card(name: str) -> Card:
    """The card of that name, or in that file (``*.toml``); `InputError` for an unknown one."""
    if name.endswith(".toml"):
        return read_card(Path(name))
    if name not in known_corpora():
        raise _unknown(name)
    return read_card(CARDS / f"{name}.toml")


def open_corpus(
    name_or_path: str | Path,
    root: Path | None = None,
    cache: Path | None = None,
    progress: Notify = lambda *_: None,
) -> Corpus:
    """A corpus, read and cleaned, by a card's name, a card's path, or a folder of a known shape.

    A card's folder is looked for under `root`, then beside a card of one's own, then in $ASRBENCH_CORPORA,
    then in `cache` (the downloads). `progress` hears of an embedded corpus being generated.
    Raises `InputError` that says what to do where there is none.
    """
    text = str(name_or_path)
    path = Path(text)
    if text.endswith(".toml") or text in known_corpora():
        card = find_card(text)
        beside = path.parent if text.endswith(".toml") else None
        folder = (
            _generated(card, cache, progress) if card.embedded else find_folder(card, root, cache, beside)
        )
        return replace(read_corpus(card, folder), found_text=find_general_text(card, root, cache, beside))
    if path.is_dir():
        return read_corpus(bare_card(path.resolve()), path.resolve())
    if "/" in text:
        raise InputError("no such folder", path)
    raise _unknown(text)


def _unknown(name: str) -> InputError:
    hint = did_you_mean(name, known_corpora())
    return InputError(
        f"unknown corpus '{name}'{hint} (known: {', '.join(known_corpora())}; or give a folder)"
    )


def read_corpus(card: Card, folder: Path) -> Corpus:
    """The corpus that `card` describes, in `folder`."""
    reader = layout(card.layout)
    readings = {
        split: _joined([reader.read(folder, part) for part in parts]) for split, parts in card.splits.items()
    }
    normalise = normaliser(card.normaliser or card.language)
    cleaned = clean(readings, normalise, card.hold_out)
    if not any(cleaned.splits.values()):
        reason = f": {cleaned.skipped[0].reason}" if cleaned.skipped else ""
        raise InputError(f"corpus {card.name} holds no usable utterance{reason}", folder)
    return Corpus(card, folder, cleaned.splits, normalise, cleaned.skipped)


def bare_card(folder: Path, language: str = "en", sample_rate: int = 16_000) -> Card:
    """A card made up for a folder of one's own, by its shape."""
    found = recognise(folder)
    if found is None:
        raise InputError("is no folder shape that asrbench knows (see 'your own audio' in README.md)", folder)
    reader, splits = found
    return Card(folder.name, folder.name, (language,), "unknown", reader.name, sample_rate, splits)


def find_folder(card: Card, root: Path | None, cache: Path | None, beside: Path | None = None) -> Path:
    """Where the corpus of a card lies; `beside` is the folder of a card of one's own."""
    downloads = cache or default_cache()
    for candidate in [path / card.folder for path in _roots(root, beside)] + [downloads / card.name]:
        if candidate.is_dir():
            return candidate
    todo = f"run: asrbench corpus get {card.name}" if card.sources else f"get it from {card.homepage}"
    raise InputError(
        f"corpus {card.name} is not on this machine; {todo}, or set ASRBENCH_CORPORA to the folder "
        f"that holds '{card.folder}'"
    )


def find_general_text(
    card: Card, root: Path | None, cache: Path | None, beside: Path | None = None
) -> tuple[Path, ...]:
    """The files of a card's `general_text`, sorted: it alone, or all ``*.txt`` of a folder; () for none."""
    if card.general_text is None:
        return ()
    for candidate in [path / card.general_text for path in (*_roots(root, beside), cache or default_cache())]:
        if candidate.is_file():
            return (candidate,)
        if files := tuple(sorted(candidate.glob("*.txt"))):
            return files
    return ()


def _roots(root: Path | None, beside: Path | None) -> list[Path]:
    environment = os.environ.get("ASRBENCH_CORPORA")
    return [path for path in (root, beside, Path(environment) if environment else None) if path is not None]


def _generated(card: Card, cache: Path | None, progress: Notify) -> Path:
    from data.synth import ensure_synthetic, spec_of

    return ensure_synthetic(cache or default_cache(), spec_of(card.hours), progress)


def _joined(readings: list[Reading]) -> Reading:
    lines: dict[str, str] = {}
    for reading in readings:
        lines.update(reading.lines or {})
    return Reading(
        tuple(utterance for reading in readings for utterance in reading.utterances),
        tuple(entry for reading in readings for entry in reading.skipped),
        lines,
    )
