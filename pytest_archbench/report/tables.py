"""The tables of the report: each a decorated pure function from a frame of networks to exact numbers.

A table is a pandas frame. Its file holds every number as it is; the page shows it as text (``sheet``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from pytest_archbench.protocols import IMAGENET
from pytest_archbench.registry import Registry
from pytest_archbench.report import constraints
from pytest_archbench.report.cells import legible
from pytest_archbench.report.columns import COLUMNS, fixed, measured
from pytest_archbench.report.figures import devices
from pytest_archbench.report.frames import MEASURED, labels
from pytest_archbench.report.sheets import Sheet


@dataclass(frozen=True, slots=True)
class Table:
    """``frame``: a column for each head, a row for each line; ``note`` is one sentence below the title.

    ``shown`` is another form of it for readers, where there is a better one than line by line.
    """

    title: str
    frame: pd.DataFrame
    note: str = ""
    shown: pd.DataFrame | None = None


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
    shown = given.frame if given.shown is None else given.shown
    rows, heads = shown.itertuples(index=False, name=None), tuple(legible(head) for head in shown.columns)
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
            named = rows.assign(label=_names(rows))
            pivot = named.pivot_table("image_latency", ["label"], "batch_size", aggfunc="last", sort=False)
            found = (pivot.sort_index(axis=1) / column.scale).reset_index()
            found.columns = pd.Index(["Network", *(f"batch {size}" for size in found.columns[1:])])
            yield Table(f"{column.heading} [{column.unit}]: {title}", found)


def _names(rows: pd.DataFrame) -> list[str]:
    """A name for each network, with its origin where rows of several stand in one table."""
    names = labels(rows)
    if rows["origin"].nunique() == 1:
        return names
    return [f"{name} ({origin})" for name, origin in zip(names, rows["origin"], strict=True)]


@table("limits")
def limits(frame: pd.DataFrame) -> Iterable[Table]:
    """The most accurate networks under limits of memory and speed, a table for each device (Bianco et al., Table 3)."""
    found = constraints.under_limits(frame)
    for (origin, data, device), rows in found.groupby(["origin", "top1_data", "device"], sort=False, dropna=False):
        told = [str(origin)] * (origin != MEASURED) + [f"top-1 on {data}"] * (data != IMAGENET)
        of = f" ({', '.join(told)})" if told else ""
        title = f"The most accurate networks under limits: {legible(device)}, batch 1{of}"
        yield Table(title, rows, constraints.note(frame[frame["origin"] == origin], str(device)), _by_speed(rows))


def _by_speed(rows: pd.DataFrame) -> pd.DataFrame:
    """A line for each memory limit and rank, a column for each speed: the network and its top-1 in percent."""
    cells = [f"{name} {top1 * 100:.2f}" for name, top1 in zip(rows["architecture"], rows["top1"], strict=True)]
    lines = rows.assign(cell=cells).pivot_table("cell", ["max_memory", "rank"], "min_rate", aggfunc="first")
    found: pd.DataFrame = lines.fillna("").reset_index()
    memory = [f"≤ {limit / constraints.GIB:g} GiB" for limit in found["max_memory"]]
    speeds = [f"≥ {rate:g} img/s" for rate in found.columns[2:]]
    found = found.assign(max_memory=memory, rank=[f"{rank:.0f}" for rank in found["rank"]])
    found.columns = pd.Index(["Memory", "Rank", *speeds])
    return found
