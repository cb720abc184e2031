"""Gaussian mixtures with diagonal covariances, a mixture for each state, all in flat arrays.

log N(x) is a linear function of [x, x^2], so the likelihoods of all Gaussians are one matrix product
(float32). Estimation is soft within the mixture of the state that a Viterbi alignment names; mixtures grow as
in Kaldi's gmm-est: Gaussians go where occupancy^0.25 is largest, the heaviest one is split.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.features import Features
from pipelines.search import LogLikelihoods

Doubles: TypeAlias = npt.NDArray[np.float64]
States: TypeAlias = npt.NDArray[np.int32]

MIN_OCCUPANCY = 3.0  # frames, below which a Gaussian goes
_MIN_WEIGHT = 1e-5
_SPLIT_POWER = 0.25
_PERTURBATION = 0.1  # standard deviations


@dataclass(frozen=True, eq=False)
class Mixtures:
    """G Gaussians of D dimensions in S states: those of state s are `first[s]` up to `first[s + 1]`.

    `weights` (G,), `means` (G, D), `variances` (G, D), `first` (S + 1,). It is a `Decodable`.
    """

    weights: Doubles
    means: Doubles
    variances: Doubles
    first: npt.NDArray[np.int64]

    @property
    def gaussians(self) -> int:
        return len(self.weights)

    @property
    def states(self) -> int:
        return len(self.first) - 1

    @property
    def parameters(self) -> int:
        """Weights, means and variances."""
        return self.gaussians * (2 * self.means.shape[1] + 1)

    @cached_property
    def _linear(self) -> tuple[Features, Features]:
        """The matrix for [x, x^2], shape (2 D, G), and the constants, shape (G,)."""
        precision = 1.0 / self.variances
        constant = np.log(self.weights) - 0.5 * (
            np.log(2 * np.pi * self.variances) + self.means**2 * precision
        ).sum(axis=1)
        matrix = np.concatenate([self.means * precision, -0.5 * precision], axis=1).T
        return np.ascontiguousarray(matrix, np.float32), constant.astype(np.float32)

    @cached_property
    def _owner(self) -> npt.NDArray[np.int64]:
        return np.repeat(np.arange(self.states), np.diff(self.first))

    def log_likelihoods(self, features: Features) -> LogLikelihoods:
        """log p(x | state): (frames, D) to (frames, states)."""
        if not len(features):
            return np.zeros((0, self.states), np.float32)
        matrix, constant = self._linear
        scores = np.concatenate([features, features * features], axis=1) @ matrix  # (frames, G)
        scores += constant
        return _log_sum(scores, self.first[:-1], self._owner)

    def of_states(self, states: npt.NDArray[np.int64]) -> Mixtures:
        """The mixtures of some states alone, in the order given."""
        picked = [np.arange(self.first[s], self.first[s + 1]) for s in states]
        index = np.concatenate(picked)
        first = np.concatenate([[0], np.cumsum([len(p) for p in picked])])
        return Mixtures(self.weights[index], self.means[index], self.variances[index], first)


def pooled(parts: Sequence[Mixtures]) -> Mixtures:
    """The mean of the densities of mixtures for the same states: all their Gaussians, weights shared out."""
    counts = np.sum([np.diff(part.first) for part in parts], axis=0)
    order = np.argsort(np.concatenate([part._owner for part in parts]), kind="stable")
    return Mixtures(
        np.concatenate([part.weights for part in parts])[order] / len(parts),
        np.concatenate([part.means for part in parts])[order],
        np.concatenate([part.variances for part in parts])[order],
        np.concatenate([[0], np.cumsum(counts)]),
    )


def _log_sum(
    scores: npt.NDArray[np.float32], begins: npt.NDArray[np.int64], owner: npt.NDArray[np.int64]
) -> LogLikelihoods:
    """log sum exp over each state's Gaussians: (frames, G) to (frames, S); overwrites `scores`."""
    top = np.maximum.reduceat(scores, begins, axis=1)
    scores -= top[:, owner]
    np.exp(scores, out=scores)
    return np.asarray(np.log(np.add.reduceat(scores, begins, axis=1)) + top, np.float32)


@dataclass(frozen=True, eq=False)
class Statistics:
    """Zeroth, first and second order sums for each Gaussian; the log-likelihood of all frames together."""

    occupancy: Doubles
    first_order: Doubles
    second_order: Doubles
    log_likelihood: float

    def __add__(self, other: Statistics) -> Statistics:
        """Of the frames of both, for the same Gaussians."""
        return Statistics(
            self.occupancy + other.occupancy,
            self.first_order + other.first_order,
            self.second_order + other.second_order,
            self.log_likelihood + other.log_likelihood,
        )


def accumulate(mixtures: Mixtures, features: Features, states: States) -> Statistics:
    """Statistics of features (frames, D) that an alignment (frames,) gives to states."""
    return two_feature_accumulate(mixtures, features, features, states)


