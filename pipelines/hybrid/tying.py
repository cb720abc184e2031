"""Which senone an HMM state has in its context: decision trees over the left phone, the phone and the right.

A **senone** is a tied state, a column of an acoustic model's log-likelihoods (Young, Odell and Woodland,
"Tree-based state tying for high accuracy acoustic modelling", 1994). A **label** is a (phone, position,
senone) that some context has: phones may share senones, a path of labels still says which phones it takes,
as one of Kaldi's transition ids does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.hybrid.topology import PHONE_STATES, QUIET, Topology

IntArray: TypeAlias = npt.NDArray[np.int32]
_Numbers: TypeAlias = npt.NDArray[np.integer[Any]]
Sets: TypeAlias = npt.NDArray[np.bool_]  # (questions, phones)

LEAF = -1
LEFT, OWN, RIGHT = range(3)  # the sides that a node may ask about
PLACES = ("B", "I", "E", "S")  # in the word: its beginning, inside, its end, alone
_COLUMNS = ("side", "question", "yes", "no", "leaf")


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree in flat arrays, all of shape (nodes,); node 0 is the root, children follow their parents.

    `side`: `LEAF`, or what the node asks about: `LEFT`, `OWN` or `RIGHT`. `question`: the row of the table of
    phone sets. `yes`, `no`: the children. `leaf`: the senone. What does not apply to a node is -1.
    Raises ValueError where a child does not follow its parent.
    """

    side: npt.NDArray[np.int8]
    question: IntArray
    yes: IntArray
    no: IntArray
    leaf: IntArray

    def __post_init__(self) -> None:
        inner = np.flatnonzero(self.side != LEAF)
        for child in (self.yes[inner], self.no[inner]):
            if (child <= inner).any() or (child >= len(self.side)).any():
                raise ValueError("a tree whose nodes are not in order")


class Rows(NamedTuple):
    """The states of R phones in context, phone by phone: `labels` (N,) and the phone's number `owner` (N,).

    Those of phone r are `lengths[r]` from `begins[r]` on.
    """

    labels: IntArray
    owner: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]


class Root(NamedTuple):
    """The tree of some phones (numbers in the topology, all of the same base phone) at one HMM position."""

    phones: tuple[int, ...]
    position: int
    tree: Tree


@dataclass(frozen=True, eq=False)
class Tying:
    """A tree for every state of `topology`; `sets` (questions, phones) are what the trees ask about."""

    topology: Topology
    roots: tuple[Root, ...]
    sets: Sets

    @cached_property
    def senones(self) -> int:
        return int(self._forest.leaf.max()) + 1

    @property
    def labels(self) -> int:
        return len(self.label_phone)

    @property
    def label_phone(self) -> IntArray:
        """Shape (labels,); labels are in the order of (phone, position, senone)."""
        return self._triples[0]

    @property
    def label_position(self) -> IntArray:
        return self._triples[1]

    @property
    def label_senone(self) -> IntArray:
        return self._triples[2]

    @cached_property
    def label_state(self) -> IntArray:
        """The topology's state of each label."""
        states: IntArray = np.array(self.topology.firsts, np.int32)[self.label_phone] + self.label_position
        return states

    @cached_property
    def width(self) -> int:
        """How many phones a senone depends on: 1, or 3 where any tree asks about a neighbour."""
        return 3 if np.isin(self._forest.side, (LEFT, RIGHT)).any() else 1

    def senone(self, left: _Numbers, phone: _Numbers, right: _Numbers, position: _Numbers) -> IntArray:
        """Senones of states in context, element by element of arrays of one shape (or that broadcast).

        A neighbour that is no phone's number counts as silence. Raises ValueError for a phone or a position
        that the topology does not have.
        """
        sides = np.stack(np.broadcast_arrays(left, phone, right, position))  # (4, ...)
        flat = sides.reshape(4, -1)
        node = self._first_nodes(flat[OWN], flat[3])
        context = np.where((flat < 0) | (flat >= len(self.topology.phones)), QUIET, flat)
        forest = self._forest
        pending = np.flatnonzero(forest.side[node] != LEAF)
        while len(pending):
            here = node[pending]
            yes = self.sets[forest.question[here], context[forest.side[here], pending]]
            there = np.where(yes, forest.yes[here], forest.no[here])
            node[pending] = there
            pending = pending[forest.side[there] != LEAF]
        senones: IntArray = forest.leaf[node].reshape(sides.shape[1:])
        return senones

    def label(self, left: _Numbers, phone: _Numbers, right: _Numbers, position: _Numbers) -> IntArray:
        """Labels of states in context; arguments and errors are those of `senone`."""
        senone = self.senone(left, phone, right, position).astype(np.int64)
        state = np.array(self.topology.firsts)[phone] + position
        codes = self.label_state.astype(np.int64) * self.senones + self.label_senone
        found: IntArray = np.searchsorted(codes, state * self.senones + senone).astype(np.int32)
        return found

    def rows(self, left: _Numbers, phone: _Numbers, right: _Numbers) -> Rows:
        """All states of each phone (R,) between its neighbours."""
        lengths = np.array(self.topology.lengths)[phone]
        begins = np.cumsum(lengths) - lengths
        owner = np.repeat(np.arange(len(phone)), lengths)
        position = np.arange(len(owner)) - begins[owner]
        return Rows(self.label(left[owner], phone[owner], right[owner], position), owner, begins, lengths)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Flat arrays without objects, to be stored; `from_arrays` reads them."""
        return {
            "phones": np.array(self.topology.phones),
            "lengths": np.array(self.topology.lengths, np.int32),
            "sets": self.sets,
            "members": np.array([p for root in self.roots for p in root.phones], np.int32),
            "member_counts": np.array([len(root.phones) for root in self.roots], np.int32),
            "position": np.array([root.position for root in self.roots], np.int32),
            "nodes": np.array([len(root.tree.side) for root in self.roots], np.int32),
            **{c: np.concatenate([getattr(root.tree, c) for root in self.roots]) for c in _COLUMNS},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Tying:
        """What `to_arrays` gave. KeyError where an array is missing, ValueError where they do not fit."""
        topology = Topology(tuple(map(str, arrays["phones"])), tuple(map(int, arrays["lengths"])))
        members = _parts(arrays["members"], arrays["member_counts"])
        columns = [_parts(arrays[column], arrays["nodes"]) for column in _COLUMNS]
        trees = (Tree(*parts) for parts in zip(*columns, strict=True))
        roots = tuple(
            Root(tuple(map(int, phones)), int(position), tree)
            for phones, position, tree in zip(members, arrays["position"], trees, strict=True)
        )
        return cls(topology, roots, arrays["sets"])

    @cached_property
    def _forest(self) -> Tree:
        """All trees in one, root after root."""
        offsets = self._offsets
        moved = {
            c: np.concatenate([getattr(r.tree, c) + o for r, o in zip(self.roots, offsets, strict=True)])
            for c in ("yes", "no")
        }
        kept = {c: np.concatenate([getattr(root.tree, c) for root in self.roots]) for c in _COLUMNS}
        return Tree(**{**kept, **moved})

    @property
    def _offsets(self) -> list[int]:
        """Where each root's tree begins in the forest."""
        return list(accumulate((len(root.tree.side) for root in self.roots), initial=0))[:-1]

    @cached_property
    def _root_nodes(self) -> IntArray:
        """The forest's node where each state begins, (phones, most positions); -1: no such state."""
        table = np.full((len(self.topology.phones), max(self.topology.lengths)), -1, np.int32)
        for root, offset in zip(self.roots, self._offsets, strict=True):
            table[list(root.phones), root.position] = offset
        return table

    def _first_nodes(self, phone: _Numbers, position: _Numbers) -> IntArray:
        table = self._root_nodes
        known = (phone >= 0) & (phone < len(table)) & (position >= 0) & (position < table.shape[1])
        nodes = np.where(known, table[np.where(known, phone, 0), np.where(known, position, 0)], -1)
        if (nodes < 0).any():
            raise ValueError("a phone or an HMM position that the topology does not have")
        return nodes

    @cached_property
    def _triples(self) -> tuple[IntArray, IntArray, IntArray]:
        """Phones, positions and senones of the labels, each (labels,)."""
        found = {
            (phone, root.position, senone)
            for root in self.roots
            for senone, phones in _leaves(root, self.sets)
            for phone in phones
        }
        phones, positions, senones = np.array(sorted(found), np.int32).T
        return phones.copy(), positions.copy(), senones.copy()


