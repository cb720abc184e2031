"""When which piece of which utterance is due: the schedule of a scenario, made before it begins.

All times are seconds from the scenario's origin. A chunk is due when its last sample has arrived, so the
schedule is open loop: nothing that the recogniser does moves it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.pool import Stretch
from data.types import Seconds

CHUNK = np.dtype(
    [("due", "<f8"), ("play", "<i4"), ("first", "<i8"), ("samples", "<i4"), ("last", "u1")], align=True
)


@dataclass(frozen=True)
class Play:
    """One utterance on one stream. `complete` False: the schedule ends before its last sample."""

    stream: int
    item: int
    start: Seconds
    end: Seconds
    complete: bool = True


@dataclass(frozen=True, eq=False)
class Plan:
    """`chunks` has shape (n,) of `CHUNK`, by due time; `window` is the measured part."""

    plays: tuple[Play, ...]
    chunks: npt.NDArray[np.void]
    window: tuple[Seconds, Seconds]

    @property
    def seconds(self) -> Seconds:
        """When the last chunk is due."""
        return float(self.chunks["due"][-1]) if len(self.chunks) else 0.0

    @property
    def measured(self) -> tuple[int, ...]:
        """The plays whose last sample falls into the window."""
        first, last = self.window
        return tuple(i for i, play in enumerate(self.plays) if play.complete and first <= play.end <= last)


def in_turn(stretches: Sequence[Stretch], chunk_ms: float) -> Plan:
    """One stream, each utterance once, the next beginning where the one before it ended."""
    ends = np.cumsum([stretch.seconds for stretch in stretches])
    plays = [
        Play(0, item, float(end) - stretch.seconds, float(end))
        for item, (stretch, end) in enumerate(zip(stretches, ends, strict=True))
    ]
    return _plan(plays, stretches, chunk_ms)


def poisson(stretches: Sequence[Stretch], arrivals_per_second: float, chunk_ms: float, seed: int) -> Plan:
    """Each utterance once, in a seeded order, on a stream of its own, started by a Poisson process."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(stretches))
    starts = np.cumsum(rng.exponential(1 / arrivals_per_second, len(stretches)))
    plays = [
        Play(stream, int(item), float(start), float(start) + stretches[item].seconds)
        for stream, (item, start) in enumerate(zip(order, starts, strict=True))
    ]
    return _plan(plays, stretches, chunk_ms)


def concurrent(
    stretches: Sequence[Stretch], streams: int, *, seconds: Seconds, tail: Seconds, chunk_ms: float, seed: int
) -> Plan:
    """`streams` streams that play one utterance after another without a gap.

    They start spread over one mean utterance, so that neither their chunks nor their ends fall together; then
    come `seconds` of measurement and a `tail` in which the load goes on while the last finals are awaited.
    """
    rng = np.random.default_rng(seed)
    ramp = float(np.mean([stretch.seconds for stretch in stretches]))
    horizon = ramp + seconds + tail
    deck = _deck(len(stretches), rng)
    free = [(float(start), stream) for stream, start in enumerate(rng.uniform(0, ramp, streams))]
    heapq.heapify(free)
    plays = []
    while free[0][0] < horizon:
        start, stream = free[0]
        item = next(deck)
        end = start + (stretches[item].seconds or chunk_ms / 1000)
        plays.append(Play(stream, item, start, end, end <= horizon))
        heapq.heapreplace(free, (end, stream))
    return _plan(plays, stretches, chunk_ms, (ramp, ramp + seconds), horizon)


def _deck(items: int, rng: np.random.Generator) -> Iterator[int]:
    """One shuffled pack after another: streams play different utterances where there are enough."""
    while True:
        yield from rng.permutation(items).tolist()


def _plan(
    plays: Sequence[Play],
    stretches: Sequence[Stretch],
    chunk_ms: float,
    window: tuple[Seconds, Seconds] | None = None,
    horizon: Seconds = np.inf,
) -> Plan:
    pieces = [_chunks(index, play, stretches[play.item], chunk_ms) for index, play in enumerate(plays)]
    chunks = np.concatenate(pieces) if pieces else np.empty(0, CHUNK)
    chunks = chunks[chunks["due"] <= horizon]
    chunks = chunks[np.argsort(chunks["due"], kind="stable")]
    whole = (0.0, max((play.end for play in plays), default=0.0))
    return Plan(tuple(plays), chunks, window or whole)


def _chunks(index: int, play: Play, stretch: Stretch, chunk_ms: float) -> npt.NDArray[np.void]:
    size = chunk_samples(stretch.sample_rate, chunk_ms)
    count = max(1, -(-stretch.samples // size))
    chunks = np.zeros(count, CHUNK)
    ends = np.minimum(np.arange(1, count + 1) * size, stretch.samples)  # (count,)
    chunks["due"] = play.start + ends / stretch.sample_rate
    chunks["due"][-1] = play.end
    chunks["play"] = index
    chunks["first"] = np.arange(count) * size
    chunks["samples"] = ends - chunks["first"]
    chunks["last"][-1] = 1
    return chunks


def chunk_samples(sample_rate: int, chunk_ms: float) -> int:
    """Samples in a chunk, at least one."""
    return max(1, round(sample_rate * chunk_ms / 1000))
