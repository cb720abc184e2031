"""Forced alignment: the Viterbi path through an utterance's words, for many utterances at once.

Words with their pronunciations and optional silences in between make a graph of blocks, each a straight row
of states. All utterances of a batch take one step of time together; arcs within blocks are a shift of the
score array, the few arcs between blocks are gathered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.features import Features
from pipelines.hybrid.gmm import Doubles, States
from pipelines.hybrid.model import AcousticModel
from pipelines.hybrid.word_graph import START, WordGraph

_NEVER = np.float32(-1e30)
_FAILED = -1e20
_BATCH_CELLS = 6_000_000  # frames x positions x utterances


@dataclass(frozen=True, eq=False)
class Alignment:
    """Each frame's position in the graph and label, both (frames,); the log-likelihood has transitions."""

    positions: npt.NDArray[np.int32]
    labels: States
    log_likelihood: float


def align(
    model: AcousticModel, graphs: Sequence[WordGraph], features: Sequence[Features], jobs: int = 1
) -> list[Alignment | None]:
    """The best path of each utterance; None where there is none (fewer frames than states).

    `features` are the front end's output, (frames, D); `jobs` batches are aligned at a time.
    """
    found: list[Alignment | None] = [None] * len(graphs)
    batches = list(_batches(graphs, features))

    def one(batch: list[int]) -> list[Alignment | None]:
        return _align_batch(model, [graphs[i] for i in batch], [features[i] for i in batch])

    with ThreadPoolExecutor(jobs) as pool:  # the time goes by in numpy, which lets other threads run
        for batch, part in zip(batches, pool.map(one, batches), strict=True):
            for i, alignment in zip(batch, part, strict=True):
                found[i] = alignment
    return found


def _batches(graphs: Sequence[WordGraph], features: Sequence[Features]) -> Iterator[list[int]]:
    """Utterances of like length together, without those of no frames."""
    order = sorted((i for i, x in enumerate(features) if len(x)), key=lambda i: len(features[i]))
    batch: list[int] = []
    widest = 0
    for i in order:
        widest = max(widest, len(graphs[i].labels))
        if batch and len(features[i]) * widest * (len(batch) + 1) > _BATCH_CELLS:
            yield batch
            batch, widest = [], len(graphs[i].labels)
        batch.append(i)
    if batch:
        yield batch


