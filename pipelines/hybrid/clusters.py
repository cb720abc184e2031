"""The first mixtures of a state: k-means (scikit-learn) over the frames of its single Gaussian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from pipelines.features import Features
from pipelines.hybrid.gmm import Doubles, Mixtures, States, targets

_MOST_FRAMES = 5_000  # of a state: enough to place a few means


def first_clusters(
    mixtures: Mixtures, features: Features, states: States, target: int, seed: int
) -> Mixtures:
    """`target` Gaussians in all, from single ones: `features` (frames, D) with their `states` (frames,).

    Gaussians go to the states as `pipelines.hybrid.gmm.grow` would give them. Later growth splits them.
    """
    occupancy = np.bincount(states, minlength=mixtures.states).astype(float)
    wanted = targets(np.diff(mixtures.first), occupancy, target)
    parts = [
        _clustered(features[states == state], count, seed) if count > 1 else _kept(mixtures, state)
        for state, count in enumerate(wanted)
    ]
    weights, means, variances = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Mixtures(
        weights, means, variances, np.concatenate([[0], np.cumsum([len(w) for w, _, _ in parts])])
    )


_Gaussians = tuple[Doubles, Doubles, Doubles]  # weights (K,), means (K, D), variances (K, D)


def _kept(mixtures: Mixtures, state: int) -> _Gaussians:
    mine = slice(mixtures.first[state], mixtures.first[state + 1])
    return mixtures.weights[mine], mixtures.means[mine], mixtures.variances[mine]


def _clustered(frames: Features, count: int, seed: int) -> _Gaussians:
    chosen = frames[np.linspace(0, len(frames) - 1, min(len(frames), _MOST_FRAMES)).astype(int)]
    labels: npt.NDArray[np.int32] = KMeans(count, n_init=1, random_state=seed).fit_predict(chosen)
    # The variance of the whole state: a cluster's own would leave no room for the frames between two.
    variance = chosen.var(axis=0, dtype=np.float64)
    means = np.stack([chosen[labels == k].mean(axis=0, dtype=np.float64) for k in range(count)])
    shares = np.bincount(labels, minlength=count) / len(labels)
    return shares, means, np.tile(variance, (count, 1))
