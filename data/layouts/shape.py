"""What a reader of a folder shape gives back, and the few things that all readers need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from data.errors import InputError
from data.types import Utterance


class Skipped(NamedTuple):
    """An utterance that cannot be used, and why, in words for people."""

    utterance: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """What a reader found in a part of a corpus; `lines` says for an utterance id where it was declared."""

    utterances: tuple[Utterance, ...]
    skipped: tuple[Skipped, ...] = ()
    lines: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Layout:
    """A folder shape. `read(folder, part)` reads one part, named as the folder itself names it.

    `recognise(folder)` maps split names (train, dev, test) to parts, or is None for another shape.
    """

    name: str
    read: Callable[[Path, str], Reading]
    recognise: Callable[[Path], Mapping[str, tuple[str, ...]] | None]


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 text file that are not blank, counted from 1, without the line's end."""
    if not path.is_file():
        raise InputError("no such file", path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        broken = path.read_bytes()[: error.start].count(b"\n") + 1
        raise InputError("is not UTF-8 text", path, broken) from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def keyed_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Lines of the form ``key rest of the line``: number, key, rest (possibly empty)."""
    for number, line in numbered_lines(path):
        key, _, rest = line.strip().partition(" ") if "\t" not in line else line.strip().partition("\t")
        yield number, key, rest.strip()


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that the file system cannot even hold is no file."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def find_audio(stem: Path, suffixes: tuple[str, ...]) -> Path | None:
    """The first file that is `stem` with one of the suffixes appended."""
    candidates = (stem.parent / (stem.name + suffix) for suffix in suffixes)
    return next((path for path in candidates if is_file(path)), None)


def split_of(part: str) -> str:
    """The split that a part's name suggests: train, dev or test; its own name where it suggests none."""
    lowered = part.lower()
    for split, marks in (("train", ("train",)), ("dev", ("dev", "valid")), ("test", ("test", "eval"))):
        if any(mark in lowered for mark in marks):
            return split
    return lowered


def by_split(parts: list[str]) -> Mapping[str, tuple[str, ...]] | None:
    """Parts grouped by the split that their names suggest; None where there is no part."""
    grouped: dict[str, tuple[str, ...]] = {}
    for part in sorted(parts):
        grouped[split_of(part)] = (*grouped.get(split_of(part), ()), part)
    return grouped or None
