"""Experiments: what is wrong in one is said with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cells import blocks
from bench.cost import cost_per_audio_hour, read_prices
from bench.experiment import known_experiments, read_experiment
from data.errors import InputError

GOOD = """name = "x"
[[corpus]]
name = "quick"
conditions = ["clean", "noisy"]
[[pipeline]]
name = "a"
use = "null"
[[pipeline]]
name = "b"
use = "null"
corpora = ["quick"]
[[scenario]]
kind = "offline"
repeats = 5
[[scenario]]
kind = "capacity"
conditions = ["clean"]
pipelines = ["a"]
trial_seconds = 5
[scenario.slo]
finalisation_p99_ms = 300
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "e.toml"
    path.write_text(text)
    return path


def test_cells_and_options(tmp_path: Path) -> None:
    experiment = read_experiment(written(tmp_path, GOOD))
    keys = [[task.cell.key for task in block.tasks] for block in blocks(experiment)]
    assert keys == [
        ["quick/test/clean/a/offline", "quick/test/clean/b/offline"],
        ["quick/test/noisy/a/offline", "quick/test/noisy/b/offline"],
        ["quick/test/clean/a/capacity"],
    ]
    options = experiment.scenarios[1].measured_with(7)
    assert (options.trial_seconds, options.seed, options.slo.finalisation_p99_ms) == (5, 7, 300)


@pytest.mark.parametrize("name", known_experiments())
def test_what_comes_along_can_be_read(name: str) -> None:
    experiment = read_experiment(name)
    assert blocks(experiment)
    read_prices(experiment.prices)


FAMILY = """name = "x"
[[corpus]]
name = "quick"
[[pipeline]]
name = "a"
use = "null"
seeds = [3, 1]
train = { size = 2 }
decode = { model = "mono" }
[[pipeline]]
name = "b"
train_as = "a"
decode = { model = "tri", beam = 9.0 }
sweep = { beam = [8.0, 10.5] }
[[scenario]]
kind = "offline"
pipelines = ["a"]
[[scenario]]
kind = "single"
seeds = "first"
[[scenario]]
kind = "capacity"
pipelines = ["b@beam"]
"""
MISTAKES = (
    ("repeats = 5", "repeets = 5", 14, "unknown key 'repeets'; did you mean 'repeats'"),
    ("repeats = 5", "repeats = 0", 14, "at least 1"),
    ("repeats = 5", 'repeats = "5"', 14, "a whole number"),
    ('kind = "offline"', 'kind = "ofline"', 13, "did you mean 'offline'"),
    ('pipelines = ["a"]', 'pipelines = ["z"]', 18, "names 'z'"),
    ('corpora = ["quick"]', 'corpora = ["quik"]', 11, "did you mean 'quick'"),
    ('name = "b"', 'name = "a"', 6, "two [[pipeline]] are called 'a'"),
    ("finalisation_p99_ms", "finalization_p99_ms", 21, "did you mean 'finalisation_p99_ms'"),
    ("trial_seconds = 5", "trial_seconds = -5", 19, "negative"),
    ("[[corpus]]", "[[corpse]]", 2, "unknown key 'corpse'"),
)
FAMILY_MISTAKES = (
    ("seeds = [3, 1]", "seeds = [3, 3]", 7, "different whole numbers"),
    ("seeds = [3, 1]", "seeds = 3", 7, "a list"),
    ('train_as = "a"', 'train_as = "c"', 12, "names 'c'"),
    ('train_as = "a"', 'train_as = "a"\nseeds = [4]', 12, "leave one of them out"),
    ("beam = [8.0, 10.5]", "beam = 8.0", 14, "a list of settings"),
    ('seeds = "first"', 'seeds = "last"', 20, 'only be "first"'),
    ('"b@beam"', '"b@bean"', 23, "did you mean 'b@beam'"),
    ('name = "b"', 'name = "b@beam=8"', 11, "letters, digits"),
    ('kind = "single"', 'kind = "single"\nbatch = []', 20, "one can be a list"),
    ('kind = "single"', 'kind = "single"\nbatch = [1, -2]', 20, "'batch' cannot be negative"),
    ('kind = "single"', 'kind = "single"\nbatch = [1]\nchunk_ms = [80]', 21, "one can be a list"),
)


