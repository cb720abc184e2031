"""Where words lie, by tones whose edges are known; new words in the phones that a model has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tones import RATE, WORDS, ToneCorpus, say

from data.errors import InputError
from data.types import Utterance, Word
from pipelines.hybrid import store
from pipelines.hybrid.forced import ForcedAligner, align_corpus, corpus_alignment
from pipelines.hybrid.pipeline import HybridPipeline
from pipelines.hybrid.positions import known_phones

CONFIG = {
    "lms": ["trigram"],
    "generation": "tri",
    "gaussians": 60,
    "iterations": 8,
    "members": 1,
    "jobs": 1,
    "tri_iterations": 9,
    "leaves": 40,
    "min_gain": 50.0,
    "min_occupancy": 20.0,
    "tri_gaussians": 70,
    "use_dev": False,
}
SENTENCES = (["abba"], ["cab", "dac"], ["bed", "abba", "cab", "bed"], ["dac", "bed", "dac"], ["cab", "abba"])
TOLERANCE = 0.03  # s


def edges(words: list[str], seed: int) -> list[tuple[float, float]]:
    """Where `tones.say` begins and ends each word: the same draws, counted instead of sounded."""
    draw = np.random.default_rng(seed)
    at = _pause(draw, 0.15)
    found = []
    for word in words:
        begin = at
        for _ in WORDS[word]:
            count = int(draw.uniform(0.07, 0.13) * RATE)
            draw.uniform(0.97, 1.03), draw.uniform(0.97, 1.03)  # the two tones
            _pause(draw, count / RATE)
            at += count
        found.append((begin / RATE, at / RATE))
        if draw.random() < 0.5:
            at += _pause(draw, draw.uniform(0.05, 0.15))
    assert at + _pause(draw, 0.15) == len(say(words, seed))
    return found


def _pause(draw: np.random.Generator, seconds: float) -> int:
    count = int(np.ceil(seconds * RATE))
    draw.standard_normal(count)
    return count


@pytest.fixture(scope="module")
def folder(corpus: ToneCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    HybridPipeline.train(corpus, CONFIG, path, lambda *_, **__: None)
    return path


@pytest.fixture(scope="module")
def aligner(folder: Path) -> ForcedAligner:
    return ForcedAligner.load(folder)


def test_words_lie_where_they_were_said(aligner: ForcedAligner) -> None:
    spoken = [(words, 700 + i) for i, words in enumerate(SENTENCES * 3)]
    found = aligner.align([say(*s) for s in spoken], [words for words, _ in spoken])
    for (words, seed), aligned in zip(spoken, found, strict=True):
        assert aligned is not None
        assert [word.text for word in aligned] == words
        _assert_near(aligned, edges(words, seed))


def _assert_near(aligned: tuple[Word, ...], known: list[tuple[float, float]]) -> None:
    found = np.array([(word.start, word.end) for word in aligned])
    np.testing.assert_allclose(found, np.array(known), rtol=0, atol=TOLERANCE)


def test_the_best_model_that_hears_speech_as_it_is_aligns(folder: Path, aligner: ForcedAligner) -> None:
    best = store.load_acoustic(folder / store.acoustic_file("tri"))
    np.testing.assert_array_equal(aligner.model.mixtures.means, best.mixtures.means)


def test_what_is_too_short_has_no_times_and_the_rest_has(aligner: ForcedAligner) -> None:
    whole = say(["cab", "dac"], 5)
    audio = [whole, whole[: RATE // 20], whole[:0], whole]
    first, *short, last = aligner.align(audio, [["cab", "dac"]] * 4)
    assert short == [None, None]
    assert first == last is not None
    assert aligner.align(audio[2:3], [["cab"]]) == [None]
    assert aligner.align([], []) == []


def _said(corpus: ToneCorpus, spoken: dict[str, list[str]], texts: dict[str, str]) -> ToneCorpus:
    """`spoken` in tones, by id; `texts` is what the references say of it, where that is another thing."""
    speech = {name: say(words, seed=80 + i) for i, (name, words) in enumerate(spoken.items())}
    utterances = tuple(
        Utterance(name, "s1", texts.get(name, " ".join(words)), Path(f"{name}.wav"))
        for name, words in spoken.items()
    )
    return replace(corpus, train=utterances, speech=speech)


def _with_dictionary(corpus: ToneCorpus, folder: Path, *lines: str) -> ToneCorpus:
    """The corpus's dictionary with further lines."""
    path = folder / "more.dic"
    path.write_text(corpus.dictionary.read_text() + "".join(f"{line}\n" for line in lines))
    return replace(corpus, dictionary=path)


