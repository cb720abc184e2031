"""The figures of a cell, computed from its raw rows whenever it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from statistics import median
from typing import Any, TypeAlias

import numpy as np

from bench.cost import cost_per_audio_hour
from bench.latency import percentile as nearest_rank
from bench.stages import seconds_of
from bench.stats import bootstrap_by_speaker, quantile_interval
from results.records import KNOWS_WHO_SPEAKS, Cell, RunRecord, UtteranceRow, knows_who_speaks
from results.values import Value, ValueStatus

GROUP = "asrbench.metrics"
PERCENTILES = (50, 90, 95, 99)
SHORTEST_METERED = 1.0  # seconds; NVML's counter moves some ten times a second


@dataclass(frozen=True)
class Figure:
    """One metric of one cell, before it is told where it belongs."""

    metric: str
    value: float | None
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    status: ValueStatus = "ok"
    note: str = ""


Metric: TypeAlias = Callable[[RunRecord, Cell], Iterator[Figure]]


def values_of_cell(record: RunRecord, cell: Cell) -> Iterator[Value]:
    """All values of a cell; one of a cell without figures says why."""
    place = (record.run, cell.pipeline, cell.corpus, cell.split, cell.condition, cell.scenario)
    for figure in _figures(record, cell):
        yield Value(
            *place,
            figure.metric,
            figure.value,
            figure.low,
            figure.high,
            figure.unit,
            figure.n,
            figure.status,
            figure.note,
        )


def _figures(record: RunRecord, cell: Cell) -> Iterator[Figure]:
    if cell.status in ("failed", "skipped"):
        status: ValueStatus = "not available" if cell.status == "skipped" else "not measured"
        yield replace(_absent(cell), status=status, note=cell.reason)
        return
    for metric in (*METRICS, *(point.load() for point in entry_points(group=GROUP))):
        yield from metric(record, cell)


def _absent(cell: Cell) -> Figure:
    """The figure that a cell would have given above all."""
    main = {"capacity": ("streams_per_core", "streams"), "offline": ("wer", "%"), "single": ("rtfx", "x")}
    name, unit = main.get(cell.scenario, ("finalisation_p99", "ms"))
    return Figure(name, None, unit, 0)


def accuracy_rows(cell: Cell) -> list[UtteranceRow]:
    """The rows that count for accuracy: the first repeat's, recognised, each utterance once."""
    rows = {row.utterance: row for row in reversed(cell.rows) if row.repeat == 0 and row.error is None}
    return [row for row in reversed(rows.values()) if row.reference_words]


def accuracy(record: RunRecord, cell: Cell) -> Iterator[Figure]:
    """WER and CER with speaker bootstrap, S, D, I, and what was left out; of load, the trials tell."""
    if cell.scenario == "capacity":
        return
    rows = accuracy_rows(cell)
    if rows:
        errors = [row.errors for row in rows]
        words = [row.reference_words for row in rows]
        characters = [row.reference_characters for row in rows]
        note = KNOWS_WHO_SPEAKS if knows_who_speaks(cell) else ""
        if record.spaced(cell.corpus):
            yield replace(_rate("wer", rows, errors, words, _seed(record)), note=note)
        wrong = [row.character_errors for row in rows]
        yield replace(_rate("cer", rows, wrong, characters, _seed(record)), note=note)
        for name in ("substitutions", "deletions", "insertions", "reference_words"):
            yield Figure(name, float(sum(getattr(row, name) for row in rows)), "words", len(rows))
    skipped = len({row.utterance for row in cell.rows if row.error is not None and row.repeat == 0})
    if skipped:
        yield Figure("skipped_utterances", float(skipped), "count", skipped + len(rows))


def _rate(
    name: str, rows: Sequence[UtteranceRow], errors: Sequence[int], words: Sequence[int], seed: int
) -> Figure:
    wrong, said = (np.array(side, dtype=float) for side in (errors, words))
    found = bootstrap_by_speaker(wrong, said, [row.speaker for row in rows], seed)
    return Figure(name, found.value, "%", sum(words), found.low, found.high)


def _seed(record: RunRecord) -> int:
    return int(record.seeds.get("experiment", 1))


def speed(record: RunRecord, cell: Cell) -> Iterator[Figure]:
    """RTFx, median of the repeats with least and greatest, and what an hour costs at that rate."""
    if cell.scenario not in ("offline", "single"):
        return
    rates = rtfx_repeats(cell)
    if rates:
        note = "" if len(rates) >= 5 else "fewer than 5 repeats"
        yield Figure("rtfx", median(rates), "x", len(rates), min(rates), max(rates), note=note)
        yield from _costs(record, cell, (max(rates), median(rates), min(rates)), len(rates))


def rtfx_repeats(cell: Cell) -> list[float]:
    """RTFx of the repeats over one and the same audio: the audio that most of them heard."""
    timed = [repeat for repeat in cell.repeats if repeat.processing_seconds > 0 and repeat.audio_seconds > 0]
    lengths = [round(repeat.audio_seconds, 3) for repeat in timed]
    usual = max(lengths, key=lengths.count, default=0.0)
    return [
        repeat.audio_seconds / repeat.processing_seconds
        for repeat, length in zip(timed, lengths, strict=True)
        if length == usual
    ]


def _costs(record: RunRecord, cell: Cell, rates: tuple[float, float, float], n: int) -> Iterator[Figure]:
    prices = record.prices
    hour = prices.get("gpu_hour" if _on_gpu(cell) else "core_hour")
    if not hour or min(rates) <= 0:
        return
    share = float(prices.get("utilisation", 1.0))
    ends = [cost_per_audio_hour(hour, rate, share) for rate in rates]
    what = "GPU" if _on_gpu(cell) else "core"
    note = f"{prices.get('card')}: {hour:g} a {what}-hour at {share:.0%} utilisation"
    unit = f"{prices.get('currency', '')}/h"
    yield Figure("cost_per_audio_hour", ends[1], unit, n, ends[0], ends[2], note=note)


