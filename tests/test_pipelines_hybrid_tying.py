"""Lookups against a walk down the tree, one state at a time; labels against every context there is."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pipelines.hybrid.topology import Topology
from pipelines.hybrid.tying import LEAF, OWN, Root, Tree, Tying, context_independent, leaf_tree

TOPOLOGY = Topology(("SIL", "A_B", "A_E", "N", "T_B", "T_E"), (5, 3, 3, 3, 3, 3))


def _random_tree(draw: np.random.Generator, questions: int, first_leaf: int) -> Tree:
    """Some four splits; many leaves are out of reach, as questions repeat."""
    rows = [[LEAF, -1, -1, -1, -1]]
    for _ in range(4):
        node = draw.choice([i for i, row in enumerate(rows) if row[0] == LEAF])
        rows[node] = [int(draw.integers(3)), int(draw.integers(questions)), len(rows), len(rows) + 1, -1]
        rows += [[LEAF, -1, -1, -1, -1], [LEAF, -1, -1, -1, -1]]
    for number, row in enumerate(row for row in rows if row[0] == LEAF):
        row[4] = first_leaf + number
    side, question, yes, no, leaf = np.array(rows, np.int32).T
    return Tree(side.astype(np.int8), question, yes, no, leaf)


def _tying(seed: int) -> Tying:
    draw = np.random.default_rng(seed)
    sets = draw.random((4, 6)) < 0.5
    roots = [Root((0,), position, leaf_tree(position)) for position in range(5)]
    for phones, position in itertools.product([(1, 2), (3,), (4, 5)], range(3)):
        roots.append(Root(phones, position, _random_tree(draw, 4, 5 * len(roots))))
    return Tying(TOPOLOGY, tuple(roots), sets)


def _walked(tying: Tying, left: int, phone: int, right: int, position: int) -> int:
    tree = next(r.tree for r in tying.roots if phone in r.phones and r.position == position)
    node = 0
    while tree.side[node] != LEAF:
        yes = tying.sets[tree.question[node], (left, phone, right)[tree.side[node]]]
        node = tree.yes[node] if yes else tree.no[node]
    return int(tree.leaf[node])


def _all_contexts(topology: Topology) -> np.ndarray:
    phones = range(len(topology.phones))
    rows = itertools.product(phones, phones, phones, range(max(topology.lengths)))
    return np.array([row for row in rows if row[3] < topology.lengths[row[1]]])


@pytest.mark.parametrize("seed", range(5))
def test_every_context_finds_its_leaf_and_the_label_says_the_same(seed) -> None:
    tying, contexts = _tying(seed), _all_contexts(TOPOLOGY)
    left, phone, right, position = contexts.T
    senones = tying.senone(left, phone, right, position)
    assert senones.tolist() == [_walked(tying, *row) for row in contexts.tolist()]
    labels = tying.label(left, phone, right, position)
    np.testing.assert_array_equal(tying.label_senone[labels], senones)
    np.testing.assert_array_equal(tying.label_phone[labels], phone)
    np.testing.assert_array_equal(tying.label_position[labels], position)
    firsts = np.array(TOPOLOGY.firsts)
    np.testing.assert_array_equal(tying.label_state[labels], firsts[phone] + position)


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_the_triples_that_some_context_reaches(seed) -> None:
    tying = _tying(seed)
    reached = {(row[1], row[3], _walked(tying, *row)) for row in _all_contexts(TOPOLOGY).tolist()}
    triples = np.stack([tying.label_phone, tying.label_position, tying.label_senone], axis=1)
    assert [tuple(row) for row in triples.tolist()] == sorted(reached)
    assert tying.labels == len(reached)
    assert tying.senones > max(senone for _, _, senone in reached)


def test_lookups_keep_the_shape_and_broadcast() -> None:
    tying = _tying(0)
    phones = np.arange(1, 6)
    table = tying.label(np.arange(6)[:, None], phones, np.array(3), np.array(1))
    assert table.shape == (6, 5)
    assert table[4, 2] == tying.label(np.array(4), np.array(3), np.array(3), np.array(1))


def test_beyond_the_edges_is_silence() -> None:
    tying = _tying(1)
    phone, position = np.array([1, 4]), np.array([0, 2])
    edge, silence = np.array([-1, 6]), np.zeros(2, int)
    np.testing.assert_array_equal(
        tying.label(edge, phone, edge, position), tying.label(silence, phone, silence, position)
    )


@pytest.mark.parametrize(("phone", "position"), [(-1, 0), (6, 0), (1, 3), (1, -1), (0, 5)])
def test_a_state_that_is_not_there_is_an_error(phone, position) -> None:
    with pytest.raises(ValueError, match="the topology does not have"):
        _tying(0).label(np.array([0]), np.array([phone]), np.array([0]), np.array([position]))


def test_without_context_senones_and_labels_are_the_states() -> None:
    tying = context_independent(TOPOLOGY)
    left, phone, right, position = _all_contexts(TOPOLOGY).T
    states = np.array(TOPOLOGY.firsts)[phone] + position
    np.testing.assert_array_equal(tying.senone(left, phone, right, position), states)
    np.testing.assert_array_equal(tying.label(left, phone, right, position), states)
    np.testing.assert_array_equal(tying.label_senone, np.arange(TOPOLOGY.states))
    assert (tying.senones, tying.labels, tying.width) == (20, 20, 1)


def test_the_width_is_what_the_trees_ask_about() -> None:
    tying = _tying(0)
    assert tying.width == 3
    roots = tuple(
        root._replace(tree=replace(root.tree, side=np.where(root.tree.side == LEAF, LEAF, OWN)))
        for root in tying.roots
    )
    assert Tying(TOPOLOGY, roots, tying.sets).width == 1


@pytest.mark.parametrize("tying", [_tying(3), context_independent(TOPOLOGY)])
def test_saved_and_loaded_it_answers_the_same(tying, tmp_path) -> None:
    np.savez(tmp_path / "tying.npz", **tying.to_arrays())
    with np.load(tmp_path / "tying.npz", allow_pickle=False) as file:
        loaded = Tying.from_arrays(file)
    assert loaded.topology == tying.topology
    assert [(r.phones, r.position) for r in loaded.roots] == [(r.phones, r.position) for r in tying.roots]
    contexts = _all_contexts(TOPOLOGY).T
    np.testing.assert_array_equal(loaded.label(*contexts), tying.label(*contexts))
    np.testing.assert_array_equal(loaded.label_senone, tying.label_senone)


def test_a_tree_that_goes_in_circles_is_refused() -> None:
    side, senone = np.array([0, LEAF], np.int8), np.array([-1, 0], np.int32)
    child = np.array([1, -1], np.int32)
    with pytest.raises(ValueError, match="not in order"):
        Tree(side, np.zeros(2, np.int32), np.zeros(2, np.int32), child, senone)
