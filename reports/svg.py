"""Plots as inline SVG that takes its colours and its font from the page's style sheet.

Each colour is drawn as a stand-in and replaced by a CSS variable, so one drawing serves light and dark.
The same data give the same bytes: no date, no random ids (svg.hashsalt). Every plot is drawn twice,
for a wide page and for a phone.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

WIDE, NARROW = 720.0, 340.0

INK, MUTED, GRID, LIMIT = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", LIMIT: "--limit"}
_STAND_INS = {
    f"{kind}-{shade}": f"#{10 + row:02d}00{shade:02d}"
    for row, kind in enumerate(("hybrid", "e2e", "peer", "null", "other"))
    for shade in (1, 2, 3)
}
_VARIABLES |= {stand_in: f"--{name}" for name, stand_in in _STAND_INS.items()}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")


@dataclass(frozen=True)
class Style:
    """How a pipeline is drawn: `colour` is a kind and a shade such as `hybrid-1`."""

    colour: str
    marker: str

    @property
    def hex(self) -> str:
        return _STAND_INS.get(self.colour, MUTED)


@dataclass(frozen=True)
class Drawing:
    """The two drawings of one plot."""

    wide: str
    narrow: str


def both(name: str, title: str, description: str, draw: Callable[[bool], Figure]) -> Drawing:
    """Draw for both widths; `name` makes the ids unique in the page."""
    drawings = [
        to_svg(draw(narrow), f"{name}-{'n' if narrow else 'w'}", title, description)
        for narrow in (False, True)
    ]
    return Drawing(*drawings)


SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "asrbench",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 1.0,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
}


def to_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as an `<svg>` for a page: no prologue, metadata or sizes; unique ids, a title."""
    buffer = io.BytesIO()
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue().decode("utf-8")
    # Matplotlib's own style element holds a rule for `*`, which in a page would reach beyond the plot.
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", text[text.index("<svg") :], flags=re.DOTALL)
    width, height = figure.get_size_inches() * 72
    head = (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{html.escape(title)}</title>'
        f'<desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    body = _unique_ids(body[body.index(">") + 1 :], name).replace("xlink:href", "href")
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, f"var({variable})")
    return head + body.strip()


def _unique_ids(body: str, name: str) -> str:
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
