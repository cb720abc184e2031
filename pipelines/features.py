"""MFCC with deltas, normalised causally: a stream and a whole utterance give the same bits.

Cepstra by kaldi-native-fbank (Kaldi's MFCC: 25 ms Povey windows every 10 ms, C0 instead of the energy);
deltas and delta-deltas by Kaldi's filters over two neighbours on each side (Furui 1986), edges repeated, so a
frame comes out four frames (40 ms) late. Normalisation: the cepstral mean starts as that of the training
speech, worth `prior_frames` frames, and follows the utterance's own; the variance is the training's. Nothing
looks ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeAlias

import kaldi_native_fbank
import numpy as np
import numpy.typing as npt

from data.errors import InputError
from data.types import Samples

Features: TypeAlias = npt.NDArray[np.float32]

FRAME_SECONDS = 0.01
_CONTEXT = 4  # frames on each side that a delta-delta sees
_FULL_SCALE = 32768.0
_NOISE_PERIOD = 65537  # samples
_DELTA = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
_FILTERS = (
    np.pad(_DELTA, 2).astype(np.float32),
    np.convolve(_DELTA, _DELTA).astype(np.float32),
)


@dataclass(frozen=True)
class FeatureSettings:
    """`noise` is the level of the seeded noise that keeps digital silence finite, in steps of 16-bit audio.

    `prior_frames`: see above; 0 holds the training's mean for ever. `high_hz` 0 is half the sampling rate;
    `InputError` for one beyond that, or not above `low_hz`.
    """

    sample_rate: int
    cepstra: int = 13
    mel_bins: int = 23
    low_hz: float = 20.0
    high_hz: float = 0.0
    noise: float = 1.0
    prior_frames: float = 0.0

    def __post_init__(self) -> None:
        half = self.sample_rate / 2
        if self.high_hz and not self.low_hz < self.high_hz <= half:
            raise InputError(
                f"high_hz lies above {self.low_hz:g} and up to {half:g}, half the sampling rate, or is 0 for "
                f"just that; not {self.high_hz:g}"
            )

    @property
    def dimensions(self) -> int:
        return 3 * self.cepstra

    def to_json(self) -> Mapping[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Normalisation:
    """`mean` of the cepstra, shape (cepstra,); `offset` and `scale` of everything, shape (dimensions,)."""

    mean: npt.NDArray[np.float64]
    offset: Features
    scale: Features


class RawStream:
    """Samples in, unnormalised features out, in chunks of any size."""

    def __init__(self, settings: FeatureSettings) -> None:
        self._mfcc = kaldi_native_fbank.OnlineMfcc(_options(settings))
        self._settings = settings
        self._noise = _noise(settings.noise)
        self._samples = 0
        self._read = 0
        self._popped = 0
        self._held: Features = np.zeros((0, settings.cepstra), np.float32)

    def accept(self, samples: Samples) -> Features:
        """The frames that `samples`, shape (n,), complete: shape (frames, dimensions)."""
        if not np.isfinite(samples).all():
            raise InputError("the audio holds samples that are not finite numbers: write the file anew")
        if len(samples):
            noisy = samples * np.float32(_FULL_SCALE) + self._noise_for(len(samples))
            # its binding converts a list faster than an array
            self._mfcc.accept_waveform(self._settings.sample_rate, noisy.tolist())
            self._samples += len(samples)
        fresh = self._fresh()
        if len(fresh) and not self._read:
            fresh = np.concatenate([np.repeat(fresh[:1], _CONTEXT, axis=0), fresh])
        self._read += len(fresh)
        return self._emit(fresh)

    def finish(self) -> Features:
        """The frames held back for their right context, the last cepstra repeated."""
        self._mfcc.input_finished()
        rest = self._fresh()
        if not self._read and not len(rest):
            return np.zeros((0, self._settings.dimensions), np.float32)
        if not self._read:
            rest = np.concatenate([np.repeat(rest[:1], _CONTEXT, axis=0), rest])
        last = rest[-1:] if len(rest) else self._held[-1:]
        return self._emit(np.concatenate([rest, np.repeat(last, _CONTEXT, axis=0)]))

    def _fresh(self) -> Features:
        ready = self._mfcc.num_frames_ready
        begin = self._popped
        frames = [self._mfcc.get_frame(i) for i in range(begin, ready)]
        if not frames:
            return np.zeros((0, self._settings.cepstra), np.float32)
        fresh: Features = np.stack(frames)  # a copy: popping frees what the frames look at
        self._mfcc.pop(len(frames))
        self._popped = ready
        return fresh

    def _noise_for(self, count: int) -> Samples:
        begin = self._samples % _NOISE_PERIOD
        if begin + count <= _NOISE_PERIOD:
            return self._noise[begin : begin + count]
        return np.take(self._noise, np.arange(begin, begin + count), mode="wrap")

    def _emit(self, fresh: Features) -> Features:
        held = np.concatenate([self._held, fresh])
        frames = max(0, len(held) - 2 * _CONTEXT)
        self._held = held[frames:]
        return _with_deltas(held, frames)


class Normaliser:
    """Applies a `Normalisation` to raw features, chunk by chunk."""

    def __init__(self, normalisation: Normalisation, prior_frames: float) -> None:
        self._normalisation = normalisation
        self._prior = prior_frames
        self._sum = normalisation.mean * prior_frames
        self._count = prior_frames

    def accept(self, raw: Features) -> Features:
        """Raw features to normalised ones, both of shape (frames, dimensions)."""
        own = self._normalisation
        shifted = raw - own.offset
        if self._prior and len(raw):
            cepstra = len(own.mean)
            sums = np.cumsum(np.concatenate([self._sum[None], raw[:, :cepstra]]), axis=0)[1:]
            counts = self._count + np.arange(1, len(raw) + 1)
            self._sum, self._count = sums[-1], counts[-1]
            shifted[:, :cepstra] -= (sums / counts[:, None] - own.mean).astype(np.float32)
        return shifted * own.scale


class FeatureStream:
    """Samples in, normalised features out."""

    def __init__(self, settings: FeatureSettings, normalisation: Normalisation) -> None:
        self._raw = RawStream(settings)
        self._normaliser = Normaliser(normalisation, settings.prior_frames)

    def accept(self, samples: Samples) -> Features:
        return self._normaliser.accept(self._raw.accept(samples))

    def finish(self) -> Features:
        return self._normaliser.accept(self._raw.finish())


def raw_features(samples: Samples, settings: FeatureSettings) -> Features:
    """Of a whole utterance, shape (frames, dimensions), not normalised."""
    stream = RawStream(settings)
    return np.concatenate([stream.accept(samples), stream.finish()])


def features(samples: Samples, settings: FeatureSettings, normalisation: Normalisation) -> Features:
    """Of a whole utterance, shape (frames, dimensions), normalised."""
    return Normaliser(normalisation, settings.prior_frames).accept(raw_features(samples, settings))


def estimate_normalisation(utterances: Iterable[Features], settings: FeatureSettings) -> Normalisation:
    """From the raw features of the training speech: afterwards each dimension has mean 0 and variance 1."""
    kept = [raw for raw in utterances if len(raw)]
    everything = np.concatenate(kept).astype(np.float64)
    mean = everything[:, : settings.cepstra].mean(axis=0)
    plain = Normalisation(
        mean,
        everything.mean(axis=0).astype(np.float32),
        np.ones(settings.dimensions, np.float32),
    )
    deviation = np.sqrt(_mean_square([Normaliser(plain, settings.prior_frames).accept(raw) for raw in kept]))
    return Normalisation(mean, plain.offset, (1.0 / np.maximum(deviation, 1e-6)).astype(np.float32))


def _mean_square(utterances: list[Features]) -> npt.NDArray[np.float64]:
    everything = np.concatenate(utterances).astype(np.float64)
    return np.asarray(np.mean(everything**2, axis=0))


def _with_deltas(held: Features, frames: int) -> Features:
    """Cepstra (frames + 8, cepstra) to (frames, 3 * cepstra); sums in one order, whatever the chunk."""
    parts = [held[_CONTEXT : _CONTEXT + frames]]
    for taps in _FILTERS:
        total = np.zeros((frames, held.shape[1]), np.float32)
        for k, tap in enumerate(taps):
            if tap:
                total += tap * held[k : k + frames]
        parts.append(total)
    return np.concatenate(parts, axis=1)


def _options(settings: FeatureSettings) -> Any:
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.samp_freq = settings.sample_rate
    options.frame_opts.dither = 0.0  # unseeded; the noise is our own
    options.mel_opts.num_bins = settings.mel_bins
    options.mel_opts.low_freq = settings.low_hz
    options.mel_opts.high_freq = settings.high_hz
    options.num_ceps = settings.cepstra
    options.use_energy = False
    return options


def _noise(level: float) -> Samples:
    return _NOISE.table * np.float32(level)


class _Noise:
    @cached_property
    def table(self) -> Samples:
        """Shape (_NOISE_PERIOD,), standard deviation 1."""
        return np.random.default_rng(1).standard_normal(_NOISE_PERIOD).astype(np.float32)


_NOISE = _Noise()
