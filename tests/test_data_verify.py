"""Broken files cost themselves, are found once, and found again when they change."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus_fixtures import write_audio, write_text

from data.corpus import Corpus, open_corpus
from data.verify import verified


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    for name in ("a", "b", "bad"):
        write_audio(tmp_path / "mine" / "test" / f"{name}.wav")
        write_text(tmp_path / "mine" / "test" / f"{name}.txt", "word")
    (tmp_path / "mine" / "test" / "bad.wav").write_bytes(b"no audio in here")
    return open_corpus(tmp_path / "mine")


def ids(corpus: Corpus) -> list[str]:
    return [utterance.id for utterance in corpus.split("test")]


def test_broken_files_are_skipped_and_counted(corpus: Corpus) -> None:
    sound = verified(corpus)
    assert ids(corpus) == ["a", "b", "bad"] and ids(sound) == ["a", "b"]
    ((name, reason),) = sound.skipped
    assert name == "bad" and "bad.wav: cannot be read as audio" in reason
    assert sound.audio(sound.split("test")[0], "noisy").seconds == pytest.approx(0.3)


def test_sound_files_are_decoded_once_until_they_change(corpus: Corpus, tmp_path: Path) -> None:
    decoded: list[float] = []

    def count(done: float, total: float, note: str = "") -> None:
        decoded.append(total)

    for expected in (3, 1):  # the broken one stays in doubt
        decoded.clear()
        assert ids(verified(corpus, count, tmp_path / "cache")) == ["a", "b"]
        assert decoded == [expected] * expected
    (tmp_path / "mine" / "test" / "b.wav").write_bytes(b"broken in the meantime")
    assert ids(verified(corpus, count, tmp_path / "cache")) == ["a"]


@pytest.mark.parametrize("content", [b"", b"{]", b"3", b"\xff"])
def test_a_damaged_memory_is_made_anew(corpus: Corpus, tmp_path: Path, content: bytes) -> None:
    memory = tmp_path / "cache" / "verified" / "mine.json"
    memory.parent.mkdir(parents=True)
    memory.write_bytes(content)
    assert ids(verified(corpus, cache=tmp_path / "cache")) == ["a", "b"]
    assert memory.read_bytes() != content
