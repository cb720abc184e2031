"""The alphabet of a CTC network: the blank, and characters, word pieces or phones.

Where a word ends is told in one of two ways. Spaced: a space is a token of its own. Marked: there is no such
token, and those that begin a word carry sentencepiece's mark, as in `▁ab` and `c` for the word `abc`. In a
language written without spaces every character begins a word, and no frame is spent on what nobody writes.
Phones are marked too; a lexicon tells how words are spelled in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import InputError
from data.text import normaliser
from pipelines.e2e.phones import Sounds
from pipelines.e2e.pieces import MARK, Pieces, read_pieces, train_pieces

BLANK = 0
SPACE = " "
AUTO, CHARACTERS, IDEOGRAPHS, PIECES, PHONES = "auto", "characters", "ideographs", "pieces", "phones"
WRITTEN = (AUTO, CHARACTERS, IDEOGRAPHS, PIECES)
KINDS = (*WRITTEN, PHONES)
_PIECES_FILE = "pieces.model"


@dataclass(frozen=True)
class Tokens:
    """`symbols[0]` is the blank, written as the empty string.

    The others are single characters, the space among them; or single characters and, with `pieces`, longer
    parts of words, marked where they begin one; or, with `sounds`, phones, marked likewise.
    """

    symbols: tuple[str, ...]
    pieces: Pieces | None = None
    sounds: Sounds | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {symbol: i for i, symbol in enumerate(self.symbols)})

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        if self.sounds is not None:
            return PHONES
        if self.pieces is not None:
            return PIECES
        return CHARACTERS if self.spaced else IDEOGRAPHS

    @property
    def spaced(self) -> bool:
        return SPACE in self._table

    @property
    def space(self) -> int:
        """Of a spaced alphabet."""
        return self._table[SPACE]

    @property
    def _table(self) -> dict[str, int]:
        table: dict[str, int] = getattr(self, "_ids")  # noqa: B009
        return table

    def is_space(self, token: int) -> bool:
        return self.symbols[token] == SPACE

    def begins(self, token: int) -> bool:
        """Whether a word that is under way is over with `token`: a space, or another word's beginning."""
        return self.symbols[token].startswith(SPACE if self.spaced else MARK)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, its words parted by spaces; what has no tokens is left out."""
        return [self._table[symbol] for symbol in self._spelling(text) if symbol in self._table]

    def spellings(self, word: str) -> list[list[int]]:
        """All ways to spell `word`: by phones there may be several."""
        if self.sounds is None:
            return [self.encode(word)]
        return [[self._table[phone] for phone in said] for said in self.sounds.words.get(word, ())]

    def covers(self, text: str) -> bool:
        return all(symbol in self._table for symbol in self._spelling(text))

    def grown(self, texts: Iterable[str]) -> Tokens:
        """With what `texts` need beyond these symbols behind them: ids stay.

        Raises `InputError` for a word of which nobody knows the sound.
        """
        if self.sounds is not None:
            return self._checked(texts)
        needed = {symbol for text in texts for symbol in self._spelling(text)}
        return Tokens((*self.symbols, *sorted(needed - set(self.symbols))), self.pieces)

    def _checked(self, texts: Iterable[str]) -> Tokens:
        unknown = sorted({word for text in texts for word in text.split() if not self.covers(word)})
        if unknown:
            raise InputError(
                f"the lexicon of this model lacks {len(unknown)} words ({', '.join(unknown[:5])}); phones do "
                "not grow: train from scratch, or with other tokens"
            )
        return self

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, blanks left out, runs of spaces as one, none at the ends."""
        if self.sounds is not None:
            return self._read_back(self.sounds, [self.symbols[i] for i in ids if i != BLANK])
        text = "".join(self.symbols[i] for i in ids)
        return " ".join((text if self.spaced else text.replace(MARK, SPACE)).split())

    def _spelling(self, text: str) -> Sequence[str]:
        if self.spaced:
            return text
        return [symbol for word in text.split() for symbol in self._word(word)]

    def _word(self, word: str) -> Sequence[str]:
        if self.sounds is not None:
            return next(iter(self.sounds.words.get(word, ())), (SPACE,))  # no token of a marked alphabet
        return (MARK + word[0], *word[1:]) if self.pieces is None else self.pieces.split(word)

    @staticmethod
    def _read_back(sounds: Sounds, phones: Sequence[str]) -> str:
        """Phones before the first that begins a word are a word too; what no word sounds like is left out."""
        begins = [n for n, phone in enumerate(phones) if n == 0 or phone.startswith(MARK)]
        ends = [*begins[1:], len(phones)]
        return " ".join(filter(None, (sounds.heard(phones[a:b]) for a, b in zip(begins, ends, strict=True))))

    def write(self, path: Path) -> None:
        """A JSON file, and the piece model beside it."""
        if self.pieces is not None:
            path.with_name(_PIECES_FILE).write_bytes(self.pieces.model)
        alphabet: dict[str, object] = {"symbols": self.symbols, "kind": self.kind}
        if self.sounds is not None:
            alphabet["sounds"] = self.sounds.words
        path.write_text(json.dumps(alphabet, ensure_ascii=False), encoding="utf-8")


