"""What each stage costs on one core, by pytest-benchmark: `make speed`.

In `make test` every benchmark runs once, as a plain test of its result; no test here judges a time.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.score import count
from bench.stats import bootstrap_by_speaker
from pipelines.e2e.models.conv_recurrent import ConvRecurrent, Shape
from pipelines.features import FeatureSettings, estimate_normalisation, features, raw_features
from pipelines.fst import Arcs, const_fst
from pipelines.hybrid.gmm import Mixtures
from pipelines.ngram import estimate
from pipelines.search import Beam, Search

RATE, SECONDS = 16_000, 10
FRAMES, DIMENSIONS, STATES, GAUSSIANS = 1_000, 39, 120, 1_800


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(1)


def test_hybrid_features(benchmark, draw) -> None:
    samples = draw.normal(0, 0.1, RATE * SECONDS).astype(np.float32)
    settings = FeatureSettings(RATE)
    normalisation = estimate_normalisation([raw_features(samples, settings)], settings)
    found = benchmark(features, samples, settings, normalisation)
    assert found.shape == (pytest.approx(100 * SECONDS, abs=3), DIMENSIONS)
    assert abs(found.mean()) < 0.01


def test_gmm_likelihoods(benchmark, draw) -> None:
    first = np.arange(STATES + 1) * (GAUSSIANS // STATES)
    means = draw.normal(size=(GAUSSIANS, DIMENSIONS))
    weights = np.full(GAUSSIANS, STATES / GAUSSIANS)
    mixtures = Mixtures(weights, means, np.ones((GAUSSIANS, DIMENSIONS)), first)
    found = benchmark(mixtures.log_likelihoods, draw.normal(size=(FRAMES, DIMENSIONS)).astype(np.float32))
    assert found.shape == (FRAMES, STATES)
    assert np.isfinite(found).all()


def test_search(benchmark, draw) -> None:
    """A loop over 500 words of three states each, every frame of every word scored by noise."""
    words, states = 500, 3
    inner = 1 + np.arange(words * states).reshape(words, states)  # state after each label
    source = np.concatenate([np.zeros(words), inner[:, :-1].ravel(), inner.ravel(), inner[:, -1]])
    target = np.concatenate([inner[:, 0], inner[:, 1:].ravel(), inner.ravel(), np.zeros(words)])
    labels = 1 + (np.arange(words * states) % STATES).reshape(words, states)
    ilabel = np.concatenate([labels[:, 0], labels[:, 1:].ravel(), labels.ravel(), np.zeros(words)])
    olabel = np.zeros(len(source))
    olabel[:words] = 1 + np.arange(words)
    final = np.full(1 + words * states, np.inf, np.float32)
    final[0] = 0.0
    columns = [column.astype(np.int32) for column in (source, ilabel, olabel)]
    arcs = Arcs(*columns, np.ones(len(source), np.float32), target.astype(np.int32), final)
    search = Search(const_fst(arcs), Beam(beam=13.0))
    path = benchmark(search.decode, draw.normal(0, 3, (FRAMES, STATES)).astype(np.float32))
    assert len(path.labels) == FRAMES


def test_network(benchmark) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = ConvRecurrent(Shape(tokens=30)).eval()
    frames = torch.randn(1, FRAMES, 80)
    with torch.inference_mode():
        found = benchmark(network, frames, torch.tensor([FRAMES]))
    assert found.shape == (1, FRAMES // 4, 30)


def test_ngram_estimation(benchmark, draw) -> None:
    sentences = [[f"w{word}" for word in draw.zipf(1.5, 12) % 1000] for _ in range(2_000)]
    model = benchmark(estimate, sentences, 3)
    assert model.counts[0] > 100


def test_scoring(benchmark, draw) -> None:
    references = [" ".join(f"w{word}" for word in draw.integers(0, 500, 15)) for _ in range(500)]
    found = benchmark(count, references, references)
    assert sum(counts.errors for counts in found) == 0


def test_bootstrap(benchmark, draw) -> None:
    errors, words = draw.integers(0, 4, 2_000).astype(float), np.full(2_000, 15.0)
    speakers = [str(speaker) for speaker in draw.integers(0, 40, 2_000)]
    found = benchmark(bootstrap_by_speaker, errors, words, speakers, 1)
    assert found.low < found.value < found.high
