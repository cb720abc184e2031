"""fMLLR against loops, numerical optimisation and a speaker made by a known affine map."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from pipelines.hybrid.fmllr import accumulate_fmllr, estimate_fmllr, fmllr_objective
from pipelines.hybrid.gmm import Mixtures, accumulate, two_feature_accumulate, update
from pipelines.hybrid.transforms import apply

DIMS = 3
IDENTITY = np.eye(DIMS, DIMS + 1)


def _mixtures(seed: int = 0, spread: float = 3.0) -> Mixtures:
    draw = np.random.default_rng(seed)
    weights = np.concatenate([draw.dirichlet(np.full(n, 5.0)) for n in (2, 1, 3, 2)])
    shape = (8, DIMS)
    return Mixtures(
        weights, draw.normal(0, spread, shape), draw.uniform(0.3, 2, shape), np.array([0, 2, 3, 6, 8])
    )


def _speech(mixtures: Mixtures, frames: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    gaussians = draw.integers(0, 8, frames)
    x = mixtures.means[gaussians] + np.sqrt(mixtures.variances[gaussians]) * draw.normal(size=(frames, DIMS))
    return x.astype(np.float32), (np.searchsorted(mixtures.first, gaussians, "right") - 1).astype(np.int32)


def _speaker(x: np.ndarray, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """x as a speaker says it, B x + c, and the map [B c]."""
    draw = np.random.default_rng(seed)
    known = np.concatenate(
        [np.eye(DIMS) + draw.normal(0, 0.1, (DIMS, DIMS)), draw.normal(0, 0.5, (DIMS, 1))], 1
    )
    return apply(known, x), known


def _posteriors(mixtures: Mixtures, frame: np.ndarray, state: int) -> tuple[range, np.ndarray]:
    mine = range(mixtures.first[state], mixtures.first[state + 1])
    deviations = np.sqrt(mixtures.variances[mine])
    joint = mixtures.weights[mine] * norm.pdf(frame, mixtures.means[mine], deviations).prod(axis=1)
    return mine, joint / joint.sum()


def test_statistics_are_those_of_loops() -> None:
    mixtures = _mixtures()
    x, states = _speech(mixtures, 40)
    weights = np.random.default_rng(3).choice([0.0, 0.5, 1.0], 40)
    k, g = np.zeros((DIMS, DIMS + 1)), np.zeros((DIMS, DIMS + 1, DIMS + 1))
    for frame, state, weight in zip(x.astype(np.float64), states, weights, strict=True):
        extended = np.append(frame, 1.0)
        for gaussian, posterior in zip(*_posteriors(mixtures, frame, state), strict=True):
            for i in range(DIMS):
                gamma = weight * posterior / mixtures.variances[gaussian, i]
                k[i] += gamma * mixtures.means[gaussian, i] * extended
                g[i] += gamma * np.outer(extended, extended)
    ours = accumulate_fmllr(mixtures, x, states, weights)
    assert ours.occupancy == weights.sum()
    np.testing.assert_allclose(ours.k, k, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(ours.g, g, rtol=1e-4, atol=1e-3)


def test_statistics_of_parts_add_up_and_silence_is_left_out() -> None:
    mixtures = _mixtures()
    x, states = _speech(mixtures, 9000)  # more than a block of frames
    whole = accumulate_fmllr(mixtures, x, states)
    parts = accumulate_fmllr(mixtures, x[:100], states[:100]) + accumulate_fmllr(
        mixtures, x[100:], states[100:]
    )
    for ours, theirs in ((whole.k, parts.k), (whole.g, parts.g)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-2)
    assert whole.occupancy == parts.occupancy == 9000
    speech = states != 0
    weighted = accumulate_fmllr(mixtures, x, states, speech.astype(float))
    np.testing.assert_allclose(weighted.k, accumulate_fmllr(mixtures, x[speech], states[speech]).k, rtol=1e-9)


def test_a_speaker_made_by_an_affine_map_is_undone() -> None:
    mixtures = _mixtures(spread=8.0)
    x, states = _speech(mixtures, 20_000)
    spoken, known = _speaker(x)
    transform = estimate_fmllr(accumulate_fmllr(mixtures, spoken, states))
    inverse = np.linalg.inv(known[:, :DIMS])
    np.testing.assert_allclose(transform[:, :DIMS], inverse, atol=0.03)
    np.testing.assert_allclose(transform[:, DIMS], -inverse @ known[:, DIMS], atol=0.06)


def test_the_objective_is_the_log_likelihood_of_the_transformed_frames() -> None:
    mixtures = Mixtures(np.ones(2), _mixtures().means[:2], _mixtures().variances[:2], np.array([0, 1, 2]))
    draw = np.random.default_rng(4)
    x, states = draw.normal(size=(50, DIMS)).astype(np.float32), draw.integers(0, 2, 50).astype(np.int32)
    transform = IDENTITY + draw.normal(0, 0.2, IDENTITY.shape)
    statistics = accumulate_fmllr(mixtures, x, states)

    def likelihood(w: np.ndarray) -> float:
        y = x @ w[:, :DIMS].T + w[:, DIMS]
        densities = norm.logpdf(y, mixtures.means[states], np.sqrt(mixtures.variances[states]))
        return float(densities.sum() + 50 * np.linalg.slogdet(w[:, :DIMS])[1])

    ours = fmllr_objective(statistics, transform) - fmllr_objective(statistics, IDENTITY)
    assert ours == pytest.approx(likelihood(transform) - likelihood(IDENTITY), abs=1e-2)


def test_it_reaches_what_a_numerical_optimiser_finds() -> None:
    mixtures = _mixtures()
    x, states = _speech(mixtures, 600)
    statistics = accumulate_fmllr(mixtures, _speaker(x)[0], states)
    found = minimize(
        lambda w: -fmllr_objective(statistics, w.reshape(IDENTITY.shape)) / 600,
        IDENTITY.ravel(),
        method="BFGS",
    )
    ours = fmllr_objective(statistics, estimate_fmllr(statistics, iterations=30)) / 600
    assert ours == pytest.approx(-found.fun, abs=1e-5)


def test_no_sweep_lowers_the_objective() -> None:
    mixtures = _mixtures()
    x, states = _speech(mixtures, 600)
    statistics = accumulate_fmllr(mixtures, _speaker(x)[0], states)
    values = [fmllr_objective(statistics, estimate_fmllr(statistics, iterations=n)) for n in range(1, 10)]
    assert (np.diff(values) > -1e-6).all()
    assert values[0] > fmllr_objective(statistics, IDENTITY) + 10


@pytest.mark.parametrize("frames", [0, 20, 29, 31, 200, 299, 301, 2000])
def test_the_transform_grows_with_the_speech_and_never_harms(frames: int) -> None:
    mixtures = _mixtures()
    x, states = _speech(mixtures, frames)
    statistics = accumulate_fmllr(mixtures, _speaker(x)[0], states)
    transform = estimate_fmllr(statistics, min_occupancy=300)
    gain = fmllr_objective(statistics, transform) - fmllr_objective(statistics, IDENTITY)
    if frames < 30:
        np.testing.assert_array_equal(transform, IDENTITY)
    else:
        assert gain > 0
        assert np.array_equal(transform[:, :DIMS], np.eye(DIMS)) == (frames < 300)


def test_a_prior_of_all_speakers_helps_one_of_few_frames() -> None:
    mixtures = _mixtures()
    prior = accumulate_fmllr(mixtures, *_speech(mixtures, 5000, seed=6))
    unheard = accumulate_fmllr(mixtures, *_speech(mixtures, 5000, seed=7))
    few = accumulate_fmllr(mixtures, *_speech(mixtures, 15, seed=8))
    alone = fmllr_objective(unheard, estimate_fmllr(few, min_occupancy=1))
    held = fmllr_objective(unheard, estimate_fmllr(few + prior.scaled(500), min_occupancy=1))
    assert held > alone + 100
    assert prior.scaled(50).occupancy == 50
    np.testing.assert_allclose((prior.scaled(50) + prior.scaled(4950)).g, prior.g)


def test_a_shift_is_the_best_shift() -> None:
    mixtures = _mixtures()
    x, states = _speech(mixtures, 100)
    statistics = accumulate_fmllr(mixtures, x + np.float32(1.5), states)
    ours = estimate_fmllr(statistics, min_occupancy=300)

    def loss(shift: np.ndarray) -> float:
        return -fmllr_objective(statistics, np.concatenate([np.eye(DIMS), shift[:, None]], axis=1))

    np.testing.assert_allclose(ours[:, DIMS], minimize(loss, np.zeros(DIMS)).x, atol=1e-3)


@pytest.mark.parametrize("jitter", [0.0, 1e-6])
def test_frames_that_determine_no_transform_give_a_shift(jitter: float) -> None:
    mixtures = _mixtures()
    noise = np.random.default_rng(5).normal(0, jitter, (1000, DIMS))
    still = (np.array([1.0, 2.0, 3.0]) + noise).astype(np.float32)
    transform = estimate_fmllr(accumulate_fmllr(mixtures, still, np.ones(1000, np.int32)))
    np.testing.assert_array_equal(transform[:, :DIMS], np.eye(DIMS))
    np.testing.assert_allclose(transform[:, DIMS], mixtures.means[2] - [1, 2, 3], atol=1e-4)


def test_two_features_take_posteriors_from_the_one_and_sums_from_the_other() -> None:
    mixtures = _mixtures()
    x, states = _speech(mixtures, 50)
    spoken = np.concatenate([_speaker(x)[0], x[:, :1]], axis=1)  # may have other dimensions
    occupancy, first, second = np.zeros(8), np.zeros((8, DIMS + 1)), np.zeros((8, DIMS + 1))
    for adapted, summed, state in zip(x, spoken.astype(np.float64), states, strict=True):
        for gaussian, posterior in zip(*_posteriors(mixtures, adapted, state), strict=True):
            occupancy[gaussian] += posterior
            first[gaussian] += posterior * summed
            second[gaussian] += posterior * summed**2
    ours = two_feature_accumulate(mixtures, x, spoken, states)
    np.testing.assert_allclose(ours.occupancy, occupancy, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(ours.first_order, first, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(ours.second_order, second, rtol=1e-4, atol=1e-3)
    assert ours.log_likelihood == accumulate(mixtures, x, states).log_likelihood


def test_the_speaker_independent_model_fits_unadapted_speech() -> None:
    mixtures = _mixtures(spread=8.0)
    x, states = _speech(mixtures, 4000)
    spoken, known = _speaker(x)
    model = update(mixtures, two_feature_accumulate(mixtures, x, spoken, states), np.full(DIMS, 1e-3))
    np.testing.assert_allclose(model.means, mixtures.means @ known[:, :DIMS].T + known[:, DIMS], atol=0.25)
