"""What each generation must be: its mixtures fit its own features, and adaptation undoes accents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np
import pytest
from accents import DICTIONARY, World

from pipelines.features import Features
from pipelines.fst import const_fst
from pipelines.grammar import WordTable, grammar_graph
from pipelines.hybrid import generations
from pipelines.hybrid.adapt import Adaptation, Recogniser
from pipelines.hybrid.front import FrontEnd
from pipelines.hybrid.generations import (
    Lessons,
    adapted,
    monophones,
    projected_triphones,
    speaker_adapted,
    speaker_transforms,
    triphones,
)
from pipelines.hybrid.gmm import Mixtures, States
from pipelines.hybrid.graph import decoding_graph
from pipelines.hybrid.model import AcousticModel, Stage
from pipelines.hybrid.settings import TrainSettings
from pipelines.hybrid.train import Speech
from pipelines.hybrid.transforms import apply
from pipelines.search import Beam, Search

SETTINGS = TrainSettings(
    generation="sat",
    gaussians=40,
    iterations=8,
    members=1,
    leaves=60,
    min_gain=100.0,
    min_occupancy=30.0,
    tri_gaussians=80,
    mllt_gaussians=80,
    sat_gaussians=80,
    voices=0,
    tri_iterations=18,
    silence_states=3,
    jobs=1,
)
WORLD = World()
WORDS = WordTable(tuple(sorted(DICTIONARY)))
Climb = list[tuple[str, int, float]]


def _silent(share: float, note: str) -> None:
    assert 0.0 <= share <= 1.0


@pytest.fixture(scope="module")
def lessons() -> Lessons:
    return WORLD.lessons()


@pytest.fixture(scope="module")
def climb() -> Climb:
    """(generation, Gaussians, log-likelihood per frame) of each iteration, filled by `stages`."""
    return []


@pytest.fixture(scope="module")
def stages(lessons: Lessons, climb: Climb) -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    plain, under_way = generations.advance, "mono"

    def noted(*arguments):
        fit = plain(*arguments)
        climb.append((under_way, fit.model.mixtures.gaussians, fit.log_likelihood))
        return fit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generations, "advance", noted)
        found["mono"] = monophones(lessons, SETTINGS, _silent)
        under_way = "tri"
        found["tri"] = triphones(found["mono"], lessons, SETTINGS, _silent)
        under_way = "mllt"
        found["mllt"] = projected_triphones(found["tri"], lessons, SETTINGS, _silent)
        under_way = "sat"
        found["sat"], found["si"] = speaker_adapted(found["mllt"], lessons, SETTINGS, _silent)
    return found


@pytest.mark.parametrize("name", ["mono", "tri", "sat"])
def test_the_likelihood_of_a_frame_rises(stages: dict[str, Stage], climb: Climb, name: str) -> None:
    """In those whose features stay in one space; new Gaussians may cost a trifle before they fit."""
    likelihoods = [likelihood for generation, _, likelihood in climb if generation == name]
    assert len(likelihoods) == (SETTINGS.iterations if name == "mono" else SETTINGS.tri_iterations)
    assert np.diff(likelihoods).min() > -0.1
    assert likelihoods[-1] > likelihoods[0] + 0.5


def test_gaussians_are_as_many_as_asked_for(stages: dict[str, Stage]) -> None:
    counts = {name: stage.model.mixtures.gaussians for name, stage in stages.items()}
    assert counts["mono"] <= 40
    assert all(60 <= counts[name] <= 80 for name in ("tri", "mllt", "sat", "si"))


def test_context_explains_more_than_as_many_gaussians() -> None:
    """Of speakers without accents, whose phones sound as their neighbours have it."""
    lessons = World(accent=0.0).lessons(1, 60)
    large = monophones(lessons, replace(SETTINGS, gaussians=60, iterations=18), _silent)
    tri = triphones(large, lessons, replace(SETTINGS, tri_gaussians=60), _silent)
    features = lessons.speech.features
    assert tri.model.tying.width == 3
    assert tri.model.mixtures.gaussians <= large.model.mixtures.gaussians
    assert _per_frame(tri, features) > _per_frame(large, features) + 0.2


def _per_frame(stage: Stage, features: Sequence[Features]) -> float:
    """Log-likelihood of the stage's own labels."""
    scores = [
        stage.model.log_likelihoods(x)[np.arange(len(x)), labels]
        for x, labels in zip(features, stage.alignments, strict=True)
        if labels is not None
    ]
    return float(np.concatenate(scores).mean())


def _heard(stage: Stage, lessons: Lessons) -> Speech:
    """The training speech as the stage's mixtures should hear it."""
    plain = lessons.speech.mapped(lambda x, _: stage.model.front.whole(x))
    return adapted(plain, stage.transforms)


