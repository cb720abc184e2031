"""What a block plays: capped by a seeded choice, without references, broken audio counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bench_fixture import experiment, make_corpus

from bench.cells import Block, blocks, playlist
from bench.experiment import read_experiment
from bench.word_times import WordTimes, corpus_word_times, read_word_times, write_word_times
from data.corpus import open_corpus
from data.errors import InputError
from data.types import Word


def block(folder: Path, scenario: str) -> Block:
    return blocks(read_experiment(experiment(folder, {"null": "null"}, scenario)))[0]


def test_a_playlist_holds_no_reference_and_counts_the_broken(tmp_path: Path) -> None:
    corpus = open_corpus(make_corpus(tmp_path))
    made = playlist(corpus, block(tmp_path, '[[scenario]]\nkind = "offline"'), seed=1)
    assert [item.utterance for item in made.items] == ["test0", "test1", "test2", "test3"]
    assert made.references["test1"] == "hello again"
    assert not any("hello" in str(vars(item)) for item in made.items)
    assert [row.utterance for row in made.broken] == ["broken"]
    assert made.broken[0].error


def test_a_cap_chooses_by_the_seed(tmp_path: Path) -> None:
    corpus = open_corpus(make_corpus(tmp_path, utterances=12))
    capped = block(tmp_path, '[[scenario]]\nkind = "single"\nutterances = 4')
    names = [[item.utterance for item in playlist(corpus, capped, seed).items] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    partly = block(tmp_path, '[[scenario]]\nkind = "offline"\nrepeat_utterances = 3')
    made = playlist(corpus, partly, 1)
    assert (len(made.items), len(made.first(3))) == (12, 3)


def test_records_name_a_corpus_without_its_place(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    assert (
        block(tmp_path, '[[scenario]]\nkind = "offline"').tasks[0].cell.key == "small/test/clean/null/offline"
    )


def test_word_times_come_from_the_manifest(tmp_path: Path) -> None:
    folder = make_corpus(tmp_path)
    manifest = folder / "test.jsonl"
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows[0] |= {"id": "one", "words": [["hello", 0.1, 0.25]]}
    rows[1] |= {"id": "two", "words": "nothing of use"}
    manifest.write_text("\n".join(map(json.dumps, rows)) + "\n")
    times = corpus_word_times(open_corpus(folder), "test")
    assert times.words == {"one": (Word("hello", 0.1, 0.25),)}
    assert (times.first_end("one"), times.first_end("two")) == (0.25, None)


def test_word_times_survive_their_file(tmp_path: Path) -> None:
    times = WordTimes({"u": (Word("größe", 0.25, 0.5), Word("b", 0.5, 1.0)), "silent": ()}, "aligned by x")
    write_word_times(tmp_path / "t.json", times)
    assert read_word_times(tmp_path / "t.json") == times
    for broken in ("[]", "{", '{"words": {"u": [["a", 1]]}}', '{"words": {"u": [["a", "x", 2]]}}'):
        (tmp_path / "t.json").write_text(broken)
        with pytest.raises(InputError, match="holds no word times"):
            read_word_times(tmp_path / "t.json")


def test_nothing_to_play_is_one_line(tmp_path: Path) -> None:
    corpus = open_corpus(make_corpus(tmp_path))
    broken = tuple(u for u in corpus.split("test") if u.id == "broken")
    only = replace(corpus, splits={"test": broken})
    with pytest.raises(InputError, match="no usable utterance"):
        playlist(only, block(tmp_path, '[[scenario]]\nkind = "offline"'), 1)
