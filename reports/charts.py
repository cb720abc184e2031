"""The plots: error rates and costs as dots with intervals, latency over streams, speed against errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from reports.svg import INK, LIMIT, MUTED, NARROW, SETTINGS, WIDE, Style
from reports.wording import number

ROW, HEAD, FOOT = 27.0, 30.0, 44.0


@dataclass(frozen=True)
class Dot:
    """A figure with its interval, on a line of its own."""

    label: str
    style: Style
    value: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True)
class Curve:
    """Latency over the number of streams: x, p50 and p99 (ms), and each point's verdict."""

    label: str
    style: Style
    streams: tuple[float, ...]
    p50: tuple[float, ...]
    p99: tuple[float, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """A pipeline at (x, y), each with an optional interval."""

    label: str
    style: Style
    x: float
    y: float
    x_span: tuple[float, float] | None
    y_span: tuple[float, float] | None


def blank(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    return figure


def axes_at(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Axes by their edges in points from the figure's lower left corner."""
    width, height = figure.get_size_inches() * 72
    axes = figure.add_axes((left / width, bottom / height, (right - left) / width, (top - bottom) / height))
    axes.patch.set_visible(False)
    return axes


def short(label: str, letters: int = 26) -> str:
    return label if len(label) <= letters else f"{label[: letters - 1]}…"


# Dots with intervals


def dots(panels: Sequence[tuple[str, Sequence[Dot]]], axis: str) -> Callable[[bool], Figure]:
    """One panel per condition, one line per pipeline; side by side, on a narrow page stacked.

    Panels side by side share their lines, stacked ones have their own.
    """
    largest = max((dot.high or dot.value for _, panel in panels for dot in panel), default=1.0)

    def draw(narrow: bool) -> Figure:
        with mpl.rc_context(SETTINGS):
            return _draw_dots(panels, largest, axis, narrow)

    return draw


def _draw_dots(
    panels: Sequence[tuple[str, Sequence[Dot]]], largest: float, axis: str, narrow: bool
) -> Figure:
    width = NARROW if narrow else WIDE
    across = 1 if narrow else min(3, max(1, len(panels)))
    shared = _labels([dot for _, panel in panels for dot in panel])
    labels = [_labels(panel) if narrow else shared for _, panel in panels]
    blocks = [HEAD + ROW * len(lines) + FOOT for lines in labels[::across]] or [HEAD + FOOT]
    figure = blank(width, sum(blocks))
    gutter = 12.0 + 6.1 * max((len(short(label)) for label in shared), default=0)
    step = (width - gutter) / across
    for at, ((title, panel), lines) in enumerate(zip(panels, labels, strict=True)):
        row, column = divmod(at, across)
        left, top = gutter + column * step, sum(blocks[row:]) - HEAD
        axes = axes_at(figure, left, top - ROW * len(lines), left + step - 16, top)
        _dot_panel(axes, panel, lines, largest, show_labels=column == 0)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK, pad=8)
        axes.set_xlabel(axis, loc="left", labelpad=3)
    return figure


def _labels(panel: Sequence[Dot]) -> list[str]:
    return list(dict.fromkeys(dot.label for dot in panel))


def _dot_panel(
    axes: Axes, panel: Sequence[Dot], labels: list[str], largest: float, *, show_labels: bool
) -> None:
    for dot in panel:
        y = len(labels) - 1 - labels.index(dot.label)
        if dot.low is not None and dot.high is not None:
            axes.plot(
                [dot.low, dot.high],
                [y, y],
                color=dot.style.hex,
                linewidth=2.2,
                solid_capstyle="butt",
                alpha=0.55,
            )
        axes.plot([dot.value], [y], dot.style.marker, color=dot.style.hex, markersize=6.5)
        axes.annotate(
            dot.text,
            (dot.high or dot.value, y),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
            color=INK,
        )
    axes.set_xlim(0, largest * 1.28 or 1.0)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(4, prune="upper"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.yaxis.set_major_locator(FixedLocator([float(y) for y in range(len(labels))]))
    axes.set_yticklabels([short(label) for label in reversed(labels)] if show_labels else [""] * len(labels))
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(axis="x")
    axes.set_axisbelow(True)


# Latency over streams


def curves(data: Sequence[Curve], slo_ms: float | None) -> Callable[[bool], Figure]:
    """p99 (solid) and p50 (dotted) over the streams, both axes logarithmic, with the service level's line."""

    def draw(narrow: bool) -> Figure:
        with mpl.rc_context(SETTINGS):
            figure, axes = framed([(c.label, c.style) for c in data], narrow, 230 if narrow else 280)
            for curve in data:
                _draw_curve(axes, curve)
            if slo_ms is not None:
                axes.axhline(slo_ms, color=LIMIT, linewidth=1.2, dashes=(5, 3))
                axes.annotate(
                    f"SLO {slo_ms:g} ms",
                    (0, slo_ms),
                    (3, 4),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    fontsize=9.5,
                    color=LIMIT,
                )
            logarithmic(axes, "x", [s for c in data for s in c.streams], narrow)
            logarithmic(
                axes, "y", [*(p for c in data for p in (*c.p50, *c.p99) if p > 0), slo_ms or 1.0], narrow
            )
            axes.set_xlabel("concurrent streams", loc="left")
            axes.set_title("finalisation latency, ms", loc="left", fontsize=10.5, color=MUTED, pad=8)
            return figure

    return draw


def _draw_curve(axes: Axes, curve: Curve) -> None:
    valid = [at for at, verdict in enumerate(curve.verdicts) if verdict != "invalid"]
    x = [curve.streams[at] for at in valid]
    axes.plot(x, [curve.p99[at] for at in valid], "-", color=curve.style.hex, linewidth=1.7)
    axes.plot(x, [curve.p50[at] for at in valid], ":", color=curve.style.hex, linewidth=1.4)
    for streams, p99, verdict in zip(curve.streams, curve.p99, curve.verdicts, strict=True):
        face = curve.style.hex if verdict == "meets" else "none"
        marker = "x" if verdict == "invalid" else curve.style.marker
        axes.plot(
            [streams],
            [p99],
            marker,
            color=curve.style.hex,
            markerfacecolor=face,
            markersize=6,
            markeredgewidth=1.5,
        )


def logarithmic(axes: Axes, which: str, values: list[float], narrow: bool) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive) / 1.25, max(positive) * 1.35
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    subs = (1.0, 2.0, 5.0) if high / low < (60 if narrow else 700) else (1.0,)
    axis.set_major_locator(LogLocator(10, subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value < 1e4 else number(value)))


# Speed against errors


def scatter(data: Sequence[Point], x_label: str, y_label: str) -> Callable[[bool], Figure]:
    """Each pipeline at its error rate and its speed (logarithmic): the upper left corner is the best."""

    def draw(narrow: bool) -> Figure:
        with mpl.rc_context(SETTINGS):
            figure, axes = framed([(p.label, p.style) for p in data], narrow, 220 if narrow else 270)
            for point in data:
                draw_point(axes, point)
            speeds = [v for p in data for v in (p.y, *(p.y_span or ()))]
            logarithmic(axes, "y", speeds, narrow)
            axes.set_xlim(0, 1.08 * max((max(p.x, *(p.x_span or (0.0,))) for p in data), default=1.0))
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.set_xlabel(x_label, loc="left")
            axes.set_title(y_label, loc="left", fontsize=10.5, color=MUTED, pad=8)
            return figure

    return draw


def draw_point(axes: Axes, point: Point) -> None:
    faint: Any = {"color": point.style.hex, "linewidth": 2.0, "alpha": 0.5, "solid_capstyle": "butt"}
    if point.x_span:
        axes.plot(point.x_span, [point.y, point.y], **faint)
    if point.y_span:
        axes.plot([point.x, point.x], point.y_span, **faint)
    axes.plot([point.x], [point.y], point.style.marker, color=point.style.hex, markersize=8)


def framed(
    entries: Sequence[tuple[str, Style]], narrow: bool, plot_height: float, left: float = 44
) -> tuple[Figure, Axes]:
    """A plot with its legend below, `left` points beside it for the labels of its y axis."""
    width, columns = (NARROW, 1) if narrow else (WIDE, 3)
    legend = 17.0 * -(-len(entries) // columns) + 8
    figure = blank(width, HEAD + plot_height + FOOT + legend)
    axes = axes_at(figure, left, FOOT + legend, width - 10, FOOT + legend + plot_height)
    ruled(axes)
    draw_legend(figure, entries, columns)
    return figure, axes


def ruled(axes: Axes) -> None:
    axes.tick_params(axis="both", length=0)
    axes.grid(visible=True)
    axes.set_axisbelow(True)


def draw_legend(figure: Figure, entries: Sequence[tuple[str, Style]], columns: int) -> None:
    handles = [
        Line2D([], [], color=s.hex, marker=s.marker, label=short(label, 30), markersize=6, linewidth=1.5)
        for label, s in entries
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="lower left",
            ncols=columns,
            frameon=False,
            bbox_to_anchor=(0, 0),
            borderaxespad=0,
            handlelength=1.8,
            columnspacing=1.6,
            labelspacing=0.45,
            fontsize=10,
        )
