"""How much the error rate of one recogniser moves with the seed of its training."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

from bench.metrics import accuracy_rows
from results.records import Cell, RunRecord
from results.values import Value

_Place = tuple[str, str, str, str]


def spreads_of(record: RunRecord) -> tuple[Value, ...]:
    """Mean WER (CER) of each entry with seeds, `low` and `high` being its least and greatest, `n` the seeds.

    `pipeline` is the entry's name: the value belongs to no single model, and its range is no interval.
    """
    return tuple(_spread(record, place, rates) for place, rates in _rates(record).items())


def _rates(record: RunRecord) -> dict[_Place, list[float]]:
    found: dict[_Place, list[float]] = {}
    for cell in record.cells:
        if cell.seed is not None and not cell.sweep and cell.scenario == "offline" and cell.status == "ok":
            place = (cell.entry, cell.corpus, cell.split, cell.condition)
            found.setdefault(place, []).extend(_rate(record, cell))
    return {place: rates for place, rates in found.items() if rates}


def _rate(record: RunRecord, cell: Cell) -> Iterator[float]:
    """The error rate in percent; none where no utterance counts."""
    rows = accuracy_rows(cell)
    if not rows:
        return
    if _metric(record, cell.corpus) == "wer":
        errors = sum(row.errors for row in rows)
        yield 100 * errors / sum(row.reference_words for row in rows)
    else:
        errors = sum(row.character_errors for row in rows)
        yield 100 * errors / sum(row.reference_characters for row in rows)


def _spread(record: RunRecord, place: _Place, rates: list[float]) -> Value:
    return Value(
        record.run,
        *place,
        "offline",
        _metric(record, place[1]),
        mean(rates),
        min(rates),
        max(rates),
        "%",
        len(rates),
        note="mean of the seeds, with least and greatest",
    )


def _metric(record: RunRecord, corpus: str) -> str:
    return "wer" if record.spaced(corpus) else "cer"
