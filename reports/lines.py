"""Plots of figures in a row: from one generation to the next, along a swept setting, along a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from reports.charts import (
    FOOT,
    HEAD,
    Point,
    axes_at,
    blank,
    draw_legend,
    draw_point,
    framed,
    logarithmic,
    ruled,
    short,
)
from reports.svg import INK, MUTED, NARROW, SETTINGS, WIDE, Style
from reports.wording import number

_ROW = 27.0
_PANEL = 170.0
_WIDE = 5.0  # times: figures further apart stand on a logarithmic axis
_MARKS = 16


@dataclass(frozen=True)
class Stop:
    """One place on a line: its row, its figure with its range, the figure as text."""

    row: str
    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Line:
    """Figures that belong together, in order."""

    label: str
    style: Style
    stops: tuple[Stop, ...]


def down(lines: Sequence[Line], rows: Sequence[str], axis: str) -> Callable[[bool], Figure]:
    """One row for each of `rows`, the first on top, and a line from row to row; bars are ranges."""
    largest = max((stop.high for line in lines for stop in line.stops), default=1.0)

    def draw(narrow: bool) -> Figure:
        with mpl.rc_context(SETTINGS):
            gutter = 12.0 + 6.1 * max((len(short(row)) for row in rows), default=0)
            entries = [(line.label, line.style) for line in lines]
            figure, axes = framed(entries, narrow, _ROW * len(rows), left=gutter)
            for line in lines:
                _draw_line(axes, line, rows, lines)
            axes.set_xlim(-0.1 * largest, largest * 1.18 or 1.0)  # room for figures left of a line
            axes.set_ylim(-0.6, len(rows) - 0.4)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x >= 0 else ""))
            axes.yaxis.set_major_locator(FixedLocator([float(y) for y in range(len(rows))]))
            axes.set_yticklabels([short(row) for row in reversed(rows)])
            axes.tick_params(axis="y", labelcolor=INK)
            axes.set_xlabel(axis, loc="left")
            return figure

    return draw


def _draw_line(axes: Axes, line: Line, rows: Sequence[str], lines: Sequence[Line]) -> None:
    heights = [float(len(rows) - 1 - rows.index(stop.row)) for stop in line.stops]
    colour, marker = line.style.hex, line.style.marker
    axes.plot([s.value for s in line.stops], heights, f"{marker}-", color=colour, linewidth=1.3, markersize=6)
    for stop, y in zip(line.stops, heights, strict=True):
        axes.plot([stop.low, stop.high], [y, y], color=colour, linewidth=2.2, alpha=0.55)
        right = all(stop.value >= s.value for other in lines for s in other.stops if s.row == stop.row)
        axes.annotate(
            stop.text,
            (stop.high if right else stop.low, y),
            (8 if right else -8, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=9.5,
            color=INK,
        )


@dataclass(frozen=True)
class Path:
    """A pipeline's places along a swept setting, each labelled with it."""

    label: str
    style: Style
    points: tuple[Point, ...]


def paths(data: Sequence[Path], x_label: str, y_label: str) -> Callable[[bool], Figure]:
    """Speed against errors along a setting: of two curves the upper left one is the better."""

    def draw(narrow: bool) -> Figure:
        with mpl.rc_context(SETTINGS):
            figure, axes = framed([(p.label, p.style) for p in data], narrow, 220 if narrow else 270)
            for path in data:
                _draw_path(axes, path)
            points = [point for path in data for point in path.points]
            _value_axis(axes, [v for p in points for v in (p.y, *(p.y_span or ()))], narrow)
            low, high = min(p.x for p in points), max(p.x for p in points)
            room = 0.12 * (high - low) or 0.1 * high or 1.0
            axes.set_xlim(max(0.0, low - room), high + 2 * room)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.set_xlabel(x_label, loc="left")
            axes.set_title(y_label, loc="left", fontsize=10.5, color=MUTED, pad=8)
            return figure

    return draw


