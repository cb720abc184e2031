"""Side by side: the entries of an experiment in its order, what each is worth over its seeds, its price."""

from __future__ import annotations

from dataclasses import dataclass

from reports.figures import Figures, Group, in_order, usable
from reports.judge import error_metric
from reports.lines import Line, Stop, down
from reports.plots import Plot
from reports.svg import MARKERS, Style, both
from reports.tables import ACCURACY, Body, Entry, Row, Table, entry, metric_table
from reports.wording import DASH, NONE, kind_of, metric_of, number, probability, span, with_unit
from results.records import KNOWS_WHO_SPEAKS, Cell, knows_who_speaks
from results.values import Comparison, Value

_FINE = 0.5  # a range narrow enough for two decimals: seeds differ by less than one percent


@dataclass(frozen=True)
class SideBySide:
    """The entries of one group beside each other; `seeds` holds each seed on its own."""

    plots: tuple[Plot, ...]
    table: Table
    seeds: Table


@dataclass(frozen=True)
class Lane:
    """The pipelines with one language model in one condition, each the first of its entry."""

    lm: str
    condition: str
    pipelines: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"language model {self.lm}" if self.lm else "with a language model of its own"


def side_by_side(figures: Figures, group: Group, name: str) -> SideBySide | None:
    """The section of a group; None where no entry was trained with several seeds."""
    if not any(Group(v.run, v.corpus, v.split) == group for v in figures.summary.spreads):
        return None
    lanes = _lanes(figures, group)
    plots = (_plot(figures, group, condition, lanes, name) for condition in figures.conditions(group))
    every = [c.pipeline for c in figures.cells(group.run) if c.seed is not None and not c.sweep]
    seeds = metric_table(figures, group, "Every seed", ACCURACY, False, pipelines=in_order(every))
    return SideBySide(tuple(plot for plot in plots if plot), _table(figures, group, lanes), seeds)


