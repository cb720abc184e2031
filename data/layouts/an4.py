"""AN4, as CMU Sphinx lays it out.

`etc/PART.fileids` (paths below wav/, without suffix), `etc/PART.transcription` (``<s> TEXT </s> (id)``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from data.audio import AUDIO_SUFFIXES
from data.layouts.shape import Layout, Reading, Skipped, by_split, find_audio, numbered_lines
from data.types import Utterance

_LINE = re.compile(r"^\s*(?:<s>\s+)?(?P<text>.*?)\s*(?:</s>)?\s*\((?P<id>[^()\s]+)\)\s*$")


def read(folder: Path, part: str) -> Reading:
    """The utterances of `etc/{part}.fileids`, in that order; the speaker is the folder a file lies in."""
    transcription = folder / "etc" / f"{part}.transcription"
    texts, skipped = _texts(transcription)
    utterances, lines = [], {}
    fileids = folder / "etc" / f"{part}.fileids"
    for number, line in numbered_lines(fileids):
        stem = line.strip()
        name = stem.rsplit("/", 1)[-1]
        place = f"{fileids.name}:{number}"
        if ".." in stem.split("/") or stem.startswith("/"):
            skipped.append(Skipped(name, f"{place}: '{stem}' climbs out of the corpus"))
            continue
        if name not in texts:
            skipped.append(Skipped(name, f"{place}: no line ({name}) in {transcription.name}"))
            continue
        speaker = stem.split("/")[-2] if "/" in stem else None
        source = find_audio(folder / "wav" / stem, AUDIO_SUFFIXES) or folder / "wav" / f"{stem}.wav"
        utterances.append(Utterance(name, speaker, texts[name], source))
        lines[name] = place
    return Reading(tuple(utterances), tuple(skipped), lines)


def _texts(transcription: Path) -> tuple[dict[str, str], list[Skipped]]:
    """Texts by the id at the end of a line, and the lines that have none."""
    texts: dict[str, str] = {}
    skipped = []
    for number, line in numbered_lines(transcription):
        match = _LINE.match(line)
        place = f"{transcription.name}:{number}"
        if match is None:
            skipped.append(Skipped(place, f"{place}: expected '<s> TEXT </s> (id)'"))
        else:
            texts.setdefault(match["id"], match["text"])
    return texts, skipped


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    return by_split([path.stem for path in (folder / "etc").glob("*.fileids")])


LAYOUT = Layout("an4", read, recognise)
