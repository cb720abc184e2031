"""Lattices: all the good paths of an utterance, state by state, as flat arrays.

A lattice is Kaldi's raw one: a state for each token that survived, an arc for each step between two of them.
Costs are negated natural logarithms in the search's scale (the language model's weight is 1).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.fst import Floats, Ints, parse_vector

_ARC = np.dtype([("label", "<i4"), ("word", "<i4"), ("graph", "<f4"), ("acoustic", "<f4"), ("target", "<i4")])


@dataclass(frozen=True, eq=False)
class Lattice:
    """S states in topological order, the first one the start, and A arcs sorted by source.

    `source`, `target`, `label` (of the input, 0 where the arc takes no frame), `word` (0 for none), `graph`
    and `acoustic` (costs) have shape (A,); `final`, shape (S,), the cost of ending, infinite where no path
    may. `complete` tells whether paths end in the graph's final states (if not, wherever they were cut off).
    """

    source: Ints
    target: Ints
    label: Ints
    word: Ints
    graph: Floats
    acoustic: Floats
    final: Floats
    complete: bool

    @property
    def states(self) -> int:
        return len(self.final)

    @cached_property
    def cost(self) -> npt.NDArray[np.float64]:
        """(A,): graph and acoustic cost together."""
        return self.graph.astype(np.float64) + self.acoustic

    @cached_property
    def frame(self) -> Ints:
        """(S,): how many frames have gone by in a state; an arc out of it takes frame `frame[source]`."""
        frame = [0] * self.states
        for source, target, emits in zip(
            self.source.tolist(), self.target.tolist(), (self.label > 0).tolist(), strict=True
        ):
            frame[target] = frame[source] + emits
        return np.array(frame, np.int32)


def read_lattice(raw: Any, *, complete: bool) -> Lattice:
    """From a `kaldifst.Lattice` without cycles, by OpenFst's binary format: text takes ten times as long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lattice"
        raw.write(str(path))
        start, source, table, final = parse_vector(path.read_bytes(), _ARC)
    if start < 0:  # not a single state
        return empty_lattice()
    place = _places(source, table["target"], len(final), start)
    order = np.argsort(place[source], kind="stable")
    label, word, graph, acoustic, target = (table[name][order] for name in table.dtype.names or ())
    ends = np.empty(len(final), np.float32)
    ends[place] = final.sum(axis=1)
    return Lattice(place[source[order]], place[target], label, word, graph, acoustic, ends, complete)


def _places(source: Ints, target: npt.NDArray[np.int32], states: int, start: int) -> Ints:
    """(S,): where each state stands in a topological order that begins with `start` (Kahn's algorithm)."""
    first = np.searchsorted(source, np.arange(states + 1)).tolist()
    targets, missing = target.tolist(), np.bincount(target, minlength=states).tolist()
    ready = [state for state in range(states) if not missing[state] and state != start]
    order = [start]
    for state in order:  # grows as it is read
        for there in targets[first[state] : first[state + 1]]:
            missing[there] -= 1
            if not missing[there]:
                order.append(there)
        if state == start:
            order.extend(ready)
    place = np.empty(states, np.int32)
    place[order] = np.arange(states, dtype=np.int32)
    return place


def empty_lattice() -> Lattice:
    """Of an utterance that no path goes through: one state, which ends what never began."""
    ints, floats = np.zeros(0, np.int32), np.zeros(0, np.float32)
    return Lattice(ints, ints, ints, ints, floats, floats, np.zeros(1, np.float32), complete=False)


def remaining_cost(lattice: Lattice) -> npt.NDArray[np.float64]:
    """(S,): cost of the best way from each state to the end."""
    rest: list[float] = lattice.final.astype(np.float64).tolist()
    arcs = zip(lattice.source.tolist(), lattice.target.tolist(), lattice.cost.tolist(), strict=True)
    for source, target, cost in reversed(list(arcs)):
        rest[source] = min(rest[source], cost + rest[target])
    return np.array(rest)
