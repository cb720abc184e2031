"""One reader for each folder shape that people really have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.errors import InputError, did_you_mean
from data.layouts import aishell1, an4, commonvoice, fsdd, kaldi, librispeech, manifest, pairs, thchs30
from data.layouts.shape import Layout, Reading, Skipped

# The order in which a bare folder is tried: the most telling marks first.
_READERS = (kaldi, an4, commonvoice, librispeech, aishell1, thchs30, fsdd, manifest, pairs)
LAYOUTS: Mapping[str, Layout] = {reader.LAYOUT.name: reader.LAYOUT for reader in _READERS}


def layout(name: str) -> Layout:
    """The reader of that name; `InputError` for an unknown one."""
    if name not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise InputError(f"unknown layout '{name}'{did_you_mean(name, LAYOUTS)} (known: {known})")
    return LAYOUTS[name]


def recognise(folder: Path) -> tuple[Layout, Mapping[str, tuple[str, ...]]] | None:
    """The first layout whose marks the folder shows, with the parts of each split; None: none of them."""
    for candidate in LAYOUTS.values():
        parts = candidate.recognise(folder)
        if parts:
            return candidate, parts
    return None


__all__ = ["LAYOUTS", "Layout", "Reading", "Skipped", "layout", "recognise"]
