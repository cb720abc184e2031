"""Sweeps: errors against speed along a setting, so that speeds can be read at equal error rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts import Point
from reports.figures import Figures, Group, Spot, in_order, usable
from reports.judge import error_metric
from reports.lines import Path, paths
from reports.plots import Plot, styles
from reports.svg import both
from reports.tables import Table, metric_table
from reports.wording import metric_of
from results.records import Cell

SPEEDS = ("streams_per_core", "rtfx")


@dataclass(frozen=True)
class Sweep:
    """The curves of a group's sweeps, and their figures."""

    plot: Plot | None
    table: Table


def sweep(figures: Figures, group: Group, name: str) -> Sweep | None:
    """The sweeps of one group; None where it has none."""
    families = _families(figures, group)
    if not families:
        return None
    speeds = ("rtfx", "streams_per_core", "streams_per_gpu", "finalisation_p99")
    metrics = (error_metric(figures, group), *speeds)
    names = in_order(cell.pipeline for cells in families.values() for cell in cells)
    table = metric_table(figures, group, "Sweeps", metrics, False, pipelines=names)
    return Sweep(_plot(figures, group, families, name), table)


def _families(figures: Figures, group: Group) -> dict[tuple[str, str], list[Cell]]:
    """By pipeline and setting: the pipeline itself and its variants, in the order of the setting."""
    cells = [c for c in figures.cells(group.run) if (c.corpus, c.split) == (group.corpus, group.split)]
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in (cell for cell in cells if cell.sweep):
        pipeline, key = cell.pipeline.partition("@")[0], cell.sweep.partition("=")[0]
        own = figures.cell(group, pipeline)
        start = {pipeline: own} if own is not None and key in own.facts else {}
        found.setdefault((pipeline, key), start)[cell.pipeline] = cell
    return {
        place: sorted(family.values(), key=lambda cell: _setting(cell, place[1]))
        for place, family in found.items()
    }


def _setting(cell: Cell, key: str) -> float:
    """What orders the curve; settings that are no numbers keep their own order."""
    try:
        return float(_label(cell, key))
    except ValueError:
        return 0.0


def _label(cell: Cell, key: str) -> str:
    own = cell.facts.get(key, "")
    return cell.sweep.partition("=")[2] or (own if isinstance(own, str) else f"{own:g}")


def _plot(
    figures: Figures, group: Group, families: dict[tuple[str, str], list[Cell]], name: str
) -> Plot | None:
    """Streams per core where a curve has two of them, else RTFx."""
    for speed in SPEEDS:
        made = (_path(figures, group, place, cells, speed) for place, cells in families.items())
        data = [path for path in made if len(path.points) > 1]
        if data:
            break
    else:
        return None
    error, fast = metric_of(error_metric(figures, group)).label, metric_of(speed).label
    told = "; ".join(
        f"{path.label}: "
        + ", ".join(f"{p.label}: {error} {p.x:.3g} %, {fast} {p.y:.3g}" for p in path.points)
        for path in data
    )
    title = f"{fast} against {error} along a setting on {group.title}"
    drawing = both(name, title, told, paths(data, f"{error}, %", fast))
    caption = (
        f"{title}. Each point is labelled with the setting; compare the curves at one error rate. "
        "The axes do not begin at 0."
    )
    return Plot(drawing, caption, group.run)


def _path(figures: Figures, group: Group, place: tuple[str, str], cells: Sequence[Cell], speed: str) -> Path:
    pipeline, key = place
    style = styles(figures.pipelines(group))[pipeline]
    points = (_point(figures, group, cell, key, speed) for cell in cells)
    return Path(f"{pipeline}, {key}", style, tuple(point for point in points if point))


def _point(figures: Figures, group: Group, cell: Cell, key: str, speed: str) -> Point | None:
    fast = figures.find(group, cell.pipeline, speed)
    if fast is None or not usable(fast) or not fast.value:
        return None
    wrong = figures.at(group, Spot(cell.pipeline, fast.condition, "offline", error_metric(figures, group)))
    if wrong is None or not usable(wrong) or wrong.value is None:
        return None
    known = None if fast.low is None or fast.high is None else (fast.low, fast.high)
    style = styles(figures.pipelines(group))[cell.pipeline.partition("@")[0]]
    return Point(_label(cell, key), style, wrong.value, fast.value, None, known)
