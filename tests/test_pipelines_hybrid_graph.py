"""The decoding graph accepts exactly the words' state sequences, homophones and prefixes among them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from spoken import Way, random_tying, ways

from pipelines.fst import Arcs, arcs_of, const_fst, vector_fst
from pipelines.grammar import WordTable, grammar_graph
from pipelines.hybrid.graph import (
    SELF_LOOP_SCALE,
    SILENCE_PROBABILITY,
    decoding_graph,
    with_insertion_penalty,
)
from pipelines.hybrid.topology import SILENCE, left_to_right
from pipelines.hybrid.tying import Tying, context_independent
from pipelines.hybrid.word_times import word_spans
from pipelines.ngram import estimate, write_arpa
from pipelines.search import Beam, Search
from pipelines.search import Path as BestPath

TOPOLOGY = left_to_right(["A", "B", "C"])
# "ay" and "eh" sound alike, "ab" begins "abc", "see" has two pronunciations
DICTIONARY = {
    "ab": [("A", "B")],
    "abc": [("A", "B", "C")],
    "ay": [("A",)],
    "eh": [("A",)],
    "see": [("C",), ("C", "C")],
}
TEXT = [["ab", "see"], ["abc", "ay"], ["eh"], ["eh", "eh", "see"], ["see", "ab"]]
WORDS = WordTable(tuple(sorted(DICTIONARY)))
PLAIN = context_independent(TOPOLOGY)
TYINGS = {"monophones": PLAIN, "triphones": random_tying(TOPOLOGY, 1), "others": random_tying(TOPOLOGY, 7, 5)}
OFF_PATH = -100.0
QUANTISED = 0.01  # determinisation rounds weights to 1 / 1024


def _self_loops(tying: Tying) -> np.ndarray:
    return np.random.default_rng(5).uniform(0.3, 0.8, tying.labels)


def _grammar(folder: Path, order: int):
    write_arpa(estimate(TEXT, order), folder / "lm.arpa")
    return grammar_graph(folder / "lm.arpa", WORDS)


def _search(folder: Path, penalty: float = 0.0, order: int = 2, tying: Tying = PLAIN) -> Search:
    graph = decoding_graph(_grammar(folder, order), WORDS, DICTIONARY, tying, _self_loops(tying))
    return Search(const_fst(with_insertion_penalty(graph, penalty)), Beam(beam=500.0))


def _frames(labels: Sequence[int], tying: Tying = PLAIN) -> np.ndarray:
    """Log-likelihoods that allow for one sequence of labels alone."""
    scores = np.full((len(labels), tying.labels), OFF_PATH, np.float32)
    scores[np.arange(len(labels)), labels] = 0.0
    return scores


def _of_phones(phones: list[str], each: int = 2) -> list[int]:
    return [s for phone in phones for s in TOPOLOGY.states_of(phone) for _ in range(each)]


def _words(path: BestPath) -> list[str]:
    return [WORDS.words[label - 1] for label in path.words]


@pytest.mark.parametrize("order", [1, 3])
def test_every_sentence_is_found_with_its_times(tmp_path: Path, order: int) -> None:
    search = _search(tmp_path, order=order)
    for sentence in itertools.product(["ab", "see"], repeat=3):
        phones = [SILENCE]
        for word in sentence:
            phones += [*DICTIONARY[word][-1], SILENCE]
        path = search.decode(_frames(_of_phones(phones)))
        assert _words(path) == list(sentence)
        assert path.final
        at, expected = 6, []
        for word in sentence:
            frames = 6 * len(DICTIONARY[word][-1])
            expected.append((at, at + frames))
            at += frames + 6
        assert word_spans(path, sentence, DICTIONARY, PLAIN) == tuple(expected)


SENTENCES = [list(s) for n in (1, 2, 3) for s in itertools.product(WORDS.words, repeat=n)]


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("tying", TYINGS.values(), ids=TYINGS)
def test_every_way_to_say_a_sentence_costs_what_its_parts_cost(
    tmp_path: Path, order: int, tying: Tying
) -> None:
    """Words, times and cost of the best path against all sentences that have these labels."""
    search, grammar = _search(tmp_path, order=order, tying=tying), arcs_of(_grammar(tmp_path, order))
    readings: dict[tuple[int, ...], list[Reading]] = {}
    for sentence in SENTENCES:
        for labels, reading in _readings(sentence, grammar, tying):
            readings.setdefault(labels, []).append(reading)
    loops = _self_loops(tying)
    chosen = np.random.default_rng(1).choice(len(readings), 150, replace=False)
    for labels in (list(readings)[i] for i in chosen):
        counts = 1 + np.arange(len(labels)) % 3  # frames of each state
        path = search.decode(_frames(np.repeat(labels, counts), tying))
        np.testing.assert_array_equal(path.labels - 1, np.repeat(labels, counts))
        mine = [reading for own, reading in _readings(_words(path), grammar, tying) if own == labels]
        cheapest = min(reading.cost for reading in [*readings[labels], *mine])
        stay = np.log(loops[list(labels)]) @ (counts - 1) + np.log(1 - loops[list(labels)]).sum()
        assert path.final
        assert path.cost == pytest.approx(cheapest - SELF_LOOP_SCALE * stay, abs=QUANTISED)
        best = [reading for reading in mine if reading.cost < cheapest + QUANTISED]
        assert word_spans(path, _words(path), DICTIONARY, tying) in [_spans(r.way, counts) for r in best]


class Reading(NamedTuple):
    """A way to say a sentence; its cost without those of staying in states."""

    cost: float
    way: Way


def _readings(
    sentence: Sequence[str], grammar: Arcs, tying: Tying
) -> Iterator[tuple[tuple[int, ...], Reading]]:
    silences = -(len(sentence) + 1) * np.log(SILENCE_PROBABILITY)
    cost = _sentence_cost(grammar, sentence) + silences
    for way in ways(sentence, DICTIONARY, tying):
        yield way.labels, Reading(cost, way)


def _sentence_cost(grammar: Arcs, sentence: Sequence[str]) -> float:
    """The cheapest path of the words through G, back-off arcs wherever there are some."""
    costs = _backed_off(grammar, {grammar.start: 0.0})
    for word in sentence:
        costs = _backed_off(grammar, _stepped(grammar, costs, WORDS.labels[word]))
    return min(cost + float(grammar.final[state]) for state, cost in costs.items())


def _stepped(grammar: Arcs, costs: dict[int, float], label: int) -> dict[int, float]:
    found: dict[int, float] = {}
    for arc in np.flatnonzero(grammar.ilabel == label):
        source, target = int(grammar.source[arc]), int(grammar.target[arc])
        if source in costs:
            cost = costs[source] + float(grammar.weight[arc])
            found[target] = min(cost, found.get(target, np.inf))
    return found


def _backed_off(grammar: Arcs, costs: dict[int, float]) -> dict[int, float]:
    for _ in range(4):
        for label in (0, WORDS.backoff):
            for state, cost in _stepped(grammar, costs, label).items():
                costs[state] = min(cost, costs.get(state, np.inf))
    return costs


def _spans(way: Way, counts: np.ndarray) -> tuple[tuple[int, int], ...]:
    owners = np.repeat(way.words, counts)
    frames = [np.flatnonzero(owners == word) for word in range(owners.max() + 1)]
    return tuple((int(f[0]), int(f[-1]) + 1) for f in frames)


@pytest.mark.parametrize("tying", TYINGS.values(), ids=TYINGS)
def test_what_the_grammar_does_not_allow_is_not_found(tying: Tying) -> None:
    """A grammar of two sentences: "ab see" and "abc"."""
    ab, abc, see = (WORDS.labels[word] for word in ("ab", "abc", "see"))
    source, label, target = (np.array(c, np.int32) for c in ((0, 1, 0), (ab, see, abc), (1, 2, 2)))
    ends = np.array([np.inf, np.inf, 0.0], np.float32)
    grammar = vector_fst(Arcs(source, label, label, np.zeros(3, np.float32), target, ends))
    graph = decoding_graph(grammar, WORDS, DICTIONARY, tying, _self_loops(tying))
    search = Search(const_fst(graph), Beam(beam=5000.0))
    allowed = {way.labels for s in (["ab", "see"], ["abc"]) for way in ways(s, DICTIONARY, tying)}
    for sentence in SENTENCES:
        for way in ways(sentence, DICTIONARY, tying):
            path = search.decode(_frames(way.labels, tying))
            if way.labels in allowed:
                assert path.acoustic_cost == 0.0
                assert _words(path) in (["ab", "see"], ["abc"])
            else:
                assert not path.final or path.acoustic_cost >= -OFF_PATH


@pytest.mark.parametrize("name", ["triphones", "others"])
def test_contexts_reach_across_words(tmp_path: Path, name: str) -> None:
    """The states of a word before another are those of that neighbour, not those of the utterance's end."""
    tying, single = TYINGS[name], {word: variants[:1] for word, variants in DICTIONARY.items()}
    search = _search(tmp_path, tying=tying)
    differing = 0
    for word, after in itertools.product(WORDS.words, repeat=2):
        together, alone = (next(ways(s, single, tying)).labels for s in ([word, after], [word]))
        assert search.decode(_frames(together, tying)).acoustic_cost == 0.0
        if together[: len(alone)] != alone:
            differing += 1
            mixed = (*alone, *together[len(alone) :])
            assert search.decode(_frames(mixed, tying)).acoustic_cost > 0.0
    assert differing


