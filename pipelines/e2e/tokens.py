"""The alphabet of a CTC network: characters, the space that ends words, and the blank."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import InputError

BLANK = 0
SPACE = " "


@dataclass(frozen=True)
class Tokens:
    """`symbols[0]` is the blank, written as the empty string; the others are one character each."""

    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {symbol: i for i, symbol in enumerate(self.symbols)})

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def space(self) -> int:
        return self._table[SPACE]

    @property
    def _table(self) -> dict[str, int]:
        table: dict[str, int] = getattr(self, "_ids")  # noqa: B009
        return table

    def encode(self, text: str) -> list[int]:
        """The ids of the characters of `text`; characters that are no tokens are left out."""
        return [self._table[c] for c in text if c in self._table]

    def covers(self, text: str) -> bool:
        return all(c in self._table for c in text)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, blanks left out, runs of spaces as one, none at the ends."""
        return " ".join("".join(self.symbols[i] for i in ids).split())

    def write(self, path: Path) -> None:
        path.write_text(json.dumps({"symbols": self.symbols}, ensure_ascii=False), encoding="utf-8")


def tokens_of(texts: Iterable[str]) -> Tokens:
    """The blank, the space, and every character of `texts` in the order of their code points."""
    characters = {c for text in texts for c in text if not c.isspace()}
    if not characters:
        raise InputError("no characters to learn: the training references are empty")
    return Tokens(("", SPACE, *sorted(characters)))


def read_tokens(path: Path) -> Tokens:
    """Raises `InputError` for a file that does not hold an alphabet."""
    try:
        symbols = json.loads(path.read_text(encoding="utf-8"))["symbols"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("no alphabet can be read here; train the model again", path) from error
    return Tokens(tuple(symbols))


def collapse(ids: Sequence[int]) -> list[int]:
    """CTC's mapping of a path of frames to tokens: runs become one, blanks go (Graves et al., ICML 2006)."""
    runs = [i for n, i in enumerate(ids) if n == 0 or i != ids[n - 1]]
    return [i for i in runs if i != BLANK]
