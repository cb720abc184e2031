"""How the networks learned: losses and scores on dev along each training, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from reports.courses import Course, Score, Training, trainings
from reports.figures import in_order
from reports.lines import Panel, Track, tracks
from reports.plots import Plot
from reports.svg import MARKERS, Style, both
from reports.tables import Body, Entry, Row, Table
from reports.wording import NONE, and_more, kind_of, number, scale, with_unit
from results.records import RunRecord

_DRAWN, _LISTED = 300, 20  # points of a line, rows of a table
_ENDINGS = {
    "epochs": "all epochs were done",
    "budget": "the time was spent",
    "patience": "dev got no better",
}
_T = TypeVar("_T")


@dataclass(frozen=True)
class Learning:
    """The trainings for one corpus of a run: a plot for each entry, and the same in figures."""

    title: str
    run: str
    table: Table
    plots: tuple[Plot, ...]
    points: Table


def learning(record: RunRecord, name: str) -> tuple[Learning, ...]:
    """By corpus; nothing where no training left a curve."""
    found = trainings(record)
    corpora = in_order(training.corpus for training in found)
    return tuple(
        _learning(record.run, corpus, [t for t in found if t.corpus == corpus], f"{name}-{at}")
        for at, corpus in enumerate(corpora)
    )


def _learning(run: str, corpus: str, found: Sequence[Training], name: str) -> Learning:
    families = [[t for t in found if t.entry == entry] for entry in in_order(t.entry for t in found)]
    plots = tuple(_plot(run, family, f"{name}-{at}") for at, family in enumerate(families))
    return Learning(corpus, run, _table(run, corpus, found), plots, _points(run, corpus, found))


# The plots


def _plot(run: str, family: Sequence[Training], name: str) -> Plot:
    """An entry's trainings, which differ in their seeds: the loss, and the scores where there are any."""
    timed = all(training.course.timed for training in family)
    longest = max(training.course.seconds[-1] for training in family) if timed else 0.0
    divisor, unit = scale(longest, "s") if timed else (1.0, "steps")
    looks = _looks(family)
    losses = tuple(_losses(t, style, timed, divisor) for t, style in looks)
    scores = tuple(_scores(t, style, timed, divisor) for t, style in looks if t.course.scores)
    panels = [Panel("loss", losses)]
    panels += [Panel("errors per token on dev, %", scores)] if scores else []
    title = f"{family[0].entry} on {family[0].corpus}: the loss"
    title += f"{', and errors per token on dev,' if scores else ''} along the training"
    axis = f"{unit} of training" if timed else unit
    told = "; ".join(f"{training.label}: {_told(training.course)}" for training in family)
    drawing = both(name, title, told, tracks(panels, axis))
    return Plot(drawing, f"{title}.{' Filled: the fewest errors.' if scores else ''} Lower is better.", run)


def _looks(family: Sequence[Training]) -> list[tuple[Training, Style]]:
    kind = kind_of(family[0].entry)
    return [(t, Style(f"{kind}-{at % 3 + 1}", MARKERS[at % len(MARKERS)])) for at, t in enumerate(family)]


def _losses(training: Training, style: Style, timed: bool, divisor: float) -> Track:
    course = training.course
    places = [x / divisor for x in (course.seconds if timed else course.steps)]
    points = _thinned(tuple(zip(places, course.loss, strict=True)), _DRAWN)
    return Track(training.label, style, points, None)


def _scores(training: Training, style: Style, timed: bool, divisor: float) -> Track:
    scores, best = training.course.scores, training.course.best
    points = tuple(((s.seconds or 0.0) / divisor if timed else s.step, 100 * s.errors) for s in scores)
    return Track(training.label, style, points, scores.index(best) if best else None)


def _told(course: Course) -> str:
    """The plot in words."""
    losses = f"loss {number(course.loss[0])} to {number(course.loss[-1])} in {course.steps[-1]:,.0f} steps"
    took = f", {with_unit(course.seconds[-1], 's')}" if course.seconds else ""
    best = f", fewest errors on dev {_percent(course.best)} {_after(course.best)}" if course.best else ""
    return losses + took + best


# The tables


def _table(run: str, corpus: str, found: Sequence[Training]) -> Table:
    columns = (
        "Pipeline",
        "Training time",
        "Steps",
        "Loss at the end",
        "Fewest errors per token on dev",
        "Ended because",
    )
    rows = tuple(_row(training) for training in found)
    return Table(f"What the trainings took: {corpus}", columns, (Body("", rows),), run)


def _row(training: Training) -> Row:
    course, best = training.course, training.course.best
    timed = course.seconds[-1] if course.seconds else None
    entries = (
        _seconds(timed if training.seconds is None else training.seconds),
        _count(course.steps[-1]),
        Entry(number(course.loss[-1]), exact=repr(course.loss[-1])),
        Entry(_percent(best), n=_after(best), exact=repr(100 * best.errors)) if best else Entry(NONE),
        Entry(_ENDINGS.get(course.ended, course.ended) or NONE),
    )
    return Row(training.pipeline, kind_of(training.pipeline), entries, and_more(training.others))


def _points(run: str, corpus: str, found: Sequence[Training]) -> Table:
    """At each score, or along the losses where nothing was scored."""
    columns = ("After step", "Seconds", "Loss", "Errors per token on dev")
    bodies = tuple(Body(training.pipeline, _stops(training)) for training in found)
    return Table(f"Along the trainings: {corpus}", columns, bodies, run)


def _stops(training: Training) -> tuple[Row, ...]:
    course, kind = training.course, kind_of(training.pipeline)
    if course.scores:
        return tuple(_stop(course, s.step, kind, s) for s in _thinned(course.scores, _LISTED))
    return tuple(_stop(course, step, kind, None) for step in _thinned(course.steps, _LISTED))


def _stop(course: Course, step: float, kind: str, score: Score | None) -> Row:
    at = course.piece_of(step)
    timed = course.seconds[at] if course.seconds else None
    entries = (
        _seconds(score.seconds if score else timed),
        Entry(number(course.loss[at]), exact=repr(course.loss[at])),
        Entry(_percent(score), exact=repr(100 * score.errors)) if score else Entry(NONE),
    )
    return Row(f"{step:,.0f}", kind, entries)


def _seconds(seconds: float | None) -> Entry:
    return Entry(NONE) if seconds is None else Entry(with_unit(seconds, "s"), exact=repr(seconds))


def _count(value: float) -> Entry:
    return Entry(f"{value:,.0f}", exact=f"{value:.0f}")


def _percent(score: Score) -> str:
    return with_unit(100 * score.errors, "%")


def _after(score: Score) -> str:
    return f"after {score.step:,.0f} steps"


def _thinned(items: tuple[_T, ...], most: int) -> tuple[_T, ...]:
    """At most `most` of them, evenly, with the first and the last."""
    if len(items) <= most:
        return items
    return tuple(items[round(i * (len(items) - 1) / (most - 1))] for i in range(most))
