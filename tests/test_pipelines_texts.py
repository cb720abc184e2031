"""The language model that both roads share."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tones import tone_corpus

from data.errors import InputError
from pipelines.ngram import UNKNOWN, estimate, perplexity
from pipelines.texts import common_words, corpus_model, general_sentences, text_model, text_sentences


def _text(sentences: int, seed: int, step: int) -> list[list[str]]:
    draw = random.Random(seed)
    text = []
    for _ in range(sentences):
        at = draw.randrange(30)
        text.append([f"w{(at + i * step) % 30}" for i in range(draw.randint(2, 8))])
    return text


def test_without_books_it_is_the_plain_model() -> None:
    own = _text(50, 1, 1)
    found = text_model(own, dev=_text(10, 2, 1))
    plain = estimate(own, 3)
    assert (found.general_share, found.model.tables) == (0.0, plain.tables)
    assert found.dev == perplexity(plain, _text(10, 2, 1))
    assert text_model(own).dev is None


def test_books_help_as_much_as_they_fit() -> None:
    own, books, dev = _text(8, 1, 1), _text(300, 3, 1), _text(30, 2, 1)
    near = text_model(own, books, dev, threshold=0.0)
    far = text_model(_text(200, 1, 1), _text(300, 3, 7), dev, threshold=0.0)
    assert near.general_share > 0.8
    assert far.general_share < 0.3
    assert near.dev is not None
    assert near.dev.value < perplexity(estimate(own, 3, near.model.words), dev).value
    assert sum(text_model(own, books, dev, threshold=1e-2).model.counts) < sum(near.model.counts)


def test_dev_joins_once_the_weights_are_found() -> None:
    own, books, dev = _text(8, 1, 1), _text(300, 3, 1), [*_text(30, 2, 1), ["new", "word"]]
    for general in ([], books):
        apart = text_model(own, general, dev)
        joined = text_model(own, general, dev, join_dev=True)
        assert joined.unheard.tables == apart.model.tables == apart.unheard.tables
        assert (joined.general_share, joined.dev) == (apart.general_share, apart.dev)
        assert {*apart.model.words, "new", "word"} <= set(joined.model.words)
    assert (
        text_model([*own, *dev], join_dev=True).model.tables
        == text_model(own, dev=dev, join_dev=True).model.tables
    )


def test_the_vocabulary_is_all_that_was_said_and_what_is_common() -> None:
    assert common_words([["b", "a", "c"], ["c", UNKNOWN, UNKNOWN]], 2) == {"c", "a"}
    books = [["a", "a", "b"], ["a", "b", "c", "d"]]
    found = text_model([["once"]], books, general_words=2, known=frozenset("dx"))
    assert set(found.model.words[3:]) == {"once", "a", "b", "d"}


def test_of_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("CAB BED\n\nDAC\n")
    (tmp_path / "book.txt").write_text("A book\nsays abba. And bed!\n")
    plain = tone_corpus(tmp_path, utterances=6, dev=2)
    strange = replace(plain.train[0], text="ABBA </s> BED")
    plain = replace(plain, train=(strange, *plain.train[1:]))
    corpus = replace(plain, text=tmp_path / "text.txt", general_text=(tmp_path / "book.txt",))
    assert list(text_sentences(corpus)) == [["cab", "bed"], ["dac"]]
    assert len(list(general_sentences(corpus))) == 2
    found = corpus_model(corpus)
    assert found.dev is not None and found.dev.unknown == 0
    assert {"book", "dac"} <= set(found.model.words)
    assert 0.0 < found.general_share < 0.5
    assert list(text_sentences(plain)) == list(general_sentences(plain)) == []


def test_text_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"\xff\xfe\x00")
    corpus = replace(tone_corpus(tmp_path, utterances=2, dev=1), text=tmp_path / "text.txt")
    with pytest.raises(InputError, match=r"text\.txt: text that cannot be read as UTF-8"):
        list(text_sentences(corpus))
