"""The scenarios through real processes: what is asserted holds however busy the machine is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from load_recognisers import CountingPipeline

from bench import plan
from bench.measure import (
    Item,
    MeasurementError,
    NotAskedForError,
    Options,
    Slo,
    Target,
    capacity_run,
    offline_pass,
    server_run,
    single_pass,
    stream_run,
)
from bench.recogniser import Recogniser
from data.errors import InputError
from data.types import Audio
from pipelines.registry import MissingPackage

ROOT = Path(__file__).parent.parent
PATIENT = Options(
    slo=Slo(finalisation_p99_ms=1e6, send_lag_p99_ms=1e6, backlog_growth=1e6), give_up_seconds=100.0
)


def quiet(done, total, note=""):
    pass


def items(count=6, loud=(), peak=2.0):
    rng = np.random.default_rng(7)
    made = []
    for index in range(count):
        samples = rng.uniform(-0.5, 0.5, int(rng.integers(3000, 12000))).astype(np.float32)
        if index in loud:
            samples[100] = peak
        made.append(Item(f"u{index}", f"s{index % 2}", Audio(samples, 16000), first_word_end=0.1))
    return made


def expected(utterances):
    return [t.text for t in CountingPipeline().transcribe([item.audio for item in utterances])]


COUNTING = Target("null", "load_recognisers:CountingPipeline")


@pytest.mark.parametrize("run", [offline_pass, single_pass])
def test_every_utterance_comes_back_in_order_with_what_was_heard(run):
    utterances = items()
    told = []
    result = run(
        COUNTING, utterances, Options(batch=4), 3, lambda done, total, note="": told.append((done, total))
    )
    assert [row.utterance for row in result.rows] == [item.utterance for item in utterances]
    assert [row.raw_hypothesis for row in result.rows] == expected(utterances)
    assert all(row.repeat == 3 and row.speaker in ("s0", "s1") for row in result.rows)
    assert all(0 <= row.started <= row.finished for row in result.rows)
    assert result.repeat.audio_seconds == pytest.approx(sum(item.audio.seconds for item in utterances))
    assert result.repeat.processing_seconds > 0 and result.repeat.peak_memory_bytes > 1e6
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("run", [stream_run, server_run])
def test_paced_streams_hear_all_audio_and_count_from_the_schedule(run):
    utterances = items()
    result = run(COUNTING, utterances, replace(PATIENT, arrivals_per_second=20.0), quiet)
    by_id = {row.utterance: row for row in result.rows}
    for item, text in zip(utterances, expected(utterances), strict=True):
        row = by_id[item.utterance]
        assert row.raw_hypothesis == text
        assert row.scheduled_end == pytest.approx(row.scheduled_start + item.audio.seconds)
        assert row.scheduled_start <= row.started <= row.first_partial <= row.finished
        assert row.finished >= row.scheduled_end  # nothing is final before its last sample was spoken
        assert row.first_word_end == 0.1
    assert result.facts["send_lag_p99_ms"] >= 0
    assert result.facts["chunk_ms"] == 100.0
    starts = [row.scheduled_start for row in result.rows]
    assert starts == sorted(starts)


def test_capacity_gives_trials_rows_and_the_errors_of_both():
    utterances = items(8)
    texts = dict(zip([item.utterance for item in utterances], expected(utterances), strict=True))
    options = replace(
        PATIENT,
        trial_seconds=1.0,
        max_streams=4,
        first_guess=3,
        confirmations=1,
        max_trials=4,
        advance_batch=3,
    )
    count = lambda utterance, text: (int(text != texts[utterance]), 1)  # noqa: E731
    result = capacity_run(COUNTING, utterances, options, count, quiet)
    assert result.streams == 4 and "lower bound" in result.reason
    assert [trial.streams for trial in result.trials] == [3, 4, 4]
    for trial in result.trials:
        assert trial.verdict == "meets" and trial.dropped == 0
        assert trial.completed == len(trial.latencies) == trial.reference_words
        assert trial.word_errors == trial.word_errors_alone == 0
        assert len(trial.send_lags) > 0 and trial.busy > 0
    assert len(result.rows) == result.trials[-1].completed
    assert len({row.stream for row in result.rows}) == 4


def test_an_overloaded_recogniser_is_found_out_early():
    """40 ms of processor time for each 10 ms of audio: no machine serves that, and a trial is cut short."""
    target = Target("busy", "load_recognisers:BusyPipeline", decode={"milliseconds": 40})
    utterances = items(1)
    options = Options(
        chunk_ms=10,
        trial_seconds=60.0,
        first_guess=2,
        give_up_seconds=0.5,
        warm_up=0,
        slo=Slo(send_lag_p99_ms=1e6),
    )
    result = capacity_run(target, utterances, options, lambda *_: (0, 1), quiet)
    assert result.streams is None
    assert "one stream" in result.reason
    assert {trial.streams for trial in result.trials} == {2, 1}
    assert all("ended after" in trial.reason and trial.seconds < 60 for trial in result.trials)


def test_capacity_lies_below_what_the_cost_of_a_chunk_allows():
    """20 ms of processor time per chunk of 100 ms: never more than five streams."""
    target = Target("busy", "load_recognisers:BusyPipeline", decode={"milliseconds": 20})
    options = Options(
        trial_seconds=2.0,
        first_guess=7,
        max_trials=6,
        confirmations=0,
        give_up_seconds=0.7,
        warm_up=0,
        slo=Slo(send_lag_p99_ms=1e6),
    )
    result = capacity_run(target, items(8), options, lambda *_: (0, 1), quiet)
    assert result.trials[0].verdict == "fails"
    assert (result.streams or 0) <= 5


def test_utterances_that_are_refused_are_rows_with_a_reason_and_the_others_are_heard():
    target = Target("fragile", "load_recognisers:FragilePipeline")
    result = offline_pass(target, items(6, loud=(2,)), Options(batch=6, warm_up=0), 0, quiet)
    assert [row.error for row in result.rows] == [None, None, "ValueError: the audio is", None, None, None]
    assert result.repeat.audio_seconds == pytest.approx(
        sum(row.audio_seconds for row in result.rows if row.error is None)
    )


def test_a_stream_that_names_its_fault_is_a_row_with_it_and_the_others_are_heard():
    utterances = items(4, loud=(2,))
    target = Target("picky", "load_recognisers:PickyPipeline")
    result = stream_run(target, utterances, PATIENT, quiet)
    assert [row.error for row in result.rows] == [None, None, "too loud", None]
    assert [row.raw_hypothesis for row in result.rows] == expected(utterances)


def test_a_recogniser_that_dies_is_one_clear_line():
    target = Target("fragile", "load_recognisers:FragilePipeline")
    with pytest.raises(
        MeasurementError, match=r"^fragile: the recogniser was killed by SIGKILL .*$"
    ) as caught:
        offline_pass(target, items(3, loud=(1,), peak=9.0), Options(warm_up=0), 0, quiet)
    assert "\n" not in str(caught.value)


def test_a_recogniser_that_dies_or_fails_in_the_middle_of_a_stream_does_not_hang_the_harness():
    target = Target("fragile", "load_recognisers:FragilePipeline")
    for peak, words in [(9.0, "killed by SIGKILL"), (2.0, "ValueError: the audio is")]:
        utterances = items(3, loud=(1,), peak=peak)
        audios = [item.audio for item in utterances]
        with pytest.raises(MeasurementError, match=words), Recogniser(target, audios, PATIENT) as recogniser:
            recogniser.play(plan.in_turn(recogniser.pool.stretches, 100))


def test_one_that_is_killed_from_outside_does_not_hang_the_harness():
    with Recogniser(COUNTING, [item.audio for item in items(2)], PATIENT) as recogniser:
        threading.Timer(0.3, os.kill, (recogniser.process_id, signal.SIGKILL)).start()
        schedule = plan.in_turn([plan.Stretch(0, 16000, 16000)] * 2, 100)
        with pytest.raises(MeasurementError, match="killed by SIGKILL"):
            recogniser.play(schedule)


def test_what_cannot_be_loaded_is_the_users_to_mend():
    audios = [item.audio for item in items(1)]
    with (
        pytest.raises(InputError, match="the model is not there"),
        Recogniser(Target("x", "load_recognisers:UnloadablePipeline"), audios, Options()),
    ):
        pass
    with (
        pytest.raises(InputError, match="did you mean 'null'"),
        Recogniser(Target("x", "nul"), audios, Options()),
    ):
        pass


def test_a_package_that_is_missing_is_told_apart(tmp_path, monkeypatch):
    (tmp_path / "needy.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingPackage, match="a_package_that_nobody_has"):
        offline_pass(Target("needy", "needy:Needy"), items(1), Options(), 0, quiet)


def test_one_that_cannot_stream_says_so_where_streams_are_asked_for():
    target = Target("offline-only", "load_recognisers:OfflineOnlyPipeline")
    assert len(offline_pass(target, items(2), Options(), 0, quiet).rows) == 2
    for run in (stream_run, server_run):
        with pytest.raises(NotAskedForError, match="pipeline offline-only does not stream"):
            run(target, items(2), Options(), quiet)
    with pytest.raises(NotAskedForError):
        capacity_run(target, items(2), Options(), lambda *_: (0, 0), quiet)


def test_who_speaks_is_told_offline_to_those_that_ask_and_nobody_else():
    adapting = Target("sat", "load_recognisers:AdaptingPipeline", decode={"adapt": True})
    utterances = [*items(7), replace(items(1)[0], utterance="unknown", speaker=None)]
    told = offline_pass(adapting, utterances, Options(batch=2, warm_up=0), 0, quiet)
    heard = [row.raw_hypothesis for row in told.rows]
    assert sorted(set(heard)) == ["None of 1", "speaker-1 of 4", "speaker-2 of 3"] or sorted(set(heard)) == [
        "None of 1",
        "speaker-1 of 3",
        "speaker-2 of 4",
    ]
    assert heard[0] == heard[2] == heard[4] == heard[6] != heard[1] == heard[3] == heard[5]
    assert told.facts["knows_who_speaks"] == "yes"
    assert told.facts["streaming"] == "no"
    alone = single_pass(adapting, utterances, Options(warm_up=0), 0, quiet)
    assert {row.raw_hypothesis for row in alone.rows} == {"None of 1"}
    plain = Target("si", "load_recognisers:AdaptingPipeline")
    other = offline_pass(plain, utterances, Options(batch=8, warm_up=0), 0, quiet)
    assert {row.raw_hypothesis for row in other.rows} == {"None of 8"}
    assert "knows_who_speaks" not in other.facts


def test_an_utterance_that_is_refused_costs_its_speaker_no_more_than_itself():
    adapting = Target("sat", "load_recognisers:AdaptingPipeline", decode={"adapt": True})
    rows = offline_pass(adapting, items(8, loud=(2,)), Options(warm_up=0), 0, quiet).rows
    assert rows[2].error == "ValueError: too loud"
    assert {row.raw_hypothesis[-4:] for row in rows[::2] if not row.error} == {"of 3"}
    assert {row.raw_hypothesis[-4:] for row in rows[1::2]} == {"of 4"}


def test_it_is_pinned_has_one_thread_and_a_process_of_its_own():
    target = Target("probe", "load_recognisers:ProbePipeline")
    facts = [offline_pass(target, items(1), Options(), repeat, quiet).facts for repeat in (0, 1)]
    assert facts[0]["openmp"] == "1"
    assert len({*(fact["process"] for fact in facts), float(os.getpid())}) == 3
    if hasattr(os, "sched_getaffinity"):
        assert facts[0]["cores"] == str(facts[0]["core"])
        usable = len(os.sched_getaffinity(0))
        assert (facts[0]["shared_core"] == "yes") == (usable == 1)
        assert (facts[0]["core"] != facts[0]["load_core"]) == (usable > 1)
    assert facts[0]["torch"] == "no"


def test_a_core_that_is_not_there_is_an_input_error():
    with pytest.raises(InputError, match="core 4095 is not available"):
        offline_pass(COUNTING, items(1), Options(core=4095), 0, quiet)


def test_nothing_to_play_is_said():
    with pytest.raises(InputError, match="no utterance"):
        capacity_run(COUNTING, [], Options(), lambda *_: (0, 0), quiet)


def test_the_harness_itself_imports_no_torch():
    code = "import sys, bench.measure; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_process_outlives_a_harness_that_was_killed(tmp_path):
    code = (
        "import numpy as np\n"
        "from bench.measure import Item, Options, Target, stream_run\n"
        "from data.types import Audio\n"
        "item = Item('u', None, Audio(np.zeros(16000 * 60, np.float32), 16000))\n"
        "stream_run(Target('null', 'null'), [item], Options(), lambda *_: print('running', flush=True))\n"
    )
    harness = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert harness.stdout.readline() == b"running\n"
    children = psutil.Process(harness.pid).children(recursive=True)
    assert len(children) == 2
    harness.kill()
    harness.wait()
    harness.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


def test_nothing_is_left_open_after_many_passes():
    before = psutil.Process().num_fds() if hasattr(psutil.Process(), "num_fds") else 0
    for repeat in range(3):
        offline_pass(COUNTING, items(1), Options(), repeat, quiet)
    assert not before or psutil.Process().num_fds() <= before
