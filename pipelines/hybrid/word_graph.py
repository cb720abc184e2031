"""The HMM states that an utterance's words may go through: what forced alignment searches.

Every pronunciation of each word, optional silence before, between and after them; with context-dependent
states a phone stands there once for each pair of neighbours that it can have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.hybrid.topology import QUIET, SILENCE
from pipelines.hybrid.tying import Tying

Pronunciations: TypeAlias = Mapping[str, Sequence[Sequence[str]]]
START = -1


@dataclass(frozen=True, eq=False)
class WordGraph:
    """P positions, each an HMM state of a phone said at one place in the utterance.

    `labels` (P,) as in `pipelines.hybrid.tying`; `words` (P,): which word the position belongs to, -1 for
    silence. `entries` are the positions that begin a block, and `predecessors[i]` the positions from which
    entry i is reached (-1: the beginning); elsewhere a position is reached from the one before. `ends` are
    the positions where the utterance may end.
    """

    labels: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    entries: tuple[int, ...]
    predecessors: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]


@dataclass(eq=False)
class _Phones:
    """Phones said one after another, with alternatives: a directed graph in topological order."""

    phones: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    before: list[tuple[int, ...]] = field(default_factory=list)

    def add(self, phone: int, word: int, before: tuple[int, ...]) -> int:
        self.phones.append(phone)
        self.words.append(word)
        self.before.append(before)
        return len(self.phones) - 1

    def row(self, phones: Sequence[int], word: int, before: tuple[int, ...]) -> int:
        for phone in phones:
            before = (self.add(phone, word, before),)
        return before[0]


@dataclass(frozen=True)
class _Copy:
    """A phone of the graph between two neighbours; `before` are copies, or START."""

    node: int
    left: int
    right: int
    before: tuple[int, ...]


def word_graph(words: Sequence[str], pronunciations: Pronunciations, tying: Tying) -> WordGraph:
    """The graph of `words` in their order; KeyError for one that has no pronunciation."""
    phones, ends = _phone_graph(words, pronunciations, tying.topology.phone_ids)
    copies, final = _in_context(phones, ends) if tying.width > 1 else _as_they_are(phones, ends)
    return _laid_out(copies, final, phones, tying)


def _phone_graph(
    words: Sequence[str], pronunciations: Pronunciations, ids: Mapping[str, int]
) -> tuple[_Phones, tuple[int, ...]]:
    graph = _Phones()
    exits: tuple[int, ...] = (START,)
    for number, word in enumerate(words):
        exits = (*exits, graph.add(ids[SILENCE], -1, exits))
        exits = tuple(
            graph.row([ids[phone] for phone in variant], number, exits) for variant in pronunciations[word]
        )
    exits = (*exits, graph.add(ids[SILENCE], -1, exits))
    return graph, tuple(e for e in exits if e != START)


def _as_they_are(graph: _Phones, ends: tuple[int, ...]) -> tuple[list[_Copy], tuple[int, ...]]:
    return [_Copy(n, QUIET, QUIET, before) for n, before in enumerate(graph.before)], ends


def _in_context(graph: _Phones, ends: tuple[int, ...]) -> tuple[list[_Copy], tuple[int, ...]]:
    """A copy of each phone for each pair of neighbours; only copies that agree are joined."""
    rights: list[set[int]] = [set() for _ in graph.phones]
    for node, before in enumerate(graph.before):
        for p in before:
            if p != START:
                rights[p].add(graph.phones[node])
    for end in ends:
        rights[end].add(QUIET)
    copies: list[_Copy] = []
    made: dict[tuple[int, int], list[int]] = {}  # (node, right neighbour): its copies
    for node, before in enumerate(graph.before):
        mine = graph.phones[node]
        lefts: dict[int, list[int]] = {}
        for p in before:
            left = QUIET if p == START else graph.phones[p]
            lefts.setdefault(left, []).extend([START] if p == START else made[p, mine])
        for right in sorted(rights[node]):
            for left, sources in lefts.items():
                made.setdefault((node, right), []).append(len(copies))
                copies.append(_Copy(node, left, right, tuple(sources)))
    return copies, tuple(c for end in ends for c in made[end, QUIET])


def _laid_out(copies: Sequence[_Copy], final: tuple[int, ...], graph: _Phones, tying: Tying) -> WordGraph:
    """The states of the copies in a row; a copy that only follows the one before it begins no block."""
    node = np.array([c.node for c in copies])
    phone, word = np.array(graph.phones)[node], np.array(graph.words)[node]
    left, right = np.array([c.left for c in copies]), np.array([c.right for c in copies])
    rows = tying.rows(left, phone, right)
    firsts, lasts = rows.begins, rows.begins + rows.lengths - 1
    followers = np.bincount([p for c in copies for p in c.before if p != START], minlength=len(copies))
    entries, predecessors = [], []
    for i, copy in enumerate(copies):
        if copy.before == (i - 1,) and i and followers[i - 1] == 1:
            continue
        entries.append(int(firsts[i]))
        predecessors.append(tuple(START if p == START else int(lasts[p]) for p in copy.before))
    ends = tuple(int(lasts[c]) for c in final)
    return WordGraph(
        rows.labels.astype(np.int64), word[rows.owner], tuple(entries), tuple(predecessors), ends
    )
