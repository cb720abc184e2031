"""How a trained hybrid listens: confidences, a second language model, endpoints, counted searches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hybrid_trainings import quiet
from tones import RATE, SENTENCES, SPEECH, ToneCorpus, say, streamed

from data.errors import InputError
from data.types import Audio, Samples, Transcript
from pipelines.hybrid import store
from pipelines.hybrid.pipeline import HybridPipeline

CONFIG = {
    "lms": ["trigram"],
    "generation": "sat",
    "networks": ["tdnn"],
    "big_order": 4,
    "members": 1,
    "use_dev": False,
    "jobs": 1,
    "gaussians": 40,
    "iterations": 6,
    "tri_iterations": 8,
    "leaves": 30,
    "min_gain": 50.0,
    "min_occupancy": 20.0,
    "tri_gaussians": 50,
    "mllt_gaussians": 50,
    "sat_gaussians": 60,
    "epochs": 6,
}
STREAMING = ("mono", "si", "tdnn")
COUNTS = {"tokens_per_frame", "arcs_per_frame"}


@pytest.fixture(scope="module")
def folder(corpus: ToneCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    HybridPipeline.train(corpus, CONFIG, path, quiet)
    return path


def _speech() -> list[Audio]:
    return [Audio(samples, RATE, "a") for samples in SPEECH]


def _noise(seconds: float, level: float = 0.005) -> Samples:
    draw = np.random.default_rng(7)
    return (level * draw.standard_normal(int(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("model", ["mono", "tdnn", "sat"])
def test_confidences_change_no_word(folder: Path, model: str) -> None:
    plain, judged = (
        HybridPipeline.load(folder, {"model": model, "confidence": on}).transcribe(_speech())
        for on in (False, True)
    )
    assert [t.text for t in judged] == [t.text for t in plain]
    for one, other in zip(plain, judged, strict=True):
        assert [(w.start, w.end) for w in one.words] == [(w.start, w.end) for w in other.words]
        assert all(w.confidence is None for w in one.words)
        assert all(w.confidence is not None and 0.0 < w.confidence <= 1.0 for w in other.words)


def test_a_word_in_doubt_is_less_sure(folder: Path) -> None:
    """Two words at once, against one of them said plainly; tones are clear, so the model is made to doubt."""
    pipeline = HybridPipeline.load(folder, {"model": "mono", "confidence": True, "lm_weight": 300.0})
    words = [say([word], seed=40) for word in ("cab", "dac")]
    length = min(len(w) for w in words)
    both = (words[0][:length] + words[1][:length]) / 2
    sure, doubtful = pipeline.transcribe([Audio(words[0], RATE), Audio(both.astype(np.float32), RATE)])
    assert doubtful.words[0].confidence < 0.95 < sure.words[0].confidence


@pytest.mark.parametrize("size", [300, 4000])
def test_streams_are_as_sure_as_the_whole(folder: Path, size: int) -> None:
    pipeline = HybridPipeline.load(folder, {"model": "si", "confidence": True})
    (whole,) = pipeline.transcribe(_speech()[2:])
    assert streamed(pipeline, _speech()[2].samples, size)[-1] == whole


def test_a_second_language_model_has_its_say(folder: Path, tmp_path: Path) -> None:
    """One that expects a single word finds it in the list where it is believed, and else changes nothing."""
    config = {"model": "mono", "rescore": "big"}
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "big.arpa").unlink()
    (tmp_path / "big.arpa").write_text(_only_cabs())
    speech = _speech()[:1]
    texts = {}
    for weight in (0.0, 1.0):
        pipeline = HybridPipeline.load(
            tmp_path, {**config, "lm_weight": 300.0, "lattice_beam": 9.0, "rescore_weight": weight}
        )
        (found,) = pipeline.transcribe(speech)
        texts[weight] = found.text
        assert [w.text for w in found.words] == found.text.split()
        assert all(w.confidence is None for w in found.words)
    assert texts == {0.0: "abba", 1.0: "cab"}
    usual = HybridPipeline.load(folder, config)
    assert [t.text for t in usual.transcribe(_speech())] == [" ".join(s) for s in SENTENCES]
    facts = usual.facts()
    assert facts["rescore"] == "big"
    assert facts["rescore_ngrams"] > facts["ngrams"]


def _only_cabs() -> str:
    rare = "".join(f"-60\t{w}\t0\n" for w in ("abba", "bed", "dac"))
    return (
        "\\data\\\nngram 1=7\nngram 2=1\n\n\\1-grams:\n-99\t<s>\t0\n-60\t<unk>\t0\n"
        f"-0.3\t</s>\t0\n-0.3\tcab\t0\n{rare}\n\\2-grams:\n-0.3\t<s> cab\n\n\\end\\\n"
    )


def test_no_second_language_model_is_one_line(folder: Path, corpus: ToneCorpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no language model 'huge' to rescore with \(there are: big\)"):
        HybridPipeline.load(folder, {"rescore": "huge"})
    (tmp_path / "model").mkdir()
    for path in folder.iterdir():
        (tmp_path / "model" / path.name).symlink_to(path)
    (tmp_path / "model" / "model.json").unlink()
    content = {**store.load_json(folder / store.MODEL), "rescore_ngrams": {}}
    store.save_json(tmp_path / "model" / store.MODEL, content)
    with pytest.raises(InputError, match="train it with big_order"):
        HybridPipeline.load(tmp_path / "model", {"rescore": "big"})


@pytest.mark.parametrize("rules", [{"endpoint": True}, {"endpoint_seconds": 0.4}])
@pytest.mark.parametrize("model", STREAMING)
def test_a_pause_parts_two_utterances(folder: Path, model: str, rules: dict[str, object]) -> None:
    """The words of each alone, at their place in the stream, whatever the chunks."""
    pipeline = HybridPipeline.load(folder, {"model": model, **rules})
    first, second = (audio.samples for audio in _speech()[1:])
    begin = len(first) + int(1.5 * RATE)
    stream = np.concatenate([first, _noise(1.5), second])
    alone = pipeline.transcribe([Audio(first, RATE), Audio(second, RATE)])
    (together,) = pipeline.transcribe([Audio(stream, RATE)])
    assert together.text == f"{alone[0].text} {alone[1].text}" == "cab dac bed abba cab bed"
    times = [(w.start, w.end) for w in alone[0].words]
    times += [(w.start + begin / RATE, w.end + begin / RATE) for w in alone[1].words]
    np.testing.assert_allclose([(w.start, w.end) for w in together.words], times, atol=0.03)
    for size in (240, 1700):
        found = streamed(pipeline, stream, size)
        assert found[-1] == together
        assert [t.final for t in found] == [False] * (len(found) - 1) + [True]
        held = found[begin // size].text  # before the second utterance is heard
        assert held == alone[0].text
        assert all(t.text.startswith(held) for t in found[begin // size :])


def test_pauses_part_what_is_heard_in_two_passes(folder: Path) -> None:
    config = {"model": "sat", "endpoint": True, "endpoint_seconds": 0.8}
    pipeline = HybridPipeline.load(folder, config)
    first, second = (audio.samples for audio in _speech()[1:])
    stream = Audio(np.concatenate([first, _noise(1.5), second]), RATE, "a")
    assert pipeline.transcribe([stream])[0].text == "cab dac bed abba cab bed"
    assert pipeline.facts()["endpoint"] == "Kaldi's rules or 0.8 s of silence"


def test_each_utterance_of_a_stream_is_judged_by_itself(folder: Path) -> None:
    config = {
        "model": "mono",
        "confidence": True,
        "rescore": "big",
        "endpoint_seconds": 0.4,
        "lm_weight": 300.0,
    }
    pipeline = HybridPipeline.load(folder, config)
    first, second = (audio.samples for audio in _speech()[1:])
    alone = pipeline.transcribe([Audio(first, RATE), Audio(second, RATE)])
    (together,) = pipeline.transcribe([Audio(np.concatenate([first, _noise(1.0), second]), RATE)])
    assert together.text == f"{alone[0].text} {alone[1].text}"
    sure = [w.confidence for t in alone for w in t.words]
    np.testing.assert_allclose([w.confidence for w in together.words], sure, atol=0.1)


@pytest.mark.parametrize("rules", [{"endpoint": True}, {"endpoint_seconds": 0.2}])
def test_silence_alone_says_nothing(folder: Path, rules: dict[str, object]) -> None:
    pipeline = HybridPipeline.load(folder, {"model": "mono", **rules})
    silence = Audio(_noise(6.0), RATE)
    assert pipeline.transcribe([silence]) == [Transcript("")]


def test_searches_are_counted_at_the_beam_they_were_counted_with(folder: Path) -> None:
    for model in ("mono", "si", "sat", "tdnn"):
        facts = HybridPipeline.load(folder, {"model": model}).facts()
        assert 1.0 <= float(facts["tokens_per_frame"]) <= float(facts["arcs_per_frame"])
        assert float(facts["tokens_per_frame"]) <= float(facts["graph_states"])
    for other in ({"beam": 9.0}, {"max_active": 500}, {"lm_weight": 9.0}, {"insertion_penalty": 0.5}):
        assert not COUNTS & HybridPipeline.load(folder, {"model": "mono", **other}).facts().keys()


@pytest.mark.parametrize(
    "config",
    [
        {"nbest": 0},
        {"lattice_beam": 0.0},
        {"rescore_weight": 1.5},
        {"endpoint_seconds": -1.0},
        {"endpoint_seconds": float("nan")},
    ],
)
def test_settings_without_sense_are_refused(folder: Path, config: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"the hybrid needs .*{next(iter(config))}"):
        HybridPipeline.load(folder, config)


@pytest.mark.parametrize("hz", [9000.0, 4000.1, 20.0, 10.0, -400.0, float("nan")])
def test_bands_that_cannot_be_heard_are_refused(corpus: ToneCorpus, tmp_path: Path, hz: float) -> None:
    with pytest.raises(InputError, match="high_hz lies above 20 and up to 4000, half the sampling rate"):
        HybridPipeline.train(corpus, {**CONFIG, "high_hz": hz}, tmp_path, quiet)
