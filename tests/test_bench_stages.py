"""Training times by stage: they add up over the processes that worked at a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.stages import JOURNAL, Stages


def test_a_stage_ends_with_its_last_note_and_stays_ended(tmp_path: Path) -> None:
    with Stages(tmp_path) as stages:
        for stage in ("mono", "mono", "", "tri", "mono"):
            stages.note(stage)
        ended = stages.facts()["stage_seconds"]
    assert list(ended) == ["mono", "tri"]
    assert 0 <= ended["mono"] <= ended["tri"] <= stages.facts()["seconds"]


def test_what_a_killed_process_did_counts(tmp_path: Path) -> None:
    before = {"seconds": 500.0, "cpu_seconds": 400.0, "interruptions": 0.0}
    (tmp_path / JOURNAL).write_text(json.dumps({**before, "stage_seconds": {"mono": 100.0, "tri": 450.0}}))
    with Stages(tmp_path) as stages:
        for stage in ("mono", "tri", "sat"):
            stages.note(stage)
    facts = stages.facts()
    assert facts["stage_seconds"]["mono"] == 100.0
    assert [facts["stage_seconds"][name] for name in ("tri", "sat")] == pytest.approx([500.0, 500.0], abs=5.0)
    assert facts["seconds"] >= 500.0
    assert facts["cpu_seconds"] >= 400.0
    assert facts["interruptions"] == 1
    assert json.loads((tmp_path / JOURNAL).read_text())["seconds"] >= 500.0