def test_a_silence_is_never_inside_a_word(tmp_path: Path) -> None:
    """C C SIL C said in two words: "see" with two phones comes first."""
    path = _search(tmp_path).decode(_frames(_of_phones(["C", "C", SILENCE, "C"])))
    assert _words(path) == ["see", "see"]
    assert word_spans(path, ["see", "see"], DICTIONARY, PLAIN) == ((0, 12), (18, 24))


def test_no_silence_is_needed(tmp_path: Path) -> None:
    path = _search(tmp_path).decode(_frames(_of_phones(["A", "B", "C", "C"], each=1)))
    assert _words(path) == ["ab", "see"]
    assert len(path.labels) == 12


@pytest.mark.parametrize("tying", TYINGS.values(), ids=TYINGS)
def test_homophones_go_by_the_language_model(tmp_path: Path, tying: Tying) -> None:
    said = next(way for way in ways(["ay"], DICTIONARY, tying) if way.words[0] == way.words[-1] == -1)
    assert _words(_search(tmp_path, tying=tying).decode(_frames(said.labels, tying))) == ["eh"]


def test_the_penalty_is_paid_for_each_word(tmp_path: Path) -> None:
    frames = _frames(_of_phones(["A", SILENCE, "C"]))
    free, dear = _search(tmp_path).decode(frames), _search(tmp_path, penalty=2.5).decode(frames)
    assert free.words == dear.words
    assert dear.cost - free.cost == pytest.approx(2.5 * len(free.words), abs=1e-3)


def test_a_cut_off_word_still_has_times(tmp_path: Path) -> None:
    path = _search(tmp_path).decode(_frames(_of_phones([SILENCE, "A", "B"]))[:-3])
    assert len(word_spans(path, _words(path), DICTIONARY, PLAIN)) == len(path.words)
