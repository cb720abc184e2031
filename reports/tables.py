"""Tables of figures: rows are pipelines, bodies are conditions, columns are metrics in a scenario."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reports.figures import Figures, Group, Spot
from reports.wording import NONE, kind_of, metric_of, number, probability, span, spread_of, with_unit
from results.records import KNOWS_WHO_SPEAKS
from results.values import Comparison, LoadPoint, Value


@dataclass(frozen=True)
class Entry:
    """One cell: `exact` is the machine-readable figure, `title` says where it came from."""

    text: str
    interval: str = ""
    n: str = ""
    exact: str = ""
    title: str = ""
    flag: str = ""  # a status that is not ok


@dataclass(frozen=True)
class Row:
    head: str
    kind: str
    entries: tuple[Entry, ...]
    note: str = ""  # below the head


@dataclass(frozen=True)
class Body:
    """The rows of one condition; `title` is empty where the table has one body only."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    caption: str
    columns: tuple[str, ...]  # the first heads the row headers
    bodies: tuple[Body, ...]
    run: str

    @property
    def rows(self) -> int:
        return sum(len(body.rows) for body in self.bodies)


ACCURACY = ("wer", "cer", "substitutions", "deletions", "insertions", "reference_words", "skipped_utterances")
SPEED = ("rtfx", "streams_per_core", "streams_per_gpu")
LATENCY = (
    *(f"first_partial_p{p}" for p in (50, 90, 95, 99)),
    *(f"first_partial_from_start_p{p}" for p in (50, 90, 95, 99)),
    *(f"finalisation_p{p}" for p in (50, 90, 95, 99)),
    "send_lag_p99",
)
FOOTPRINT = (
    "cost_per_audio_hour",
    "peak_memory",
    "device_memory",
    "energy_per_audio_hour",
    "model_bytes",
    "training_seconds",
)


def group_tables(figures: Figures, group: Group) -> tuple[Table, ...]:
    """Accuracy, speed, latency, cost and footprint of one group; further metrics are in `all_values`."""
    wanted = (
        ("Accuracy", ACCURACY, False),
        ("Speed and capacity", SPEED, True),
        ("Latency", LATENCY, False),
        ("Cost and footprint", FOOTPRINT, False),
    )
    made = (metric_table(figures, group, title, metrics, every) for title, metrics, every in wanted)
    return tuple(table for table in made if table.bodies)


def metric_table(
    figures: Figures,
    group: Group,
    title: str,
    metrics: Sequence[str],
    every: bool,
    *,
    pipelines: Sequence[str] | None = None,
) -> Table:
    """A table of `metrics`; with `every` in every scenario that gives them, else in the natural one.

    Its rows are `pipelines`, or those that stand for their entries.
    """
    names = figures.leading(group) if pipelines is None else pipelines
    columns = [
        (metric, scenario)
        for metric in metrics
        for scenario in figures.scenarios(group, metric)[: None if every else 1]
    ]
    bodies = []
    for condition in figures.conditions(group):
        rows = [_row(figures, group, p, condition, columns) for p in names]
        rows = [row for row in rows if any(entry.text != NONE for entry in row.entries)]
        if rows:
            bodies.append(Body(condition, tuple(rows)))
    heads = ("Pipeline", *(_heading(metric, scenario) for metric, scenario in columns))
    return Table(f"{title}: {group.title}", heads, tuple(bodies), group.run)


def _heading(metric: str, scenario: str) -> str:
    label = metric_of(metric).label
    return (
        label
        if metric in ACCURACY or metric in ("model_bytes", "training_seconds")
        else f"{label} ({scenario})"
    )


def _row(
    figures: Figures, group: Group, pipeline: str, condition: str, columns: list[tuple[str, str]]
) -> Row:
    spots = (Spot(pipeline, condition, scenario, metric) for metric, scenario in columns)
    note = KNOWS_WHO_SPEAKS if figures.knows_who_speaks(group, pipeline) else ""
    return Row(pipeline, kind_of(pipeline), tuple(entry(figures.at(group, spot)) for spot in spots), note)


ERROR_RATES = ("wer", "cer")


def entry(value: Value | None) -> Entry:
    """A value as a cell of a table."""
    if value is None:
        return Entry(NONE)
    where = f"run {value.run}, {value.scenario}, {value.condition}, n {value.n:,}"
    title = f"{where}: {value.note}" if value.note else where
    if value.status != "ok" or value.value is None:
        return Entry(
            value.status if value.status != "ok" else "not available", title=title, flag=value.status
        )
    # A percentile prints its n; an error rate has its reference words beside it.
    shows_n = re.search(r"_p\d+$", value.metric) is not None
    return Entry(
        with_unit(value.value, value.unit, spread_of(value)),
        span(value.low, value.high, value.unit, value.value),
        f"n {value.n:,}" if shows_n else "",
        repr(value.value),
        title,
    )


