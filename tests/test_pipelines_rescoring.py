"""A bigger language model changes the order as a recogniser built on it would have it."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import kenlm
import numpy as np
import pytest

from pipelines.grammar import WordTable
from pipelines.ngram import estimate, write_arpa
from pipelines.rescoring import rescored
from pipelines.search import Path as BestPath

TEXT = ["a b a b", "b a a", "a b", "c a b", "a c c", "b c a b"]
WORDS = WordTable(("a", "b", "c"))


@pytest.fixture
def models(tmp_path: Path) -> dict[int, kenlm.Model]:
    found = {}
    for order in (2, 3):
        arpa = tmp_path / f"{order}.arpa"
        write_arpa(estimate([line.split() for line in TEXT], order), arpa)
        found[order] = kenlm.Model(str(arpa))
    return found


def _cost(model: kenlm.Model, labels: tuple[int, ...], end: bool = True) -> float:
    return -math.log(10) * model.score(WORDS.text(labels), eos=end)


def _paths(model: kenlm.Model, final: bool) -> list[BestPath]:
    """Every three words, at noise for acoustic costs and a charge of 0.5 a word beside the model's cost."""
    draw = np.random.default_rng(3)
    paths = [
        BestPath(
            labels,
            (0, 1, 2),
            np.ones(3, np.int32),
            _cost(model, labels, final) + 1.5,
            draw.uniform(0, 5),
            final,
        )
        for labels in itertools.product((1, 2, 3), repeat=3)
    ]
    return sorted(paths, key=lambda path: path.cost)


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_orders_as_enumeration_does(models: dict[int, kenlm.Model], weight: float, final: bool) -> None:
    paths = _paths(models[2], final)
    found = rescored(paths, models[2], models[3], WORDS, weight)

    def expected(path: BestPath) -> float:
        old, new = (_cost(models[order], path.words, final) for order in (2, 3))
        return 1.5 + (1 - weight) * old + weight * new + path.acoustic_cost

    assert [p.words for p in found] == [p.words for p in sorted(paths, key=expected)]
    assert [p.cost for p in found] == pytest.approx([expected(p) for p in found])
    if weight:
        assert [p.words for p in found] != [p.words for p in paths]
