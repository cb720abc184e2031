"""How many concurrent paced streams one recogniser serves within the service level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench import plan
from bench.board import Board
from bench.latency import backlog_growth, finals, judge, send_lags, thinned
from bench.options import CapacityResult, CountErrors, Item, Options, Target
from bench.passes import Facts, common_facts, lag_facts, played_rows, warm_up_streaming
from bench.plan import Plan
from bench.recogniser import Recogniser
from bench.search import Limits, Verdict, search_capacity
from data.types import Seconds
from pipelines.protocol import Progress
from results.records import Trial, UtteranceRow

GUESS_SHARE = 0.8  # of the streams that the work of one suggests
DISTURBED = 0.1  # share of the work: a trial that failed while others took more is tried again
LONGEST_TAIL: Seconds = 2.0  # of load after the measured part


def capacity_run(
    target: Target, items: Sequence[Item], options: Options, count_errors: CountErrors, progress: Progress
) -> CapacityResult:
    """The largest number of concurrent paced streams that meets the service level, with the whole curve.

    Raises `NotAskedForError` for a recogniser that does not stream.
    """
    with Recogniser(target, [item.audio for item in items], options) as recogniser:
        recogniser.require_streaming()
        warm = warm_up_streaming(recogniser, options)
        guess = options.first_guess or max(1, int(GUESS_SHARE / warm.share))
        trials = Trials(recogniser, items, options, count_errors, progress)
        trials.remember_alone(warm.texts)
        limits = Limits(options.relative_step, options.confirmations, options.max_trials, options.max_streams)
        found = search_capacity(trials.probe, guess, limits)
    facts = {**trials.facts, "one_stream_share": warm.share, "chunk_ms": options.chunk_ms}
    return CapacityResult(
        tuple(trials.done), trials.rows, facts, found.streams, found.reason, (found.streams or 0, found.fails)
    )


def taken_by_others(work: Seconds, processor: Seconds, device: str) -> float:
    """The share of the recogniser's working time in which its core did something else; 0 where unknown.

    `work` is by the clock, `processor` what the process was given; an accelerator is waited for, so no.
    """
    if device != "cpu" or work < 0.5:
        return 0.0
    return max(0.0, 1 - processor / work)


@dataclass
class Trials:
    """Runs trials and remembers them; what an utterance gives without load is computed once, when needed."""

    recogniser: Recogniser
    items: Sequence[Item]
    options: Options
    count_errors: CountErrors
    progress: Progress
    done: list[Trial] = field(default_factory=list)
    rows: tuple[UtteranceRow, ...] = ()
    facts: Facts = field(default_factory=dict)
    _alone: dict[int, int] = field(default_factory=dict)  # word errors of an item without load

    def probe(self, streams: int, attempt: int) -> Verdict:
        schedule = self._schedule(streams, attempt)
        answer, board = self.recogniser.play(schedule, lambda seconds: self._tell(streams, seconds, schedule))
        trial, rows = self._weighed(schedule, streams, attempt, answer, board)
        taken = taken_by_others(
            answer["work"], answer["cpu_seconds"], str(answer["facts"].get("device", "cpu"))
        )
        disturbed = trial.verdict == "fails" and taken > DISTURBED
        if disturbed:
            trial = replace(trial, reason=f"{trial.reason}; other programs took {taken:.0%} of the core")
        self.done.append(trial)
        if trial.verdict == "meets" or not self.rows:
            self.rows = tuple(rows)
            self.facts = common_facts(self.recogniser, self.options, answer)
            self.facts |= {"advance_batch": answer["group"], **lag_facts(board)}
        return "disturbed" if disturbed else trial.verdict

    def _schedule(self, streams: int, attempt: int) -> Plan:
        stretches = self.recogniser.pool.stretches
        seconds = max(self.options.trial_seconds, *(stretch.seconds for stretch in stretches))
        tail = min(self.options.slo.finalisation_p99_ms / 1000, LONGEST_TAIL)
        seed = self.options.seed * 1_000_003 + streams * 101 + attempt
        return plan.concurrent(
            stretches, streams, seconds=seconds, tail=tail, chunk_ms=self.options.chunk_ms, seed=seed
        )

    def _weighed(
        self, schedule: Plan, streams: int, attempt: int, answer: dict[str, Any], board: Board
    ) -> tuple[Trial, list[UtteranceRow]]:
        end = (answer["gave_up"] or np.inf) - board.origin
        measured = [index for index in schedule.measured if schedule.plays[index].end <= end]
        rows = played_rows(schedule, self.items, answer, board, measured)
        met = finals(
            [row.scheduled_end or 0.0 for row in rows], [row.finished for row in rows], min(end, 1e9)
        )
        finished = [index for index, row in zip(measured, rows, strict=True) if row.finished is not None]
        cut_short = answer["gave_up"] is not None  # its word errors would decide nothing
        errors, alone, words = (0, 0, 0) if cut_short else self._errors(schedule, finished, answer)
        first, last = schedule.window
        trial = Trial(
            streams=streams,
            attempt=attempt,
            seconds=min(last, end),
            completed=len(finished),
            dropped=met.dropped,
            latencies=met.latencies,
            send_lags=thinned(send_lags(board.chunks["due"] + board.origin, board.handed_at)),
            backlog_growth=self._growth(board, schedule, first, min(last, end)),
            word_errors=errors,
            word_errors_alone=alone,
            reference_words=words,
            verdict="meets",
            busy=answer["work"] / max(min(schedule.seconds, end), 1e-9),
        )
        verdict = judge(trial, self.options.slo, float(end) if cut_short else None)
        return replace(trial, verdict=verdict.verdict, reason=verdict.reason), rows

    def _growth(self, board: Board, schedule: Plan, first: Seconds, last: Seconds) -> float:
        rates = np.array([stretch.sample_rate for stretch in self.recogniser.pool.stretches])
        items = np.array([play.item for play in schedule.plays])
        chunks = board.chunks
        seconds = chunks["samples"] / rates[items[chunks["play"]]]  # (n,)
        return backlog_growth(chunks["due"] + 0.0, board.done_at - board.origin, seconds, first, last)

    def _errors(
        self, schedule: Plan, finished: Sequence[int], answer: dict[str, Any]
    ) -> tuple[int, int, int]:
        played = [schedule.plays[index].item for index in finished]
        self._hear_alone(sorted(set(played) - set(self._alone)))
        errors = words = 0
        for index, item in zip(finished, played, strict=True):
            wrong, reference = self.count_errors(self.items[item].utterance, answer["outcomes"][index][3])
            errors, words = errors + wrong, words + reference
        return errors, sum(self._alone[item] for item in played), words

    def _hear_alone(self, items: Sequence[int]) -> None:
        message = {"items": list(items), "chunk_ms": self.options.chunk_ms}
        texts = [text for text, _ in self.recogniser.call("alone", message)["results"]]
        self.remember_alone(dict(zip(items, texts, strict=True)))

    def remember_alone(self, texts: Mapping[int, str]) -> None:
        """Keeps the word errors of what was heard without load, by item."""
        for item, text in texts.items():
            self._alone[item] = self.count_errors(self.items[item].utterance, text)[0]

    def _tell(self, streams: int, seconds: Seconds, schedule: Plan) -> None:
        """Progress in trials: how many there will be is not known, so the allowance is the total."""
        done = len(self.done) + min(1.0, seconds / max(schedule.seconds, 1e-9))
        self.progress(done, self.options.max_trials, f"{self.recogniser.target.name}, {streams} streams")
