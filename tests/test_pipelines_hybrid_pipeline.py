"""A whole hybrid on a small language of tones: learns it, goes on after a kill, streams as it transcribes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hybrid_trainings import CONFIG, TRIPHONES, KilledError, quiet
from tones import RATE, SENTENCES, SPEECH, WORDS, ToneCorpus, say, spoken

from data.errors import InputError
from data.types import Audio, Samples
from pipelines.compact import compact
from pipelines.hybrid import store
from pipelines.hybrid.loading import Parts
from pipelines.hybrid.pipeline import HybridPipeline
from pipelines.protocol import Chunk, SessionOverError
from pipelines.search import Path as BestPath

ALL = {
    **CONFIG,
    **TRIPHONES,
    "generation": "sat",
    "tri_gaussians": 70,
    "mllt_gaussians": 70,
    "sat_gaussians": 80,
}
MODELS = ("mono", "tri", "mllt", "si", "sat")
STREAMING = MODELS[:-1]


@pytest.fixture(scope="module")
def folder(corpus: ToneCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    HybridPipeline.train(corpus, ALL, path, quiet)
    return path


@pytest.fixture
def pipeline(folder: Path) -> Iterator[HybridPipeline]:
    loaded = HybridPipeline.load(folder, {"model": "si"})
    yield loaded
    loaded.close()


@pytest.mark.parametrize("model", MODELS)
def test_learns_the_language_of_tones(folder: Path, model: str) -> None:
    pipeline = HybridPipeline.load(folder, {"model": model})
    found = pipeline.transcribe([Audio(samples, RATE) for samples in SPEECH])
    assert [t.text for t in found] == [" ".join(s) for s in SENTENCES]
    for transcript in found:
        times = [t for word in transcript.words for t in (word.start, word.end)]
        assert times == sorted(times)
        assert transcript.words[0].start == pytest.approx(0.15, abs=0.05)
        assert [w.text for w in transcript.words] == transcript.text.split()


def test_what_is_handed_on_of_a_model_is_enough_to_hear_the_same(folder: Path, tmp_path: Path) -> None:
    for model in ("si", "sat"):
        config = {"model": model}
        files = HybridPipeline.model_files(folder, config)
        assert not any("mono" in file or "tri." in file for file in files)
        for file in files:
            compact(folder / file, tmp_path / model / file)
        audio = [Audio(samples, RATE) for samples in SPEECH]
        whole, small = (HybridPipeline.load(m, config) for m in (folder, tmp_path / model))
        assert small.transcribe(audio) == whole.transcribe(audio)
    assert HybridPipeline.model_facts(folder)["language"] == "en"


@pytest.mark.parametrize("size", [37, 800, 5000])
@pytest.mark.parametrize("model", ["mono", "si"])  # deltas, and frames spliced and projected
def test_streams_say_what_the_whole_says(folder: Path, model: str, size: int) -> None:
    pipeline = HybridPipeline.load(folder, {"model": model})
    whole = pipeline.transcribe([Audio(s, RATE) for s in SPEECH])
    sessions = [pipeline.open_session() for _ in SPEECH]
    at, open_ = 0, list(range(len(SPEECH)))
    while open_:
        chunks = [Chunk(SPEECH[i][at : at + size], RATE, at + size >= len(SPEECH[i])) for i in open_]
        found = pipeline.advance([sessions[i] for i in open_], chunks)
        for i, chunk, transcript in zip(list(open_), chunks, found, strict=True):
            assert transcript.final == chunk.last
            if chunk.last:
                assert transcript == whole[i]
                open_.remove(i)
        at += size


def test_what_is_not_adapted_streams_with_its_delay(folder: Path) -> None:
    loaded = {model: HybridPipeline.load(folder, {"model": model}) for model in MODELS}
    delays = {model: loaded[model].capabilities.look_ahead_ms for model in STREAMING}
    assert delays == {"mono": 55.0, "tri": 55.0, "mllt": 85.0, "si": 85.0}  # three more frames are spliced
    assert all(loaded[model].capabilities.streaming for model in STREAMING)
    assert not any(loaded[model].capabilities.speaker_labels for model in STREAMING)


def test_the_adapted_model_has_no_streams(folder: Path) -> None:
    pipeline = HybridPipeline.load(folder, {"model": "sat"})
    assert not pipeline.capabilities.streaming
    assert pipeline.capabilities.speaker_labels
    assert pipeline.capabilities.look_ahead_ms is None
    with pytest.raises(InputError, match="no streams"):
        pipeline.open_session()


def test_a_speaker_is_heard_as_a_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transforms are estimated on what each speaker says, whatever else is in the batch, and in any order."""
    pipeline = HybridPipeline.load(folder, {"model": "sat"})
    first, second = _voices()
    mixed = [audio for pair in zip(first, second, strict=True) for audio in pair]
    together = _decoded(pipeline, mixed, monkeypatch)
    alone = [*_decoded(pipeline, first, monkeypatch), *_decoded(pipeline, second, monkeypatch)]
    for ours, theirs in zip([*together[::2], *together[1::2]], alone, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    unnamed = [Audio(audio.samples, RATE) for audio in first]
    one_by_one = [_decoded(pipeline, [audio], monkeypatch)[0] for audio in unnamed]
    strangers = _decoded(pipeline, unnamed, monkeypatch)  # each its own speaker
    for ours, theirs in zip(strangers, one_by_one, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.allclose(strangers[0], together[0])


def _voices() -> tuple[list[Audio], list[Audio]]:
    """The same sentences by a speaker of the corpus and by one with a softer, duller voice."""
    speech = spoken(SENTENCES * 2)
    return [Audio(s, RATE, "bright") for s in speech], [Audio(_dull(s), RATE, "dull") for s in speech]


def _dull(samples: Samples) -> Samples:
    return (0.3 * (samples + np.roll(samples, 1))).astype(np.float32)


def _decoded(
    pipeline: HybridPipeline, batch: list[Audio], monkeypatch: pytest.MonkeyPatch
) -> list[np.ndarray]:
    """The features that the second pass decodes."""
    heard: list[np.ndarray] = []
    decode = Parts.decode

    def noted(parts: Parts, features: np.ndarray) -> BestPath:
        heard.append(features)
        return decode(parts, features)

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "decode", noted)
        assert len(pipeline.transcribe(batch)) == len(batch)
    return heard


def test_the_adapted_model_hears_strange_voices(folder: Path) -> None:
    pipeline = HybridPipeline.load(folder, {"model": "sat"})
    texts = [" ".join(s) for s in SENTENCES * 2]
    for voice in _voices():
        assert [t.text for t in pipeline.transcribe(voice)] == texts


@pytest.mark.parametrize("model", MODELS)
def test_speech_of_no_length_has_no_words(folder: Path, model: str) -> None:
    pipeline = HybridPipeline.load(folder, {"model": model})
    assert pipeline.transcribe([]) == []
    some, none = Audio(say(["cab"], seed=3), RATE, "a"), Audio(np.zeros(0, np.float32), RATE, "b")
    assert [t.text for t in pipeline.transcribe([none, some])] == ["", "cab"]


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


def test_goes_on_after_a_kill_to_the_same_model(corpus: ToneCorpus, folder: Path, tmp_path: Path) -> None:
    """Side by side, where the other training went step by step."""
    config = {**ALL, "jobs": 2}

    def kill(done: float, total: float, note: str = "", *, stage: str = "") -> None:
        if note.startswith("mllt on all: iteration 4"):
            raise KilledError

    with pytest.raises(KilledError):
        HybridPipeline.train(corpus, config, tmp_path, kill)
    assert {p.name for p in tmp_path.glob("stage-all-*.npz")} == {"stage-all-mono.npz", "stage-all-tri.npz"}
    assert not (tmp_path / store.MODEL).exists()
    notes: list[str] = []
    HybridPipeline.train(
        corpus, config, tmp_path, lambda done, total, note="", *, stage="": notes.append(note)
    )
    begun = {note.split(":")[0] for note in notes}
    assert not {"mono on all", "tri on all"} & begun
    assert {"mllt on all", "sat on all"} <= begun
    assert not list(tmp_path.glob("stage-*"))
    _assert_same_models(tmp_path, folder)


def _assert_same_models(one: Path, other: Path) -> None:
    files = sorted(path.name for path in other.glob("*.npz"))
    assert sorted(path.name for path in one.glob("*.npz")) == files
    assert {store.acoustic_file(model) for model in MODELS} <= set(files)
    for file in files:
        ours, theirs = store.load_arrays(one / file), store.load_arrays(other / file)
        assert ours.keys() == theirs.keys()
        for name in theirs:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=f"{file}: {name}")
    ours, theirs = (store.load_json(folder / store.MODEL) for folder in (one, other))
    assert ours.pop("settings") == {**theirs.pop("settings"), "jobs": 2}
    assert ours == theirs
    assert list(ours["tuned"]) == list(theirs["tuned"])


def test_training_again_changes_nothing(corpus: ToneCorpus, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    HybridPipeline.train(corpus, ALL, folder, quiet)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_loading_what_is_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train it first"):
        HybridPipeline.load(tmp_path, {})
    with pytest.raises(InputError, match="no language model 'corpus'"):
        HybridPipeline.load(folder, {"lm": "corpus"})
    with pytest.raises(InputError, match="did you mean 'beam'"):
        HybridPipeline.load(folder, {"beem": 10})


def test_the_model_is_the_best_that_streams_unless_asked_for(folder: Path) -> None:
    assert HybridPipeline.load(folder, {}).facts()["model"] == "si"
    assert HybridPipeline.load(folder, {"model": "tri"}).facts()["model"] == "tri"
    assert HybridPipeline.load(folder, {"model": "tri"}).facts()["training_stage"] == "mono tri"
    for wrong, hint in (("mlt", "; did you mean 'mllt'?"), ("nope", "")):
        with pytest.raises(InputError) as error:
            HybridPipeline.load(folder, {"model": wrong})
        there = ", ".join(MODELS)
        assert str(error.value) == f"{folder}: no model '{wrong}' was trained{hint} (there are: {there})"
