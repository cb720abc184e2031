"""What a search costs, free of noise: tokens and arcs by frame, counted by a beam search of our own.

FasterDecoder keeps its tokens to itself. This search prunes as it does (`GetCutoff` in Kaldi's
faster-decoder.cc), frame by frame over arrays; it counts, and gives the cost of the best path, no words.
Where `max_active` narrows the beam, FasterDecoder's own counts hang on the order of its hash table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.fst import Arcs
from pipelines.search import Beam, LogLikelihoods

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_BEAM_DELTA = 0.5
"""FasterDecoder's slack of the next frame's beam where `max_active` or `min_active` set this one's."""


@dataclass(frozen=True)
class SearchCounts:
    """Over `frames`: `tokens` that went on from a frame to the next, `arcs` evaluated with a likelihood.

    `cost`: of the best path in a final state, infinite where none is reached.
    """

    frames: int = 0
    tokens: int = 0
    arcs: int = 0
    cost: float = 0.0

    def __add__(self, other: SearchCounts) -> SearchCounts:
        """Of several utterances."""
        tokens, arcs = self.tokens + other.tokens, self.arcs + other.arcs
        return SearchCounts(self.frames + other.frames, tokens, arcs, self.cost + other.cost)

    @property
    def tokens_per_frame(self) -> float:
        return self.tokens / max(1, self.frames)

    @property
    def arcs_per_frame(self) -> float:
        return self.arcs / max(1, self.frames)


class _Fan:
    """Some of a graph's arcs, at hand by their source."""

    def __init__(self, graph: Arcs, chosen: npt.NDArray[np.bool_]) -> None:
        order = np.argsort(graph.source[chosen], kind="stable")
        self.source, self.target = graph.source[chosen][order], graph.target[chosen][order]
        self.column = graph.ilabel[chosen][order] - 1
        self.weight = graph.weight[chosen][order].astype(np.float64)
        self.first = np.searchsorted(self.source, np.arange(graph.states + 1))

    def out_of(self, states: Indices) -> Indices:
        """The arcs that leave any of `states`."""
        first, counts = self.first[states], self.first[states + 1] - self.first[states]
        ends = np.cumsum(counts)
        return np.asarray(np.repeat(first - ends + counts, counts) + np.arange(counts.sum()), np.int64)


class SearchCounter:
    """A decoding graph, whose epsilons must not go in circles that gain; for any number of utterances."""

    def __init__(self, graph: Arcs) -> None:
        self._emitting, self._epsilons = (
            _Fan(graph, chosen) for chosen in (graph.ilabel > 0, graph.ilabel == 0)
        )
        self._final, self._start = graph.final.astype(np.float64), graph.start

    def count(self, log_likelihoods: LogLikelihoods, beam: Beam | None = None) -> SearchCounts:
        """Of a whole utterance, shape (frames, states)."""
        beam = beam or Beam()
        costs = np.full(len(self._final), np.inf)  # (graph's states,)
        costs[self._start] = 0.0
        live = self._close(costs, np.array([self._start]), np.inf)
        tokens = arcs = 0
        for row in log_likelihoods.astype(np.float64):
            cutoff, ahead = _cutoff(costs[live], beam)
            going = live[costs[live] < cutoff]
            out = self._emitting.out_of(going)
            tokens, arcs = tokens + len(going), arcs + len(out)
            new = costs[self._emitting.source[out]] + self._emitting.weight[out]
            new -= row[self._emitting.column[out]]
            costs[live] = np.inf
            live = self._enter(costs, self._emitting.target[out], new, ahead)
        ends = costs[live] + self._final[live]
        return SearchCounts(len(log_likelihoods), tokens, arcs, float(ends.min(initial=np.inf)))

    def _enter(self, costs: Doubles, target: npt.NDArray[np.int32], new: Doubles, ahead: float) -> Indices:
        """Sets the costs of the states of the next frame, and gives those states."""
        cutoff = float(new.min(initial=np.inf)) + ahead
        inside = new <= cutoff
        np.minimum.at(costs, target[inside], new[inside])
        return self._close(costs, np.unique(target[inside]).astype(np.int64), cutoff)

    def _close(self, costs: Doubles, live: Indices, cutoff: float) -> Indices:
        """Follows epsilons as long as they make a state better."""
        reached, edge = [live], live
        while len(edge):
            out = self._epsilons.out_of(edge)
            new = costs[self._epsilons.source[out]] + self._epsilons.weight[out]
            target = self._epsilons.target[out]
            better = (new <= cutoff) & (new < costs[target])
            np.minimum.at(costs, target[better], new[better])
            edge = np.unique(target[better]).astype(np.int64)
            reached.append(edge)
        return np.unique(np.concatenate(reached))


def _cutoff(costs: Doubles, beam: Beam) -> tuple[float, float]:
    """What tokens of this frame must cost less than, and the beam of the next frame's."""
    best = float(costs.min(initial=np.inf))
    wide = best + beam.beam
    most = _at(costs, beam.max_active)
    if most < wide:
        return most, most - best + _BEAM_DELTA
    least = _at(costs, min(beam.min_active, beam.max_active - 1))
    if least > wide:
        return least, least - best + _BEAM_DELTA
    return wide, beam.beam


def _at(costs: Doubles, rank: int) -> float:
    """The cost that `rank` tokens come before; infinite where there are no more than that."""
    return float(np.partition(costs, rank)[rank]) if len(costs) > rank else np.inf
