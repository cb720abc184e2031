"""The gate: whether a new run is worse than an old one, by more than chance and by more than a limit.

Accuracy alone: speeds of two runs were not measured in turns on one machine, so they are never judged here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.compare import compare
from results.records import Cell, RunRecord

REGRESSION, UNDECIDED = 1, 3  # exit codes, beside 0 for a pass
COUNTERS = (
    "parameters",
    "gaussians",
    "graph_states",
    "graph_arcs",
    "ngrams",
    "tokens_per_frame",
    "arcs_per_frame",
)


@dataclass(frozen=True)
class Finding:
    """What the gate says of one cell; `detail` is a few words with the figures."""

    cell: str
    verdict: Literal["pass", "regression", "not comparable", "inconclusive"]
    detail: str


def gate(base: RunRecord, new: RunRecord, wer_limit: float = 0.5) -> tuple[Finding, ...]:
    """A finding for each recogniser that `base` heard offline, and one for each counter that has grown.

    A regression is both significant (the paired interval lies above 0) and larger than `wer_limit`, in
    percent absolute (METHOD.md, section 5).
    """
    later = {cell.key: cell for cell in new.cells}
    findings: list[Finding] = []
    for cell in base.cells:
        if cell.scenario == "offline" and cell.status == "ok" and cell.pipeline != "null":
            findings.append(_accuracy(base, new, cell, later.get(cell.key), wer_limit))
            findings.extend(_counters(cell, later.get(cell.key)))
    return tuple(findings)


def exit_code(findings: tuple[Finding, ...]) -> int:
    """1 where anything regressed; else 3 where something was not decided, or there was nothing to decide."""
    verdicts = {finding.verdict for finding in findings}
    if "regression" in verdicts:
        return REGRESSION
    return 0 if verdicts == {"pass"} else UNDECIDED


def _accuracy(base: RunRecord, new: RunRecord, old: Cell, cell: Cell | None, limit: float) -> Finding:
    if cell is None or cell.status != "ok":
        why = "it is not there" if cell is None else f"it is {cell.status}: {cell.reason}"
        return Finding(old.key, "inconclusive", f"no figure in the new run ({why})")
    if _speech(base, old) != _speech(new, cell):
        return Finding(old.key, "not comparable", "the test speech or its normalisation has changed")
    found = compare(new, cell, old)
    if found.verdict == "not comparable" or math.isnan(found.difference):
        return Finding(old.key, "not comparable", f"{found.test}")
    worse = found.low > 0 and found.difference > limit
    detail = (
        f"{found.metric.upper()} {found.difference:+.2f} % absolute ({found.low:+.2f} to {found.high:+.2f})"
    )
    return Finding(old.key, "regression" if worse else "pass", f"{detail}, limit {limit:g}")


def _speech(record: RunRecord, cell: Cell) -> tuple[Any, Any]:
    facts: Mapping[str, Any] = record.corpora.get(cell.corpus, {})
    return facts.get("hash"), facts.get("normaliser")


def _counters(old: Cell, cell: Cell | None) -> Iterator[Finding]:
    """Free of noise, hence exact: one more is one too many."""
    for name in COUNTERS:
        before, after = old.facts.get(name), cell.facts.get(name) if cell else None
        if isinstance(before, int | float) and isinstance(after, int | float) and after > before:
            yield Finding(f"{old.key}/{name}", "regression", f"{before:g} grew to {after:g}")
