"""From stamps to what a stream met: latencies, send lags, backlog, and the verdict over a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bench.options import Slo
from data.types import Seconds
from results.records import Trial

Times = npt.NDArray[np.float64]
KEPT_LAGS = 2000


@dataclass(frozen=True)
class Finals:
    """Of the utterances that were due: latencies in seconds, and how many never got their final.

    For a dropped one, `latencies` holds how long it had been waited for when the trial ended: a lower bound,
    so that a recogniser that answers nothing does not look fast.
    """

    latencies: tuple[Seconds, ...]
    dropped: int


def finals(due: Sequence[Seconds], finished: Sequence[Seconds | None], end: Seconds) -> Finals:
    """`due`: when the last sample of each utterance was scheduled; those due after `end` do not count."""
    times = [(d, f) for d, f in zip(due, finished, strict=True) if f is not None or d <= end]
    latencies = tuple((end if f is None else f) - d for d, f in times)
    return Finals(latencies, sum(f is None for _, f in times))


def send_lags(due: Times, handed: Times) -> Times:
    """Seconds from each chunk's due time to its hand-over, (n,); those never handed over left out."""
    there = ~np.isnan(handed)
    return np.maximum(handed[there] - due[there], 0.0)


def thinned(lags: Times, keep: int = KEPT_LAGS) -> tuple[Seconds, ...]:
    """At most `keep` of the values, evenly by rank: percentiles stay, smallest and largest are kept."""
    ordered = np.sort(lags)
    if len(ordered) > keep:
        ordered = ordered[np.linspace(0, len(ordered) - 1, keep).round().astype(int)]
    return tuple(float(lag) for lag in ordered)


def waiting(due: Times, done: Times, seconds: Times, at: Times) -> Times:
    """Seconds of audio that were due and not yet processed at each moment of `at` (m,).

    `due`, `done` (NaN: never) and `seconds` are (n,), of each chunk.
    """
    return _sum_until(due, seconds, at) - _sum_until(done, seconds, at)


def _sum_until(times: Times, seconds: Times, at: Times) -> Times:
    order = np.argsort(times)  # NaN last
    total = np.concatenate(([0.0], np.cumsum(seconds[order])))
    return np.asarray(total[np.searchsorted(times[order], at, side="right")])


def backlog_growth(due: Times, done: Times, seconds: Times, first: Seconds, last: Seconds) -> float:
    """Waiting audio gained per second from `first` to `last`, by the means of their outer quarters."""
    if last <= first:
        return 0.0
    at = np.linspace(first, last, 200)
    backlog = waiting(due, done, seconds, at)
    return float((backlog[-50:].mean() - backlog[:50].mean()) / (0.75 * (last - first)))


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank, a value that was really met; NaN of none."""
    if len(values) == 0:
        return float("nan")
    return float(np.percentile(np.asarray(values), percent, method="inverted_cdf"))


@dataclass(frozen=True)
class Verdict:
    verdict: Literal["meets", "fails", "invalid"]
    reason: str = ""


def judge(trial: Trial, slo: Slo, gave_up: Seconds | None = None) -> Verdict:
    """Whether a trial met the level; `gave_up`: seconds after its begin at which it was ended early."""
    invalid = _invalid(trial, slo)
    if invalid:
        return Verdict("invalid", invalid)
    fault = f"overloaded, ended after {gave_up:.1f} s" if gave_up is not None else _fault(trial, slo)
    return Verdict("fails", fault) if fault else Verdict("meets")


def _invalid(trial: Trial, slo: Slo) -> str:
    lag = percentile(trial.send_lags, 99) * 1000
    if lag > slo.send_lag_p99_ms:
        return f"send lag p99 {lag:.1f} ms, over {slo.send_lag_p99_ms:g}: the load generator was measured"
    return ""


def _fault(trial: Trial, slo: Slo) -> str:
    if trial.dropped:
        return f"{trial.dropped} utterances got no final transcript"
    if not trial.latencies:
        return "no utterance ended within the trial"
    latency = percentile(trial.latencies, 99) * 1000
    if latency > slo.finalisation_p99_ms:
        return f"finalisation p99 {latency:.0f} ms, over {slo.finalisation_p99_ms:g}"
    if trial.backlog_growth > slo.backlog_growth * trial.streams:
        return f"the backlog grew by {trial.backlog_growth:.2f} s of audio per second"
    worse = 100 * (trial.word_errors - trial.word_errors_alone) / max(trial.reference_words, 1)
    if worse > slo.wer_increase_percent:
        return f"WER {worse:.2f} % absolute above the one without load"
    return ""
