"""Who is ahead, as far as a comparison says so: what every verdict is made of."""

from __future__ import annotations

from dataclasses import dataclass

from reports.figures import Figures, Group, usable
from reports.wording import KINDS, kind_of, span, spread_of, with_unit
from results.values import Comparison, Value


@dataclass(frozen=True)
class Side:
    """One pipeline's figure in a tile, `low` to `high` being its interval as text."""

    pipeline: str
    kind: str
    text: str
    interval: str
    wins: bool
    title: str


@dataclass(frozen=True)
class Tile:
    """One question and its answer. `outcome` is the winner's kind, `tie`, `open` or `none`."""

    label: str
    outcome: str
    chip: str
    sentence: str
    sides: tuple[Side, ...]
    where: str = ""


def error_metric(figures: Figures, group: Group) -> str:
    """`cer` where a corpus has no WER or where the comparisons are of CER only (languages without spaces)."""
    compared = {c.metric for c in figures.comparisons(group)}
    if "cer" in compared and "wer" not in compared:
        return "cer"
    return "wer" if "wer" in figures.metrics(group) else "cer"


def named(pipeline: str) -> str:
    """`the hybrid (hybrid-mono-trigram)`; other pipelines by their name alone."""
    kind = kind_of(pipeline)
    if kind == "hybrid":
        return f"the hybrid ({pipeline})"
    return f"the end-to-end network ({pipeline})" if kind == "e2e" else pipeline


def chip_of(winner: str, pair: tuple[str, ...]) -> str:
    """The winner's kind, or its name where both sides are of one kind."""
    return winner if len({kind_of(name) for name in pair}) < len(pair) else KINDS[kind_of(winner)]


def judged(
    comparison: Comparison | None, pair: tuple[str, ...], values: tuple[Value | None, ...]
) -> tuple[str, str, str]:
    """(outcome, chip, winner) as the comparison says; no claim where a side is not ok."""
    bad = [value for value in values if not usable(value)]
    if bad:
        return "none", bad[0].status if bad[0] and bad[0].status != "ok" else "not measured", ""
    if comparison is None:
        return "open", "not compared", ""
    if comparison.verdict in ("a", "b"):
        winner = comparison.a if comparison.verdict == "a" else comparison.b
        return kind_of(winner), chip_of(winner, pair), winner
    return ("tie", "tie", "") if comparison.verdict == "tie" else ("open", comparison.verdict, "")


def sides(pair: tuple[str, ...], values: tuple[Value | None, ...], winner: str) -> tuple[Side, ...]:
    """Both sides with their figures; none where neither has one."""
    if not any(usable(value) or (value is not None and value.status == "invalid") for value in values):
        return ()
    return tuple(_side(name, value, name == winner) for name, value in zip(pair, values, strict=True))


def _side(pipeline: str, value: Value | None, wins: bool) -> Side:
    kind = kind_of(pipeline)
    if value is None or value.value is None or value.status != "ok":
        status = value.status if value is not None and value.status != "ok" else "not measured"
        return Side(pipeline, kind, status, "", False, value.note if value else "")
    text = with_unit(value.value, value.unit, spread_of(value))
    interval = span(value.low, value.high, value.unit, value.value)
    where = ", ".join(part for part in (value.scenario, value.condition, f"n {value.n:,}") if part)
    return Side(pipeline, kind, text, interval, wins, f"run {value.run}: {where}")
