"""The report as one self-contained HTML file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from data.errors import InputError
from reports.view import view
from results.values import Summary


def render(summary: Summary) -> str:
    """The report as HTML: the same summary gives the same text; nothing in it is fetched."""
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.loader.get_source(environment, "report.css")[0] if environment.loader else ""
    template = environment.get_template("report.html.j2")
    return template.render(report=view(summary), style=Markup(style), svg=Markup) + "\n"


def write(summary: Summary, path: Path) -> None:
    """Render to `path`, all or nothing: a reader never meets half a report.

    Raises InputError where the file cannot be written.
    """
    text = render(summary)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise InputError(
            f"{path}: the report could not be written: {error.strerror}; choose another place with -o"
        ) from error
