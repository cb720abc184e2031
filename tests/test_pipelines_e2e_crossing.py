"""Utterances that go on as another of their speaker: who knows the language hears what they say."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from tone_letters import SENTENCES, TINY, Tones, quiet

from pipelines.e2e.acoustics import Acoustics, load
from pipelines.e2e.crossing import Crossing, find_cuts
from pipelines.e2e.device import find_device
from pipelines.e2e.pipeline import EndToEndPipeline
from pipelines.e2e.speech import Speech, load_speech
from pipelines.e2e.tokens import collapse


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Acoustics:
    folder: Path = tmp_path_factory.mktemp("crossing") / "model"
    EndToEndPipeline.train(Tones(SENTENCES), TINY, folder, quiet)
    return load(folder, find_device("cpu"))


@pytest.fixture(scope="module")
def speech(trained: Acoustics) -> Speech:
    corpus = Tones(SENTENCES)
    return load_speech(corpus, corpus.train, trained.tokens, trained.front, quiet, subsampling=4)


def heard(trained: Acoustics, raw: torch.Tensor) -> str:
    with torch.inference_mode():
        scores = trained.network(trained.front.normalise(raw)[None], torch.tensor([len(raw)]))[0]
    return trained.tokens.decode(collapse(scores.argmax(-1).tolist()))


def letters(text: str) -> list[str]:
    """A joint may leave nothing of a pause: neither a space, nor two of one letter."""
    return [letter for letter, _ in groupby(text.replace(" ", ""))]


def test_every_space_is_a_pause_and_crossed_speech_is_what_its_labels_say(
    trained: Acoustics, speech: Speech
) -> None:
    cuts = find_cuts(speech, trained.network, trained.front, trained.tokens)
    assert [len(own) for own in cuts] == [sentence.count(" ") for sentence in SENTENCES]
    crossing, rng, said = Crossing(speech, cuts, 1.0, 4), np.random.default_rng(1), set()
    misheard = 0
    for index in range(len(SENTENCES)):
        for _ in range(6):
            raw, labels = crossing.pick(index, 0, rng)
            said.add(trained.tokens.decode(labels))
            misheard += letters(heard(trained, raw)) != letters(trained.tokens.decode(labels))
    assert misheard <= 3  # of 72: a joint amid a letter may hide it
    assert said - set(SENTENCES)  # what nobody said


def test_nobody_goes_on_as_somebody_else_and_no_share_changes_nothing(
    trained: Acoustics, speech: Speech
) -> None:
    alone = replace(speech, examples=tuple(replace(e, speaker=e.id) for e in speech.examples))
    cuts = find_cuts(alone, trained.network, trained.front, trained.tokens)
    rng = np.random.default_rng(2)
    for crossing in (Crossing(alone, cuts, 1.0, 4), Crossing(speech, cuts, 0.0, 4)):
        for index, sentence in enumerate(SENTENCES):
            raw, labels = crossing.pick(index, 0, rng)
            words = trained.tokens.decode(labels).split()
            assert set(words) <= set(sentence.split())
            if crossing.share == 0 or len(sentence.split()) == 2:
                assert words == sentence.split()
                torch.testing.assert_close(raw, speech.examples[index].variants[0].float())
