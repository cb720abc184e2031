"""The gate fails on what got worse, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_bench_metrics import cell, record, row

from bench.gate import exit_code, gate
from results.records import Cell, RunRecord


def heard(wrong: int, utterances: int = 100, **more: object) -> Cell:
    """Of ten words in each utterance, `wrong` are misheard in every second one."""
    rows = tuple(row(i, wrong if i % 2 else 0, words=10) for i in range(utterances))
    return cell(pipeline="hybrid-a", rows=rows, **more)


def run(made: Cell, speech: str = "h") -> RunRecord:
    return replace(record(made), corpora={"c": {"unit": "word", "hash": speech, "normaliser": "en-1"}})


def verdicts(base: RunRecord, new: RunRecord, **limits: float) -> list[str]:
    return [finding.verdict for finding in gate(base, new, **limits)]


def test_the_same_run_passes() -> None:
    findings = gate(run(heard(1)), run(heard(1)))
    assert [finding.verdict for finding in findings] == ["pass"]
    assert exit_code(findings) == 0


def test_clearly_more_errors_are_a_regression_and_fewer_are_not() -> None:
    worse = gate(run(heard(1)), run(heard(4)))
    assert [finding.verdict for finding in worse] == ["regression"]
    assert "+15.00" in worse[0].detail
    assert exit_code(worse) == 1
    assert verdicts(run(heard(4)), run(heard(1))) == ["pass"]


def test_a_change_below_the_limit_passes_however_certain() -> None:
    assert verdicts(run(heard(1)), run(heard(2)), wer_limit=10.0) == ["pass"]
    assert verdicts(run(heard(1)), run(heard(2)), wer_limit=1.0) == ["regression"]


def test_a_change_within_chance_passes_however_large() -> None:
    before, after = heard(0, utterances=10), heard(0, utterances=10)
    one_bad = (replace(after.rows[0], substitutions=10, hypothesis="x " * 10), *after.rows[1:])
    findings = gate(run(before), run(replace(after, rows=one_bad)), wer_limit=0.5)
    assert "+10.00" in findings[0].detail
    assert findings[0].verdict == "pass"


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (run(heard(1), speech="other"), "not comparable"),
        (run(heard(1, utterances=50)), "not comparable"),
        (run(cell(pipeline="hybrid-a", status="failed", reason="it died")), "inconclusive"),
        (run(cell(pipeline="hybrid-b")), "inconclusive"),
    ],
)
def test_what_cannot_be_compared_is_neither_passed_nor_failed(new: RunRecord, verdict: str) -> None:
    findings = gate(run(heard(1)), new)
    assert [finding.verdict for finding in findings] == [verdict]
    assert exit_code(findings) == 3


def test_a_counter_that_grew_is_a_regression_however_little() -> None:
    base, new = (run(heard(1, facts={"ngrams": count, "lm": "x"})) for count in (100, 101))
    assert verdicts(base, new) == ["pass", "regression"]
    assert verdicts(new, base) == ["pass"]


def test_nothing_to_judge_is_no_pass() -> None:
    assert exit_code(gate(run(cell(pipeline="null")), run(cell(pipeline="null")))) == 3
