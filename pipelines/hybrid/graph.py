"""The decoding graph H o C o L o G, by kaldifst; for context-independent phones C is the identity.

Mohri, Pereira and Riley, "Speech recognition with weighted finite-state transducers" (2008); silences,
disambiguation symbols and self-loops as in Kaldi's mkgraph.sh. Input labels are those of the tying plus one:
they keep the phone beside its senone, without which H o C o L o G would not be functional.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import kaldifst
import numpy as np
import numpy.typing as npt

from pipelines.fst import Arcs, arcs_of, vector_fst
from pipelines.grammar import WordTable
from pipelines.hybrid.gmm import Doubles
from pipelines.hybrid.topology import SILENCE, Topology
from pipelines.hybrid.tying import Tying
from pipelines.hybrid.word_graph import Pronunciations

SILENCE_PROBABILITY = 0.5
SELF_LOOP_SCALE = 0.1


class _Builder:
    """Collects arcs one by one."""

    def __init__(self, states: int) -> None:
        self.states = states
        self.arcs: list[tuple[int, int, int, float, int]] = []

    def state(self) -> int:
        self.states += 1
        return self.states - 1

    def arc(self, source: int, ilabel: int, olabel: int, weight: float, target: int) -> None:
        self.arcs.append((source, ilabel, olabel, weight, target))

    def build(self, final: int) -> Any:
        ends = np.full(self.states, np.inf, np.float32)
        ends[final] = 0.0
        source, ilabel, olabel, weight, target = (np.array(c) for c in zip(*self.arcs, strict=True))
        source, ilabel, olabel, target = (c.astype(np.int32) for c in (source, ilabel, olabel, target))
        return vector_fst(Arcs(source, ilabel, olabel, weight.astype(np.float32), target, ends))


@dataclass(frozen=True)
class _Labels:
    """Phone labels: 1 to `phones` for phones, then `#0` (back-off), `#1` (after silence), `#2` ...

    `edge` follows them: what C reads before an utterance's first phone, while it waits for the second.
    """

    phones: int
    disambiguators: int

    def hash(self, k: int) -> int:
        return self.phones + 1 + k

    @property
    def hashes(self) -> range:
        return range(self.phones + 1, self.phones + 1 + self.disambiguators)

    @property
    def edge(self) -> int:
        return self.hash(self.disambiguators)


def decoding_graph(
    grammar: Any, words: WordTable, pronunciations: Pronunciations, tying: Tying, self_loops: Doubles
) -> Arcs:
    """Accepts the states' labels in their order through a word's phones; words come out as labels of `words`.

    `grammar` is G (see `pipelines.grammar`); `self_loops`, shape (labels,), the probabilities of staying.
    """
    lexicon, labels = _lexicon(words, pronunciations, tying.topology)
    kaldifst.arcsort(lexicon, "olabel")
    kaldifst.arcsort(grammar, "ilabel")
    lg = kaldifst.compose(lexicon, grammar)
    kaldifst.determinize_star(lg)
    kaldifst.minimize_encoded(lg)
    clg, rows = _in_context(lg, labels, tying)
    hmms = _hmms(rows, labels, tying.labels)
    kaldifst.arcsort(hmms, "olabel")
    kaldifst.arcsort(clg, "ilabel")
    hclg = kaldifst.compose(hmms, clg)
    kaldifst.determinize_star(hclg)
    kaldifst.minimize_encoded(hclg)
    arcs = arcs_of(hclg)
    plain = replace(arcs, ilabel=np.where(arcs.ilabel > tying.labels, 0, arcs.ilabel).astype(np.int32))
    return add_self_loops(plain, self_loops)


def with_insertion_penalty(arcs: Arcs, penalty: float) -> Arcs:
    """`penalty`, a cost in the graph's own units, on every arc that brings a word out."""
    return replace(arcs, weight=(arcs.weight + penalty * (arcs.olabel > 0)).astype(np.float32))


def _lexicon(words: WordTable, pronunciations: Pronunciations, topology: Topology) -> tuple[Any, _Labels]:
    """L with optional silence at the beginning and after words."""
    entries = list(_disambiguated(words, pronunciations))
    labels = _Labels(len(topology.phones), 2 + max(mark for _, _, mark in entries))
    ids = {phone: i + 1 for i, phone in enumerate(topology.phones)}
    start, loop, silence, after = 0, 1, 2, 3
    cost = -float(np.log(SILENCE_PROBABILITY))
    builder = _Builder(4)
    builder.arc(start, 0, 0, cost, loop)
    builder.arc(start, 0, 0, cost, silence)
    builder.arc(silence, ids[SILENCE], 0, 0.0, after)
    builder.arc(after, labels.hash(1), 0, 0.0, loop)
    for word, phones, mark in entries:
        sequence = [ids[p] for p in phones] + ([labels.hash(1 + mark)] if mark else [])
        here = loop
        for i, phone in enumerate(sequence[:-1]):
            there = builder.state()
            builder.arc(here, phone, word if i == 0 else 0, 0.0, there)
            here = there
        first = word if len(sequence) == 1 else 0
        builder.arc(here, sequence[-1], first, cost, loop)
        builder.arc(here, sequence[-1], first, cost, silence)
    builder.arc(loop, labels.hash(0), words.backoff, 0.0, loop)
    return builder.build(loop), labels