@pytest.mark.parametrize("name", ["mono", "tri", "mllt", "si"])
def test_mixtures_are_those_of_the_features_that_the_front_end_makes(
    lessons: Lessons, stages: dict[str, Stage], name: str
) -> None:
    """After an estimation the mean of each mixture is the mean of the frames aligned to it."""
    stage = stages[name]
    assert stage.transforms == {}
    assert _distance(stage, _heard(stage, lessons)) < 1e-2


def _distance(stage: Stage, speech: Speech) -> float:
    """Between the mixtures' means and those of the frames, at most, of senones heard often enough."""
    mixtures, tying = stage.model.mixtures, stage.model.tying
    x = np.concatenate([x for x, a in zip(speech.features, stage.alignments, strict=True) if a is not None])
    senones = tying.label_senone[np.concatenate([a for a in stage.alignments if a is not None])]
    worst = 0.0
    for senone in np.flatnonzero(np.bincount(senones) > 20):
        mine = slice(mixtures.first[senone], mixtures.first[senone + 1])
        mean = mixtures.weights[mine] @ mixtures.means[mine]
        worst = max(worst, float(np.abs(mean - x[senones == senone].mean(axis=0)).max()))
    return worst


def test_the_projection_is_lda_turned_by_every_mllt(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = WORLD.lessons(4, 15)
    mono = monophones(lessons, replace(SETTINGS, iterations=3), _silent)
    projections, lda, mllt = [], generations.estimate_lda, generations.estimate_mllt

    def projected(*arguments):
        projections.append(lda(*arguments))
        return projections[0]

    def turned(mixtures: Mixtures, x: Features, senones: States):
        """What it gets must be the speech as the projection so far makes it."""
        front = FrontEnd(projections[-1])
        heard = np.concatenate([front.whole(features) for features in lessons.speech.features])
        np.testing.assert_allclose(x, heard, atol=1e-3)
        turn = mllt(mixtures, x, senones)
        projections.append(turn @ projections[-1])
        return turn

    monkeypatch.setattr(generations, "estimate_lda", projected)
    monkeypatch.setattr(generations, "estimate_mllt", turned)
    stage = projected_triphones(mono, lessons, SETTINGS, _silent)
    assert len(projections) == 5
    assert not np.allclose(projections[0], projections[-1], atol=0.01)
    assert stage.model.front.matrix is not None
    assert stage.model.front.matrix.shape == (40, 13 * 7 + 1)
    np.testing.assert_allclose(stage.model.front.matrix, projections[-1])


def test_the_adapted_models_see_what_mllt_saw(stages: dict[str, Stage]) -> None:
    for name in ("si", "sat"):
        np.testing.assert_array_equal(stages[name].model.front.matrix, stages["mllt"].model.front.matrix)
    assert stages["tri"].model.front.matrix is None


def test_the_adapted_model_is_of_adapted_speech(lessons: Lessons, stages: dict[str, Stage]) -> None:
    """Its last alignment came after its last estimation, so that its means are nearly those of the frames."""
    sat = stages["sat"]
    assert set(sat.transforms) == set(lessons.speech.speakers)
    heard = _heard(sat, lessons)
    plain = lessons.speech.mapped(lambda x, _: sat.model.front.whole(x))
    assert _distance(sat, heard) < 0.2 * _distance(sat, plain)
    zoom = np.concatenate(
        [
            np.full(len(x), np.linalg.slogdet(sat.transforms[speaker][:, :-1])[1])
            for x, speaker in zip(heard.features, heard.speakers, strict=True)
        ]
    ).mean()
    assert _per_frame(sat, heard.features) + zoom > _per_frame(stages["si"], plain.features) + 1.0


def test_both_models_of_the_last_stage_share_their_states(stages: dict[str, Stage]) -> None:
    sat, si = stages["sat"].model, stages["si"].model
    assert sat.tying is si.tying
    np.testing.assert_array_equal(sat.mixtures.first, si.mixtures.first)
    np.testing.assert_array_equal(sat.self_loops, si.self_loops)
    assert sat.mixtures.variances.mean() < si.mixtures.variances.mean()  # accents are not in it


def test_every_stage_knows_its_likelihood(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        assert np.isfinite(stage.log_likelihood)


def test_a_speaker_without_alignment_is_heard_as_is(lessons: Lessons, stages: dict[str, Stage]) -> None:
    model = stages["sat"].model
    plain = lessons.speech.mapped(lambda x, _: model.front.whole(x))
    silent = plain.speakers[0]
    alignments = tuple(
        None if speaker == silent else labels
        for speaker, labels in zip(plain.speakers, stages["sat"].alignments, strict=True)
    )
    transforms = speaker_transforms(model, plain, alignments)
    assert set(transforms) == set(plain.speakers) - {silent}
    for x, y, speaker in zip(
        plain.features, adapted(plain, transforms).features, plain.speakers, strict=True
    ):
        assert (x is y) == (speaker == silent)


@pytest.fixture(scope="module")
def search(stages: dict[str, Stage], tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Any word after any other."""
    words = "".join(f"-0.7\t{word}\n" for word in (*DICTIONARY, "</s>"))
    arpa: Path = tmp_path_factory.mktemp("lm") / "lm.arpa"
    arpa.write_text(f"\\data\\\nngram 1=6\n\n\\1-grams:\n-99\t<s>\n{words}\n\\end\\\n")
    model = stages["sat"].model
    graph = decoding_graph(grammar_graph(arpa, WORDS), WORDS, DICTIONARY, model.tying, model.self_loops)
    return Search(const_fst(graph), Beam(beam=15.0))


def _recogniser(model: AcousticModel, search: Search) -> Recogniser:
    return Recogniser(model, search, 5.0)


def _wer(recogniser: Recogniser, features: Sequence[Features], speech: Speech) -> float:
    heard = [WORDS.text(recogniser.path(x).words) for x in features]
    return float(jiwer.wer([" ".join(words) for words in speech.words], heard))


def test_adaptation_hears_strangers_with_accents(stages: dict[str, Stage], search: Search) -> None:
    """Speakers whom the training never heard, each twice as far from the others as its own."""
    speech = World(accent=2.0).speech(range(20, 24), 15, seed=5)
    features = [stages["si"].model.front.whole(x) for x in speech.features]
    si, sat = (_recogniser(stages[name].model, search) for name in ("si", "sat"))
    adaptation = Adaptation(si, sat, sat.model)
    turned = adaptation.adapted(features, speech.speakers)
    unadapted, second = _wer(si, features, speech), _wer(sat, turned, speech)
    assert unadapted > 0.05  # otherwise these speakers are too easy
    assert second < 0.3 * unadapted


def test_transforms_undo_the_accent(stages: dict[str, Stage], search: Search) -> None:
    """Adapted, two strangers who say the same are nearer to each other than before."""
    model = stages["sat"].model
    features = {}
    for speaker in (30, 31):  # the same seed: the same words and noise
        said = WORLD.speech(range(speaker, speaker + 1), 15, seed=9)
        features[speaker] = [model.front.whole(x) for x in said.features]
    si, sat = (_recogniser(stages[name].model, search) for name in ("si", "sat"))
    adaptation = Adaptation(si, sat, model)
    turned = {}
    for speaker, mine in features.items():
        transform = adaptation.transform(mine)
        turned[speaker] = [apply(transform, x) for x in mine]
    before, after = (np.abs(np.concatenate(f[30]) - np.concatenate(f[31])).mean() for f in (features, turned))
    assert after < 0.6 * before


def test_members_are_pooled_on_the_same_alignments(lessons: Lessons, stages: dict[str, Stage]) -> None:
    pooled = triphones(stages["mono"], lessons, replace(SETTINGS, members=3), _silent)
    one = stages["tri"]
    assert pooled.model.mixtures.gaussians > 2 * one.model.mixtures.gaussians
    for ours, theirs in zip(pooled.alignments, one.alignments, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert _distance(pooled, lessons.speech) < 1e-2
    totals = np.add.reduceat(pooled.model.mixtures.weights, pooled.model.mixtures.first[:-1])
    np.testing.assert_allclose(totals, 1.0)
    fresh = WORLD.speech(range(16), 2, seed=77)  # the mean of several densities is the better guess
    assert np.mean([_best(pooled, x) for x in fresh.features]) > np.mean(
        [_best(one, x) for x in fresh.features]
    )


def _best(stage: Stage, x: Features) -> float:
    return float(stage.model.log_likelihoods(x).max(axis=1).mean())


def test_utterances_too_short_are_left_out_and_the_rest_is_learnt() -> None:
    whole = WORLD.lessons(4, 15)
    first, *rest = whole.speech.features
    lessons = replace(whole, speech=replace(whole.speech, features=(first[:5], *rest)))
    small = replace(SETTINGS, iterations=2, tri_iterations=3)
    mono = monophones(lessons, small, _silent)
    tri = triphones(mono, lessons, small, _silent)
    mllt = projected_triphones(tri, lessons, small, _silent)
    sat, si = speaker_adapted(mllt, lessons, small, _silent)
    for stage in (mono, tri, mllt, sat, si):
        assert [i for i, labels in enumerate(stage.alignments) if labels is None] == [0]
        assert np.isfinite(stage.model.mixtures.means).all()
