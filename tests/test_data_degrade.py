"""Noise at the level it says, the telephone's band, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.degrade import coloured_noise, degrade, mix, mu_law
from data.errors import InputError
from data.types import Audio

RATE = 16_000


def speech(seed: int, seconds: float = 1.0) -> Audio:
    generator = np.random.default_rng(seed)
    count = int(seconds * RATE)
    envelope = 0.2 * (1 + np.sin(2 * np.pi * 3 * np.arange(count) / RATE))
    return Audio((envelope * generator.standard_normal(count) * 0.3).astype(np.float32), RATE)


def power(samples: np.ndarray) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


def fitted_snr(clean: np.ndarray, noisy: np.ndarray) -> float:
    """The ratio in dB, whatever common gain was applied against clipping."""
    clean, noisy = clean.astype(np.float64), noisy.astype(np.float64)
    gain = np.dot(clean, noisy) / np.dot(clean, clean)
    return 10 * np.log10(power(gain * clean) / power(noisy - gain * clean))


@settings(deadline=None)
@given(st.floats(-5, 30), st.floats(0.01, 1.0))
def test_mix_is_at_the_level_asked_for(snr: float, loudness: float) -> None:
    clean = loudness * np.sin(np.arange(8000) * 0.05).astype(np.float32)
    noise = np.cos(np.arange(8000) * 0.31).astype(np.float32)
    mixed = mix(clean, noise, snr)
    assert abs(fitted_snr(clean, mixed) - snr) < 0.1
    assert np.abs(mixed).max() <= 1.0


def test_noisy_is_at_ten_decibels_with_voices_and_without() -> None:
    clean = speech(1, 3.0)
    for voices in ([], [speech(2), speech(3, 5.0), speech(4)]):
        noisy = degrade(clean, "noisy", seed=5, voices=voices)
        assert noisy.samples.shape == clean.samples.shape and noisy.samples.dtype == np.float32
        assert abs(fitted_snr(clean.samples, noisy.samples) - 10) < 0.3  # chance correlation


def test_noise_has_its_colour() -> None:
    noise = coloured_noise(2**16, 2.0, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [spectrum[2**k : 2 ** (k + 1)].mean() for k in range(6, 14)]
    slopes = np.diff(10 * np.log10(octaves))
    assert abs(slopes.mean() + 6.02) < 0.5  # 1 / f ** 2 falls by 6 dB an octave


def test_telephone_keeps_its_band_and_nothing_else() -> None:
    white = Audio((0.1 * np.random.default_rng(0).standard_normal(4 * RATE)).astype(np.float32), RATE)
    heard = degrade(white, "telephone", seed=0)
    assert heard.samples.shape == white.samples.shape and heard.sample_rate == RATE
    spectrum = np.abs(np.fft.rfft(heard.samples)) ** 2
    hertz = np.fft.rfftfreq(len(heard.samples), 1 / RATE)
    inside = spectrum[(hertz > 500) & (hertz < 3000)].mean()
    assert spectrum[hertz < 100].mean() < inside / 100
    assert spectrum[hertz > 4200].mean() < inside / 1000


def test_mu_law_has_the_levels_and_noise_of_eight_bits() -> None:
    samples = np.linspace(-1, 1, 100_001, dtype=np.float32)
    coded = mu_law(samples)
    assert len(np.unique(coded)) == 255
    assert np.all(np.diff(coded) >= 0) and coded[0] == -1 and coded[-1] == 1
    sine = np.sin(np.arange(50_000) * 0.1).astype(np.float32)
    snr = 10 * np.log10(power(sine) / power(mu_law(sine) - sine))
    assert 36 < snr < 41  # textbook: about 38 dB over a wide range of levels


@pytest.mark.parametrize("condition", ["noisy", "telephone"])
def test_the_same_every_time(condition: str) -> None:
    first = degrade(speech(1), condition, 7, [speech(2)])
    again = degrade(speech(1), condition, 7, [speech(2)])
    np.testing.assert_array_equal(first.samples, again.samples)


def test_another_seed_is_other_noise() -> None:
    assert not np.array_equal(degrade(speech(1), "noisy", 1).samples, degrade(speech(1), "noisy", 2).samples)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_very_short_audio(count: int) -> None:
    short = Audio(np.full(count, 0.1, dtype=np.float32), RATE)
    for condition in ("noisy", "telephone"):
        assert degrade(short, condition, 0, [speech(1)]).samples.shape == (count,)


def test_silence_stays_silence() -> None:
    silence = Audio(np.zeros(RATE, dtype=np.float32), RATE)
    assert not degrade(silence, "noisy", 0, [silence]).samples.any()


def test_unknown_condition() -> None:
    with pytest.raises(InputError, match="did you mean 'telephone'"):
        degrade(speech(1), "telefone", 0)
