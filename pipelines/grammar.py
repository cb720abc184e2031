"""From an ARPA file to the grammar transducer G, through kaldilm's arpa2fst."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import kaldifst
import kaldilm

from data.errors import InputError
from pipelines.ngram import BEGIN, END

EPSILON = "<eps>"
BACKOFF = "#0"


@dataclass(frozen=True)
class WordTable:
    """Words by labels: `words[i]` has label i + 1; 0 is epsilon, and `backoff` follows the last word."""

    words: tuple[str, ...]

    @cached_property
    def labels(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, start=1)}

    @property
    def backoff(self) -> int:
        """The label of `#0`, on the back-off arcs of G."""
        return len(self.words) + 1

    def text(self, labels: Sequence[int]) -> str:
        return " ".join(self.words[label - 1] for label in labels)

    def write(self, path: Path) -> None:
        """As OpenFst's symbol table, with epsilon, `#0`, `<s>` and `</s>`."""
        symbols = [EPSILON, *self.words, BACKOFF, BEGIN, END]
        path.write_text("".join(f"{s} {i}\n" for i, s in enumerate(symbols)), encoding="utf-8")


@dataclass(frozen=True)
class ArpaReport:
    """What `clean_arpa` kept: `ngrams` by order; and dropped: words outside the vocabulary."""

    ngrams: tuple[int, ...]
    removed_words: tuple[str, ...]
    removed_ngrams: int


@dataclass(frozen=True)
class ArpaLine:
    """An n-gram of `order` words; base-10 logarithms, a back-off weight that is not there is 0."""

    number: int
    order: int
    log_probability: float
    words: tuple[str, ...]
    log_backoff: float


def clean_arpa(
    source: Path, target: Path, vocabulary: Collection[str], normalise: Callable[[str], str] | None = None
) -> ArpaReport:
    """Rewrites an ARPA file with normalised words, and without n-grams that hold a word outside `vocabulary`.

    Comments before `\\data\\` go. The probabilities of n-grams that become the same are added up; those of
    removed n-grams are not given to others. A certain `<s> </s>` (as in AN4's unigram, where the back-off
    of `<s>` is free too) is removed: sentences would end for nothing. Raises `InputError` with the line.
    """
    tables: list[dict[tuple[str, ...], tuple[float, float]]] = []
    removed: Counter[str] = Counter()
    dropped = 0
    for line in arpa_lines(source):
        while len(tables) < line.order:
            tables.append({})
        words = tuple(_rename(word, normalise) for word in line.words)
        missing = [w for w, new in zip(line.words, words, strict=True) if not _known(new, vocabulary)]
        if missing or (words == (BEGIN, END) and line.log_probability >= 0.0):
            removed.update(missing)
            dropped += 1
            continue
        _add(tables[line.order - 1], words, line.log_probability, line.log_backoff)
    while len(tables) > 1 and not tables[-1]:
        tables.pop()
    _write(tables, target)
    return ArpaReport(tuple(len(t) for t in tables), tuple(sorted(removed)), dropped)


def grammar_graph(arpa: Path, words: WordTable) -> Any:
    """G as a `kaldifst.StdVectorFst`: accepts word labels, reads `words.backoff` on back-off arcs.

    `<s>` and `</s>` are epsilons. N-grams with words that the table lacks are left out by arpa2fst.
    """
    with tempfile.TemporaryDirectory() as folder:
        table, fst = Path(folder) / "words.txt", Path(folder) / "G.fst"
        words.write(table)
        try:
            with _silent():
                kaldilm.arpa2fst(
                    str(arpa),
                    str(fst),
                    disambig_symbol=BACKOFF,
                    read_symbol_table=str(table),
                    max_arpa_warnings=0,
                )
        except RuntimeError as error:
            raise InputError("not a language model in the ARPA format", arpa) from error
        return kaldifst.StdVectorFst.read(str(fst))


@contextmanager
def _silent() -> Iterator[None]:
    """kaldilm tells its progress on the process's standard error, with no way to ask it not to."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def arpa_lines(path: Path) -> Iterator[ArpaLine]:
    """The n-grams of an ARPA file, lower orders first. Raises `InputError` with the line for a broken one."""
    order, begun = 0, False
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, raw in enumerate(file, start=1):
            text = raw.strip()
            if not begun or not text:
                begun = begun or text == "\\data\\"
            elif text == "\\end\\":
                return
            elif text.startswith("\\") and text.endswith("-grams:"):
                order += 1
            elif order:
                yield _line(text, order, number, path)
    raise InputError("a language model in the ARPA format ends with \\end\\; this file is cut short", path)


def _line(text: str, order: int, number: int, path: Path) -> ArpaLine:
    fields = text.split()
    try:
        if len(fields) not in (order + 1, order + 2):
            raise ValueError
        backoff = float(fields[order + 1]) if len(fields) == order + 2 else 0.0
        return ArpaLine(number, order, float(fields[0]), tuple(fields[1 : order + 1]), backoff)
    except ValueError:
        raise InputError(f"not an n-gram of order {order}: {text[:60]!r}", path, number) from None


def _rename(word: str, normalise: Callable[[str], str] | None) -> str:
    return word if normalise is None or word in (BEGIN, END) else normalise(word)


def _known(word: str, vocabulary: Collection[str]) -> bool:
    return word in (BEGIN, END) or word in vocabulary


def _add(
    table: dict[tuple[str, ...], tuple[float, float]], words: tuple[str, ...], p: float, backoff: float
) -> None:
    if words in table:
        before, backoff = table[words]
        p = math.log10(10.0**before + 10.0**p)
    table[words] = (p, backoff)


def _write(tables: list[dict[tuple[str, ...], tuple[float, float]]], path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.write("\\data\\\n")
        out.writelines(f"ngram {n}={len(table)}\n" for n, table in enumerate(tables, start=1))
        for n, table in enumerate(tables, start=1):
            out.write(f"\n\\{n}-grams:\n")
            for words, (p, backoff) in table.items():
                tail = "" if n == len(tables) else f"\t{backoff:.7g}"
                out.write(f"{p:.7g}\t{' '.join(words)}{tail}\n")
        out.write("\n\\end\\\n")
