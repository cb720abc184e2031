"""Pinyin as phones: what sounds alike has one name, what does not has two."""

from __future__ import annotations

import os

import pytest

from data.corpus import open_corpus
from data.mandarin import SPOKEN_NOISE, pronounced, readings


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("你好", "n i_3 h ao_3"),
        ("儿", "er_2"),
        ("去雨", "q v_4 y v_3"),  # written u, said ü
        ("女略", "n v_3 l ve_4"),
        ("四是", "s ix_4 sh iy_4"),  # three vowels that are written i
        ("因一", "y in_1 y i_1"),
        ("吗", "m a_5"),
        ("嗯", "n_2"),
        ("ok", SPOKEN_NOISE),
        ("т̌", SPOKEN_NOISE),
    ],
)
def test_how_words_are_said(word: str, phones: str) -> None:
    assert pronounced(word) == tuple(phones.split())


def test_readings_follow_the_phrase_and_how_often() -> None:
    found = readings([list("银行行长"), list("行人"), list("银行")])
    assert found["行"] == (("h", "ang_2"), ("x", "ing_2"))
    assert found["长"] == (("zh", "ang_3"),)
    rare = readings([*[list("行人")] * 99, list("银行")])
    assert rare["行"] == (("x", "ing_2"),)


@pytest.mark.skipif("ASRBENCH_CORPORA" not in os.environ, reason="needs the real corpora")
def test_every_character_of_a_real_corpus_is_said() -> None:
    corpus = open_corpus("cv-zh-CN")
    words = {w for split in corpus.splits.values() for u in split for w in corpus.normalise(u.text).split()}
    noise = {word for word in words if pronounced(word) == (SPOKEN_NOISE,)}
    assert noise == {word for word in words if not "\u3400" <= word[0] <= "\u9fff"}
    heard = readings(corpus.normalise(u.text).split() for u in corpus.train)
    phones = {phone for said in heard.values() for one in said for phone in one}
    assert len({phone.split("_")[0] for phone in phones}) < 70 and SPOKEN_NOISE not in phones
