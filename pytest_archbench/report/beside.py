"""What was published of the networks of a run, on other devices, beside what was measured here. Pure.

Shown and never asserted. Both sides are of the same topology, input size and batch size, and times are those of one
image on both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pytest_archbench.records import Baseline
from pytest_archbench.references import Reference
from pytest_archbench.report.cells import legible
from pytest_archbench.report.columns import COLUMNS, measured
from pytest_archbench.report.evidence import listed
from pytest_archbench.report.frames import MEASURED, labels, side

SOURCES = ("bianco2018", "jolibrain", "timm")
"""Whose devices stand beside a run where no others are asked for."""
QUANTITIES = {
    "image_latency": ("latency", "s"),
    "throughput": ("throughput", "img/s"),
    "peak_memory": ("peak_memory", "B"),
}
"""By column of the frame the metric that is published, and the base unit of the column, in which files hold it."""
SAID = (
    "Shown, never asserted: published figures are of other hardware, software and precision, and none of them passes or"
    " fails anything here. Times are of one image on both sides, at the same input and batch size."
)
COLUMNS_OF_FILE = (
    *("quantity", "architecture", "input_size", "batch_size", "device", "origin", "value", "unit"),
    *("printed", "printed_unit", "reference", "conditions", "note"),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What both sides are of: a quantity of one network at an input of ``size`` pixels and at a batch size."""

    quantity: str
    network: str
    topology: str
    size: int
    batch_size: int

    @property
    def key(self) -> tuple[str, str, int]:
        """What published figures are found by."""
        return self.topology, QUANTITIES[self.quantity][0], self.size


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


