"""The choice on a noisy dev set."""

from __future__ import annotations

from pathlib import Path

import jiwer
import numpy as np
import pytest
from spoken import random_tying, ways

from pipelines.fst import Arcs, const_fst
from pipelines.grammar import WordTable, grammar_graph
from pipelines.hybrid.graph import decoding_graph, with_insertion_penalty
from pipelines.hybrid.model import Tuned
from pipelines.hybrid.topology import left_to_right
from pipelines.hybrid.tune import BEAM, PENALTIES, WEIGHTS, lowest, mildest, smoothed, tune
from pipelines.ngram import estimate, write_arpa
from pipelines.search import Search

DICTIONARY = {"ab": [("A", "B")], "ba": [("B", "A")], "a": [("A",)], "bab": [("B", "A", "B")]}
WORDS = WordTable(tuple(sorted(DICTIONARY)))
TYING = random_tying(left_to_right(["A", "B"]), seed=2)
SENTENCES = (["ab", "ba"], ["bab"], ["a", "bab", "a"], ["ba"], ["ab", "a"])


def test_low_ground_beats_one_lucky_point() -> None:
    rates = np.full(7, 20.0)
    rates[3:6] = 12.0
    rates[0] = 10.0  # lucky
    assert smoothed(rates).argmin() == 4


def test_a_slope_ends_at_its_foot() -> None:
    assert smoothed(np.arange(7.0)).argmin() == 0
    assert smoothed(-np.arange(7.0)).argmin() == 6


def test_every_point_of_a_grid_can_win() -> None:
    for i in range(len(PENALTIES)):
        assert smoothed(np.abs(np.arange(len(PENALTIES)) - i)).argmin() == i


def test_of_equals_the_first_is_taken() -> None:
    assert lowest(np.array([5.0, 3.2, 3.0, 3.1]), hair=0.25) == 1
    assert lowest(np.array([5.0, 3.3, 3.0, 3.1]), hair=0.25) == 2
    assert PENALTIES[mildest(np.full(len(PENALTIES), 3.0))] == 0


@pytest.fixture
def graph(tmp_path: Path) -> Arcs:
    write_arpa(estimate([["ab"], ["ab", "ab"], ["a", "a", "ba"], ["bab"]], 2), tmp_path / "lm.arpa")
    stay = np.full(TYING.labels, 0.6)
    return decoding_graph(grammar_graph(tmp_path / "lm.arpa", WORDS), WORDS, DICTIONARY, TYING, stay)


def _noisy() -> list[np.ndarray]:
    draw, scores = np.random.default_rng(3), []
    for sentence in SENTENCES:
        labels = np.repeat(next(ways(sentence, DICTIONARY, TYING)).labels, 2)
        frames = draw.normal(0, 12, (len(labels), TYING.labels))
        frames[np.arange(len(labels)), labels] += 12
        scores.append(frames.astype(np.float32))
    return scores


def _wer(graph: Arcs, scores: list[np.ndarray], weight: float, penalty: float) -> float:
    search = Search(const_fst(with_insertion_penalty(graph, penalty)), BEAM)
    heard = [WORDS.text(search.decode(frames / np.float32(weight)).words) for frames in scores]
    return 100.0 * float(jiwer.wer([" ".join(sentence) for sentence in SENTENCES], heard))


def test_the_error_told_is_that_of_the_choice(graph: Arcs) -> None:
    scores = _noisy()
    tuned = tune(graph, WORDS, scores, [" ".join(sentence) for sentence in SENTENCES])
    rates = np.array([[_wer(graph, scores, w, p) for w in WEIGHTS] for p in PENALTIES])
    assert 0 < rates.min() < rates.max()  # otherwise there is nothing to choose
    i, j = PENALTIES.index(tuned.penalty), WEIGHTS.index(tuned.weight)
    one_word = 100.0 / sum(map(len, SENTENCES))
    assert (i, j) == (mildest(smoothed(rates[:, j])), lowest(smoothed(rates[i]), one_word))
    assert tuned.wer == pytest.approx(rates[i, j])


def test_without_references_there_are_defaults(graph: Arcs) -> None:
    assert tune(graph, WORDS, [], []) == Tuned()
    assert tune(graph, WORDS, _noisy()[:1], [""]) == Tuned()
    assert Tuned().wer is None
