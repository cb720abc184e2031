"""Tables of values, as a spreadsheet reads them."""

from __future__ import annotations

import csv
import io

from bench.tables import long_table, wide_table
from results.values import Value


def value(pipeline: str, metric: str, amount: float | None, unit: str = "%") -> Value:
    return Value("r", pipeline, "c", "test", "clean", "offline", metric, amount, None, None, unit, 3)


VALUES = (
    value("hybrid-a", "wer", 4.5),
    value("hybrid-a", "rtfx", 120.0, "x"),
    value("e2e-b", "wer", None),
    value("e2e-b", "rtfx", 300.0, "x"),
)


def test_the_long_table_survives_a_csv_reader() -> None:
    rows = list(csv.DictReader(io.StringIO(long_table(VALUES).to_csv(index=False))))
    assert [(row["pipeline"], row["metric"], row["value"]) for row in rows] == [
        ("hybrid-a", "wer", "4.5"),
        ("hybrid-a", "rtfx", "120.0"),
        ("e2e-b", "wer", ""),
        ("e2e-b", "rtfx", "300.0"),
    ]


def test_the_wide_table_has_a_row_a_pipeline_and_a_gap_for_what_is_missing() -> None:
    table = wide_table(VALUES).reset_index()
    assert list(table["pipeline"]) == ["hybrid-a", "e2e-b"]
    assert list(table["rtfx [x]"]) == [120.0, 300.0]
    assert list(table["wer [%]"].isna()) == [False, True]


def test_no_values_give_an_empty_table() -> None:
    assert len(long_table(())) == 0
    assert len(wide_table(())) == 0
