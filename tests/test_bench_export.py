"""Reference models: exported from a run, named in an experiment, measured without a training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from bench_fixture import asrbench, experiment, make_corpus

from bench import models
from bench.experiment import read_experiment, stored_experiment
from bench.export import LIMIT, Choice, export
from bench.models import ready
from data.errors import InputError
from results.store import RunFolder, load_run

LEARNER = "bench_recognisers:LearningPipeline"
OFFLINE = '[[scenario]]\nkind = "offline"\nwarm_up = 0'
FAMILY = f"""
[[pipeline]]
name = "a"
use = "{LEARNER}"
seeds = [1, 2]
train = {{ steps = 1, from = "/home/anna/calls/old model" }}
decode = {{ stage = "first" }}
[[pipeline]]
name = "b"
train_as = "a"
"""
READY = '[[pipeline]]\nname = "ready"\nmodel = "models/small-a-s1"\ndecode = { stage = "first" }\n'


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two seeds, each decoded twice, and the model of the first exported."""
    folder = tmp_path_factory.mktemp("export")
    make_corpus(folder)
    assert asrbench(folder, "run", str(experiment(folder, {}, OFFLINE, FAMILY)))[0] == 0
    code, out, err = asrbench(folder, "export", "latest", "a", "--to", "models")
    assert (code, err) == (0, "")
    assert 'model = "models/small-a-s1"' in out
    return folder


def run_of(desk: Path) -> Path:
    return min((desk / "runs").glob("*/record.json")).parent


def card(folder: Path) -> dict:
    return json.loads((folder / "reference.json").read_text())


def error_rates(folder: Path, run: str) -> dict[str, float]:
    values = json.loads(asrbench(folder, "show", run, "--json")[1])
    return {value["pipeline"]: value["value"] for value in values if value["metric"] == "wer"}


def test_the_card_tells_what_the_model_is(desk: Path) -> None:
    found, run = card(desk / "models" / "small-a-s1"), RunFolder(run_of(desk)).record()
    assert (found["use"], found["run"]) == (LEARNER, run.run)
    assert found["data"]["corpus"] == "small" and found["data"]["utterances"] == 4
    assert found["data"]["hours"] == pytest.approx(4 * 0.3 / 3600)
    assert found["settings"] == {"steps": 1, "seed": 1, "from": "old model"}
    assert found["training"]["seconds"] >= 0 and found["training"]["machine"]
    measured = {score["pipeline"]: score["value"] for score in found["scores"]}
    assert measured == {name: rate for name, rate in error_rates(desk, run.run).items() if "s1" in name}
    assert {score["pipeline"]: score["decode"] for score in found["scores"]} == {
        "a-s1": {"stage": "first"},
        "b-s1": {},
    }
    page = (desk / "models" / "small-a-s1" / "README.md").read_text()
    assert '| small/test, clean | offline | `{ stage = "first" }` | WER 240.0 % (200.0–300.0) | 10 |' in page
    for path in (desk / "models" / "small-a-s1").rglob("*"):
        assert str(desk) not in path.read_text() and "anna" not in path.read_text()


def test_an_experiment_takes_it_without_a_training(desk: Path) -> None:
    path = experiment(desk, {}, OFFLINE, READY)
    path.write_text(path.read_text().replace('name = "e"', 'name = "again"'))
    assert asrbench(desk, "train", str(path))[1].endswith("models/small-a-s1 (finished before)\n")
    code, out, err = asrbench(desk, "run", str(path))
    assert (code, err) == (0, "")
    assert len(list((desk / "runs" / "models").iterdir())) == 2
    record = load_run(out.split()[1].rstrip(":"), desk / "runs")
    assert error_rates(desk, record.run) == {"ready": 240.0}
    (cell,), told = record.cells, card(desk / "models" / "small-a-s1")
    assert (cell.training["model"], cell.training["trained_in"]) == ("small-a-s1", told["run"])
    assert cell.training["model_hash"] == told["model_hash"]
    assert cell.training["seconds"] == told["training"]["seconds"]
    assert asrbench(desk, "report", record.run, "-o", "r.html")[0] == 0
    assert "trained in " + told["run"] in (desk / "r.html").read_text()
    code, out, err = asrbench(desk, "export", record.run, "ready", "--to", "models", "--name", "twice")
    assert (code, out) == (2, "") and "took the finished model 'small-a-s1'" in err


def test_a_complaint_is_one_line_and_exit_code_2(desk: Path) -> None:
    code, out, err = asrbench(desk, "export", run_of(desk).name, "aa", "--to", "models")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "has no pipeline 'aa'; did you mean 'a'?" in err