def two_feature_accumulate(
    mixtures: Mixtures, features: Features, summed: Features, states: States
) -> Statistics:
    """Posteriors of `features` (frames, D), sums of `summed` (frames, D'), for the Gaussians of `mixtures`.

    With features adapted to each speaker, their mixtures, and the unadapted features to sum, `update` makes
    the speaker-independent model of speaker-adaptive training (as Kaldi's gmm-acc-stats-twofeats does). The
    log-likelihood is that of `features`.
    """
    dims = summed.shape[1]
    occupancy = np.zeros(mixtures.gaussians)
    sums = np.zeros((mixtures.gaussians, 2 * dims))
    total = 0.0
    for rows, mine, posteriors, likelihood in posteriors_by_state(mixtures, features, states):
        x = summed[rows]
        occupancy[mine] = posteriors.sum(axis=0, dtype=np.float64)
        sums[mine] = posteriors.T @ np.concatenate([x, x * x], axis=1)  # (K, 2 D')
        total += likelihood
    return Statistics(occupancy, sums[:, :dims], sums[:, dims:], total)


def posteriors_by_state(
    mixtures: Mixtures, features: Features, states: States
) -> Iterator[tuple[npt.NDArray[np.int64], slice, npt.NDArray[np.float32], float]]:
    """For each state with frames: its rows of `features` (N,), its K Gaussians, their posteriors (N, K) in
    these frames, and the frames' log-likelihood together."""
    order = np.argsort(states, kind="stable")
    bounds = np.searchsorted(states[order], np.arange(mixtures.states + 1))
    matrix, constant = mixtures._linear
    for state in np.flatnonzero(np.diff(bounds)):
        rows = order[bounds[state] : bounds[state + 1]]
        mine = slice(mixtures.first[state], mixtures.first[state + 1])
        x = features[rows]
        scores = np.concatenate([x, x * x], axis=1) @ matrix[:, mine] + constant[mine]  # (N, K)
        yield rows, mine, *_posteriors(scores)


def _posteriors(scores: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], float]:
    top = scores.max(axis=1, keepdims=True)
    weights = np.exp(scores - top)
    sums = weights.sum(axis=1, keepdims=True)
    return weights / sums, float((np.log(sums) + top).sum(dtype=np.float64))


def update(mixtures: Mixtures, statistics: Statistics, variance_floor: Doubles) -> Mixtures:
    """Maximum likelihood with floored variances, shape (D,); Gaussians that hold too little go.

    A state that no frame was given to keeps its mixture.
    """
    weights, means, variances, counts = [], [], [], []
    for state in range(mixtures.states):
        mine = np.arange(mixtures.first[state], mixtures.first[state + 1])
        held = statistics.occupancy[mine]
        keep = mine[held >= MIN_OCCUPANCY]
        if not len(keep):
            heaviest = mine[np.argmax(mixtures.weights[mine])]
            weights.append(np.ones(1))
            means.append(mixtures.means[[heaviest]])
            variances.append(mixtures.variances[[heaviest]])
        else:
            held = statistics.occupancy[keep]
            mean = statistics.first_order[keep] / held[:, None]
            variance = statistics.second_order[keep] / held[:, None] - mean**2
            weights.append(np.maximum(held / held.sum(), _MIN_WEIGHT))
            means.append(mean)
            variances.append(np.maximum(variance, variance_floor))
        counts.append(len(weights[-1]))
    first = np.concatenate([[0], np.cumsum(counts)])
    return Mixtures(np.concatenate(weights), np.concatenate(means), np.concatenate(variances), first)


def grow(mixtures: Mixtures, occupancy: Doubles, target: int, rng: np.random.Generator) -> Mixtures:
    """Splits the heaviest Gaussians up to `target` in all; `occupancy`, shape (S,), in frames."""
    wanted = targets(np.diff(mixtures.first), occupancy, target)
    weights, means, variances = [], [], []
    for state, count in enumerate(wanted):
        mine = slice(mixtures.first[state], mixtures.first[state + 1])
        w, m, v = list(mixtures.weights[mine]), list(mixtures.means[mine]), list(mixtures.variances[mine])
        while len(w) < count:
            i = int(np.argmax(w))
            step = _PERTURBATION * rng.standard_normal(m[i].shape) * np.sqrt(v[i])
            w[i] /= 2
            w.append(w[i])
            m.append(m[i] + step)
            v.append(v[i])
            m[i] = m[i] - step
        weights.append(np.array(w))
        means.append(np.array(m))
        variances.append(np.array(v))
    first = np.concatenate([[0], np.cumsum([len(w) for w in weights])])
    return Mixtures(np.concatenate(weights), np.concatenate(means), np.concatenate(variances), first)


def targets(counts: npt.NDArray[np.int64], occupancy: Doubles, target: int) -> list[int]:
    """Gaussians go one by one to the state with the most occupancy^0.25 for each of its Gaussians."""
    power = np.maximum(occupancy, 0.0) ** _SPLIT_POWER
    wanted = [int(c) for c in counts]
    heap = [(-power[s] / wanted[s], s) for s in range(len(wanted)) if occupancy[s] > 0]
    heapq.heapify(heap)
    for _ in range(target - sum(wanted)):
        if not heap:
            break
        _, s = heapq.heappop(heap)
        wanted[s] += 1
        if (wanted[s] + 1) * 2 * MIN_OCCUPANCY < occupancy[s]:
            heapq.heappush(heap, (-power[s] / wanted[s], s))
    return wanted
