"""Trees against the frames themselves: every split anew by brute force, likelihoods by scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from pipelines.hybrid.topology import Topology
from pipelines.hybrid.tree import ContextStatistics, context_statistics, grow_trees, log_likelihood
from pipelines.hybrid.tying import Tying

DIMS, FLOOR = 3, np.full(3, 0.05)
TOPOLOGY = Topology(("SIL", "A_B", "A_E", "N", "T_I", "T_S", "Z"), (5, 3, 3, 3, 3, 3, 3))
UNHEARD = 6
ROOTS = 5 + 4 * 3
ASKED = ((0,), (1, 2), (1, 4), (3, 4, 5), (2, 5))
SETS = np.array([[phone in asked for phone in range(7)] for asked in ASKED])
LEAST = 12.0


def _speech(seed: int, phones: int = 5, seconds: int = 8) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Utterances whose frames depend on the phone, its neighbours and the position; silence between."""
    draw = np.random.default_rng(seed)
    own, near = draw.normal(0, 1, (7, 5, DIMS)), draw.normal(0, 1, (2, 7, DIMS))
    features, contexts = [], []
    for _ in range(seconds):
        heard = [0, *draw.integers(1, phones + 1, 12).tolist(), 0]
        rows = []
        for left, phone, right in zip([0, *heard], heard, [*heard[1:], 0], strict=False):
            for position in range(TOPOLOGY.lengths[phone]):
                rows += [(left, phone, right, position)] * int(draw.integers(1, 5))
        context = np.array(rows, np.int32)
        left, phone, right, position = context.T
        mean = own[phone, position] + near[0, left] + near[1, right]
        features.append((mean + draw.normal(0, 1, mean.shape)).astype(np.float32))
        contexts.append(context)
    return features, contexts


def _grown(seed: int, most_leaves: int, min_gain: float = 0.0) -> Tying:
    return grow_trees(
        context_statistics(*_speech(seed)),
        TOPOLOGY,
        SETS,
        most_leaves=most_leaves,
        min_gain=min_gain,
        min_occupancy=LEAST,
        variance_floor=FLOOR,
    )


def _likelihood(frames: np.ndarray) -> float:
    """By scipy, of frames (T, D) under their own Gaussian."""
    frames = frames.astype(np.float64)
    deviation = np.sqrt(np.maximum(frames.var(axis=0), FLOOR))
    return float(norm.logpdf(frames, frames.mean(axis=0), deviation).sum())


def _tied_likelihood(tying: Tying, features: list[np.ndarray], contexts: list[np.ndarray]) -> float:
    x, senones = np.concatenate(features), tying.senone(*np.concatenate(contexts).T)
    return sum(_likelihood(x[senones == senone]) for senone in np.unique(senones))


def test_statistics_are_the_sums_over_each_context_s_frames() -> None:
    features, contexts = _speech(1)
    statistics = context_statistics(features, contexts)
    x, rows = np.concatenate(features).astype(np.float64), np.concatenate(contexts)
    assert {tuple(row) for row in statistics.contexts.tolist()} == {tuple(row) for row in rows.tolist()}
    assert len(np.unique(statistics.contexts, axis=0)) == len(statistics.contexts)
    for i, context in enumerate(statistics.contexts):
        mine = x[(rows == context).all(axis=1)]
        assert statistics.occupancy[i] == len(mine)
        np.testing.assert_allclose(statistics.sums[i], mine.sum(axis=0))
        np.testing.assert_allclose(statistics.squares[i], (mine**2).sum(axis=0))


def test_batches_of_utterances_add_up(monkeypatch) -> None:
    features, contexts = _speech(2)
    features.insert(2, features[0][:0])
    contexts.insert(2, contexts[0][:0])
    whole = context_statistics(features, contexts)
    monkeypatch.setattr("pipelines.hybrid.tree._BATCH_FRAMES", 150)
    parts = context_statistics(features, contexts)
    np.testing.assert_array_equal(parts.contexts, whole.contexts)
    np.testing.assert_allclose(parts.sums, whole.sums)
    np.testing.assert_allclose(parts.squares, whole.squares)


def test_frames_without_a_context_are_an_error() -> None:
    features, contexts = _speech(1)
    with pytest.raises(ValueError, match="utterance 1 has"):
        context_statistics(features, [contexts[0], contexts[1][:-1], *contexts[2:]])


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_the_likelihood_of_sums_is_that_of_the_frames(scale) -> None:
    frames = np.random.default_rng(3).normal(0.5, scale, (40, DIMS))
    found = log_likelihood(np.array(40.0), frames.sum(axis=0), (frames**2).sum(axis=0), FLOOR)
    assert found == pytest.approx(_likelihood(frames), rel=1e-9)


