"""The search finds the best path that brute force finds, and the same in chunks of any size."""

from __future__ import annotations

import kaldifst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.fst import Arcs, arcs_of, const_fst, vector_fst
from pipelines.nbest import nbest
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


def _brute_force(arcs: Arcs, likelihoods: LogLikelihoods) -> dict[tuple[int, ...], float]:
    """Costs of the best complete path for each word sequence, by following every arc from every history."""
    here: dict[tuple[int, tuple[int, ...]], float] = {(arcs.start, ()): 0.0}
    for row in [*likelihoods, None]:
        for state in range(STATES):  # epsilons lead upwards only
            for (source, words), cost in list(here.items()):
                if source == state:
                    for a in np.flatnonzero((arcs.source == state) & (arcs.ilabel == 0)):
                        _relax(here, arcs, a, words, cost)
        if row is not None:
            there: dict[tuple[int, tuple[int, ...]], float] = {}
            for (source, words), cost in here.items():
                for a in np.flatnonzero((arcs.source == source) & (arcs.ilabel > 0)):
                    _relax(there, arcs, a, words, cost - row[arcs.ilabel[a] - 1])
            here = there
    found: dict[tuple[int, ...], float] = {}
    for (state, words), cost in here.items():
        if np.isfinite(arcs.final[state]):
            found[words] = min(found.get(words, np.inf), cost + float(arcs.final[state]))
    return found


def _relax(
    table: dict[tuple[int, tuple[int, ...]], float], arcs: Arcs, a: int, words: tuple[int, ...], cost: float
) -> None:
    word = int(arcs.olabel[a])
    key = (int(arcs.target[a]), (*words, word) if word else words)
    table[key] = min(table.get(key, np.inf), cost + float(arcs.weight[a]))


@pytest.mark.parametrize("seed", range(12))
def test_finds_what_brute_force_finds(seed: int) -> None:
    arcs, likelihoods = _graph(seed), _log_likelihoods(4, seed + 100)
    path = Search(const_fst(arcs), Beam(beam=1000.0)).decode(likelihoods)
    best = _brute_force(arcs, likelihoods)
    assert path.final
    assert path.words == min(best, key=best.__getitem__)
    assert path.cost == pytest.approx(best[path.words], abs=1e-3)
    assert path.acoustic_cost == pytest.approx(-likelihoods[np.arange(4), path.labels - 1].sum(), abs=1e-3)
    assert all(0 <= start <= end <= 4 for start, end in path.spans)


@pytest.mark.parametrize("seed", range(8))
def test_a_lattice_holds_the_best_word_sequences(seed: int) -> None:
    """With costs, best first, none twice; and of them all no more than the lattice's beam lets in."""
    arcs, likelihoods = _graph(seed), _log_likelihoods(4, seed + 100)
    search = Search(const_fst(arcs), Beam(beam=1000.0))
    every = sorted(_brute_force(arcs, likelihoods).items(), key=lambda item: item[1])
    paths = nbest(search.lattice(likelihoods, 1000.0), 25)
    assert [p.cost for p in paths] == pytest.approx([cost for _, cost in every[:25]], abs=1e-3)
    assert len({p.words for p in paths}) == 25
    for path in paths:
        assert path.cost == pytest.approx(dict(every)[path.words], abs=1e-3)
        assert path.acoustic_cost == pytest.approx(
            -likelihoods[np.arange(4), path.labels - 1].sum(), abs=1e-3
        )
    narrow = nbest(search.lattice(likelihoods, 1.0), 1000)
    assert len(narrow) < len(every)
    close = {words for words, cost in every if cost < every[0][1] + 1.0 - 1e-3}
    assert close <= {p.words for p in narrow}


@pytest.mark.parametrize("beam", [2.0, 5.0, 1000.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_a_lattice_is_what_the_search_finds(seed: int, beam: float) -> None:
    search, likelihoods = (
        Search(const_fst(_graph(seed)), Beam(beam, min_active=0)),
        _log_likelihoods(30, seed),
    )
    found, best = search.decode(likelihoods), nbest(search.lattice(likelihoods, 4.0), 1)[0]
    assert (best.words, best.final) == (found.words, found.final)
    assert best.graph_cost == pytest.approx(found.graph_cost, abs=1e-2)
    assert best.acoustic_cost == pytest.approx(found.acoustic_cost, abs=1e-2)
    np.testing.assert_array_equal(best.labels, found.labels)


def test_silence_at_the_end_is_counted_in_frames() -> None:
    graph = kaldifst.compile("0 0 1 0\n0 1 2 7\n1 1 2 0\n1 0 1 0\n0 0\n1 3.5\n")
    stream, quiet, speech = Search(graph).start(), np.float32([[0, -9]]), np.float32([[-9, 0]])
    assert stream.trailing({1}) == 0
    assert stream.relative_cost() == np.inf
    for chunk, expected in ((quiet, 1), (quiet, 2), (speech, 0), (quiet, 1)):
        stream.advance(chunk)
        assert stream.trailing({1}) == expected
        assert stream.trailing({1, 2}) == stream.frames
    assert stream.relative_cost() == 0.0
    stream.advance(speech)
    assert stream.partial() == (7, 7)
    assert stream.relative_cost() == pytest.approx(3.5)


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
    assert nbest(Search(const_fst(_graph(0))).lattice(_log_likelihoods(0, 0), 4.0), 3)[0].words == ()


def test_a_path_that_cannot_end_is_still_given() -> None:
    one_way = kaldifst.compile("0 1 1 7\n1 2 1 8\n2\n")
    path = Search(one_way).decode(_log_likelihoods(1, 0))
    assert path.words == (7,)
    assert not path.final
    best = nbest(Search(one_way).lattice(_log_likelihoods(1, 0), 4.0), 3)
    assert [p.words for p in best] == [(7,)]
    assert not best[0].final
    too_long = _log_likelihoods(5, 0)
    assert nbest(Search(one_way).lattice(too_long, 4.0), 3)[0].words == Search(one_way).decode(too_long).words


@pytest.mark.parametrize("seed", range(3))
def test_arrays_survive_the_way_through_openfst(seed: int) -> None:
    arcs = _graph(seed)
    back = arcs_of(vector_fst(arcs))
    for name in ("source", "ilabel", "olabel", "weight", "target", "final"):
        np.testing.assert_array_equal(getattr(arcs, name), getattr(back, name))
    assert str(const_fst(arcs)) == str(vector_fst(arcs))
