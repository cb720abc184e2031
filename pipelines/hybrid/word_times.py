"""When each word was said, from the states that the best path went through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.hybrid.align import Pronunciations
from pipelines.hybrid.topology import SILENCE, Topology
from pipelines.search import Path


def word_spans(
    path: Path, words: Sequence[str], pronunciations: Pronunciations, topology: Topology
) -> tuple[tuple[int, int], ...]:
    """(start, end) in frames of each of `words`, end exclusive, silence left out.

    The phones of the path are dealt out to the words' pronunciations in order. Where they do not fit (a path
    cut off inside a word), the frames at which the words came out of the graph are given instead.
    """
    phones = _phones(path, topology)
    spoken = [(name, begin, end) for name, begin, end in phones if name != SILENCE]
    counts = _deal(tuple(name for name, _, _ in spoken), words, pronunciations)
    if counts is None:
        return path.spans
    spans, at = [], 0
    for count in counts:
        spans.append((spoken[at][1], spoken[at + count - 1][2]))
        at += count
    return tuple(spans)


def _phones(path: Path, topology: Topology) -> list[tuple[str, int, int]]:
    """(phone, first frame, end) for each visit of a phone."""
    states = path.labels - 1
    firsts = np.zeros(topology.states, bool)
    firsts[list(topology.firsts)] = True
    begins = np.flatnonzero(firsts[states] & (np.diff(states, prepend=-1) != 0))
    ends = [*begins[1:], len(states)][: len(begins)]
    return [
        (topology.phones[topology.phone_of[states[b]]], int(b), int(e))
        for b, e in zip(begins, ends, strict=True)
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
