"""Copies of speech: how many, how long, how disturbed, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from data.types import Samples
from pipelines.hybrid.disturb import Copying, copies_of

RATE = 16000


def _white(seed: int, count: int = RATE) -> Samples:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def _copies(copying: Copying, seed: int = 1) -> list[Samples]:
    return list(copies_of(_white(1), _white(2, 3000), RATE, copying, np.random.default_rng(seed)))


def test_none_unless_asked_for() -> None:
    assert _copies(Copying()) == []


def test_plain_copies_are_the_speech() -> None:
    for copy in _copies(Copying(copies=2)):
        np.testing.assert_array_equal(copy, _white(1))


def test_speed_changes_the_length() -> None:
    lengths = [len(copy) for copy in _copies(Copying(copies=30, speed=0.1))]
    assert min(lengths) >= RATE / 1.1 - 2
    assert max(lengths) <= RATE / 0.9 + 2
    assert len(set(lengths)) > 20


def test_disturbed_copies_are_noisy_or_narrow() -> None:
    speech = _white(1)
    narrow, noisy = 0, 0
    for copy in _copies(Copying(copies=40, disturbed=1.0)):
        assert len(copy) == len(speech)
        assert np.isfinite(copy).all()
        power = np.abs(np.fft.rfft(copy)) ** 2  # bins of 1 Hz
        if power[5000:].sum() < 0.02 * power.sum():
            narrow += 1
        else:
            noisy += 1
            match = float(np.corrcoef(copy, speech)[0, 1])
            assert 1.5 < 10 * np.log10(match**2 / (1 - match**2)) < 21.5  # dB
    assert narrow >= 10
    assert noisy >= 10


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_decides(seed: int) -> None:
    copying = Copying(copies=3, speed=0.1, disturbed=0.7)
    one, same, other = _copies(copying, seed), _copies(copying, seed), _copies(copying, seed + 10)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
