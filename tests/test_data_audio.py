"""Decoding: every container, any rate and channels, and one clear line for what is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.audio import read_audio
from data.errors import InputError

RATE = 16_000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)  # one second


def spectrum_peak(samples: np.ndarray, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


@pytest.mark.parametrize(
    ("suffix", "container", "subtype", "tolerance"),
    [
        ("wav", "WAV", "PCM_16", 1e-3),
        ("wav", "WAV", "ULAW", 0.02),
        ("flac", "FLAC", "PCM_16", 1e-3),
        ("sph", "NIST", "PCM_16", 1e-3),
        ("ogg", "OGG", "VORBIS", 0.05),
        ("opus", "OGG", "OPUS", 0.05),
        ("mp3", "MP3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_containers(tmp_path: Path, suffix: str, container: str, subtype: str, tolerance: float) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, TONE, RATE, format=container, subtype=subtype)
    audio = read_audio(path, sample_rate=RATE)
    assert audio.sample_rate == RATE and audio.samples.dtype == np.float32
    assert abs(audio.seconds - 1) < 0.1
    assert abs(spectrum_peak(audio.samples, RATE) - 440) < 5
    middle = audio.samples[RATE // 4 : RATE // 2]
    assert abs(np.sqrt(np.mean(middle**2)) - 0.5 / np.sqrt(2)) < tolerance


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_rates_are_converted(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate), rate)
    audio = read_audio(path, sample_rate=RATE)
    assert abs(len(audio.samples) - RATE) <= 1
    assert abs(spectrum_peak(audio.samples, RATE) - 440) < 2
    assert read_audio(path).sample_rate == rate


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([TONE, np.zeros_like(TONE)], axis=1), RATE)
    np.testing.assert_allclose(read_audio(path).samples, TONE / 2, atol=1e-4)


def test_segments(tmp_path: Path) -> None:
    path = tmp_path / "ramp.wav"
    ramp = np.linspace(-1, 1, RATE, dtype=np.float32)
    soundfile.write(path, ramp, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path, 0.25, 0.5).samples, ramp[RATE // 4 : 3 * RATE // 4])
    with pytest.raises(InputError, match=r"ramp\.wav: ends at 1\.00 s, before the segment's end at 1\.50 s"):
        read_audio(path, 0.5, 1.0)
    with pytest.raises(InputError, match="holds no audio after 2 s"):
        read_audio(path, 2.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such audio file"),
        (b"", "is an empty file"),
        (b"this is no audio at all, whatever its name says", "cannot be read as audio"),
        (b"RIFF\x00\x00\x00\x00WAVE", "cannot be read as audio|holds no audio"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_audio(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "nan.wav"
    samples = np.array([0.0, bad, 0.5], dtype=np.float32)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    with pytest.raises(InputError, match=r"nan\.wav: holds samples that are not numbers"):
        read_audio(path)


def test_no_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    with pytest.raises(InputError, match="holds no audio"):
        read_audio(tmp_path / "none.wav")
