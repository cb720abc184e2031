"""Alphabets: characters, ideographs, word pieces; what they spell they read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from data.text import normaliser
from pipelines.e2e.tokens import WRITTEN, Tokens, make_tokens, read_tokens, tokens_of

TOKENS = tokens_of(["ab", "b'"])
SENTENCES = ["the cat sat on the mat", "the hat", "a cat and a hat", "that cat", "chat the quiz"] * 4
ALPHABETS = {kind: make_tokens(SENTENCES, kind, "en", 40) for kind in WRITTEN}


@settings(max_examples=50)
@given(st.text(alphabet="ab' ", min_size=1, max_size=12))
def test_characters_spell_and_read_back(text: str) -> None:
    assert TOKENS.decode(TOKENS.encode(text)) == " ".join(text.split())


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_training_text_is_spelled_and_read_back(kind: str) -> None:
    tokens = ALPHABETS[kind]
    for sentence in [*SENTENCES, "hat that sat", "quiz"]:
        assert tokens.covers(sentence) and tokens.decode(tokens.encode(sentence)) == sentence
    assert tokens.symbols[0] == "" and 0 not in tokens.encode("the quiz")
    assert not tokens.covers("thé cat") and tokens.decode(tokens.encode("é cat")) == "cat"


def test_what_is_said_often_is_one_piece_and_no_piece_is_a_boundary_alone() -> None:
    tokens = ALPHABETS["pieces"]
    assert len(tokens.encode("the cat")) < len(
        make_tokens(SENTENCES, "ideographs", "en", 0).encode("the cat")
    )
    assert "▁" not in tokens.symbols and " " not in tokens.symbols
    assert all(tokens.begins(tokens.encode(word)[0]) for word in SENTENCES[0].split())
    grown = tokens.grown(["chat éßen"])
    assert set(grown.symbols) - set(tokens.symbols) == {"▁é", "ß"}
    assert grown.decode(grown.encode("chat éßen")) == "chat éßen"
    with pytest.raises(InputError, match=r"3 pieces.*pieces to \d+"):
        make_tokens(SENTENCES, "pieces", "en", 3)


def test_the_language_decides_whether_a_space_is_spoken() -> None:
    assert make_tokens(SENTENCES, "auto", "en", 0) == make_tokens(SENTENCES, "characters", "en", 0)
    texts = [normaliser("zh-CN")(text) for text in ("我们好！", "你好, WiFi")]
    tokens = make_tokens(texts, "auto", "zh-CN", 0)
    assert tokens.kind == "ideographs" and not tokens.spaced
    assert [len(tokens.encode(text)) for text in texts] == [3, 6]
    assert [tokens.decode(tokens.encode(text)) for text in texts] == texts


@pytest.mark.parametrize("kind", WRITTEN)
def test_alphabets_are_the_same_again_and_are_read_back(kind: str, tmp_path: Path) -> None:
    tokens = ALPHABETS[kind]
    assert make_tokens(SENTENCES, kind, "en", 40) == tokens
    tokens.write(tmp_path / "tokens.json")
    again = read_tokens(tmp_path / "tokens.json")
    assert again == tokens and again.kind == tokens.kind
    assert again.encode("that cat") == tokens.encode("that cat")


def test_alphabets_without_characters_and_broken_files_are_named(tmp_path: Path) -> None:
    TOKENS.write(tmp_path / "tokens.json")
    assert read_tokens(tmp_path / "tokens.json") == TOKENS == Tokens(("", " ", "'", "a", "b"))
    for kind in WRITTEN:
        with pytest.raises(InputError, match="empty"):
            make_tokens(["", "  "], kind, "en", 40)
    (tmp_path / "tokens.json").write_text('{"symbols": ["", " ", "a"]}')  # from before there were kinds
    assert read_tokens(tmp_path / "tokens.json").kind == "characters"
    (tmp_path / "tokens.json").write_text("[]")
    with pytest.raises(InputError, match="alphabet"):
        read_tokens(tmp_path / "tokens.json")
    ALPHABETS["pieces"].write(tmp_path / "tokens.json")
    for broken in (b"no model", None):
        (tmp_path / "pieces.model").unlink()
        if broken:
            (tmp_path / "pieces.model").write_bytes(broken)
        with pytest.raises(InputError, match="word pieces"):
            read_tokens(tmp_path / "tokens.json")
