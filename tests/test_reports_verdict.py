"""The verdict claims what the comparisons and intervals say, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_fixture import make_summary, small_summary
from report_values import REAL, RUN

from reports.figures import Figures, Group
from reports.verdict import Verdict, verdict
from reports.wording import number, span, with_unit
from results.records import Cell, RunRecord
from results.values import Comparison, Summary, Value

A, B = "hybrid-x", "e2e-y"


def value(
    pipeline: str, metric: str, v: float | None, low: float | None, high: float | None, **more: object
) -> Value:
    units = {"wer": "%", "finalisation_p99": "ms", "cost_per_audio_hour": "USD/h", "rtfx": "x"}
    made = Value(
        "r1", pipeline, "c", "test", "clean", "offline", metric, v, low, high, units.get(metric, "streams"), 9
    )
    return replace(made, **more)  # type: ignore[arg-type]


def judged(*values: Value, comparisons: tuple[Comparison, ...] = ()) -> Verdict:
    summary = Summary((), values, comparisons)
    return verdict(Figures(summary), Group("r1", "c", "test"))


def compared(difference: float, verdict: str, a: str = A, b: str = B, metric: str = "wer") -> Comparison:
    ends = (difference - 1, difference + 1)
    return Comparison(
        "r1", "c", "test", "clean", metric, a, b, difference, *ends, 0.01, verdict, 2.0, "MAPSSWE"
    )


BOTH = (value(A, "wer", 8.0, 6.0, 10.0), value(B, "wer", 12.0, 10.0, 14.0))


def test_the_sentence_of_a_win() -> None:
    found = verdict(Figures(make_summary()), Group(REAL, "an4", "test"))
    assert found.lead == (
        "On an4/test (clean), the hybrid (hybrid-mono-trigram) makes 4.1 % absolute fewer word errors than "
        "e2e-crnn-wfst (95 % interval 1.2 to 7.0; MAPSSWE p = 0.003, Holm-adjusted)."
    )


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("winner", [A, B])
def test_a_win_reads_the_same_whichever_side_is_a(winner: str, swapped: bool) -> None:
    first, second = (B, A) if swapped else (A, B)
    sign = -1.0 if winner == first else 1.0
    found = judged(*BOTH, comparisons=(compared(4.0 * sign, "a" if winner == first else "b", first, second),))
    assert "makes 4.0 % absolute fewer word errors than" in found.lead
    assert "(95 % interval 3.0 to 5.0;" in found.lead
    assert found.lead.index(winner) < found.lead.index(A if winner == B else B)
    assert found.tiles[0].outcome == ("hybrid" if winner == A else "e2e")
    assert [side.wins for side in found.tiles[0].sides] == [winner == A, winner == B]


@pytest.mark.parametrize(("said", "words"), [
    ("tie", "it is a tie: the test does not separate"),
    ("not comparable", "are not comparable"),
    ("inconclusive", "is inconclusive"),
])  # fmt: skip
def test_no_winner_without_the_test(said: str, words: str) -> None:
    found = judged(*BOTH, comparisons=(compared(-4.0, said),))
    assert words in found.lead
    assert "fewer" not in found.lead
    assert found.tiles[0].chip == said
    assert not any(side.wins for side in found.tiles[0].sides)


def test_no_winner_without_a_comparison_however_large_the_gap() -> None:
    found = judged(value(A, "wer", 1.0, 0.9, 1.1), value(B, "wer", 90.0, 89.0, 91.0))
    assert "not compared pairwise" in found.lead
    assert found.tiles[0].outcome == "open"


@pytest.mark.parametrize("status", ["invalid", "not measured", "not available"])
def test_no_claim_on_a_figure_that_is_not_ok(status: str) -> None:
    spoiled = replace(BOTH[1], status=status)  # type: ignore[arg-type]
    found = judged(BOTH[0], spoiled, comparisons=(compared(-4.0, "a"),))
    assert "no winner in accuracy is claimed" in found.lead
    assert found.tiles[0].outcome == "none"
    fast = (value(A, "rtfx", 90.0, 89.0, 91.0), value(B, "rtfx", 10.0, 9.0, 11.0, status=status))
    assert not any(side.wins for tile in judged(*BOTH, *fast).tiles for side in tile.sides)


@pytest.mark.parametrize(("metric", "a", "b", "outcome"), [
    ("streams_per_core", (40, 38, 42), (20, 19, 21), "hybrid"),
    ("streams_per_core", (20, 19, 21), (40, 38, 42), "e2e"),
    ("streams_per_core", (20, 19, 30), (29, 28, 42), "tie"),
    ("streams_per_core", (20, None, None), (40, 38, 42), "open"),
    ("finalisation_p99", (20, 19, 21), (40, 38, 42), "hybrid"),
    ("cost_per_audio_hour", (0.4, 0.3, 0.5), (0.1, 0.1, 0.2), "e2e"),
    ("rtfx", (20, 19, 21), (21, 21, 22), "tie"),
    ("streams_per_gpu", (20, 19, 21), (400, 390, 410), "e2e"),
])  # fmt: skip
def test_speed_is_judged_by_intervals(metric: str, a: tuple, b: tuple, outcome: str) -> None:  # type: ignore[type-arg]
    found = judged(*BOTH, value(A, metric, *a), value(B, metric, *b))
    tiles = {tile.label: tile for tile in found.tiles}
    labels = {"streams_per_core": "Streams per core", "finalisation_p99": "Latency (finalisation p99)",
              "cost_per_audio_hour": "Cost per audio hour", "rtfx": "Batch speed (RTFx)",
              "streams_per_gpu": "Streams per GPU"}  # fmt: skip
    assert tiles[labels[metric]].outcome == outcome


def test_a_comparison_of_speed_goes_before_the_intervals() -> None:
    speeds = (value(A, "rtfx", 90.0, 89.0, 91.0), value(B, "rtfx", 10.0, 9.0, 11.0))
    found = judged(*BOTH, *speeds, comparisons=(compared(80.0, "tie", metric="rtfx"),))
    assert next(tile for tile in found.tiles if "RTFx" in tile.label).chip == "tie"


def test_how_much_is_the_shown_figures_over_one_another() -> None:
    found = verdict(Figures(make_summary()), Group(RUN, "quick", "test"))
    said = {tile.label: tile.sentence for tile in found.tiles}
    assert "2.2 times as many streams on one core as e2e-crnn-wfst" in said["Streams per core"]  # 38 and 17
    assert "56 % less per audio hour" in said["Cost per audio hour"]  # 0.00147 and 0.00333
    assert next(tile for tile in found.tiles if tile.label == "Streams per GPU").chip == "not measured"


def test_runs_are_never_set_against_each_other() -> None:
    here = value(A, "wer", 8.0, 6.0, 10.0)
    there = replace(value(B, "wer", 12.0, 10.0, 14.0), run="r2")
    figures = Figures(Summary((), (here, there), (compared(-4.0, "a"),)))
    for group in figures.groups:
        assert "measured alone" in verdict(figures, group).lead


def test_other_conditions_have_verdicts_of_their_own() -> None:
    found = verdict(Figures(make_summary()), Group(RUN, "quick", "test"))
    assert [(line.condition, line.outcome) for line in found.conditions] == [
        ("noisy", "tie"),
        ("telephone", "e2e"),
    ]


def test_a_better_peer_is_not_passed_over() -> None:
    peer = value("peer-z", "wer", 4.0, 3.0, 5.0)
    found = judged(*BOTH, peer, comparisons=(compared(-4.0, "a"), compared(-4.0, "a", "peer-z", A)))
    assert "fewer errors than hybrid-x" in found.others[0]


def test_one_pipeline_alone() -> None:
    found = verdict(Figures(small_summary()), Group(REAL, "an4", "test"))
    assert "nothing to compare" in found.lead


@pytest.mark.parametrize(("shown", "wanted"), [
    (with_unit(5.947, "%", 3.4), "5.9 %"), (with_unit(5.947, "%", 0.4), "5.95 %"),
    (with_unit(62.13, "x"), "62.1×"),
    (with_unit(1240.4, "ms"), "1,240 ms"), (with_unit(0.56, "ms"), "0.560 ms"),
    (with_unit(34.2e6, "B"), "34.2 MB"),
    (with_unit(402, "s"), "6.70 min"), (with_unit(46.0, "streams"), "46"), (with_unit(None, "ms"), "—"),
    (with_unit(0.00147, "USD/h"), "0.00147 USD/h"), (number(float("nan")), "—"), (number(-1.5, "%"), "−1.5"),
    (span(4.31, 7.79, "%"), "4.3–7.8"), (span(-0.9, 2.2, "%"), "−0.9 to 2.2"), (span(None, 1.0, "%"), ""),
    (span(31.1e6, 39.9e6, "B", 34.2e6), "31.1–39.9"),
])  # fmt: skip
def test_digits(shown: str, wanted: str) -> None:
    assert shown == wanted


def test_an_open_interval_still_separates() -> None:
    """A bracket without an upper end (no number was seen to fail) lies above one that ends below it."""
    found = judged(
        *BOTH, value(A, "streams_per_core", 512, 512, None), value(B, "streams_per_core", 20, 20, 22)
    )
    tile = next(tile for tile in found.tiles if tile.label == "Streams per core")
    assert (tile.outcome, tile.sides[0].interval) == ("hybrid", "≥ 512")
    both_open = (value(A, "streams_per_core", 512, 512, None), value(B, "streams_per_core", 20, 20, None))
    assert next(t for t in judged(*BOTH, *both_open).tiles if t.label == "Streams per core").chip == "tie"


def test_the_test_is_named_once() -> None:
    long = replace(
        compared(-4.0, "a"), test="MAPSSWE, Holm-adjusted; interval by paired bootstrap over speakers"
    )
    assert "; MAPSSWE p = 0.010, Holm-adjusted)" in judged(*BOTH, comparisons=(long,)).lead


def test_devices_are_not_compared_in_speed() -> None:
    cells = tuple(
        Cell(pipeline, "c", "test", "clean", "offline", facts={"device": device})
        for pipeline, device in ((A, "cpu"), (B, "cuda:0"))
    )
    record = RunRecord("r1", "x", "2026-11-21T00:00:00Z", {}, {}, {}, {}, {}, {}, {}, cells)
    speeds = (value(A, "rtfx", 20, 19, 21), value(B, "rtfx", 400, 390, 410))
    found = verdict(Figures(Summary((record,), (*BOTH, *speeds))), Group("r1", "c", "test"))
    assert next(tile for tile in found.tiles if "RTFx" in tile.label).chip == "not comparable"
