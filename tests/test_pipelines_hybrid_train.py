"""Viterbi training climbs; the flat start is hmmlearn's; stages come back from disk as they went."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tones import RATE, WORDS, say

from pipelines.features import FeatureSettings, Normaliser, estimate_normalisation, raw_features
from pipelines.hybrid import store
from pipelines.hybrid.align import align, word_graph
from pipelines.hybrid.flat_start import even_alignment
from pipelines.hybrid.model import Stage
from pipelines.hybrid.topology import left_to_right
from pipelines.hybrid.train import Schedule, Speech, advance, flat_start, run_stages

DICTIONARY = {word: (phones,) for word, phones in WORDS.items()}
TOPOLOGY = left_to_right(p for phones in WORDS.values() for p in phones)


@pytest.fixture(scope="module")
def speech() -> Speech:
    draw = np.random.default_rng(7)
    words = [tuple(map(str, draw.choice(sorted(WORDS), int(draw.integers(1, 4))))) for _ in range(15)]
    options = FeatureSettings(RATE)
    raw = [raw_features(say(list(w), seed=i), options) for i, w in enumerate(words)]
    normalisation = estimate_normalisation(raw, options)
    return Speech(tuple(Normaliser(normalisation, 0.0).accept(r) for r in raw), tuple(words))


def test_the_alignments_likelihood_climbs(speech: Speech) -> None:
    stage = flat_start(speech, DICTIONARY, TOPOLOGY)
    graphs = [word_graph(words, DICTIONARY, TOPOLOGY) for words in speech.words]
    schedule = Schedule(gaussians=TOPOLOGY.states, iterations=9)  # none are added
    totals = []
    for iteration in range(9):
        model = stage.model
        found = align(model.mixtures, model.self_loops, graphs, speech.features)
        totals.append(sum(a.log_likelihood for a in found if a is not None))
        stage = advance(stage, speech, graphs, schedule, iteration)
    frames = sum(map(len, speech.features))
    assert np.diff(totals).min() / frames > -1e-3  # smoothed transition probabilities may cost a trifle
    assert totals[-1] > totals[0] + frames


def test_growing_mixtures_fit_better(speech: Speech) -> None:
    start = flat_start(speech, DICTIONARY, TOPOLOGY)
    small = run_stages(start, speech, DICTIONARY, Schedule(TOPOLOGY.states, 8), lambda stage: None)
    large = run_stages(start, speech, DICTIONARY, Schedule(4 * TOPOLOGY.states, 8), lambda stage: None)
    assert large.model.mixtures.gaussians > small.model.mixtures.gaussians
    assert large.log_likelihood > small.log_likelihood


def test_copies_share_the_alignment(speech: Speech) -> None:
    start = flat_start(speech, DICTIONARY, TOPOLOGY)
    plain = run_stages(start, speech, DICTIONARY, Schedule(TOPOLOGY.states, 3), lambda stage: None)
    slow = tuple((i, np.repeat(x, 2, axis=0)) for i, x in enumerate(speech.features))
    copied = run_stages(
        start, replace(speech, copies=slow), DICTIONARY, Schedule(TOPOLOGY.states, 3), lambda stage: None
    )
    np.testing.assert_allclose(copied.model.mixtures.means, plain.model.mixtures.means, atol=1e-3)


def test_the_seed_decides(speech: Speech) -> None:
    start = flat_start(speech, DICTIONARY, TOPOLOGY)
    one, same, other = (
        run_stages(start, speech, DICTIONARY, Schedule(40, 4, seed), lambda stage: None) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.model.mixtures.means, same.model.mixtures.means)
    assert not np.array_equal(one.model.mixtures.means, other.model.mixtures.means)


def test_even_cuts_need_a_frame_for_each_state() -> None:
    states = 3 * (2 + len(WORDS["bed"]))
    cut = even_alignment(["bed"], DICTIONARY, TOPOLOGY, 2 * states)
    assert cut is not None
    assert (np.bincount(cut)[[0, 1, 2]] == 4).all()  # silence at both ends
    assert even_alignment(["bed"], DICTIONARY, TOPOLOGY, states - 1) is None


def test_stages_survive_the_disk(speech: Speech, tmp_path: Path) -> None:
    start = flat_start(speech, DICTIONARY, TOPOLOGY)
    holed = Stage(3, start.model, (None, *start.alignments[1:]), -1.5)
    store.save_stage(tmp_path / "stage.npz", holed, "key")
    back = store.load_stage(tmp_path / "stage.npz", "key")
    assert back is not None
    assert (back.iteration, back.log_likelihood, back.alignments[0]) == (3, -1.5, None)
    np.testing.assert_array_equal(back.alignments[1], start.alignments[1])
    np.testing.assert_array_equal(back.model.mixtures.means, start.model.mixtures.means)
    assert back.model.topology == TOPOLOGY
    assert store.load_stage(tmp_path / "stage.npz", "another key") is None
    (tmp_path / "stage.npz").write_bytes(b"PK\x03\x04 cut short")
    assert store.load_stage(tmp_path / "stage.npz", "key") is None
