"""Splicing, LDA against its definition, MLLT against numerical optimisation and a known rotation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from data.errors import InputError
from pipelines.hybrid.gmm import Mixtures
from pipelines.hybrid.transforms import (
    SpliceStream,
    apply,
    estimate_lda,
    estimate_mllt,
    maximise_mllt,
    mllt_covariances,
    mllt_objective,
    rotated,
    splice,
)


def _rotation(dims: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dims, dims)))[0]


def _mixtures(sizes: list[int], dims: int, seed: int = 0) -> Mixtures:
    draw = np.random.default_rng(seed)
    weights = np.concatenate([draw.dirichlet(np.full(n, 5.0)) for n in sizes])
    shape = (sum(sizes), dims)
    first = np.concatenate([[0], np.cumsum(sizes)])
    return Mixtures(weights, draw.normal(0, 4, shape), draw.uniform(0.1, 2, shape), first)


def _draw(mixtures: Mixtures, frames: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Frames (frames, D) drawn from the mixtures, and the state of each."""
    draw = np.random.default_rng(seed)
    gaussians = draw.integers(0, mixtures.gaussians, frames)
    noise = draw.normal(size=(frames, mixtures.means.shape[1]))
    x = mixtures.means[gaussians] + np.sqrt(mixtures.variances[gaussians]) * noise
    return x.astype(np.float32), (np.searchsorted(mixtures.first, gaussians, "right") - 1).astype(np.int32)


def test_splice_repeats_the_edges_and_puts_the_oldest_first() -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    expected = [[0, 1, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 4, 5]]
    np.testing.assert_array_equal(splice(x, 1), expected)
    assert splice(x[:0], 3).shape == (0, 14)


@given(st.integers(0, 4), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_a_stream_splices_as_the_whole(context: int, chunks: list[int]) -> None:
    x = np.random.default_rng(0).normal(size=(sum(chunks), 3)).astype(np.float32)
    stream = SpliceStream(context)
    parts = [stream.accept(part) for part in np.split(x, np.cumsum(chunks)[:-1])]
    last = stream.finish()
    whole = np.concatenate([*parts, last]) if len(x) else parts[0]
    np.testing.assert_array_equal(whole, splice(x, context))
    assert len(last) == min(context, len(x))  # no frame is held longer than the context asks for


def test_lda_whitens_the_classes_and_orders_by_separation() -> None:
    draw = np.random.default_rng(3)
    classes = draw.integers(0, 6, 5000).astype(np.int32)
    means, mixing = draw.normal(0, 2, (6, 8)), draw.normal(size=(8, 8))
    x = ((means[classes] + draw.normal(size=(5000, 8))) @ mixing + 5).astype(np.float32)
    y = apply(estimate_lda(x, classes, 4), x).astype(np.float64)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-4)
    own = np.stack([y[classes == c].mean(axis=0) for c in range(6)])[classes]
    np.testing.assert_allclose((y - own).T @ (y - own) / len(y), np.eye(4), atol=1e-3)
    between = own.T @ own / len(y)
    assert (np.diff(np.diag(between)) < 0).all()
    np.testing.assert_allclose(between, np.diag(np.diag(between)), atol=1e-3)


def test_lda_keeps_more_dimensions_than_classes_and_bears_a_constant_column() -> None:
    draw = np.random.default_rng(4)
    classes = draw.integers(0, 2, 400).astype(np.int32)
    x = draw.normal(size=(400, 5)).astype(np.float32) + 3 * classes[:, None].astype(np.float32)
    x[:, 2] = 1.0
    matrix = estimate_lda(x, classes, 4)
    y = apply(matrix, x)
    assert matrix.shape == (4, 6)
    assert np.isfinite(matrix).all()
    assert y[classes == 0, 0].max() < y[classes == 1, 0].min() or (
        y[classes == 1, 0].max() < y[classes == 0, 0].min()
    )


