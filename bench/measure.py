"""The scenarios, as functions: what the runner calls for each cell."""

from __future__ import annotations

from collections.abc import Sequence

from bench.options import (
    CapacityResult,
    CountErrors,
    Item,
    MeasurementError,
    Options,
    Pass,
    Slo,
    Target,
)
from pipelines.protocol import Progress

__all__ = [
    "CapacityResult",
    "CountErrors",
    "Item",
    "MeasurementError",
    "Options",
    "Pass",
    "Slo",
    "Target",
    "capacity_run",
    "offline_pass",
    "server_run",
    "single_pass",
    "stream_run",
]


def offline_pass(
    target: Target, items: Sequence[Item], options: Options, repeat: int, progress: Progress
) -> Pass:
    """All audio at hand, in batches, in a fresh process."""
    raise NotImplementedError


def single_pass(
    target: Target, items: Sequence[Item], options: Options, repeat: int, progress: Progress
) -> Pass:
    """One utterance after another, batch 1, in a fresh process."""
    raise NotImplementedError


def stream_run(target: Target, items: Sequence[Item], options: Options, progress: Progress) -> Pass:
    """One paced stream: latencies without load."""
    raise NotImplementedError


def server_run(target: Target, items: Sequence[Item], options: Options, progress: Progress) -> Pass:
    """Seeded Poisson starts of paced streams, open loop."""
    raise NotImplementedError


def capacity_run(
    target: Target, items: Sequence[Item], options: Options, count_errors: CountErrors, progress: Progress
) -> CapacityResult:
    """The largest number of concurrent paced streams that meets the SLO."""
    raise NotImplementedError
