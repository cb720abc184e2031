"""Brings the stored form of an older asrbench up to the present one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from data.errors import InputError
from results.records import FORMAT

Header = dict[str, Any]

# From a format to the next; format 1 is the first that was released.
_STEPS: Mapping[int, Callable[[Header], Header]] = {}


def upgrade(header: Header, where: Path) -> Header:
    """The header of a stored run in today's format. Raises `InputError` for a newer or an unknown format."""
    version = header.get("format")
    if not isinstance(version, int) or version < 1:
        raise InputError("is no asrbench run: it has no format number", where)
    if version > FORMAT:
        raise InputError(
            f"was written by a newer asrbench (format {version}, known up to {FORMAT}): update it",
            where,
        )
    for step in range(version, FORMAT):
        header = _STEPS[step](header)
    return {**header, "format": FORMAT}
