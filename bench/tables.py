"""Values as tables: for spreadsheets and notebooks (long), and for a look in the terminal (wide)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields

import pandas as pd

from results.values import Value

PLACE = ("corpus", "split", "condition", "pipeline", "scenario")


def long_table(values: Iterable[Value]) -> pd.DataFrame:
    """A row for each value, its fields as columns, in order."""
    return pd.DataFrame([asdict(value) for value in values], columns=[entry.name for entry in fields(Value)])


def wide_table(values: Iterable[Value]) -> pd.DataFrame:
    """A row for each cell (`PLACE`), a column for each metric, its unit in brackets.

    What was not measured is missing.
    """
    table = long_table(values)
    table["column"] = (table["metric"] + " [" + table["unit"] + "]").where(
        table["unit"] != "", table["metric"]
    )
    wide = table.pivot_table("value", index=list(PLACE), columns="column", aggfunc="first", sort=False)
    wide.columns.name = None
    return wide
