"""A run for the report's tests: its machine, its settings, and cells of every status."""

from __future__ import annotations

from typing import Any

from report_values import HOSTILE

from results.records import Cell, RunRecord

MACHINE = {
    "cpu": "AMD EPYC 7763 64-Core Processor",
    "physical_cores": 2,
    "memory_bytes": 8_326_000_000,
    "governor": "performance",
    "gpu": None,
    "clock_resolution_ns": 1,
}


def record(run: str, experiment: str, corpus: str) -> RunRecord:
    return RunRecord(
        run=run,
        experiment=experiment,
        created="2026-11-21T01:42:07Z",
        config=_config(experiment, corpus),
        machine=MACHINE,
        versions={"python": "3.11.9", "numpy": "1.26.4", "torch": "2.13.0+cpu", "kaldi-decoder": "0.3.1"},
        code={"commit": "36c06f1a9b", "dirty": "no"},
        seeds={"bootstrap": 1, "training": 1, "load": 1},
        corpora={
            corpus: {
                "hash": "sha256:5d0c9f",
                "hours": 0.21,
                "speakers": 10,
                "utterances": 130,
                "licence": "CC0",
                "normaliser": "english-whisper 1",
            }
        },
        prices={"card": "prices-2026-11", "currency": "USD", "core_hour": 0.0424, "as_of": "2026-11-01"},
        cells=_cells(corpus),
    )


def _config(experiment: str, corpus: str) -> dict[str, Any]:
    return {
        "name": experiment,
        "seed": 1,
        "prices": "prices-2026-11",
        "corpus": [{"name": corpus, "split": "test", "conditions": ["clean", "noisy", "telephone"]}],
        "scenario": [
            {"kind": "offline", "repeats": 5},
            {"kind": "capacity", "slo": {"finalisation_p99_ms": 500}},
        ],
    }


def _cells(corpus: str) -> tuple[Cell, ...]:
    return (
        Cell(
            "hybrid-mono-trigram",
            corpus,
            "test",
            "clean",
            "capacity",
            chunk_ms=100.0,
            lm="trigram",
            facts={"device": "cpu", "cores": 1.0},
            training={"seconds": 402.0, "audio_hours": 1.5},
        ),
        Cell(
            "e2e-crnn-wfst",
            corpus,
            "test",
            "clean",
            "capacity",
            chunk_ms=100.0,
            lm="trigram",
            facts={"device": "cpu", "lookahead_ms": 320.0},
            training={"seconds": 1130.0, "audio_hours": 1.5},
        ),
        Cell(
            "hybrid-mono-unigram", corpus, "test", "noisy", "stream", "invalid", "send lag p99 31 ms > 20 ms"
        ),
        Cell(
            "peer-pocketsphinx",
            corpus,
            "test",
            "telephone",
            "offline",
            "skipped",
            "8 kHz audio, 16 kHz model",
        ),
        Cell("e2e-crnn-greedy", corpus, "test", "noisy", "server", "failed", f"worker ended: {HOSTILE}"),
    )
