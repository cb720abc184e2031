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

from pipelines.e2e.models.layers import Strided, backwards, keep, keep_between, recurrent_sizes
from pipelines.e2e.models.network import Hops, Memory, Network, Sizes, Window

SUBSAMPLING = 4
"""Feature frames for each frame of posteriors."""
_BLOCK_RIGHT = 1


@dataclass(frozen=True)
class Shape(Sizes):
    """The sizes of a network: `hidden` is of one direction of one LSTM."""

    channels: int = 256
    blocks: int = 4
    kernel: int = 9
    hidden: int = 192
    dropout: float = 0.15

    @property
    def conv_right(self) -> int:
        """Frames of posteriors that the convolutions look ahead."""
        return self.blocks * _BLOCK_RIGHT


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
        return backwards(self.back, x, lengths)


def frames_out(feature_frames: Tensor) -> Tensor:
    """How many frames of posteriors come of so many feature frames."""
    return torch.div(feature_frames, SUBSAMPLING, rounding_mode="floor")


class ConvRecurrent(Network):
    """Log-mel frames in, scores of tokens out (`log_softmax` is the caller's)."""

    shape: Shape
    subsampling = SUBSAMPLING
    streams = True

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

    def look_ahead_frames(self, window: Window) -> int | None:
        """A chunk's first frame sees the most: its window, and what the convolutions see beyond that."""
        return (window.chunk - 1 + window.right + self.shape.conv_right) * SUBSAMPLING

    def hops(self, window: Window) -> Hops:
        return ConvRecurrentHops(self, window)

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


def _windows(x: Tensor, window: Window, count: int) -> Tensor:
    """x (B, T, D) -> (B * count, chunk + right, D), zero-padded at the end."""
    size = window.chunk + window.right
    padded = F.pad(x, (0, 0, 0, (count - 1) * window.chunk + size - x.shape[1]))
    return padded.unfold(1, size, window.chunk).transpose(2, 3).flatten(0, 1)


class ConvRecurrentHops:
    """A hop is one chunk of `window`: convolutions keep their last inputs, forward LSTMs their state.

    The backward LSTMs run over the window; what comes out equals `ConvRecurrent.forward` with `window`.
    """

    def __init__(self, network: ConvRecurrent, window: Window) -> None:
        self._network, self._window = network, window
        shape = network.shape
        spare = -(window.right + shape.conv_right) % window.chunk
        self.chunk = window.chunk
        self.lag = shape.conv_right + window.right + spare  # from a hop's first frame back to the window's
        self.carried: dict[str, tuple[int, ...]] = {
            "strided0": (Strided.left, shape.mels),
            "strided1": (Strided.left, shape.channels),
            "held": (window.right + spare, shape.channels),
        }
        self.carried |= {f"block{i}": (shape.kernel - 1, shape.channels) for i in range(shape.blocks)}
        self.carried |= recurrent_sizes(len(network.layers), shape.hidden, ("hidden", "cell"))

    def scores(self, features: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """See `Hops.scores`."""
        x = self._convolve(features, first, total, memory)  # (B, chunk, channels), `conv_right` frames late
        x = memory.joined("held", x)  # (B, chunk + right + spare, channels)
        return self._recur(x[:, : self.chunk + self._window.right], first - self.lag, total, memory)

    def _convolve(self, x: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        rate = SUBSAMPLING
        x = keep_between(x, first * rate, total * rate)
        for i, strided in enumerate(self._network.strided):
            rate //= 2
            x = keep_between(strided(memory.joined(f"strided{i}", x)), first * rate, total * rate)
        for i, block in enumerate(self._network.blocks):
            x = keep_between(block(memory.joined(f"block{i}", x)), first - (i + 1), total)
        return x

    def _recur(self, x: Tensor, start: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """x (B, chunk + right, channels) from frame `start` (B,) on -> (B, chunk, tokens)."""
        left = (total - start).clamp(0, x.shape[1])
        begun = (start >= 0)[:, None]  # before a stream's first frame the state stays zero
        for i, layer in enumerate(self._network.layers):
            back = layer.backward_pass(x, left)
            begin = memory[f"hidden{i}"][None], memory[f"cell{i}"][None]
            own, (hidden, cell) = layer.ahead(x[:, : self.chunk], begin)
            memory[f"hidden{i}"], memory[f"cell{i}"] = hidden[0] * begun, cell[0] * begun
            if i + 1 == len(self._network.layers):
                break
            rest = x[:, self.chunk :]
            rest = layer.ahead(rest, (hidden, cell))[0] if rest.shape[1] else own[:, :0]
            x = torch.cat([torch.cat([own, rest], 1), back], -1)
        return self._network.output(torch.cat([own, back[:, : self.chunk]], -1))  # type: ignore[no-any-return]
