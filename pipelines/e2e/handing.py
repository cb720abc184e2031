"""What is handed on of a trained end-to-end model: the files that decoding reads, and what its card tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data.errors import InputError

_FILES = ("card.json", "model.safetensors", "tokens.json", "pieces.model")
_TOLD = ("utterances", "too_short", "steps", "chosen_step", "ended", "processes", "language")


def model_files(model_dir: Path) -> list[str]:
    """For every decoder: the network, its tokens, the language models with their graphs and weights."""
    found = [*(model_dir / name for name in _FILES), *sorted((model_dir / "lm").glob("*"))]
    return [str(path.relative_to(model_dir)) for path in found if path.is_file()]


def model_facts(model_dir: Path) -> dict[str, Any]:
    """Architecture, sampling rate, epochs asked for, steps, utterances ..., as far as the card says."""
    try:
        card = json.loads((model_dir / "card.json").read_text(encoding="utf-8"))
        training = card["training"]
        told = {key: training[key] for key in _TOLD if key in training}
        epochs = training.get("settings", {}).get("epochs")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("the card here is damaged; train the model again", model_dir) from error
    return {
        "architecture": card.get("architecture", "conv_recurrent"),
        "sample_rate": card.get("sample_rate"),
        **({} if epochs is None else {"epochs": epochs}),
        **told,
    }
