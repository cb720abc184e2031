"""The search with trials of known outcome, and the figures and verdicts from known stamps."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capacity import taken_by_others
from bench.latency import backlog_growth, finals, judge, percentile, send_lags, thinned, waiting
from bench.options import Slo
from bench.search import Limits, search_capacity
from results.records import Trial


def recorder(outcome):
    calls = []

    def probe(streams, attempt):
        calls.append((streams, attempt))
        return outcome(streams, attempt)

    return probe, calls


@given(st.integers(1, 1500), st.integers(1, 2500))
def test_a_sharp_edge_is_found_within_a_step(edge, guess):
    probe, calls = recorder(lambda streams, _: "meets" if streams <= edge else "fails")
    found = search_capacity(probe, guess, Limits(max_trials=60))
    assert found.streams <= edge < found.fails
    assert found.fails - found.streams <= max(1, int(found.streams * 0.05))
    assert found.confirmed == 3 and not found.reason
    assert calls.count((found.fails, 0)) == 1  # the failure at the next step was shown, not guessed
    assert sum(streams == found.streams for streams, _ in calls) == 4


def test_few_trials_are_needed_from_a_good_guess():
    for edge in (3, 20, 77, 310):
        probe, calls = recorder(lambda streams, _, edge=edge: "meets" if streams <= edge else "fails")
        search_capacity(probe, round(edge * 0.9), Limits())
        assert len(calls) <= 10


def test_each_attempt_at_a_number_is_counted_so_that_it_gets_its_own_seed():
    probe, calls = recorder(lambda streams, _: "meets" if streams <= 7 else "fails")
    search_capacity(probe, 7, Limits())
    assert [attempt for streams, attempt in calls if streams == 7] == [0, 1, 2, 3]


def test_a_number_that_fails_once_in_its_confirmation_is_not_reported():
    def flaky(streams, attempt):
        return "meets" if streams <= 8 or (streams <= 10 and attempt < 2) else "fails"

    probe, _ = recorder(flaky)
    found = search_capacity(probe, 10, Limits(max_trials=60))
    assert found.streams == 8 and found.fails == 9 and found.confirmed == 3


def test_below_a_number_that_failed_its_confirmation_no_trial_goes_into_bisection():
    def flaky(streams, attempt):
        return "meets" if streams <= 88 or (streams <= 95 and attempt == 0) else "fails"

    probe, calls = recorder(flaky)
    found = search_capacity(probe, 94, Limits(relative_step=0.15, confirmations=2, max_trials=8))
    assert (found.streams, found.fails, found.confirmed, found.reason) == (82, 94, 2, "")
    assert [streams for streams, _ in calls] == [94, 118, 106, 94, 82, 82, 82]


def test_one_lucky_trial_does_not_end_the_search():
    def lucky(streams, attempt):
        return "meets" if streams <= 5 or (streams == 10 and not attempt) else "fails"

    found = search_capacity(lucky, 10, Limits(max_trials=60))
    assert (found.streams, found.fails, found.confirmed, found.reason) == (5, 6, 3, "")
    cut = search_capacity(lucky, 10, Limits(max_trials=6))
    assert cut.streams is None and cut.reason == "stopped after 6 trials"


def test_not_even_one_stream():
    found = search_capacity(lambda *_: "fails", 50, Limits())
    assert found.streams is None and found.fails == 1
    assert found.reason == "one stream does not meet the service level"


def test_one_stream_and_not_two():
    found = search_capacity(lambda n, _: "meets" if n == 1 else "fails", 1, Limits())
    assert (found.streams, found.fails) == (1, 2)


def test_the_trials_are_bounded_and_the_reason_says_so():
    probe, calls = recorder(lambda streams, _: "meets" if streams <= 400 else "fails")
    found = search_capacity(probe, 1, Limits(max_trials=6))
    assert len(calls) == 6
    assert "6 trials" in found.reason and "not confirmed" in found.reason


def test_no_more_streams_than_asked_for_is_a_lower_bound():
    found = search_capacity(lambda *_: "meets", 5000, Limits(max_streams=300))
    assert found.streams == 300 and found.fails is None and found.confirmed == 3
    assert "lower bound" in found.reason


def test_a_generator_that_is_too_late_gives_a_lower_bound_and_says_so():
    found = search_capacity(lambda n, _: "meets" if n <= 100 else "invalid", 100, Limits(max_trials=60))
    assert found.streams == 100 and "generator" in found.reason
    nothing = search_capacity(lambda *_: "invalid", 4, Limits())
    assert nothing.streams is None and nothing.reason.startswith("invalid")


@pytest.mark.parametrize("what", ["invalid", "disturbed"])
def test_a_trial_that_says_nothing_is_tried_again_but_not_for_ever(what):
    def twice(streams, attempt):
        return what if streams == 10 and attempt < 2 else "meets" if streams <= 10 else "fails"

    assert search_capacity(twice, 10, Limits(max_trials=60)).streams == 10
    probe, calls = recorder(lambda streams, _: what if streams >= 10 else "meets")
    found = search_capacity(probe, 10, Limits(max_trials=60))
    assert (found.streams, found.fails) == (9, 10) and "lower bound" in found.reason
    assert search_capacity(lambda *_: what, 1, Limits()).reason.startswith("invalid: with one stream")
    assert sum(streams == 10 for streams, _ in calls) == 3


def test_work_that_got_less_processor_time_than_it_took_was_disturbed():
    assert taken_by_others(10.0, 6.0, "cpu") == pytest.approx(0.4)
    assert taken_by_others(10.0, 10.5, "cpu") == 0
    assert taken_by_others(10.0, 6.0, "cuda:0") == 0  # it waits for the device
    assert taken_by_others(0.001, 0.0, "cpu") == 0


@given(st.integers(1, 200), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_whatever_the_trials_say_the_search_ends_and_is_consistent(guess, seed, trials):
    rng = np.random.default_rng(seed)
    probe, calls = recorder(lambda *_: ["meets", "fails", "invalid", "disturbed"][rng.integers(4)])
    found = search_capacity(probe, guess, Limits(max_trials=trials, max_streams=200))
    assert len(calls) <= trials
    if found.streams is None:
        assert found.reason
    elif found.fails is not None:
        assert found.streams < found.fails


TRIAL = Trial(
    streams=10,
    attempt=0,
    seconds=20.0,
    completed=60,
    dropped=0,
    latencies=tuple(np.linspace(0.01, 0.3, 100)),
    send_lags=(0.001,) * 100,
    backlog_growth=0.0,
    word_errors=10,
    word_errors_alone=10,
    reference_words=1000,
    verdict="meets",
)


@pytest.mark.parametrize(
    ("change", "gave_up", "verdict", "words"),
    [
        ({}, None, "meets", ""),
        ({"latencies": (0.1,) * 50 + (0.51,) * 50}, None, "fails", "finalisation p99 510 ms"),
        ({"dropped": 1}, None, "fails", "1 utterances got no final"),
        ({"backlog_growth": 0.21}, None, "fails", "backlog"),
        ({"backlog_growth": 0.19}, None, "meets", ""),
        ({"word_errors": 12}, None, "fails", "WER 0.20 %"),
        ({"word_errors": 11}, None, "meets", ""),
        ({"word_errors": 0}, None, "meets", ""),
        ({"send_lags": (0.03,) * 100}, None, "invalid", "send lag p99 30.0 ms"),
        ({"send_lags": (0.03,) * 100, "dropped": 9}, 4.0, "invalid", "generator"),
        ({"latencies": (), "completed": 0}, 4.25, "fails", "ended after 4.2 s"),
        ({"latencies": (), "completed": 0}, None, "fails", "no utterance ended"),
    ],
)
def test_verdicts(change, gave_up, verdict, words):
    judged = judge(replace(TRIAL, **change), Slo(), gave_up)
    assert judged.verdict == verdict
    assert words in judged.reason


def test_latency_counts_from_the_schedule_and_an_unanswered_one_counts_until_the_end():
    met = finals(due=[1.0, 2.0, 3.0, 9.0], finished=[1.25, None, 3.5, None], end=5.0)
    assert met.latencies == (0.25, 3.0, 0.5)  # what was due after the end does not count
    assert met.dropped == 1


def test_a_stall_cannot_hide():
    """Coordinated omission: after a stall of 2 s, all that fell due meanwhile has waited, not just one."""
    due = np.arange(0, 10, 0.1)
    finished = [d + 0.01 if not 4 <= d < 6 else 6.01 for d in due]
    met = finals(due.tolist(), finished, 10)
    assert percentile(met.latencies, 99) == pytest.approx(2.01, abs=0.11)
    assert percentile(met.latencies, 90) > 0.9


def test_send_lags_leave_out_what_was_never_handed_over():
    lags = send_lags(np.array([1.0, 2.0, 3.0]), np.array([1.001, 2.5, np.nan]))
    assert lags == pytest.approx([0.001, 0.5])


@given(st.lists(st.floats(0, 10), min_size=1, max_size=300), st.integers(2, 50))
def test_thinning_keeps_both_ends_and_the_order_of_magnitude(values, keep):
    kept = thinned(np.array(values), keep)
    assert len(kept) == min(keep, len(values))
    assert kept[0] == min(values) and kept[-1] == max(values)
    assert set(kept) <= set(values)


chunks = st.lists(
    st.tuples(st.floats(0, 10), st.one_of(st.none(), st.floats(0, 5)), st.floats(0.01, 0.5)),
    min_size=1,
    max_size=30,
)


@given(chunks, st.lists(st.floats(0, 16), min_size=1, max_size=10))
def test_waiting_audio_is_what_is_due_and_not_done(chunks, moments):
    due = np.array([d for d, _, _ in chunks])
    done = np.array([math.nan if wait is None else d + wait for d, wait, _ in chunks])
    seconds = np.array([s for _, _, s in chunks])
    counted = [
        sum(s for d, f, s in zip(due, done, seconds, strict=True) if d <= t and not f <= t) for t in moments
    ]
    assert waiting(due, done, seconds, np.array(moments)) == pytest.approx(counted, abs=1e-9)


def test_a_recogniser_that_is_ten_percent_too_slow_grows_a_backlog_of_a_tenth():
    due = np.arange(0, 20, 0.01)  # ten streams of 100 ms
    seconds = np.full(len(due), 0.1)
    steady = backlog_growth(due, due + 0.05, seconds, 0, 20)
    slow = backlog_growth(due, due * 1.1, seconds, 0, 20)
    assert steady == pytest.approx(0, abs=0.02)
    assert slow == pytest.approx(10 * (1 - 1 / 1.1), rel=0.05)


def test_percentiles_are_values_that_were_met():
    assert percentile([1.0, 2.0, 3.0], 99) == 3.0
    assert percentile(list(range(1, 101)), 99) == 99
    assert math.isnan(percentile([], 50))