def test_lda_is_the_same_for_the_same_seed_and_says_what_it_cannot_do() -> None:
    draw = np.random.default_rng(5)
    x, classes = draw.normal(size=(500, 4)).astype(np.float32), draw.integers(0, 3, 500).astype(np.int32)
    parts = [estimate_lda(x, classes, 2, most_frames=100, seed=s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(parts[0], parts[1])
    assert not np.allclose(parts[0], parts[2])
    with pytest.raises(InputError, match="of 4"):
        estimate_lda(x, classes, 5)
    with pytest.raises(InputError, match="two classes"):
        estimate_lda(x, np.zeros_like(classes), 2)


def test_a_frame_is_transformed_alike_in_any_chunk() -> None:
    draw = np.random.default_rng(6)
    x, matrix = draw.normal(size=(9000, 91)).astype(np.float32), draw.normal(size=(40, 92))
    whole = apply(matrix, x)
    np.testing.assert_allclose(whole, x @ matrix[:, :-1].T + matrix[:, -1], rtol=1e-3, atol=1e-3)
    single = np.concatenate([apply(matrix, frame[None]) for frame in x[:50]])
    np.testing.assert_allclose(single, whole[:50], rtol=3e-7, atol=1e-6)
    np.testing.assert_array_equal(apply(matrix[:, :-1], x[:0]), np.zeros((0, 40)))
    np.testing.assert_allclose(apply(matrix[:, :-1], x[:3]) + matrix[:, -1], whole[:3], atol=1e-4)


def test_mllt_of_an_affine_transform_composes() -> None:
    draw = np.random.default_rng(7)
    x, lda, a = (
        draw.normal(size=(5, 6)).astype(np.float32),
        draw.normal(size=(3, 7)),
        draw.normal(size=(3, 3)),
    )
    np.testing.assert_allclose(apply(a @ lda, x), apply(a, apply(lda, x)), atol=1e-4)


def test_mllt_covariances_are_those_of_loops() -> None:
    mixtures = _mixtures([2, 3], 3)
    x, states = _draw(mixtures, 60)
    occupancy, covariances = mllt_covariances(mixtures, x, states)
    scatter, frames = np.zeros((5, 3, 3)), np.zeros(5)
    for frame, state in zip(x.astype(np.float64), states, strict=True):
        mine = range(mixtures.first[state], mixtures.first[state + 1])
        densities = np.array(
            [
                mixtures.weights[g]
                * multivariate_normal.pdf(frame, mixtures.means[g], np.diag(mixtures.variances[g]))
                for g in mine
            ]
        )
        for g, posterior in zip(mine, densities / densities.sum(), strict=True):
            frames[g] += posterior
            scatter[g] += posterior * np.outer(frame - mixtures.means[g], frame - mixtures.means[g])
    np.testing.assert_allclose(occupancy, frames, rtol=1e-4, atol=1e-4)
    drawn = (scatter + 3 * scatter.sum(axis=0) / 60) / (frames + 3)[:, None, None]
    np.testing.assert_allclose(covariances, drawn, rtol=1e-3, atol=1e-4)


def _covariances(gaussians: int, dims: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    factors = draw.normal(size=(gaussians, dims, dims + 2))
    return draw.uniform(5, 50, gaussians), factors @ factors.swapaxes(1, 2) / dims


def test_every_iteration_of_mllt_raises_its_objective() -> None:
    occupancy, covariances = _covariances(12, 5, 8)
    values = [
        mllt_objective(maximise_mllt(occupancy, covariances, n), occupancy, covariances) for n in range(8)
    ]
    assert (np.diff(values) > -1e-9 * abs(values[0])).all()
    assert values[-1] > values[0] + 1


def test_mllt_reaches_what_a_numerical_optimiser_finds() -> None:
    occupancy, covariances = _covariances(6, 3, 9)
    found = minimize(
        lambda a: -mllt_objective(a.reshape(3, 3), occupancy, covariances), np.eye(3).ravel(), method="BFGS"
    )
    ours = mllt_objective(maximise_mllt(occupancy, covariances, 100), occupancy, covariances)
    assert ours == pytest.approx(-found.fun, abs=1e-3)


def test_mllt_undoes_a_known_rotation() -> None:
    plain = _mixtures([2, 1, 2, 3], 5, seed=10)
    x, states = _draw(plain, 20_000)
    rotation = _rotation(5, 11)
    means = plain.means @ rotation.T
    variances = plain.variances @ (rotation**2).T
    turned = Mixtures(plain.weights, means, variances, plain.first)
    a = estimate_mllt(turned, (x @ rotation.T).astype(np.float32), states, iterations=30)
    product = a @ rotation
    product = np.abs(product) / np.linalg.norm(product, axis=1, keepdims=True)
    assert sorted(product.argmax(axis=1)) == list(range(5))  # a permutation
    assert product.max(axis=1).min() > 0.99


def test_few_frames_for_a_gaussian_do_not_break_mllt() -> None:
    mixtures = _mixtures([4, 4], 6)
    x, states = _draw(mixtures, 30)
    a = estimate_mllt(mixtures, x, states)
    assert np.isfinite(a).all()
    assert np.linalg.cond(a) < 100


def test_rotated_mixtures_are_the_gaussians_of_rotated_frames() -> None:
    mixtures, a = _mixtures([1, 2], 4), _rotation(4, 12)
    moved = rotated(mixtures, a)
    for g in range(3):
        np.testing.assert_allclose(moved.means[g], a @ mixtures.means[g])
        np.testing.assert_allclose(
            moved.variances[g], np.diag(a @ np.diag(mixtures.variances[g]) @ a.T), rtol=1e-12
        )
