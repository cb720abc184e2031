"""The n best word sequences of a lattice.

Best first by the exact remaining cost of each state (the A* search backwards of Soong and Huang, "A
tree-trellis based fast search for finding the n best sentence hypotheses", 1991, with time turned around).
Of all ways to align one word sequence the best counts: what reaches a state with words that an earlier, hence
better path brought there is dropped.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TypeAlias

import numpy as np

from pipelines.lattice import Lattice, remaining_cost
from pipelines.search import Path

_Trace: TypeAlias = "tuple[int, _Trace] | None"
_END = -1


def nbest(lattice: Lattice, n: int) -> tuple[Path, ...]:
    """Up to `n` paths of distinct words, best first, each with the best alignment of its words."""
    rest = remaining_cost(lattice)
    first = np.searchsorted(lattice.source, np.arange(lattice.states + 1)).tolist()
    target, word = lattice.target.tolist(), lattice.word.tolist()
    cost, final, ahead = lattice.cost.tolist(), lattice.final.tolist(), rest.tolist()
    tick = count()  # decides between equals, in place of the traces
    waiting: list[tuple[float, int, int, float, tuple[int, ...], _Trace]] = [
        (ahead[0], next(tick), 0, 0.0, (), None)
    ]
    seen: set[tuple[int, tuple[int, ...]]] = set()
    found: list[Path] = []
    while waiting and len(found) < n:
        _, _, state, spent, words, trace = heapq.heappop(waiting)
        if (state, words) in seen:
            continue
        seen.add((state, words))
        if state == _END:
            found.append(_path(lattice, trace))
            continue
        if final[state] < np.inf:
            total = spent + final[state]
            heapq.heappush(waiting, (total, next(tick), _END, total, words, trace))
        for arc in range(first[state], first[state + 1]):
            there, after = target[arc], spent + cost[arc]
            longer = (*words, word[arc]) if word[arc] else words
            if ahead[there] < np.inf and (there, longer) not in seen:
                heapq.heappush(
                    waiting, (after + ahead[there], next(tick), there, after, longer, (arc, trace))
                )
    return tuple(found)


def _path(lattice: Lattice, trace: _Trace) -> Path:
    backwards: list[int] = []
    while trace is not None:
        arc, trace = trace
        backwards.append(arc)
    arcs = np.array(backwards[::-1], np.int64)
    last = int(lattice.target[arcs[-1]]) if len(arcs) else 0
    labels, words = lattice.label[arcs], lattice.word[arcs]
    said = words > 0
    return Path(
        words=tuple(words[said].tolist()),
        starts=tuple(lattice.frame[lattice.source[arcs[said]]].tolist()),
        labels=labels[labels > 0],
        graph_cost=float(lattice.graph[arcs].sum(dtype=np.float64) + lattice.final[last]),
        acoustic_cost=float(lattice.acoustic[arcs].sum(dtype=np.float64)),
        final=lattice.complete,
    )
