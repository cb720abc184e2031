"""The choice on a noisy dev set."""

from __future__ import annotations

import numpy as np

from pipelines.hybrid.tune import flattest


def test_low_ground_beats_one_lucky_point() -> None:
    rates = np.full(7, 20.0)
    rates[3:6] = 12.0
    rates[0] = 10.0  # lucky
    assert flattest(rates) == 4


def test_a_slope_ends_at_its_foot() -> None:
    assert flattest(np.arange(7.0)) == 0
    assert flattest(-np.arange(7.0)) == 6
