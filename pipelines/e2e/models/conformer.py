"""Conformer-CTC: attention and depthwise convolutions in turn, between half-steps of feed-forward layers.

Gulati et al., "Conformer: convolution-augmented Transformer for speech recognition" (Interspeech 2020),
with rotary positions (Su et al., 2021), layer normalisation in the convolution module, and strided
convolutions that give a frame for 4 or, fast, 8 feature frames. In the causal form the convolutions look
back alone, and attention sees its own chunk and `left` frames before it (chunked masks: Chen et al.,
"Developing real-time streaming Transformer Transducer", ICASSP 2021), so that look-ahead does not grow
with depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data.errors import InputError
from pipelines.e2e.models.layers import Dropout, Strided, keep_between, rotated
from pipelines.e2e.models.network import Memory, OneForm, Sizes


@dataclass(frozen=True)
class Shape(Sizes):
    """`kernel` is of the depthwise convolution; `chunk` and `left` are frames of posteriors."""

    subsampling: int = 4
    width: int = 144
    layers: int = 6
    heads: int = 4
    kernel: int = 15
    dropout: float = 0.1
    causal: bool = False
    chunk: int = 4
    left: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.subsampling not in (4, 8):
            raise InputError(f"conformer: subsampling is 4 or 8, not {self.subsampling}")
        if self.heads < 1 or self.width < 1 or self.width % (2 * self.heads):
            raise InputError("conformer: width wants a multiple of twice the heads")
        if self.layers < 1 or self.kernel < 1 or self.kernel % 2 == 0 or self.chunk < 1 or self.left < 0:
            raise InputError("conformer: layers, chunk want 1 or more, left 0 or more, kernel an odd number")


class FeedForward(nn.Module):
    """Half a step of a layer four times as wide."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.width
        self.layers = nn.Sequential(
            nn.LayerNorm(d),
            nn.Linear(d, 4 * d),
            nn.SiLU(),
            Dropout(shape.dropout),
            nn.Linear(4 * d, d),
            Dropout(shape.dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, D) -> (B, T, D)."""
        return x + 0.5 * cast(Tensor, self.layers(x))


class Attention(nn.Module):
    """Multi-head self-attention; keys and values are kept as they are before they are rotated."""

    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        self.heads, self.rate, self.entry = shape.heads, shape.dropout, f"attention{index}"
        self.norm = nn.LayerNorm(shape.width)
        self.query = nn.Linear(shape.width, shape.width)
        self.key_value = nn.Linear(shape.width, 2 * shape.width)
        self.outer = nn.Linear(shape.width, shape.width)
        self.dropout = Dropout(shape.dropout)

    def forward(self, x: Tensor, seen: Tensor, memory: Memory) -> Tensor:
        """x (B, T, D), seen (B, T, P + T) by each query, P of the keys kept -> (B, T, D)."""
        y = self.norm(x)
        both = memory.joined(self.entry, self.key_value(y))  # (B, P + T, 2D)
        q = self._heads(self.query(y))  # (B, heads, T, D / heads)
        k, v = (self._heads(z) for z in both.chunk(2, -1))  # (B, heads, P + T, D / heads) each
        past = k.shape[2] - q.shape[2]
        mixed = F.scaled_dot_product_attention(
            rotated(q, past).to(v.dtype),
            rotated(k, 0).to(v.dtype),
            v,
            attn_mask=seen[:, None],
            dropout_p=self.rate if self.training else 0.0,
        )  # (B, heads, T, D / heads)
        return x + cast(Tensor, self.dropout(self.outer(mixed.transpose(1, 2).flatten(2))))

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class Convolution(nn.Module):
    """A gated pointwise, a depthwise, a pointwise convolution; centred, or (causal) looking back."""

    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        d = shape.width
        self.ahead, self.entry = 0 if shape.causal else shape.kernel // 2, f"convolution{index}"
        self.norm, self.inner = nn.LayerNorm(d), nn.Linear(d, 2 * d)
        self.depthwise = nn.Conv1d(d, d, shape.kernel, groups=d)
        self.between, self.outer = nn.LayerNorm(d), nn.Linear(d, d)
        self.dropout = Dropout(shape.dropout)

    def forward(self, x: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """x (B, T, D) from frame `first` (B,) of `total` (B,) on -> (B, T, D)."""
        y = keep_between(F.glu(self.inner(self.norm(x)), dim=-1), first, total)
        y = F.pad(memory.joined(self.entry, y), (0, 0, 0, self.ahead))  # (B, T + kernel - 1, D)
        y = self.depthwise(y.transpose(1, 2)).transpose(1, 2)  # (B, T, D)
        return x + cast(Tensor, self.dropout(self.outer(F.silu(self.between(y)))))


class Layer(nn.Module):
    """One of the stack."""

    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        self.before, self.after = FeedForward(shape), FeedForward(shape)
        self.attention, self.convolution = Attention(shape, index), Convolution(shape, index)
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, x: Tensor, seen: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """x (B, T, D) -> (B, T, D)."""
        x = self.attention(self.before(x), seen, memory)
        x = self.convolution(x, first, total, memory)
        return self.norm(self.after(x))  # type: ignore[no-any-return]


class Halving(Protocol):
    """A module from x (B, left + 2T, inputs) to (B, T, outputs)."""

    left: int
    inputs: int


class Conformer(OneForm):
    """See the module."""

    shape: Shape
    delay = 0

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.subsampling, self.causal = shape, shape.subsampling, shape.causal
        halvings = self.halvings(shape)
        self.strided = nn.ModuleList(cast("list[nn.Module]", halvings))
        self.dropout = Dropout(shape.dropout)
        self.layers = nn.ModuleList([Layer(shape, i) for i in range(shape.layers)])
        self.output = nn.Linear(shape.width, shape.tokens)
        self._past = shape.left if shape.causal else 0
        before = shape.kernel - 1 if shape.causal else shape.kernel // 2
        self._carried: dict[str, tuple[int, ...]] = {}
        self._carried |= {f"strided{i}": (h.left, h.inputs) for i, h in enumerate(halvings)}
        self._carried |= {f"attention{i}": (self._past, 2 * shape.width) for i in range(shape.layers)}
        self._carried |= {f"convolution{i}": (before, shape.width) for i in range(shape.layers)}

    def halvings(self, shape: Shape) -> list[Halving]:
        """The modules that subsample, in order."""
        further = shape.subsampling.bit_length() - 2
        return [Strided(n, shape.width) for n in (shape.mels, *[shape.width] * further)]

    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        return self._carried

    @property
    def step(self) -> int:
        return self.shape.chunk if self.causal else 1

    def hop(self, features: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """See `Hops.scores`; in the causal form from a multiple of the chunk on."""
        rate = self.subsampling
        x = keep_between(features, first * rate, total * rate)
        for i, strided in enumerate(self.strided):
            rate //= 2
            x = keep_between(strided(memory.joined(f"strided{i}", x)), first * rate, total * rate)
        x = self.dropout(x)  # (B, T, width)
        seen = self._seen(x.shape[1], first, total)
        for layer in self.layers:
            x = layer(x, seen, first, total, memory)
        return self.output(x)  # type: ignore[no-any-return]

    def _seen(self, frames: int, first: Tensor, total: Tensor) -> Tensor:
        """(B, T, P + T): which keys each query sees; itself always, so that padding stays a number."""
        t = torch.arange(-self._past, frames, device=first.device)
        key = first[:, None, None] + t  # (B, 1, P + T)
        query = key[:, :, self._past :].transpose(1, 2)  # (B, T, 1)
        seen = (key >= 0) & (key < total[:, None, None])
        if self.causal:
            chunk = query // self.shape.chunk * self.shape.chunk
            seen = seen & (key >= chunk - self._past) & (key < chunk + self.shape.chunk)
        return seen | (key == query)
