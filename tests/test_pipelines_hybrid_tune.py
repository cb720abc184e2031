"""The choice on a noisy dev set."""

from __future__ import annotations

import numpy as np

from pipelines.hybrid.tune import flattest


def test_low_ground_beats_one_lucky_point() -> None:
    rates = np.full((5, 7), 20.0)
    rates[1:4, 3:6] = 12.0
    rates[2, 0] = 10.0  # lucky
    assert flattest(rates) == (2, 4)


def test_a_slope_ends_at_its_foot() -> None:
    rates = np.add.outer(np.arange(5.0), np.arange(7.0))
    assert flattest(rates) == (0, 0)
