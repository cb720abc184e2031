"""Who wins what: sentences and labels from a summary's comparisons and intervals, never more than they say.

Accuracy follows the paired test of the comparison. A speed, latency or cost follows its comparison where
there is one; otherwise one side is ahead only where the two intervals do not overlap, and no winner is
called without an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.accuracy import ConditionLine, accuracy, further
from reports.figures import Figures, Group, usable
from reports.judge import Tile, chip_of, error_metric, judged, named, sides
from reports.wording import figure, kind_of, metric_of
from results.values import Value


@dataclass(frozen=True)
class Verdict:
    """The verdict on one corpus of one run."""

    title: str
    run: str
    lead: str
    tiles: tuple[Tile, ...]
    conditions: tuple[ConditionLine, ...]
    others: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A metric to judge by; `word` says it of the winner, with {by} for how much."""

    metric: str
    label: str
    word: str


QUESTIONS = (
    Question("streams_per_core", "Streams per core", "carries {by} streams on one core as"),
    Question("finalisation_p99", "Latency (finalisation p99)", "finishes {by} sooner at p99 than"),
    Question("cost_per_audio_hour", "Cost per audio hour", "costs {by} less per audio hour than"),
    Question("rtfx", "Batch speed (RTFx)", "transcribes {by} as fast as"),
    Question("streams_per_gpu", "Streams per GPU", "carries {by} streams on one GPU as"),
)


def verdict(figures: Figures, group: Group) -> Verdict:
    """The verdict of one group."""
    best = contenders(figures, group)
    pair = best[:2]
    first, lead = accuracy(figures, group, pair)
    tiles = (first, *(tile(figures, group, pair, question) for question in QUESTIONS))
    others = tuple(beside(figures, group, pair, name) for name in best[2:])
    return Verdict(group.title, group.run, lead, tiles, further(figures, group, pair), others)


def contenders(figures: Figures, group: Group) -> tuple[str, ...]:
    """The most accurate pipeline of each kind, hybrid and end-to-end first; two of one kind if alone.

    Those whose streams were counted go first: the verdict is about accuracy and speed of the same recogniser.
    """
    names = figures.heard(group)
    metric = error_metric(figures, group)
    ranked = sorted(
        names, key=lambda name: (not _serves(figures, group, name), _rank(figures.find(group, name, metric)))
    )
    kinds = ("hybrid", "e2e", "peer", "other")
    best = [next((n for n in ranked if kind_of(n) == kind), None) for kind in kinds]
    chosen = [name for name in best if name]
    return tuple(chosen if len(chosen) > 1 else ranked[:2])


def _serves(figures: Figures, group: Group, pipeline: str) -> bool:
    metrics = ("streams_per_core", "streams_per_gpu")
    return any(usable(figures.find(group, pipeline, metric)) for metric in metrics)


def _rank(value: Value | None) -> float:
    return value.value if value is not None and usable(value) and value.value is not None else math.inf


def tile(figures: Figures, group: Group, pair: tuple[str, ...], question: Question) -> Tile:
    if len(pair) < 2:
        values: tuple[Value | None, ...] = tuple(figures.find(group, name, question.metric) for name in pair)
        chip = "measured alone" if any(usable(v) for v in values) else "not measured"
        return Tile(question.label, "none", chip, "", sides(pair, values, ""))
    values = figures.pair(group, pair[0], pair[1], question.metric)
    outcome, chip, winner = ahead(figures, group, question, pair, values)
    where = next(
        (f"{v.scenario}, {v.condition}" if v.condition else v.scenario for v in values if v is not None), ""
    )
    said = say(question, pair, values, winner, chip)
    return Tile(question.label, outcome, chip, said, sides(pair, values, winner), where)


