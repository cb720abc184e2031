"""Pairs of pipelines over the same utterances, tested."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, groupby

import numpy as np

from bench.metrics import accuracy_rows
from bench.score import align
from bench.stats import holm, mapsswe, paired_bootstrap, segments
from results.records import Cell, RunRecord, UtteranceRow
from results.values import Comparison

TEST = "MAPSSWE"
LEVEL = 0.05


def comparisons_of(records: Sequence[RunRecord]) -> tuple[Comparison, ...]:
    """WER of all pairs of recognisers in the same run, split and condition; Holm over all of them.

    An entry with several seeds takes part with its first, and a sweep not at all: the family stays small.
    """
    found = [comparison for record in records for comparison in _of_record(record)]
    adjusted = holm([comparison.p for comparison in found])
    return tuple(
        _judged(replace(entry, p=p, p_alone=entry.p)) for entry, p in zip(found, adjusted, strict=True)
    )


def _of_record(record: RunRecord) -> list[Comparison]:
    leading = set(record.leading) - {"null"}
    cells = [
        cell
        for cell in record.cells
        if cell.scenario == "offline"
        and cell.status == "ok"
        and cell.pipeline in leading
        and accuracy_rows(cell)
    ]
    cells.sort(key=_place)
    pairs = [pair for _, group in groupby(cells, key=_place) for pair in combinations(group, 2)]
    return [compare(record, a, b) for a, b in pairs]


def _place(cell: Cell) -> tuple[str, str, str]:
    return cell.corpus, cell.split, cell.condition


def compare(record: RunRecord, a: Cell, b: Cell) -> Comparison:
    """Two cells of one run, the p-value not yet adjusted; over different utterances ``not comparable``."""
    rows_a, rows_b = ({row.utterance: row for row in accuracy_rows(cell)} for cell in (a, b))
    names = (*_place(a), "wer" if record.spaced(a.corpus) else "cer", a.pipeline, b.pipeline)
    nan = math.nan
    if rows_a.keys() != rows_b.keys():
        return Comparison(record.run, *names, nan, nan, nan, nan, "not comparable", nan, "other utterances")
    pairs = [(rows_a[key], rows_b[key]) for key in rows_a]
    errors = [np.array([row.errors for row in side], dtype=float) for side in zip(*pairs, strict=True)]
    words = np.array([row.reference_words for row, _ in pairs], dtype=float)
    speakers = [row.speaker for row, _ in pairs]
    found = paired_bootstrap(
        errors[0], errors[1], words, speakers, seed=int(record.seeds.get("experiment", 1))
    )
    tested = mapsswe([segment for left, right in pairs for segment in _segments(left, right)])
    smallest = tested.smallest_detectable(float(words.sum()))
    spread = (found.value, found.low, found.high, tested.p)
    return Comparison(record.run, *names, *spread, "inconclusive", smallest, TEST)


def _judged(entry: Comparison) -> Comparison:
    if entry.verdict == "not comparable" or math.isnan(entry.p):
        return entry
    if entry.p >= LEVEL:
        return replace(entry, verdict="tie")
    return replace(entry, verdict="a" if entry.difference < 0 else "b")


def _segments(a: UtteranceRow, b: UtteranceRow) -> list[tuple[int, int]]:
    if a.hypothesis == b.hypothesis == a.reference:
        return []
    return segments(align(a.reference, a.hypothesis), align(b.reference, b.hypothesis))
