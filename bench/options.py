"""What a measurement is asked for, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from data.types import Audio, Seconds
from results.records import RepeatRow, Trial, UtteranceRow


@dataclass(frozen=True)
class Target:
    """A recogniser to measure.

    `use` is an entry point or ``"module:Class"``, `decode` its settings for decoding; `model_dir` is None
    for a recogniser that is not trained here.
    """

    name: str
    use: str
    model_dir: Path | None = None
    decode: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Item:
    """An utterance as it is played: no reference. `first_word_end` is in seconds from its start."""

    utterance: str
    speaker: str | None
    audio: Audio
    first_word_end: Seconds | None = None


@dataclass(frozen=True)
class Slo:
    """The service level that a number of streams must meet (METHOD.md, section 2)."""

    finalisation_p99_ms: float = 500.0
    wer_increase_percent: float = 0.1
    send_lag_p99_ms: float = 20.0  # above it, a trial says nothing about the recogniser
    backlog_growth: float = 0.02  # seconds of waiting audio gained per second, per stream


@dataclass(frozen=True)
class Options:
    """How to measure. `core` and `load_core` None: two that share no physical core, if there are any."""

    chunk_ms: float = 100.0
    batch: int = 16  # utterances handed to `transcribe` together
    core: int | None = None  # the recogniser's
    load_core: int | None = None  # the load generator's
    threads: int = 1  # of BLAS, OpenMP and torch in the recogniser's process
    advance_batch: int | None = None  # sessions per `advance`; 0: all that are due; None: 8, on a GPU all
    seed: int = 1
    slo: Slo = Slo()
    warm_up: int = 2  # utterances recognised before anything is timed
    trial_seconds: Seconds = 20.0  # measured part of a capacity trial; at least the longest utterance
    max_trials: int = 20
    relative_step: float = 0.05  # the bracket's final width, relative to the number of streams
    confirmations: int = 3
    max_streams: int = 2_000
    first_guess: int | None = None  # streams to try first; None: from the work of one stream
    give_up_seconds: Seconds = 3.0  # a trial ends when a chunk has waited for so long
    server_load: float = 0.7  # offered load of `server`, as a share of what one stream's work suggests
    arrivals_per_second: float | None = None  # of `server`; overrides `server_load`
    start_timeout: Seconds = 600.0  # for loading a recogniser


@dataclass(frozen=True)
class Pass:
    """What one pass over the items gave: a row for each, in their order."""

    rows: tuple[UtteranceRow, ...]
    repeat: RepeatRow
    facts: Mapping[str, float | str]


@dataclass(frozen=True)
class CapacityResult:
    """The whole curve, and the largest number of streams that met the SLO; None where `reason` says why.

    `interval` holds the largest number that met it and the smallest that did not (None: none was found).
    """

    trials: tuple[Trial, ...]
    rows: tuple[UtteranceRow, ...]  # of the last trial that met the SLO
    facts: Mapping[str, float | str]
    streams: int | None
    reason: str = ""
    interval: tuple[int, int | None] = (0, None)


CountErrors: TypeAlias = Callable[[str, str], tuple[int, int]]
"""Of an utterance id and a raw hypothesis: word errors and reference words."""


class NotAskedForError(Exception):
    """A cell that its pipeline never promised to fill; one line, for the cell's `reason`."""


class MeasurementError(Exception):
    """A recogniser failed while it was measured; one line, for the cell's `reason`."""
