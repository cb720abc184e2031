"""The time that a command was given; what it had to leave, the same command goes on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from bench import clock
from data.types import Seconds


class OutOfTimeError(Exception):
    """The time is up, in the middle of work; one line on what is left."""


@dataclass(frozen=True)
class Deadline:
    """`end` is on the harness's clock; None: whenever it is done."""

    end: Seconds | None = None

    @classmethod
    def after(cls, seconds: Seconds) -> Self:
        return cls(clock.now() + seconds)

    @property
    def left(self) -> Seconds | None:
        """Not below 0; None: any."""
        return None if self.end is None else max(0.0, self.end - clock.now())

    @property
    def over(self) -> bool:
        return self.left == 0.0


NEVER = Deadline()
