"""Intervals and tests against brute force, closed forms and published figures."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.score import align
from bench.stats import (
    bootstrap_by_speaker,
    by_group,
    holm,
    mapsswe,
    paired_bootstrap,
    quantile_interval,
    segments,
)


def test_bootstrap_agrees_with_all_resamples() -> None:
    errors, words = np.array([1.0, 4.0, 0.0]), np.array([10.0, 12.0, 9.0])
    every = [100 * sum(errors[list(draw)]) / sum(words[list(draw)]) for draw in product(range(3), repeat=3)]
    found = bootstrap_by_speaker(errors, words, ["a", "b", "c"], seed=1)
    low, high = np.percentile(every, [2.5, 97.5], method="inverted_cdf")
    assert found.value == pytest.approx(100 * 5 / 31)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_bootstrap_resamples_speakers_not_utterances() -> None:
    errors = np.array([5.0] * 50 + [0.0] * 50)
    words = np.full(100, 10.0)
    two = bootstrap_by_speaker(errors, words, ["a"] * 50 + ["b"] * 50, seed=1)
    many = bootstrap_by_speaker(errors, words, [None] * 100, seed=1)
    assert (two.low, two.high, two.groups) == (0.0, 50.0, 2)
    assert many.groups == 100
    assert many.high - many.low < 25


def test_bootstrap_is_seeded() -> None:
    errors, words = np.arange(20.0), np.full(20, 30.0)
    speakers = [str(i) for i in range(20)]
    assert bootstrap_by_speaker(errors, words, speakers, 3) == bootstrap_by_speaker(
        errors, words, speakers, 3
    )
    assert bootstrap_by_speaker(errors, words, speakers, 3) != bootstrap_by_speaker(
        errors, words, speakers, 4
    )


def test_unknown_speakers_stay_apart() -> None:
    sums = by_group(np.ones((5, 1)), ["a", None, "b", None, "a"])
    assert sorted(sums[:, 0]) == [1, 1, 1, 2]


def test_paired_interval_of_equal_systems_is_nothing() -> None:
    errors, words = np.arange(9.0), np.full(9, 20.0)
    found = paired_bootstrap(errors, errors, words, [str(i) for i in range(9)], seed=1)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_segments_end_where_both_are_right_for_two_words() -> None:
    reference = "a b c d e f g h"
    one = align(reference, "x b c d e f g h")  # wrong at a
    two = align(reference, "a b c y e f h")  # wrong at d, g missing
    # a | b c right in both | d: e f right in both | g
    assert segments(one, two) == [(1, 0), (0, 1), (0, 1)]


def test_one_right_word_between_does_not_end_a_segment() -> None:
    reference = "a b c d"
    assert segments(align(reference, "x b y d"), align(reference, "a b c d")) == [(2, 0)]


def test_insertions_count_in_their_gap() -> None:
    reference = "a b c d e"
    found = segments(align(reference, "a b c d e z"), align(reference, "z a b c d e"))
    assert found == [(0, 1), (1, 0)]


@given(st.lists(st.tuples(*[st.sampled_from("ab ")] * 3), min_size=1, max_size=12))
def test_segments_keep_every_error(letters: list[tuple[str, str, str]]) -> None:
    reference, one, two = (" ".join("".join(side).split()) for side in zip(*letters, strict=True))
    if reference:
        left, right = align(reference, one), align(reference, two)
        found = segments(left, right)
        assert sum(a for a, _ in found) == sum(operation != "equal" for operation, _, _ in left)
        assert sum(b for _, b in found) == sum(operation != "equal" for operation, _, _ in right)
        assert all(a or b for a, b in found)


def test_mapsswe_by_hand() -> None:
    found = mapsswe([(1, 0), (1, 0), (1, 0), (0, 1), (2, 0), (1, 1)])
    # differences 1 1 1 -1 2 0: mean 2/3, variance (3 + 1 + 4 - 6 * 4 / 9) / 5 = 16 / 15
    z = (2 / 3) / math.sqrt(16 / 15 / 6)
    assert found.z == pytest.approx(z)
    assert found.p == pytest.approx(math.erfc(z / math.sqrt(2)))
    assert mapsswe([(0, 1), (3, 0)]).z == pytest.approx(-mapsswe([(1, 0), (0, 3)]).z)


def test_mapsswe_where_it_says_nothing() -> None:
    assert mapsswe([]).p == 1.0
    assert mapsswe([(1, 1), (2, 2)]).p == 1.0
    assert math.isnan(mapsswe([(1, 0), (1, 0)]).p)


def test_smallest_detectable_difference_falls_with_the_size_of_the_set() -> None:
    pairs = [(1, 0), (0, 1), (2, 0), (0, 0)]
    small, large = mapsswe(pairs), mapsswe(pairs * 100)
    assert small.smallest_detectable(100) > 5 * large.smallest_detectable(100 * 100)


def test_mapsswe_keeps_its_level() -> None:
    generator = np.random.default_rng(1)
    hits = sum(mapsswe(generator.poisson(1.0, (80, 2)).tolist()).p < 0.05 for _ in range(1000))
    assert 25 <= hits <= 80


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, math.nan, 0.7])[::2] == [1.0, 1.0]
    assert holm([]) == []


def test_quantile_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    truth = -math.log(0.1)  # the 90th percentile of an exponential variable
    hits = 0
    for _ in range(400):
        low, high = quantile_interval(generator.exponential(size=200).tolist(), 90)
        assert low is not None and high is not None
        hits += low <= truth <= high
    assert hits / 400 >= 0.93


def test_quantile_interval_has_no_end_where_no_value_can_bound_it() -> None:
    low, high = quantile_interval([float(i) for i in range(100)], 99)
    assert low is not None and low <= 98
    assert high is None
    assert quantile_interval([1.0], 50) == (None, None)
