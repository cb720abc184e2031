"""The recogniser's side of the streaming scenarios: takes what has arrived, advances, stamps."""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from bench import clock
from bench.board import Board
from bench.plan import chunk_samples
from bench.pool import AudioPool
from data.types import Seconds, Transcript
from pipelines.protocol import Chunk, Pipeline, Session

CPU_GROUP = 8  # sessions per `advance`, so that a stamp after it is honest for each of them
WAKE_TIMEOUT: Seconds = 0.5


@dataclass
class Outcome:
    """What the recogniser saw of one play; clock seconds, None where it has not happened."""

    started: Seconds | None = None
    first_partial: Seconds | None = None
    finished: Seconds | None = None
    text: str = ""
    work: Seconds = 0.0  # its share of the time inside `advance`
    error: str | None = None


@dataclass
class Served:
    """What a scenario gave: an outcome per play, seconds inside the recogniser, when it gave up if it did."""

    outcomes: list[Outcome]
    work: Seconds = 0.0
    gave_up: Seconds | None = None


@dataclass
class Desk:
    """Serves one board: `items[play]` is the utterance that a play takes its audio from."""

    pipeline: Pipeline
    pool: AudioPool
    board: Board
    items: Sequence[int]
    group: int  # sessions per `advance`; 0: all
    give_up: Seconds
    waiting: deque[int] = field(default_factory=deque)
    sessions: dict[int, Session] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chunks = self.board.chunks
        self._play: list[int] = chunks["play"].tolist()
        self._piece = list(zip(chunks["first"].tolist(), chunks["samples"].tolist(), strict=True))
        self._last: list[int] = chunks["last"].tolist()
        self._due: list[float] = chunks["due"].tolist()
        self._rates = [stretch.sample_rate for stretch in self.pool.stretches]
        self.served = Served([Outcome() for _ in self.items])

    def run(self, wake: int) -> Served:
        """Serves until the generator is over and nothing waits, or a chunk has waited `give_up` seconds."""
        taken = 0
        while True:
            over = self.board.over  # before `handed`, which is final once this is set
            handed = self.board.handed
            self.waiting.extend(range(taken, handed))
            taken = handed
            if self.waiting:
                if self._overdue():
                    break
                self._advance()
            elif over:
                break
            else:
                _sleep(wake)
        for session in self.sessions.values():
            session.close()
        return self.served

    def _overdue(self) -> bool:
        late = clock.now() - (self.board.origin + self._due[self.waiting[0]])
        if late > self.give_up:
            self.board.stop()
            self.served.gave_up = clock.now()
        return late > self.give_up

    def _advance(self) -> None:
        rows = take_group(self.waiting, self._play, self.group)
        begun = clock.now()
        sessions = [self._session(self._play[row], begun) for row in rows]
        transcripts = self.pipeline.advance(sessions, [self._chunk(row) for row in rows])
        self.pipeline.synchronize()
        done = clock.now()
        self.served.work += done - begun
        self.board.done_at[rows] = done
        for row, transcript in zip(rows, transcripts, strict=True):
            self._note(row, transcript, done, (done - begun) / len(rows))

    def _session(self, play: int, time: Seconds) -> Session:
        if play not in self.sessions:
            self.sessions[play] = self.pipeline.open_session()
            self.served.outcomes[play].started = time
        return self.sessions[play]

    def _chunk(self, row: int) -> Chunk:
        item = self.items[self._play[row]]
        samples = self.pool.read(item, *self._piece[row])
        return Chunk(samples, self._rates[item], bool(self._last[row]))

    def _note(self, row: int, transcript: Transcript, time: Seconds, work: Seconds) -> None:
        play = self._play[row]
        outcome = self.served.outcomes[play]
        outcome.work += work
        if outcome.first_partial is None and transcript.text:
            outcome.first_partial = time
        if self._last[row]:
            outcome.finished = time
            outcome.text, outcome.error = transcript.text, transcript.error
            self.sessions.pop(play).close()


def take_group(waiting: deque[int], play: Sequence[int], limit: int) -> list[int]:
    """Takes the oldest rows from `waiting`, at most `limit` (0: no limit) and at most one of each play.

    What is left keeps its order.
    """
    group: dict[int, int] = {}
    later = []
    while waiting and not (limit and len(group) >= limit):
        row = waiting.popleft()
        if play[row] in group:
            later.append(row)
        else:
            group[play[row]] = row
    waiting.extendleft(reversed(later))
    return list(group.values())


def alone(pipeline: Pipeline, pool: AudioPool, item: int, chunk_ms: float) -> tuple[str, Seconds]:
    """One utterance in chunks, at full speed with nobody else: its final text, and the seconds it took."""
    stretch = pool.stretches[item]
    size = chunk_samples(stretch.sample_rate, chunk_ms)
    begun = clock.now()
    session = pipeline.open_session()
    text = ""
    for first in range(0, max(1, stretch.samples), size):
        length = min(size, stretch.samples - first)
        chunk = Chunk(pool.read(item, first, length), stretch.sample_rate, first + size >= stretch.samples)
        text = pipeline.advance([session], [chunk])[0].text
        pipeline.synchronize()
    session.close()
    return text, clock.now() - begun


def group_size(asked: int | None, device: object) -> int:
    """Sessions per `advance`: as asked; else all (0) on an accelerator, `CPU_GROUP` on a core."""
    if asked is not None:
        return asked
    return CPU_GROUP if str(device) in _ON_CPU else 0


_ON_CPU: Container[str] = ("cpu", "None", "")


def _sleep(wake: int) -> None:
    if select.select([wake], [], [], WAKE_TIMEOUT)[0]:
        os.read(wake, 1 << 16)
