"""What a corpus gives the training: its vocabulary, its texts, its own language model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tones import ToneCorpus, tone_corpus

from data.errors import InputError
from pipelines.hybrid.prepare import (
    Dropped,
    arpa_words,
    own_language_model,
    pronounce,
    refuse_too_many,
    trigram,
    vocabulary,
)
from pipelines.hybrid.settings import TrainSettings
from pipelines.ngram import estimate

ARPA = "\\data\\\nngram 1=5\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-1\tABBA\n-1\tBED\n-1\tZEBRA\n\n\\end\\\n"


@pytest.fixture
def corpus(tmp_path: Path) -> ToneCorpus:
    (tmp_path / "own.lm").write_text(ARPA)
    (tmp_path / "text.txt").write_text("CAB BED\n\nDAC\n")
    plain = tone_corpus(tmp_path, utterances=4, dev=1)
    return replace(plain, language_model=tmp_path / "own.lm", text=tmp_path / "text.txt")


def test_words_that_nobody_can_say_stay_out(corpus: ToneCorpus) -> None:
    assert corpus.language_model is not None
    assert arpa_words(corpus.language_model, str.lower) == {"abba", "bed", "zebra"}
    text = estimate([["cab", "bed"], ["dac"]], 2)
    assert vocabulary(corpus, [("abba",)], text, TrainSettings()) == {"abba", "bed", "cab", "dac"}
    only = TrainSettings(lms=("trigram",))
    assert vocabulary(corpus, [("abba",)], text, only) == {"abba", "bed", "cab", "dac"}


def test_language_models_of_the_corpus_and_its_text(corpus: ToneCorpus, tmp_path: Path) -> None:
    pronunciations, guessed = pronounce(corpus, ["abba", "bed", "cab", "dac"])
    assert (guessed, pronunciations["cab"]) == (0, (("C", "A", "B"),))
    assert own_language_model(corpus, pronunciations, tmp_path / "own.arpa") == (4,)
    model = estimate([["abba", "bed"], ["cab", "dac"], ["zebra"]], 3)
    counts = trigram(model, pronunciations, tmp_path / "tri.arpa")
    assert counts[0] == 6  # four words, <s> and </s>; <unk> is no word to recognise
    assert "abba bed" in (tmp_path / "tri.arpa").read_text()


def test_five_per_cent_may_be_lost() -> None:
    lost = [Dropped("u1", "u1.wav: too short")]
    refuse_too_many(lost, 20)
    with pytest.raises(InputError, match=r"1 of 19 .* u1: u1.wav: too short"):
        refuse_too_many(lost, 19)
    with pytest.raises(InputError, match="no training utterances"):
        refuse_too_many([], 0)
