"""Pronunciations from a corpus's own dictionary alone, until data.lexicon is there."""

from __future__ import annotations

from types import SimpleNamespace as N
from typing import Any


def lexicon_for(words: Any, dictionary: Any, language: str, normalise: Any) -> Any:
    entries: dict[str, list[tuple[str, ...]]] = {}
    for line in dictionary.read_text().splitlines():
        f = line.split()
        if f:
            entries.setdefault(normalise(f[0].split("(")[0]), []).append(tuple(f[1:]))
    return N(lexicon=N(entries={w: tuple(entries[w]) for w in words if w in entries}), from_g2p=())
