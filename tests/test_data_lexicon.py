"""Dictionaries, CMUdict, pinyin."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import InputError
from data.lexicon import known_words, lexicon_for, read_dictionary


def _lower(text: str) -> str:
    return text.lower().replace("it's", "it is")


def test_variants_are_gathered_and_stress_removed(tmp_path: Path) -> None:
    path = tmp_path / "dictionary"
    path.write_text(";;; a comment\nA  AH0\nA(2)  EY1\nIT'S  IH T S\n\nRUBOUT R AH1 B AW2 T\n")
    lexicon = read_dictionary(path, _lower)
    assert lexicon.entries == {"a": (("AH",), ("EY",)), "rubout": (("R", "AH", "B", "AW", "T"),)}
    assert lexicon.phones == ("AH", "AW", "B", "EY", "R", "T")


def test_a_word_without_phones_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "dictionary"
    path.write_text("A AH\nBROKEN\n")
    with pytest.raises(InputError, match=r"dictionary:2: 'BROKEN' has no phones"):
        read_dictionary(path, _lower)


def test_the_dictionary_comes_before_cmudict(tmp_path: Path) -> None:
    path = tmp_path / "dictionary"
    path.write_text("HELLO OY\n")
    report = lexicon_for(["hello", "world", "world"], path, "en-US", _lower)
    assert report.lexicon.entries == {"hello": (("OY",),), "world": (("W", "ER", "L", "D"),)}
    assert (report.from_dictionary, report.from_cmudict, report.from_g2p) == (1, 1, ())
    assert {"hello", "world"} < known_words(path, "en-US", _lower)
    assert known_words(path, "de", _lower) == {"hello"}


def test_mandarin_by_the_readings_of_the_training_text() -> None:
    sentences = [list("银行"), list("行人"), list("行人"), ["ok", "好"]]
    report = lexicon_for(["行", "好", "你好", "ok"], None, "zh-CN", str, sentences=sentences)
    assert report.lexicon.entries == {
        "行": (("x", "ing_2"), ("h", "ang_2")),
        "好": (("h", "ao_3"),),
        "你好": (("n", "i_3", "h", "ao_3"),),
        "ok": (("SPN",),),
    }
    assert report.from_g2p == ("ok",)


def test_another_language_by_espeak(tmp_path: Path) -> None:
    report = lexicon_for(["hallo", "zwei"], None, "de", str, tmp_path)
    assert report.lexicon.entries["zwei"] == (("ts", "v", "aɪ"),)
    assert report.from_g2p == ("hallo", "zwei")
    with pytest.raises(InputError, match=r"cannot say 1 words \(…\) in 'de'"):
        lexicon_for(["…"], None, "de", str, tmp_path)


def test_a_dictionary_in_another_language_has_to_hold_every_word(tmp_path: Path) -> None:
    (tmp_path / "german").write_text("hallo H A L O\n")
    assert lexicon_for(["hallo"], tmp_path / "german", "de", str).from_dictionary == 1
    with pytest.raises(InputError, match=r"german: no pronunciations for 1 words \(welt\) in 'de'"):
        lexicon_for(["hallo", "welt"], tmp_path / "german", "de", str)
