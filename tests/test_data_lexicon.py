"""Dictionaries, CMUdict, pinyin."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import InputError
from data.lexicon import lexicon_for, read_dictionary


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


def test_mandarin_is_initials_and_tonal_finals() -> None:
    entries = lexicon_for(["你好", "儿"], None, "zh-CN", str).lexicon.entries
    assert entries == {"你好": (("n", "i3", "h", "ao3"),), "儿": (("er2",),)}


def test_another_language_says_what_is_missing() -> None:
    with pytest.raises(InputError, match=r"1 words in 'de' \(hallo\)"):
        lexicon_for(["hallo"], None, "de", str)
