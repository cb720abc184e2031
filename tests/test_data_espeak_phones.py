"""espeak-ng's phonemes, from the engine itself in its own process."""

from __future__ import annotations

from pathlib import Path

import pytest

from data import espeak_phones as module
from data.errors import InputError
from data.espeak_phones import espeak_phones


def test_german_and_spanish(tmp_path: Path) -> None:
    german = espeak_phones(["hallo", "straße", "mädchen"], "de", tmp_path)
    assert german["hallo"] == ("h", "a", "l", "oː")
    assert german["straße"][:3] == ("ʃ", "t", "ɾ")
    assert espeak_phones(["niño"], "es", tmp_path) == {"niño": ("n", "i", "ɲ", "o")}


def test_a_word_sounds_alike_whatever_came_before(tmp_path: Path) -> None:
    words = ["gracias", "hola", "computer", "zwei", "42", "gracias"]
    together = espeak_phones(words, "es", tmp_path / "one")
    for word in words:
        assert espeak_phones([word], "es", tmp_path / word) == {word: together[word]}
    assert not any(mark in phone for said in together.values() for phone in said for mark in "ˈˌ()_ ")


def test_the_engine_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = espeak_phones(["bonjour", "…"], "fr", tmp_path)
    assert first["…"] == ()
    with monkeypatch.context() as patched:
        patched.setattr(module.subprocess, "run", None)  # would raise were it called
        assert espeak_phones(["…", "bonjour"], "fr", tmp_path) == first
    (path,) = tmp_path.iterdir()
    path.write_text("[spoiled")
    assert espeak_phones(["bonjour"], "fr", tmp_path)["bonjour"] == first["bonjour"]


def test_an_unknown_language_names_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"speaks no 'eng' \(the nearest it speaks: .*en-"):
        espeak_phones(["a"], "eng", tmp_path)
    with pytest.raises(InputError, match="speaks no 'qqq'"):
        espeak_phones(["a"], "qqq", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_region_without_a_voice_has_its_languages(tmp_path: Path) -> None:
    assert espeak_phones(["hallo"], "de_AT", tmp_path) == espeak_phones(["hallo"], "de", tmp_path)
    assert espeak_phones(["dia"], "pt-BR", tmp_path) != espeak_phones(["dia"], "pt-PT", tmp_path)
