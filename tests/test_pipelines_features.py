"""Features of a stream are those of the whole, bit by bit, and follow their plain definition."""

from __future__ import annotations

import kaldi_native_fbank
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from data.types import Samples
from pipelines.features import (
    FeatureSettings,
    FeatureStream,
    Normaliser,
    estimate_normalisation,
    features,
    raw_features,
)

RATE = 8000


def _speech(seconds: float, seed: int = 0) -> Samples:
    draw = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (300 + 200 * time) * time)
    return (0.2 * tone + 0.02 * draw.standard_normal(len(time))).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 1500), max_size=10), st.sampled_from([0.0, 50.0]))
def test_a_stream_gives_the_same_bits(sizes: list[int], prior: float) -> None:
    options = FeatureSettings(RATE, prior_frames=prior)
    speech = _speech(0.8)
    normalisation = estimate_normalisation([raw_features(_speech(2, seed=1), options)], options)
    stream, parts, at = FeatureStream(options, normalisation), [], 0
    for size in [*sizes, len(speech)]:
        parts.append(stream.accept(speech[at : at + size]))
        at += size
    parts.append(stream.finish())
    np.testing.assert_array_equal(np.concatenate(parts), features(speech, options, normalisation))


def test_deltas_as_kaldi_defines_them() -> None:
    options = FeatureSettings(RATE, noise=0.0)
    found = raw_features(_speech(0.5), options)
    cepstra = found[:, :13]
    frames = np.arange(len(cepstra))

    def deltas(x: np.ndarray) -> np.ndarray:
        at = [x[np.clip(frames + k, 0, len(x) - 1)] for k in (-2, -1, 1, 2)]
        return (-2 * at[0] - at[1] + at[2] + 2 * at[3]) / 10

    np.testing.assert_allclose(found[:, 13:26], deltas(cepstra), atol=1e-4)
    inner = slice(4, -4)  # at the edges Kaldi repeats cepstra, not deltas
    np.testing.assert_allclose(found[inner, 26:], deltas(deltas(cepstra))[inner], atol=1e-4)


def test_cepstra_are_the_library_s_and_noise_is_small() -> None:
    plain = kaldi_native_fbank.MfccOptions()
    plain.frame_opts.samp_freq, plain.frame_opts.dither, plain.use_energy = RATE, 0.0, False
    mfcc = kaldi_native_fbank.OnlineMfcc(plain)
    speech = _speech(0.3)
    mfcc.accept_waveform(RATE, speech * np.float32(32768))
    theirs = np.stack([mfcc.get_frame(i) for i in range(mfcc.num_frames_ready)])
    without = raw_features(speech, FeatureSettings(RATE, noise=0.0))[:, :13]
    np.testing.assert_array_equal(without, theirs)
    assert np.abs(raw_features(speech, FeatureSettings(RATE))[:, :13] - theirs).max() < 1.0


def test_normalised_training_speech_has_mean_0_and_variance_1() -> None:
    options = FeatureSettings(RATE)
    raw = [raw_features(_speech(1, seed), options) for seed in range(3)]
    normalisation = estimate_normalisation(raw, options)
    together = np.concatenate([Normaliser(normalisation, 0.0).accept(r) for r in raw])
    np.testing.assert_allclose(together.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(together.std(axis=0), 1, atol=1e-3)


def test_the_running_mean_follows_the_channel() -> None:
    options = FeatureSettings(RATE, prior_frames=10.0)
    normalisation = estimate_normalisation([raw_features(_speech(2), options)], options)
    louder = features(2 * _speech(2), options, normalisation)[-50:, 0].mean()
    fixed = features(2 * _speech(2), FeatureSettings(RATE), normalisation)[-50:, 0].mean()
    same = features(_speech(2), options, normalisation)[-50:, 0].mean()
    assert abs(louder - same) < 0.2 * abs(fixed - same)


def test_digital_silence_stays_finite() -> None:
    assert np.isfinite(raw_features(np.zeros(RATE, np.float32), FeatureSettings(RATE))).all()


@pytest.mark.parametrize("count", [0, 1, 199])
def test_less_than_a_window_gives_no_frames(count: int) -> None:
    assert raw_features(np.zeros(count, np.float32), FeatureSettings(RATE)).shape == (0, 39)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        raw_features(np.array([0.0, np.nan], np.float32), FeatureSettings(RATE))


def test_a_capped_filterbank_hears_nothing_above() -> None:
    """Speech whose upper band was cut off by a codec and the whole band give the same features."""
    whole = np.random.default_rng(3).standard_normal(RATE).astype(np.float32) * np.float32(0.05)
    spectrum = np.fft.rfft(whole)
    spectrum[np.fft.rfftfreq(len(whole), 1 / RATE) > 2900] = 0
    cut = np.fft.irfft(spectrum, len(whole)).astype(np.float32)

    def apart(high_hz: float) -> float:
        options = FeatureSettings(RATE, high_hz=high_hz)
        differences = raw_features(whole, options) - raw_features(cut, options)
        return float(np.abs(differences[2:-2, : options.cepstra]).mean())

    assert apart(2800) < 0.01 * apart(0)