def all_values(figures: Figures, group: Group) -> Table:
    """Every value of a group, one to a line, with all that is known of it."""
    columns = (
        "Pipeline",
        "Condition",
        "Scenario",
        "Metric",
        "Value",
        "Low",
        "High",
        "Unit",
        "n",
        "Status",
        "Note",
    )
    values = [v for v in figures.summary.values if Group(v.run, v.corpus, v.split) == group]
    rows = tuple(Row(v.pipeline, kind_of(v.pipeline), _full(v)) for v in values)
    return Table(f"All values: {group.title}", columns, (Body("", rows),) if rows else (), group.run)


def _full(v: Value) -> tuple[Entry, ...]:
    texts = (v.condition, v.scenario, v.metric)
    numbers = tuple(Entry(_exact(x), exact="" if x is None else repr(x)) for x in (v.value, v.low, v.high))
    flag = "" if v.status == "ok" else v.status
    rest = (Entry(v.unit), Entry(f"{v.n:,}"), Entry(v.status, flag=flag), Entry(v.note))
    return (*(Entry(text) for text in texts), *numbers, *rest)


def _exact(x: float | None) -> str:
    return NONE if x is None else f"{x:.6g}"


def load_table(figures: Figures, group: Group) -> Table:
    """Every probe of `capacity`: latencies by number of streams, and whether the service level was met."""
    columns = ("Pipeline", "Streams", "p50", "p90", "p95", "p99", "n", "Send lag p99", "Verdict", "Reason")
    points = [p for p in figures.summary.load_points if (p.run, p.corpus) == (group.run, group.corpus)]
    bodies = []
    for condition in dict.fromkeys(p.condition for p in points):
        rows = tuple(_probe(p) for p in points if p.condition == condition)
        bodies.append(Body(condition, rows))
    return Table(f"Capacity probes: {group.title}", columns, tuple(bodies), group.run)


def _probe(p: LoadPoint) -> Row:
    times = tuple(Entry(with_unit(ms, "ms"), exact=repr(ms)) for ms in (p.p50, p.p90, p.p95, p.p99))
    lag = Entry(with_unit(p.send_lag_p99, "ms"), exact=repr(p.send_lag_p99))
    verdict = Entry(p.verdict, flag="" if p.verdict == "meets" else p.verdict)
    entries = (Entry(f"{p.streams:,}", exact=str(p.streams)), *times, Entry(f"{p.n:,}"), lag, verdict)
    return Row(p.pipeline, kind_of(p.pipeline), (*entries, Entry(p.reason or NONE)))


def comparison_table(figures: Figures, group: Group) -> Table:
    """Every paired comparison of a group: the difference a minus b, and what the test could have shown."""
    columns = (
        "A against B",
        "Metric",
        "Verdict",
        "Difference A−B",
        "Test",
        "Holm-adjusted p",
        "Smallest detectable",
    )
    bodies = []
    compared = figures.comparisons(group)
    for condition in dict.fromkeys(c.condition for c in compared):
        rows = tuple(_compared(c) for c in compared if c.condition == condition)
        bodies.append(Body(condition, rows))
    return Table(f"Paired comparisons: {group.title}", columns, tuple(bodies), group.run)


def _compared(c: Comparison) -> Row:
    unit = "%" if c.metric in ERROR_RATES else ""
    winner = {"a": c.a, "b": c.b}.get(c.verdict)
    metric = metric_of(c.metric)
    word = "fewer errors" if c.metric in ERROR_RATES else f"better {metric.label}"
    verdict = f"{c.verdict.upper()}: {word}" if winner else c.verdict
    entries = (
        Entry(metric.label),
        Entry(verdict, flag="" if winner else c.verdict),
        Entry(
            with_unit(c.difference, unit, c.high - c.low), span(c.low, c.high, unit), exact=repr(c.difference)
        ),
        Entry(c.test),
        Entry(probability(c.p).removeprefix("p = ").removeprefix("p "), exact=repr(c.p)),
        Entry(
            number(c.smallest_detectable, unit) + (" %" if unit else ""), exact=repr(c.smallest_detectable)
        ),
    )
    return Row(f"{c.a} against {c.b}", kind_of(winner) if winner else "other", entries)
