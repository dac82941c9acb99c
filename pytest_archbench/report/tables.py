"""The tables of the report: each a decorated pure function from a frame of networks to exact numbers.

A table is a pandas frame. Its file holds every number as it is; the page shows it as text (``sheet``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from pytest_archbench.registry import Registry
from pytest_archbench.report.columns import COLUMNS, fixed, measured
from pytest_archbench.report.figures import devices
from pytest_archbench.report.frames import legible
from pytest_archbench.report.sheets import Sheet


@dataclass(frozen=True, slots=True)
class Table:
    """``frame``: a column for each head, a row for each line; ``note`` is one sentence below the title."""

    title: str
    frame: pd.DataFrame
    note: str = ""


TABLES: Registry[Callable[[pd.DataFrame], Iterable[Table]]] = Registry("table")

Make = Callable[[pd.DataFrame], Iterable[Table]]


def table(name: str) -> Callable[[Make], Make]:
    """Register a pure function ``frame -> tables``; of a frame that it can say nothing of, none."""

    def register(make: Make) -> Make:
        TABLES.add(name, make)
        return make

    return register


def sheet(name: str, given: Table) -> Sheet:
    """A table as text: numbers with two places, or three significant ones; a dash where nothing was measured."""
    rows = given.frame.itertuples(index=False, name=None)
    heads = tuple(legible(head) for head in given.frame.columns)
    return Sheet(name, legible(given.title), heads, tuple(tuple(map(_text, row)) for row in rows), given.note)


def _text(value: object) -> str:
    if not measured(value):
        return "–"
    return fixed(value, 2) if isinstance(value, float) else legible(value)


@table("times")
def times(frame: pd.DataFrame) -> Iterable[Table]:
    """Time per image at each batch size, a table for each device (Bianco et al. 2018, Table 1)."""
    column = COLUMNS["image_latency"]
    for title, rows in devices(frame[frame["image_latency"].notna()]):
        several = rows["batch_size"].nunique() > 1
        if several:
            pivot = rows.pivot_table("image_latency", ["architecture"], "batch_size", aggfunc="last", sort=False)
            found = (pivot.sort_index(axis=1) / column.scale).reset_index()
            found.columns = pd.Index(["Network", *(f"batch {size}" for size in found.columns[1:])])
            yield Table(f"{column.heading} [{column.unit}]: {title}", found)
