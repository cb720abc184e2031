"""Lattices are read as they are, whatever the order of their states."""

from __future__ import annotations

import kaldifst
import numpy as np

from pipelines.lattice import read_lattice, remaining_cost
from pipelines.nbest import nbest


def _raw(
    arcs: list[tuple[int, int, int, int, float, float]], final: dict[int, tuple[float, float]]
) -> object:
    raw = kaldifst.Lattice()
    for _ in range(1 + max(max(a[0], a[1]) for a in arcs)):
        raw.add_state()
    raw.start = 2
    for source, target, label, word, graph, acoustic in arcs:
        weight = kaldifst.LatticeWeight(graph, acoustic)
        raw.add_arc(source, kaldifst.LatticeArc(label, word, weight, target))
    for state, (graph, acoustic) in final.items():
        raw.set_final(state, kaldifst.LatticeWeight(graph, acoustic))
    return raw


def test_states_are_put_in_order() -> None:
    """2 -(1:7)-> 3 -(eps)-> 1 -(2:8)-> 0, and a costlier way around 3."""
    arcs = [
        (1, 0, 2, 8, 0.5, 1.0),
        (2, 3, 1, 7, 0.25, 2.0),
        (2, 1, 1, 9, 4.0, 2.0),
        (3, 1, 0, 0, 0.75, 0.0),
    ]
    lattice = read_lattice(_raw(arcs, {0: (1.5, 0.0)}), complete=True)
    assert (lattice.source < lattice.target).all()
    assert (np.diff(lattice.source) >= 0).all()
    assert lattice.frame.tolist() == [0, 1, 1, 2]
    assert remaining_cost(lattice).tolist() == [6.0, 3.75, 3.0, 1.5]
    best, second = nbest(lattice, 5)
    assert (best.words, best.starts, best.labels.tolist()) == ((7, 8), (0, 1), [1, 2])
    assert (best.graph_cost, best.acoustic_cost) == (3.0, 3.0)
    assert (second.words, second.cost) == ((9, 8), 9.0)
