"""Summaries for the report's tests: a realistic one, and those that try it."""

from __future__ import annotations

from dataclasses import replace

from report_record import record
from report_values import (
    FACTOR,
    HOSTILE,
    PIPELINES,
    REAL,
    RUN,
    comparisons,
    load_points,
    utterances,
    values,
)

from results.values import AlignedUtterance, Comparison, LoadPoint, Summary, Value


def make_summary() -> Summary:
    """Two runs, one corpus each, every kind of trouble."""
    corpora = ((RUN, "quick", tuple(FACTOR)), (REAL, "an4", ("clean",)))
    found: list[Value] = []
    for run, corpus, conditions in corpora:
        for pipeline in PIPELINES:
            found += values(run, corpus, pipeline, conditions)
    return Summary(
        runs=(record(RUN, "quick", "quick"), record(REAL, "an4", "an4")),
        values=tuple(found),
        comparisons=tuple(comparisons()),
        utterances=tuple(utterances()),
        load_points=tuple(load_points()),
    )


def small_summary() -> Summary:
    """One run, one pipeline, no capacity."""
    found = tuple(
        v
        for v in values(REAL, "an4", "hybrid-mono-trigram", ("clean",))
        if v.scenario == "offline" and not v.metric.startswith("streams")
    )
    return Summary(runs=(record(REAL, "an4", "an4"),), values=found)


def empty_summary() -> Summary:
    return Summary(runs=(), values=())


def hostile_summary() -> Summary:
    """Markup in every name that a person can choose."""
    name, corpus = f"hybrid-{HOSTILE}", f"an4{HOSTILE}"
    found = tuple(values(REAL, corpus, "hybrid-mono-trigram", ("clean",)))
    renamed = tuple(replace(v, pipeline=name) for v in found) + tuple(
        values(REAL, corpus, "e2e-crnn-wfst", ("clean",))
    )
    points = tuple(
        LoadPoint(REAL, name, corpus, "clean", n, 40.0, 60.0, 80.0, 90.0 * n, 200, 2.0, "meets", HOSTILE)
        for n in (1, 2, 4)
    )
    utterance = AlignedUtterance(
        REAL,
        name,
        corpus,
        "test",
        "clean",
        HOSTILE,
        HOSTILE,
        1,
        (("substitute", HOSTILE, "</svg><img src=x>"),),
    )
    run = record(REAL, HOSTILE, corpus)
    curve = {"steps": [50], "loss": [1.5], "seconds": [9.0], "dev": [], "ended": HOSTILE}
    learned = replace(run.cells[0], pipeline=name, training={"curve": curve})
    run = replace(run, cells=(learned, *run.cells[1:]))
    return Summary((run,), renamed, (), (utterance,), points)


def strange_summary() -> Summary:
    """What no run should give and one might: not-a-number, infinity, unknown metrics, empty names."""
    places = (
        (float("nan"), "ok"),
        (float("inf"), "ok"),
        (None, "ok"),
        (-1.5, "ok"),
        (0.0, "ok"),
        (7.0, "invalid"),
    )
    values = tuple(
        Value("r", pipeline, "c", "", "", "offline", metric, v, v, v, unit, 0, status)  # type: ignore[arg-type]
        for pipeline in ("hybrid-a", "e2e-b", "stranger$x_{1}$", "语音-识别")
        for metric in ("wer", "cer", "streams_per_gpu", "rtfx", "cost_per_audio_hour", "unheard_of")
        for v, status in places[: 1 + len(pipeline) % 6]
        for unit in ("%", "parsecs")
    )
    nan = float("nan")
    comparison = Comparison(
        "r", "c", "", "", "wer", "hybrid-a", "e2e-b", nan, nan, nan, nan, "not comparable", nan, ""
    )
    point = LoadPoint("r", "hybrid-a", "c", "", 0, 0.0, 0.0, nan, 0.0, 0, nan, "fails", "")
    return Summary((), values, (comparison,), (), (point,))
