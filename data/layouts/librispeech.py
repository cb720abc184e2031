"""LibriSpeech trees: `PART/SPEAKER/CHAPTER/*.trans.txt` beside the audio, one ``id TEXT`` a line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.audio import AUDIO_SUFFIXES
from data.errors import InputError
from data.layouts.shape import Layout, Reading, Skipped, by_split, find_audio, keyed_lines
from data.types import Utterance

_SUFFIXES = (".flac", *AUDIO_SUFFIXES)


def read(folder: Path, part: str) -> Reading:
    """All chapters below `folder/part`; the speaker is the first number of the id, as in 1089-134686-0000."""
    chapters = sorted((folder / part).rglob("*.trans.txt"))
    if not chapters:
        raise InputError("holds no *.trans.txt", folder / part)
    utterances, skipped, lines = [], [], {}
    for chapter in chapters:
        for number, name, text in keyed_lines(chapter):
            if "/" in name:
                skipped.append(Skipped(name, f"{chapter.name}:{number}: an id without slashes was expected"))
                continue
            source = find_audio(chapter.parent / name, _SUFFIXES) or chapter.parent / f"{name}.flac"
            utterances.append(Utterance(name, name.split("-")[0], text, source))
            lines[name] = f"{chapter.name}:{number}"
    return Reading(tuple(utterances), tuple(skipped), lines)


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    parts = sorted({path.relative_to(folder).parts[0] for path in folder.glob("*/*/*/*.trans.txt")})
    if parts:
        return by_split(parts)
    return {"test": (".",)} if next(folder.glob("*/*/*.trans.txt"), None) else None


LAYOUT = Layout("librispeech", read, recognise)