def _lanes(figures: Figures, group: Group) -> tuple[Lane, ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for condition in figures.conditions(group):
        for pipeline in figures.heard(group):
            if figures.find(group, pipeline, error_metric(figures, group), condition):
                cell = figures.cell(group, pipeline)
                found.setdefault((cell.lm if cell else "", condition), []).append(pipeline)
    lanes = (Lane(lm, condition, tuple(names)) for (lm, condition), names in found.items())
    return tuple(sorted(lanes, key=lambda lane: not lane.lm))


def generation(cell: Cell) -> str:
    """An entry's name without its language model's: what stands in one row of the plot."""
    return (cell.entry or cell.pipeline).removesuffix(f"-{cell.lm}" if cell.lm else "")


# The table


def _table(figures: Figures, group: Group, lanes: tuple[Lane, ...]) -> Table:
    error = metric_of(error_metric(figures, group)).label
    columns = (
        "Pipeline",
        f"{error}, mean of the seeds (range)",
        f"{error} of the first seed (95 %)",
        "Against the row before",
        "Streams per core",
        "Training time",
        "Model size",
        "Look-ahead",
    )
    several = len(figures.conditions(group)) > 1
    bodies = tuple(
        Body(f"{lane.title}, {lane.condition}" if several else lane.title, _rows(figures, group, lane))
        for lane in lanes
    )
    return Table(f"Side by side: {group.title}", columns, bodies, group.run)


def _rows(figures: Figures, group: Group, lane: Lane) -> tuple[Row, ...]:
    before = ("", *lane.pipelines[:-1])
    return tuple(_row(figures, group, lane, p, b) for p, b in zip(lane.pipelines, before, strict=True))


def _row(figures: Figures, group: Group, lane: Lane, pipeline: str, before: str) -> Row:
    cell, metric = figures.cell(group, pipeline), error_metric(figures, group)
    head = (cell.entry if cell else "") or pipeline
    prices = [figures.find(group, pipeline, name) for name in ("training_seconds", "model_bytes")]
    entries = (
        _spread(figures.spread(group, head, lane.condition)),
        entry(figures.find(group, pipeline, metric, lane.condition)),
        _against(figures.comparison(group, metric, lane.condition, pipeline, before), pipeline),
        _streams(figures.find(group, pipeline, "streams_per_core"), cell),
        *(entry(value) for value in prices),
        _look_ahead(cell),
    )
    note = KNOWS_WHO_SPEAKS if figures.knows_who_speaks(group, pipeline) else ""
    return Row(head, kind_of(pipeline), entries, note)


def _spread(value: Value | None) -> Entry:
    if value is None or value.low is None or value.high is None:
        return Entry(NONE)
    seeds = f"{value.n} seed" if value.n == 1 else f"{value.n} seeds"
    low, high = number(value.low, "%", _FINE), number(value.high, "%", _FINE)
    text = with_unit(value.value, value.unit, _FINE)
    return Entry(text, f"{low}{DASH}{high}", seeds, repr(value.value), f"run {value.run}")


def _against(comparison: Comparison | None, pipeline: str) -> Entry:
    """Whether this row's first seed makes fewer errors than the one's before."""
    if comparison is None:
        return Entry(NONE)
    winner = {"a": comparison.a, "b": comparison.b}.get(comparison.verdict)
    word = comparison.verdict if winner is None else "fewer errors" if winner == pipeline else "more errors"
    sign = 1 if comparison.a == pipeline else -1
    ends = sorted((sign * comparison.low, sign * comparison.high))
    title = (
        f"{number(sign * comparison.difference, '%', ends[1] - ends[0])} % absolute, 95 % interval "
        f"{span(ends[0], ends[1], '%')}, {comparison.test}, Holm-adjusted"
    )
    flag = "" if winner else comparison.verdict
    ps = [probability(p).removeprefix("p ").removeprefix("= ") for p in (comparison.p, comparison.p_alone)]
    told = f"p {ps[0]}, alone {ps[1]}"
    return Entry(word, n=told, title=title, flag=flag)


def _streams(value: Value | None, cell: Cell | None) -> Entry:
    if cell is not None and cell.facts.get("streaming") == "no":
        return Entry("does not stream")
    return entry(value)


def _look_ahead(cell: Cell | None) -> Entry:
    """How much audio beyond a word has to be there before it can be final."""
    if cell is None or "streaming" not in cell.facts:
        return Entry(NONE)
    if cell.facts["streaming"] == "no":
        return Entry("whole speaker" if knows_who_speaks(cell) else "whole utterance")
    ahead = cell.facts.get("look_ahead_ms")
    if not isinstance(ahead, int | float):
        return Entry("not available", flag="not available")
    return Entry(with_unit(float(ahead), "ms"), exact=repr(ahead))


# The plot


def _plot(figures: Figures, group: Group, condition: str, lanes: tuple[Lane, ...], name: str) -> Plot | None:
    """A line for each language model, from one generation to the next."""
    lines = [
        _line(figures, group, lane, at)
        for at, lane in enumerate(lane for lane in lanes if lane.condition == condition)
    ]
    lines = [line for line in lines if line.stops]
    if not lines:
        return None
    rows = in_order(stop.row for line in lines for stop in line.stops)
    label = metric_of(error_metric(figures, group)).label
    title = f"{label} from row to row on {group.title}" + (f" ({condition})" if condition else "")
    told = "; ".join(
        f"{line.label}: " + ", ".join(f"{stop.row} {stop.text}" for stop in line.stops) for line in lines
    )
    drawing = both(f"{name}-{condition}", title, told, down(lines, rows, f"{label}, %"))
    caption = f"{title}: means of the seeds, bars from the least to the greatest. Lower is better."
    return Plot(drawing, caption, group.run)


def _line(figures: Figures, group: Group, lane: Lane, at: int) -> Line:
    stops = []
    for pipeline in lane.pipelines:
        cell = figures.cell(group, pipeline)
        value = figures.spread(group, cell.entry, lane.condition) if cell else None
        if cell and value and usable(value) and value.value is not None:
            low, high = (value.value if end is None else end for end in (value.low, value.high))
            text = number(value.value, "%", _FINE)
            stops.append(Stop(generation(cell), value.value, low, high, text))
    kind = kind_of(lane.pipelines[0])
    return Line(lane.title, Style(f"{kind}-{at % 3 + 1}", MARKERS[at % len(MARKERS)]), tuple(stops))
