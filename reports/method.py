"""How it was measured: what a run says of itself, as lists and tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.courses import course_of
from reports.figures import Figures, in_order
from reports.plots import service_level, slo_value
from reports.tables import Body, Entry, Row, Table
from reports.wording import NONE, and_more, figure, kind_of, metric_of, with_unit
from results.records import Cell, RunRecord


@dataclass(frozen=True)
class Facts:
    """A titled list of terms and what is known of them."""

    title: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Method:
    """One run's account of itself."""

    run: str
    experiment: str
    created: str
    facts: tuple[Facts, ...]
    tables: tuple[Table, ...]
    config: str
    commands: tuple[str, ...]


HARNESS_COST = (
    "rtfx",
    "streams_per_core",
    "finalisation_p50",
    "finalisation_p99",
    "first_partial_p50",
    "first_partial_p99",
    "send_lag_p99",
    "peak_memory",
)


def method(figures: Figures, record: RunRecord) -> Method:
    tables = (_scopes(record), _null(figures, record), _training(record), _troubles(figures, record))
    return Method(
        record.run,
        record.experiment,
        record.created,
        _facts(record),
        tuple(table for table in tables if table.bodies),
        json.dumps(plain(record.config), indent=2, ensure_ascii=False, sort_keys=True),
        (
            f"asrbench run {record.experiment}",
            f"asrbench show {record.run}",
            f"asrbench report {record.run}",
        ),
    )


def _facts(record: RunRecord) -> tuple[Facts, ...]:
    limit = service_level(record)
    worse = slo_value(record, "wer_increase_percent", 0.1)
    lag = slo_value(record, "send_lag_p99_ms", 20.0)
    service = (
        ("SLO", f"finalisation p99 ≤ {limit:g} ms, no stream dropped, backlog not growing"),
        ("WER under load", f"within {worse:g} % absolute of the WER without load"),
        ("Valid only if", f"send lag p99 ≤ {lag:g} ms"),
        ("Scenarios", ", ".join(in_order(cell.scenario for cell in record.cells)) or NONE),
        ("Chunk", ", ".join(in_order(f"{c.chunk_ms:g} ms" for c in record.cells if c.chunk_ms)) or NONE),
    )
    corpora = tuple(Facts(f"Corpus {name}", _pairs(facts)) for name, facts in record.corpora.items())
    made = (
        Facts("Machine", _pairs(record.machine)),
        Facts("Service level and scenarios", service),
        *corpora,
        Facts("Prices", _pairs(record.prices)),
        Facts("Seeds", (*_pairs(record.seeds), *_families(record))),
        Facts("Code", _pairs(record.code)),
        Facts("Versions", _pairs(record.versions)),
    )
    return tuple(facts for facts in made if facts.pairs)


