"""What `asrbench corpus list | show | check` say."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus_fixtures import write_an4, write_audio, write_text

from data.check import check, describe, list_corpora
from data.corpus import open_corpus
from data.errors import InputError


def test_report_of_an_an4(tmp_path: Path) -> None:
    folder = write_an4(tmp_path)
    write_text(folder / "etc" / "an4_test.transcription", "HELLO SA (an9-t00-b)")
    corpus = open_corpus("an4", root=tmp_path)
    calls: list[float] = []
    report = check(corpus, lambda done, total, note="": calls.append(done / total))
    splits = {split.split: split for split in report.splits}
    assert splits["train"].utterances == 4 and splits["train"].speakers == 2
    assert splits["train"].hours == pytest.approx(4 * 0.3 / 3600)
    assert splits["dev"].repeated_sentences == 5  # everyone says the same sentence twice
    assert splits["test"].oov_against == "dictionary" and splits["test"].oov_tokens == 0
    everything = splits["train"].oov_types + splits["dev"].oov_types
    assert sorted(everything) == ["sc", "sd", "se", "sf", "sg"]
    (overlap,) = report.overlaps
    assert (overlap.first, overlap.second, overlap.sentences) == ("train+dev", "test", 1)
    assert report.sound and report.normaliser == "en-1"
    assert calls[-1] == 1.0


def test_oov_against_train_and_broken_files(tmp_path: Path) -> None:
    for split, words in (("train", "one two"), ("test", "two three three")):
        write_audio(tmp_path / split / f"{split}.wav")
        write_text(tmp_path / split / f"{split}.txt", words)
    (tmp_path / "train" / "bad.wav").write_bytes(b"no audio in here")
    write_text(tmp_path / "train" / "bad.txt", "four")
    corpus = open_corpus(tmp_path)
    report = check(corpus)
    splits = {split.split: split for split in report.splits}
    assert splits["train"].oov_tokens is None
    assert (splits["test"].oov_against, splits["test"].oov_types, splits["test"].oov_tokens) == (
        "train",
        ("three",),
        2,
    )
    ((name, reason),) = splits["train"].broken
    assert name == "bad" and "cannot be read as audio" in reason
    assert not report.sound


def test_list_and_describe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASRBENCH_CORPORA", raising=False)
    write_an4(tmp_path)
    entries = {entry.card.name: entry for entry in list_corpora(root=tmp_path, cache=tmp_path)}
    assert entries["an4"].folder == tmp_path / "an4"
    assert entries["thchs30"].folder is None
    assert describe("an4", root=tmp_path).card.title.startswith("CMU AN4")
    with pytest.raises(InputError, match="did you mean 'fsdd'"):
        describe("fssd")
