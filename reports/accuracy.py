"""The verdict on accuracy, in sentences that say no more than the paired test does."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from reports.figures import Figures, Group, usable
from reports.judge import Tile, error_metric, judged, named, sides
from reports.wording import figure, metric_of, number, probability
from results.values import Comparison, Value


@dataclass(frozen=True)
class ConditionLine:
    """The accuracy in one further condition."""

    condition: str
    outcome: str
    chip: str
    text: str


def accuracy(figures: Figures, group: Group, pair: tuple[str, ...]) -> tuple[Tile, str]:
    """The accuracy tile, and the sentence that leads the verdict."""
    metric = error_metric(figures, group)
    condition = next(iter(figures.conditions(group)), "")
    values = tuple(figures.find(group, name, metric, condition) for name in pair)
    label = f"Accuracy ({metric_of(metric).label})"
    if len(pair) < 2:
        return Tile(label, "none", "measured alone", "", sides(pair, values, "")), alone(figures, group, pair)
    comparison = figures.comparison(group, metric, condition, *pair)
    outcome, chip, winner = judged(comparison, pair, values)
    sentence = accuracy_sentence(group, condition, comparison, pair, values)
    least = detectable(comparison) if comparison is not None else ""
    return Tile(label, outcome, chip, least, sides(pair, values, winner)), sentence


def alone(figures: Figures, group: Group, pair: tuple[str, ...]) -> str:
    if not pair:
        return f"On {group.title} no recogniser was measured."
    metric = error_metric(figures, group)
    value = figures.find(group, pair[0], metric)
    return (
        f"On {group.title} {named(pair[0])} was measured alone: {metric_of(metric).label} {figure(value)}. "
        "There is nothing to compare it with."
    )


def accuracy_sentence(
    group: Group,
    condition: str,
    comparison: Comparison | None,
    pair: tuple[str, ...],
    values: tuple[Value | None, ...],
) -> str:
    winner = judged(comparison, pair, values)[2]
    place = f"On {group.title}" + (f" ({condition})" if condition else "")
    if any(not usable(value) for value in values):
        both = "; ".join(f"{name}: {figure(value)}" for name, value in zip(pair, values, strict=True))
        return f"{place} no winner in accuracy is claimed ({both})."
    if comparison is None:
        both = " and ".join(f"{name} {figure(value)}" for name, value in zip(pair, values, strict=True))
        return f"{place} the pipelines were not compared pairwise: {both}."
    if winner:
        return f"{place}, {win(comparison, winner)}"
    if comparison.verdict == "tie":
        return f"{place} it is a tie: {tie(comparison)}"
    names = f"{named(comparison.a)} and {comparison.b}"
    if comparison.verdict == "not comparable":
        return f"{place} {names} are not comparable in accuracy."
    return f"{place} the comparison of {names} in accuracy is inconclusive."


def errors_word(metric: str) -> str:
    return {"wer": "word errors", "cer": "character errors"}.get(metric, metric_of(metric).label)


def win(comparison: Comparison, winner: str) -> str:
    difference, low, high = towards(comparison, winner)
    loser = comparison.b if winner == comparison.a else comparison.a
    return (
        f"{named(winner)} makes {number(abs(difference), '%', high - low)} % absolute fewer "
        f"{errors_word(comparison.metric)} than {loser} "
        f"(95 % interval {between(low, high)}; {evidence(comparison)})."
    )


def tie(comparison: Comparison) -> str:
    return (
        f"the test does not separate {named(comparison.a)} from {comparison.b} (difference "
        f"{number(comparison.difference, '%', comparison.high - comparison.low)} % absolute, 95 % interval "
        f"{between(comparison.low, comparison.high)}; {evidence(comparison)}). {detectable(comparison)}"
    )


def detectable(comparison: Comparison) -> str:
    if math.isnan(comparison.smallest_detectable):
        return ""
    least = number(comparison.smallest_detectable, "%")
    return f"This test set could have shown a difference of {least} % or more."


def evidence(comparison: Comparison) -> str:
    test = re.split(r"[,;]", comparison.test)[0].strip()
    return f"{test} {probability(comparison.p)}, Holm-adjusted"


def between(low: float, high: float) -> str:
    return f"{number(low, '%', high - low)} to {number(high, '%', high - low)}"


def towards(comparison: Comparison, winner: str) -> tuple[float, float, float]:
    """The difference and its interval as the winner's advantage (positive)."""
    if winner == comparison.a:
        return -comparison.difference, -comparison.high, -comparison.low
    return comparison.difference, comparison.low, comparison.high


def further(figures: Figures, group: Group, pair: tuple[str, ...]) -> tuple[ConditionLine, ...]:
    """The accuracy verdict in every condition after the first."""
    if len(pair) < 2:
        return ()
    return tuple(_condition_line(figures, group, pair, name) for name in figures.conditions(group)[1:])


def _condition_line(figures: Figures, group: Group, pair: tuple[str, ...], condition: str) -> ConditionLine:
    metric = error_metric(figures, group)
    values = tuple(figures.find(group, name, metric, condition) for name in pair)
    comparison = figures.comparison(group, metric, condition, *pair)
    outcome, chip, winner = judged(comparison, pair, values)
    if comparison is None or outcome in ("none", "open"):
        both = "; ".join(f"{name} {figure(value)}" for name, value in zip(pair, values, strict=True))
        return ConditionLine(condition, outcome, chip, both)
    if not winner:
        said = tie(comparison)
        return ConditionLine(condition, outcome, chip, said[0].upper() + said[1:])
    difference, low, high = towards(comparison, winner)
    text = (
        f"{number(abs(difference), '%', high - low)} % absolute fewer {errors_word(metric)} "
        f"(95 % interval {between(low, high)}; {evidence(comparison)})"
    )
    return ConditionLine(condition, outcome, chip, text)
