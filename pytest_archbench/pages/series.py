"""What of a night is published, and under which names: a benchmark per metric, batch size and variant, a parameter for
the network, a machine per device. Pure.

asv calls an upward step a regression, and nothing else. So a quantity where more is better is published as its
opposite (``TURNED``) or not at all.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_archbench.files import LONGEST, as_file
from pytest_archbench.points import Key
from pytest_archbench.records import Metric, Number, Point
from pytest_archbench.registry import METRICS

LARGEST = 1e100
"""Sums of absolute deviations, which steps are found by, must not overflow."""

UNITS = {"s": "seconds", "B": "bytes"}
"""The names by which asv knows units that it scales when it prints them."""

_WORD = re.compile(r"[\w-]+")
_MARKUP = frozenset("<>&\"'\\`")
"""Signs that asv's pages put into HTML as they are, or take for the end of a value."""
_ENDING = frozenset("()")
"""Signs by which they find the end of a benchmark's name."""


class Turned(NamedTuple):
    """A quantity where less is better, of one where more is: its name from the other's, its unit, its value."""

    ending: str
    name: str
    unit: str
    value: Callable[[Number], Number]


TURNED: Mapping[str, Turned] = {
    "fraction": Turned("accuracy", "error", "fraction", lambda value: 1 - value),
    "img/s": Turned("throughput", "time_per_image", "s", lambda value: 1 / value),
}
"""By the unit of a metric where more is better."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How a metric is published. ``tolerance`` is relative, ``description`` is plain text, and ``is_exact`` says that
    any change is a finding.
    """

    name: str
    unit: str
    value: Callable[[Number], Number] = field(compare=False)
    tolerance: float
    description: str
    is_exact: bool


class Place(NamedTuple):
    """Where a case is published: machine, benchmark, network, and what the benchmark shows."""

    machine: str
    benchmark: str
    model: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class Sheet:
    """A night as it is published: by machine and benchmark the values of the networks, what each benchmark shows, and
    how many values are left out, by why.
    """

    values: Mapping[str, Mapping[str, Mapping[str, Number]]]
    shown: Mapping[str, Shown]
    left_out: Counter[str]

    @property
    def count(self) -> int:
        return sum(len(models) for benchmarks in self.values.values() for models in benchmarks.values())


def sheet(points: Mapping[Key, Point], places: MutableMapping[Key, Place | str]) -> Sheet:
    """What of a night's points is published. ``places`` remembers from night to night where a case goes."""
    values: dict[str, dict[str, dict[str, Number]]] = {}
    found: dict[str, Shown] = {}
    left_out: Counter[str] = Counter()
    for case, point in points.items():
        if point.doubt:
            left_out["measured on a disturbed machine"] += 1
            continue
        if (place := places.get(case)) is None:
            place = places[case] = _place(case)
        if isinstance(place, str):
            left_out[place] += 1
        elif why := _unfit(point, place):
            left_out[why] += 1
        else:
            models = values.setdefault(place.machine, {}).setdefault(place.benchmark, {})
            models[place.model] = place.shown.value(point.value)
            found[place.benchmark] = place.shown
    return Sheet(values, found, left_out)


def machine(device: str) -> str:
    """A device's name as that of asv's machine, which is that of a folder too."""
    kept = _fits(device) and "/" not in device and device.strip(".") and not device.endswith(".json")
    return device if kept else as_file(f"device {device}")


def model(architecture: str) -> str:
    """A network's name as a value of the parameter, which asv prints as HTML in its legend."""
    return architecture if _fits(architecture) and not _ENDING & {*architecture} else as_file(f"model {architecture}")


def shown(metric: Metric) -> Shown | str:
    """How a metric is published, or why not."""
    opposite = "more is better" if metric.better == "higher" else "less is better"
    name, unit = metric.name, metric.unit
    value: Callable[[Number], Number] = _itself
    said = "any change is a finding, and only a rise is flagged" if metric.better == "equal" else opposite
    if metric.better == "higher":
        turned = TURNED.get(metric.unit)
        if turned is None:
            known = " or ".join(TURNED)
            return f"{metric.name}: more is better, which asv cannot show; only what is in {known} can be turned round"
        name = _turned_name(metric.name, turned)
        if METRICS.owns(name):
            return f"{metric.name}: it would be published as {name}, which is another metric"
        unit, value, said = turned.unit, turned.value, f"from {metric.name}; less is better"
    described = f"{metric.description or metric.name} ({said})"
    return Shown(_component(name), UNITS.get(unit, unit), value, metric.tolerance, described, metric.better == "equal")


def _place(case: Key) -> Place | str:
    architecture, metric, device, batch_size, variant = case
    if not METRICS.owns(metric):
        return f"{metric}: a metric that this version does not know"
    found = shown(METRICS[metric])
    if isinstance(found, str):
        return found
    benchmark = ".".join(filter(None, [found.name, f"bs{batch_size}", variant and _component(variant)]))
    return Place(machine(device), benchmark, model(architecture), found)


def _unfit(point: Point, place: Place) -> str:
    """Why a value cannot be shown among the others of its benchmark, or an empty text."""
    metric = METRICS[point.metric]
    if point.unit != metric.unit:
        return f"{point.metric}: expected {metric.unit}; got {point.unit}"
    if abs(point.value) > LARGEST:
        return f"{point.metric}: beyond ±{LARGEST:g}"
    if place.shown.value is not _itself and metric.unit == "img/s" and point.value <= 0:
        return f"{point.metric}: a rate of 0 has no time"
    return ""


def _itself(value: Number) -> Number:
    return value


def _turned_name(name: str, turned: Turned) -> str:
    """``top1_accuracy`` is ``top1_error``, ``throughput`` is ``time_per_image``, ``recall`` is ``recall_error``."""
    return name.removesuffix(turned.ending) + turned.name if name.endswith(turned.ending) else f"{name}_{turned.name}"


def _fits(name: str) -> bool:
    return len(name.encode("utf-8", "surrogatepass")) <= LONGEST and name.isprintable() and not _MARKUP & {*name}


def _component(name: str) -> str:
    """A metric's or variant's name as part of a benchmark's: asv divides those by dots, and keeps "summary" for its own
    files.
    """
    if _WORD.fullmatch(name) and _fits(name) and name != "summary":
        return name
    return as_file(f"metric {name}").replace(".", "_")


def benchmark(name: str, found: Shown, models: Iterable[str]) -> dict[str, object]:
    """asv's description of a benchmark. Parameters are written as Python writes them, which its pages expect."""
    return {
        "name": name,
        "code": html.escape(found.description),
        "param_names": ["model"],
        "params": [[repr(each) for each in sorted(models)]],
        "timeout": 0,
        "type": "track",
        "unit": found.unit,
        "version": found.unit,
    }
