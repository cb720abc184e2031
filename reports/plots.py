"""Which figures of a summary go into which plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.charts import Curve, Dot, Point, curves, dots, scatter
from reports.figures import Figures, Group, Spot, in_order, usable
from reports.judge import error_metric
from reports.svg import MARKERS, Drawing, Style, both
from reports.wording import figure, kind_of, metric_of, spread_of, with_unit
from results.records import RunRecord
from results.values import Value

DEFAULT_SLO_MS = 500.0


@dataclass(frozen=True)
class Plot:
    """A drawn plot with its caption and the run that its figures came from."""

    drawing: Drawing
    caption: str
    run: str


def styles(pipelines: tuple[str, ...]) -> Mapping[str, Style]:
    """A colour by kind, a shade by order within it, a marker of its own: told apart without colour too."""
    counts: dict[str, int] = {}
    chosen: dict[str, Style] = {}
    for at, pipeline in enumerate(pipelines):
        kind = kind_of(pipeline)
        counts[kind] = counts.get(kind, 0) + 1
        chosen[pipeline] = Style(f"{kind}-{(counts[kind] - 1) % 3 + 1}", MARKERS[at % len(MARKERS)])
    return chosen


def error_plot(figures: Figures, group: Group, name: str) -> Plot | None:
    """WER (or CER) of every pipeline in every condition, with intervals."""
    metric, looks = error_metric(figures, group), styles(figures.pipelines(group))
    panels = []
    for condition in figures.conditions(group):
        found = [(p, figures.find(group, p, metric, condition)) for p in figures.heard(group)]
        panel = [_dot(p, v, looks[p]) for p, v in found if v is not None and usable(v)]
        if panel:
            panels.append((condition or "all", panel))
    if not panels:
        return None
    label = metric_of(metric).label
    told = "; ".join(
        f"{condition}: " + ", ".join(f"{d.label} {d.text}" for d in panel) for condition, panel in panels
    )
    drawing = both(name, f"{label} by condition on {group.title}", told, dots(panels, f"{label}, %"))
    return Plot(
        drawing,
        f"{label} by condition on {group.title}; bars are 95 % intervals. Lower is better.",
        group.run,
    )


def cost_plot(figures: Figures, group: Group, name: str) -> Plot | None:
    """A panel for each scenario: a live stream costs more than the same audio in a batch."""
    metric, looks = "cost_per_audio_hour", styles(figures.pipelines(group))
    condition = next(iter(figures.conditions(group)), "")
    panels, told = [], []
    for scenario in figures.scenarios(group, metric):
        places = [(p, Spot(p, condition, scenario, metric)) for p in figures.heard(group)]
        found = [(p, value) for p, spot in places if usable(value := figures.at(group, spot))]
        if found:
            panels.append((scenario, [_dot(p, v, looks[p]) for p, v in found if v]))
            told += [f"{p} ({scenario}) {figure(v)}" for p, v in found]
            currency = found[0][1].unit.removesuffix("/h") if found[0][1] else ""
    if not panels:
        return None
    drawing = both(
        name, f"Cost on {group.title}", ", ".join(told), dots(panels, f"{currency} per audio hour")
    )
    where = f" ({condition})" if condition else ""
    caption = f"Cost of one audio hour on {group.title}{where}, by scenario. Lower is better."
    return Plot(drawing, caption, group.run)


def _dot(pipeline: str, value: Value, style: Style) -> Dot:
    unit = value.unit if value.unit == "%" else ""
    text = with_unit(value.value, unit, spread_of(value)).removesuffix(" %")
    return Dot(pipeline, style, value.value or 0.0, value.low, value.high, text)


def load_plots(figures: Figures, group: Group, name: str) -> tuple[Plot, ...]:
    """latency(N) of all that recognise something, one plot for every condition of the group's corpus."""
    run, corpus = group.run, group.corpus
    points = [p for p in figures.summary.load_points if (p.run, p.corpus) == (run, corpus)]
    heard = figures.heard(group)
    points = [p for p in points if p.pipeline in heard]
    looks = styles(figures.pipelines(group))
    slo = service_level(figures.record(run))
    plots = []
    for at, condition in enumerate(in_order(p.condition for p in points)):
        here = [p for p in points if p.condition == condition]
        data = [_curve(pipeline, here, looks) for pipeline in in_order(p.pipeline for p in here)]
        told = "; ".join(
            f"{p.pipeline} with {p.streams} streams: p50 {p.p50:.3g} ms, p99 {p.p99:.3g} ms, {p.verdict}"
            for p in here
        )
        title = f"Latency against number of streams on {corpus}" + (f" ({condition})" if condition else "")
        drawing = both(f"{name}-{at}", title, told, curves(data, slo))
        told_marks = "Filled: the service level is met; hollow: it is not; cross: invalid."
        caption = f"{title}. Solid: p99; dotted: p50. {told_marks}"
        plots.append(Plot(drawing, caption, run))
    return tuple(plots)


