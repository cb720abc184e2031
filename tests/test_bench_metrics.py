"""Values from records, by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from bench.metrics import values_of_cell
from bench.summary import summarise, values_of
from results.records import Cell, RepeatRow, RunRecord, Trial, UtteranceRow
from results.values import Value

PRICES = {"card": "p", "currency": "EUR", "core_hour": 0.06, "gpu_hour": 3.0, "utilisation": 0.5}


def record(*cells: Cell) -> RunRecord:
    return RunRecord("r", "e", "", {}, {}, {}, {}, {"experiment": 1}, {"c": {"unit": "word"}}, PRICES, cells)


def row(number: int, wrong: int = 0, words: int = 4, **more: Any) -> UtteranceRow:
    """An utterance of `words` words, of which the first `wrong` are misheard."""
    said = [f"w{i}" for i in range(words)]
    heard = ["x"] * wrong + said[wrong:]
    counts = {"substitutions": wrong, "reference_words": words, "character_errors": wrong}
    texts = {"reference": " ".join(said), "hypothesis": " ".join(heard), "reference_characters": 2 * words}
    return UtteranceRow(f"u{number}", f"s{number % 5}", 2.0, **{**counts, **texts, **more})


def cell(scenario: Any = "offline", pipeline: str = "a", **more: Any) -> Cell:
    return Cell(pipeline, "c", "test", "clean", scenario, **more)


def by_metric(made: Cell) -> dict[str, Value]:
    return {value.metric: value for value in values_of_cell(record(made), made)}


def test_error_rates_are_sums_and_count_the_first_repeat_alone() -> None:
    rows = [row(0, 2), row(1, 0, words=16), row(2, error="broken"), row(0, 4, repeat=1)]
    found = by_metric(cell(rows=tuple(rows)))
    assert found["wer"].value == pytest.approx(100 * 2 / 20)
    assert found["wer"].low == 0
    assert (found["wer"].n, found["substitutions"].value) == (20, 2)
    assert found["cer"].value == pytest.approx(100 * 2 / 40)
    assert (found["skipped_utterances"].value, found["skipped_utterances"].n) == (1, 3)


def test_speed_is_the_median_over_the_same_audio() -> None:
    whole = RepeatRow(0, 100.0, 1.0, 5)
    parts = [RepeatRow(i, 10.0, seconds, 7) for i, seconds in enumerate([1.0, 0.5, 2.0], 1)]
    found = by_metric(cell(repeats=(whole, *parts)))
    speed = found["rtfx"]
    assert (speed.value, speed.low, speed.high, speed.n) == (10, 5, 20, 3)
    assert found["peak_memory"].value == 7
    cost = found["cost_per_audio_hour"]
    assert (cost.value, cost.low, cost.high) == pytest.approx((0.012, 0.006, 0.024))
    assert cost.unit == "EUR/h"


def test_energy_and_memory_of_a_gpu() -> None:
    repeats = (RepeatRow(0, 7200.0, 9.0, 5), RepeatRow(1, 1800.0, 3.0, 5))
    facts = {"device": "cuda", "device_memory_bytes": 3e9, "energy_joules": 600.0}
    found = by_metric(cell(repeats=repeats, facts=facts))
    assert found["device_memory"].value == 3e9
    assert found["energy_per_audio_hour"].value == pytest.approx(1200)
    hasty = by_metric(cell(repeats=(RepeatRow(0, 7200.0, 0.2, 5),), facts=facts))["energy_per_audio_hour"]
    assert (hasty.value, hasty.status) == (None, "not available") and "too short" in hasty.note
    blind = by_metric(cell(repeats=repeats, facts={**facts, "energy_joules": "not available"}))
    assert blind["energy_per_audio_hour"].status == "not available"
    assert "energy_per_audio_hour" not in by_metric(cell(repeats=repeats, facts={**facts, "device": "cpu"}))


def test_streams_with_their_interval() -> None:
    facts = {"streams": 40.0, "streams_failed": 42.0, "device": "cpu"}
    found = by_metric(cell("capacity", facts=facts))
    streams = found["streams_per_core"]
    assert (streams.value, streams.low, streams.high) == (40, 40, 42)
    cost = found["cost_per_audio_hour"]
    assert (cost.value, cost.low, cost.high) == pytest.approx((0.06 / 20, 0.06 / 21, 0.06 / 20))
    assert "streams_per_gpu" in by_metric(cell("capacity", facts={**facts, "device": "cuda:0"}))


def test_an_invalid_cell_gives_no_number() -> None:
    rows = (row(0, scheduled_start=0.0, scheduled_end=2.0, finished=2.1),)
    found = by_metric(cell("stream", rows=rows, status="invalid", reason="send lag"))
    assert (found["finalisation_p99"].value, found["finalisation_p99"].status) == (None, "invalid")
    found = by_metric(cell("capacity", status="invalid", reason="not even one"))
    assert (found["streams_per_core"].value, found["streams_per_core"].note) == (None, "not even one")


def test_a_failed_cell_says_why() -> None:
    found = by_metric(cell(status="skipped", reason="not installed"))
    assert {name: value.status for name, value in found.items()} == {"wer": "not available"}
    assert found["wer"].note == "not installed"


def test_latencies_count_from_the_schedule() -> None:
    rows = tuple(
        row(
            i,
            scheduled_start=10.0,
            scheduled_end=12.0,
            finished=12.0 + i / 1000,
            first_partial=11.0,
            first_word_end=0.4,
        )
        for i in range(1, 101)
    )
    found = by_metric(cell("stream", rows=rows))
    assert [round(found[f"finalisation_p{p}"].value or 0) for p in (50, 90, 95, 99)] == [50, 90, 95, 99]
    assert found["first_partial_p50"].value == pytest.approx(600)
    unaligned = by_metric(cell("stream", rows=tuple(replace(r, first_word_end=None) for r in rows)))
    assert unaligned["first_partial_p50"].status == "not available"
    assert unaligned["first_partial_from_start_p50"].value == pytest.approx(1000)


def test_training_time_is_that_of_the_stage_a_recogniser_uses() -> None:
    training = {"seconds": 90.0, "stage_seconds": {"mono": 10.0, "tri": 30.0, "tdnn": 60.0, "lstm": 80.0}}

    def seconds(**facts: Any) -> tuple[float | None, str]:
        found = by_metric(cell(rows=(row(0),), training=training, facts=facts))["training_seconds"]
        return found.value, found.status

    assert seconds() == (90.0, "ok")
    assert seconds(training_stage="mono tri") == (30.0, "ok")
    assert seconds(training_stage="mono tri lstm") == (10 + 20 + 20, "ok")
    assert seconds(training_stage="sat") == (None, "not available")


def test_comparisons_worst_utterances_and_load() -> None:
    good = tuple(row(i, i % 7 == 0) for i in range(60))
    bad = tuple(row(i, 1 + i % 2) for i in range(60))
    trial = Trial(3, 0, 5.0, 2, 0, (0.1, 0.3), (0.001, 0.002), 0.0, 1, 1, 10, "meets")
    cells = [
        cell(pipeline=name, rows=rows) for name, rows in (("a", good), ("b", bad), ("c", good), ("null", bad))
    ]
    cells.append(cell(pipeline="d", rows=good[1:]))
    cells.append(cell("capacity", trials=(trial,)))
    summary = summarise([record(*cells)])
    verdicts = {(entry.a, entry.b): entry.verdict for entry in summary.comparisons}
    assert verdicts[("a", "b")] == "a"
    assert verdicts[("b", "c")] == "b"
    assert verdicts[("a", "c")] == "tie"
    assert verdicts[("a", "d")] == "not comparable"
    first = next(entry for entry in summary.comparisons if (entry.a, entry.b) == ("a", "b"))
    assert first.difference == pytest.approx(100 * (9 - 90) / 240)
    assert first.low < first.difference < first.high < 0
    worst = [entry for entry in summary.utterances if entry.pipeline == "b"]
    assert worst[0].errors == 2
    assert worst[0].pairs[0] == ("substitute", "w0", "x")
    assert [(point.streams, point.p50, point.p99) for point in summary.load_points] == [(3, 100.0, 300.0)]
    assert summary.values == values_of(summary.runs[0])


def test_seeds_of_one_entry_are_spread_and_compared_by_the_first() -> None:
    rows = {wrong: tuple(row(i, wrong * (i % 2)) for i in range(40)) for wrong in (0, 1, 2)}
    cells = [
        cell(pipeline=f"a-s{seed}", rows=rows[wrong], entry="a", seed=seed)
        for seed, wrong in ((1, 1), (2, 0), (3, 2))
    ]
    cells.append(cell(pipeline="a-s1@beam=8", rows=rows[2], entry="a", seed=1, sweep="beam=8"))
    cells.append(cell(pipeline="b", rows=rows[2], entry="b"))
    summary = summarise([record(*cells)])
    (spread,) = summary.spreads
    assert (spread.pipeline, spread.metric, spread.n) == ("a", "wer", 3)
    assert (spread.value, spread.low, spread.high) == pytest.approx((12.5, 0.0, 25.0))
    assert [(entry.a, entry.b) for entry in summary.comparisons] == [("a-s1", "b")]
    assert {entry.pipeline for entry in summary.utterances} == {"a-s1", "b"}


def test_the_harness_imports_no_torch() -> None:
    code = "import sys, bench.cli, bench.runner, bench.summary; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )
