"""Other voices: what comes out must be what the other speaker would have said, and help with strangers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from accents import World

from pipelines.hybrid.generations import (
    Lessons,
    monophones,
    projected_triphones,
    speaker_adapted,
    triphones,
)
from pipelines.hybrid.gmm import Doubles, Mixtures, accumulate
from pipelines.hybrid.model import Stage
from pipelines.hybrid.settings import TrainSettings
from pipelines.hybrid.train import Speech
from pipelines.hybrid.transforms import apply
from pipelines.hybrid.voices import in_other_voices, inverse

DIMS = 3
SETTINGS = TrainSettings(
    gaussians=40,
    iterations=5,
    members=1,
    leaves=60,
    min_gain=100.0,
    min_occupancy=30.0,
    tri_gaussians=80,
    mllt_gaussians=80,
    sat_gaussians=160,
    tri_iterations=10,
    silence_states=3,
    jobs=1,
)


def _transforms(count: int) -> dict[str, Doubles]:
    draw = np.random.default_rng(3)
    return {f"s{i}": np.eye(DIMS, DIMS + 1) + draw.normal(0, 0.3, (DIMS, DIMS + 1)) for i in range(count)}


def _utterances(count: int, copies: int = 0) -> Speech:
    draw = np.random.default_rng(4)
    x = [draw.normal(size=(5 + i, DIMS)).astype(np.float32) for i in range(count + copies)]
    speakers = tuple(f"s{i % 3}" for i in range(count))
    return Speech(tuple(x[:count]), ((),) * count, tuple(enumerate(x[count:])), speakers)


def test_the_inverse_undoes_a_transform() -> None:
    x = _utterances(1).features[0]
    for transform in _transforms(5).values():
        np.testing.assert_allclose(apply(inverse(transform), apply(transform, x)), x, atol=1e-5)


def test_each_utterance_gets_the_voice_of_one_speaker() -> None:
    """Who says it, adapted by the transform of who lent the voice, is where the adapted speech was."""
    speech, transforms = _utterances(40, copies=2), _transforms(3)
    other = in_other_voices(speech, transforms, np.random.default_rng(1))
    lent = set()
    pairs = [*zip(other.features, speech.features, strict=True)]
    pairs += [(y, x) for (_, y), (_, x) in zip(other.copies, speech.copies, strict=True)]
    for y, x in pairs:
        back = {name: np.abs(apply(transform, y) - x).max() for name, transform in transforms.items()}
        nearest = min(back, key=lambda name: back[name])
        assert back[nearest] < 1e-4
        lent.add(nearest)
    assert lent == set(transforms)
    assert other.words is speech.words
    assert other.speakers is speech.speakers


def test_the_same_seed_gives_the_same_voices() -> None:
    speech, transforms = _utterances(10), _transforms(3)
    first, second, third = (
        np.concatenate(in_other_voices(speech, transforms, np.random.default_rng(seed)).features)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - third).max() > 0.1


def test_statistics_of_two_halves_add_up_to_the_whole() -> None:
    draw = np.random.default_rng(5)
    mixtures = Mixtures(
        np.array([0.5, 0.5, 1.0]), draw.normal(size=(3, DIMS)), np.ones((3, DIMS)), np.array([0, 2, 3])
    )
    x, states = draw.normal(size=(90, DIMS)).astype(np.float32), draw.integers(0, 2, 90).astype(np.int32)
    halves = accumulate(mixtures, x[:30], states[:30]) + accumulate(mixtures, x[30:], states[30:])
    whole = accumulate(mixtures, x, states)
    for name in ("occupancy", "first_order", "second_order", "log_likelihood"):
        np.testing.assert_allclose(getattr(halves, name), getattr(whole, name), rtol=1e-4, atol=1e-3)


@pytest.fixture(scope="module")
def taught() -> tuple[Lessons, Stage]:
    """Few speakers, as far from each other as those whom the training never heard."""
    lessons = World(accent=1.5).lessons(6, 20)
    stage = monophones(lessons, SETTINGS, lambda *_: None)
    for train in (triphones, projected_triphones):
        stage = train(stage, lessons, SETTINGS, lambda *_: None)
    return lessons, stage


def test_other_voices_prepare_for_strangers(taught: tuple[Lessons, Stage]) -> None:
    """Their speech is likelier with voices than without, and the adapted model does not know of them."""
    lessons, before = taught
    (sat, with_voices), (same, without) = (
        speaker_adapted(before, lessons, replace(SETTINGS, voices=voices), lambda *_: None)
        for voices in (6, 0)
    )
    np.testing.assert_array_equal(sat.model.mixtures.means, same.model.mixtures.means)
    strangers = World(accent=1.5).speech(range(20, 26), 10, seed=5)
    assert _fit(with_voices, strangers) > _fit(without, strangers) + 0.3


def _fit(stage: Stage, speech: Speech) -> float:
    """Of the best state of each frame, in nats."""
    scores = [stage.model.log_likelihoods(stage.model.front.whole(x)) for x in speech.features]
    return float(np.concatenate(scores).max(axis=1).mean())