Key = tuple[str, str, int]
Known = Mapping[Key, Sequence[tuple[str, Baseline]]]
"""Published figures, each with the short name of its device, by topology, metric and input size."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """``ours``: by subject and device what was measured. ``theirs``: by subject and short name of a device what was
    published at this batch size, which may be of several implementations. ``known``: the same at all batch sizes.
    """

    ours: Mapping[Subject, Mapping[str, float]]
    theirs: Mapping[Subject, Mapping[str, Sequence[Baseline]]]
    known: Known
    devices: Sequence[Reference]


def of(networks: pd.DataFrame, figures: Iterable[Baseline], devices: Sequence[Reference]) -> Beside | None:
    """What ``figures`` say of ``devices`` beside the measured rows of ``frames.networks``.

    None where nothing was measured that they could stand beside, or where no figure is of these devices.
    """
    known, ours = _known(figures, devices), _measured(networks)
    if not known or not ours:
        return None
    sides = _Sides(ours, {subject: dict(_there(subject, known, devices)) for subject in ours}, known, devices)
    comparisons = tuple(_comparisons(sides))
    shown = {name for comparison in comparisons for name, _ in comparison.heads}
    cited = tuple(_cited(device, sides) for device in devices if device.name in shown)
    return Beside(comparisons, cited, _elsewhere(sides), _frame(sides))


def _known(figures: Iterable[Baseline], devices: Iterable[Reference]) -> Known:
    """A figure whose source does not state the input size or the batch size stands beside nothing."""
    names = {text: device.name for device in devices for text in device.texts}
    metrics = {metric for metric, _ in QUANTITIES.values()}
    found: dict[Key, list[tuple[str, Baseline]]] = defaultdict(list)
    for figure in figures:
        name = names.get((figure.source, figure.device or ""))
        if name and figure.metric in metrics and figure.input_size and figure.batch_size:
            found[figure.architecture, figure.metric, figure.input_size].append((name, figure))
    return found


def _measured(networks: pd.DataFrame) -> dict[Subject, dict[str, float]]:
    found: dict[Subject, dict[str, float]] = defaultdict(dict)
    ours = networks[networks["origin"] == MEASURED]
    for name, record in zip(labels(ours), ours.to_dict("records"), strict=True):
        size, batch_size = side(record["input_shape"]), record["batch_size"]
        for quantity in QUANTITIES if size and isinstance(batch_size, int) else ():
            if measured(record[quantity]):
                subject = Subject(quantity, name, record["topology"], size or 0, batch_size)
                found[subject][record["device"] or "no device"] = record[quantity]
    return found


def _there(subject: Subject, known: Known, devices: Iterable[Reference]) -> Iterator[tuple[str, list[Baseline]]]:
    """The figures of each device, one for each name that the source gives the network: the one with the most places."""
    for device in devices:
        best: dict[str, Baseline] = {}
        for name, figure in known.get(subject.key, ()):
            if name == device.name and figure.batch_size == subject.batch_size:
                named = figure.reference.rpartition(", ")[2]
                best[named] = min(best.get(named, figure), figure, key=lambda each: each.precision)
        if best:
            yield device.name, sorted(best.values(), key=lambda each: each.value)


def value(quantity: str, figure: Baseline) -> float:
    """A figure as the column of the frame holds it: of the time of a batch the time of an image."""
    return figure.value / (figure.batch_size or 1) if quantity == "image_latency" else figure.value


def _comparisons(sides: _Sides) -> Iterator[Comparison]:
    for quantity in QUANTITIES:
        of_it = [subject for subject in sides.ours if subject.quantity == quantity]
        for batch_size in sorted({subject.batch_size for subject in of_it}):
            here = [subject for subject in of_it if subject.batch_size == batch_size]
            if any(sides.theirs[subject] for subject in here):
                yield _comparison(quantity, batch_size, here, sides)


def _comparison(quantity: str, batch_size: int, here: Iterable[Subject], sides: _Sides) -> Comparison:
    shown = [subject for subject in here if sides.theirs[subject]]
    absent = [subject.network for subject in here if not sides.theirs[subject]]
    places = list(dict.fromkeys(place for subject in shown for place in sides.ours[subject]))
    there = [device for device in sides.devices if any(device.name in sides.theirs[subject] for subject in shown)]
    heads = [
        *((place, "measured here") for place in places),
        *((each.name, _conditions(each, quantity)) for each in there),
    ]
    return Comparison(
        f"beside_{quantity}_{batch_size}",
        f"{COLUMNS[quantity].heading} [{COLUMNS[quantity].unit}], batch {batch_size}",
        tuple(heads),
        tuple((subject.network, tuple(_cells(subject, places, there, sides))) for subject in shown),
        f"Nothing was published at this batch size of {listed(absent)}." if absent else "",
    )


def _conditions(device: Reference, quantity: str) -> str:
    return device.memory if quantity == "peak_memory" and device.memory else device.conditions


def _cells(subject: Subject, places: Iterable[str], there: Iterable[Reference], sides: _Sides) -> Iterator[Cell]:
    column = COLUMNS[subject.quantity]
    for place in places:
        number = sides.ours[subject].get(place)
        yield Cell("–", "not measured") if number is None else Cell(column.show(number))
    for device in there:
        figures = sides.theirs[subject].get(device.name, ())
        text = " / ".join(column.show(value(subject.quantity, figure)) for figure in figures)
        yield Cell(text, "; ".join(map(_told, figures)) or _unpublished(subject, device, sides.known))


def _told(figure: Baseline) -> str:
    """``1.34 ms as printed, ResNet-50: average of 5 passes``"""
    named = figure.reference.rpartition(", ")[2]
    return legible(
        ": ".join(filter(None, [f"{figure.printed} {figure.printed_unit} as printed, {named}", figure.note]))
    )


def _unpublished(subject: Subject, device: Reference, known: Known) -> str:
    sizes = _batch_sizes(pair for pair in known.get(subject.key, ()) if pair[0] == device.name)
    return f"not published at this batch size, but at {sizes}" if sizes else "not published"


def _batch_sizes(figures: Iterable[tuple[str, Baseline]]) -> str:
    return ", ".join(map(str, sorted({figure.batch_size or 0 for _, figure in figures})))


def _elsewhere(sides: _Sides) -> str:
    """Devices with figures of these networks and none at a batch size that was measured."""
    compared = {(subject.quantity, name) for subject in sides.ours for name in sides.theirs[subject]}
    found: dict[tuple[str, str], list[tuple[str, Baseline]]] = defaultdict(list)
    for subject in sides.ours:
        for name, figure in sides.known.get(subject.key, ()):
            if (subject.quantity, name) not in compared:
                found[subject.quantity, name].append((name, figure))
    said = [f"{name} ({COLUMNS[key].name} at {_batch_sizes(each)})" for (key, name), each in found.items()]
    return f"Published at other batch sizes only, and not compared: {', '.join(said)}." if said else ""


def _cited(device: Reference, sides: _Sides) -> Cited:
    figures = [figure for there in sides.theirs.values() for figure in there.get(device.name, ())]
    places = (figure.reference.rpartition(", ")[0] or figure.reference for figure in figures)
    return Cited(device, tuple(map(legible, dict.fromkeys(places))))


def _frame(sides: _Sides) -> pd.DataFrame:
    """A row for each number of either side: ``columns`` as ``COLUMNS_OF_FILE``."""
    conditions = {device.name: device.conditions for device in sides.devices}
    rows = []
    for subject, places in sides.ours.items():
        of_both = {
            "quantity": subject.quantity,
            "architecture": subject.network,
            "input_size": subject.size,
            "batch_size": subject.batch_size,
            "unit": QUANTITIES[subject.quantity][1],
        }
        rows += [of_both | {"device": place, "origin": MEASURED, "value": number} for place, number in places.items()]
        rows += [
            of_both
            | {"device": name, "origin": figure.source, "value": value(subject.quantity, figure)}
            | {"printed": figure.printed, "printed_unit": figure.printed_unit, "reference": legible(figure.reference)}
            | {"conditions": conditions[name], "note": legible(figure.note)}
            for name, figures in sides.theirs[subject].items()
            for figure in figures
        ]
    found: pd.DataFrame = pd.DataFrame(rows, columns=list(COLUMNS_OF_FILE), dtype=object)
    return found