class _Batch:
    """Padded arrays of B utterances, P positions, E entries with K predecessors each; all entries flat."""

    def __init__(self, graphs: Sequence[WordGraph], self_loops: Doubles) -> None:
        self.size, self.width = len(graphs), max(len(g.labels) for g in graphs)
        labels = np.zeros((self.size, self.width), np.int64)
        for b, graph in enumerate(graphs):
            labels[b, : len(graph.labels)] = graph.labels
        self.stay = np.log(self_loops)[labels].astype(np.float32)
        self.leave = np.log(1.0 - self_loops)[labels].astype(np.float32)
        self.entries, self.predecessors = self._flat_entries(graphs)
        self.first = np.full((self.size, self.width), _NEVER)
        for b, graph in enumerate(graphs):
            for entry, before in zip(graph.entries, graph.predecessors, strict=True):
                if START in before:
                    self.first[b, entry] = 0.0
        self.is_entry = np.zeros(self.size * self.width, bool)
        self.is_entry[self.entries] = True
        self.row_of = np.zeros(self.size * self.width, np.int64)
        self.row_of[self.entries] = np.arange(len(self.entries))

    @property
    def _nowhere(self) -> int:
        """Where the flat scores hold what is never reached: the beginning, later on, and padding."""
        return self.size * self.width

    def _flat_entries(
        self, graphs: Sequence[WordGraph]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        most = max(len(p) for g in graphs for p in g.predecessors)
        entries, rows = [], []
        for b, graph in enumerate(graphs):
            base = b * self.width
            for entry, before in zip(graph.entries, graph.predecessors, strict=True):
                entries.append(base + entry)
                flat = [self._nowhere if p == START else base + p for p in before]
                rows.append(flat + [self._nowhere] * (most - len(flat)))
        return np.array(entries), np.array(rows)


def _align_batch(
    model: AcousticModel, graphs: list[WordGraph], features: list[Features]
) -> list[Alignment | None]:
    batch = _Batch(graphs, model.self_loops)
    scores = _emissions(model, graphs, features, batch)
    choices, totals, lasts = _forward(batch, scores, graphs, [len(f) for f in features])
    positions = _trace(batch, choices, lasts, [len(f) for f in features])
    found: list[Alignment | None] = []
    for b, graph in enumerate(graphs):
        path = positions[: len(features[b]), b]
        if totals[b] < _FAILED or not len(path):
            found.append(None)
        else:
            found.append(Alignment(path.copy(), graph.labels[path].astype(np.int32), float(totals[b])))
    return found


def _emissions(
    model: AcousticModel, graphs: list[WordGraph], features: list[Features], batch: _Batch
) -> npt.NDArray[np.float32]:
    """(frames, B, P), computed for the senones that each utterance needs."""
    longest = max(len(f) for f in features)
    scores = np.full((longest, batch.size, batch.width), _NEVER)
    for b, (graph, x) in enumerate(zip(graphs, features, strict=True)):
        needed, where = np.unique(model.tying.label_senone[graph.labels], return_inverse=True)
        own = model.mixtures.of_states(needed).log_likelihoods(x)
        scores[: len(x), b, : len(graph.labels)] = own[:, where]
    return scores


def _forward(
    batch: _Batch, scores: npt.NDArray[np.float32], graphs: list[WordGraph], lengths: list[int]
) -> tuple[npt.NDArray[np.int8], Doubles, npt.NDArray[np.int64]]:
    """Choices (frames, B, P): 0 stayed, 1 moved on, 2 + k came from k; totals and last positions (B,)."""
    size, width = batch.size, batch.width
    choices = np.zeros((len(scores), size, width), np.int8)
    totals, lasts = np.full(size, -np.inf), np.zeros(size, np.int64)
    left = np.full(size * width + 1, _NEVER)  # the scores of leaving; the last one is never reached
    alpha = batch.first + scores[0]
    inside = np.where(batch.is_entry.reshape(size, width), _NEVER, np.float32(0.0))
    move = np.full((size, width), _NEVER)
    for b, total, last in _ended(0, alpha, batch, graphs, lengths):
        totals[b], lasts[b] = total, last
    for t in range(1, len(scores)):
        np.add(alpha, batch.leave, out=left[:-1].reshape(size, width))
        move[:, 1:] = left[:-1].reshape(size, width)[:, :-1]
        move += inside
        stay = alpha + batch.stay
        came = left[batch.predecessors]  # (E, K)
        best = came.argmax(axis=1)
        move.reshape(-1)[batch.entries] = came[np.arange(len(best)), best]
        moved = move > stay
        choices[t] = moved
        taken = moved.reshape(-1)[batch.entries]
        choices[t].reshape(-1)[batch.entries[taken]] = best[taken] + 2
        alpha = np.maximum(stay, move, out=stay)
        alpha += scores[t]
        np.maximum(alpha, _NEVER, out=alpha)
        for b, total, last in _ended(t, alpha, batch, graphs, lengths):
            totals[b], lasts[b] = total, last
    return choices, totals, lasts


def _ended(
    t: int,
    alpha: npt.NDArray[np.float32],
    batch: _Batch,
    graphs: list[WordGraph],
    lengths: list[int],
) -> Iterator[tuple[int, float, int]]:
    """(utterance, total, last position) for those whose last frame is `t`."""
    for b in range(batch.size):
        if lengths[b] == t + 1:
            ends = np.array(graphs[b].ends)
            final = alpha[b, ends] + batch.leave[b, ends]
            yield b, float(final.max()), int(ends[int(final.argmax())])


def _trace(
    batch: _Batch, choices: npt.NDArray[np.int8], lasts: npt.NDArray[np.int64], lengths: list[int]
) -> npt.NDArray[np.int32]:
    """Positions (frames, B), from each utterance's last frame back."""
    positions = np.zeros(choices.shape[:2], np.int32)
    here = lasts.copy()
    utterances = np.arange(batch.size)
    ends = np.array(lengths) - 1
    for t in range(len(choices) - 1, -1, -1):
        here = np.where(t == ends, lasts, here)
        positions[t] = here
        choice = choices[t, utterances, here].astype(np.int64)
        rows = batch.row_of[utterances * batch.width + here]
        jumped = batch.predecessors[rows, np.maximum(choice - 2, 0)] - utterances * batch.width
        before = np.where(choice >= 2, jumped, here - choice)
        here = np.where(t <= ends, np.clip(before, 0, batch.width - 1), here)
    return positions