def _by_brute_force(
    features: list[np.ndarray], contexts: list[np.ndarray], most_leaves: int
) -> tuple[set[frozenset[tuple[int, ...]]], list[float]]:
    """The leaves as sets of heard contexts, and the splits' gains, by trying all questions everywhere."""
    x, rows = np.concatenate(features), np.concatenate(contexts)
    families = [((0,), False), ((1, 2), True), ((3,), True), ((4, 5), True), ((6,), True)]
    leaves = [
        (np.isin(rows[:, 1], phones) & (rows[:, 3] == position), split)
        for phones, split in families
        for position in range(TOPOLOGY.lengths[phones[0]])
    ]
    gains = []
    while len(leaves) < most_leaves:
        best, choice = -np.inf, None
        for (number, (leaf, split)), asked, side in itertools.product(enumerate(leaves), SETS, range(3)):
            yes = leaf & asked[rows[:, side]]
            no = leaf & ~yes
            if not split or min(yes.sum(), no.sum()) < LEAST:
                continue
            gain = _likelihood(x[yes]) + _likelihood(x[no]) - _likelihood(x[leaf])
            if gain > best:
                best, choice = gain, (number, yes, no)
        if choice is None:
            break
        number, yes, no = choice
        leaves[number : number + 1] = [(yes, True), (no, True)]
        gains.append(best)
    found = {frozenset(map(tuple, rows[leaf].tolist())) for leaf, _ in leaves if leaf.any()}
    return found, gains


@pytest.mark.parametrize(("seed", "most_leaves"), [(4, 19), (4, 26), (5, 40)])
def test_splits_are_those_of_brute_force(seed, most_leaves) -> None:
    features, contexts = _speech(seed)
    expected, _ = _by_brute_force(features, contexts, most_leaves)
    rows = np.concatenate(contexts)
    senones = _grown(seed, most_leaves).senone(*rows.T)
    found = {frozenset(map(tuple, rows[senones == senone].tolist())) for senone in np.unique(senones)}
    assert found == expected


def test_each_leaf_more_gains_what_brute_force_says_and_never_loses() -> None:
    features, contexts = _speech(6)
    _, gains = _by_brute_force(features, contexts, ROOTS + 10)
    totals = [_tied_likelihood(_grown(6, ROOTS + n), features, contexts) for n in range(11)]
    np.testing.assert_allclose(np.diff(totals), gains, rtol=1e-6)
    assert min(np.diff(totals)) > 0


def test_growth_ends_at_the_least_gain() -> None:
    _, gains = _by_brute_force(*_speech(7), most_leaves=32)
    assert min(gains[:6]) > gains[6]
    enough = (min(gains[:6]) + gains[6]) / 2
    assert _grown(7, 1000, min_gain=enough).senones == ROOTS + 6


def test_every_leaf_has_the_frames_it_must_have() -> None:
    _, contexts = _speech(8)
    rows = np.concatenate(contexts)
    tying = _grown(8, 1000)
    assert tying.senones > 30
    frames = np.bincount(tying.senone(*rows.T), minlength=tying.senones)
    unheard = np.unique(tying.label_senone[tying.label_phone == UNHEARD])
    assert frames[unheard].tolist() == [0, 0, 0]
    assert np.delete(frames, unheard).min() >= LEAST


def test_silence_and_what_was_never_heard_are_not_split() -> None:
    tying = _grown(9, 1000)
    assert tying.label_senone[tying.label_phone == 0].tolist() == [0, 1, 2, 3, 4]
    assert np.count_nonzero(tying.label_phone == UNHEARD) == 3
    assert tying.width == 3
    neighbours = np.arange(7)
    for position in range(5):
        around = tying.senone(neighbours[:, None], np.array(0), neighbours, np.array(position))
        assert (around == position).all()


def test_senones_run_through_the_roots_in_order() -> None:
    tying = _grown(10, 40)
    leaves = [senone for root in tying.roots for senone in root.tree.leaf.tolist() if senone >= 0]
    assert sorted(leaves) == leaves == list(range(40))
    assert [root.phones for root in tying.roots[::3]][2:] == [(1, 2), (3,), (4, 5), (6,)]


def test_fewer_leaves_than_roots_are_the_roots() -> None:
    tying = _grown(11, 1)
    assert (tying.senones, tying.labels, tying.width) == (ROOTS, 5 + 6 * 3, 1)
    places = tying.senone(np.array(3), np.array([1, 2]), np.array(4), np.array(1))
    assert places[0] == places[1]


def test_word_places_part_where_they_sound_different() -> None:
    contexts = np.array([[0, phone, 0, position] for phone in (1, 2) for position in range(3)], np.int32)
    mean = contexts[:, 1:2].astype(float)
    occupancy = np.full(6, 50.0)
    statistics = ContextStatistics(contexts, occupancy, 50 * mean, 50 * (mean**2 + 0.1))
    topology = Topology(("SIL", "A_B", "A_E"), (3, 3, 3))
    tying = grow_trees(
        statistics,
        topology,
        np.eye(3, dtype=bool),
        most_leaves=100,
        min_gain=1.0,
        min_occupancy=10,
        variance_floor=np.array([0.01]),
    )
    assert (tying.senones, tying.labels, tying.width) == (9, 9, 1)