def make_tokens(texts: Iterable[str], kind: str, language: str, pieces: int) -> Tokens:
    """The alphabet, one of `WRITTEN`, that spells the training references `texts`, normalised.

    `AUTO` are characters, marked where the `language` counts characters as words. `pieces` is the size of
    the piece model. Raises `InputError` for references without a character, or too many for the pieces.
    """
    if kind == AUTO:
        kind = IDEOGRAPHS if normaliser(language).unit == "character" else CHARACTERS
    if kind == CHARACTERS:
        return tokens_of(texts)
    words = [word for text in texts for word in text.split()]
    _check_any(words)
    model = train_pieces(words, pieces) if kind == PIECES else None
    beginnings = {MARK + word[0] for word in words}
    within = {c for word in words for c in word[1:]} if model is None else model.symbols
    return Tokens(("", *sorted(beginnings | set(within))), model)


def tokens_of(texts: Iterable[str]) -> Tokens:
    """The blank, the space, and every character of `texts` in the order of their code points."""
    characters = {c for text in texts for c in text if not c.isspace()}
    _check_any(characters)
    return Tokens(("", SPACE, *sorted(characters)))


def spoken_tokens(sounds: Sounds) -> Tokens:
    _check_any(sounds.words)
    return Tokens(("", *sorted(sounds.symbols)), sounds=sounds)


def _check_any(texts: Iterable[str]) -> None:
    if not any(texts):
        raise InputError("no characters to learn: the training references are empty")


def read_tokens(path: Path) -> Tokens:
    """Raises `InputError` for a file that does not hold an alphabet, or whose piece model is gone."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        symbols, kind = tuple(map(str, stored["symbols"])), stored.get("kind", CHARACTERS)
        sounds = _sounds(stored["sounds"], symbols) if kind == PHONES else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("no alphabet can be read here; train the model again", path) from error
    return Tokens(symbols, read_pieces(path.with_name(_PIECES_FILE)) if kind == PIECES else None, sounds)


def _sounds(stored: Mapping[str, Sequence[Sequence[str]]], symbols: Sequence[str]) -> Sounds:
    """Raises `ValueError` for phones that are no tokens."""
    sounds = Sounds({word: tuple(tuple(map(str, said)) for said in found) for word, found in stored.items()})
    if not sounds.symbols <= set(symbols):
        raise ValueError("phones that are no tokens")
    return sounds


def collapse(ids: Sequence[int]) -> list[int]:
    """CTC's mapping of a path of frames to tokens: runs become one, blanks go (Graves et al., ICML 2006)."""
    runs = [i for n, i in enumerate(ids) if n == 0 or i != ids[n - 1]]
    return [i for i in runs if i != BLANK]