def test_a_corpus_is_aligned_by_id(corpus: ToneCorpus, folder: Path) -> None:
    speech = _said(corpus, {"one": ["abba", "bed"], "two": ["dac"]}, {})
    found = align_corpus(folder, speech, speech.train)
    assert set(found) == {"one", "two"}
    _assert_near(found["one"], edges(["abba", "bed"], 80))
    _assert_near(found["two"], edges(["dac"], 81))
    assert HybridPipeline.align_corpus(folder, speech, speech.train[1:]) == {"two": found["two"]}


def test_what_cannot_be_aligned_is_left_out_with_its_reason(corpus: ToneCorpus, folder: Path) -> None:
    texts = {"silent": "", "long": "abba bed " * 20}
    speech = _said(corpus, {name: ["abba", "bed"] for name in ("fine", "silent", "long", "broken")}, texts)
    speech = speech.with_speech(speech.train[3], np.full(RATE, np.nan, np.float32))
    found = corpus_alignment(folder, speech, speech.train)
    assert set(found.words) == {"fine"}
    reasons = {dropped.utterance: dropped.reason for dropped in found.dropped}
    assert set(reasons) == {"silent", "long", "broken"}
    assert "too short for its words" in reasons["long"]
    assert "no words" in reasons["silent"]
    assert all(f"{name}.wav" in reason for name, reason in reasons.items())


def test_a_word_never_heard_is_said_as_the_dictionary_has_it(
    corpus: ToneCorpus, folder: Path, tmp_path: Path
) -> None:
    """A "cabbed" is for what "cab" and "bed" say together, at places in the word that they never had."""
    speech = _said(corpus, {"new": ["cab", "bed", "abba"]}, {"new": "cabbed abba"})
    speech = _with_dictionary(speech, tmp_path, "CABBED  C A B B D")
    found = align_corpus(folder, speech, speech.train)["new"]
    (begin, _), (_, end), last = edges(["cab", "bed", "abba"], 80)
    _assert_near(found, [(begin, end), last])


def test_a_word_that_the_model_cannot_say_costs_its_utterance_alone(
    corpus: ToneCorpus, folder: Path, tmp_path: Path
) -> None:
    speech = _said(corpus, {"known": ["cab"], "strange": ["abba", "bed"]}, {"strange": "abba zed"})
    speech = _with_dictionary(speech, tmp_path, "ZED  Z D")
    found = corpus_alignment(folder, speech, speech.train)
    assert set(found.words) == {"known"}
    assert [(d.utterance, "'zed'" in d.reason, "\n" in d.reason) for d in found.dropped] == [
        ("strange", True, False)
    ]


def test_the_aligner_keeps_what_it_has(aligner: ForcedAligner, corpus: ToneCorpus, tmp_path: Path) -> None:
    assert aligner.with_words(corpus, ["abba", "bed"]) is aligner
    speech = _with_dictionary(corpus, tmp_path, "DAB  D A B")
    more = aligner.with_words(speech, ["dab", "abba"])
    assert set(more.pronunciations) == {*WORDS, "dab"}
    assert "dab" not in aligner.pronunciations
    assert all(more.pronunciations[word] == said for word, said in aligner.pronunciations.items())


def test_no_hybrid_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train it first"):
        ForcedAligner.load(tmp_path)


PLACED = ("SIL", "A", "A_B", "B_B", "B_E", "C_S", "D")


def _fitted(*phones: str) -> tuple[str, ...]:
    (found,) = known_phones({"word": (phones,)}, PLACED)["word"]
    return tuple(found)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("A", "B"), ("A_B", "B_E")),  # as they are
        (("D", "A", "D"), ("D", "A", "D")),  # no such places, but the plain phones
        (("A",), ("A",)),
        (("B", "B", "B"), ("B_B", "B_B", "B_E")),  # neither inside nor plain: from another place
        (("C", "C"), ("C_S", "C_S")),
    ],
)
def test_phones_are_taken_at_their_place_or_near(said: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert _fitted(*said) == expected


def test_a_model_without_places_says_plain_phones() -> None:
    found = known_phones({"bad": (("B", "A", "D"), ("B", "D"))}, ("SIL", "A", "B", "D"))
    assert found == {"bad": (("B", "A", "D"), ("B", "D"))}


def test_a_phone_that_the_model_lacks_is_one_line_with_its_word() -> None:
    with pytest.raises(InputError) as error:
        known_phones({"bad": (("B", "A", "D"),), "zed": (("Z", "D"),)}, PLACED)
    assert str(error.value) == "'zed' is said with 'Z', a phone that the model was not trained on"
