"""How the networks learned: the curves that a reader of a record finds, and what is made of damaged ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_fixture import small_summary
from report_trainings import STEPS, curve, learned_record, learned_summary

from reports.learning import Learning, learning
from reports.render import render
from results.records import RunRecord
from results.store import RunFolder
from results.values import Summary

LINE = r'<path d="([^"]+)" clip-path="[^"]*" style="fill: none; stroke: var\(--e2e-{}\); stroke-width: 1.5'


@pytest.fixture(scope="module")
def learned() -> Learning:
    (made,) = learning(learned_record(), "x")
    return made


def drawn(plot: str, shade: int) -> list[np.ndarray]:
    """The points (n, 2) of each line in one shade, in the drawing's own units, y downwards."""
    found = re.findall(LINE.format(shade), plot)
    return [np.array(re.findall(r"([\d.]+) ([\d.]+)", path), dtype=float) for path in found]


def linear(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_the_seeds_of_an_entry_share_a_plot_and_decoders_share_a_training(learned: Learning) -> None:
    captions = [plot.caption.partition(" on ")[0] for plot in learned.plots]
    assert captions == ["e2e-conformer-greedy", "e2e-crnn-greedy", "stranger"]
    for drawing in (learned.plots[0].drawing.wide, learned.plots[0].drawing.narrow):
        assert [len(drawn(drawing, shade)) for shade in (1, 2, 3)] == [2, 2, 2]  # the loss and the scores
        assert all(f">seed {seed}</text>" in drawing for seed in (1, 2, 3))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_lines_are_the_losses_and_the_scores_over_the_time(learned: Learning, seed: int) -> None:
    told = curve(seed)
    losses, scores = drawn(learned.plots[0].drawing.wide, seed)
    assert linear(losses[:, 0], told["seconds"]) == pytest.approx(1, abs=1e-6)
    assert linear(losses[:, 1], np.log(told["loss"])) == pytest.approx(-1, abs=1e-6)
    assert linear(scores[:, 0], [score["seconds"] for score in told["dev"]]) == pytest.approx(1, abs=1e-6)
    errors = [score["errors"] for score in told["dev"]]
    assert linear(scores[:, 1], np.log(errors)) == pytest.approx(-1, abs=1e-6)


def test_without_times_the_axis_counts_steps(learned: Learning) -> None:
    timed, untimed = (plot.drawing.wide for plot in learned.plots[:2])
    assert ">min of training</text>" in timed and ">steps</text>" not in timed
    assert ">steps</text>" in untimed and "of training</text>" not in untimed
    (losses,) = drawn(untimed, 1)  # and no panel for scores
    assert linear(losses[:, 0], curve()["steps"]) == pytest.approx(1, abs=1e-6)


def test_each_training_stands_once_with_what_it_took(learned: Learning) -> None:
    (body,) = learned.table.bodies
    rows = {row.head: (row.note, [entry.text for entry in row.entries]) for row in body.rows}
    assert list(rows) == [
        *(f"e2e-conformer-greedy-s{seed}" for seed in (1, 2, 3)),
        "e2e-crnn-greedy",
        "stranger",
    ]
    best = min(curve()["dev"], key=lambda score: score["errors"])
    loss = f"{curve()['loss'][-1]:.3f}"
    note, texts = rows["e2e-conformer-greedy-s1"]
    assert note == "and e2e-conformer-wfst-s1"
    assert texts == ["21.5 min", f"{STEPS:,}", loss, f"{100 * best['errors']:.1f} %", "dev got no better"]
    assert body.rows[0].entries[3].n == f"after {best['step']:,} steps"
    assert rows["e2e-crnn-greedy"][1] == ["—", f"{STEPS:,}", loss, "—", "all epochs were done"]
    assert (rows["stranger"][1][0], rows["stranger"][1][4]) == ("20.3 min", "a power cut")


def test_two_models_in_folders_of_one_name_are_two_trainings() -> None:
    cell = learned_record().cells[0]
    cells = tuple(
        replace(cell, pipeline=f"e2e-{at}", training={**cell.training, "model_hash": str(at)})
        for at in (1, 2)
    )
    (made,) = learning(replace(learned_record(), cells=cells), "x")
    assert [(row.head, row.note) for row in made.table.bodies[0].rows] == [("e2e-1", ""), ("e2e-2", "")]


def test_the_curves_stand_in_figures_too(learned: Learning) -> None:
    bodies = {body.title: body.rows for body in learned.points.bodies}
    told = curve(2)
    for row, score in zip(bodies["e2e-conformer-greedy-s2"], told["dev"], strict=True):
        assert row.head == f"{score['step']:,}"
        loss = told["loss"][told["steps"].index(score["step"])]
        assert [entry.exact for entry in row.entries] == [
            repr(float(score["seconds"])),
            repr(loss),
            repr(100 * score["errors"]),
        ]
    unscored = bodies["e2e-crnn-greedy"]
    assert len(unscored) == 20 and unscored[-1].head == f"{STEPS:,}"


def test_the_page_has_the_section_where_there_are_curves_alone() -> None:
    page = render(learned_summary())
    assert 'id="learning"' in page and 'href="#learning"' in page
    assert re.search(r"steps 2030; ended by patience", page)  # among the facts of the training
    assert "learn" not in render(small_summary()).partition("</style>")[2]


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda whole: {name: value for name, value in whole.items() if name != key}


def changed(**parts: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda whole: {**whole, **parts}


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    **{f"no {key}": without(key) for key in ("steps", "loss", "seconds", "dev")},
    "text": lambda _: "<b>curve</b>",
    "nothing": lambda _: None,
    "a list": lambda whole: [whole],
    "empty": changed(steps=[], loss=[], seconds=[]),
    "a number for a list": changed(loss=2.0),
    "text for a list": changed(steps="1234"),
    "fewer losses than steps": lambda whole: {**whole, "loss": whole["loss"][1:]},
    "fewer seconds than steps": lambda whole: {**whole, "seconds": whole["seconds"][1:]},
    "a loss that is no number": lambda whole: {**whole, "loss": [*whole["loss"][1:], float("nan")]},
    "an endless loss": lambda whole: {**whole, "loss": [*whole["loss"][1:], float("inf")]},
    "a loss as text": lambda whole: {**whole, "loss": [*whole["loss"][1:], "0.1"]},
    "a loss that is missing": lambda whole: {**whole, "loss": [*whole["loss"][1:], None]},
    "a truth for a loss": lambda whole: {**whole, "loss": [*whole["loss"][1:], True]},
    "steps too many to draw": lambda whole: {**whole, "steps": [*whole["steps"][:-1], 10**400]},
    "steps that fall": lambda whole: {**whole, "steps": whole["steps"][::-1]},
    "seconds below zero": lambda whole: {**whole, "seconds": [-1.0, *whole["seconds"][1:]]},
    "a score without errors": changed(dev=[{"step": 3}]),
    "a score of text": changed(dev=["3"]),
    "errors that are no number": changed(dev=[{"step": 3, "errors": float("nan"), "seconds": 1.0}]),
    "a time as text": changed(dev=[{"step": 3, "errors": 0.5, "seconds": "late"}]),
}


def stored(record: RunRecord, folder: Path) -> RunRecord:
    """The record as another reads it from disk."""
    run = RunFolder.create(folder, record)
    for at, cell in enumerate(record.cells):
        run.add(at, cell)
    return run.record()


def test_damaged_curves_are_left_out_and_harm_no_other(tmp_path: Path) -> None:
    whole = learned_record()
    good, facts = whole.cells[0], {"seconds": 9.0}
    damaged = tuple(
        replace(good, pipeline=f"e2e-{name}", training={**facts, "curve": damage(curve())})
        for name, damage in DAMAGES.items()
    )
    kept = stored(replace(whole, cells=(*damaged, good)), tmp_path)
    (made,) = learning(kept, "x")
    assert [row.head for row in made.table.bodies[0].rows] == [good.pipeline]
    page = render(Summary((replace(kept, cells=kept.cells[:-1]),), ()))
    assert 'id="learning"' not in page
    assert "e2e-no steps" in page  # the training itself is told of


def test_odd_curves_that_hold_together_are_drawn() -> None:
    cell = learned_record().cells[0]
    odd = (
        {"steps": [7], "loss": [-0.5], "seconds": [0.0], "dev": []},
        {"steps": [1, 2], "loss": [0, 0], "seconds": [], "dev": [{"step": 9, "errors": 0.0}], "ended": 3},
        {"steps": [50, 100], "loss": [1e-9, 1e9], "seconds": [1e9, 1e9], "dev": [{"step": 0, "errors": 7}]},
    )
    for told in odd:
        record = replace(learned_record(), cells=(replace(cell, training={"curve": told}),))
        (made,) = learning(record, "x")
        assert len(made.plots) == 1
        assert "nan" not in made.plots[0].drawing.wide
        render(Summary((record,), ()))
