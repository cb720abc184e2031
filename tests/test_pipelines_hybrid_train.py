"""Viterbi training climbs; the flat start is hmmlearn's; stages come back from disk as they went."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from spoken import random_tying
from tones import RATE, WORDS, say

from pipelines.features import FeatureSettings, Normaliser, estimate_normalisation, raw_features
from pipelines.hybrid import store
from pipelines.hybrid.align import align
from pipelines.hybrid.flat_start import even_alignment, phone_hmms
from pipelines.hybrid.fmllr import accumulate_fmllr
from pipelines.hybrid.front import FrontEnd
from pipelines.hybrid.model import AcousticModel, Stage
from pipelines.hybrid.segments import retied
from pipelines.hybrid.topology import left_to_right
from pipelines.hybrid.train import Fit, Schedule, Speech, advance, first_model, realigned, stretched, together
from pipelines.hybrid.tying import context_independent
from pipelines.hybrid.word_graph import WordGraph, word_graph

DICTIONARY = {word: (phones,) for word, phones in WORDS.items()}
TOPOLOGY = left_to_right(p for phones in WORDS.values() for p in phones)
TYING = context_independent(TOPOLOGY)
ALWAYS = frozenset(range(100))


@pytest.fixture(scope="module")
def speech() -> Speech:
    draw = np.random.default_rng(7)
    words = [tuple(map(str, draw.choice(sorted(WORDS), int(draw.integers(1, 4))))) for _ in range(15)]
    options = FeatureSettings(RATE)
    raw = [raw_features(say(list(w), seed=i), options) for i, w in enumerate(words)]
    normalisation = estimate_normalisation(raw, options)
    return Speech(tuple(Normaliser(normalisation, 0.0).accept(r) for r in raw), tuple(words))


@pytest.fixture(scope="module")
def start(speech: Speech) -> Fit:
    """The flat start."""
    cut = [
        even_alignment(words, DICTIONARY, TOPOLOGY, len(x))
        for words, x in zip(speech.words, speech.features, strict=True)
    ]
    mixtures, stay = phone_hmms(speech.features, [c for c in cut if c is not None], TOPOLOGY, most=2000)
    return Fit(AcousticModel(TYING, mixtures, stay), tuple(cut))


def _graphs(speech: Speech) -> list[WordGraph]:
    return [word_graph(words, DICTIONARY, TYING) for words in speech.words]


def _trained(fit: Fit, speech: Speech, schedule: Schedule) -> Fit:
    for iteration in range(schedule.iterations):
        fit = advance(fit, speech, _graphs(speech), schedule, iteration)
    return fit


def test_the_alignments_likelihood_climbs(speech: Speech, start: Fit) -> None:
    schedule = Schedule(gaussians=TOPOLOGY.states, iterations=9, aligned=ALWAYS)  # no Gaussians are added
    fit, totals = start, []
    for iteration in range(9):
        found = align(fit.model, _graphs(speech), speech.features)
        totals.append(sum(a.log_likelihood for a in found if a is not None))
        fit = advance(fit, speech, _graphs(speech), schedule, iteration)
    frames = sum(map(len, speech.features))
    assert np.diff(totals).min() / frames > -1e-3  # smoothed transition probabilities may cost a trifle
    assert totals[-1] > totals[0] + frames


def test_the_flat_start_hears_no_more_of_a_phone_than_it_is_told() -> None:
    draw = np.random.default_rng(3)
    cut = even_alignment(["bed"], DICTIONARY, TOPOLOGY, 90)
    assert cut is not None
    features = [draw.normal(level, 2.0, (90, 2)) for level in (0, 4) for _ in range(20)]
    for most, level in ((100, 0), (10_000, 2)):
        mixtures, _ = phone_hmms(features, [cut] * len(features), TOPOLOGY, most)
        assert abs(mixtures.means[np.unique(cut)].mean() - level) < 0.3


def test_growing_mixtures_fit_better(speech: Speech, start: Fit) -> None:
    small = _trained(start, speech, Schedule(TOPOLOGY.states, 8, ALWAYS))
    large = _trained(start, speech, Schedule(4 * TOPOLOGY.states, 8, ALWAYS))
    assert large.model.mixtures.gaussians > small.model.mixtures.gaussians
    assert large.log_likelihood > small.log_likelihood


def test_alignments_stay_between_those_that_are_due(speech: Speech, start: Fit) -> None:
    schedule = Schedule(TOPOLOGY.states, 4, frozenset((2,)))
    graphs, fit, seen = _graphs(speech), start, [start.alignments]
    for iteration in range(4):
        fit = advance(fit, speech, graphs, schedule, iteration)
        seen.append(fit.alignments)
    assert seen[0] is seen[1] is seen[2]
    assert seen[3] is seen[4] is not seen[2]


def test_copies_share_the_alignment(speech: Speech, start: Fit) -> None:
    schedule = Schedule(TOPOLOGY.states, 3, ALWAYS)
    plain = _trained(start, speech, schedule)
    slow = tuple((i, np.repeat(x, 2, axis=0)) for i, x in enumerate(speech.features))
    copied = _trained(start, replace(speech, copies=slow), schedule)
    np.testing.assert_allclose(copied.model.mixtures.means, plain.model.mixtures.means, atol=1e-3)


def test_what_has_no_alignment_teaches_nothing(speech: Speech, start: Fit) -> None:
    holed = replace(start, alignments=(None, *start.alignments[1:]))
    slow = ((0, speech.features[0]), (1, speech.features[1]))
    x, senones = together(replace(speech, copies=slow), holed)
    np.testing.assert_array_equal(x, np.concatenate([*speech.features[1:], speech.features[1]]))
    np.testing.assert_array_equal(
        senones, np.concatenate([a for a in (*start.alignments[1:], start.alignments[1]) if a is not None])
    )


def test_stretched_labels_keep_their_order_and_shares() -> None:
    labels = np.array([3, 3, 4, 7], np.int32)
    np.testing.assert_array_equal(stretched(labels, 8), np.repeat(labels, 2))
    np.testing.assert_array_equal(stretched(labels, 2), [3, 4])
    np.testing.assert_array_equal(stretched(labels, 4), labels)
    assert len(stretched(labels, 0)) == 0


def test_the_seed_decides(speech: Speech, start: Fit) -> None:
    one, same, other = (_trained(start, speech, Schedule(40, 4, ALWAYS, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.model.mixtures.means, same.model.mixtures.means)
    assert not np.array_equal(one.model.mixtures.means, other.model.mixtures.means)


def test_the_first_model_of_new_states_is_that_of_their_frames(speech: Speech, start: Fit) -> None:
    fit = realigned(start, speech, _graphs(speech))
    tying = random_tying(TOPOLOGY, seed=3)
    alignments = [None if a is None else retied(a, TYING, tying) for a in fit.alignments]
    model = first_model(tying, speech, alignments, fit.model)
    frames = np.concatenate(speech.features).astype(np.float64)
    senones = tying.label_senone[np.concatenate([a for a in alignments if a is not None])]
    for senone in np.unique(senones):
        mine = frames[senones == senone]
        np.testing.assert_allclose(model.mixtures.means[senone], mine.mean(axis=0), atol=1e-3)
    own = TYING.label(
        *(np.zeros(tying.labels, int), tying.label_phone, np.zeros(tying.labels, int)), tying.label_position
    )
    np.testing.assert_allclose(model.self_loops, fit.model.self_loops[own])


def test_even_cuts_need_a_frame_for_each_state() -> None:
    states = 3 * (2 + len(WORDS["bed"]))
    cut = even_alignment(["bed"], DICTIONARY, TOPOLOGY, 2 * states)
    assert cut is not None
    assert (np.bincount(cut)[[0, 1, 2]] == 4).all()  # silence at both ends
    assert even_alignment(["bed"], DICTIONARY, TOPOLOGY, states - 1) is None


def test_stages_survive_the_disk(speech: Speech, start: Fit, tmp_path: Path) -> None:
    """A model with all that a model may have."""
    tying = random_tying(TOPOLOGY, seed=3)
    alignments = tuple(None if a is None else retied(a, TYING, tying) for a in start.alignments)
    plain = first_model(tying, speech, alignments, start.model)
    labels = alignments[1]
    assert labels is not None
    everyone = accumulate_fmllr(plain.mixtures, speech.features[1], tying.label_senone[labels])
    draw = np.random.default_rng(1)
    model = replace(plain, front=FrontEnd(draw.normal(size=(40, 92)), 13, 3), everyone=everyone)
    transforms = {"zoe": draw.normal(size=(40, 41)), "abe": draw.normal(size=(40, 41))}
    stage = Stage("sat", model, (None, *alignments[1:]), -1.5, transforms)
    store.save_stage(tmp_path / "stage.npz", stage, "key")
    back = store.load_stage(tmp_path / "stage.npz", "key")
    assert back is not None
    assert (back.name, back.log_likelihood, back.alignments[0]) == ("sat", -1.5, None)
    for ours, theirs in zip(back.alignments[1:], alignments[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert back.transforms.keys() == transforms.keys()
    for speaker, transform in transforms.items():
        np.testing.assert_array_equal(back.transforms[speaker], transform)
    _assert_same(back.model, model)
    store.save_acoustic(tmp_path / "acoustic.npz", model)
    _assert_same(store.load_acoustic(tmp_path / "acoustic.npz"), model)
    assert store.load_stage(tmp_path / "stage.npz", "another key") is None
    assert store.load_stage(tmp_path / "nowhere.npz", "key") is None
    (tmp_path / "stage.npz").write_bytes(b"PK\x03\x04 cut short")
    assert store.load_stage(tmp_path / "stage.npz", "key") is None


def _assert_same(ours: AcousticModel, theirs: AcousticModel) -> None:
    for name in ("weights", "means", "variances", "first"):
        np.testing.assert_array_equal(getattr(ours.mixtures, name), getattr(theirs.mixtures, name))
    np.testing.assert_array_equal(ours.self_loops, theirs.self_loops)
    assert ours.tying.topology == theirs.tying.topology
    np.testing.assert_array_equal(ours.tying.label_senone, theirs.tying.label_senone)
    assert (ours.front.statics, ours.front.context) == (theirs.front.statics, theirs.front.context)
    np.testing.assert_array_equal(ours.front.matrix, theirs.front.matrix)
    assert ours.everyone is not None
    assert theirs.everyone is not None
    assert ours.everyone.occupancy == theirs.everyone.occupancy
    np.testing.assert_array_equal(ours.everyone.k, theirs.everyone.k)
    np.testing.assert_array_equal(ours.everyone.g, theirs.everyone.g)
