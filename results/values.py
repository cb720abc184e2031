"""What is computed from records on reading, and shown by `asrbench show` and the reports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from results.records import RunRecord

ValueStatus = Literal["ok", "invalid", "not measured", "not available"]


@dataclass(frozen=True)
class Value:
    """One figure with its interval, and the run it came from.

    `unit` is one of %, x, streams, ms, B, s, words, and a currency per hour such as USD/h.
    """

    run: str
    pipeline: str
    corpus: str
    split: str
    condition: str
    scenario: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    n: int
    status: ValueStatus = "ok"
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two pipelines over the same utterances.

    `difference` is a minus b, in percent absolute for WER; `p` is Holm-adjusted.
    """

    run: str
    corpus: str
    split: str
    condition: str
    metric: str
    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    verdict: Literal["a", "b", "tie", "not comparable", "inconclusive"]
    smallest_detectable: float
    test: str
    p_alone: float = math.nan  # before Holm's adjustment


@dataclass(frozen=True)
class AlignedUtterance:
    """A hypothesis against its reference: `pairs` holds (operation, reference word, hypothesis word)."""

    run: str
    pipeline: str
    corpus: str
    split: str
    condition: str
    utterance: str
    speaker: str | None
    errors: int
    pairs: tuple[tuple[Literal["equal", "substitute", "delete", "insert"], str, str], ...]


@dataclass(frozen=True)
class LoadPoint:
    """One point of the curve latency(N). Latencies in ms."""

    run: str
    pipeline: str
    corpus: str
    condition: str
    streams: int
    p50: float
    p90: float
    p95: float
    p99: float
    n: int
    send_lag_p99: float
    verdict: Literal["meets", "fails", "invalid"]
    reason: str


@dataclass(frozen=True)
class Summary:
    """All that a report shows; it computes nothing itself."""

    runs: tuple[RunRecord, ...]
    values: tuple[Value, ...]
    comparisons: tuple[Comparison, ...] = ()
    utterances: tuple[AlignedUtterance, ...] = ()
    load_points: tuple[LoadPoint, ...] = ()
    spreads: tuple[Value, ...] = ()  # over the seeds of an entry; `pipeline` is the entry
