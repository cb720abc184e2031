"""The network over live streams: state carried, all streams that are due in one forward pass.

A hop is one chunk of an architecture's `Hops`. What comes out equals the network's forward pass over the
whole utterance (of `ConvRecurrent`: with the same `Window`), and depends on no audio later than
`look_ahead_s` after a frame's start.
"""

from __future__ import annotations

import numpy as np
import torch

from data.types import Samples
from pipelines.e2e.features import LogMel
from pipelines.e2e.models.network import Network, Slots, Window

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

    def __init__(self, network: Network, front: LogMel, window: Window, device: torch.device) -> None:
        """Raises `InputError` for a network that has no form over streams."""
        self._hops, self._front, self._device = network.hops(window), front, device
        self._subsampling = network.subsampling
        hop_frames = self._hops.chunk * self._subsampling
        self._hop_samples = hop_frames * front.hop
        self._need = (hop_frames - 1) * front.hop + front.size
        self._slots = 0
        self._free: list[int] = []
        self._pool = {name: torch.zeros(0, *size, device=device) for name, size in self._hops.carried.items()}

    @property
    def look_ahead_s(self) -> float:
        """From the start of a chunk's first frame to the last sample that the chunk waits for, in seconds."""
        frames = (self._hops.chunk + self._hops.lag) * self._subsampling
        return (frames * self._front.hop + self._front.size - self._front.hop) / self._front.sample_rate

    def open(self) -> Feed:
        if not self._free:
            grown = max(4, 2 * self._slots)
            self._free = list(range(self._slots, grown))
            for name, old in self._pool.items():
                extra = old.new_zeros(grown - self._slots, *old.shape[1:])
                self._pool[name] = torch.cat([old, extra])
            self._slots = grown
        slot = self._free.pop()
        for state in self._pool.values():
            state[slot] = 0.0
        return Feed(slot)

    def release(self, feed: Feed) -> None:
        self._free.append(feed.slot)

    def due(self, feed: Feed) -> bool:
        """Whether a hop can run: its samples are there, or the stream ended and has frames left."""
        if feed.ended:
            return feed.hops * self._hops.chunk - self._hops.lag < self._frames(feed)
        return len(feed.samples) >= self._need

    def _frames(self, feed: Feed) -> int:
        return self._front.frames(feed.received) // self._subsampling

    @torch.inference_mode()
    def hop(self, feeds: list[Feed]) -> list[LogProbs]:
        """One hop of all `feeds`, each of them due: log posteriors (0 to chunk, tokens) for each."""
        chunk = self._hops.chunk
        slots = torch.tensor([f.slot for f in feeds], device=self._device)
        total = torch.tensor([self._frames(f) if f.ended else 1 << 40 for f in feeds], device=self._device)
        first = torch.tensor([f.hops * chunk for f in feeds], device=self._device)
        features = self._front(torch.from_numpy(self._take(feeds)).to(self._device))  # (N, frames, mels)
        scores = self._hops.scores(features, first, total, Slots(self._pool, slots))  # (N, chunk, tokens)
        out = scores.log_softmax(-1).cpu().numpy()
        start = first - self._hops.lag
        begin, end = (-start).clamp(0, chunk).tolist(), (total - start).clamp(0, chunk).tolist()
        return [row[int(b) : int(e)] for row, b, e in zip(out, begin, end, strict=True)]

    def _take(self, feeds: list[Feed]) -> Samples:
        """(N, need): the samples of one hop of each; what a stream no longer needs is let go."""
        taken = np.zeros((len(feeds), self._need), np.float32)
        for row, feed in zip(taken, feeds, strict=True):
            have = feed.samples[: self._need]
            row[: len(have)] = have
            feed.samples = feed.samples[self._hop_samples :]
            feed.hops += 1
        return taken
