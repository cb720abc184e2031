"""A convolutional-recurrent CTC network whose streaming form gives the very posteriors of its windowed form.

Two strided convolutions (x4 in time), residual depthwise-separable blocks with one frame of look-ahead
each, and layers of a forward and a backward LSTM. In a window the backward LSTM starts `right` frames
after the chunk that it is wanted for, while the forward LSTM carries its state on: the latency-controlled
bidirectional LSTM of Zhang et al., "Highway long short-term memory RNNs for distant speech recognition"
(ICASSP 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SUBSAMPLING = 4
"""Feature frames for each frame of posteriors."""
_STRIDED_KERNEL = 5
_BLOCK_RIGHT = 1


@dataclass(frozen=True)
class Shape:
    """The sizes of a network: `tokens` includes the blank, `hidden` is of one direction of one LSTM."""

    tokens: int
    mels: int = 80
    channels: int = 256
    blocks: int = 4
    kernel: int = 9
    hidden: int = 192
    dropout: float = 0.15

    @property
    def conv_right(self) -> int:
        """Frames of posteriors that the convolutions look ahead."""
        return self.blocks * _BLOCK_RIGHT


@dataclass(frozen=True)
class Window:
    """In frames of posteriors: `chunk` are emitted at a time, seeing `right` more."""

    chunk: int
    right: int


class Strided(nn.Module):
    """Halves the frame rate; output j sees inputs 2j - 3 to 2j + 1: none later than its own two."""

    left = _STRIDED_KERNEL - 2

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, _STRIDED_KERNEL, stride=2)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, left + 2T, inputs) -> (B, T, outputs)."""
        y = self.conv(x.transpose(1, 2)).transpose(1, 2)  # (B, T, outputs)
        out: Tensor = F.silu(self.norm(y))
        return out


