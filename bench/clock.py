"""The only clock. Every stamp of a measurement is taken here, and no other module imports `time`."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from data.types import Seconds


def now() -> Seconds:
    """Monotonic seconds, not stepped by date changes; on Linux and macOS the same in all processes."""
    return time.monotonic()


def cpu_seconds() -> Seconds:
    """Processor time that this process and all its threads have used."""
    return time.process_time()


def resolution() -> Seconds:
    """The smallest step that `now` can show, as the operating system states it."""
    return time.get_clock_info("monotonic").resolution


def implementation() -> str:
    """The operating system's name for the clock behind `now`."""
    return time.get_clock_info("monotonic").implementation


def sleep_until(due: Seconds) -> Seconds:
    """Sleeps until `now() >= due`, not at all where that is past; returns the time on waking."""
    while (left := due - now()) > 0:
        time.sleep(left)
    return now()


def wall_stamp() -> str:
    """The date and time in UTC, ISO 8601 to the second, for records; never for durations."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def step() -> Seconds:
    """The smallest non-zero difference of `now` that this machine really shows, of a hundred tries."""
    return min(_one_step() for _ in range(100))


def _one_step() -> Seconds:
    first = now()
    while (second := now()) == first:
        pass
    return second - first