def _value_axis(axes: Axes, values: list[float], narrow: bool) -> None:
    """Logarithmic where the values differ so much that decades tell them apart."""
    low, high = min(values), max(values)
    if 0 < _WIDE * low < high:
        logarithmic(axes, "y", values, narrow)
    else:
        room = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
        axes.set_ylim(low - room, high + room)
        axes.yaxis.set_major_locator(MaxNLocator(5))


def _draw_path(axes: Axes, path: Path) -> None:
    x, y = [point.x for point in path.points], [point.y for point in path.points]
    axes.plot(x, y, "-", color=path.style.hex, linewidth=1.3)
    for point in path.points:
        draw_point(axes, point)
        axes.annotate(
            point.label,
            (point.x, point.y),
            (7, 3),
            textcoords="offset points",
            fontsize=9.5,
            color=INK,
        )


@dataclass(frozen=True)
class Track:
    """One training: (x, y) along its way; the point `best` is marked."""

    label: str
    style: Style
    points: tuple[tuple[float, float], ...]
    best: int | None


@dataclass(frozen=True)
class Panel:
    """What several trainings have in common: the same figure of each."""

    title: str
    tracks: tuple[Track, ...]


def tracks(panels: Sequence[Panel], x_label: str) -> Callable[[bool], Figure]:
    """Panels over one x axis, side by side, on a narrow page stacked; a legend where one is needed."""
    entries = dict.fromkeys((track.label, track.style) for panel in panels for track in panel.tracks)
    longest = max(x for panel in panels for track in panel.tracks for x, _ in track.points)

    def draw(narrow: bool) -> Figure:
        with mpl.rc_context(SETTINGS):
            figure, frames = _frames(list(entries) if len(entries) > 1 else [], narrow, len(panels))
            for axes, panel in zip(frames, panels, strict=True):
                _draw_panel(axes, panel, narrow)
                axes.set_xlim(0, 1.05 * longest or 1.0)
                axes.xaxis.set_major_locator(MaxNLocator(5))
                axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
                axes.set_xlabel(x_label, loc="left")
            return figure

    return draw


def _frames(entries: list[tuple[str, Style]], narrow: bool, count: int) -> tuple[Figure, list[Axes]]:
    width, columns, across = (NARROW, 1, 1) if narrow else (WIDE, 3, count)
    legend = 17.0 * -(-len(entries) // columns) + 8
    step, block, rows = width / across, HEAD + _PANEL + FOOT, count // across
    figure = blank(width, legend + rows * block)
    frames = []
    for at in range(count):
        row, column = divmod(at, across)
        bottom = legend + FOOT + (rows - 1 - row) * block
        frames.append(axes_at(figure, column * step + 44, bottom, (column + 1) * step - 10, bottom + _PANEL))
        ruled(frames[-1])
    draw_legend(figure, entries, columns)
    return figure, frames


def _draw_panel(axes: Axes, panel: Panel, narrow: bool) -> None:
    for track in panel.tracks:
        _draw_track(axes, track)
    found = [track.points[track.best] for track in panel.tracks if track.best is not None]
    values = [y for track in panel.tracks for _, y in track.points]
    if found:
        x, y = min(found, key=lambda point: point[1])
        axes.annotate(
            number(y, "%"),
            (x, y),
            (0, -6),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=9.5,
            color=INK,
        )
        values.append(0.85 * y)  # room for the label
    _value_axis(axes, values, narrow)
    axes.set_title(panel.title, loc="left", fontsize=10.5, color=MUTED, pad=8)


def _draw_track(axes: Axes, track: Track) -> None:
    colour, marker, best = track.style.hex, track.style.marker, track.best
    x, y = zip(*track.points, strict=True)
    every = -(-len(x) // _MARKS)
    axes.plot(
        x,
        y,
        f"{marker}-",
        color=colour,
        linewidth=1.5,
        markersize=4.5,
        markevery=every,
        markerfacecolor="none",
    )
    if best is not None:
        axes.plot([x[best]], [y[best]], marker, color=colour, markersize=6.5)
