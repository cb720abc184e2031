"""Which HMM states a phone has: left to right, no skips, a self-loop on each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

SILENCE = "SIL"
QUIET = 0
"""Silence's number among the phones; it is also what stands before and after an utterance."""
PHONE_STATES = 3
SILENCE_STATES = 3


@dataclass(frozen=True)
class Topology:
    """`phones`, silence first, and how many states each has; states are numbered phone by phone."""

    phones: tuple[str, ...]
    lengths: tuple[int, ...]

    @property
    def states(self) -> int:
        return sum(self.lengths)

    @cached_property
    def firsts(self) -> tuple[int, ...]:
        """The first state of each phone."""
        return tuple(accumulate(self.lengths, initial=0))[:-1]

    @cached_property
    def phone_ids(self) -> dict[str, int]:
        return {phone: i for i, phone in enumerate(self.phones)}

    @cached_property
    def phone_of(self) -> tuple[int, ...]:
        """The phone of each state."""
        return tuple(p for p, length in enumerate(self.lengths) for _ in range(length))

    def states_of(self, phone: str) -> range:
        i = self.phone_ids[phone]
        return range(self.firsts[i], self.firsts[i] + self.lengths[i])


def left_to_right(phones: Iterable[str], silence_states: int = SILENCE_STATES) -> Topology:
    """Three states a phone, and silence with states of its own."""
    speech = sorted(set(phones) - {SILENCE})
    return Topology((SILENCE, *speech), (silence_states, *(PHONE_STATES for _ in speech)))
