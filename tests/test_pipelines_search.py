"""The search finds the best path that brute force finds, and the same in chunks of any size."""

from __future__ import annotations

import kaldifst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.fst import Arcs, arcs_of, const_fst, vector_fst
from pipelines.search import Beam, LogLikelihoods, Path, Search

STATES, LABELS = 6, 4


def _graph(seed: int) -> Arcs:
    """Random arcs with epsilons (from lower to higher states only, so that none goes in circles)."""
    draw = np.random.default_rng(seed)
    source, target = np.repeat(np.arange(STATES), STATES), np.tile(np.arange(STATES), STATES)
    ilabel = draw.integers(1, LABELS + 1, len(source))
    ilabel[(draw.random(len(source)) < 0.3) & (source < target)] = 0
    olabel = np.where(draw.random(len(source)) < 0.4, draw.integers(1, 9, len(source)), 0)
    weight = draw.uniform(0, 3, len(source)).astype(np.float32)
    final = np.where(np.arange(STATES) >= 4, draw.uniform(0, 1, STATES), np.inf).astype(np.float32)
    ints = (a.astype(np.int32) for a in (source, ilabel, olabel))
    return Arcs(*ints, weight, target.astype(np.int32), final)


def _log_likelihoods(frames: int, seed: int) -> LogLikelihoods:
    return np.random.default_rng(seed).normal(-2, 2, (frames, LABELS)).astype(np.float32)


def _brute_force(arcs: Arcs, likelihoods: LogLikelihoods) -> float:
    """Cost of the best complete path, by relaxing every arc until nothing gets better."""
    best = np.full((len(likelihoods) + 1, STATES), np.inf)
    best[0, arcs.start] = 0.0
    for t in range(len(best)):
        for _ in range(STATES):
            for a in np.flatnonzero(arcs.ilabel == 0):
                cost = best[t, arcs.source[a]] + arcs.weight[a]
                best[t, arcs.target[a]] = min(best[t, arcs.target[a]], cost)
        for a in np.flatnonzero(arcs.ilabel if t < len(likelihoods) else 0):
            cost = best[t, arcs.source[a]] + arcs.weight[a] - likelihoods[t, arcs.ilabel[a] - 1]
            best[t + 1, arcs.target[a]] = min(best[t + 1, arcs.target[a]], cost)
    return float((best[-1] + arcs.final).min())


@pytest.mark.parametrize("seed", range(12))
def test_finds_what_brute_force_finds(seed: int) -> None:
    arcs, likelihoods = _graph(seed), _log_likelihoods(9, seed + 100)
    path = Search(const_fst(arcs), Beam(beam=1000.0)).decode(likelihoods)
    assert path.final
    assert path.cost == pytest.approx(_brute_force(arcs, likelihoods), abs=1e-3)
    assert len(path.labels) == 9
    assert all(0 <= start <= end <= 9 for start, end in path.spans)


def _same(one: Path, other: Path) -> bool:
    return (one.words, one.starts, one.cost, one.final) == (
        other.words,
        other.starts,
        other.cost,
        other.final,
    ) and np.array_equal(one.labels, other.labels)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 7), max_size=8), st.integers(0, 5), st.sampled_from([2.0, 5.0, 1000.0]))
def test_chunks_of_any_size_change_nothing(sizes: list[int], seed: int, beam: float) -> None:
    search = Search(const_fst(_graph(seed)), Beam(beam=beam, max_active=5, min_active=2))
    likelihoods = _log_likelihoods(20, seed)
    stream, at = search.start(), 0
    for size in [*sizes, 20]:
        stream.advance(likelihoods[at : at + size])
        at = min(20, at + size)
    found = stream.finish()
    assert _same(found, search.decode(likelihoods))
    assert stream.frames == 20


def test_nothing_heard_is_an_empty_path() -> None:
    stream = Search(const_fst(_graph(0))).start()
    assert stream.partial() == ()
    assert stream.finish().words == ()


def test_a_path_that_cannot_end_is_still_given() -> None:
    one_way = kaldifst.compile("0 1 1 7\n1 2 1 8\n2\n")
    path = Search(one_way).decode(_log_likelihoods(1, 0))
    assert path.words == (7,)
    assert not path.final


@pytest.mark.parametrize("seed", range(3))
def test_arrays_survive_the_way_through_openfst(seed: int) -> None:
    arcs = _graph(seed)
    back = arcs_of(vector_fst(arcs))
    for name in ("source", "ilabel", "olabel", "weight", "target", "final"):
        np.testing.assert_array_equal(getattr(arcs, name), getattr(back, name))
    assert str(const_fst(arcs)) == str(vector_fst(arcs))
