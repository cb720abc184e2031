"""Names, units and digits: how a figure is written for a reader. Nothing is computed from figures here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from results.values import Value

Better = Literal["lower", "higher", ""]
DASH = "–"
NONE = "—"


@dataclass(frozen=True)
class Metric:
    """What a reader needs to know of a metric: label, good direction, natural scenarios in order."""

    label: str
    better: Better = ""
    scenarios: tuple[str, ...] = ("offline", "single", "stream", "server", "capacity")


_LIVE = ("stream", "server", "single", "capacity")
_LOADED = ("capacity", "server", "stream")

METRICS: dict[str, Metric] = {
    "wer": Metric("WER", "lower"),
    "cer": Metric("CER", "lower"),
    "substitutions": Metric("Substitutions", "lower"),
    "deletions": Metric("Deletions", "lower"),
    "insertions": Metric("Insertions", "lower"),
    "reference_words": Metric("Reference words"),
    "skipped_utterances": Metric("Skipped utterances", "lower"),
    "rtfx": Metric("RTFx", "higher"),
    "streams_per_core": Metric("Streams per core", "higher", _LOADED),
    "streams_per_gpu": Metric("Streams per GPU", "higher", _LOADED),
    **{f"first_partial_p{p}": Metric(f"First partial p{p}", "lower", _LIVE) for p in (50, 90, 95, 99)},
    **{
        f"first_partial_from_start_p{p}": Metric(f"First partial from start p{p}", "lower", _LIVE)
        for p in (50, 90, 95, 99)
    },
    **{f"finalisation_p{p}": Metric(f"Finalisation p{p}", "lower", _LIVE) for p in (50, 90, 95, 99)},
    "send_lag_p99": Metric("Send lag p99", "lower", _LIVE),
    "peak_memory": Metric("Peak memory", "lower"),
    "device_memory": Metric("Peak GPU memory", "lower"),
    "energy_per_audio_hour": Metric("Energy per audio hour", "lower", ("offline", "single")),
    "model_bytes": Metric("Model size", "lower"),
    "training_seconds": Metric("Training time", "lower"),
    "cost_per_audio_hour": Metric(
        "Cost per audio hour", "lower", ("capacity", "offline", "server", "single")
    ),
}

KINDS = {
    "hybrid": "hybrid",
    "e2e": "end-to-end",
    "peer": "peer",
    "null": "null",
    "other": "other",
}


def metric_of(name: str) -> Metric:
    """The metric's entry; an unknown metric gets a readable label and no direction."""
    return METRICS.get(name) or Metric(name.replace("_", " ").capitalize())


def kind_of(pipeline: str) -> str:
    """`hybrid`, `e2e`, `peer` or `null` by the name's prefix, else `other`."""
    prefix = pipeline.split("-", 1)[0]
    return prefix if prefix in KINDS else "other"


def number(value: float | None, unit: str = "", spread: float | None = None) -> str:
    """The number alone, with the digits that its unit and the width `spread` of its interval deserve."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if unit == "%":
        text = f"{value:.2f}" if spread is not None and 0 < spread < 1 else f"{value:.1f}"
    elif unit in ("streams", "words", "count"):
        text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    else:
        text = _three_digits(value)
    return text.replace("-", "−")


def _three_digits(value: float) -> str:
    magnitude = abs(value)
    if magnitude >= 100 or value == 0:
        return f"{value:,.0f}"
    if magnitude >= 10:
        return f"{value:.1f}"
    if magnitude >= 1:
        return f"{value:.2f}"
    if magnitude < 1e-6:
        return f"{value:.2g}"
    return f"{value:.{2 - math.floor(math.log10(magnitude))}f}"


def scale(value: float, unit: str) -> tuple[float, str]:
    """The divisor and the shown unit: bytes in kB, MB, GB; long times in minutes and hours."""
    if unit == "B":
        for divisor, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if abs(value) >= divisor:
                return divisor, name
    if unit == "s" and abs(value) >= 7200:
        return 3600.0, "h"
    if unit == "s" and abs(value) >= 180:
        return 60.0, "min"
    return 1.0, unit


def with_unit(value: float | None, unit: str, spread: float | None = None) -> str:
    """The number with its unit: `5.9 %`, `62.1×`, `412 ms`, `34.2 MB`."""
    if value is None:
        return NONE
    divisor, shown = scale(value, unit)
    text = number(value / divisor, unit, spread)
    if shown == "x":
        return f"{text}×"
    return f"{text} {shown}" if shown and shown not in ("streams", "words", "count") else text


def span(low: float | None, high: float | None, unit: str, like: float | None = None) -> str:
    """`low–high` in the unit that `like` is shown in (`low to high` below zero), or empty."""
    if low is not None and high is None and not math.isnan(low):
        return f"≥ {number(low / scale(like if like is not None else low, unit)[0], unit)}"
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    divisor, _ = scale(high if like is None else like, unit)
    spread = high - low
    joint = " to " if low < 0 else DASH
    return f"{number(low / divisor, unit, spread)}{joint}{number(high / divisor, unit, spread)}"


def spread_of(value: Value) -> float | None:
    """The width of a value's interval, which decides its digits."""
    return None if value.low is None or value.high is None else value.high - value.low


