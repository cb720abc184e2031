"""Forced alignment against hmmlearn's Viterbi on a straight line, and brute force on whole word graphs."""

from __future__ import annotations

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from spoken import random_tying

from pipelines.hybrid import align as align_module
from pipelines.hybrid.align import align
from pipelines.hybrid.gmm import Mixtures
from pipelines.hybrid.model import AcousticModel
from pipelines.hybrid.topology import Topology, left_to_right
from pipelines.hybrid.tying import Tying, context_independent
from pipelines.hybrid.word_graph import WordGraph, word_graph

TOPOLOGY = left_to_right(["A", "B", "C"])
PLAIN = context_independent(TOPOLOGY)
IN_CONTEXT = random_tying(TOPOLOGY, seed=2)
DICTIONARY = {"one": [("A", "B"), ("C",)], "two": [("B",)], "three": [("C", "A")]}
SENTENCES = [["one"], ["two", "one"], ["three", "two", "one"], [], ["one", "one"]]


def _model(tying: Tying, seed: int = 0) -> AcousticModel:
    draw = np.random.default_rng(seed)
    shape = (tying.senones, 3)
    first = np.arange(tying.senones + 1)
    mixtures = Mixtures(np.ones(tying.senones), draw.normal(0, 1, shape), draw.uniform(0.5, 2, shape), first)
    return AcousticModel(tying, mixtures, draw.uniform(0.2, 0.9, tying.labels))


def _features(frames: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (frames, 3)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_a_straight_line_is_aligned_as_hmmlearn_does(seed: int) -> None:
    states, x = 6, _features(25, seed)
    model = _model(context_independent(Topology(("SIL",), (states,))), seed)
    stay = model.self_loops
    stay[-1] = 1 - 1e-9  # hmmlearn's last state cannot be left
    graph = WordGraph(np.arange(states), np.full(states, -1), (0,), ((-1,),), (states - 1,))
    theirs = GaussianHMM(states, covariance_type="diag", init_params="")
    theirs.startprob_ = np.eye(states)[0]
    theirs.transmat_ = np.diag(stay) + np.diag(1 - stay[:-1], k=1)
    theirs.transmat_[-1] = np.eye(states)[-1]
    theirs.means_, theirs.covars_ = model.mixtures.means, model.mixtures.variances
    score, path = theirs.decode(x.astype(np.float64))
    found = align(model, [graph], [x])[0]
    assert found is not None
    if path[-1] == states - 1:  # ours has to get to the end
        np.testing.assert_array_equal(found.labels, path)
        assert found.log_likelihood - np.log(1e-9) == pytest.approx(score, rel=1e-4)


def _brute_force(graph: WordGraph, scores: np.ndarray, stay: np.ndarray) -> float:
    """Frame by frame, position by position; -inf where there is no path."""
    before = dict(zip(graph.entries, graph.predecessors, strict=True))
    best = np.full(len(graph.labels), -np.inf)
    for t, frame in enumerate(scores):
        new = np.full(len(graph.labels), -np.inf)
        for p, label in enumerate(graph.labels):
            sources = before.get(p, (p - 1,))
            came = [best[q] + np.log(1 - stay[graph.labels[q]]) for q in sources if q >= 0 and t]
            came += [0.0] if -1 in sources and p in before and t == 0 else []
            came += [best[p] + np.log(stay[label])] if t else []
            new[p] = max(came, default=-np.inf) + frame[label]
        best = new
    return float(max(best[e] + np.log(1 - stay[graph.labels[e]]) for e in graph.ends))


@pytest.mark.parametrize("tying", [PLAIN, IN_CONTEXT], ids=["monophones", "triphones"])
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("cells", [6_000_000, 1])  # all in one batch, and each by itself
def test_word_graphs_against_brute_force(
    monkeypatch: pytest.MonkeyPatch, tying: Tying, jobs: int, cells: int
) -> None:
    monkeypatch.setattr(align_module, "_BATCH_CELLS", cells)
    model = _model(tying)
    graphs = [word_graph(s, DICTIONARY, tying) for s in SENTENCES]
    features = [_features(n, n) for n in (9, 30, 41, 5, 23)]
    for graph, x, found in zip(graphs, features, align(model, graphs, features, jobs), strict=True):
        expected = _brute_force(graph, model.log_likelihoods(x), model.self_loops)
        assert found is not None
        assert found.log_likelihood == pytest.approx(expected, rel=1e-4)
        assert len(found.labels) == len(x)
        np.testing.assert_array_equal(found.labels, graph.labels[found.positions])
        assert _score(found, graph, model, x) == pytest.approx(expected, rel=1e-4)


def _score(found: align_module.Alignment, graph: WordGraph, model: AcousticModel, x: np.ndarray) -> float:
    """Of the path that was told, step by step."""
    before = dict(zip(graph.entries, graph.predecessors, strict=True))
    stay, labels = model.self_loops, found.labels
    total = float(model.log_likelihoods(x)[np.arange(len(x)), labels].sum())
    assert -1 in before[int(found.positions[0])]
    assert int(found.positions[-1]) in graph.ends
    for p, q in zip(found.positions[:-1].tolist(), found.positions[1:].tolist(), strict=True):
        assert p == q or p in before.get(q, (q - 1,))
        total += np.log(stay[graph.labels[p]] if p == q else 1 - stay[graph.labels[p]])
    return total + float(np.log(1 - stay[labels[-1]]))


@pytest.mark.parametrize("tying", [PLAIN, IN_CONTEXT], ids=["monophones", "triphones"])
def test_too_short_an_utterance_has_no_alignment(tying: Tying) -> None:
    graphs = [word_graph(["one", "three"], DICTIONARY, tying)] * 2
    found = align(_model(tying), graphs, [_features(8, 0), _features(9, 0)])
    assert found[0] is None  # one as C: 3 states, three: 6
    assert found[1] is not None
    assert 0 not in tying.label_phone[found[1].labels]
