"""Layers that several architectures share, and what keeps padding out of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipelines.e2e.models.network import Memory

_STRIDED_KERNEL = 5
_BYTE = 256


class Strided(nn.Module):
    """Halves the frame rate; output j sees inputs 2j - 3 to 2j + 1: none later than its own two."""

    left = _STRIDED_KERNEL - 2

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.conv = nn.Conv1d(inputs, outputs, _STRIDED_KERNEL, stride=2)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, left + 2T, inputs) -> (B, T, outputs)."""
        y = self.conv(x.transpose(1, 2)).transpose(1, 2)  # (B, T, outputs)
        out: Tensor = F.silu(self.norm(y))
        return out


class Dropout(nn.Module):
    """As torch's, at the nearest 256th of the rate on a CPU, where eight units share a random number.

    There torch draws one for each, a quarter of the time that a Conformer learns in.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.kept = _BYTE - round(_BYTE * rate)

    def forward(self, x: Tensor) -> Tensor:
        """x (...) -> (...)."""
        if not self.training or x.device.type != "cpu":
            return F.dropout(x, self.rate, self.training)
        if self.kept in (0, _BYTE):
            return x if self.kept else torch.zeros_like(x)
        drawn = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.uint8)[: x.numel()].view(x.shape) < self.kept
        return x * (_BYTE / self.kept) * kept


def recurrent_sizes(layers: int, hidden: int, kinds: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """What so many layers carry: `kinds` are ``hidden`` and, of an LSTM, ``cell``."""
    return {f"{kind}{i}": (hidden,) for i in range(layers) for kind in kinds}


def lstm_on(layer: nn.LSTM, x: Tensor, memory: Memory, index: int) -> Tensor:
    """x (B, T, D) -> (B, T, H), from the state in memory on."""
    state = memory[f"hidden{index}"][None], memory[f"cell{index}"][None]  # (1, B, H) each
    y: Tensor
    y, (hidden, cell) = layer(x, state)
    memory[f"hidden{index}"], memory[f"cell{index}"] = hidden[0], cell[0]
    return y


def gru_on(layer: nn.GRU, x: Tensor, memory: Memory, index: int) -> Tensor:
    """x (B, T, D) -> (B, T, H), from the state in memory on."""
    y: Tensor
    y, hidden = layer(x, memory[f"hidden{index}"][None])  # (B, T, H), (1, B, H)
    memory[f"hidden{index}"] = hidden[0]
    return y


def backwards(layer: nn.RNNBase, x: Tensor, lengths: Tensor) -> Tensor:
    """x (B, T, D) of which `lengths` (B,) frames count -> (B, T, H), last frame first."""
    order = reversal(lengths, x.shape[1])  # (B, T)
    y = layer(_pick(x, order))[0]
    return _pick(y, order)


def reversal(lengths: Tensor, frames: int) -> Tensor:
    """(B, frames): indices that reverse the first `lengths` frames of each row and leave the rest."""
    t = torch.arange(frames, device=lengths.device)[None]
    n = lengths[:, None]
    return torch.where(t < n, n - 1 - t, t)


def _pick(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))


def keep(x: Tensor, lengths: Tensor) -> Tensor:
    """x (B, T, D) with zeros from `lengths` (B,) on."""
    return keep_between(x, torch.zeros_like(lengths), lengths)


def keep_between(x: Tensor, first: Tensor, lengths: Tensor) -> Tensor:
    """x (B, T, D), whose row 0 is frame `first` (B,), zero before frame 0 and from `lengths` (B,) on."""
    return x * real_frames(x.shape[1], first, lengths)[:, :, None]


def real_frames(frames: int, first: Tensor, lengths: Tensor) -> Tensor:
    """(B, frames): whether frame `first` (B,) + t lies between 0 and `lengths` (B,)."""
    t = torch.arange(frames, device=first.device)[None] + first[:, None]
    return (t >= 0) & (t < lengths[:, None])


def rotated(x: Tensor, first: int) -> Tensor:
    """x (..., T, D) at positions `first` and on, each pair of features turned by position / 10000^(2i / D).

    Scores of rotated queries and keys depend on the distance alone (Su et al., 2021, equation 34).
    """
    half = x.shape[-1] // 2
    slow = torch.arange(half, device=x.device) / half
    position = torch.arange(first, first + x.shape[-2], device=x.device)
    angle = position[:, None] * 10000.0**-slow  # (T, D / 2)
    a, b = x[..., :half], x[..., half:]
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
