"""What a person sees while something long is at work, if there is a terminal: a line with the time left."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Display:
    """A progress callback that draws on a terminal's standard error. Use it in a `with` block."""

    def __init__(self, hidden: bool = False) -> None:
        console = Console(file=sys.stderr)
        bar = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        off = hidden or not console.is_terminal
        self._bar = Progress(*bar, TimeRemainingColumn(), console=console, disable=off)
        self._task = self._bar.add_task("", total=None)
        self._note = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.remove_task(self._task)
        self._bar.stop()

    def __call__(self, done: float, total: float, note: str = "", *, stage: str = "") -> None:
        """Fits `pipelines.protocol.Progress`; another note begins another bar."""
        if note != self._note:
            self._note = note
            self._bar.reset(self._task, description=note)
        self._bar.update(self._task, completed=done, total=total, description=note)

    def say(self, line: str) -> None:
        """A line above the bar, on a terminal alone."""
        if not self._bar.disable:
            self._bar.console.print(line, markup=False, highlight=False)
