"""THCHS-30: `PART/*.wav`, and the text in the first line of `data/*.wav.trn`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.errors import InputError
from data.layouts.shape import Layout, Reading, Skipped, by_split, numbered_lines
from data.types import Utterance


def read(folder: Path, part: str) -> Reading:
    """The recordings of `folder/part`; the speaker is what an id such as A11_0 has before the underscore."""
    files = sorted((folder / part).glob("*.wav"))
    if not files:
        raise InputError("holds no *.wav", folder / part)
    utterances, skipped, lines = [], [], {}
    for path in files:
        transcription = folder / "data" / f"{path.name}.trn"
        number, text = next(numbered_lines(transcription), (1, "")) if transcription.is_file() else (1, None)
        if text is None:
            skipped.append(Skipped(path.stem, f"has no transcription data/{transcription.name}"))
            continue
        utterances.append(Utterance(path.stem, path.stem.split("_")[0], text.strip(), path))
        lines[path.stem] = f"{transcription.name}:{number}"
    return Reading(tuple(utterances), tuple(skipped), lines)


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    if next((folder / "data").glob("*.wav.trn"), None) is None:
        return None
    splits = [name for name in ("train", "dev", "test") if (folder / name).is_dir()]
    return by_split(splits or ["data"])


LAYOUT = Layout("thchs30", read, recognise)
