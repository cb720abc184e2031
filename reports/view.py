"""A summary as the sections of a report. It formats and orders; it computes no metric."""

from __future__ import annotations

from dataclasses import dataclass

from reports.alignment import Worst, worst
from reports.figures import Figures, Group
from reports.learning import Learning, learning
from reports.method import Method, method
from reports.plots import Plot, cost_plot, error_plot, load_plots, trade_plot
from reports.side_by_side import SideBySide, side_by_side
from reports.sweeps import Sweep, sweep
from reports.tables import Table, all_values, comparison_table, group_tables, load_table
from reports.verdict import Verdict, verdict
from reports.wording import GLOSSARY
from results.records import RunRecord
from results.values import Summary


@dataclass(frozen=True)
class GroupView:
    """All that is shown of one corpus and split of one run."""

    title: str
    run: str
    side_by_side: SideBySide | None
    sweep: Sweep | None
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]
    comparisons: Table
    worst: tuple[Worst, ...]
    load: Table
    all_values: Table


@dataclass(frozen=True)
class RunLine:
    """A run in one line: its id, its experiment, when, and on which machine."""

    run: str
    experiment: str
    created: str
    machine: str


@dataclass(frozen=True)
class ReportView:
    title: str
    runs: tuple[RunLine, ...]
    verdicts: tuple[Verdict, ...]
    groups: tuple[GroupView, ...]
    learning: tuple[Learning, ...]
    methods: tuple[Method, ...]
    glossary: tuple[tuple[str, str], ...]

    @property
    def side_by_side(self) -> bool:
        """Whether any group has such a section."""
        return any(group.side_by_side for group in self.groups)


def view(summary: Summary) -> ReportView:
    """All sections of the report of `summary`."""
    figures = Figures(summary)
    return ReportView(
        "Hybrid and end-to-end speech recognition, side by side",
        tuple(_line(record) for record in summary.runs),
        tuple(verdict(figures, group) for group in figures.groups),
        tuple(_group(figures, group, at) for at, group in enumerate(figures.groups)),
        tuple(part for at, run in enumerate(summary.runs) for part in learning(run, f"learn{at}")),
        tuple(method(figures, record) for record in summary.runs),
        GLOSSARY,
    )


def _group(figures: Figures, group: Group, at: int) -> GroupView:
    plots = [
        error_plot(figures, group, f"wer{at}"),
        *load_plots(figures, group, f"load{at}"),
        trade_plot(figures, group, f"trade{at}"),
        cost_plot(figures, group, f"cost{at}"),
    ]
    return GroupView(
        group.title,
        group.run,
        side_by_side(figures, group, f"rows{at}"),
        sweep(figures, group, f"sweep{at}"),
        tuple(plot for plot in plots if plot),
        group_tables(figures, group),
        comparison_table(figures, group),
        worst(figures, group),
        load_table(figures, group),
        all_values(figures, group),
    )


def _line(record: RunRecord) -> RunLine:
    machine = record.machine
    cpu = next(
        (str(machine[key]) for key in ("cpu", "cpu_model", "processor", "model") if machine.get(key)), ""
    )
    return RunLine(record.run, record.experiment, record.created[:16].replace("T", " ") + " UTC", cpu)
