"""Everything that a report shows, computed from stored runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.compare import comparisons_of
from bench.metrics import accuracy_rows, values_of_cell
from bench.score import align
from bench.spreads import spreads_of
from results.records import Cell, RunRecord, Trial
from results.values import AlignedUtterance, LoadPoint, Summary, Value

WORST = 10  # utterances shown of each cell


def values_of(record: RunRecord) -> tuple[Value, ...]:
    """Every value of a run, cell by cell."""
    return tuple(value for cell in record.cells for value in values_of_cell(record, cell))


def summarise(records: Sequence[RunRecord]) -> Summary:
    """The values, comparisons, worst utterances and load curves of one or several runs."""
    return Summary(
        runs=tuple(records),
        values=tuple(value for record in records for value in values_of(record)),
        comparisons=comparisons_of(records),
        utterances=tuple(entry for record in records for entry in _worst(record)),
        load_points=tuple(point for record in records for point in _load_points(record)),
        spreads=tuple(value for record in records for value in spreads_of(record)),
    )


def _worst(record: RunRecord) -> Iterator[AlignedUtterance]:
    """The utterances with the most errors, the shorter first among equals; of the leading recognisers."""
    leading = set(record.leading) - {"null"}
    for cell in record.cells:
        if cell.scenario != "offline" or cell.pipeline not in leading:
            continue
        rows = [(row.errors, row) for row in accuracy_rows(cell)]
        rows.sort(key=lambda entry: (-entry[0], entry[1].reference_words, entry[1].utterance))
        for errors, row in rows[:WORST]:
            if errors:
                place = (record.run, cell.pipeline, cell.corpus, cell.split, cell.condition)
                pairs = align(row.reference, row.hypothesis)
                yield AlignedUtterance(*place, row.utterance, row.speaker, errors, pairs)


def _load_points(record: RunRecord) -> Iterator[LoadPoint]:
    """One point for each trial that finished an utterance."""
    for cell in record.cells:
        for trial in sorted(cell.trials, key=lambda trial: (trial.streams, trial.attempt)):
            if trial.latencies:
                yield _load_point(record, cell, trial)


def _load_point(record: RunRecord, cell: Cell, trial: Trial) -> LoadPoint:
    levels = np.percentile(trial.latencies, [50, 90, 95, 99], method="inverted_cdf") * 1000
    lag = np.percentile(trial.send_lags, 99, method="inverted_cdf") * 1000 if trial.send_lags else 0.0
    p50, p90, p95, p99 = (float(level) for level in levels)
    return LoadPoint(
        run=record.run,
        pipeline=cell.pipeline,
        corpus=cell.corpus,
        condition=cell.condition,
        streams=trial.streams,
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        n=len(trial.latencies),
        send_lag_p99=float(lag),
        verdict=trial.verdict,
        reason=trial.reason,
    )
