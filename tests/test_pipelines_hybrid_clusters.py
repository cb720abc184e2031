"""The first clusters find what is plainly there, and keep the rest as it was."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.hybrid.clusters import first_clusters
from pipelines.hybrid.gmm import Mixtures, accumulate, update


@pytest.fixture
def speech() -> tuple[np.ndarray, np.ndarray]:
    """State 0 has two far clusters of 300 and 100 frames, state 1 hardly any frames."""
    draw = np.random.default_rng(3)
    x = np.concatenate(
        [draw.normal(-4, 1, (300, 2)), draw.normal(4, 1, (100, 2)), draw.normal(0, 1, (10, 2))]
    ).astype(np.float32)
    return x, np.array([0] * 400 + [1] * 10, np.int32)


def single(x: np.ndarray, states: np.ndarray) -> Mixtures:
    means = np.stack([x[states == s].mean(axis=0) for s in (0, 1)]).astype(float)
    variances = np.stack([x[states == s].var(axis=0) for s in (0, 1)]).astype(float)
    return Mixtures(np.ones(2), means, variances, np.arange(3))


def test_two_clusters_are_found(speech) -> None:
    x, states = speech
    grown = first_clusters(single(x, states), x, states, target=3, seed=1)
    assert list(np.diff(grown.first)) == [2, 1]
    assert sorted(grown.weights[:2]) == pytest.approx([0.25, 0.75])
    assert sorted(grown.means[:2, 0]) == pytest.approx([-4, 4], abs=0.3)
    assert grown.means[2] == pytest.approx(x[400:].mean(axis=0), abs=1e-5)


def test_the_likelihood_after_an_update_is_above_one_gaussian(speech) -> None:
    x, states = speech
    plain = single(x, states)
    grown = first_clusters(plain, x, states, target=3, seed=1)
    grown = update(grown, accumulate(grown, x, states), np.full(2, 0.01))

    def total(mixtures: Mixtures) -> float:
        return float(mixtures.log_likelihoods(x)[np.arange(len(x)), states].sum())

    assert total(grown) > total(plain) + 100


def test_the_same_seed_gives_the_same_clusters(speech) -> None:
    x, states = speech
    one, other = (first_clusters(single(x, states), x, states, target=4, seed=7) for _ in range(2))
    assert np.array_equal(one.means, other.means)
