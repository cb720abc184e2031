"""The scenarios but `capacity`: offline, single, stream, server. Rows count their times from the begin."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import clock, plan
from bench.board import Board
from bench.latency import percentile, send_lags
from bench.options import Item, Options, Pass, Target
from bench.plan import Plan
from bench.recogniser import Recogniser
from data.types import Seconds
from pipelines.protocol import Progress
from results.records import RepeatRow, UtteranceRow

Facts = dict[str, float | str]


def offline_pass(
    target: Target, items: Sequence[Item], options: Options, repeat: int, progress: Progress
) -> Pass:
    """All audio at hand, in batches of similar length, in a fresh process. Rows come in the items' order.

    A recogniser that asks for speaker labels gets them, and all of a speaker in one batch.
    `processing_seconds` of a row is its share, by length, of its batch's. The timing holds `transcribe` and
    the device's barrier, not the reading of audio.
    """
    with Recogniser(target, [item.audio for item in items], options) as recogniser:
        labels = speaker_labels(items, options.seed) if recogniser.loaded["speaker_labels"] else None
        batches = offline_batches(items, options.batch, labels)
        return _transcribed(recogniser, items, batches, repeat=repeat, progress=progress, labels=labels)


def single_pass(
    target: Target, items: Sequence[Item], options: Options, repeat: int, progress: Progress
) -> Pass:
    """One utterance after another, batch 1, in a fresh process."""
    batches = [[i] for i in range(len(items))]
    with Recogniser(target, [item.audio for item in items], options) as recogniser:
        return _transcribed(recogniser, items, batches, repeat=repeat, progress=progress)


def speaker_labels(items: Sequence[Item], seed: int) -> list[str | None]:
    """``speaker-3`` for each item, numbered in a seeded order: nothing of the corpus's own names is left."""
    known = sorted({item.speaker for item in items if item.speaker is not None})
    random.Random(seed).shuffle(known)
    number = {speaker: f"speaker-{n}" for n, speaker in enumerate(known, 1)}
    return [None if item.speaker is None else number[item.speaker] for item in items]


def offline_batches(
    items: Sequence[Item], size: int, labels: Sequence[str | None] | None = None
) -> list[list[int]]:
    """Indices of items, the longest first, `size` at a time; with labels a speaker's are one batch."""
    longest_first = sorted(range(len(items)), key=lambda i: -items[i].audio.seconds)
    by_speaker: dict[str | None, list[int]] = {}
    for i in longest_first:
        by_speaker.setdefault(labels[i] if labels else None, []).append(i)
    nobodys = by_speaker.pop(None, [])
    return [*by_speaker.values(), *(nobodys[i : i + size] for i in range(0, len(nobodys), size))]


def _transcribed(
    recogniser: Recogniser,
    items: Sequence[Item],
    batches: Sequence[Sequence[int]],
    *,
    repeat: int,
    progress: Progress,
    labels: Sequence[str | None] | None = None,
) -> Pass:
    name, options = recogniser.target.name, recogniser.options
    warm_up = _warm_up(recogniser, batches, labels)
    origin = clock.now()
    answer = recogniser.call(
        "transcribe",
        {"batches": batches, "speakers": labels},
        lambda done: progress(done, len(batches), name),
    )
    facts = common_facts(recogniser, options, answer)
    if labels is not None:
        facts |= {"knows_who_speaks": "yes", "batch": "all of a speaker"}
    rows = [
        _transcribed_row(items[index], repeat, origin, values)
        for index, *values in sorted(answer["rows"], key=lambda row: int(row[0]))
    ]
    return Pass(tuple(rows), _repeat(recogniser, rows, repeat, warm_up, answer), facts)


