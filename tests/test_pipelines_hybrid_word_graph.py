"""The paths of a word graph are the ways to say its words, no more and no less."""

from __future__ import annotations

import pytest
from spoken import Way, random_tying, ways

from pipelines.hybrid.topology import left_to_right
from pipelines.hybrid.tying import Tying, context_independent
from pipelines.hybrid.word_graph import START, WordGraph, word_graph

TOPOLOGY = left_to_right(["A_B", "A_E", "A_S", "B", "C"], silence_states=5)
DICTIONARY = {
    "a": [("A_S",)],
    "ah": [("A_S",), ("A_B", "C", "A_E")],
    "bab": [("B", "A_E"), ("B", "A_B", "B")],
    "c": [("C",), ("C", "C")],
}
SENTENCES = (
    [],
    ["a"],
    ["c"],
    ["a", "a"],
    ["c", "c"],
    ["ah", "bab"],
    ["bab", "ah", "c"],
    ["a", "c", "a"],
    ["c", "bab", "bab"],
)


def _paths(graph: WordGraph) -> list[Way]:
    """All of them, from the beginning to an end, no state twice in a row."""
    before = dict(zip(graph.entries, graph.predecessors, strict=True))
    assert len(before) == len(graph.entries)
    after: dict[int, list[int]] = {}
    for position in range(len(graph.labels)):
        for source in before.get(position, (position - 1,)):
            after.setdefault(source, []).append(position)
    found, pending = [], [[p] for p in after[START]]
    while pending:
        path = pending.pop()
        if path[-1] in graph.ends:
            found.append(Way(tuple(graph.labels[path].tolist()), tuple(graph.words[path].tolist())))
        pending += [[*path, p] for p in after.get(path[-1], ())]
    return found


@pytest.mark.parametrize("sentence", SENTENCES, ids="-".join)
@pytest.mark.parametrize(
    "tying", [context_independent(TOPOLOGY), *(random_tying(TOPOLOGY, s) for s in (1, 2))]
)
def test_paths_are_all_ways_to_say_it(sentence: list[str], tying: Tying) -> None:
    found = _paths(word_graph(sentence, DICTIONARY, tying))
    expected = sorted(ways(sentence, DICTIONARY, tying))
    assert sorted(found) == expected  # each of them once


def test_contexts_reach_across_words_and_silence() -> None:
    """Otherwise the trees of these tests would not tell triphones from monophones."""
    tying = random_tying(TOPOLOGY, 1)
    first_ways = [next(ways([word, "c"], DICTIONARY, tying)) for word in DICTIONARY]
    assert tying.width == 3
    assert len({way.labels[-3:] for way in first_ways}) > 1


def test_a_word_without_pronunciation_is_an_error() -> None:
    with pytest.raises(KeyError):
        word_graph(["zebra"], DICTIONARY, context_independent(TOPOLOGY))
