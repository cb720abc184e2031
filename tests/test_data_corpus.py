"""Opening corpora: found, cleaned, held out, heard in conditions; bad input costs an utterance, not a run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_fixtures import write_an4, write_audio, write_text

from data.corpus import Corpus, known_corpora, open_corpus
from data.errors import InputError
from data.layouts.shape import Skipped

REAL = os.environ.get("ASRBENCH_CORPORA")


@pytest.fixture(autouse=True)
def _no_real_corpora(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ASRBENCH_CORPORA", raising=False)
    monkeypatch.setenv("ASRBENCH_CACHE", str(tmp_path / "cache"))


def manifest(folder: Path, split: str, *rows: tuple[str, str, str]) -> None:
    """Rows of id, audio file and text; the audio is written unless it is there."""
    for _, name, _ in rows:
        if not (folder / name).exists():
            write_audio(folder / name)
    lines = [
        json.dumps({"id": key, "audio": name, "text": text, "speaker": key[0]}) for key, name, text in rows
    ]
    write_text(folder / f"{split}.jsonl", *lines)


def reasons(corpus: Corpus) -> dict[str, str]:
    return {entry.utterance: entry.reason for entry in corpus.skipped}


def test_an4_from_a_root(tmp_path: Path) -> None:
    write_an4(tmp_path)
    corpus = open_corpus("an4", root=tmp_path)
    assert (corpus.name, corpus.language, corpus.sample_rate) == ("an4", "en", 16_000)
    assert {split: len(members) for split, members in corpus.splits.items()} == {
        "train": 4,
        "test": 1,
        "dev": 10,
    }
    assert not {u.speaker for u in corpus.train} & {u.speaker for u in corpus.dev}
    assert corpus.dictionary == tmp_path / "an4" / "etc" / "an4.dic"
    assert corpus.language_model is None and corpus.text is None  # this AN4 brings no LM along
    again = open_corpus("an4", root=tmp_path)
    assert [u.id for u in again.dev] == [u.id for u in corpus.dev]


def test_environment_cache_and_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"run: asrbench corpus get an4, or set ASRBENCH_CORPORA"):
        open_corpus("an4")
    with pytest.raises(InputError, match=r"corpus common-voice is not on this machine; get it from https"):
        open_corpus("common-voice")
    folder = write_an4(tmp_path / "roots")
    monkeypatch.setenv("ASRBENCH_CORPORA", str(tmp_path / "roots"))
    assert open_corpus("an4").root == folder
    shutil.copytree(folder, tmp_path / "cache" / "an4")
    monkeypatch.delenv("ASRBENCH_CORPORA")
    assert open_corpus("an4").root == tmp_path / "cache" / "an4"
    assert open_corpus("an4", cache=tmp_path / "cache").root == tmp_path / "cache" / "an4"


def test_too_few_speakers_to_hold_out(tmp_path: Path) -> None:
    write_an4(tmp_path, speakers=5)
    with pytest.raises(InputError, match="cannot hold out 5 of 5 training speakers"):
        open_corpus("an4", root=tmp_path)


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="unknown corpus 'an5'; did you mean 'an4'"):
        open_corpus("an5")
    with pytest.raises(InputError, match="no such folder"):
        open_corpus("nowhere/at/all")
    assert "quick" in known_corpora() and "librispeech" in known_corpora()


def test_a_bare_folder(tmp_path: Path) -> None:
    write_audio(tmp_path / "mine" / "one.mp3", 1.0, 44_100)
    write_text(tmp_path / "mine" / "one.txt", "It's $5.")
    corpus = open_corpus(tmp_path / "mine")
    (utterance,) = corpus.split("test")
    assert corpus.normalise(utterance.text) == "it is five dollars"
    assert corpus.audio(utterance).sample_rate == 16_000
    with pytest.raises(InputError, match="has no split 'tset'; did you mean 'test'"):
        corpus.split("tset")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no folder shape that asrbench knows"):
        open_corpus(tmp_path / "empty")


def test_a_card_of_ones_own_beside_its_folder(tmp_path: Path) -> None:
    manifest(tmp_path / "calls", "test", ("a", "a.wav", "one"))
    text = 'name = "calls"\ntitle = "Calls"\nlanguages = "en"\nlicence = "none"\nlayout = "manifest"\n'
    (tmp_path / "calls.toml").write_text(text + 'sample_rate = 8000\n[splits]\ntest = "test.jsonl"\n')
    corpus = open_corpus(str(tmp_path / "calls.toml"))
    assert corpus.audio(corpus.split("test")[0]).sample_rate == 8000


def test_general_text_lies_beside_the_corpora(tmp_path: Path) -> None:
    manifest(tmp_path / "calls", "test", ("a", "a.wav", "one"))
    text = 'name = "calls"\ntitle = "Calls"\nlanguages = "en"\nlicence = "none"\nlayout = "manifest"\n'
    card = text + 'sample_rate = 8000\ngeneral_text = "text/books"\n[splits]\ntest = "test.jsonl"\n'
    (tmp_path / "calls.toml").write_text(card)
    (tmp_path / "short.toml").write_text(card.replace("text/books", "text/books/a.txt"))
    corpus = open_corpus(
        str(tmp_path / "calls.toml")
    )  # opens all the same: only a training asks for the text
    with pytest.raises(InputError, match=r"calls\.toml: the text 'text/books' that the card names .* not on"):
        _ = corpus.general_text
    books = [write_text(tmp_path / "text" / "books" / f"{name}.txt", "Hello.") for name in ("a", "b")]
    write_text(tmp_path / "text" / "books" / "README", "no book")
    assert open_corpus(str(tmp_path / "calls.toml")).general_text == tuple(books)
    assert open_corpus(str(tmp_path / "short.toml")).general_text == (books[0],)
    assert open_corpus(tmp_path / "calls").general_text == ()


def test_what_cannot_be_used_is_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    manifest(
        tmp_path,
        "train",
        ("a1", "a1.wav", "one"),
        ("a1", "a2.wav", "two"),
        ("a3", "a3.wav", "[noise] ..."),
        ("a4", "empty.wav", "four"),
        ("a5", "gone.wav", "five"),
        ("t1", "a6.wav", "six"),
        ("a7", "a7.wav", "seven"),
        ("a8", "a8.wav", "<b>eight</b>"),
    )
    (tmp_path / "gone.wav").unlink()
    manifest(tmp_path, "test", ("t1", "t1.wav", "one"), ("t2", "t2.wav", "two"))
    shutil.copy(tmp_path / "a7.wav", tmp_path / "t2.wav")  # the same recording under another name
    corpus = open_corpus(tmp_path)
    assert [(u.id, u.text) for u in corpus.train] == [("a1", "one"), ("a8", "<b>eight</b>")]
    assert [u.id for u in corpus.split("test")] == ["t1", "t2"]
    assert reasons(corpus) == {
        "a1": "train.jsonl:2: this id occurs twice",
        "a3": "its reference is empty after normalisation ('[noise] ...')",
        "a4": f"empty audio file: {tmp_path / 'empty.wav'}",
        "a5": f"no such audio file: {tmp_path / 'gone.wav'}",
        "t1": "is in two splits: kept in test, left out of train",
        "a7": "is in two splits: kept in test, left out of train",
    }


def test_nothing_usable(tmp_path: Path) -> None:
    manifest(tmp_path, "test", ("a", "a.wav", "..."))
    with pytest.raises(InputError, match="holds no usable utterance: its reference is empty"):
        open_corpus(tmp_path)


def test_audio_in_every_condition(tmp_path: Path) -> None:
    manifest(tmp_path, "test", *((f"{letter}1", f"{letter}1.wav", "one") for letter in "abcde"))
    corpus = open_corpus(tmp_path)
    utterance = corpus.split("test")[0]
    clean = corpus.audio(utterance).samples
    for condition in ("noisy", "telephone"):
        heard = corpus.audio(utterance, condition).samples
        assert heard.shape == clean.shape and not np.array_equal(heard, clean)
        again = open_corpus(tmp_path).audio(utterance, condition).samples
        np.testing.assert_array_equal(heard, again)
    with pytest.raises(InputError, match="unknown condition 'nosy'; did you mean 'noisy'"):
        corpus.audio(utterance, "nosy")


def test_audio_that_breaks_names_its_file(tmp_path: Path) -> None:
    manifest(tmp_path, "test", ("a", "a.wav", "one"))
    soundfile.write(tmp_path / "a.wav", np.array([np.nan, 0.1], dtype=np.float32), 16_000, subtype="FLOAT")
    corpus = open_corpus(tmp_path)
    with pytest.raises(InputError, match=r"a\.wav: holds samples that are not numbers"):
        corpus.audio(corpus.split("test")[0])


def test_fingerprint_follows_content_alone(tmp_path: Path) -> None:
    manifest(tmp_path / "x", "test", ("a", "a.wav", "one"), ("b", "b.wav", "two"))
    shutil.copytree(tmp_path / "x", tmp_path / "y")
    first = open_corpus(tmp_path / "x").fingerprint("test")
    assert first == open_corpus(tmp_path / "y").fingerprint("test") and len(first) == 64
    write_audio(tmp_path / "y" / "a.wav", 0.4)
    assert open_corpus(tmp_path / "y").fingerprint("test") != first
    manifest(tmp_path / "x", "test", ("a", "a.wav", "one"), ("b", "b.wav", "three"))
    assert open_corpus(tmp_path / "x").fingerprint("test") != first


@pytest.mark.skipif(not REAL, reason="ASRBENCH_CORPORA is not set")
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("an4", {"train": 883, "dev": 65, "test": 130}),
        ("fsdd", {"train": 2250, "dev": 450, "test": 300}),
        ("librispeech-sub", {"train": 1241, "dev": 171, "test": 272}),
        ("cv-en-sub", {"train": 583, "dev": 42, "test": 88}),
        ("cv-zh-CN", {"train": 4076, "dev": 179, "test": 539}),
    ],
)
def test_real_corpora(name: str, counts: dict[str, int]) -> None:
    corpus = open_corpus(name, root=Path(REAL or ""))
    assert {split: len(members) for split, members in corpus.splits.items()} == counts
    assert corpus.skipped == ()
    if name == "an4":
        words = [corpus.normalise(u.text).split() for u in corpus.split("test")]
        assert sum(map(len, words)) == 773
        assert corpus.dictionary is not None
        entries = [line.split()[0].split("(")[0] for line in corpus.dictionary.read_text().splitlines()]
        assert [corpus.normalise(entry) for entry in entries] == [entry.lower() for entry in entries]


def test_skipped_is_a_pair() -> None:
    name, reason = Skipped("a", "why")
    assert (name, reason) == ("a", "why")