def _on_gpu(cell: Cell) -> bool:
    return str(cell.facts.get("device", "cpu")).startswith(("cuda", "gpu"))


def streams(record: RunRecord, cell: Cell) -> Iterator[Figure]:
    """The largest number of streams that met the SLO; the interval ends at the smallest that did not."""
    if cell.scenario != "capacity":
        return
    name = "streams_per_gpu" if _on_gpu(cell) else "streams_per_core"
    found = cell.facts.get("streams")
    if cell.status == "invalid" or found is None:
        yield Figure(name, None, "streams", len(cell.trials), status="invalid", note=cell.reason)
        return
    count, fails = float(found), cell.facts.get("streams_failed")
    high = None if fails is None else float(fails)
    note = cell.reason or ("" if fails is not None else "no larger number was seen to fail")
    yield Figure(name, count, "streams", len(cell.trials), count, high, note=note)
    yield from _costs(record, cell, (high or count, count, count), len(cell.trials))


def latency(record: RunRecord, cell: Cell) -> Iterator[Figure]:
    """Percentiles over utterances, from scheduled times; in capacity of the last trial that met the SLO."""
    if cell.scenario not in ("stream", "server", "capacity"):
        return
    rows = [row for row in cell.rows if row.error is None]
    finals = [
        (row.finished - row.scheduled_end) * 1000
        for row in rows
        if row.finished is not None and row.scheduled_end is not None
    ]
    yield from _percentiles("finalisation", finals, cell)
    heard = [
        (row, (row.first_partial - row.scheduled_start) * 1000)
        for row in rows
        if row.first_partial is not None and row.scheduled_start is not None
    ]
    aligned = [ms - row.first_word_end * 1000 for row, ms in heard if row.first_word_end is not None]
    if aligned:
        source = f"word times: {cell.facts['word_times']}" if "word_times" in cell.facts else ""
        yield from _percentiles("first_partial", aligned, cell, source)
    elif heard:
        for percent in PERCENTILES:
            why = str(cell.facts.get("word_times", "no alignment says where the first word ends"))
            yield Figure(f"first_partial_p{percent}", None, "ms", 0, status="not available", note=why)
        yield from _percentiles("first_partial_from_start", [ms for _, ms in heard], cell)


def _percentiles(name: str, latencies: Sequence[float], cell: Cell, note: str = "") -> Iterator[Figure]:
    """The smallest latency that is not exceeded by that share of all (no interpolation)."""
    if not latencies:
        return
    status: ValueStatus = "invalid" if cell.status == "invalid" else "ok"
    for percent in PERCENTILES:
        value = nearest_rank(latencies, percent)
        low, high = quantile_interval(latencies, percent)
        if status == "ok":
            figure = Figure(f"{name}_p{percent}", value, "ms", len(latencies), low, high)
        else:
            figure = Figure(f"{name}_p{percent}", None, "ms", len(latencies), status=status)
        yield replace(figure, note=cell.reason or note)


def footprint(record: RunRecord, cell: Cell) -> Iterator[Figure]:
    """Memory, model size, training time, the generator's own lag."""
    peaks = [repeat.peak_memory_bytes for repeat in cell.repeats]
    if peaks:
        yield Figure("peak_memory", float(max(peaks)), "B", len(peaks))
    if cell.scenario in ("stream", "server", "capacity"):
        yield from _fact("send_lag_p99", cell.facts, "send_lag_p99_ms", "ms")
    yield from _fact("device_memory", cell.facts, "device_memory_bytes", "B")
    yield from _energy(cell)
    yield from _fact("model_bytes", cell.facts, "model_bytes", "B")
    yield from _training(cell)


def _energy(cell: Cell) -> Iterator[Figure]:
    """Gross joules of the GPU for an hour of audio, in the last pass; none of what ran on a CPU."""
    if not _on_gpu(cell) or cell.scenario not in ("offline", "single") or not cell.repeats:
        return
    joules, last = cell.facts.get("energy_joules"), cell.repeats[-1]
    why = ""
    if not isinstance(joules, int | float):
        why = "no counter: NVML, or the package nvidia-ml-py, is missing"
    elif last.processing_seconds < SHORTEST_METERED:
        why = f"the pass took {last.processing_seconds:.2g} s, too short for the counter"
    if why:
        yield Figure("energy_per_audio_hour", None, "J/h", 0, status="not available", note=why)
    else:
        value = float(joules or 0.0) * 3600 / last.audio_seconds
        yield Figure("energy_per_audio_hour", value, "J/h", 1, note="gross, idle not subtracted")


def _training(cell: Cell) -> Iterator[Figure]:
    """Seconds up to the stage that the recogniser says it uses (`bench.stages.seconds_of`), else all."""
    stage = cell.facts.get("training_stage")
    if stage is None or not cell.training:
        yield from _fact("training_seconds", cell.training, "seconds", "s")
        return
    seconds, note = seconds_of(cell.training, str(stage)), f"stage {stage}"
    if seconds is None:
        note = f"stage {stage} was not timed"
        yield Figure("training_seconds", None, "s", 0, status="not available", note=note)
    else:
        yield Figure("training_seconds", seconds, "s", 1, note=note)


def _fact(metric: str, facts: Mapping[str, Any], name: str, unit: str) -> Iterator[Figure]:
    if isinstance(value := facts.get(name), int | float):
        yield Figure(metric, float(value), unit, 1)


METRICS: tuple[Metric, ...] = (accuracy, speed, streams, latency, footprint)
