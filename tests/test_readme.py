"""Every command of the README runs, as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cells import blocks as cells
from bench.experiment import read_experiment
from data.corpus import open_corpus
from data.synth import SynthSpec, ensure_synthetic
from pipelines.hybrid.pipeline import HybridPipeline
from results.store import stored_runs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TINY = {"lms": ["trigram"], "generation": "mono", "gaussians": 100, "iterations": 2, "members": 1}
TINY |= {"use_dev": False, "positions": False}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


def finished(
    command: list[str], folder: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the README tells its reader to make."""
    folder = tmp_path_factory.mktemp("readme")
    spec = SynthSpec(train=2, dev=1, test=2, train_speakers=1, dev_speakers=1, test_speakers=1, extra_text=5)
    speech = ensure_synthetic(folder / "speech", spec, lambda *_: None)
    calls = folder / "calls" / "test" / "anna"
    calls.mkdir(parents=True)
    for place, recording in enumerate(sorted((speech / "test").iterdir())):
        shutil.copy(recording, calls / f"{place}{recording.suffix}")
        (calls / f"{place}.txt").write_text("call back after nine\n")
    experiment, family, finished_model = blocks("toml")
    (folder / "whole.toml").write_text(experiment)
    (folder / "family.toml").write_text('[[corpus]]\nname = "quick"\n' + family)
    (folder / "finished.toml").write_text(finished_model)
    (folder / "calls.toml").write_text(_in_small(experiment, speech))
    (folder / "mute.py").write_text(blocks("python")[0])
    _train(speech, folder / "model")
    return folder


def _in_small(experiment: str, speech: Path) -> str:
    """Learning from what `speech` has: on the embedded corpus it takes minutes."""
    settings = ", ".join(f"{key} = {json.dumps(value)}" for key, value in TINY.items())
    small = experiment.replace('"quick"', f'"{speech}"')
    return small.replace('train = { lms = ["trigram"] }', f"train = {{ {settings} }}")


def _train(speech: Path, model: Path) -> None:
    """As little as aligns two sentences."""
    HybridPipeline.train(open_corpus(str(speech)), TINY, model, lambda *_, **__: None)


def test_the_example_experiment_is_one(desk: Path) -> None:
    experiment = read_experiment(desk / "whole.toml")
    assert [choice.spec.use for choice in experiment.pipelines] == ["hybrid", "pocketsphinx"]
    assert experiment.corpora[0].teacher == "quick"


def test_the_example_family_is_as_it_says(desk: Path) -> None:
    experiment = read_experiment(desk / "family.toml")
    seeds = [f"-s{seed}" for seed in (1, 2, 3)]
    swept = [f"hybrid-s1@beam={beam}" for beam in (8, 10, 13)]
    names = [choice.spec.name for choice in experiment.pipelines]
    assert names == [
        *(f"hybrid{seed}" for seed in seeds),
        *swept,
        *(f"hybrid-wide{seed}" for seed in seeds),
    ]
    (block,) = cells(experiment)
    assert [task.pipeline.spec.name for task in block.tasks] == ["hybrid-s1", *swept]


def test_make_targets_are_there() -> None:
    for command in commands():
        if command.startswith("make"):
            done = finished([*command.split(), "--dry-run"], ROOT)
            assert done.returncode == 0, done.stderr


def test_every_command_runs(desk: Path) -> None:
    environment = {**os.environ, "ASRBENCH_RUNS": str(desk / "runs"), "PYTHONPATH": str(desk)}
    path = Path(sys.executable).parent
    environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    ran = 0
    for command in commands():
        if not command.startswith("asrbench"):
            continue
        done = finished(command.split(), desk, environment)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        ran += 1
    assert ran >= 10
    assert (desk / "report.html").stat().st_size > 10_000
    assert "peer-pocketsphinx" in (desk / "calls.html").read_text(encoding="utf-8")
    before, after = (error_rates(environment, desk, place) for place in (0, 1))
    assert after == {"hybrid-finished": before["hybrid-trigram"]}


def error_rates(environment: dict[str, str], desk: Path, place: int) -> dict[str, float]:
    """By pipeline, of the run over the calls that was done first (0) or next."""
    run = stored_runs(desk / "runs")[place + 1].path
    shown = finished(["asrbench", "show", str(run), "--json"], desk, environment).stdout
    return {value["pipeline"]: value["value"] for value in json.loads(shown) if value["metric"] == "wer"}


def test_every_picture_and_link_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
