from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from data.errors import InputError
from pipelines.null import NullPipeline
from pipelines.registry import OWN, MissingPackage, known, load_class, locate

ROOT = Path(__file__).parent.parent


def test_ours_are_registered_as_a_strangers_would_be():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["asrbench.pipelines"] == OWN


def test_by_entry_point_and_by_module_and_class():
    assert load_class("null") is NullPipeline
    assert load_class("pipelines.null:NullPipeline") is NullPipeline
    assert load_class("load_recognisers:CountingPipeline").__name__ == "CountingPipeline"


def test_a_module_beside_the_experiment_is_found(tmp_path, monkeypatch):
    (tmp_path / "my_recogniser.py").write_text("from pipelines.null import NullPipeline as Mine\n")
    monkeypatch.chdir(tmp_path)
    assert load_class("my_recogniser:Mine") is NullPipeline


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("hybird", "did you mean 'hybrid'"),
        ("zzz", "there are e2e, hybrid, null, pocketsphinx"),
        ("pipelines.null:NulPipeline", "did you mean 'NullPipeline'"),
        ("pipelines.nothing:X", "no module 'pipelines.nothing'"),
        ("nothing_at_all.there:X", "no module 'nothing_at_all'"),
        (":X", "module:Class"),
        ("pipelines.null:", "module:Class"),
        ("load_recognisers:NotAPipeline", "lacks train, load"),
        ("load_recognisers:heard", "lacks|is not a class"),
    ],
)
def test_what_cannot_be_used_is_one_line(use, words):
    with pytest.raises(InputError, match=words) as caught:
        load_class(use)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, MissingPackage)


def test_a_missing_package_is_told_apart_from_a_missing_module(tmp_path, monkeypatch):
    (tmp_path / "needs_something.py").write_text("import something_nobody_installed\nclass X: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingPackage, match="'something_nobody_installed', which is not installed"):
        load_class("needs_something:X")


def test_looking_a_name_up_imports_nothing():
    assert locate("hybrid") == ("pipelines.hybrid.pipeline", "HybridPipeline")
    assert set(OWN) <= set(known())
