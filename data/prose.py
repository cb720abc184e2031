"""Sentences of plain books: lines joined to paragraphs, paragraphs cut at full stops, headings left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import regex

from data.errors import InputError

_SHORT: Final = (
    r"Mr|Mrs|Ms|Messrs|Dr|St|Esq|Capt|Col|Gen|Lieut|Lt|Maj|Sgt|Rev|Hon|Prof|Jr|Sr|Mme|Mlle|No|Vol|vol|viz|"
    r"etc|cf|Co|Ltd|i\.e|e\.g"
)
_QUOTES: Final = r"[\"'”’»)\]]*"
_END: Final = regex.compile(
    rf"(?:(?<!\b(?:{_SHORT}|\p{{Lu}}))\.|[!?]){_QUOTES}\s+(?!\p{{Ll}})|[。！？…]{_QUOTES}\s*"
)
_HEADING: Final = regex.compile(r"(?:chapter|book|canto|volume|part|act|scene)\s+[\divxlc]+\b.*", regex.I)


def prose_sentences(path: Path, normalise: Callable[[str], str]) -> Iterator[list[str]]:
    """The normalised sentences of a book, as words; a blank line ends a paragraph, `_emphasis_` is plain.

    Paragraphs without a small letter (headings in capitals) and chapter headings are no sentences. UTF-8, or
    Windows' Latin where a file is not. Raises `InputError` for a file that cannot be read.
    """
    for paragraph in _paragraphs(path):
        if _is_heading(paragraph):
            continue
        for sentence in _cut(paragraph):
            words = normalise(sentence).split()
            if words:
                yield words


def _paragraphs(path: Path) -> Iterator[str]:
    lines: list[str] = []
    for line in _lines(path):
        text = line.strip()
        if text:
            lines.append(text)
        elif lines:
            yield " ".join(lines)
            lines.clear()
    if lines:
        yield " ".join(lines)


def _lines(path: Path) -> Iterable[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path) from error
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace").splitlines()


def _is_heading(paragraph: str) -> bool:
    capitals = regex.search(r"\p{Lu}", paragraph) and not regex.search(r"\p{Ll}", paragraph)
    return bool(capitals) or _HEADING.fullmatch(paragraph) is not None


def _cut(paragraph: str) -> Iterator[str]:
    begin = 0
    plain = paragraph.replace("_", "")
    for end in _END.finditer(plain):
        yield plain[begin : end.end()]
        begin = end.end()
    if begin < len(plain):
        yield plain[begin:]
