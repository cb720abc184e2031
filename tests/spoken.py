"""Every way to say a sentence, one after another: what the graphs of the hybrid are held against."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.hybrid.topology import Topology
from pipelines.hybrid.tying import LEAF, Root, Tree, Tying, families, leaf_tree

Dictionary = Mapping[str, Sequence[Sequence[str]]]


class Way(NamedTuple):
    """A label for each HMM state, and the number of the word it belongs to, -1 for silence."""

    labels: tuple[int, ...]
    words: tuple[int, ...]


def ways(sentence: Sequence[str], dictionary: Dictionary, tying: Tying) -> Iterator[Way]:
    """All pronunciations, with and without silence in each place; never nothing at all."""
    topology = tying.topology
    for variants in itertools.product(*(dictionary[word] for word in sentence)):
        for silences in itertools.product((False, True), repeat=len(sentence) + 1):
            phones, words = [0] * silences[0], [-1] * silences[0]
            for number, (variant, silent) in enumerate(zip(variants, silences[1:], strict=True)):
                phones += [topology.phone_ids[phone] for phone in variant] + [0] * silent
                words += [number] * len(variant) + [-1] * silent
            if phones:
                yield _in_states(phones, words, tying)


def _in_states(phones: list[int], words: list[int], tying: Tying) -> Way:
    rows = [
        (left, phone, right, position, word)
        for left, phone, right, word in zip([0, *phones], phones, [*phones[1:], 0], words, strict=False)
        for position in range(tying.topology.lengths[phone])
    ]
    left, phone, right, position, word = np.array(rows).T
    return Way(tuple(tying.label(left, phone, right, position).tolist()), tuple(word.tolist()))


def random_tying(topology: Topology, seed: int, splits: int = 3) -> Tying:
    """Trees of some random questions for speech, one senone for each state of silence."""
    draw = np.random.default_rng(seed)
    sets = draw.random((5, len(topology.phones))) < 0.5
    roots: list[Root] = []
    first = 0
    for family in families(topology):
        for position in range(topology.lengths[family.phones[0]]):
            tree = _random_tree(draw, len(sets), splits, first) if family.split else leaf_tree(first)
            roots.append(Root(family.phones, position, tree))
            first = int(tree.leaf.max()) + 1
    return Tying(topology, tuple(roots), sets)


def _random_tree(draw: np.random.Generator, questions: int, splits: int, first: int) -> Tree:
    rows = [[LEAF, -1, -1, -1, -1]]
    for _ in range(splits):
        node = int(draw.choice([i for i, row in enumerate(rows) if row[0] == LEAF]))
        rows[node] = [int(draw.integers(3)), int(draw.integers(questions)), len(rows), len(rows) + 1, -1]
        rows += [[LEAF, -1, -1, -1, -1], [LEAF, -1, -1, -1, -1]]
    for number, row in enumerate(row for row in rows if row[0] == LEAF):
        row[4] = first + number
    side, question, yes, no, leaf = np.array(rows, np.int32).T
    return Tree(side.astype(np.int8), question, yes, no, leaf)
