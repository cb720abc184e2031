"""The network over live streams: state carried, all streams that are due in one forward pass.

A hop is one chunk of an architecture's `Hops`. What comes out equals the network's forward pass over the
whole utterance (of `ConvRecurrent`: with the same `Window`), and depends on no audio later than
`look_ahead_s` after a frame's start. Whatever is due forms the next batch (Amodei et al., "Deep Speech 2",
2016, section 7.1); audio and states of all streams lie in shared tensors by slot, so that the work outside
the network does not grow into a loop over streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data.types import Samples, Seconds
from pipelines.e2e.decoder import LogProbs
from pipelines.e2e.features import LogMel
from pipelines.e2e.models.network import Network, Slots, Window
from pipelines.e2e.waiting import Ints, Waiting

_ROOM_S = 0.16
_LARGEST = 4096
_NOBODY = 0  # the slot of the rows that only fill a batch up
_ENDLESS = 1 << 40

Number = TypeVar("Number", np.int64, np.bool_)


@dataclass(frozen=True, eq=False)
class Heard:
    """One hop of M streams: `log_probs` (M, chunk, tokens), of which the frames from `begin` (M,) to `end`
    (M,) count; `rows` (M,) says which of the streams asked for they are.
    """

    rows: Ints
    log_probs: LogProbs
    begin: Ints
    end: Ints

    def __iter__(self) -> Iterator[tuple[int, LogProbs, list[int]]]:
        """Of each stream that has frames: its row, their log posteriors (T, tokens), their best tokens."""
        best = self.log_probs.argmax(-1).tolist()  # of all streams at once
        spans = zip(self.rows.tolist(), self.begin.tolist(), self.end.tolist(), strict=True)
        for (row, begin, end), log_probs, tokens in zip(spans, self.log_probs, best, strict=True):
            if begin < end:
                yield row, log_probs[begin:end], tokens[begin:end]


class StreamingNetwork:
    """States of all streams, each in a slot of shared tensors; slots of closed streams are used again.

    `half`: bfloat16 where autocast allows it. `padded`: batches are filled up to a power of two, so that a
    device meets few sizes.
    """

    def __init__(
        self,
        network: Network,
        front: LogMel,
        window: Window,
        device: torch.device,
        *,
        half: bool = False,
        padded: bool = False,
    ) -> None:
        """Raises `InputError` for a network that has no form over streams."""
        self._hops, self._front, self._device = network.hops(window), front, device
        self._half, self._padded = half, padded
        self._subsampling = network.subsampling
        frames = self._hops.chunk * self._subsampling
        hop, need = frames * front.hop, (frames - 1) * front.hop + front.size
        self._waiting = Waiting(need, hop, max(hop, round(_ROOM_S * front.sample_rate)), device)
        self._pool = {name: torch.zeros(0, *size, device=device) for name, size in self._hops.carried.items()}
        self._received, self._done, self._spoilt = (np.zeros(0, np.int64) for _ in range(3))
        self._ended = np.zeros(0, np.bool_)
        self._free: list[int] = []
        self._fresh: list[int] = []

    @property
    def look_ahead_s(self) -> Seconds:
        """From the start of a chunk's first frame to the last sample that the chunk waits for."""
        frames = (self._hops.chunk + self._hops.lag) * self._subsampling
        return (frames * self._front.hop + self._front.size - self._front.hop) / self._front.sample_rate

    def open(self) -> int:
        """The slot of a new stream."""
        if not self._free:
            self._grow(max(8, 2 * len(self._ended)))
        slot = self._free.pop()
        self._received[slot] = self._done[slot] = 0
        self._spoilt[slot], self._ended[slot] = -1, False
        self._fresh.append(slot)
        return slot

    def release(self, slot: int) -> None:
        self._free.append(slot)

    def spoilt_s(self, slot: int) -> Seconds | None:
        """When the first sample came that is no number; None where all are."""
        first = int(self._spoilt[slot])
        return None if first < 0 else first / self._front.sample_rate

    @torch.inference_mode()
    def advance(self, slots: Sequence[int], audio: Sequence[Samples], last: Sequence[bool]) -> list[Heard]:
        """Takes what has arrived, and runs hops while any of these streams has one due.

        Samples that are no numbers count as silence: one stream's fault must not end the others.
        """
        if not slots:
            return []
        self._clear_fresh()
        at, room = np.asarray(slots, np.int64), self._waiting.room
        heard: list[Heard] = []
        longest = max(map(len, audio))
        for begin in range(0, max(longest, 1), room):
            self._add(at, audio if longest <= room else [a[begin : begin + room] for a in audio])
            if begin + room >= longest:
                self._ended[at] = last
            while (due := np.flatnonzero(self._due(at))).size:
                heard += [self._hop(rows, at[rows]) for rows in _parts(due)]
        return heard

    def _grow(self, slots: int) -> None:
        self._free = list(range(max(_NOBODY + 1, len(self._ended)), slots))
        more = slots - len(self._ended)
        self._received, self._done, self._spoilt = (
            _longer(of, more) for of in (self._received, self._done, self._spoilt)
        )
        self._ended = _longer(self._ended, more)
        self._waiting.grow(slots)
        self._pool = {
            name: torch.cat([old, old.new_zeros(more, *old.shape[1:])]) for name, old in self._pool.items()
        }

    def _clear_fresh(self) -> None:
        if self._fresh:
            slots = torch.tensor(self._fresh, device=self._device)
            for state in self._pool.values():
                state[slots] = 0.0
            self._waiting.clear(slots)
            self._fresh = []

    def _add(self, slots: Ints, audio: Sequence[Samples]) -> None:
        lengths = np.fromiter(map(len, audio), np.int64, len(audio))
        samples = np.concatenate(audio).astype(np.float32, copy=False)
        if not np.isfinite(samples).all():
            samples = self._mended(slots, samples, lengths)
        held = np.maximum(self._received[slots] - self._done[slots] * self._waiting.hop, 0)
        self._waiting.add(slots, held, samples, lengths)
        self._received[slots] += lengths

    def _mended(self, slots: Ints, samples: Samples, lengths: Ints) -> Samples:
        """Notes of each stream where its first bad sample is."""
        before = np.cumsum(lengths) - lengths
        bad = np.flatnonzero(~np.isfinite(samples))
        rows, first = np.unique(np.repeat(np.arange(len(slots)), lengths)[bad], return_index=True)
        new = self._spoilt[slots[rows]] < 0
        position = self._received[slots[rows]] + bad[first] - before[rows]
        self._spoilt[slots[rows[new]]] = position[new]
        return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)

    def _due(self, slots: Ints) -> npt.NDArray[np.bool_]:
        """Whether a hop can run: its samples are there, or the stream ended and has frames left."""
        left = self._done[slots] * self._hops.chunk - self._hops.lag < self._frames(slots)
        there = self._received[slots] - self._done[slots] * self._waiting.hop >= self._waiting.need
        return np.where(self._ended[slots], left, there)

    def _frames(self, slots: Ints) -> Ints:
        """(N,): frames of posteriors that come of what was received."""
        complete = (self._received[slots] - self._front.size) // self._front.hop + 1
        return np.asarray(np.maximum(complete, 0) // self._subsampling)

    def _hop(self, rows: Ints, slots: Ints) -> Heard:
        chunk, count = self._hops.chunk, len(slots)
        first = self._done[slots] * chunk
        total = np.where(self._ended[slots], self._frames(slots), _ENDLESS)
        places = np.full((3, _filled(count) if self._padded else count), _NOBODY)
        places[:, :count] = slots, first, total
        log_probs = self._run(torch.from_numpy(places).to(self._device))[:count].cpu().numpy()
        self._done[slots] += 1
        start = first - self._hops.lag
        return Heard(rows, log_probs, np.clip(-start, 0, chunk), np.clip(total - start, 0, chunk))

    def _run(self, places: Tensor) -> Tensor:
        """places (3, N): slots, first frames, totals -> log posteriors (N, chunk, tokens)."""
        slots, first, total = places
        features = self._front(self._waiting.take(slots))  # (N, frames, mels)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            scores = self._hops.scores(features, first, total, Slots(self._pool, slots))
        return scores.float().log_softmax(-1)


def _longer(values: npt.NDArray[Number], more: int) -> npt.NDArray[Number]:
    return np.concatenate([values, np.zeros(more, values.dtype)])


def _filled(count: int) -> int:
    """The next power of two."""
    return 1 << (count - 1).bit_length()


def _parts(due: Ints) -> list[Ints]:
    return [due[first : first + _LARGEST] for first in range(0, len(due), _LARGEST)]
