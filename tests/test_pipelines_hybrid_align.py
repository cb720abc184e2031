"""Forced alignment against hmmlearn's Viterbi on a straight line, and brute force on whole word graphs."""

from __future__ import annotations

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM

from pipelines.hybrid.align import WordGraph, align, word_graph
from pipelines.hybrid.gmm import Mixtures
from pipelines.hybrid.topology import SILENCE, left_to_right

TOPOLOGY = left_to_right(["A", "B", "C"])
DICTIONARY = {"one": [("A", "B"), ("C",)], "two": [("B",)], "three": [("C", "A")]}


def _model(states: int, seed: int = 0) -> Mixtures:
    draw = np.random.default_rng(seed)
    return Mixtures(
        np.ones(states),
        draw.normal(0, 1, (states, 3)),
        draw.uniform(0.5, 2, (states, 3)),
        np.arange(states + 1),
    )


def _features(frames: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (frames, 3)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_a_straight_line_is_aligned_as_hmmlearn_does(seed: int) -> None:
    states, x = 6, _features(25, seed)
    model, stay = _model(states, seed), np.random.default_rng(seed).uniform(0.2, 0.9, states)
    stay[-1] = 1 - 1e-9  # hmmlearn's last state cannot be left
    graph = WordGraph(np.arange(states), (0,), ((-1,),), (states - 1,))
    theirs = GaussianHMM(states, covariance_type="diag", init_params="")
    theirs.startprob_ = np.eye(states)[0]
    theirs.transmat_ = np.diag(stay) + np.diag(1 - stay[:-1], k=1)
    theirs.transmat_[-1] = np.eye(states)[-1]
    theirs.means_, theirs.covars_ = model.means, model.variances
    score, path = theirs.decode(x.astype(np.float64))
    found = align(model, stay, [graph], [x])[0]
    assert found is not None
    if path[-1] == states - 1:  # ours has to get to the end
        np.testing.assert_array_equal(found.states, path)
        assert found.log_likelihood - np.log(1e-9) == pytest.approx(score, rel=1e-4)


def _brute_force(graph: WordGraph, scores: np.ndarray, stay: np.ndarray) -> float:
    """Frame by frame, position by position; -inf where there is no path."""
    before = dict(zip(graph.entries, graph.predecessors, strict=True))
    best = np.full(len(graph.states), -np.inf)
    for t, frame in enumerate(scores):
        new = np.full(len(graph.states), -np.inf)
        for p, state in enumerate(graph.states):
            ways = before.get(p, (p - 1,))
            came = [best[q] + np.log(1 - stay[graph.states[q]]) for q in ways if q >= 0 and t]
            came += [0.0] if -1 in ways and p in before and t == 0 else []
            came += [best[p] + np.log(stay[state])] if t else []
            new[p] = max(came, default=-np.inf) + frame[state]
        best = new
    return float(max(best[e] + np.log(1 - stay[graph.states[e]]) for e in graph.ends))


def test_word_graphs_against_brute_force_in_one_batch() -> None:
    model = _model(TOPOLOGY.states)
    stay = np.random.default_rng(3).uniform(0.2, 0.9, TOPOLOGY.states)
    sentences = [["one"], ["two", "one"], ["three", "two", "one"], [], ["one", "one"]]
    graphs = [word_graph(s, DICTIONARY, TOPOLOGY) for s in sentences]
    features = [_features(n, n) for n in (9, 30, 41, 5, 23)]
    for graph, x, found in zip(graphs, features, align(model, stay, graphs, features), strict=True):
        expected = _brute_force(graph, model.log_likelihoods(x), stay)
        assert found is not None
        assert found.log_likelihood == pytest.approx(expected, rel=1e-4)
        assert len(found.states) == len(x)
        np.testing.assert_array_equal(found.states, graph.states[found.positions])


def test_too_short_an_utterance_has_no_alignment() -> None:
    graphs = [word_graph(["one", "three"], DICTIONARY, TOPOLOGY)] * 2
    found = align(
        _model(TOPOLOGY.states), np.full(TOPOLOGY.states, 0.5), graphs, [_features(8, 0), _features(9, 0)]
    )
    assert found[0] is None  # one as C: 3 states, three: 6
    assert found[1] is not None
    assert SILENCE not in {TOPOLOGY.phones[TOPOLOGY.phone_of[s]] for s in found[1].states}
