"""Mixtures against hmmlearn and scikit-learn; estimation never lowers the likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from hmmlearn.hmm import GMMHMM
from sklearn.mixture import GaussianMixture

from pipelines.hybrid.gmm import Mixtures, accumulate, grow, pooled, update

DIMS = 4


def _mixtures(sizes: list[int], seed: int = 0) -> Mixtures:
    draw = np.random.default_rng(seed)
    weights = np.concatenate([draw.dirichlet(np.full(n, 5.0)) for n in sizes])
    shape = (sum(sizes), DIMS)
    first = np.concatenate([[0], np.cumsum(sizes)])
    return Mixtures(weights, draw.normal(0, 2, shape), draw.uniform(0.3, 2, shape), first)


def _features(frames: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (frames, DIMS)).astype(np.float32)


def test_log_likelihoods_are_hmmlearn_s() -> None:
    mixtures = _mixtures([3, 3, 3])
    theirs = GMMHMM(3, 3, covariance_type="diag", init_params="")
    theirs.n_features = DIMS
    theirs.weights_ = mixtures.weights.reshape(3, 3)
    theirs.means_ = mixtures.means.reshape(3, 3, DIMS)
    theirs.covars_ = mixtures.variances.reshape(3, 3, DIMS)
    x = _features(50)
    expected = theirs._compute_log_likelihood(x.astype(np.float64))
    np.testing.assert_allclose(mixtures.log_likelihoods(x), expected, rtol=1e-5, atol=2e-4)


def test_mixtures_of_different_sizes_and_a_selection() -> None:
    mixtures, x = _mixtures([1, 4, 2]), _features(20)
    everything = mixtures.log_likelihoods(x)
    density = -0.5 * (
        np.log(2 * np.pi * mixtures.variances) + (x[:, None] - mixtures.means) ** 2 / mixtures.variances
    ).sum(axis=2)
    joint = density + np.log(mixtures.weights)
    bounds = [(0, 1), (1, 5), (5, 7)]
    expected = np.stack([np.logaddexp.reduce(joint[:, a:b], axis=1) for a, b in bounds], axis=1)
    np.testing.assert_allclose(everything, expected, rtol=1e-5, atol=2e-4)
    picked = mixtures.of_states(np.array([2, 0])).log_likelihoods(x)
    np.testing.assert_allclose(picked, everything[:, [2, 0]], rtol=1e-5, atol=1e-4)


def test_far_away_frames_stay_finite() -> None:
    far = np.full((1, DIMS), 1e4, np.float32)
    assert np.isfinite(_mixtures([2, 3]).log_likelihoods(far)).all()


def test_estimation_is_scikit_learn_s() -> None:
    start, x = _mixtures([3]), _features(400)
    theirs = GaussianMixture(
        3,
        covariance_type="diag",
        max_iter=1,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=1 / start.variances,
        reg_covar=0.0,
    )
    with pytest.warns(match="not converge"):
        theirs.fit(x.astype(np.float64))
    ours = update(start, accumulate(start, x, np.zeros(400, np.int32)), np.full(DIMS, 1e-6))
    np.testing.assert_allclose(ours.weights, theirs.weights_, rtol=1e-4)
    np.testing.assert_allclose(ours.means, theirs.means_, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(ours.variances, theirs.covariances_, rtol=1e-3)


def test_the_likelihood_never_falls() -> None:
    x, states = _features(600), np.repeat(np.arange(3, dtype=np.int32), 200)
    mixtures, before = _mixtures([4, 4, 4]), -np.inf
    for _ in range(12):
        statistics = accumulate(mixtures, x, states)
        assert statistics.log_likelihood >= before - 1e-2
        before = statistics.log_likelihood
        mixtures = update(mixtures, statistics, np.full(DIMS, 1e-3))


def test_growing_reaches_the_target_where_there_is_data() -> None:
    mixtures = _mixtures([1, 1, 1])
    grown = grow(mixtures, np.array([1000.0, 10.0, 0.0]), 9, np.random.default_rng(0))
    sizes = np.diff(grown.first)
    assert grown.gaussians == 9
    assert sizes[0] > sizes[1] >= sizes[2] == 1
    np.testing.assert_allclose(np.add.reduceat(grown.weights, grown.first[:-1]), 1.0)


def test_gaussians_without_frames_go_but_never_all() -> None:
    mixtures = _mixtures([2, 2])
    x = np.repeat(mixtures.means[:1], 20, axis=0).astype(np.float32)
    after = update(mixtures, accumulate(mixtures, x, np.zeros(20, np.int32)), np.full(DIMS, 0.01))
    assert list(np.diff(after.first)) in ([1, 1], [2, 1])
    assert (after.variances >= 0.01).all()


def test_pooled_likelihoods_are_the_mean() -> None:
    parts = [_mixtures([2, 1, 4]), _mixtures([1, 3, 2], seed=5), _mixtures([2, 2, 2], seed=6)]
    frames = _features(30)
    mean = np.log(np.mean([np.exp(part.log_likelihoods(frames)) for part in parts], axis=0))
    np.testing.assert_allclose(pooled(parts).log_likelihoods(frames), mean, atol=1e-4)