class Block(nn.Module):
    """A residual depthwise-separable convolution; the depthwise kernel reaches one frame into the future."""

    def __init__(self, channels: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.left, self.right = kernel - 1 - _BLOCK_RIGHT, _BLOCK_RIGHT
        self.depthwise = nn.Conv1d(channels, channels, kernel, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.inner = nn.Linear(channels, 2 * channels)
        self.outer = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, left + T + right, channels) -> (B, T, channels)."""
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)  # (B, T, channels)
        y = self.outer(F.glu(self.inner(F.silu(self.norm(y))), dim=-1))
        residual = x[:, self.left : x.shape[1] - self.right]
        out: Tensor = residual + self.dropout(y)
        return out


class Bidirectional(nn.Module):
    """One layer of a forward and a backward LSTM, kept apart so that each may run over its own stretch."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(inputs, hidden, batch_first=True)
        self.back = nn.LSTM(inputs, hidden, batch_first=True)

    def backward_pass(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x (B, T, inputs) of which `lengths` (B,) frames count -> (B, T, hidden), last frame first."""
        order = reversal(lengths, x.shape[1])  # (B, T)
        y = self.back(_pick(x, order))[0]
        return _pick(y, order)


def reversal(lengths: Tensor, frames: int) -> Tensor:
    """(B, frames): indices that reverse the first `lengths` frames of each row and leave the rest."""
    t = torch.arange(frames, device=lengths.device)[None]
    n = lengths[:, None]
    return torch.where(t < n, n - 1 - t, t)


def _pick(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))


def frames_out(feature_frames: Tensor) -> Tensor:
    """How many frames of posteriors come of so many feature frames."""
    return torch.div(feature_frames, SUBSAMPLING, rounding_mode="floor")


class ConvRecurrent(nn.Module):
    """Log-mel frames in, scores of tokens out (`log_softmax` is the caller's)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.strided = nn.ModuleList(
            [Strided(shape.mels, shape.channels), Strided(shape.channels, shape.channels)]
        )
        self.blocks = nn.ModuleList(
            [Block(shape.channels, shape.kernel, shape.dropout) for _ in range(shape.blocks)]
        )
        inputs = [shape.channels, 2 * shape.hidden]
        self.recurrent = nn.ModuleList([Bidirectional(n, shape.hidden) for n in inputs])
        self.dropout = nn.Dropout(2 * shape.dropout)
        self.output = nn.Linear(2 * shape.hidden, shape.tokens)

    @property
    def layers(self) -> list[Bidirectional]:
        return cast("list[Bidirectional]", list(self.recurrent))

    def forward(self, features: Tensor, lengths: Tensor, window: Window | None = None) -> Tensor:
        """features (B, F, mels), of which `lengths` (B,) frames count -> (B, F // 4, tokens).

        Without `window` the backward LSTM starts at the utterance's end, else as in a stream.
        """
        n = frames_out(lengths)
        x = self.convolve(features[:, : features.shape[1] // SUBSAMPLING * SUBSAMPLING], n)
        x = self.dropout(x)
        x = self._whole(x, n) if window is None else self._windowed(x, n, window)
        return self.output(self.dropout(x))  # type: ignore[no-any-return]

    def convolve(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x (B, 4T, mels) -> (B, T, channels), zero beyond `lengths` (B,) frames of posteriors."""
        rate = SUBSAMPLING
        x = keep(x, lengths * rate)
        for strided in self.strided:
            rate //= 2
            x = keep(strided(F.pad(x, (0, 0, Strided.left, 0))), lengths * rate)
        for block in self.blocks:
            x = keep(block(F.pad(x, (0, 0, self.shape.kernel - 2, _BLOCK_RIGHT))), lengths)
        return x

    def _whole(self, x: Tensor, lengths: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = self.dropout(x) if i else x
            x = torch.cat([layer.ahead(x)[0], layer.backward_pass(x, lengths)], -1)  # (B, T, 2H)
        return x

    def _windowed(self, x: Tensor, lengths: Tensor, window: Window) -> Tensor:
        """What a stream gives, all windows at once; between layers, backward outputs belong to a window."""
        batch, frames = x.shape[:2]
        count = -(-frames // window.chunk)
        starts = torch.arange(count, device=x.device) * window.chunk
        left = (lengths[:, None] - starts[None]).clamp(0, window.chunk + window.right).flatten()  # (B * W,)
        own = x  # what the forward LSTM reads: the chunks joined
        wide = _windows(x, window, count)  # (B * W, chunk + right, D)
        for i, layer in enumerate(self.layers):
            if i:
                own, wide = self.dropout(own), self.dropout(wide)
            ahead = layer.ahead(own)[0]  # (B, T, H)
            back = layer.backward_pass(wide, left)  # (B * W, chunk + right, H)
            mine = back[:, : window.chunk].reshape(batch, count * window.chunk, -1)[:, :frames]
            if i + 1 < len(self.layers):
                wide = torch.cat([_windows(ahead, window, count), back], -1)
            own = torch.cat([ahead, mine], -1)
        return own


def keep(x: Tensor, lengths: Tensor) -> Tensor:
    """x (B, T, D) with zeros from `lengths` (B,) on."""
    return keep_between(x, torch.zeros_like(lengths), lengths)


def keep_between(x: Tensor, first: Tensor, lengths: Tensor) -> Tensor:
    """x (B, T, D), whose row 0 is frame `first` (B,), zero before frame 0 and from `lengths` (B,) on."""
    t = torch.arange(x.shape[1], device=x.device)[None, :, None] + first[:, None, None]
    return x * ((t >= 0) & (t < lengths[:, None, None]))


def _windows(x: Tensor, window: Window, count: int) -> Tensor:
    """x (B, T, D) -> (B * count, chunk + right, D), zero-padded at the end."""
    size = window.chunk + window.right
    padded = F.pad(x, (0, 0, 0, (count - 1) * window.chunk + size - x.shape[1]))
    return padded.unfold(1, size, window.chunk).transpose(2, 3).flatten(0, 1)
