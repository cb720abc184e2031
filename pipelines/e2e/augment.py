"""What makes more of little speech: other speeds, vocal tracts, levels, rooms, noises, telephones, masks.

Speed by resampling (Ko et al., Interspeech 2015), masks as in SpecAugment (Park et al., Interspeech
2019), vocal tracts by warping the mel axis (Jaitly and Hinton, 2013). Noise is added as power in the mel
bands, which costs no second spectrogram.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.e2e.features import HOP_S, MELS
from pipelines.torchaudio_python import functional, transforms

SPEEDS = (1.0, 0.9, 1.1)


@dataclass(frozen=True)
class Augmentation:
    """`noise`, `narrow` and `rooms` are chances, `warp` and `masked_time` shares of the axis.

    `gain` is in nepers of power.
    """

    warp: float = 0.1
    gain: float = 1.0
    noise: float = 0.3
    narrow: float = 0.15
    time_masks: int = 2
    masked_time: float = 0.06
    frequency_masks: int = 2
    masked_bands: int = 18
    rooms: float = 0.0


def at_speed(samples: Tensor, sample_rate: int, factor: float) -> Tensor:
    """samples (n,) -> (n / factor,), pitch and tempo both changed."""
    if factor == 1.0:
        return samples
    return functional.resample(samples, round(sample_rate * factor / 100), round(sample_rate / 100))  # type: ignore[no-any-return]


def disturb(raw: Tensor, other: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """raw (F, 80) log power -> (F, 80) through another vocal tract, level, room, noise, and telephone line.

    `other` (G, 80) is the speech that may babble in the background.
    """
    x = _warp(raw, 1.0 + settings.warp * rng.uniform(-1, 1)) + settings.gain * rng.uniform(-1, 1)
    if settings.rooms and rng.random() < settings.rooms:  # no draw where there are none: old trainings repeat
        x = reverberated(x, float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.0, 15.0)))
    if rng.random() < settings.noise:
        x = _add_noise(x, other, rng)
    if rng.random() < settings.narrow:
        x = _narrow(x, int(rng.integers(MELS // 2, MELS * 3 // 4)))
    return x


def _warp(x: Tensor, factor: float) -> Tensor:
    """Stretches the band axis linearly: band b of the result is band b * factor of x (F, 80)."""
    at = (torch.arange(MELS) * factor).clamp(max=MELS - 1)
    low = at.floor().long()
    share = at - low
    return x[:, low] * (1 - share) + x[:, (low + 1).clamp(max=MELS - 1)] * share


def reverberated(x: Tensor, decay_s: float, ratio_db: float) -> Tensor:
    """x (F, 80) log power -> (F, 80) as heard in a room, by the energy alone.

    The power of each band is smeared by an impulse response's energy: the direct sound, and `ratio_db` below
    it a tail that falls by 60 dB in `decay_s` seconds, in the highest band in half of that (Krueger and
    Haeb-Umbach, "Model-based feature enhancement for reverberant speech recognition", IEEE TASLP 2010).
    """
    frames = max(2, round(decay_s / HOP_S))
    rate = torch.linspace(1.0, 2.0, MELS) * 6 * np.log(10) * HOP_S / decay_s  # (80,) nepers of power a frame
    tail = torch.exp(-rate[:, None] * torch.arange(1, frames))  # (80, frames - 1)
    tail = tail / tail.sum(1, keepdim=True) * 10 ** (-ratio_db / 10)
    response = torch.cat([torch.ones(MELS, 1), tail], 1)  # (80, frames), the direct sound first
    power = F.pad(x.exp().T[None], (frames - 1, 0))  # (1, 80, frames - 1 + F)
    heard: Tensor = F.conv1d(power, response.flip(1)[:, None], groups=MELS)[0].T  # (F, 80)
    return heard.log()


def _add_noise(x: Tensor, other: Tensor, rng: np.random.Generator) -> Tensor:
    """Babble or stationary noise of a sloping spectrum, 5 to 25 dB below the speech (both in power)."""
    if rng.random() < 0.5:
        start = int(rng.integers(len(other)))
        noise = other[(torch.arange(len(x)) + start) % len(other)]
    else:
        slope = torch.linspace(0, float(rng.uniform(-4, 2)), MELS)
        exponential = torch.from_numpy(rng.exponential(size=(len(x), MELS)).astype(np.float32))
        noise = slope + torch.log(exponential + 1e-3) * 0.5
    ratio = float(rng.uniform(5, 25)) * np.log(10) / 10
    scale = x.exp().mean().log() - noise.exp().mean().log() - ratio
    return torch.logaddexp(x, noise + scale)


def _narrow(x: Tensor, bands: int) -> Tensor:
    """What a telephone leaves: nothing above `bands`, whose power falls to the quietest of the utterance."""
    quiet = x.min()
    return torch.cat([x[:, :bands], quiet.expand(len(x), MELS - bands)], 1)


def mask(batch: Tensor, lengths: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """batch (B, F, 80), normalised -> the same with stretches of time and of bands set to the mean."""
    y = batch.transpose(1, 2)[:, None]  # (B, 1, 80, F)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        for _ in range(settings.frequency_masks):
            y = transforms.FrequencyMasking(settings.masked_bands, iid_masks=True)(y)
        longest = max(1, int(settings.masked_time * float(lengths.float().mean())))
        for _ in range(settings.time_masks):
            y = transforms.TimeMasking(longest, iid_masks=True)(y)
    masked: Tensor = y[:, 0].transpose(1, 2)
    return masked


def pad(features: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Features (F_i, 80) -> (B, max F, 80) with zeros behind, and (B,) lengths."""
    lengths = torch.tensor([len(x) for x in features])
    longest = int(lengths.max())
    return torch.stack([F.pad(x, (0, 0, 0, longest - len(x))) for x in features]), lengths