@pytest.mark.parametrize(
    ("good", "old", "new", "line", "says"),
    [*((GOOD, *mistake) for mistake in MISTAKES), *((FAMILY, *mistake) for mistake in FAMILY_MISTAKES)],
)
def test_mistakes_are_placed(  # noqa: PLR0917
    tmp_path: Path, good: str, old: str, new: str, line: int, says: str
) -> None:
    path = written(tmp_path, good.replace(old, new))
    with pytest.raises(InputError) as caught:
        read_experiment(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "name = ", 'name = "x"\n[[corpus]]\nname = "quick"', "corpus = 3"])
def test_what_is_no_experiment_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        read_experiment(written(tmp_path, text))


def test_one_entry_stands_for_its_seeds_and_its_sweep(tmp_path: Path) -> None:
    experiment = read_experiment(written(tmp_path, FAMILY))
    names = [[task.cell.pipeline for task in block.tasks] for block in blocks(experiment)]
    swept = ["b-s3@beam=8", "b-s3@beam=10.5"]
    assert names == [["a-s3", "a-s1"], ["a-s3", "b-s3", *swept], swept]
    specs = {choice.spec.name: choice.spec for choice in experiment.pipelines}
    assert specs["a-s1"].train == specs["b-s1"].train == {"size": 2, "seed": 1}
    assert specs["b-s3"].train == specs["b-s3@beam=8"].train == {"size": 2, "seed": 3}
    assert specs["b-s3@beam=8"].decode == {"model": "tri", "beam": 8.0}
    assert specs["b-s1"].decode == {"model": "tri", "beam": 9.0}
    cells = [task.cell for block in blocks(experiment) for task in block.tasks]
    assert {(c.entry, c.seed, c.sweep) for c in cells if c.pipeline == "b-s3@beam=8"} == {("b", 3, "beam=8")}
    assert [task.cell.pipeline for task in blocks(experiment, ["b"])[0].tasks] == ["b-s3"]


def test_an_option_that_is_a_list_is_measured_at_each_value(tmp_path: Path) -> None:
    listed = """[[scenario]]
kind = "capacity"
pipelines = ["b@beam", "a"]
seeds = "first"
chunk_ms = [80, 320.0]
"""
    made = blocks(read_experiment(written(tmp_path, FAMILY + listed)))[-2:]
    for block, chunk_ms in zip(made, (80, 320), strict=True):
        names = [f"{name}@chunk_ms={chunk_ms}" for name in ("a-s3", "b-s3@beam=8", "b-s3@beam=10.5")]
        assert [task.cell.pipeline for task in block.tasks] == names
        assert {task.scenario.measured_with(1).chunk_ms for task in block.tasks} == {chunk_ms}
        assert block.tasks[0].cell.sweep == f"chunk_ms={chunk_ms}"
        assert block.tasks[0].pipeline.spec.train == {"size": 2, "seed": 3}


def test_the_same_cell_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + '[[scenario]]\nkind = "offline"\n')
    with pytest.raises(InputError, match="two scenarios ask for quick/test/clean/a/offline"):
        blocks(read_experiment(path))


def test_cost_by_hand() -> None:
    # 0.06 an hour; 40 streams at 75 % utilisation are 30 audio hours an hour: 0.002
    assert cost_per_audio_hour(0.06, 40, 0.75) == pytest.approx(0.002)


def test_prices_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text('as_of = "2026-11-01"\ncurrency = "EUR"\ncore_hour = 0\ngpu_hour = 1\nutilisation = 1\n')
    with pytest.raises(InputError, match="above 0"):
        read_prices(str(path))
    path.write_text("core_our = 1\n")
    with pytest.raises(InputError, match="did you mean 'core_hour'"):
        read_prices(str(path))
    with pytest.raises(InputError, match="no price card"):
        read_prices("prices-1999")
