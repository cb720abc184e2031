"""How far a training is along its schedule: by its steps, or by its seconds where a budget binds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from data.types import Seconds

Watch = Callable[[], Seconds]
"""Seconds since the training began, over all the processes that worked at it."""


@dataclass
class Pace:
    """`total` steps are planned; after `limit` seconds the training is to be over, whatever is left.

    `watch` None: nobody tells the time, and there is no limit.
    """

    total: int
    watch: Watch | None = None
    limit: Seconds | None = None
    now: Seconds = 0.0
    _step: Seconds = 0.0
    _from: tuple[Seconds, float] = (0.0, 0.0)

    def begin(self, position: float) -> None:
        """From here on the way left, from `position` steps to the end, is laid over the seconds left."""
        self.tick()
        self._step, self._from = 0.0, (self.now, position)

    def tick(self) -> None:
        """To be called once after each step."""
        if self.watch is not None:
            before, self.now = self.now, self.watch()
            self._step = self.now - before

    @property
    def over(self) -> bool:
        """Whether another step like the last would end too late."""
        return self.limit is not None and self.now + self._step >= self.limit

    def position(self, done: int) -> float:
        """Where the schedule is after `done` steps: there, or beyond where the budget has no time for all."""
        if self.limit is None:
            return done
        begun, position = self._from
        share = (self.now - begun) / max(self.limit - begun, 1e-9)
        return max(done, position + (self.total - position) * min(share, 1.0))
