"""What a person reads when something they handed to asrbench cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class InputError(Exception):
    """Unusable input; the command line exits with 2.

    The message is one line: where, what is wrong, and what to do.
    """

    def __init__(self, what: str, where: Path | str | None = None, line: int | None = None) -> None:
        place = "" if where is None else f"{where}:{line}: " if line is not None else f"{where}: "
        super().__init__(place + what)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'speaker'?``, or the empty string where nothing is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