def ahead(
    figures: Figures,
    group: Group,
    question: Question,
    pair: tuple[str, ...],
    values: tuple[Value | None, ...],
) -> tuple[str, str, str]:
    """(outcome, chip, winner) by the comparison where there is one, else by intervals that do not overlap."""
    a, b = values
    if a is None or b is None or not usable(a) or not usable(b):
        return judged(None, pair, values)
    comparison = figures.comparison(group, question.metric, a.condition, *pair)
    if comparison is not None:
        return judged(comparison, pair, values)
    device_matters = question.metric != "cost_per_audio_hour"
    devices = {figures.device(a), figures.device(b)} - {""}
    if device_matters and len(devices) > 1:
        return "open", "not comparable", ""
    if (a.low is None and a.high is None) or (b.low is None and b.high is None):
        return "open", "no interval", ""
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    if a_low <= b_high and b_low <= a_high:
        return "tie", "tie", ""
    lower = pair[0] if a_high < b_low else pair[1]
    higher = pair[1] if lower == pair[0] else pair[0]
    winner = lower if metric_of(question.metric).better == "lower" else higher
    return kind_of(winner), chip_of(winner, pair), winner


def ends(value: Value) -> tuple[float, float]:
    """The interval, open where a bound is not known."""
    return -math.inf if value.low is None else value.low, math.inf if value.high is None else value.high


def say(
    question: Question, pair: tuple[str, ...], values: tuple[Value | None, ...], winner: str, chip: str
) -> str:
    reasons = {
        "tie": "The two intervals overlap: no winner.",
        "no interval": "Measured without an interval: no winner is called.",
        "not comparable": "Measured on different devices: not comparable.",
        "not measured": "No figure for both sides in this run.",
    }
    if not winner:
        if question.metric == "streams_per_gpu" and not any(values):
            return "No pipeline ran on a GPU in this run."
        return why_not(values) or reasons.get(chip, "No winner is claimed.")
    loser = pair[1] if winner == pair[0] else pair[0]
    by = how_much(question, winner, pair, values)
    return f"{named(winner)[0].upper()}{named(winner)[1:]} {question.word.format(by=by)} {loser}."


def why_not(values: tuple[Value | None, ...]) -> str:
    """The notes of the figures that may not be claimed; a note that all of them share is said once."""
    notes = {v.pipeline: v.note for v in values if v is not None and v.note and not usable(v)}
    if len(notes) == len(values) and len(set(notes.values())) == 1:
        return f"{next(iter(notes.values()))}."
    return "; ".join(f"{pipeline}: {note}" for pipeline, note in notes.items())


def how_much(question: Question, winner: str, pair: tuple[str, ...], values: tuple[Value | None, ...]) -> str:
    """`3.5 times as many`, `62 %`: the two shown figures over one another."""
    mine, other = (values[0], values[1]) if winner == pair[0] else (values[1], values[0])
    first = mine.value if mine is not None else None
    second = other.value if other is not None else None
    if not first or not second:
        return "more" if metric_of(question.metric).better == "higher" else "much"
    if metric_of(question.metric).better == "higher":
        ratio = first / second
        times = f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.1f} times"
        return times if question.metric == "rtfx" else f"{times} as many"
    return f"{100 * (1 - first / second):.0f} %"


def beside(figures: Figures, group: Group, pair: tuple[str, ...], other: str) -> str:
    """A further recogniser's figures, and its paired comparison with the two contenders."""
    metric = error_metric(figures, group)
    condition = next(iter(figures.conditions(group)), "")
    error = figures.find(group, other, metric, condition)
    streams = figures.find(group, other, "streams_per_core")
    parts = [f"{metric_of(metric).label} {figure(error)}"]
    if streams is not None:
        parts.append(f"streams per core {figure(streams)}")
    for name in pair:
        comparison = figures.comparison(group, metric, condition, other, name)
        outcome, _, winner = judged(
            comparison, (other, name), (error, figures.find(group, name, metric, condition))
        )
        if winner:
            parts.append(f"{'fewer' if winner == other else 'more'} errors than {name}")
        elif outcome == "tie":
            parts.append(f"a tie with {name}")
    return f"{other}: " + "; ".join(parts)
