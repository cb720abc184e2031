"""Acoustic conditions: clean speech made harder, the same way every time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import butter, sosfiltfilt

from data.audio import resample
from data.errors import InputError, did_you_mean
from data.types import Audio, Samples

CONDITIONS = ("clean", "noisy", "telephone")
NOISY_SNR_DB = 10.0
TELEPHONE_RATE = 8000
TELEPHONE_BAND = (300.0, 3400.0)  # Hz, the voice band of ITU-T G.712
VOICES = 3  # how many other speakers talk in the background


def degrade(audio: Audio, condition: str, seed: int, voices: Sequence[Audio] = ()) -> Audio:
    """`audio` as it sounds in a condition; same rate, same length.

    `voices` are other people's utterances, the babble of ``noisy``. Everything random follows from `seed`.
    Raises `InputError` for an unknown condition.
    """
    if condition == "clean":
        return audio
    if condition == "noisy":
        return _noisy(audio, voices, seed)
    if condition == "telephone":
        return _telephone(audio)
    hint = did_you_mean(condition, CONDITIONS)
    raise InputError(f"unknown condition '{condition}'{hint} (known: {', '.join(CONDITIONS)})")


def mix(speech: Samples, noise: Samples, snr_db: float) -> Samples:
    """Speech (n,) plus noise (n,) scaled so that the ratio of their mean powers is `snr_db`.

    Where the sum would clip, both are turned down together, which leaves the ratio as it is.
    """
    speech_power = float(np.mean(np.square(speech, dtype=np.float64)))
    noise_power = float(np.mean(np.square(noise, dtype=np.float64)))
    if speech_power == 0 or noise_power == 0:
        return speech
    gain = np.sqrt(speech_power / noise_power / 10 ** (snr_db / 10))
    mixed = speech.astype(np.float64) + gain * noise.astype(np.float64)
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), dtype=np.float32)


def mu_law(samples: Samples, mu: int = 255) -> Samples:
    """Through the 8-bit mu-law companding of ITU-T G.711 (its continuous curve) and back; shape (n,)."""
    clipped = np.clip(samples.astype(np.float64), -1.0, 1.0)
    compressed = np.sign(clipped) * np.log1p(mu * np.abs(clipped)) / np.log1p(mu)
    quantised = np.round(compressed * 127.0) / 127.0
    return np.asarray(np.sign(quantised) * np.expm1(np.abs(quantised) * np.log1p(mu)) / mu, dtype=np.float32)


def coloured_noise(count: int, exponent: float, generator: np.random.Generator) -> Samples:
    """Noise of shape (count,), unit power, whose power spectrum falls as 1 / frequency ** exponent."""
    spectrum = np.fft.rfft(generator.standard_normal(count))
    bins = np.maximum(np.arange(len(spectrum)), 1)
    noise = np.fft.irfft(spectrum * bins ** (-exponent / 2), n=count)
    return _unit_power(noise.astype(np.float32))


def _noisy(audio: Audio, voices: Sequence[Audio], seed: int) -> Audio:
    """Babble and coloured noise (white to brown) of equal power, together 10 dB below the speech."""
    generator = np.random.default_rng(seed)
    count = len(audio.samples)
    noise = coloured_noise(count, float(generator.uniform(0.0, 2.0)), generator)
    babble = np.zeros(count, dtype=np.float32)
    for voice in voices:
        babble += _looped(
            _unit_power(resample(voice.samples, voice.sample_rate, audio.sample_rate)), count, generator
        )
    return Audio(mix(audio.samples, noise + _unit_power(babble), NOISY_SNR_DB), audio.sample_rate)


def _looped(samples: Samples, count: int, generator: np.random.Generator) -> Samples:
    """`count` samples of a voice that starts somewhere and comes round again."""
    return np.resize(np.roll(samples, -int(generator.integers(len(samples)))), count)


def _unit_power(samples: Samples) -> Samples:
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return np.asarray(samples / np.sqrt(power) if power > 0 else samples, dtype=np.float32)


def _telephone(audio: Audio) -> Audio:
    """Band-passed, 8 kHz, 8-bit mu-law, and back at the rate it came with."""
    narrow = resample(audio.samples, audio.sample_rate, TELEPHONE_RATE).astype(np.float64)
    sections = butter(4, TELEPHONE_BAND, btype="bandpass", fs=TELEPHONE_RATE, output="sos")
    passed = sosfiltfilt(sections, narrow, padlen=min(60, len(narrow) - 1)).astype(np.float32)
    wide = resample(mu_law(passed), TELEPHONE_RATE, audio.sample_rate)
    missing = max(0, len(audio.samples) - len(wide))
    return Audio(np.pad(wide, (0, missing))[: len(audio.samples)].astype(np.float32), audio.sample_rate)
