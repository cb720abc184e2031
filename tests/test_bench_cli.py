"""`asrbench` as a person meets it: a process, its exit codes, its one-line complaints, and what survives."""

from __future__ import annotations

import json
import resource
import signal
import time
from pathlib import Path

import pytest
from bench_fixture import asrbench, experiment, make_corpus, start

from results.store import load_run, stored_runs

OFFLINE = '[[scenario]]\nkind = "offline"\nrepeats = 2\nbatch = 1\nwarm_up = 0'

STREAM = '[[scenario]]\nkind = "stream"\nutterances = 1'


def one_line(err: str) -> str:
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("asrbench: ")
    return lines[0]


def test_run_show_report(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    pipelines = {
        "null": "null",
        "html": "bench_recognisers:HtmlPipeline",
        "e2e-bad": "bench_recognisers:BrokenPipeline",
    }
    path = experiment(tmp_path, pipelines, OFFLINE)
    code, out, err = asrbench(tmp_path, "run", str(path))
    assert code == 0
    assert "1 failed, 2 ok" in out
    assert "no ears" in one_line(err)
    code, out, _ = asrbench(tmp_path, "show", "latest", "--json")
    values = json.loads(out)
    keys = [
        "run",
        "pipeline",
        "corpus",
        "split",
        "condition",
        "scenario",
        "metric",
        "value",
        "low",
        "high",
        "unit",
        "n",
    ]
    assert list(values[0])[:12] == keys
    wer = {value["pipeline"]: value["value"] for value in values if value["metric"] == "wer"}
    assert wer["null"] == 100.0
    skipped = [value["value"] for value in values if value["metric"] == "skipped_utterances"]
    assert skipped == [1.0, 1.0]
    record = load_run("latest", tmp_path / "runs")
    assert next(iter(record.corpora.values()))["skipped_utterances"] == 1  # the empty reference
    code, out, _ = asrbench(tmp_path, "report", "latest", "-o", "r.html")
    assert code == 0
    page = (tmp_path / "r.html").read_text()
    assert "<script>alert(1)" not in page
    assert asrbench(tmp_path, "show")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "nowhere.toml"],
        ["run", "qick"],
        ["run"],
        ["run", "quick", "--bogus"],
        ["bogus"],
        ["show", "latest"],
        ["report", "latest", "-o", "x.html"],
        ["corpus", "show", "an5"],
        ["corpus", "check", "/nowhere"],
        ["check", "nobody"],
        ["check", "no.such.module:Class"],
        ["train", "qick"],
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    code, out, err = asrbench(tmp_path, *arguments)
    assert (code, out) == (2, "")
    one_line(err)


def test_a_missing_corpus_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    scenario = '[[pipeline]]\nname = "null"\nuse = "null"\n[[scenario]]\nkind = "offline"\n'
    path.write_text(f'[[corpus]]\nname = "an4"\n{scenario}')
    code, _, err = asrbench(tmp_path, "run", str(path))
    assert code == 2
    assert "asrbench corpus get an4" in one_line(err)


def test_help_and_version(tmp_path: Path) -> None:
    assert "run" in asrbench(tmp_path, "--help")[1]
    assert asrbench(tmp_path, "version")[1].startswith("asrbench ")
    assert "null" not in asrbench(tmp_path, "corpus", "list")[2]
    assert asrbench(tmp_path, "doctor")[0] == 0
    assert asrbench(tmp_path, "check", "null")[0] == 0


def slow_run(folder: Path) -> Path:
    make_corpus(folder, utterances=6)
    pipelines = {"null": "null", "slow": "bench_recognisers:SlowPipeline"}
    return experiment(folder, pipelines, OFFLINE.replace("repeats = 2", "repeats = 3"))


def wait_for_cells(folder: Path, count: int) -> None:
    for _ in range(2400):
        if len(list((folder / "runs").glob("*/cells/*.gz"))) >= count:
            return
        time.sleep(0.05)
    raise AssertionError("nothing was stored")


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_an_interrupted_run_goes_on(tmp_path: Path, ending: signal.Signals, code: int) -> None:
    path = slow_run(tmp_path)
    process = start(tmp_path, "run", str(path))
    wait_for_cells(tmp_path, 2)
    process.send_signal(ending)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    if ending == signal.SIGINT:
        assert "interrupted" in one_line(err)
    before = load_run("latest", tmp_path / "runs")
    assert before.cells
    assert asrbench(tmp_path, "run", str(path))[0] == 0
    runs = stored_runs(tmp_path / "runs")
    after = runs[-1].record()
    assert len(runs) == 1
    assert runs[0].finished
    for old, new in zip(before.cells, after.cells, strict=False):
        assert new.repeats[: len(old.repeats)] == old.repeats
    assert [len(cell.repeats) for cell in after.cells] == [3, 3]
    asrbench(tmp_path, "run", str(path), "--only", "null")
    assert len(stored_runs(tmp_path / "runs")) == 2


def test_a_run_within_a_time_goes_on_by_the_same_command(tmp_path: Path) -> None:
    make_corpus(tmp_path, utterances=2)
    pipelines = {"null": "null", "slow": "bench_recognisers:SlowPipeline"}
    path = experiment(tmp_path, pipelines, OFFLINE)
    command = ("run", str(path), "--within", "0.5s")
    code, out, err = asrbench(tmp_path, *command)
    assert (code, out) == (75, "")
    assert "2 of 2 cells are left, next small/test/clean/null/offline; go on: the same command" in one_line(
        err
    )
    calls = 1
    while code == 75 and calls < 10:
        code, out, _ = asrbench(tmp_path, *command)
        calls += 1
    (run,) = stored_runs(tmp_path / "runs")
    assert code == 0 and run.finished
    assert [len(cell.repeats) for cell in run.record().cells] == [2, 2]
    assert asrbench(tmp_path, "run", str(path), "--within", "soon")[0] == 2


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk."""
    make_corpus(tmp_path)
    path = experiment(tmp_path, {"null": "null"}, OFFLINE)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900))

    code, _, err = asrbench(tmp_path, "run", str(path), preexec_fn=limited)
    assert code == 2
    assert "cannot be written" in one_line(err)


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    asrbench(tmp_path, "run", str(experiment(tmp_path, {"null": "null"}, OFFLINE)))
    (tmp_path / "file").write_text("")
    code, _, err = asrbench(tmp_path, "report", "latest", "-o", "file/r.html")
    assert code == 2
    one_line(err)


def test_a_recogniser_that_does_not_stream_is_passed_over(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = experiment(tmp_path, {"a": "bench_recognisers:OfflinePipeline", "b": "no.such:Thing"}, STREAM)
    code, out, err = asrbench(tmp_path, "run", str(path))
    assert code == 0
    assert "1 failed, 1 skipped" in out
    assert "a does not stream" in err
    assert "no module" in err
