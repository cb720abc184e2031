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
    spoken = [(name, begin, end) for name, begin, end in phones if name != SILENCE]
    counts = _deal(tuple(name for name, _, _ in spoken), words, pronunciations)
    if counts is None:
        return path.spans
    spans, at = [], 0
    for count in counts:
        spans.append((spoken[at][1], spoken[at + count - 1][2]))
        at += count
    return tuple(spans)


def _phones(path: Path, tying: Tying) -> list[tuple[str, int, int]]:
    """(phone, first frame, end) for each visit of a phone."""
    found = segments(path.labels - 1, tying)
    return [
        (tying.topology.phones[p], int(b), int(e))
        for p, b, e in zip(found.phones, found.begins, found.ends, strict=True)
    ]


def _deal(
    phones: tuple[str, ...], words: Sequence[str], pronunciations: Pronunciations
) -> tuple[int, ...] | None:
    """How many phones each word takes; all must be taken. Ways to get to a number of phones, word by word."""
    ways: dict[int, tuple[int, ...]] = {0: ()}
    for word in words:
        longer: dict[int, tuple[int, ...]] = {}
        for at, counts in ways.items():
            for variant in pronunciations[word]:
                end = at + len(variant)
                if phones[at:end] == tuple(variant):
                    longer.setdefault(end, (*counts, len(variant)))
        ways = longer
    return ways.get(len(phones))
