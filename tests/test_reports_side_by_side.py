"""Generations side by side, and sweeps: what a reader finds in the report of an experiment with seeds."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from family_fixture import family_record, family_summary
from report_fixture import make_summary

from bench.summary import summarise
from reports.figures import Figures
from reports.render import render
from reports.side_by_side import SideBySide, side_by_side
from reports.sweeps import sweep
from results.values import Summary

SMALL = ("mono", "si", "sat", "tdnn")


@pytest.fixture(scope="module")
def summary() -> Summary:
    return family_summary(SMALL)


def section(summary: Summary) -> SideBySide:
    figures = Figures(summary)
    made = side_by_side(figures, figures.groups[0], "x")
    assert made is not None
    return made


def test_rows_stand_in_the_experiments_order_with_the_mean_and_its_range(summary: Summary) -> None:
    table = section(summary).table
    heads = {body.title: [row.head for row in body.rows] for body in table.bodies}
    assert heads == {
        "language model corpus": [f"hybrid-{name}-corpus" for name in SMALL],
        "language model trigram": [f"hybrid-{name}-trigram" for name in SMALL],
        "with a language model of its own": ["peer-pocketsphinx"],
    }
    assert list(heads)[-1].startswith("with a language model of its own")
    spreads = {value.pipeline: value for value in summary.spreads}
    for row in table.bodies[0].rows:
        value = spreads[row.head]
        assert row.entries[0].text == f"{value.value:.2f} %"
        assert row.entries[0].interval == f"{value.low:.2f}–{value.high:.2f}"
        assert row.entries[0].n == "3 seeds"


def test_each_row_is_tested_against_the_one_before(summary: Summary) -> None:
    rows = section(summary).table.bodies[0].rows
    found = {(c.a, c.b): c for c in summary.comparisons}
    assert rows[0].entries[2].text == "—"
    for before, row in pairwise(rows):
        comparison = found[f"{before.head}-s1", f"{row.head}-s1"]
        words = {"a": "more errors", "b": "fewer errors", "tie": "tie"}
        assert row.entries[2].text == words[comparison.verdict]
        assert comparison.p_alone <= comparison.p


def test_prices_stand_beside(summary: Summary) -> None:
    rows = {row.head: row for row in section(summary).table.bodies[0].rows}
    texts = {name: [entry.text for entry in row.entries[3:]] for name, row in rows.items()}
    assert texts["hybrid-mono-corpus"] == ["—", "12.0 s", "2.40 MB", "55.0 ms"]
    assert texts["hybrid-si-corpus"] == ["72", "96.0 s", "2.40 MB", "55.0 ms"]
    assert texts["hybrid-sat-corpus"] == ["does not stream", "96.0 s", "2.40 MB", "whole speaker"]
    assert texts["hybrid-tdnn-corpus"][1] == "5.00 min"
    assert [name for name, row in rows.items() if row.note == "knows who speaks"] == ["hybrid-sat-corpus"]


def test_figures_show_each_entry_once_and_every_seed_apart(summary: Summary) -> None:
    figures = Figures(summary)
    (group,) = figures.groups
    shown = figures.leading(group)
    assert len(shown) == 2 + 2 * len(SMALL)
    assert not [name for name in shown if "@" in name or name.endswith(("-s2", "-s3"))]
    rows = [row.head for body in section(summary).seeds.bodies for row in body.rows]
    assert len(rows) == 3 * 2 * len(SMALL)


def test_a_sweep_is_a_curve_with_the_pipelines_own_setting_on_it(summary: Summary) -> None:
    figures = Figures(summary)
    made = sweep(figures, figures.groups[0], "x")
    assert made is not None and made.plot is not None
    told = re.search(r"<desc[^>]*>(.*?)</desc>", made.plot.drawing.wide)
    assert told is not None
    assert re.findall(r"(\d+): WER [\d.]+ %, Streams per core ([\d.]+)", told[1]) == [
        ("8", "101"),
        ("10", "88"),
        ("11", "72"),
        ("13", "64"),
    ]
    record = family_record(SMALL)
    uncounted = replace(record, cells=tuple(cell for cell in record.cells if cell.scenario == "offline"))
    figures = Figures(summarise([uncounted]))
    made = sweep(figures, figures.groups[0], "x")
    assert made is not None and made.plot is not None
    assert "RTFx against WER" in made.plot.caption


def test_the_page_has_the_section_where_there_are_seeds_alone(summary: Summary) -> None:
    page = render(summary)
    assert page == render(summary)
    assert 'id="side-by-side"' in page
    assert page.count("knows who speaks") >= 4
    assert 'id="side-by-side"' not in render(make_summary())
