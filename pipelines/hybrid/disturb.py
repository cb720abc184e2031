"""Further copies of the training speech: at another speed, in noise, through a narrow band.

Multi-condition training as in the Aurora tasks (Hirsch and Pearce, 2000) and speed perturbation (Ko et al.,
Interspeech 2015). What is drawn here is broader than any one test condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

from data.audio import resample
from data.degrade import coloured_noise, mix, mu_law
from data.types import Samples

_SNR_DB = (3.0, 20.0)
_LOW_EDGE, _HIGH_EDGE = (150.0, 400.0), (3000.0, 3900.0)  # Hz, of a narrow band
_NARROW = 0.5  # of the disturbed copies; the others are in noise
_BABBLE = 0.6  # of the noises


@dataclass(frozen=True)
class Copying:
    """`copies` of each utterance, their speed drawn from 1 - `speed` to 1 + `speed`; `disturbed` is the
    share of them that noise or a narrow band makes harder. `seed` decides all draws."""

    copies: int = 0
    speed: float = 0.0
    disturbed: float = 0.0
    seed: int = 1


def copies_of(
    samples: Samples, other: Samples, sample_rate: int, copying: Copying, rng: np.random.Generator
) -> Iterator[Samples]:
    """Copies of speech, shape (n,); `other`, shape (m,), is the speech that may babble behind it."""
    for _ in range(copying.copies):
        factor = 1.0 + copying.speed * rng.uniform(-1.0, 1.0)
        copy = _at_speed(samples, factor, sample_rate)
        if rng.random() < copying.disturbed:
            narrow = rng.random() < _NARROW
            copy = _narrow(copy, sample_rate, rng) if narrow else _noisy(copy, other, rng)
        yield copy


def _at_speed(samples: Samples, factor: float, sample_rate: int) -> Samples:
    """Pitch and tempo both changed: shape (about n / factor,)."""
    return resample(samples, round(sample_rate * factor), sample_rate)


def _noisy(samples: Samples, other: Samples, rng: np.random.Generator) -> Samples:
    noise = coloured_noise(len(samples), float(rng.uniform(0.0, 2.0)), rng)
    power = float(np.mean(np.square(other, dtype=np.float64))) if len(other) else 0.0
    if power > 0 and rng.random() < _BABBLE:
        babble = np.resize(np.roll(other, int(rng.integers(len(other)))), len(samples))
        noise = noise * np.float32(rng.uniform(0.1, 1.0)) + babble / np.float32(np.sqrt(power))
    return mix(samples, noise, float(rng.uniform(*_SNR_DB)))


def _narrow(samples: Samples, sample_rate: int, rng: np.random.Generator) -> Samples:
    """Band-passed, and in half of the cases through 8-bit mu-law."""
    edges = (float(rng.uniform(*_LOW_EDGE)), min(float(rng.uniform(*_HIGH_EDGE)), 0.45 * sample_rate))
    sections = butter(6, edges, btype="bandpass", fs=sample_rate, output="sos")
    passed = np.asarray(sosfilt(sections, samples), np.float32)
    if rng.random() < 0.5:
        quantised = mu_law(passed)
        low_pass = butter(8, edges[1], fs=sample_rate, output="sos")
        return np.asarray(sosfilt(low_pass, quantised), np.float32)
    return passed
