"""Log-mel features with a fixed normalisation, the same frame by frame offline and in a stream."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from pipelines.torchaudio_python import transforms

MELS = 80
HOP_S = 0.010
WINDOW_S = 0.025
FLOOR = 1e-6
"""Added to the power of each mel band: about the hiss of 16-bit audio."""


class LogMel(nn.Module):
    """Frame i covers the samples from i * hop on, `size` of them: none is padded, none reflected.

    The normalisation is by mean and deviation of each band over the training speech, kept as buffers.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.hop = round(HOP_S * sample_rate)
        window = round(WINDOW_S * sample_rate)
        self.size = 1 << (window - 1).bit_length()
        self.mel = transforms.MelSpectrogram(
            sample_rate=sample_rate,
            n_fft=self.size,
            win_length=window,
            hop_length=self.hop,
            f_min=20.0,
            n_mels=MELS,
            power=2.0,
            center=False,
            mel_scale="slaney" if sample_rate < 16000 else "htk",
        )
        self.register_buffer("mean", torch.zeros(MELS))
        self.register_buffer("deviation", torch.ones(MELS))

    def frames(self, samples: int) -> int:
        """How many frames are complete within so many samples."""
        return max(0, (samples - self.size) // self.hop + 1)

    def raw(self, samples: Tensor) -> Tensor:
        """samples (..., n) of full scale 1 -> (..., F, 80), natural logarithms of power."""
        if samples.shape[-1] < self.size:
            return samples.new_zeros(*samples.shape[:-1], 0, MELS)
        power: Tensor = self.mel(samples)  # (..., 80, F)
        return torch.log(power + FLOOR).transpose(-1, -2)

    def normalise(self, raw: Tensor) -> Tensor:
        """Each band to mean 0 and deviation 1 over the training speech."""
        return (raw - self.mean) / self.deviation

    def forward(self, samples: Tensor) -> Tensor:
        return self.normalise(self.raw(samples))

    def learn(self, features: Iterable[Tensor]) -> None:
        """Sets the normalisation from raw features, each (F, 80)."""
        count, total, squares = 0, torch.zeros(MELS).double(), torch.zeros(MELS).double()
        for x in features:
            wide = x.double()
            count, total, squares = count + len(x), total + wide.sum(0), squares + (wide**2).sum(0)
        mean = total / max(count, 1)
        self.mean.copy_(mean)
        self.deviation.copy_((squares / max(count, 1) - mean**2).clamp(min=1e-4).sqrt())
