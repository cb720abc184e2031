"""The scenarios, as functions: what the runner calls for each cell."""

from __future__ import annotations

from bench.capacity import capacity_run
from bench.options import (
    CapacityResult,
    CountErrors,
    Item,
    MeasurementError,
    NotAskedForError,
    Options,
    Pass,
    Slo,
    Target,
)
from bench.passes import offline_pass, server_run, single_pass, stream_run

__all__ = [
    "CapacityResult",
    "CountErrors",
    "Item",
    "MeasurementError",
    "NotAskedForError",
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
