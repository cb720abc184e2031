"""The network over live streams: state carried, all streams that are due in one forward pass.

A hop is one chunk of `Window.chunk` frames of posteriors. Convolutions keep their last inputs, the
forward LSTMs their state; the backward LSTMs run over the window. What comes out equals
`ConvRecurrent.forward` with the same `Window`, and depends on no audio later than `look_ahead_s` after a
frame's start.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from data.types import Samples
from pipelines.e2e.features import LogMel
from pipelines.e2e.models.conv_recurrent import SUBSAMPLING, ConvRecurrent, Window, keep_between

LogProbs = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class Feed:
    """The samples of one stream that are still needed, and how far its network has come."""

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.samples: Samples = np.zeros(0, np.float32)
        self.received = 0
        self.hops = 0
        self.ended = False

    def add(self, samples: Samples, last: bool) -> None:
        """Samples that are no numbers count as silence: one stream's fault must not end the others."""
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        self.samples = np.concatenate([self.samples, samples.astype(np.float32, copy=False)])
        self.received += len(samples)
        self.ended = self.ended or last


class StreamingNetwork:
    """States of all streams, each in a slot of shared tensors; slots of closed streams are used again."""

    def __init__(self, network: ConvRecurrent, front: LogMel, window: Window, device: torch.device) -> None:
        self._network, self._front, self._window, self._device = network, front, window, device
        shape = network.shape
        self._delay = shape.conv_right
        self._spare = -(window.right + self._delay) % window.chunk
        self._lag = self._delay + window.right + self._spare  # from a hop's first frame back to the window's
        self._hop_frames = window.chunk * SUBSAMPLING
        self._hop_samples = self._hop_frames * front.hop
        self._need = (self._hop_frames - 1) * front.hop + front.size
        self._free: list[int] = []
        self._states = {name: torch.zeros(0, *size, device=device) for name, size in self._sizes().items()}

    def _sizes(self) -> dict[str, tuple[int, ...]]:
        shape, window = self._network.shape, self._window
        sizes: dict[str, tuple[int, ...]] = {"strided0": (3, shape.mels), "strided1": (3, shape.channels)}
        sizes |= {f"block{i}": (shape.kernel - 1, shape.channels) for i in range(shape.blocks)}
        sizes |= {f"{kind}{i}": (shape.hidden,) for i in range(2) for kind in ("hidden", "cell")}
        held = window.right + self._spare
        return sizes | {"held": (held, shape.channels)}

    @property
    def look_ahead_s(self) -> float:
        """From the start of a chunk's first frame to the last sample that the chunk waits for, in seconds."""
        frames = (self._window.chunk + self._lag) * SUBSAMPLING
        return (frames * self._front.hop + self._front.size - self._front.hop) / self._front.sample_rate

    def open(self) -> Feed:
        if not self._free:
            grown = max(4, 2 * len(self._states["held"]))
            self._free = list(range(len(self._states["held"]), grown))
            for name, old in self._states.items():
                extra = old.new_zeros(grown - len(old), *old.shape[1:])
                self._states[name] = torch.cat([old, extra])
        slot = self._free.pop()
        for state in self._states.values():
            state[slot] = 0.0
        return Feed(slot)

    def release(self, feed: Feed) -> None:
        self._free.append(feed.slot)

    def due(self, feed: Feed) -> bool:
        """Whether a hop can run: its samples are there, or the stream ended and has frames left."""
        if feed.ended:
            return feed.hops * self._window.chunk - self._lag < self._frames(feed)
        return len(feed.samples) >= self._need

    def _frames(self, feed: Feed) -> int:
        return self._front.frames(feed.received) // SUBSAMPLING

    @torch.inference_mode()
    def hop(self, feeds: list[Feed]) -> list[LogProbs]:
        """One hop of all `feeds`, each of them due: log posteriors (0 to chunk, tokens) for each."""
        slots = torch.tensor([f.slot for f in feeds], device=self._device)
        total = torch.tensor([self._frames(f) if f.ended else 1 << 40 for f in feeds], device=self._device)
        first = torch.tensor([f.hops * self._window.chunk for f in feeds], device=self._device)
        features = self._front(torch.from_numpy(self._take(feeds)).to(self._device))  # (N, 4 * chunk, mels)
        x = self._convolve(features, slots, first, total)  # (N, chunk, channels), `delay` frames late
        x = self._joined("held", slots, x)  # (N, chunk + right + spare, channels)
        start = first - self._lag
        scores = self._recur(x[:, : self._window.chunk + self._window.right], slots, start, total)
        out = scores.log_softmax(-1).cpu().numpy()
        counts = (total - start).clamp(0, self._window.chunk).tolist()
        begun = (start >= 0).tolist()
        return [out[i, : int(n) if go else 0] for i, (n, go) in enumerate(zip(counts, begun, strict=True))]

    def _take(self, feeds: list[Feed]) -> Samples:
        """(N, need): the samples of one hop of each; what a stream no longer needs is let go."""
        taken = np.zeros((len(feeds), self._need), np.float32)
        for row, feed in zip(taken, feeds, strict=True):
            have = feed.samples[: self._need]
            row[: len(have)] = have
            feed.samples = feed.samples[self._hop_samples :]
            feed.hops += 1
        return taken

    def _joined(self, name: str, slots: Tensor, x: Tensor) -> Tensor:
        """The kept frames before x (N, T, D); the last of both are kept for the next hop."""
        kept = self._states[name]
        both = torch.cat([kept[slots], x], 1)
        if kept.shape[1]:
            kept[slots] = both[:, -kept.shape[1] :]
        return both

    def _convolve(self, x: Tensor, slots: Tensor, first: Tensor, total: Tensor) -> Tensor:
        rate = SUBSAMPLING
        x = keep_between(x, first * rate, total * rate)
        for i, strided in enumerate(self._network.strided):
            rate //= 2
            x = keep_between(strided(self._joined(f"strided{i}", slots, x)), first * rate, total * rate)
        for i, block in enumerate(self._network.blocks):
            x = keep_between(block(self._joined(f"block{i}", slots, x)), first - (i + 1), total)
        return x

    def _recur(self, x: Tensor, slots: Tensor, start: Tensor, total: Tensor) -> Tensor:
        """x (N, chunk + right, channels) from frame `start` (N,) on -> (N, chunk, tokens)."""
        chunk = self._window.chunk
        left = (total - start).clamp(0, x.shape[1])
        for i, layer in enumerate(self._network.layers):
            back = layer.backward_pass(x, left)
            begin = self._state(i, slots)
            own, (hidden, cell) = layer.ahead(x[:, :chunk], begin)
            self._remember(i, slots, start >= 0, hidden[0], cell[0])
            if i:
                return self._network.output(torch.cat([own, back[:, :chunk]], -1))  # type: ignore[no-any-return]
            rest = layer.ahead(x[:, chunk:], (hidden, cell))[0] if x.shape[1] > chunk else own[:, :0]
            x = torch.cat([torch.cat([own, rest], 1), back], -1)
        raise AssertionError("the network has two recurrent layers")

    def _state(self, layer: int, slots: Tensor) -> tuple[Tensor, Tensor]:
        return self._states[f"hidden{layer}"][slots][None], self._states[f"cell{layer}"][slots][None]

    def _remember(self, layer: int, slots: Tensor, begun: Tensor, hidden: Tensor, cell: Tensor) -> None:
        """Before a stream's first frame the state stays zero."""
        self._states[f"hidden{layer}"][slots] = hidden * begun[:, None]
        self._states[f"cell{layer}"][slots] = cell * begun[:, None]
