"""The end-to-end road over a language of tones: trained, resumed, decoded offline and live."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tone_letters import RATE, SENTENCES, TINY, Tones, live, quiet, spoken

from data.errors import InputError
from data.types import Audio
from pipelines.compact import compact
from pipelines.e2e import language
from pipelines.e2e.pipeline import EndToEndPipeline
from pipelines.ngram import estimate, write_arpa
from pipelines.protocol import Chunk, SessionOverError
from pipelines.texts import corpus_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("e2e") / "model"
    EndToEndPipeline.train(Tones(SENTENCES), TINY, folder, quiet)
    return folder


@pytest.mark.parametrize("decoder", ["greedy", "wfst", "beam"])
def test_it_learns_tones_and_hears_them_offline_and_live(model: Path, decoder: str) -> None:
    pipeline = EndToEndPipeline.load(model, {"decoder": decoder, "device": "cpu"})
    audio = [spoken(text, 100 + i) for i, text in enumerate(SENTENCES)]
    offline = [t.text for t in pipeline.transcribe([Audio(a, RATE) for a in audio])]
    finals, partials = live(pipeline, audio)
    right = sum(a == b for a, b in zip(offline, SENTENCES, strict=True))
    assert right >= len(SENTENCES) - 1, offline
    assert sum(a == b for a, b in zip(finals, SENTENCES, strict=True)) >= len(SENTENCES) - 2, finals
    assert any(any(p) for p in partials)


def test_batches_change_nothing(model: Path) -> None:
    pipeline = EndToEndPipeline.load(model, {"decoder": "wfst", "device": "cpu"})
    audio = [Audio(spoken(text, i), RATE) for i, text in enumerate(SENTENCES)]
    assert pipeline.transcribe(audio) == [pipeline.transcribe([a])[0] for a in audio]


@pytest.mark.parametrize("decoder", ["greedy", "wfst", "beam"])
def test_words_come_with_their_times_and_confidences(model: Path, decoder: str) -> None:
    samples, begins = spoken("ba cab", 3), (0.04, 0.64)  # the second word after two tones and a hiss
    for confidence in (False, True):
        pipeline = EndToEndPipeline.load(model, {"decoder": decoder, "confidence": confidence})
        heard = pipeline.transcribe([Audio(samples, RATE)])[0]
        assert " ".join(word.text for word in heard.words) == heard.text == "ba cab"
        assert [word.start for word in heard.words] == pytest.approx(begins, abs=0.25)
        assert heard.words[0].end <= heard.words[1].start < heard.words[1].end <= len(samples) / RATE
        sure = [word.confidence for word in heard.words]
        assert all(0.5 < c <= 1.0 for c in sure) if confidence else sure == [None, None]
        session = pipeline.open_session()
        live = pipeline.advance([session], [Chunk(samples, RATE, last=True)])[0]
        assert live.final and [word.text for word in live.words] == live.text.split()


def test_references_are_aligned_where_they_can_be(model: Path) -> None:
    corpus = Tones([*SENTENCES, "abcabcabc", "xa"], spoil={"u12": spoken("a", 0)})
    found = EndToEndPipeline.align_corpus(model, corpus, corpus.train)
    assert set(found) == {f"u{i}" for i in range(len(SENTENCES))}
    for i, sentence in enumerate(SENTENCES):
        words, seconds = found[f"u{i}"], len(spoken(sentence, i)) / RATE
        assert [word.text for word in words] == sentence.split()
        assert [word.start for word in words] == sorted(word.start for word in words)
        assert all(0.0 <= word.start < word.end <= seconds for word in words)


def test_it_learns_in_word_pieces_too(tmp_path: Path) -> None:
    config = {**TINY, "tokens": "pieces", "pieces": 8, "epochs": 80, "flat_epochs": 25}
    EndToEndPipeline.train(Tones(SENTENCES), config, tmp_path, quiet)
    audio = [Audio(spoken(text, 100 + i), RATE) for i, text in enumerate(SENTENCES)]
    for decoder in ("greedy", "wfst", "beam"):
        pipeline = EndToEndPipeline.load(tmp_path, {"decoder": decoder})
        heard = pipeline.transcribe(audio)
        right = sum(t.text == s for t, s in zip(heard, SENTENCES, strict=True))
        assert right >= len(SENTENCES) - 2, (decoder, [t.text for t in heard])
        assert all(" ".join(word.text for word in t.words) == t.text for t in heard)
    EndToEndPipeline.train(Tones(SENTENCES), {**TINY, "tokens": "auto"}, tmp_path, quiet)
    with pytest.raises(InputError, match="has pieces for tokens, the settings ask for characters"):
        EndToEndPipeline.train(Tones(SENTENCES), {**TINY, "tokens": "characters"}, tmp_path, quiet)
    with pytest.raises(InputError, match="did you mean 'pieces'"):
        EndToEndPipeline.train(Tones(SENTENCES), {**TINY, "tokens": "piece"}, tmp_path, quiet)


@pytest.mark.parametrize("decoder", ["wfst", "beam"])
def test_new_words_come_with_a_text_and_can_be_hot(model: Path, tmp_path: Path, decoder: str) -> None:
    audio, text = [Audio(spoken("bac ab", 9), RATE)], tmp_path / "today.txt"
    text.write_text("BAC ab\n\nba bac\nbac\n", encoding="utf-8")
    plain = EndToEndPipeline.load(model, {"decoder": decoder})
    assert "bac" not in plain.transcribe(audio)[0].text.split()
    config = {"decoder": decoder, "text": str(text), "hot_words": ["bac"], "hot_word_bonus": 2}
    pipeline = EndToEndPipeline.load(model, config)
    assert pipeline.transcribe(audio)[0].text == "bac ab"
    assert pipeline.transcribe([Audio(spoken("cab ab", 9), RATE)])[0].text == "cab ab"
    facts = pipeline.facts()
    assert (facts["text"], facts["hot_words"]) == ("today.txt", 1.0)
    assert facts["ngrams"] > plain.facts()["ngrams"]
    (tmp_path / "empty.txt").write_text("\n")
    for extra, said in (
        ({"hot_words": ["bac"]}, "lacks the hot word 'bac'"),
        ({"text": str(tmp_path / "empty.txt")}, "no sentence"),
        ({"text": str(tmp_path / "none.txt")}, "cannot be read"),
        ({"text": str(text), "text_share": 0.0}, "text_share"),
        ({"text": str(text), "decoder": "greedy"}, "greedy decoding knows no words"),
    ):
        with pytest.raises(InputError, match=said):
            EndToEndPipeline.load(model, {"decoder": decoder, **extra})


def test_silence_and_nothing_at_all_give_a_transcript(model: Path) -> None:
    for decoder in ("greedy", "wfst", "beam"):
        pipeline = EndToEndPipeline.load(model, {"decoder": decoder})
        nothing, click = Audio(np.zeros(0, np.float32), RATE), Audio(np.ones(3, np.float32), RATE)
        assert [t.text for t in pipeline.transcribe([nothing, click])] == ["", ""]
        session = pipeline.open_session()
        assert pipeline.advance([session], [Chunk(np.zeros(0, np.float32), RATE, last=True)])[0].final


def test_a_session_fed_after_its_end_says_so(model: Path) -> None:
    pipeline = EndToEndPipeline.load(model, {})
    session = pipeline.open_session()
    pipeline.advance([session], [Chunk(spoken("ab", 1), RATE, last=True)])
    with pytest.raises(SessionOverError):
        pipeline.advance([session], [Chunk(np.zeros(10, np.float32), RATE)])


def test_samples_that_are_no_numbers_spoil_no_other_stream(model: Path) -> None:
    pipeline = EndToEndPipeline.load(model, {"decoder": "wfst"})
    good = spoken("ab ba ca", 5)
    bad = good.copy()
    bad[2000:2300] = np.nan
    finals, _ = live(pipeline, [good, bad])
    assert finals[0] == live(pipeline, [good])[0][0]
    sessions = [pipeline.open_session() for _ in range(2)]
    for last in (False, True):  # the stream is named, from its first bad chunk to its end
        chunks = [Chunk(samples, RATE, last) for samples in (good, good if last else bad)]
        results = pipeline.advance(sessions, chunks)
        assert results[0].error is None
        assert results[1].error is not None and "from 0.25 s on" in results[1].error


def test_bad_audio_and_bad_settings_get_one_line(model: Path, tmp_path: Path) -> None:
    pipeline = EndToEndPipeline.load(model, {})
    with pytest.raises(InputError, match=r"16000 Hz.*8000 Hz"):
        pipeline.transcribe([Audio(np.zeros(16000, np.float32), 16000)])
    with pytest.raises(InputError, match="NaN"):
        pipeline.transcribe([Audio(np.full(16000, np.nan, np.float32), RATE)])
    for config, said in (
        ({"decodr": "wfst"}, "did you mean 'decoder'"),
        ({"decoder": "wftst"}, "did you mean 'wfst'"),
        ({"lm": "bigram", "decoder": "wfst"}, "without the language model 'bigram'"),
        ({"chunk_ms": 50}, "multiples of 40"),
        ({"runtime": "int16"}, "did you mean 'int8'"),
        ({"runtime": "int8", "half": True}, "half is for"),
        ({"beam": "wide"}, "wants a value of type float"),
    ):
        with pytest.raises(InputError, match=said):
            EndToEndPipeline.load(model, config)
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        EndToEndPipeline.train(Tones(SENTENCES), {"epoch": 3}, tmp_path, quiet)
    with pytest.raises(InputError, match="train the pipeline first"):
        EndToEndPipeline.load(tmp_path, {})
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        EndToEndPipeline.load(tmp_path, {})


def test_a_corpus_may_bring_a_unigram_which_kenlm_does_not_take(tmp_path: Path) -> None:
    own = tmp_path / "own.arpa"
    write_arpa(estimate([s.upper().split() for s in SENTENCES], order=1), own)
    corpus, model = Tones(SENTENCES, language_model=own), tmp_path / "model"
    config = {**TINY, "epochs": 1, "flat_epochs": 0, "lms": ["corpus", "trigram"], "tune": ["wfst", "beam"]}
    EndToEndPipeline.train(corpus, config, model, quiet)
    assert EndToEndPipeline.load(model, {"decoder": "wfst", "lm": "corpus"}).facts()["lm"] == "corpus"
    with pytest.raises(InputError, match="bigrams at least"):
        EndToEndPipeline.load(model, {"decoder": "beam", "lm": "corpus"})


def test_the_language_model_that_stays_has_learned_from_dev(model: Path, tmp_path: Path) -> None:
    joined = corpus_model(Tones(SENTENCES), join_dev=True)
    assert joined.model.tables != joined.unheard.tables
    write_arpa(joined.model, tmp_path / "joined.arpa")
    kept = language.arpa_path(model, "trigram")
    assert kept.read_text() == (tmp_path / "joined.arpa").read_text()
    assert not list(kept.parent.glob("tuning-*"))


def test_8_bit_weights_hear_the_same_offline_and_live(model: Path) -> None:
    plain, rounded = (
        EndToEndPipeline.load(model, {"runtime": r, "device": "cpu"}) for r in ("torch", "int8")
    )
    audio = [spoken(text, 100 + i) for i, text in enumerate(SENTENCES)]
    batch = [Audio(a, RATE) for a in audio]
    pairs = zip(plain._acoustics.posteriors(batch), rounded._acoustics.posteriors(batch), strict=True)
    differences = [np.abs(np.exp(a) - np.exp(b)).max() for a, b in pairs]
    assert 0 < max(differences) < 0.2
    assert sum(t.text == s for t, s in zip(rounded.transcribe(batch), SENTENCES, strict=True)) >= 11
    assert sum(a == b for a, b in zip(live(rounded, audio)[0], live(plain, audio)[0], strict=True)) >= 11
    assert rounded.facts() == {**plain.facts(), "runtime": "int8"}


def test_facts_name_what_was_decoded_with(model: Path) -> None:
    facts = EndToEndPipeline.load(model, {"decoder": "wfst", "lm_weight": 0.9}).facts()
    assert facts["lm_weight"] == 0.9
    assert facts["parameters"] * 4 <= facts["model_bytes"] < facts["parameters"] * 4 + 10_000
    assert facts["ngrams"] > 0 and facts["graph_arcs"] > 0
    assert facts["look_ahead_ms"] == EndToEndPipeline.load(model, {}).capabilities.look_ahead_ms


def test_a_model_that_is_handed_on_hears_the_same_in_half_the_space(model: Path, tmp_path: Path) -> None:
    files = EndToEndPipeline.model_files(model, {})
    for file in files:
        compact(model / file, tmp_path / file)
    assert {"model.safetensors", "tokens.json", "lm/trigram.npz", "lm/weights.json"} <= set(files)
    audio = [Audio(spoken(text, 100 + i), RATE) for i, text in enumerate(SENTENCES)]
    for decoder in ("greedy", "wfst", "beam"):
        whole, small = (EndToEndPipeline.load(m, {"decoder": decoder}) for m in (model, tmp_path))
        assert small.transcribe(audio) == whole.transcribe(audio)
        assert small.facts()["model_bytes"] < 0.65 * float(whole.facts()["model_bytes"])
    pairs = zip(whole._acoustics.posteriors(audio), small._acoustics.posteriors(audio), strict=True)
    assert max(np.abs(np.exp(a) - np.exp(b)).max() for a, b in pairs) < 1e-2
    told = EndToEndPipeline.model_facts(tmp_path)
    assert (told["architecture"], told["utterances"], told["epochs"]) == ("conv_recurrent", 12, 45)


class KilledError(Exception):
    """Stands for a kill signal: raised out of the progress callback."""


def losses(folder: Path) -> list[float]:
    return json.loads((folder / "card.json").read_text())["training"]["loss"]


def test_an_interrupted_training_goes_on_to_the_same_curve_and_weights(tmp_path: Path) -> None:
    config = {**TINY, "epochs": 5, "flat_epochs": 1, "plain_epochs": 2, "checkpoint_steps": 2, "dropout": 0.2}
    config |= {"agreement": 0.2, "crossed": 0.5}
    calls = []

    def kill(done: float, total: float, note: str = "", *, stage: str = "") -> None:
        calls.append(note)
        if "loss" in note and sum("loss" in c for c in calls) == 5:
            raise KilledError

    with pytest.raises(KilledError):
        EndToEndPipeline.train(Tones(SENTENCES), config, tmp_path / "a", kill)
    assert not (tmp_path / "a" / "card.json").exists()
    EndToEndPipeline.train(Tones(SENTENCES), config, tmp_path / "a", quiet)
    EndToEndPipeline.train(Tones(SENTENCES), config, tmp_path / "b", quiet)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    a, b = ((tmp_path / x / "model.safetensors").read_bytes() for x in "ab")
    assert a == b


def test_utterances_too_short_for_their_text_are_dropped_and_counted(tmp_path: Path) -> None:
    corpus = Tones([*SENTENCES, "ab ab ab ab ab"], spoil={"u12": spoken("a", 0)})
    EndToEndPipeline.train(corpus, {**TINY, "epochs": 1}, tmp_path, quiet)
    training = json.loads((tmp_path / "card.json").read_text())["training"]
    assert (training["utterances"], training["too_short"]) == (12, 1)
    with pytest.raises(InputError, match="long enough"):
        hopeless = replace(corpus, sentences=["abc abc abc"], spoil={"u0": spoken("a", 0)})
        EndToEndPipeline.train(hopeless, TINY, tmp_path / "none", quiet)


def test_a_loss_that_is_no_number_stops_with_the_step_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    bad = spoken("ab ac", 1)
    bad[100:200] = np.nan
    corpus = Tones(SENTENCES, spoil={"u4": bad})
    with pytest.raises(InputError, match=r"u4.*no numbers"):
        EndToEndPipeline.train(corpus, TINY, tmp_path, quiet)
    with pytest.raises(InputError, match=r"loss is (nan|inf) at step \d+ on u\d"):
        EndToEndPipeline.train(
            Tones(SENTENCES), {**TINY, "learning_rate": 1e30, "checkpoint_steps": 1}, tmp_path, quiet
        )
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert torch.get_num_threads() == 1
