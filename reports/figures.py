"""Finding figures in a summary: groups that may be compared, and the values in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reports.wording import kind_of, metric_of
from results.records import Cell, RunRecord, knows_who_speaks
from results.values import Comparison, Summary, Value


@dataclass(frozen=True)
class Group:
    """What may be compared: one run (hence one machine), one corpus, one split."""

    run: str
    corpus: str
    split: str

    @property
    def title(self) -> str:
        return f"{self.corpus}/{self.split}" if self.split else self.corpus


@dataclass(frozen=True)
class Spot:
    """Where a figure stands inside a group."""

    pipeline: str
    condition: str
    scenario: str
    metric: str


def in_order(items: Iterable[str]) -> tuple[str, ...]:
    """The distinct items in the order of their first appearance."""
    return tuple(dict.fromkeys(items))


class Figures:
    """The values of one summary, by group and spot."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self._groups: dict[Group, dict[Spot, Value]] = {}
        for value in summary.values:
            group = Group(value.run, value.corpus, value.split)
            spot = Spot(value.pipeline, value.condition, value.scenario, value.metric)
            self._groups.setdefault(group, {})[spot] = value
        self._runs = {record.run: record for record in summary.runs}

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(self._groups)

    def record(self, run: str) -> RunRecord | None:
        return self._runs.get(run)

    def pipelines(self, group: Group) -> tuple[str, ...]:
        return in_order(spot.pipeline for spot in self._groups.get(group, {}))

    def leading(self, group: Group) -> tuple[str, ...]:
        """The pipelines that stand for their entries: no further seed, no setting of a sweep."""
        record = self.record(group.run)
        known = {cell.pipeline for cell in record.cells} if record else set()
        others = known - set(record.leading if record else ())
        return tuple(name for name in self.pipelines(group) if name not in others)

    def heard(self, group: Group) -> tuple[str, ...]:
        """The pipelines that recognise something, all but `null`, and stand for their entries."""
        return tuple(name for name in self.leading(group) if kind_of(name) != "null")

    def conditions(self, group: Group) -> tuple[str, ...]:
        """The conditions in order of appearance, `clean` first."""
        found = in_order(spot.condition for spot in self._groups.get(group, {}))
        return tuple(sorted(found, key=lambda name: name != "clean"))

    def scenarios(self, group: Group, metric: str) -> tuple[str, ...]:
        """The scenarios that give the metric, the metric's natural one first."""
        found = in_order(s.scenario for s in self._groups.get(group, {}) if s.metric == metric)
        natural = metric_of(metric).scenarios
        return tuple(sorted(found, key=lambda name: natural.index(name) if name in natural else len(natural)))

    def metrics(self, group: Group) -> tuple[str, ...]:
        return in_order(spot.metric for spot in self._groups.get(group, {}))

    def at(self, group: Group, spot: Spot) -> Value | None:
        return self._groups.get(group, {}).get(spot)

    def find(self, group: Group, pipeline: str, metric: str, condition: str = "") -> Value | None:
        """The pipeline's value in the metric's natural scenario; an ok value goes before any other."""
        conditions = (condition,) if condition else self.conditions(group)
        found = [
            value
            for scenario in self.scenarios(group, metric)
            for name in conditions
            if (value := self.at(group, Spot(pipeline, name, scenario, metric)))
        ]
        return next((v for v in found if usable(v)), found[0] if found else None)

    def pair(self, group: Group, a: str, b: str, metric: str) -> tuple[Value | None, Value | None]:
        """Both sides in one scenario and condition: the first in which both are usable, else the first."""
        first: tuple[Value | None, Value | None] = (None, None)
        for scenario in self.scenarios(group, metric):
            for condition in self.conditions(group):
                left = self.at(group, Spot(a, condition, scenario, metric))
                right = self.at(group, Spot(b, condition, scenario, metric))
                if usable(left) and usable(right):
                    return left, right
                if first == (None, None):
                    first = (left, right)
        return first

    def comparisons(self, group: Group) -> tuple[Comparison, ...]:
        return tuple(
            c
            for c in self.summary.comparisons
            if (c.run, c.corpus, c.split) == (group.run, group.corpus, group.split)
        )

    def comparison(self, group: Group, metric: str, condition: str, a: str, b: str) -> Comparison | None:
        wanted = (metric, condition, {a, b})
        return next(
            (c for c in self.comparisons(group) if (c.metric, c.condition, {c.a, c.b}) == wanted), None
        )

    def cells(self, run: str) -> Iterator[Cell]:
        record = self.record(run)
        yield from record.cells if record else ()

    def cell(self, group: Group, pipeline: str) -> Cell | None:
        """The pipeline's first cell in a group, an offline one before any other."""
        found = self._cells_of(group, pipeline)
        return min(found, key=lambda cell: cell.scenario != "offline", default=None)

    def knows_who_speaks(self, group: Group, pipeline: str) -> bool:
        """Whether a pipeline was given speaker labels."""
        return any(knows_who_speaks(cell) for cell in self._cells_of(group, pipeline))

    def _cells_of(self, group: Group, pipeline: str) -> Iterator[Cell]:
        place = (pipeline, group.corpus)
        return (cell for cell in self.cells(group.run) if (cell.pipeline, cell.corpus) == place)

    def spread(self, group: Group, entry: str, condition: str) -> Value | None:
        """The error rate of an entry over its seeds."""
        wanted = (group.run, group.corpus, group.split, entry, condition)
        found = (
            v for v in self.summary.spreads if (v.run, v.corpus, v.split, v.pipeline, v.condition) == wanted
        )
        return next(found, None)

    def device(self, value: Value) -> str:
        """The device that a value's cell ran on, empty where the run does not say."""
        for cell in self.cells(value.run):
            if (cell.corpus, cell.split, cell.condition, cell.pipeline, cell.scenario) == (
                value.corpus,
                value.split,
                value.condition,
                value.pipeline,
                value.scenario,
            ):
                return str(cell.facts.get("device", ""))
        return ""


def usable(value: Value | None) -> bool:
    """Whether a figure may be claimed."""
    return value is not None and value.status == "ok" and value.value is not None
