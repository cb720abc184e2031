"""Deep Speech 2: 2-D convolutions over time and bands, normalised recurrent layers, row convolution.

Amodei et al., "Deep Speech 2: end-to-end speech recognition in English and Mandarin" (ICML 2016): offline
the directions of a layer are summed; in the causal form the layers run forward and a row convolution
(section 3.7) over `look_ahead` frames gives the future back. Here the convolutions look back alone, the
normalisation is of a layer's whole input, and the recurrent layers are GRUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data.errors import InputError
from pipelines.e2e.models.layers import backwards, gru_on, keep_between, real_frames, recurrent_sizes
from pipelines.e2e.models.network import Memory, OneForm, Sizes

NORMS = ("layer", "batch")
_CLIP = 20.0


@dataclass(frozen=True)
class Shape(Sizes):
    """`kernel` spans frames, `bands` mel bands, `hidden` is of one direction; `norm` is one of `NORMS`."""

    channels: int = 32
    kernel: int = 11
    bands: int = 21
    layers: int = 3
    hidden: int = 384
    norm: str = "layer"
    dropout: float = 0.15
    causal: bool = False
    look_ahead: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.norm not in NORMS:
            raise InputError(f"deep_speech_2: no norm is called {self.norm!r}; there are {', '.join(NORMS)}")
        if min(self.channels, self.layers, self.hidden) < 1 or self.look_ahead < 0:
            raise InputError("deep_speech_2: channels, layers, hidden want 1 or more, look_ahead 0 or more")
        if self.kernel < 2 or self.bands % 2 == 0:
            raise InputError("deep_speech_2: kernel wants 2 or more, bands an odd number")


class Norm(nn.Module):
    """Of each frame (Ba et al., 2016), or of each feature over a batch's frames (Laurent et al., 2016)."""

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.over_batch = kind == "batch"
        if self.over_batch:
            self.register_buffer("mean", torch.zeros(width))
            self.register_buffer("variance", torch.ones(width))

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """x (B, T, D) -> the same; `real` (B, T) frames count."""
        if not self.over_batch:
            return F.layer_norm(x, x.shape[-1:], self.weight, self.bias)
        if not self.training:
            flat = F.batch_norm(x.flatten(0, 1), self.mean, self.variance, self.weight, self.bias)
            return flat.view_as(x)
        y = F.batch_norm(x[real], self.mean, self.variance, self.weight, self.bias, training=True)
        return torch.zeros_like(x, dtype=y.dtype).masked_scatter(real[:, :, None], y)


class Strided2d(nn.Module):
    """Halves the frames and the bands; output j sees no input later than its own two."""

    def __init__(self, inputs: int, bands: int, shape: Shape) -> None:
        super().__init__()
        self.inputs, self.bands, self.left = inputs, bands, shape.kernel - 2
        kernel = (shape.kernel, shape.bands)
        self.conv = nn.Conv2d(inputs, shape.channels, kernel, stride=2, padding=(0, shape.bands // 2))
        self.width = shape.channels * ((bands + 1) // 2)
        self.norm = Norm(self.width, shape.norm)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """x (B, left + 2T, inputs * bands), real (B, T) -> (B, T, width)."""
        y = self.conv(
            x.reshape(*x.shape[:2], self.inputs, self.bands).transpose(1, 2)
        )  # (B, C, T, bands / 2)
        y = self.norm(y.transpose(1, 2).flatten(2), real)  # (B, T, width)
        return F.hardtanh(y, 0.0, _CLIP)


class DeepSpeech2(OneForm):
    """See the module."""

    subsampling = 4

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.causal = shape, shape.causal
        self.delay = shape.look_ahead if shape.causal else 0
        first = Strided2d(1, shape.mels, shape)
        second = Strided2d(shape.channels, (shape.mels + 1) // 2, shape)
        self.strided = nn.ModuleList([first, second])
        inputs = [second.width, *[shape.hidden] * (shape.layers - 1)]
        self.norms = nn.ModuleList([Norm(n, shape.norm) for n in inputs])
        self.ahead = nn.ModuleList([nn.GRU(n, shape.hidden, batch_first=True) for n in inputs])
        backward = [] if shape.causal else inputs
        self.back = nn.ModuleList([nn.GRU(n, shape.hidden, batch_first=True) for n in backward])
        self.row = nn.Conv1d(shape.hidden, shape.hidden, self.delay + 1, groups=shape.hidden)
        self.norm = Norm(shape.hidden, shape.norm)
        self.dropout = nn.Dropout(shape.dropout)
        self.output = nn.Linear(shape.hidden, shape.tokens)
        self._carried: dict[str, tuple[int, ...]] = {
            "strided0": (first.left, shape.mels),
            "strided1": (second.left, first.width),
            "row": (self.delay, shape.hidden),
        }
        self._carried |= recurrent_sizes(shape.layers, shape.hidden, ("hidden",))

    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        return self._carried

    def hop(self, features: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """See `Hops.scores`."""
        x = self._convolve(features, first, total, memory)
        real = real_frames(x.shape[1], first, total)
        for i in range(len(self.ahead)):
            x = self._layer(i, self.dropout(self.norms[i](x, real)), total, memory)
        x = memory.joined("row", keep_between(x, first, total))  # (B, look_ahead + T, H)
        x = F.hardtanh(self.row(x.transpose(1, 2)).transpose(1, 2), 0.0, _CLIP)  # (B, T, H)
        x = self.norm(x, real_frames(x.shape[1], first - self.delay, total))
        return self.output(self.dropout(x))  # type: ignore[no-any-return]

    def _convolve(self, x: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """x (B, 4T, mels) -> (B, T, width)."""
        rate = self.subsampling
        x = keep_between(x, first * rate, total * rate)
        for i, strided in enumerate(self.strided):
            rate //= 2
            real = real_frames(x.shape[1] // 2, first * rate, total * rate)
            x = strided(memory.joined(f"strided{i}", x), real) * real[:, :, None]
        return x

    def _layer(self, i: int, x: Tensor, total: Tensor, memory: Memory) -> Tensor:
        y = gru_on(cast(nn.GRU, self.ahead[i]), x, memory, i)  # (B, T, H)
        return y if self.causal else y + backwards(cast(nn.GRU, self.back[i]), x, total)
