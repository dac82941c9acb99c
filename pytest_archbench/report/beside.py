"""What was published of the networks of a run, on other devices, beside what was measured here. Pure.

Shown and never asserted. Both sides are of the same topology, input size and batch size, and times are those of one
image on both.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from pytest_archbench.records import Baseline
from pytest_archbench.references import Reference
from pytest_archbench.report.cells import legible
from pytest_archbench.report.columns import COLUMNS
from pytest_archbench.report.counterparts import QUANTITIES, Known, Sides, Subject, frame, sides, value
from pytest_archbench.report.evidence import listed

SOURCES = ("bianco2018", "jolibrain", "timm")
"""Whose devices stand beside a run where no others are asked for."""
SAID = (
    "Shown, never asserted: published figures are of other hardware, software and precision, and none of them passes or"
    " fails anything here. Times are of one image on both sides, at the same input and batch size."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """Text and what is said of it when pointed at."""

    text: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A quantity at one batch size: a line for each network, a column for each device, those of the run first.

    ``heads`` are the columns' names and, below them, conditions; ``note`` names the networks of which nothing was
    published here.
    """

    name: str
    title: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cited:
    """A reference device that has a column, and the places in its source that its figures stand at."""

    device: Reference
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """Everything that stands beside a run. ``elsewhere`` says of which devices there are figures at other batch sizes
    only; ``frame`` holds all numbers in base units, unrounded.
    """

    comparisons: tuple[Comparison, ...]
    cited: tuple[Cited, ...]
    elsewhere: str
    frame: pd.DataFrame


def of(networks: pd.DataFrame, figures: Iterable[Baseline], devices: Sequence[Reference]) -> Beside | None:
    """What ``figures`` say of ``devices`` beside the measured rows of ``frames.networks``.

    None where nothing was measured that they could stand beside, or where no figure is of these devices.
    """
    both = sides(networks, figures, devices)
    if both is None:
        return None
    comparisons = tuple(_comparisons(both))
    shown = {name for comparison in comparisons for name, _ in comparison.heads}
    cited = tuple(_cited(device, both) for device in devices if device.name in shown)
    return Beside(comparisons, cited, _elsewhere(both), frame(both))


def _comparisons(both: Sides) -> Iterator[Comparison]:
    for quantity in QUANTITIES:
        of_it = [subject for subject in both.ours if subject.quantity == quantity]
        for batch_size in sorted({subject.batch_size for subject in of_it}):
            here = [subject for subject in of_it if subject.batch_size == batch_size]
            if any(both.theirs[subject] for subject in here):
                yield _comparison(quantity, batch_size, here, both)


def _comparison(quantity: str, batch_size: int, here: Iterable[Subject], both: Sides) -> Comparison:
    shown = [subject for subject in here if both.theirs[subject]]
    absent = [subject.network for subject in here if not both.theirs[subject]]
    places = list(dict.fromkeys(place for subject in shown for place in both.ours[subject]))
    there = [device for device in both.devices if any(device.name in both.theirs[subject] for subject in shown)]
    heads = [
        *((place, "measured here") for place in places),
        *((each.name, _conditions(each, quantity)) for each in there),
    ]
    return Comparison(
        f"beside_{quantity}_{batch_size}",
        f"{COLUMNS[quantity].heading} [{COLUMNS[quantity].unit}], batch {batch_size}",
        tuple(heads),
        tuple((subject.network, tuple(_cells(subject, places, there, both))) for subject in shown),
        f"Nothing was published at this batch size of {listed(absent)}." if absent else "",
    )


def _conditions(device: Reference, quantity: str) -> str:
    return device.memory if quantity.endswith("_memory") and device.memory else device.conditions


def _cells(subject: Subject, places: Iterable[str], there: Iterable[Reference], both: Sides) -> Iterator[Cell]:
    column = COLUMNS[subject.quantity]
    for place in places:
        number = both.ours[subject].get(place)
        yield Cell("–", "not measured") if number is None else Cell(column.show(number))
    for device in there:
        figures = both.theirs[subject].get(device.name, ())
        text = " / ".join(_shown(subject.quantity, figure) for figure in figures)
        yield Cell(text, "; ".join(map(_told, figures)) or _unpublished(subject, device, both.known))


def _shown(quantity: str, figure: Baseline) -> str:
    """A figure in the unit of the table with as many decimals as its precision, half a unit of the last place, has."""
    column = COLUMNS[quantity]
    number = value(quantity, figure)
    last_place = 2 * figure.precision * number / figure.value / column.scale if figure.value else 1.0
    decimals = -math.floor(round(math.log10(last_place), 9)) if last_place > 0 else column.decimals
    return f"{number / column.scale:.{min(max(decimals, 0), 12)}f}"


def _told(figure: Baseline) -> str:
    """``1.34 ms as printed, ResNet-50: average of 5 passes``"""
    named = figure.reference.rpartition(", ")[2]
    return legible(
        ": ".join(filter(None, [f"{figure.printed} {figure.printed_unit} as printed, {named}", figure.note]))
    )


def _unpublished(subject: Subject, device: Reference, known: Known) -> str:
    sizes = _batch_sizes(figure for name, figure in known.get(subject.key, ()) if name == device.name)
    return f"not published at this batch size, but at {sizes}" if sizes else "not published"


def _batch_sizes(figures: Iterable[Baseline]) -> str:
    return ", ".join(map(str, sorted({figure.batch_size or 0 for figure in figures})))


def _elsewhere(both: Sides) -> str:
    """Devices with figures of these networks and none at a batch size that was measured."""
    compared = {(subject.quantity, name) for subject in both.ours for name in both.theirs[subject]}
    found: dict[str, list[Baseline]] = defaultdict(list)
    for subject in both.ours:
        for name, figure in both.known.get(subject.key, ()):
            if (subject.quantity, name) not in compared:
                found[name].append(figure)
    said = [f"{name} ({_quantities(figures)} at batch {_batch_sizes(figures)})" for name, figures in found.items()]
    return f"Published at other batch sizes only, and not compared: {'; '.join(said)}." if said else ""


def _quantities(figures: Iterable[Baseline]) -> str:
    metrics = {figure.metric for figure in figures}
    return ", ".join(COLUMNS[quantity].name for quantity, (metric, _) in QUANTITIES.items() if metric in metrics)


def _cited(device: Reference, both: Sides) -> Cited:
    figures = [figure for there in both.theirs.values() for figure in there.get(device.name, ())]
    places = (figure.reference.rpartition(", ")[0] or figure.reference for figure in figures)
    return Cited(device, tuple(map(legible, dict.fromkeys(places))))