def _curve(pipeline: str, points: list[Any], looks: Mapping[str, Style]) -> Curve:
    mine = sorted((p for p in points if p.pipeline == pipeline), key=lambda p: p.streams)
    style = looks.get(pipeline, Style(f"{kind_of(pipeline)}-1", MARKERS[0]))
    columns = tuple(tuple(getattr(p, name) for p in mine) for name in ("streams", "p50", "p99", "verdict"))
    return Curve(pipeline, style, *columns)


def service_level(record: RunRecord | None) -> float | None:
    """The finalisation limit in ms from the run's configuration; the default where it names none."""
    return None if record is None else slo_value(record, "finalisation_p99_ms", DEFAULT_SLO_MS)


def slo_value(record: RunRecord, key: str, default: float) -> float:
    """A limit of the service level, as some scenario of the run's configuration sets it."""
    found = _slo_in(record.config, key)
    return default if found is None else found


def _slo_in(config: Any, key: str) -> float | None:
    """The number `key` in a table `slo`, anywhere in the configuration."""
    nested: list[Any] = list(config.values()) if isinstance(config, Mapping) else list(config)
    if isinstance(config, Mapping) and isinstance(config.get("slo"), Mapping):
        limit = config["slo"].get(key)
        if isinstance(limit, int | float):
            return float(limit)
    found = (_slo_in(item, key) for item in nested if isinstance(item, Mapping | list | tuple))
    return next((limit for limit in found if limit is not None), None)


def trade_plot(figures: Figures, group: Group, name: str) -> Plot | None:
    """Speed against errors: streams per core where two pipelines have it, else RTFx."""
    metric = error_metric(figures, group)
    for speed in ("streams_per_core", "rtfx"):
        points = [
            p for pipeline in figures.heard(group) if (p := _trade(figures, group, pipeline, metric, speed))
        ]
        if len(points) > 1:
            break
    else:
        return None
    label, error = metric_of(speed).label, metric_of(metric).label
    told = "; ".join(f"{p.label}: {error} {p.x:.3g} %, {label} {p.y:.3g}" for p in points)
    drawing = both(
        name, f"{label} against {error} on {group.title}", told, scatter(points, f"{error}, %", label)
    )
    caption = f"{label} against {error} on {group.title}, with intervals. The upper left corner is the best."
    return Plot(drawing, caption, group.run)


def _trade(figures: Figures, group: Group, pipeline: str, metric: str, speed: str) -> Point | None:
    """The pipeline's speed and its error rate in the same condition."""
    fast = figures.find(group, pipeline, speed)
    if fast is None or not usable(fast):
        return None
    wrong = next(
        (
            v
            for scenario in figures.scenarios(group, metric)
            if (v := figures.at(group, Spot(pipeline, fast.condition, scenario, metric))) and usable(v)
        ),
        None,
    )
    if wrong is None or wrong.value is None or not fast.value:
        return None
    style = styles(figures.pipelines(group))[pipeline]
    return Point(pipeline, style, wrong.value, fast.value, _span(wrong), _span(fast))


def _span(value: Value) -> tuple[float, float] | None:
    return None if value.low is None or value.high is None else (value.low, value.high)