@pytest.mark.parametrize(
    ("choice", "name", "limit", "says"),
    [
        (Choice("a"), "", LIMIT, "is there already"),
        (Choice("a", seed=3), "", LIMIT, r"no seed 3 \(there are: 1, 2\)"),
        (Choice("a", corpus="large"), "", LIMIT, "no trained model of a large"),
        (Choice("a"), "../x", LIMIT, "letters, digits"),
        (Choice("a", seed=2), "", 3, "more than"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(
    desk: Path, choice: Choice, name: str, limit: int, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        export(RunFolder(run_of(desk)), choice, desk / "models", name, limit)
    assert [path.name for path in (desk / "models").iterdir()] == ["small-a-s1"]


def test_another_model_than_was_measured_is_not_exported(desk: Path, tmp_path: Path) -> None:
    shutil.copytree(desk / "runs", tmp_path / "runs")
    run = RunFolder(tmp_path / "runs" / run_of(desk).name)
    cell = next(cell for cell in run.record().cells if cell.pipeline == "a-s2")
    model = tmp_path / "runs" / "models" / str(cell.training["model_dir"])
    (model / "words.txt").write_text("other words")
    with pytest.raises(InputError, match="is not the model that a-s2 was measured with"):
        export(run, Choice("a", seed=2), tmp_path)
    shutil.rmtree(model)
    with pytest.raises(InputError, match="the model of a-s2 is gone"):
        export(run, Choice("a-s2"), tmp_path)


def test_a_model_whose_files_are_not_its_own_is_not_measured(desk: Path, tmp_path: Path) -> None:
    shutil.copytree(desk / "models" / "small-a-s1", tmp_path / "m")
    assert ready(str(tmp_path / "m")).facts["model"] == "small-a-s1"
    (tmp_path / "m" / "words.txt").write_text("other words")
    with pytest.raises(InputError, match="are not those"):
        ready(str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ('model = "an4-crn"', "unknown model 'an4-crn'; did you mean 'an4-crnn'?"),
        ('model = "nowhere/at-all"', "no such folder"),
        ('model = "."', "holds no finished model"),
        ('model = "MODEL"\nuse = "e2e"', "not of 'e2e'"),
        ('model = "MODEL"\nseeds = [1]', "leave 'seeds' out"),
        ('model = "MODEL"\ntrain = { steps = 1 }', "leave 'train' out"),
    ],
)
def test_an_entry_that_cannot_be_is_placed(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(desk / "models" / "small-a-s1", tmp_path / "shelf" / "an4-crnn")
    monkeypatch.setattr(models, "MODELS", tmp_path / "shelf")
    text = f'[[corpus]]\nname = "quick"\n[[pipeline]]\nname = "x"\n{entry}\n{OFFLINE}\n'
    Path("e.toml").write_text(text.replace("MODEL", "an4-crnn"))
    with pytest.raises(InputError) as caught:
        read_experiment("e.toml")
    assert str(caught.value).startswith("e.toml:5: ") and says in str(caught.value)


def test_a_run_tells_what_it_was_asked_for_when_a_finished_model_is_gone() -> None:
    entries = [
        {"name": "x", "model": "gone/away"},
        {"name": "y", "train_as": "x"},
        {"name": "z", "use": "e2e"},
    ]
    config = {"corpus": [{"name": "quick"}], "pipeline": entries, "scenario": [{"kind": "offline"}]}
    asked = stored_experiment(config, "a-run")
    assert [choice.spec.model for choice in asked.pipelines] == ["gone/away", "gone/away", ""]


def test_a_model_as_a_run_left_it_will_do_where_the_pipeline_is_named(desk: Path, tmp_path: Path) -> None:
    trained = next((desk / "runs" / "models").iterdir())
    entry = f'[[corpus]]\nname = "quick"\n[[pipeline]]\nname = "x"\nmodel = "{trained}"\n'
    (tmp_path / "e.toml").write_text(entry + OFFLINE)
    with pytest.raises(InputError, match="add 'use'"):
        read_experiment(tmp_path / "e.toml")
    (tmp_path / "e.toml").write_text(
        f'{entry}use = "{LEARNER}"\n[[pipeline]]\nname = "y"\ntrain_as = "x"\n{OFFLINE}'
    )
    assert [choice.spec.model for choice in read_experiment(tmp_path / "e.toml").pipelines] == [
        str(trained)
    ] * 2
    assert ready(str(trained)).facts["seconds"] >= 0
