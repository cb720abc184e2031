"""Decision trees that tie HMM states in context, grown on the likelihood of single Gaussians.

Young, Odell and Woodland, "Tree-based state tying for high accuracy acoustic modelling" (1994): the gain of a
split is what two diagonal Gaussians explain better than one (Kaldi's tree/clusterable-classes.cc). Splits are
taken best first over all trees, as in Kaldi's tree/build-tree.cc, with its shared roots: the word places of a
base phone begin in one tree and part where a question about the phone itself pays.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.features import Features
from pipelines.hybrid.gmm import Doubles
from pipelines.hybrid.topology import Topology
from pipelines.hybrid.tying import LEAF, LEFT, OWN, RIGHT, IntArray, Root, Sets, Tree, Tying, families

_POSITION = 3  # the column of `contexts` behind left, phone and right
_BATCH_FRAMES = 200_000
_LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False)
class ContextStatistics:
    """What N different states in context were heard as, D dimensions.

    `contexts` (N, 4): left phone, phone, right phone, HMM position; `occupancy` (N,) frames; `sums` and
    `squares` (N, D): the features added up, and their squares.
    """

    contexts: IntArray
    occupancy: Doubles
    sums: Doubles
    squares: Doubles

    def table(self) -> Doubles:
        """(N, 1 + 2 D): occupancy, sums and squares side by side, so that they add up together."""
        return np.column_stack([self.occupancy, self.sums, self.squares])


def context_statistics(features: Sequence[Features], contexts: Sequence[IntArray]) -> ContextStatistics:
    """Statistics of utterances: features (T, D) and for each frame a row (left, phone, right, position).

    Raises ValueError where an utterance has not one row for each frame, or there are no utterances.
    """
    rows = np.concatenate(contexts).astype(np.int64)  # (frames, 4)
    sizes = tuple(int(size) for size in rows.max(axis=0, initial=0) + 1)
    codes, numbers = np.unique(np.ravel_multi_index(tuple(rows.T), sizes), return_inverse=True)
    dims = features[0].shape[1]
    occupancy = np.bincount(numbers, minlength=len(codes)).astype(np.float64)
    sums, squares = np.zeros((len(codes), dims)), np.zeros((len(codes), dims))
    for x, mine in _batches(features, np.split(numbers, np.cumsum([len(c) for c in contexts])[:-1])):
        order = np.argsort(mine, kind="stable")
        found, begins = np.unique(mine[order], return_index=True)
        ordered = x[order].astype(np.float64)
        sums[found] += np.add.reduceat(ordered, begins, axis=0)
        squares[found] += np.add.reduceat(ordered * ordered, begins, axis=0)
    unpacked = np.stack(np.unravel_index(codes, sizes), axis=1).astype(np.int32)
    return ContextStatistics(unpacked, occupancy, sums, squares)


def _batches(
    features: Sequence[Features], numbers: Sequence[npt.NDArray[np.int64]]
) -> Iterator[tuple[Features, npt.NDArray[np.int64]]]:
    """Utterances put together, so that no copy holds all the speech in double precision."""
    held, frames = 0, 0
    for i, x in enumerate(features):
        if len(x) != len(numbers[i]):
            raise ValueError(f"utterance {i} has {len(x)} frames and {len(numbers[i])} rows of contexts")
        frames += len(x)
        if frames >= _BATCH_FRAMES or (i + 1 == len(features) and frames):
            yield np.concatenate(features[held : i + 1]), np.concatenate(numbers[held : i + 1])
            held, frames = i + 1, 0


def log_likelihood(occupancy: Doubles, sums: Doubles, squares: Doubles, variance_floor: Doubles) -> Doubles:
    """Of frames under the diagonal Gaussian that suits them best, its variances not below the floor.

    `occupancy` (...,), above 0; `sums` and `squares` (..., D); `variance_floor` (D,); the result (...,).
    """
    mean = sums / occupancy[..., None]
    variance = squares / occupancy[..., None] - mean**2
    floored = np.maximum(variance, variance_floor)
    per_frame = (np.log(floored) + variance / floored + _LOG_2_PI).sum(axis=-1)
    found: Doubles = -0.5 * occupancy * per_frame
    return found


def table_log_likelihood(table: Doubles, variance_floor: Doubles) -> Doubles:
    """`log_likelihood` of rows (..., 1 + 2 D) as in `ContextStatistics.table`: (...,)."""
    dims = len(variance_floor)
    return log_likelihood(table[..., 0], table[..., 1 : 1 + dims], table[..., 1 + dims :], variance_floor)


def grow_trees(
    statistics: ContextStatistics,
    topology: Topology,
    sets: Sets,
    *,
    most_leaves: int,
    min_gain: float,
    min_occupancy: float,
    variance_floor: Doubles,
) -> Tying:
    """Trees with `most_leaves` senones at most, or as many as there are roots.

    `sets` (questions, phones) is asked of the left phone, the phone and the right one; `variance_floor` (D,).
    Ends where the best split gains less than `min_gain` (of log-likelihood, all frames together); a split
    leaves `min_occupancy` frames on both sides. Silence, and phones that have not a speech phone's number of
    states, have a senone for each state, whatever is around them.
    """
    splitter = _Splitter(statistics, sets, variance_floor, max(min_occupancy, 1.0))
    places = [
        (family.phones, position, family.split)
        for family in families(topology)
        for position in range(topology.lengths[family.phones[0]])
    ]
    nodes = []
    for phones, position, split in places:
        rows = splitter.rows_of(phones, position)
        nodes.append(_Node(rows, splitter.best(rows) if split else None))
    _grow(nodes, splitter, most_leaves, min_gain)
    roots, first = [], 0
    for number, (phones, position, _) in enumerate(places):
        tree, first = _flat(nodes, number, first)
        roots.append(Root(phones, position, tree))
    return Tying(topology, tuple(roots), sets)


class _Split(NamedTuple):
    gain: float
    side: int
    question: int


@dataclass
class _Node:
    """`rows` of the statistics; the best `split`, None where none is allowed; yes and no once it is made."""

    rows: npt.NDArray[np.int64]
    split: _Split | None
    children: tuple[int, int] | None = None


def _grow(nodes: list[_Node], splitter: _Splitter, most_leaves: int, min_gain: float) -> None:
    """Makes the best split of all leaves, again and again; `nodes` are the roots first."""
    leaves = len(nodes)
    heap = [(-node.split.gain, i) for i, node in enumerate(nodes) if node.split is not None]
    heapq.heapify(heap)
    while heap and leaves < most_leaves and -heap[0][0] >= min_gain:
        node = nodes[heapq.heappop(heap)[1]]
        assert node.split is not None
        node.children = (len(nodes), len(nodes) + 1)
        for rows in splitter.parted(node.rows, node.split):
            nodes.append(child := _Node(rows, splitter.best(rows)))
            if child.split is not None:
                heapq.heappush(heap, (-child.split.gain, len(nodes) - 1))
        leaves += 1


class _Splitter:
    """Finds a node's best question: yes-sums of all questions are one product with each side's phone sums."""

    def __init__(
        self, statistics: ContextStatistics, sets: Sets, variance_floor: Doubles, min_occupancy: float
    ) -> None:
        self._contexts = statistics.contexts
        self._table = statistics.table()  # (N, 1 + 2 D)
        self._sets = sets
        self._weights = sets.astype(np.float64)
        self._floor = variance_floor
        self._least = min_occupancy

    def rows_of(self, phones: Sequence[int], position: int) -> npt.NDArray[np.int64]:
        """The statistics of one root."""
        mine = np.isin(self._contexts[:, OWN], phones) & (self._contexts[:, _POSITION] == position)
        return np.flatnonzero(mine)

    def parted(
        self, rows: npt.NDArray[np.int64], split: _Split
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The rows that answer yes, and those that answer no."""
        yes = self._sets[split.question, self._contexts[rows, split.side]]
        return rows[yes], rows[~yes]

    def best(self, rows: npt.NDArray[np.int64]) -> _Split | None:
        """The split of most gain, the first of equal ones; None where no question leaves enough frames."""
        total = self._table[rows].sum(axis=0)  # (1 + 2 D,)
        if total[0] < 2 * self._least:
            return None
        found = [self._answers(rows, side, total[0]) for side in (LEFT, OWN, RIGHT)]
        questions = np.concatenate([q for q, _ in found])
        if not len(questions):
            return None
        yes = np.concatenate([sums for _, sums in found])  # (candidates, 1 + 2 D)
        gains = self._likelihood(yes) + self._likelihood(total - yes) - self._likelihood(total)
        winner = int(gains.argmax())
        side = int(np.repeat((LEFT, OWN, RIGHT), [len(q) for q, _ in found])[winner])
        return _Split(float(gains[winner]), side, int(questions[winner]))

    def _answers(
        self, rows: npt.NDArray[np.int64], side: int, frames: float
    ) -> tuple[npt.NDArray[np.int64], Doubles]:
        """Questions about a side that leave enough frames, and what says yes: (Q,), (Q, 1 + 2 D)."""
        phones = self._contexts[rows, side]
        order = np.argsort(phones, kind="stable")
        heard, begins = np.unique(phones[order], return_index=True)
        sums = np.add.reduceat(self._table[rows[order]], begins, axis=0)  # (phones heard, 1 + 2 D)
        weights = self._weights[:, heard]  # (questions, phones heard)
        occupancy = weights @ sums[:, 0]
        questions = np.flatnonzero((occupancy >= self._least) & (frames - occupancy >= self._least))
        questions = questions[_different(self._sets[questions][:, heard])]
        return questions, weights[questions] @ sums

    def _likelihood(self, sums: Doubles) -> Doubles:
        return table_log_likelihood(sums, self._floor)


def _different(answers: Sets) -> npt.NDArray[np.int64]:
    """The first of each set of equal rows, in order: questions that part the phones at hand alike."""
    _, first = np.unique(np.packbits(answers, axis=1), axis=0, return_index=True)
    return np.sort(first)


def _flat(nodes: Sequence[_Node], root: int, first_senone: int) -> tuple[Tree, int]:
    """A tree's arrays, level by level, senones from `first_senone` on; and the first of the next tree."""
    order, rows, senone = [root], [], first_senone
    for number in order:  # grows as it is walked
        node = nodes[number]
        if node.children is None or node.split is None:
            rows.append((LEAF, -1, -1, -1, senone))
            senone += 1
        else:
            rows.append((node.split.side, node.split.question, len(order), len(order) + 1, -1))
            order.extend(node.children)
    side, question, yes, no, leaf = np.array(rows, np.int32).T
    return Tree(side.astype(np.int8), question, yes, no, leaf), senone