def figure(value: Value | None) -> str:
    """A value for a sentence: `5.9 % (4.3–7.8)`, or its status where it is no number."""
    if value is None:
        return "not measured"
    if value.status != "ok" or value.value is None:
        return value.status if value.status != "ok" else "not available"
    text = with_unit(value.value, value.unit, spread_of(value))
    interval = span(value.low, value.high, value.unit, value.value)
    return f"{text} ({interval})" if interval else text


def and_more(others: Sequence[str]) -> str:
    """`and a, b, c and 2 more`; empty for none."""
    shown, more = ", ".join(others[:3]), len(others) - 3
    return (f"and {shown}" if others else "") + (f" and {more} more" if more > 0 else "")


def probability(p: float) -> str:
    """`p = 0.003`, `p < 0.001`, or `p not available`."""
    if math.isnan(p):
        return "p not available"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "Pipeline",
        "A complete recogniser: hybrid (acoustic model, lexicon and n-gram language model), end-to-end "
        "(one network from audio features to text), or a peer that others made.",
    ),
    (
        "WER, CER",
        "Word (character) error rate: substitutions, deletions and insertions over the reference's words "
        "(characters), summed over the whole corpus; never a mean of per-utterance rates. Lower is better.",
    ),
    (
        "S, D, I",
        "Substitution: another word than the one said. Deletion: a word said and not recognised. "
        "Insertion: a word recognised that nobody said.",
    ),
    ("RTFx", "Seconds of audio transcribed per second of processing. Higher is better."),
    ("Stream", "One live audio source, paced by the wall clock, with a decoder state of its own."),
    (
        "Streams per core, per GPU",
        "The largest number of concurrent streams that meets the service level on one pinned physical core, "
        "or on one GPU with its host cores stated.",
    ),
    ("Chunk", "The audio handed to the recogniser at a time."),
    (
        "Finalisation latency",
        "From the moment at which an utterance's last sample was due to arrive to its final transcript.",
    ),
    ("First-partial latency", "From the end of the first spoken word to the first non-empty partial result."),
    (
        "Send lag",
        "From a chunk's scheduled arrival to the load generator really handing it over. Over 20 ms at p99 "
        "the generator was measured and not the recogniser: the cell is invalid.",
    ),
    ("Cost", "The machine's price per hour over the audio hours that it transcribes per hour."),
    (
        "p50, p99",
        "The latency that half (99 of 100) of the utterances stay within.",
    ),
    ("SLO", "Service level objective: what a stream must meet to count."),
    (
        "95 % interval",
        "The range that holds the figure in 95 of 100 resamples of the speakers (of utterances where they "
        "are unknown). For speed: the lowest and highest of the repeats. For streams: from the number "
        "that met the service level to the smallest that failed it.",
    ),
    ("Tie", "The statistical test does not separate the two pipelines on this test set."),
    (
        "Holm-adjusted p",
        "The probability of so large a difference if there were none, corrected for the pairs compared.",
    ),
    ("Null pipeline", "A recogniser that does nothing: what it costs is the harness's own cost."),
)
