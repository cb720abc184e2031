"""Training times by stage: they add up over the processes that worked at a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.stages import JOURNAL, Stages, seconds_of


def test_a_stage_goes_from_its_first_note_to_its_last(tmp_path: Path) -> None:
    with Stages(tmp_path) as stages:
        for stage in ("mono", "mono", "", "tdnn", "lstm", "tdnn"):
            stages.note(stage)
        spans = stages.facts()["stage_spans"]
    assert list(spans) == ["mono", "tdnn", "lstm"]
    assert spans["mono"][1] <= spans["tdnn"][0] <= spans["lstm"][0] <= spans["lstm"][1] <= spans["tdnn"][1]
    assert spans["tdnn"][1] <= stages.facts()["seconds"]


def test_stages_side_by_side_have_their_own_seconds() -> None:
    training = {"stage_spans": {"mono": [0.0, 60.0], "tdnn": [60.0, 160.0], "lstm": [61.0, 300.0]}}
    assert seconds_of(training, "mono tdnn") == 160.0
    assert seconds_of(training, "mono lstm") == 299.0
    assert seconds_of(training, "mono cnn") is None
    assert seconds_of(training, "mono tdnn lstm") == 300.0
    ends = {"mono": 60.0, "tri": 90.0, "sat": 200.0, "tuning": 230.0, "cnn": 300.0}
    assert seconds_of({"stage_seconds": ends}, "mono sat") == 170.0
    assert seconds_of({"stage_seconds": ends}, "mono sat cnn") is None


def test_what_a_killed_process_did_counts(tmp_path: Path) -> None:
    before = {"seconds": 500.0, "cpu_seconds": 400.0, "interruptions": 0.0}
    (tmp_path / JOURNAL).write_text(
        json.dumps({**before, "stage_spans": {"mono": [0.0, 100.0], "tri": [100.0, 450.0]}})
    )
    with Stages(tmp_path) as stages:
        for stage in ("mono", "tri", "sat"):
            stages.note(stage)
    facts = stages.facts()
    assert facts["stage_spans"]["mono"][0] == 0.0
    ends = [facts["stage_spans"][name][1] for name in ("tri", "sat")]
    assert ends == pytest.approx([500.0, 500.0], abs=5.0)
    assert facts["seconds"] >= 500.0
    assert facts["cpu_seconds"] >= 400.0
    assert facts["interruptions"] == 1
    assert json.loads((tmp_path / JOURNAL).read_text())["seconds"] >= 500.0
