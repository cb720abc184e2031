"""Free Spoken Digit Dataset: `recordings/{digit}_{speaker}_{index}`; a part is a range of indices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from data.audio import AUDIO_SUFFIXES
from data.errors import InputError
from data.layouts.shape import Layout, Reading
from data.types import Utterance

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAME = re.compile(r"(?P<digit>[0-9])_(?P<speaker>[^_]+)_(?P<index>[0-9]+)")
_PART = re.compile(r"(?P<first>[0-9]+)-(?P<last>[0-9]+)")


def read(folder: Path, part: str) -> Reading:
    """The recordings whose index lies in `part`, such as ``0-4``; both ends belong to it."""
    bounds = _PART.fullmatch(part)
    if bounds is None:
        raise InputError(f"a split of layout fsdd is a range such as '0-4', not '{part}'")
    utterances = []
    for path in sorted((folder / "recordings").glob("*")):
        match = _NAME.fullmatch(path.stem)
        if match is None or path.suffix not in AUDIO_SUFFIXES:
            continue
        if int(bounds["first"]) <= int(match["index"]) <= int(bounds["last"]):
            utterances.append(Utterance(path.stem, match["speaker"], _WORDS[int(match["digit"])], path))
    if not utterances:
        raise InputError(f"holds no recording with an index in {part}", folder / "recordings")
    return Reading(tuple(utterances))


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    names = (path.stem for path in (folder / "recordings").glob("*"))
    return {"train": ("5-49",), "test": ("0-4",)} if any(map(_NAME.fullmatch, names)) else None


LAYOUT = Layout("fsdd", read, recognise)
