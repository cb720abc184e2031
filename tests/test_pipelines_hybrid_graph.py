"""The decoding graph accepts exactly the words' state sequences, homophones and prefixes among them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from pipelines.fst import const_fst
from pipelines.grammar import WordTable, grammar_graph
from pipelines.hybrid.graph import decoding_graph, with_insertion_penalty
from pipelines.hybrid.topology import SILENCE, Topology, left_to_right
from pipelines.hybrid.word_times import word_spans
from pipelines.ngram import estimate, write_arpa
from pipelines.search import Beam, Search

TOPOLOGY = left_to_right(["A", "B", "C"])
# "ay" and "eh" sound alike, "ab" begins "abc", "see" has two pronunciations
DICTIONARY = {
    "ab": [("A", "B")],
    "abc": [("A", "B", "C")],
    "ay": [("A",)],
    "eh": [("A",)],
    "see": [("C",), ("C", "C")],
}
WORDS = WordTable(tuple(sorted(DICTIONARY)))
STAY = np.full(TOPOLOGY.states, 0.6)


def _search(tmp_path: Path, penalty: float = 0.0, order: int = 2) -> Search:
    text = [["ab", "see"], ["abc", "ay"], ["eh"], ["eh", "eh", "see"], ["see", "ab"]]
    write_arpa(estimate(text, order), tmp_path / "lm.arpa")
    graph = decoding_graph(grammar_graph(tmp_path / "lm.arpa", WORDS), WORDS, DICTIONARY, TOPOLOGY, STAY)
    return Search(const_fst(with_insertion_penalty(graph, penalty)), Beam(beam=500.0))


def _frames(phones: list[str], each: int = 2, topology: Topology = TOPOLOGY) -> np.ndarray:
    """Log-likelihoods that allow for one state sequence alone."""
    states = [s for phone in phones for s in topology.states_of(phone) for _ in range(each)]
    scores = np.full((len(states), topology.states), -100.0, np.float32)
    scores[np.arange(len(states)), states] = 0.0
    return scores


@pytest.mark.parametrize("sentence", [list(s) for s in itertools.product(["ab", "see"], repeat=3)])
@pytest.mark.parametrize("order", [1, 3])
def test_every_sentence_is_found_with_its_times(tmp_path: Path, sentence: list[str], order: int) -> None:
    phones = [SILENCE]
    for word in sentence:
        phones += [*DICTIONARY[word][-1], SILENCE]
    path = _search(tmp_path, order=order).decode(_frames(phones))
    found = [WORDS.words[w - 1] for w in path.words]
    assert found == sentence
    assert path.final
    at, expected = 6, []
    for word in sentence:
        frames = 6 * len(DICTIONARY[word][-1])
        expected.append((at, at + frames))
        at += frames + 6
    assert word_spans(path, found, DICTIONARY, TOPOLOGY) == tuple(expected)


def test_no_silence_is_needed(tmp_path: Path) -> None:
    path = _search(tmp_path).decode(_frames(["A", "B", "C", "C"], each=1))
    assert [WORDS.words[w - 1] for w in path.words] == ["ab", "see"]
    assert len(path.labels) == 12


def test_homophones_go_by_the_language_model(tmp_path: Path) -> None:
    path = _search(tmp_path).decode(_frames([SILENCE, "A", SILENCE]))
    assert [WORDS.words[w - 1] for w in path.words] == ["eh"]


def test_the_penalty_is_paid_for_each_word(tmp_path: Path) -> None:
    frames = _frames(["A", SILENCE, "C"])
    free, dear = _search(tmp_path).decode(frames), _search(tmp_path, penalty=2.5).decode(frames)
    assert free.words == dear.words
    assert dear.cost - free.cost == pytest.approx(2.5 * len(free.words), abs=1e-3)


def test_a_cut_off_word_still_has_times(tmp_path: Path) -> None:
    path = _search(tmp_path).decode(_frames([SILENCE, "A", "B"])[:-3])
    words = [WORDS.words[w - 1] for w in path.words]
    assert len(word_spans(path, words, DICTIONARY, TOPOLOGY)) == len(words)