def _warm_up(
    recogniser: Recogniser, batches: Sequence[Sequence[int]], labels: Sequence[str | None] | None
) -> Seconds:
    """Recognises a few utterances before anything is timed; the seconds that it took.

    An accelerator gets the whole first batch, the longest, which makes it reserve what it needs.
    """
    on_cpu = recogniser.loaded["facts"].get("device", "cpu") == "cpu"
    count = recogniser.options.warm_up
    some = batches[len(batches) // 2][:count] if on_cpu else batches[0]
    begun = clock.now()
    if count:
        recogniser.call("transcribe", {"batches": [some], "speakers": labels})
    return clock.now() - begun


def _transcribed_row(item: Item, repeat: int, origin: Seconds, values: Sequence[Any]) -> UtteranceRow:
    started, finished, seconds, text, error = values
    return UtteranceRow(
        utterance=item.utterance,
        speaker=item.speaker,
        audio_seconds=item.audio.seconds,
        repeat=repeat,
        raw_hypothesis=text,
        started=started - origin,
        finished=finished - origin,
        processing_seconds=seconds,
        first_word_end=item.first_word_end,
        error=error,
    )


def _repeat(
    recogniser: Recogniser,
    rows: Sequence[UtteranceRow],
    repeat: int,
    warm_up: Seconds,
    answer: dict[str, Any],
) -> RepeatRow:
    good = [row for row in rows if row.error is None]
    return RepeatRow(
        repeat=repeat,
        audio_seconds=sum(row.audio_seconds for row in good),
        processing_seconds=sum(row.processing_seconds or 0.0 for row in good),
        peak_memory_bytes=answer["peak_memory_bytes"],
        load_seconds=recogniser.loaded["load_seconds"],
        warm_up_seconds=warm_up,
    )


def stream_run(target: Target, items: Sequence[Item], options: Options, progress: Progress) -> Pass:
    """One paced stream, each item once, in order: latencies without load. It lasts as long as the audio."""
    with Recogniser(target, [item.audio for item in items], options) as recogniser:
        recogniser.require_streaming()
        warm_up = warm_up_streaming(recogniser, options)
        schedule = plan.in_turn(recogniser.pool.stretches, options.chunk_ms)
        return _played(recogniser, items, schedule, options, warm_up=warm_up.seconds, progress=progress)


def server_run(target: Target, items: Sequence[Item], options: Options, progress: Progress) -> Pass:
    """Each item once, as a paced stream started by a seeded Poisson process that waits for nobody.

    The rate is `arrivals_per_second`, or `server_load` of the rate at which the work of one stream at a time
    would fill the core.
    """
    with Recogniser(target, [item.audio for item in items], options) as recogniser:
        recogniser.require_streaming()
        warm_up = warm_up_streaming(recogniser, options)
        mean = float(np.mean([stretch.seconds for stretch in recogniser.pool.stretches]))
        rate = (
            options.arrivals_per_second
            or min(options.server_load / warm_up.share, options.max_streams) / mean
        )
        schedule = plan.poisson(recogniser.pool.stretches, rate, options.chunk_ms, options.seed)
        done = _played(recogniser, items, schedule, options, warm_up=warm_up.seconds, progress=progress)
        return Pass(done.rows, done.repeat, {**done.facts, "arrivals_per_second": rate})


@dataclass(frozen=True)
class WarmUp:
    """Seconds that it took; the share of one stream's time that the recogniser works; texts by item."""

    seconds: Seconds
    share: float
    texts: Mapping[int, str]


def warm_up_streaming(recogniser: Recogniser, options: Options, seconds: Seconds = 20.0) -> WarmUp:
    """Recognises about `seconds` of audio in chunks at full speed, after a few that do not count."""
    stretches = recogniser.pool.stretches
    enough = int(np.searchsorted(np.cumsum([s.seconds for s in stretches]), seconds)) + 1
    counted = list(range(min(enough, len(stretches))))
    begun = clock.now()
    message = {"chunk_ms": options.chunk_ms}
    if options.warm_up:
        recogniser.call("alone", {**message, "items": counted[: options.warm_up]})
    results = recogniser.call("alone", {**message, "items": counted})["results"]
    audio = sum(stretches[item].seconds for item in counted)
    share = sum(seconds for _, seconds in results) / max(audio, 1e-3)
    texts = dict(zip(counted, (text for text, _ in results), strict=True))
    return WarmUp(clock.now() - begun, max(share, 1e-6), texts)


def _played(
    recogniser: Recogniser,
    items: Sequence[Item],
    schedule: Plan,
    options: Options,
    *,
    warm_up: Seconds,
    progress: Progress,
) -> Pass:
    name = recogniser.target.name
    answer, board = recogniser.play(
        schedule, lambda done: progress(min(done, schedule.seconds), schedule.seconds, f"{name}, paced")
    )
    rows = played_rows(schedule, items, answer, board)
    facts = common_facts(recogniser, options, answer)
    facts |= {"chunk_ms": options.chunk_ms, "advance_batch": answer["group"], **lag_facts(board)}
    if answer["gave_up"] is not None:
        facts["gave_up"] = f"overloaded after {answer['gave_up'] - board.origin:.1f} s"
    rows.sort(key=lambda row: row.scheduled_start or 0.0)
    return Pass(tuple(rows), _repeat(recogniser, rows, 0, warm_up, answer), facts)


def played_rows(
    schedule: Plan,
    items: Sequence[Item],
    answer: dict[str, Any],
    board: Board,
    measured: Sequence[int] | None = None,
) -> list[UtteranceRow]:
    """A row for each play (or each of `measured`), its times from the schedule's origin."""
    wanted = range(len(schedule.plays)) if measured is None else measured
    return [_played_row(schedule, items, index, answer["outcomes"][index], board.origin) for index in wanted]


def _played_row(
    schedule: Plan, items: Sequence[Item], index: int, outcome: Sequence[Any], origin: Seconds
) -> UtteranceRow:
    play = schedule.plays[index]
    item = items[play.item]
    started, first_partial, finished = (None if time is None else time - origin for time in outcome[:3])
    return UtteranceRow(
        utterance=item.utterance,
        speaker=item.speaker,
        audio_seconds=item.audio.seconds,
        stream=play.stream,
        raw_hypothesis=outcome[3],
        scheduled_start=play.start,
        scheduled_end=play.end,
        started=started,
        first_partial=first_partial,
        finished=finished,
        processing_seconds=outcome[4],
        first_word_end=item.first_word_end,
        error=outcome[5] if finished is not None else "dropped: no final transcript",
    )


def lag_facts(board: Board) -> Facts:
    """What the load generator itself did, in ms."""
    lags = send_lags(board.chunks["due"] + board.origin, board.handed_at)
    if not len(lags):
        return {}
    p50, p99 = (percentile(lags.tolist(), percent) * 1000 for percent in (50, 99))
    return {"send_lag_p50_ms": p50, "send_lag_p99_ms": p99, "send_lag_max_ms": float(lags.max()) * 1000}


def common_facts(recogniser: Recogniser, options: Options, answer: dict[str, Any]) -> Facts:
    """The pipeline's own facts, and where and how it ran."""
    cores = recogniser.cores
    loaded = recogniser.loaded
    look_ahead = {} if loaded["look_ahead_ms"] is None else {"look_ahead_ms": loaded["look_ahead_ms"]}
    return {
        "streaming": "yes" if loaded["streaming"] else "no",
        **look_ahead,
        **loaded["facts"],
        **answer.get("facts", {}),
        "core": -1 if cores.recogniser is None else cores.recogniser,
        "load_core": -1 if cores.load is None else cores.load,
        "shared_core": cores.shared,
        "blas_threads": options.threads,
        "batch": options.batch,
        "cpu_seconds": answer["cpu_seconds"],
        "energy_joules": answer["energy_joules"],
        "clock_resolution_seconds": clock.resolution(),
    }
