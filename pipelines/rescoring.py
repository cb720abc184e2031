"""A second opinion on the n best paths, by a language model that is too big for the graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from pipelines.grammar import WordTable
from pipelines.search import Path


class SentenceModel(Protocol):
    """What `kenlm.Model` knows: log10 of the probability of a sentence, its words parted by blanks."""

    def score(self, sentence: str, bos: bool = True, eos: bool = True) -> float: ...


def rescored(
    paths: Sequence[Path],
    old_lm: SentenceModel,
    new_lm: SentenceModel,
    words: WordTable,
    weight: float = 1.0,
) -> tuple[Path, ...]:
    """The paths in their new order, `weight` of the graph's language model in their costs replaced.

    `old_lm` is the model that the graph was built from, `words` its labels. The new cost of a path has
    (1 - weight) of the old and `weight` of the new model's cost, an interpolation of logarithms; what else
    the graph charges (pronunciations, silences, insertions) stays. Paths cut off before their end are scored
    without `</s>`. Equals keep their order.
    """
    changed = [
        replace(path, graph_cost=path.graph_cost + weight * (_cost(new_lm, path, words) - old))
        for path in paths
        for old in (_cost(old_lm, path, words),)
    ]
    return tuple(sorted(changed, key=lambda path: path.cost))


def _cost(lm: SentenceModel, path: Path, words: WordTable) -> float:
    return -math.log(10.0) * lm.score(words.text(path.words), bos=True, eos=path.final)
