"""Trainings with curves for the report's tests, as the end-to-end road leaves them in a record."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from report_record import record
from report_values import REAL

from pipelines.e2e.course import Course, Score
from results.records import Cell, RunRecord
from results.values import Summary

STEPS = 2030


def curve(
    seed: int = 1, *, scored: bool = True, timed: bool = True, ended: str = "patience"
) -> dict[str, Any]:
    """A loss that falls from 3 to 0.2 with some noise, the fewest errors before the end."""
    losses = [0.2 + 2.8 * math.exp(-i / (360 + 40 * seed)) + 0.05 * math.sin(i * seed) for i in range(STEPS)]
    seconds = [0.6 * (i + 1) for i in range(STEPS)] if timed else []
    errors = [0.08 + 0.9 * math.exp(-at / 4) + 0.002 * abs(at - 15) + 0.008 * seed for at in range(1, 21)]
    scores = [Score(100 * at, e, 60.0 * at if timed else None) for at, e in enumerate(errors, 1)]
    return {**Course(losses, seconds, scores if scored else []).curve(), "ended": ended}


def learned_record() -> RunRecord:
    """Three seeds that two decoders share, one with a sweep; a training without scores; one from outside."""
    cells = [*_seeded("e2e-conformer-greedy"), *_seeded("e2e-conformer-wfst")]
    first = cells[3]
    cells.append(replace(first, pipeline=f"{first.pipeline}@beam=8", sweep="beam=8"))
    cells.append(_cell("e2e-crnn-greedy", {"curve": curve(scored=False, timed=False, ended="epochs")}))
    cells.append(_cell("stranger", {"model_hash": "5e", "curve": curve(4, ended="a power cut")}))
    cells.append(_cell("hybrid-mono-trigram", {"seconds": 402.0}))
    return replace(record(REAL, "an4", "an4"), cells=tuple(cells))


def learned_summary() -> Summary:
    return Summary((learned_record(),), ())


def _seeded(entry: str) -> Iterator[Cell]:
    for seed in (1, 2, 3):
        training = {"seconds": 1290.0, "model_dir": f"e2e-an4-{seed}", "curve": curve(seed)}
        yield replace(_cell(f"{entry}-s{seed}", training), entry=entry, seed=seed)


def _cell(pipeline: str, training: dict[str, Any]) -> Cell:
    return Cell(pipeline, "an4", "test", "clean", "offline", training=training)
