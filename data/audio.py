"""Decoding audio files: any rate, any number of channels, WAV, FLAC, MP3, Ogg Vorbis, Opus, NIST Sphere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from data.errors import InputError
from data.types import Audio, Samples, Seconds

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".opus", ".ogg", ".oga", ".sph", ".aiff", ".aif", ".au")


def read_audio(
    path: Path, start: Seconds = 0.0, duration: Seconds | None = None, sample_rate: int | None = None
) -> Audio:
    """The mono audio of a file, or of the segment of it that starts at `start` seconds.

    Channels are averaged. `duration` None: up to the end; `sample_rate` None: the file's own rate, in Hz.
    Raises `InputError` for a file that is missing, unreadable, empty, or holds NaN or infinite samples.
    """
    samples, rate = _decode(path, start, duration)
    if len(samples) == 0:
        raise InputError("holds no audio" if start == 0 else f"holds no audio after {start:g} s", path)
    if not np.isfinite(samples).all():
        raise InputError("holds samples that are not numbers (NaN or infinite)", path)
    if duration is not None and len(samples) < (duration - 0.1) * rate:
        ends = start + len(samples) / rate
        raise InputError(f"ends at {ends:.2f} s, before the segment's end at {start + duration:.2f} s", path)
    mono = samples.mean(axis=1, dtype=np.float32)  # (n, channels) -> (n,)
    return Audio(resample(mono, rate, sample_rate or rate), sample_rate or rate)


def resample(samples: Samples, rate: int, target: int) -> Samples:
    """Samples of shape (n,) at `rate` Hz brought to `target` Hz: shape (about n * target / rate,)."""
    if rate == target:
        return samples
    return np.asarray(soxr.resample(samples, rate, target, quality="HQ"), dtype=np.float32)


def _decode(path: Path, start: Seconds, duration: Seconds | None) -> tuple[npt.NDArray[np.float32], int]:
    """Samples of shape (n, channels) and the file's own rate."""
    if not path.is_file():
        raise InputError("no such audio file", path)
    if path.stat().st_size == 0:
        raise InputError("is an empty file", path)
    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            first = round(start * rate)
            if first:
                file.seek(min(first, file.frames))
            frames = -1 if duration is None else round(duration * rate)
            return file.read(frames, dtype="float32", always_2d=True), rate
    except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError) as error:
        raise InputError(f"cannot be read as audio ({_first_line(error)})", path) from error


def _first_line(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error) or type(error).__name__
    return str(text).splitlines()[0].rstrip(".")
