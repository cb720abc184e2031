"""What a training of the hybrid refuses, what it goes without, and what it does not take for its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hybrid_trainings import CONFIG, TRIPHONES, KilledError, quiet
from tones import RATE, ToneCorpus

from data.errors import InputError
from pipelines.hybrid import store
from pipelines.hybrid.pipeline import HybridPipeline


def test_another_training_does_not_go_on_from_here(corpus: ToneCorpus, tmp_path: Path) -> None:
    """Stages of other settings are not taken for its own."""

    def train(folder: Path, seed: int, killed: bool) -> None:
        def kill(done: float, total: float, note: str = "", *, stage: str = "") -> None:
            if killed and stage == "tuning":
                raise KilledError

        HybridPipeline.train(corpus, {**CONFIG, "iterations": 2, "seed": seed}, folder, kill)

    with pytest.raises(KilledError):
        train(tmp_path / "one", seed=1, killed=True)
    train(tmp_path / "one", seed=2, killed=False)
    train(tmp_path / "fresh", seed=2, killed=False)
    one, fresh = (store.load_arrays(tmp_path / f / store.acoustic_file("mono")) for f in ("one", "fresh"))
    np.testing.assert_array_equal(one["means"], fresh["means"])


def test_a_bad_utterance_is_dropped_with_its_file(corpus: ToneCorpus, tmp_path: Path) -> None:
    broken = corpus.with_speech(corpus.train[3], np.full(RATE, np.nan, np.float32))
    HybridPipeline.train(broken, {**CONFIG, "iterations": 2}, tmp_path, quiet)
    dropped = store.load_json(tmp_path / store.MODEL)["dropped"]
    assert [d["utterance"] for d in dropped] == [corpus.train[3].id]
    assert str(corpus.train[3].source) in dropped[0]["reason"]


def test_too_many_bad_utterances_stop_the_training(corpus: ToneCorpus, tmp_path: Path) -> None:
    for utterance in corpus.train[:3]:  # too short for their words
        corpus = corpus.with_speech(utterance, corpus.speech[utterance.id][: RATE // 20])
    with pytest.raises(InputError, match=r"3 of 40 .* too short"):
        HybridPipeline.train(corpus, {**CONFIG, "iterations": 2}, tmp_path, quiet)


def test_no_utterance_long_enough_is_an_input_error(corpus: ToneCorpus, tmp_path: Path) -> None:
    for utterance in (*corpus.train, *corpus.dev):
        corpus = corpus.with_speech(utterance, corpus.speech[utterance.id][: RATE // 20])
    with pytest.raises(InputError, match="too short"):
        HybridPipeline.train(corpus, {**CONFIG, "iterations": 2}, tmp_path, quiet)


def test_one_too_short_is_dropped_with_its_reason(corpus: ToneCorpus, tmp_path: Path) -> None:
    short = corpus.train[5]
    corpus = corpus.with_speech(short, corpus.speech[short.id][: RATE // 20])
    config = {**CONFIG, **TRIPHONES, "iterations": 2, "generation": "tri", "tri_iterations": 2}
    HybridPipeline.train(corpus, config, tmp_path, quiet)
    dropped = store.load_json(tmp_path / store.MODEL)["dropped"]
    assert [d["utterance"] for d in dropped] == [short.id]
    assert f"{short.source}: 0.03 s is too short" in dropped[0]["reason"]
    facts = HybridPipeline.load(tmp_path, {}).facts()
    assert (facts["model"], facts["dropped_utterances"]) == ("tri", 1)  # the last where none is adapted


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"gausians": 5}, "did you mean 'gaussians'"),
        ({"seed": "one"}, "seed"),
        ({"lms": ["trigam"]}, "'trigram'"),
        ({"generation": "trj"}, "did you mean 'tri'"),
    ],
)
def test_wrong_settings_are_named(
    corpus: ToneCorpus, tmp_path: Path, config: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        HybridPipeline.train(corpus, config, tmp_path, quiet)
