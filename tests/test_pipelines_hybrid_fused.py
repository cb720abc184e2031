"""Mixtures beside a network: the same sums for a whole utterance and for chunks of any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.hybrid.fused import Fused
from pipelines.hybrid.gmm import Mixtures
from pipelines.hybrid.network import Network
from pipelines.hybrid.network_layers import LstmSizes, Sizes, TdnnSizes

D, S = 6, 5
SMALL: dict[str, Sizes] = {"tdnn": TdnnSizes(12, 4, (1, 3)), "lstm": LstmSizes(8, 7, 6, 1, 3, 4)}


def _fused(kind: str) -> Fused:
    """Everything random, so that no part is too small to be missed."""
    torch.manual_seed(2)
    draw = np.random.default_rng(2)
    stack = SMALL[kind].build(D, S, 0.0).eval()
    for tensor in stack.state_dict().values():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(0, 0.5)
    prior = np.log(draw.dirichlet(np.ones(S))).astype(np.float32)
    mean, scale = draw.normal(0, 1, D).astype(np.float32), draw.uniform(0.5, 2, D).astype(np.float32)
    first = np.array([0, 1, 3, 4, 6, 7])
    mixtures = Mixtures(
        np.array([1.0, 0.3, 0.7, 1.0, 0.5, 0.5, 1.0]),
        draw.normal(0, 2, (7, D)),
        draw.uniform(0.5, 2, (7, D)),
        first,
    )
    return Fused(Network(kind, SMALL[kind], stack, mean, scale, prior), mixtures, share=0.5)


def _features(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).normal(0, 2, (frames, D)).astype(np.float32)


def _by_hand(fused: Fused, x: np.ndarray) -> np.ndarray:
    """The network's scores, and half of each senone's log density, Gaussian by Gaussian."""
    mixtures, found = fused.mixtures, fused.network.log_likelihoods(x).astype(np.float64)
    for senone in range(S):
        density = 0.0
        for g in range(mixtures.first[senone], mixtures.first[senone + 1]):
            spread = mixtures.variances[g]
            exponent = -0.5 * (((x - mixtures.means[g]) ** 2) / spread).sum(axis=1)
            density += mixtures.weights[g] * np.exp(exponent) / np.sqrt(np.prod(2 * np.pi * spread))
        found[:, senone] += 0.5 * np.log(density)
    return found


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("frames", [1, 4, 50])
def test_scores_are_the_networks_and_half_of_the_mixtures(kind: str, frames: int) -> None:
    fused, x = _fused(kind), _features(frames)
    found = fused.log_likelihoods(x)
    assert found.shape == (frames, fused.senones)
    np.testing.assert_allclose(found, _by_hand(fused, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("frames", [0, 1, 4, 50])
@pytest.mark.parametrize("size", [1, 4, 16, 64])
def test_chunks_come_to_the_whole(kind: str, frames: int, size: int) -> None:
    """And a frame comes out as soon as the network has it, not before."""
    fused, x = _fused(kind), _features(frames)
    stream = fused.open_stream()
    parts = [stream.accept(x[:0])]
    for begin in range(0, frames, size):
        parts.append(stream.accept(x[begin : begin + size]))
        assert sum(map(len, parts)) == max(0, min(begin + size, frames) - fused.right)
    parts.append(stream.finish())
    np.testing.assert_allclose(np.concatenate(parts), fused.log_likelihoods(x), rtol=1e-4, atol=1e-4)


def test_streams_do_not_hear_each_other() -> None:
    fused, x, y = _fused("tdnn"), _features(30), _features(31)
    one, other = fused.open_stream(), fused.open_stream()
    mixed = []
    for begin in range(0, 30, 5):
        mixed.append(one.accept(x[begin : begin + 5]))
        other.accept(y[begin : begin + 5])
    mixed.append(one.finish())
    np.testing.assert_allclose(np.concatenate(mixed), fused.log_likelihoods(x), rtol=1e-4, atol=1e-4)