def _families(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """What several seeds of one entry, and the settings of a sweep, take part in."""
    seeds = in_order(str(cell.seed) for cell in record.cells if cell.seed is not None)
    sweeps = in_order(cell.sweep for cell in record.cells if cell.sweep)
    told = (
        ("training", ", ".join(seeds)),
        ("paired tests", "of each pipeline its first seed: Holm corrects for fewer pairs" if seeds else ""),
        ("sweeps", f"{', '.join(sweeps)}: in no paired test" if sweeps else ""),
    )
    return tuple((term, text) for term, text in told if text)


def plain(value: Any) -> Any:
    """Only what JSON holds: mappings, lists, text and numbers; anything else by its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _pairs(facts: Mapping[str, Any], prefix: str = "") -> tuple[tuple[str, str], ...]:
    """The facts flattened: nested keys joined by a space, lists by commas."""
    pairs: list[tuple[str, str]] = []
    for key, value in facts.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            pairs += _pairs(value, f"{name} ")
        elif isinstance(value, list | tuple):
            pairs.append((name, ", ".join(_text(item) for item in value) or NONE))
        elif str(key).endswith("bytes") and isinstance(value, int | float):
            pairs.append((name.removesuffix(" bytes"), with_unit(float(value), "B")))
        else:
            pairs.append((name, _text(value)))
    return tuple(pairs)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key.replace('_', ' ')} {text}" for key, text in _pairs(value))
    if value is None or value == "":
        return "not available"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if value >= 100_000 else str(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _scopes(record: RunRecord) -> Table:
    """What each pipeline's times cover, its LM and its further facts."""
    found: dict[tuple[str, str], list[Cell]] = {}
    leading = set(record.leading)
    for cell in (cell for cell in record.cells if cell.pipeline in leading):
        found.setdefault((cell.pipeline, cell.scope), []).append(cell)
    rows = []
    for (pipeline, scope), cells in found.items():
        told = "; ".join(f"{key} {value}" for key, value in _pairs(_constant(cells)))
        lms = ", ".join(in_order(cell.lm for cell in cells if cell.lm)) or "none"
        rows.append(Row(pipeline, kind_of(pipeline), (Entry(scope), Entry(lms), Entry(told or NONE))))
    columns = ("Pipeline", "Timing covers", "Language model", "Further facts")
    return Table("What the times cover", columns, _bodies(rows), record.run)


def _constant(cells: list[Cell]) -> dict[str, float | str]:
    """The facts that every cell gives, and gives alike; the others belong to single cells."""
    first, *rest = cells
    return {key: value for key, value in first.facts.items() if all(c.facts.get(key) == value for c in rest)}


def _null(figures: Figures, record: RunRecord) -> Table:
    """Every figure of the null pipeline: the harness's own cost."""
    rows = []
    for value in figures.summary.values:
        if value.run == record.run and kind_of(value.pipeline) == "null" and value.metric in HARNESS_COST:
            where = f"{value.corpus}/{value.split}, {value.condition}, {value.scenario}"
            rows.append(Row(metric_of(value.metric).label, "null", (Entry(figure(value)), Entry(where))))
    columns = ("Metric", "Null pipeline", "Where")
    return Table("What the harness itself costs: the null pipeline", columns, _bodies(rows), record.run)


def _training(record: RunRecord) -> Table:
    """Each model once, whoever decodes with it."""
    users: dict[tuple[str, str], list[str]] = {}
    for cell in record.cells:
        if cell.training:
            told = {key: value for key, value in cell.training.items() if key != "curve"} | _way(cell)
            facts = "; ".join(f"{key} {value}" for key, value in _pairs(told))
            users.setdefault((facts, cell.corpus), []).append(cell.pipeline)
    rows = []
    for (facts, corpus), named in users.items():
        first, *others = in_order(named)
        rows.append(Row(first, kind_of(first), (Entry(corpus), Entry(facts)), and_more(others)))
    return Table("Training", ("Pipeline", "Corpus", "Training"), _bodies(rows), record.run)


def _way(cell: Cell) -> dict[str, Any]:
    course = course_of(cell.training)
    if course is None:
        return {}
    return {"steps": int(course.steps[-1])} | ({"ended by": course.ended} if course.ended else {})


def _troubles(figures: Figures, record: RunRecord) -> Table:
    """Cells and figures that are not ok, skipped utterances and invalid probes, each with its reason."""
    rows = [
        Row(
            c.pipeline,
            kind_of(c.pipeline),
            (*_place(c), Entry(c.status, flag=c.status), Entry(c.reason or NONE)),
        )
        for c in record.cells
        if c.status != "ok"
    ]
    rows += [row for cell in record.cells if (row := _skipped(cell))]
    for v in figures.summary.values:
        if v.run == record.run and v.status == "invalid":
            place = (Entry(f"{v.corpus}/{v.split}"), Entry(v.condition), Entry(f"{v.scenario}: {v.metric}"))
            rows.append(
                Row(v.pipeline, kind_of(v.pipeline), (*place, Entry(v.status, flag=v.status), Entry(v.note)))
            )
    for p in figures.summary.load_points:
        if p.run == record.run and p.verdict == "invalid":
            place = (Entry(p.corpus), Entry(p.condition), Entry(f"capacity: {p.streams} streams"))
            rows.append(
                Row(
                    p.pipeline,
                    kind_of(p.pipeline),
                    (*place, Entry("invalid", flag="invalid"), Entry(p.reason)),
                )
            )
    columns = ("Pipeline", "Corpus", "Condition", "Scenario", "Status", "Reason")
    return Table("Invalid, failed and skipped", columns, _bodies(rows), record.run)


def _skipped(cell: Cell) -> Row | None:
    errors = [row.error for row in cell.rows if row.error]
    if not errors:
        return None
    told = f"{len(errors)} of {len(cell.rows)} utterances; the first: {errors[0]}"
    entries = (*_place(cell), Entry("utterances skipped", flag="skipped"), Entry(told))
    return Row(cell.pipeline, kind_of(cell.pipeline), entries)


def _place(cell: Cell) -> tuple[Entry, ...]:
    return Entry(f"{cell.corpus}/{cell.split}"), Entry(cell.condition), Entry(cell.scenario)


def _bodies(rows: list[Row]) -> tuple[Body, ...]:
    return (Body("", tuple(rows)),) if rows else ()
