"""A whole hybrid on a small language of tones: learns it, goes on after a kill, streams as it transcribes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tones import RATE, WORDS, ToneCorpus, say, tone_corpus

from data.errors import InputError
from data.types import Audio
from pipelines.hybrid import store
from pipelines.hybrid.pipeline import HybridPipeline
from pipelines.protocol import Chunk, SessionOverError

CONFIG = {"lms": ["trigram"], "gaussians": 60, "iterations": 8, "members": 2}


def _quiet(done: float, total: float, note: str = "") -> None:
    assert 0.0 <= done <= total, note


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> ToneCorpus:
    return tone_corpus(tmp_path_factory.mktemp("tones"))


@pytest.fixture(scope="module")
def folder(corpus: ToneCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    HybridPipeline.train(corpus, CONFIG, path, _quiet)
    return path


@pytest.fixture
def pipeline(folder: Path) -> Iterator[HybridPipeline]:
    loaded = HybridPipeline.load(folder, {})
    yield loaded
    loaded.close()


SENTENCES = (["abba"], ["cab", "dac"], ["bed", "abba", "cab", "bed"])


def test_learns_the_language_of_tones(pipeline: HybridPipeline) -> None:
    found = pipeline.transcribe([Audio(say(s, seed=900 + i), RATE) for i, s in enumerate(SENTENCES)])
    assert [t.text for t in found] == [" ".join(s) for s in SENTENCES]
    for transcript in found:
        times = [t for word in transcript.words for t in (word.start, word.end)]
        assert times == sorted(times)
        assert transcript.words[0].start == pytest.approx(0.15, abs=0.05)
        assert [w.text for w in transcript.words] == transcript.text.split()


@pytest.mark.parametrize("size", [37, 800, 5000])
def test_streams_say_what_the_whole_says(pipeline: HybridPipeline, size: int) -> None:
    speech = [say(s, seed=900 + i) for i, s in enumerate(SENTENCES)]
    whole = pipeline.transcribe([Audio(s, RATE) for s in speech])
    sessions = [pipeline.open_session() for _ in speech]
    at, open_ = 0, list(range(len(speech)))
    while open_:
        chunks = [Chunk(speech[i][at : at + size], RATE, at + size >= len(speech[i])) for i in open_]
        found = pipeline.advance([sessions[i] for i in open_], chunks)
        for i, chunk, transcript in zip(list(open_), chunks, found, strict=True):
            assert transcript.final == chunk.last
            if chunk.last:
                assert transcript == whole[i]
                open_.remove(i)
        at += size


def test_a_session_has_one_end(pipeline: HybridPipeline) -> None:
    session = pipeline.open_session()
    empty = Chunk(np.zeros(0, np.float32), RATE, last=True)
    assert pipeline.advance([session], [empty])[0].text == ""
    with pytest.raises(SessionOverError):
        pipeline.advance([session], [empty])


def test_other_sampling_rates_are_resampled(pipeline: HybridPipeline) -> None:
    speech = np.repeat(say(["cab", "bed"], seed=5), 2)
    assert pipeline.transcribe([Audio(speech, 2 * RATE)])[0].text == "cab bed"


def test_facts_are_plain(pipeline: HybridPipeline) -> None:
    facts = pipeline.facts()
    assert facts["lm"] == "trigram"
    assert facts["dropped_utterances"] == 0
    assert facts["words"] == len(WORDS)
    assert all(isinstance(v, int | float | str) for v in facts.values())


class _KilledError(Exception):
    pass


def test_goes_on_after_a_kill_to_the_same_model(corpus: ToneCorpus, folder: Path, tmp_path: Path) -> None:
    def kill(done: float, total: float, note: str = "") -> None:
        if note.startswith("iteration 4"):
            raise _KilledError

    with pytest.raises(_KilledError):
        HybridPipeline.train(corpus, CONFIG, tmp_path, kill)
    assert list(tmp_path.glob("stage-*.npz"))
    notes: list[str] = []
    HybridPipeline.train(corpus, CONFIG, tmp_path, lambda done, total, note="": notes.append(note))
    assert notes.count("flat start") == 2  # of the two members that learn from the dev speech too
    assert sum(note.startswith("iteration 3") for note in notes) == 2
    ours, theirs = store.load_arrays(tmp_path / store.ACOUSTIC), store.load_arrays(folder / store.ACOUSTIC)
    for name in ("means", "variances", "weights", "self_loops"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert (tmp_path / store.MODEL).read_text() == (folder / store.MODEL).read_text()


def test_a_bad_utterance_is_dropped_with_its_file(corpus: ToneCorpus, tmp_path: Path) -> None:
    broken = corpus.with_speech(corpus.train[3], np.full(RATE, np.nan, np.float32))
    HybridPipeline.train(broken, {**CONFIG, "iterations": 2}, tmp_path, _quiet)
    dropped = store.load_json(tmp_path / store.MODEL)["dropped"]
    assert [d["utterance"] for d in dropped] == [corpus.train[3].id]
    assert str(corpus.train[3].source) in dropped[0]["reason"]


def test_too_many_bad_utterances_stop_the_training(corpus: ToneCorpus, tmp_path: Path) -> None:
    for utterance in corpus.train[:3]:  # too short for their words
        corpus = corpus.with_speech(utterance, corpus.speech[utterance.id][: RATE // 20])
    with pytest.raises(InputError, match=r"3 of 40 .* too short"):
        HybridPipeline.train(corpus, {**CONFIG, "iterations": 2}, tmp_path, _quiet)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"gausians": 5}, "did you mean 'gaussians'"),
        ({"seed": "one"}, "seed"),
        ({"lms": ["trigam"]}, "'trigram'"),
    ],
)
def test_wrong_settings_are_named(
    corpus: ToneCorpus, tmp_path: Path, config: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        HybridPipeline.train(corpus, config, tmp_path, _quiet)


def test_loading_what_is_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train it first"):
        HybridPipeline.load(tmp_path, {})
    with pytest.raises(InputError, match="no language model 'corpus'"):
        HybridPipeline.load(folder, {"lm": "corpus"})
    with pytest.raises(InputError, match="did you mean 'beam'"):
        HybridPipeline.load(folder, {"beem": 10})
