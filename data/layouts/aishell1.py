"""AISHELL-1: `wav/PART/SPEAKER/*.wav` and one transcript for all, ``id characters in words`` a line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.audio import AUDIO_SUFFIXES
from data.errors import InputError
from data.layouts.shape import Layout, Reading, Skipped, by_split, keyed_lines
from data.types import Utterance

_TRANSCRIPT = Path("transcript") / "aishell_transcript_v0.8.txt"


def read(folder: Path, part: str) -> Reading:
    """All recordings below `wav/part`; the few that the transcript leaves out are skipped."""
    texts = {name: (number, text) for number, name, text in keyed_lines(folder / _TRANSCRIPT)}
    files = [path for path in sorted((folder / "wav" / part).glob("*/*")) if path.suffix in AUDIO_SUFFIXES]
    if not files:
        raise InputError("holds no SPEAKER/*.wav", folder / "wav" / part)
    known = [path for path in files if path.stem in texts]
    skipped = [
        Skipped(path.stem, f"has no line in {_TRANSCRIPT.name}") for path in files if path.stem not in texts
    ]
    utterances = [Utterance(path.stem, path.parent.name, texts[path.stem][1], path) for path in known]
    lines = {path.stem: f"{_TRANSCRIPT.name}:{texts[path.stem][0]}" for path in known}
    return Reading(tuple(utterances), tuple(skipped), lines)


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    if not (folder / _TRANSCRIPT).is_file():
        return None
    return by_split([path.name for path in (folder / "wav").glob("*") if path.is_dir()])


LAYOUT = Layout("aishell1", read, recognise)