class Family(NamedTuple):
    """Phones that share their trees; `split` says whether context may part them."""

    phones: tuple[int, ...]
    split: bool


def base_phone(phone: str) -> str:
    """The phone without its word place: `AH` for `AH_B`."""
    base, _, place = phone.rpartition("_")
    return base if base and place in PLACES else phone


def families(topology: Topology) -> list[Family]:
    """All phones by their base phone; silence, and what is not as long as a speech phone, each by itself."""
    speech: dict[str, list[int]] = {}
    alone = []
    for number, phone in enumerate(topology.phones):
        if number == QUIET or topology.lengths[number] != PHONE_STATES:
            alone.append(Family((number,), False))
        else:
            speech.setdefault(base_phone(phone), []).append(number)
    return sorted([*alone, *(Family(tuple(phones), True) for phones in speech.values())])


def context_independent(topology: Topology) -> Tying:
    """A senone for each state of each phone: senones and labels are the topology's state numbers."""
    roots = tuple(
        Root((phone,), position, leaf_tree(topology.firsts[phone] + position))
        for phone, length in enumerate(topology.lengths)
        for position in range(length)
    )
    return Tying(topology, roots, np.zeros((0, len(topology.phones)), bool))


def leaf_tree(senone: int) -> Tree:
    """A tree that asks nothing."""
    nothing = np.full(1, -1, np.int32)
    return Tree(np.full(1, LEAF, np.int8), nothing, nothing, nothing, np.full(1, senone, np.int32))


def _leaves(root: Root, sets: Sets) -> Iterator[tuple[int, list[int]]]:
    """Every leaf's senone and the phones that reach it in some context.

    The three sides are free of each other, so a leaf is reached if each side has a phone left that fits.
    """
    tree = root.tree
    fits = np.ones((3, sets.shape[1]), bool)  # (side, phones)
    fits[OWN] = np.isin(np.arange(sets.shape[1]), root.phones)
    pending = [(0, fits)]
    while pending:
        node, fits = pending.pop()
        if not fits.any(axis=1).all():
            continue
        side = tree.side[node]
        if side == LEAF:
            yield int(tree.leaf[node]), np.flatnonzero(fits[OWN]).tolist()
            continue
        asked = sets[tree.question[node]]
        for child, answer in ((tree.yes[node], asked), (tree.no[node], ~asked)):
            left = fits.copy()
            left[side] &= answer
            pending.append((int(child), left))


def _parts(flat: npt.NDArray[Any], counts: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    return np.split(flat, np.cumsum(counts)[:-1])
