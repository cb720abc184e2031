"""The search for the largest number of streams that meets a service level, apart from how a trial is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["meets", "fails", "invalid", "disturbed"]
"""`disturbed`: it failed, while something else took the recogniser's core."""
Probe: TypeAlias = Callable[[int, int], Verdict]
"""Of a number of streams and the attempt at it (from 0)."""


RETRIES = 2
_NO_ANSWER: dict[Verdict, str] = {
    "invalid": "the load generator was too late",
    "disturbed": "other programs took the recogniser's core",
}


@dataclass(frozen=True)
class Limits:
    """How far the search goes; `relative_step`: final width of the bracket, relative to its lower end."""

    relative_step: float = 0.05
    confirmations: int = 3
    max_trials: int = 20
    max_streams: int = 2000


@dataclass(frozen=True)
class Found:
    """`streams` met the level (None: not even one did), `fails` did not (None: nothing failed)."""

    streams: int | None
    fails: int | None
    confirmed: int
    reason: str = ""


class _OutOfTrials(Exception):  # noqa: N818
    """The allowance is used up."""


@dataclass
class _Search:
    probe: Probe
    limits: Limits
    met: set[int] = field(default_factory=set)
    missed: dict[int, Verdict] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    confirmed: int = 0

    def low(self) -> int:
        return max((n for n in self.met if n < self.high(n + 1)), default=0)

    def high(self, default: int) -> int:
        return min(self.missed, default=default)

    def step(self, streams: int) -> int:
        return max(1, int(streams * self.limits.relative_step))

    def met_by(self, streams: int) -> bool:
        """One trial; one that says nothing about the recogniser is tried again, up to twice."""
        verdict = self._try(streams)
        for _ in range(RETRIES):
            if verdict in _NO_ANSWER:
                verdict = self._try(streams)
        if verdict == "meets":
            self.met.add(streams)
        else:
            self.missed[streams] = verdict
            self.confirmed = 0
        return verdict == "meets"

    def _try(self, streams: int) -> Verdict:
        if sum(self.attempts.values()) >= self.limits.max_trials:
            raise _OutOfTrials
        attempt = self.attempts.get(streams, 0)
        self.attempts[streams] = attempt + 1
        return self.probe(streams, attempt)

    def bracket(self, guess: int) -> None:
        """Widens from the guess until something met the level and something did not."""
        streams, factor = min(max(1, guess), self.limits.max_streams), 1.25
        while True:
            if self.met_by(streams):
                if self.missed or streams >= self.limits.max_streams:
                    return
                streams = min(max(streams + 1, round(streams * factor)), self.limits.max_streams)
            else:
                if self.met or streams == 1:
                    return
                streams = max(1, min(streams - 1, int(streams / factor)))
            factor = min(2.0, factor * 1.25)

    def bisect(self) -> None:
        """Halves the bracket down to a step."""
        while self.missed and self.low() and self.high(0) - self.low() > self.step(self.low()):
            self.met_by((self.low() + self.high(0)) // 2)

    def confirm(self) -> bool:
        """Whether the best number meets the level again and again; one failure strikes it off."""
        streams = self.low()
        self.confirmed = 0
        while self.confirmed < self.limits.confirmations:
            if not self.met_by(streams):
                self.met.discard(streams)
                return False
            self.confirmed += 1
        return True

    def run(self, guess: int) -> None:
        self.bracket(guess)
        self.bisect()
        while (self.low() or self.high(2) > 1) and not (self.low() and self.confirm()):
            high = self.high(2)
            if not self.low() or high - self.low() > self.step(self.low()):
                below = high - self.step(high)
                self.met_by(max(1, high - self.step(below)))  # no further apart than a step of the lower one
                self.bisect()


def search_capacity(probe: Probe, guess: int, limits: Limits) -> Found:
    """Brackets from `guess`, bisects to a relative step, confirms; the trials are bounded by `max_trials`.

    A number that failed once is never reported, nor is one above it: the level must be met every time.
    """
    search = _Search(probe, limits)
    reasons = []
    try:
        search.run(guess)
    except _OutOfTrials:
        reasons.append(f"stopped after {limits.max_trials} trials")
    low = search.low()
    high = min(search.missed, default=None)
    if low and search.confirmed < limits.confirmations:
        reasons.append(f"met {1 + search.confirmed} times, not confirmed {limits.confirmations} times")
    if low and high is None and low >= limits.max_streams:
        reasons.append(f"a lower bound: no more than {limits.max_streams} streams were tried")
    if low and high is not None and search.missed[high] in _NO_ANSWER:
        reasons.append(f"a lower bound: with {high} streams {_NO_ANSWER[search.missed[high]]}")
    if not low and not reasons:
        reasons.append(_nothing(search))
    return Found(low or None, high, search.confirmed, "; ".join(reasons))


def _nothing(search: _Search) -> str:
    verdict = search.missed.get(1, "fails")
    if verdict in _NO_ANSWER:
        return f"invalid: with one stream {_NO_ANSWER[verdict]}"
    return "one stream does not meet the service level"
