"""A language model that exists as an ARPA file, adapted to new text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.grammar import arpa_lines
from pipelines.ngram import BEGIN, END, NEVER, UNKNOWN, UNKNOWN_ID, Entry, Gram, NgramModel, estimate
from pipelines.ngram_mix import interpolated


def read_arpa(path: Path) -> NgramModel:
    """Raises `InputError` with the line for a file that is no ARPA file."""
    ids = {UNKNOWN: UNKNOWN_ID, BEGIN: 1, END: 2}
    tables: list[dict[Gram, Entry]] = [{(UNKNOWN_ID,): Entry(NEVER, 0.0)}]
    for line in arpa_lines(path):
        while len(tables) < line.order:
            tables.append({})
        gram = tuple([ids.setdefault(word, len(ids)) for word in line.words])
        tables[line.order - 1][gram] = Entry(line.log_probability, line.log_backoff)
    return NgramModel(tuple(ids), tuple(tables))


def adapted(arpa: Path, sentences: Iterable[Sequence[str]], share: float) -> NgramModel:
    """The model in `arpa`, mixed with one of `sentences` that has the weight `share`, both of one order.

    With a share of 1 it is the model of `sentences` alone. See `pipelines.ngram_mix` for the mixture, which
    knows the words of both. Raises `InputError` for no text at all.
    """
    old = read_arpa(arpa)
    fresh = estimate(sentences, old.order)
    return interpolated([old, fresh], [1.0 - share, share]) if share < 1.0 else fresh
