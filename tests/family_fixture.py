"""A record of one road's generations: two language models, seeds, a sweep, and one that adapts."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.summary import summarise
from results.records import Cell, RepeatRow, RunRecord, UtteranceRow
from results.values import Summary

RUN = "20261121-1105-hybrid-1c2d"
RATES = {
    "mono": 10.9,
    "tri": 9.6,
    "mllt": 9.1,
    "si": 7.4,
    "sat": 5.0,
    "tdnn": 4.9,
    "cnn": 5.3,
    "lstm": 5.6,
    "tdnn-sat": 4.2,
}
STAGES = {"mono": 12.0, "tri": 40.0, "mllt": 62.0, "sat": 96.0, "tdnn": 300.0, "cnn": 420.0, "lstm": 700.0}
STAGES |= {"tdnn-sat": 880.0}


def family_record(generations: Sequence[str] = tuple(RATES), seeds: Sequence[int] = (1, 2, 3)) -> RunRecord:
    """A run over `generations` of the hybrid, with PocketSphinx and the null pipeline beside them."""
    cells = [_cell("null", 100.0), _cell("peer-pocketsphinx", 38.0)]
    for generation in generations:
        for lm, factor in (("corpus", 1.0), ("trigram", 0.55)):
            for seed in seeds:
                cells.append(_offline(generation, lm, seed, RATES[generation] * factor))
    base = next(cell for cell in cells if cell.entry.startswith("hybrid-si-corpus"))
    cells += [_swept(base, *setting) for setting in (("8", 9.4, 96.0), ("10", 7.9, 81.0), ("13", 7.4, 62.0))]
    streams = {"null": 900, "peer-pocketsphinx": 4, base.pipeline: 72, f"{base.pipeline}@beam=8": 101}
    streams |= {f"{base.pipeline}@beam=10": 88, f"{base.pipeline}@beam=13": 64}
    cells += [_capacity(cell, streams[cell.pipeline]) for cell in tuple(cells) if cell.pipeline in streams]
    return RunRecord(
        run=RUN,
        experiment="hybrid",
        created="2026-11-21T11:05:00Z",
        config={"name": "hybrid", "seed": 1},
        machine={"cpu": "AMD EPYC 7763 64-Core Processor"},
        versions={},
        code={"commit": "36c06f1a9b"},
        seeds={"experiment": 1},
        corpora={"an4": {"unit": "word", "hours": 0.21, "speakers": 10}},
        prices={"card": "p", "currency": "USD", "core_hour": 0.04, "utilisation": 0.7},
        cells=tuple(cells),
    )


def family_summary(generations: Sequence[str] = tuple(RATES), seeds: Sequence[int] = (1, 2, 3)) -> Summary:
    return summarise([family_record(generations, seeds)])


def _offline(generation: str, lm: str, seed: int, rate: float) -> Cell:
    entry = f"hybrid-{generation}-{lm}"
    adapts = generation in ("sat", "tdnn-sat")
    mixtures = ["mono", "tri", "mllt", "sat"]
    last = mixtures.index(generation) + 1 if generation in mixtures else len(mixtures)
    network = [generation] if generation not in (*mixtures, "si") else []
    stage = " ".join([*mixtures[:last], *network])
    facts: dict[str, Any] = {"device": "cpu", "model_bytes": 2.4e6, "training_stage": stage, "beam": 11.0}
    facts |= {"streaming": "no", "knows_who_speaks": "yes"} if adapts else {"streaming": "yes"}
    facts |= {} if adapts else {"look_ahead_ms": 55.0}
    training = {"seconds": 900.0, "stage_seconds": STAGES, "model_hash": f"hash{seed}"}
    made = _cell(f"{entry}-s{seed}", rate + 0.2 * (seed - 2), lm=lm, entry=entry, seed=seed)
    return replace(made, facts=facts, training=training)


def _swept(base: Cell, beam: str, rate: float, rtfx: float) -> Cell:
    name = f"{base.pipeline}@beam={beam}"
    made = _cell(name, rate, lm=base.lm, entry=base.entry, seed=base.seed, sweep=f"beam={beam}")
    repeats = tuple(RepeatRow(i, 300.0, 300.0 / rtfx, 10**8) for i in range(5))
    return replace(made, facts={**base.facts, "beam": float(beam)}, repeats=repeats)


def _capacity(cell: Cell, streams: int) -> Cell:
    facts = {**cell.facts, "streams": float(streams), "streams_failed": float(streams + 4)}
    return replace(cell, scenario="capacity", rows=(), repeats=(), facts=facts, chunk_ms=100.0)


def _cell(pipeline: str, rate: float, **more: Any) -> Cell:
    rng = np.random.default_rng(zlib.crc32(pipeline.encode()))
    repeats = tuple(RepeatRow(i, 300.0, 3.0 + 0.1 * i, 10**8) for i in range(5))
    rows = tuple(_rows(rng, rate))
    return Cell(pipeline, "an4", "test", "clean", "offline", rows=rows, repeats=repeats, **more)


def _rows(rng: np.random.Generator, rate: float) -> Iterator[UtteranceRow]:
    for number in range(130):
        said = [f"word{i}" for i in range(6)]
        wrong = rng.random(6) < rate / 100
        heard = ["other" if bad else word for word, bad in zip(said, wrong, strict=True)]
        errors = int(wrong.sum())
        yield UtteranceRow(
            f"u{number}",
            f"s{number % 10}",
            2.5,
            reference=" ".join(said),
            hypothesis=" ".join(heard),
            substitutions=errors,
            reference_words=6,
            character_errors=errors,
            reference_characters=35,
        )
