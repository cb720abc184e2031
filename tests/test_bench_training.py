"""Models: trained once, kept under what they depend on, gone on with after a kill."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from bench_fixture import asrbench, experiment, make_corpus, start

from bench.training import model_hash
from results.store import load_run

OFFLINE = '[[scenario]]\nkind = "offline"\nwarm_up = 0'
LEARNER = "bench_recognisers:LearningPipeline"


def logs(folder: Path) -> list[list[str]]:
    return [path.read_text().splitlines() for path in (folder / "runs" / "models").glob("*/log.txt")]


def train_table(folder: Path, table: str, names: tuple[str, ...] = ("a", "b")) -> Path:
    """An experiment in which every pipeline is trained with the same table."""
    path = experiment(folder, {}, OFFLINE)
    pipelines = [
        f'[[pipeline]]\nname = "{name}"\nuse = "{LEARNER}"\n[pipeline.train]\n{table}' for name in names
    ]
    path.write_text("\n".join([path.read_text(), *pipelines]))
    return path


def test_one_training_for_all_that_share_it(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = train_table(tmp_path, "steps = 2")
    assert asrbench(tmp_path, "run", str(path))[0] == 0
    assert [len(log) for log in logs(tmp_path)] == [2]
    record = load_run("latest", tmp_path / "runs")
    facts = [cell.training for cell in record.cells]
    assert facts[0] == facts[1]
    assert float(facts[0]["seconds"]) >= 0
    assert float(facts[0]["audio_hours"]) == pytest.approx(4 * 0.3 / 3600)
    assert facts[0]["model_hash"]
    assert asrbench(tmp_path, "run", str(path), "--new")[0] == 0
    assert [len(log) for log in logs(tmp_path)] == [2]


def test_other_settings_or_other_speech_are_another_model(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    asrbench(tmp_path, "train", str(train_table(tmp_path, "steps = 1")))
    asrbench(tmp_path, "train", str(train_table(tmp_path, "steps = 2")))
    assert len(logs(tmp_path)) == 2
    manifest = corpus / "train.jsonl"
    manifest.write_text(manifest.read_text().replace("again", "anew"))
    asrbench(tmp_path, "train", str(train_table(tmp_path, "steps = 2")))
    assert len(logs(tmp_path)) == 3


def test_a_training_may_use_processes_of_its_own(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = experiment(tmp_path, {"f": "bench_recognisers:ForkingPipeline"}, OFFLINE)
    assert asrbench(tmp_path, "run", str(path))[0] == 0
    (words,) = (tmp_path / "runs" / "models").glob("*/words.txt")
    assert words.read_text() == "one two"


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_training_goes_on(tmp_path: Path, ending: signal.Signals) -> None:
    make_corpus(tmp_path)
    path = train_table(tmp_path, "steps = 12\npause = 0.1", ("a",))
    process = start(tmp_path, "train", str(path))
    for _ in range(600):
        if logs(tmp_path) and len(logs(tmp_path)[0]) >= 3:
            break
        time.sleep(0.05)
    process.send_signal(ending)
    process.communicate(timeout=60)
    assert asrbench(tmp_path, "train", str(path))[0] == 0
    (log,) = logs(tmp_path)
    assert [line.split()[0] for line in log] == [str(step) for step in range(12)]
    assert len({line.split()[-1] for line in log}) == 2
    (facts,) = [json.loads(p.read_text()) for p in (tmp_path / "runs" / "models").glob("*/training.json")]
    spans = facts["stage_spans"]
    assert list(spans) == ["first", "second"]
    assert 0 < spans["first"][1] <= spans["second"][0] < spans["second"][1] <= facts["seconds"]
    assert facts["interruptions"] == 1
    assert not list((tmp_path / "runs" / "models").glob("*/training-so-far.json"))


def test_a_training_that_runs_out_of_time_goes_on(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = train_table(tmp_path, "steps = 2\npause = 1.0", ("a",))
    codes, complaints = [75], []
    while codes[-1] == 75 and len(codes) < 9:
        code, _, err = asrbench(tmp_path, "run", str(path), "--within", "1s")
        codes.append(code)
        complaints.append(err)
    assert f"next small/test/clean/a/offline ({LEARNER} is in training)" in complaints[0]
    assert codes[-1] == 0
    (log,) = logs(tmp_path)
    assert [line.split()[0] for line in log] == ["0", "1"]
    assert len({line.split()[-1] for line in log}) == 2
    (cell,) = load_run("latest", tmp_path / "runs").cells
    assert (cell.status, cell.training["interruptions"]) == ("ok", len(codes) - 2)


def test_two_processes_never_train_the_same(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = train_table(tmp_path, "steps = 6\npause = 0.1", ("a",))
    both = [start(tmp_path, "train", str(path)) for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    (log,) = logs(tmp_path)
    assert len(log) == 6
    assert len({line.split()[-1] for line in log}) == 1


def test_a_training_that_fails_costs_its_own_cells_alone(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = train_table(tmp_path, "fail = true", ("a",))
    path.write_text(path.read_text() + '\n[[pipeline]]\nname = "null"\nuse = "null"\n')
    code, out, err = asrbench(tmp_path, "run", str(path))
    assert code == 0
    assert "1 failed, 1 ok" in out
    assert "cannot learn" in err


def test_a_budget_makes_a_model_that_an_experiment_can_ask_for_as_well(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = experiment(tmp_path, {"h": "bench_recognisers:HastyPipeline"}, OFFLINE)
    code, out, err = asrbench(tmp_path, "train", str(path), "--budget", "1h30m")
    assert (code, err) == (0, "")
    (words,) = (tmp_path / "runs" / "models").glob("*/words.txt")
    minutes, first, second = map(float, words.read_text().split())
    assert minutes == 90 and 0 <= first < second < 60
    path.write_text(path.read_text().replace(OFFLINE, "train = { budget_minutes = 90 }\n" + OFFLINE))
    assert asrbench(tmp_path, "train", str(path))[1] == out
    facts = json.loads((words.parent / "training.json").read_text())
    assert facts["curve"]["loss"] == [2.0, 0.5] and facts["model_hash"] == model_hash(words.parent)
    (words.parent / "curve.json").unlink()
    assert facts["model_hash"] == model_hash(words.parent)  # the seconds of a curve make no other model


def test_a_torn_curve_costs_no_model(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    torn = "train = { budget_minutes = 1, curve = '{ torn' }\n"
    path = experiment(tmp_path, {"h": "bench_recognisers:HastyPipeline"}, OFFLINE, torn)
    code, _, err = asrbench(tmp_path, "train", str(path))
    assert (code, err) == (0, "")
    (marker,) = (tmp_path / "runs" / "models").glob("*/training.json")
    assert "curve" not in json.loads(marker.read_text())


@pytest.mark.parametrize(("budget", "said"), [("soon", "is no time"), ("30m", "a cannot train to a budget")])
def test_a_budget_that_cannot_be_kept_gets_one_line(tmp_path: Path, budget: str, said: str) -> None:
    make_corpus(tmp_path)
    code, _, err = asrbench(tmp_path, "train", str(train_table(tmp_path, "", ("a",))), "--budget", budget)
    assert code == 2 and said in err and err.count("\n") == 1


def test_further_processes_leave_to_the_first_what_is_not_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_corpus(tmp_path)
    path = train_table(tmp_path, "steps = 1", ("a",))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert asrbench(tmp_path, "train", str(path)) == (0, "", "")
    assert not logs(tmp_path)
    monkeypatch.setenv("RANK", "0")
    assert asrbench(tmp_path, "train", str(path))[1].startswith("a on ")
    assert len(logs(tmp_path)) == 1


STREAM = '[[scenario]]\nkind = "stream"\nwarm_up = 0'


def test_references_are_aligned_by_a_pipelines_model_once(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = experiment(tmp_path, {"null": "null", "a": LEARNER}, STREAM)
    path.write_text('word_times = "a"\n' + path.read_text())
    assert asrbench(tmp_path, "run", str(path))[0] == 0
    record = load_run("latest", tmp_path / "runs")
    assert {cell.facts["word_times"] for cell in record.cells} == {"aligned by a"}
    ends = {row.utterance: row.first_word_end for row in record.cells[0].rows if row.error is None}
    assert ends == {"test0": 0.125, "test1": None, "test2": 0.125, "test3": 0.125}
    stored = tmp_path / "runs" / record.run / "word-times-small-test.json"
    assert json.loads(stored.read_text())["source"] == "aligned by a"


def test_one_that_cannot_align_costs_the_word_times_alone(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = experiment(tmp_path, {"null": "null"}, STREAM)
    path.write_text('word_times = "null"\n' + path.read_text())
    code, out, _ = asrbench(tmp_path, "run", str(path))
    assert (code, out.split(": ")[1]) == (0, "1 ok\n")
    facts = load_run("latest", tmp_path / "runs").cells[0].facts
    assert facts["word_times"] == "not available: pipeline null has no model to align with"


FAMILY = f"""
[[pipeline]]
name = "a"
use = "{LEARNER}"
seeds = [1, 2]
train = {{ steps = 2 }}
sweep = {{ stage = ["first", "second"] }}
[[pipeline]]
name = "b"
train_as = "a"
decode = {{ stage = "first" }}
"""


def test_seeds_are_models_and_sweeps_are_not(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    path = experiment(tmp_path, {}, OFFLINE, FAMILY)
    code, out, err = asrbench(tmp_path, "run", str(path))
    assert (code, err) == (0, "")
    assert "6 ok" in out
    assert [len(log) for log in logs(tmp_path)] == [2, 2]
    record = load_run("latest", tmp_path / "runs")
    hashes = {cell.pipeline: cell.training["model_dir"] for cell in record.cells}
    assert hashes["a-s1"] == hashes["b-s1"] == hashes["a-s1@stage=first"] != hashes["a-s2"] == hashes["b-s2"]
    shown = asrbench(tmp_path, "show")[1]
    assert "  a  offline  wer: 240 % [240, 240] n=2" in shown
    asrbench(tmp_path, "report", "latest", "-o", "r.html")
    assert 'id="side-by-side"' in (tmp_path / "r.html").read_text()
    assert asrbench(tmp_path, "run", str(path), "--new", "--only", "b")[1].endswith(": 2 ok\n")
