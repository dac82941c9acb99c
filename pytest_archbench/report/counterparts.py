"""The published counterparts of what was measured: of the same topology, input size and batch size. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pytest_archbench.records import Baseline
from pytest_archbench.references import Reference
from pytest_archbench.report.cells import legible
from pytest_archbench.report.columns import measured
from pytest_archbench.report.frames import MEASURED, labels, side

QUANTITIES = {
    "image_latency": ("latency", "s"),
    "throughput": ("throughput", "img/s"),
    "peak_memory": ("peak_memory", "B"),
    "device_memory": ("peak_memory", "B"),
}
"""By column of the frame the metric that is published, and the base unit of the column, in which files hold it. What is
published as memory is that of a whole process (Bianco et al. 2018, section IV): our ``device_memory`` is the same."""
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


Key = tuple[str, str, int]
Known = Mapping[Key, Sequence[tuple[str, Baseline]]]
"""Published figures, each with the short name of its device, by topology, metric and input size."""


@dataclass(frozen=True, slots=True)
class Sides:
    """``ours``: by subject and device what was measured. ``theirs``: by subject and short name of a device what was
    published at this batch size, which may be of several implementations. ``known``: the same at all batch sizes.
    """

    ours: Mapping[Subject, Mapping[str, float]]
    theirs: Mapping[Subject, Mapping[str, Sequence[Baseline]]]
    known: Known
    devices: Sequence[Reference]


def sides(networks: pd.DataFrame, figures: Iterable[Baseline], devices: Sequence[Reference]) -> Sides | None:
    """Both sides of each measured row of ``frames.networks``.

    None where nothing was measured that figures could stand beside, or where no figure is of these devices.
    """
    known, ours = _known(figures, devices), _measured(networks)
    if not known or not ours:
        return None
    return Sides(ours, {subject: dict(_there(subject, known, devices)) for subject in ours}, known, devices)


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


def frame(given: Sides) -> pd.DataFrame:
    """A row for each number of either side: ``columns`` as ``COLUMNS_OF_FILE``."""
    conditions = {device.name: device.conditions for device in given.devices}
    rows = []
    for subject, places in given.ours.items():
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
            for name, figures in given.theirs[subject].items()
            for figure in figures
        ]
    found: pd.DataFrame = pd.DataFrame(rows, columns=list(COLUMNS_OF_FILE), dtype=object)
    return found