def _disambiguated(
    words: WordTable, pronunciations: Pronunciations
) -> Iterator[tuple[int, tuple[str, ...], int]]:
    """(word label, phones, mark): mark 0 for a pronunciation that no other word has or begins with."""
    entries = [
        (label, tuple(phones)) for word, label in words.labels.items() for phones in pronunciations[word]
    ]
    shared = Counter(phones for _, phones in entries)
    beginnings = {phones[:n] for phones in shared for n in range(1, len(phones))}
    marks: Counter[tuple[str, ...]] = Counter()
    for label, phones in entries:
        if shared[phones] > 1 or phones in beginnings:
            marks[phones] += 1
        yield label, phones, marks[phones]


def _in_context(lg: Any, labels: _Labels, tying: Tying) -> tuple[Any, dict[tuple[int, ...], int]]:
    """C o L o G, and the input label that each row of HMM states has in it; disambiguation symbols negative.

    Contexts whose states are all tied alike get one label, as by Kaldi's make-ilabel-transducer.
    """
    if tying.width == 1:
        phones = [[0, phone, 0] for phone in range(1, labels.phones + 1)]
        windows: list[list[int]] = [[], *phones, *([-k] for k in labels.hashes)]
        return lg, _rows(windows, tying)[0]
    clg, windows = kaldifst.compose_context(list(labels.hashes), 3, 1, lg)
    windows = [[-labels.edge] if window == [0] else window for window in windows]
    rows, representative = _rows(windows, tying)
    arcs = arcs_of(clg)
    return vector_fst(replace(arcs, ilabel=representative[arcs.ilabel])), rows


def _rows(
    windows: Sequence[Sequence[int]], tying: Tying
) -> tuple[dict[tuple[int, ...], int], npt.NDArray[np.int32]]:
    """For each kind of row the first window that has it; for each window the first one that is alike."""
    rows: dict[tuple[int, ...], int] = {}
    representative = np.zeros(len(windows), np.int32)
    states = _states([window for window in windows if len(window) == 3], tying)
    for i, window in enumerate(windows):
        if window:
            row = next(states) if len(window) == 3 else tuple(window)
            representative[i] = rows.setdefault(row, i)
    return rows, representative


def _states(windows: Sequence[Sequence[int]], tying: Tying) -> Iterator[tuple[int, ...]]:
    """The labels of the middle phone's states, for each window (left, phone, right).

    Phones are numbered from 1; 0 is the utterance's edge, which counts as silence, the phone 0.
    """
    rows = tying.rows(*np.maximum(np.array(windows).T - 1, 0))
    labels = rows.labels.tolist()
    for begin, length in zip(rows.begins.tolist(), rows.lengths.tolist(), strict=True):
        yield tuple(labels[begin : begin + length])


def _hmms(rows: Mapping[tuple[int, ...], int], labels: _Labels, states: int) -> Any:
    """H without self-loops: state labels in, contexts out; disambiguation symbols pass through.

    Their own labels follow those of the `states`.
    """
    builder = _Builder(1)
    for row, context in rows.items():
        if row[0] < 0:
            builder.arc(0, states - row[0] - labels.phones, context, 0.0, 0)
            continue
        here = 0
        for k, label in enumerate(row):
            there = 0 if k == len(row) - 1 else builder.state()
            builder.arc(here, label + 1, context if k == 0 else 0, 0.0, there)
            here = there
    return builder.build(0)


def add_self_loops(arcs: Arcs, self_loops: Doubles) -> Arcs:
    """A loop with its label on every state that an emitting arc enters, scaled by `SELF_LOOP_SCALE`.

    A state that arcs of several labels enter is split first: each label gets a copy of its own, with an
    epsilon to the original (Kaldi's MakePrecedingInputSymbolsSame).
    """
    emitting = arcs.ilabel > 0
    pairs = np.stack([arcs.target[emitting], arcs.ilabel[emitting]], axis=1)
    visits, where = np.unique(pairs, axis=0, return_inverse=True)  # (V, 2): a state, a label it is entered by
    entered = np.bincount(visits[:, 0], minlength=arcs.states)
    plain = np.bincount(arcs.target[~emitting], minlength=arcs.states) > 0
    plain[arcs.start] = True
    alone = (entered[visits[:, 0]] == 1) & ~plain[visits[:, 0]]
    copies = np.where(alone, visits[:, 0], arcs.states + np.cumsum(~alone) - 1)
    target = arcs.target.copy()
    target[emitting] = copies[where.reshape(-1)]
    leave = -SELF_LOOP_SCALE * np.log(1.0 - self_loops)
    weight = arcs.weight.astype(np.float64)
    weight[emitting] += leave[arcs.ilabel[emitting] - 1]
    loop = -SELF_LOOP_SCALE * np.log(self_loops)[visits[:, 1] - 1]
    return _joined(arcs, target, weight, visits=visits, copies=copies, alone=alone, loop=loop)


def _joined(
    arcs: Arcs,
    target: npt.NDArray[np.int32],
    weight: Doubles,
    *,
    visits: npt.NDArray[np.int32],
    copies: npt.NDArray[np.int64],
    alone: npt.NDArray[np.bool_],
    loop: Doubles,
) -> Arcs:
    """The old arcs with their new targets, the loops, and the epsilons from copies to originals."""
    split = ~alone
    none = np.zeros(int(split.sum()), np.int32)
    zeros = np.zeros(len(copies), np.int32)
    return Arcs(
        source=np.concatenate([arcs.source, copies, copies[split]]).astype(np.int32),
        ilabel=np.concatenate([arcs.ilabel, visits[:, 1], none]).astype(np.int32),
        olabel=np.concatenate([arcs.olabel, zeros, none]).astype(np.int32),
        weight=np.concatenate([weight, loop, none]).astype(np.float32),
        target=np.concatenate([target, copies, visits[split, 0]]).astype(np.int32),
        final=np.concatenate([arcs.final, np.full(len(none), np.inf, np.float32)]),
        start=arcs.start,
    )
