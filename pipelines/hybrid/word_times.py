"""When each word was said, from the states that the best path went through."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.hybrid.segments import segments
from pipelines.hybrid.topology import SILENCE
from pipelines.hybrid.tying import Tying
from pipelines.hybrid.word_graph import Pronunciations
from pipelines.search import Path


def word_spans(
    path: Path, words: Sequence[str], pronunciations: Pronunciations, tying: Tying
) -> tuple[tuple[int, int], ...]:
    """(start, end) in frames of each of `words`, end exclusive, silence left out.

    The phones of the path are dealt out to the words' pronunciations in order. Where they do not fit (a path
    cut off inside a word), the frames at which the words came out of the graph are given instead.
    """
    phones = _phones(path, tying)
    dealt = _deal(tuple(name for name, _, _ in phones), words, pronunciations)
    if dealt is None:
        return path.spans
    return tuple((phones[first][1], phones[end - 1][2]) for first, end in dealt)


def _phones(path: Path, tying: Tying) -> list[tuple[str, int, int]]:
    """(phone, first frame, end) for each visit of a phone."""
    found = segments(path.labels - 1, tying)
    return [
        (tying.topology.phones[p], int(b), int(e))
        for p, b, e in zip(found.phones, found.begins, found.ends, strict=True)
    ]


def _deal(
    phones: tuple[str, ...], words: Sequence[str], pronunciations: Pronunciations
) -> tuple[tuple[int, int], ...] | None:
    """The phones [first, end) of each word; all must be taken, silences between words alone are left over.

    Ways to get to a number of phones, word by word.
    """
    ways: dict[int, tuple[tuple[int, int], ...]] = {0: ()}
    for word in words:
        longer: dict[int, tuple[tuple[int, int], ...]] = {}
        for at, taken in ways.items():
            first = _after_silence(phones, at)
            for variant in pronunciations[word]:
                end = first + len(variant)
                if phones[first:end] == tuple(variant):
                    longer.setdefault(end, (*taken, (first, end)))
        ways = longer
    return next((taken for at, taken in ways.items() if _after_silence(phones, at) == len(phones)), None)


def _after_silence(phones: tuple[str, ...], at: int) -> int:
    return at + 1 if phones[at : at + 1] == (SILENCE,) else at
