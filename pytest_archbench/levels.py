"""What compares between two runs: the quantity, and the facts that must be equal before. Pure."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from pytest_archbench import stats
from pytest_archbench.inputs import plain
from pytest_archbench.records import Better, Metric, Point

UNKNOWN = "unknown"
PROTOCOL = "protocol"
"""What the names of facts begin with that say how something was learned: no device's, and compared all the same."""
FACTS = 4
"""How many differing facts a sentence names; it counts the rest."""

_NORMALISED: Mapping[tuple[str, Better], Callable[[float, float], float]] = {
    ("s", "lower"): operator.truediv,
    ("img/s", "higher"): operator.mul,
}
"""How a value and the reference workload's time (s) beside it make a quantity free of the machine's own speed."""

QUARTILES: Mapping[str, int] = {"s": 25, "img/s": 75}
"""Which percentile stands for many values of a unit, the median for others. What else a machine does only ever makes a
network slower, so the quartile on the fast side scatters less between runs than the median does."""

_OF_THE_DEVICE = ("device", "threads")
"""Conditions under which no static count can change."""


def can_be_normalised(metric: Metric) -> bool:
    """Whether the machine's own speed has a part in the metric's values."""
    return (metric.unit, metric.better) in _NORMALISED


def is_normalised(point: Point, metric: Metric) -> bool:
    """Whether every trial has a time of the reference workload, by which ``level`` frees it of the machine's speed."""
    references = [reference for _, reference in point.trials]
    usable = bool(references) and all(reference is not None and reference > 0 for reference in references)
    return usable and can_be_normalised(metric)


def level(point: Point, metric: Metric) -> float:
    """The quantity that compares between runs: the median over the trials of a time divided by the reference
    workload's, or of a rate multiplied by it; the value itself, in its unit, where a trial has no reference.

    The median, since a process may be unlucky on either side: with the network's place in memory or the workload's.
    """
    return statistics.median(levels(point, metric)) if is_normalised(point, metric) else point.value


def quartile(values: Sequence[float], unit: str) -> float:
    """What stands for many values of a unit (``QUARTILES``)."""
    return stats.percentile(values, QUARTILES.get(unit, 50))


def levels(point: Point, metric: Metric) -> list[float]:
    """The comparable quantity of each trial; of the whole where there are no trials."""
    if not is_normalised(point, metric):
        return [value for value, _ in point.trials] or [point.value]
    normalise = _NORMALISED[metric.unit, metric.better]
    return [normalise(value, reference) for value, reference in point.trials if reference is not None]


def unlike(ours: Point, theirs: Point, metric: Metric) -> str:
    """The first facts in which two runs differ, each with both values, or an empty text where their values compare."""
    facts = [f"{name} is {a} here and {b} there" for name, a, b in differing(ours, theirs, metric)]
    more = [f"and {len(facts) - FACTS} more"] if len(facts) > FACTS else []
    return "; ".join(facts[:FACTS] + more)


def differing(ours: Point, theirs: Point, metric: Metric) -> list[tuple[str, Any, Any]]:
    """The facts in which two runs differ: name, ours, theirs.

    A static count compares whatever the device, its threads and its fingerprint are. A key that one fingerprint lacks
    is unknown there.
    """
    if _same(ours, theirs, metric):
        return []
    here, there = _facts(ours, metric), _facts(theirs, metric)
    pairs = ((name, here.get(name, UNKNOWN), there.get(name, UNKNOWN)) for name in dict.fromkeys([*here, *there]))
    return [pair for pair in pairs if pair[1] != pair[2]]


PACE = 0.25
"""How far (relative) the machine's pace may differ between two runs. What is divided by the reference workload is taken
to slow down as that does; of a machine that is busy elsewhere, or of a network that waits, that is not true."""


def other_pace(ours: Point, theirs: Sequence[Point], metric: Metric) -> str:
    """What the reference workload took on both sides where that is too far apart, or an empty text."""
    if not is_normalised(ours, metric):
        return ""
    here, there = _pace(ours), statistics.median(map(_pace, theirs))
    if abs(math.log(here / there)) <= math.log1p(PACE):
        return ""
    return f"the reference workload took {here * 1e3:.3g} ms here and {there * 1e3:.3g} ms there"


def raw(point: Point) -> Point:
    """The same as it was measured, the machine's own speed left in."""
    return replace(point, trials=tuple((value, None) for value, _ in point.trials))


def _pace(point: Point) -> float:
    """Seconds of the reference workload, the median over the trials; of a point that ``is_normalised``."""
    return statistics.median(reference for _, reference in point.trials if reference is not None)


def _same(ours: Point, theirs: Point, metric: Metric) -> bool:
    """Whether all facts are equal as they are written: so it is with most pairs, and quickly known."""
    facts = ("architecture", "metric", "unit", "conditions", "convention", "fingerprint")
    equal = all(getattr(ours, name) == getattr(theirs, name) for name in facts)
    return equal and is_normalised(ours, metric) == is_normalised(theirs, metric)


def _facts(point: Point, metric: Metric) -> dict[str, Any]:
    """What must be equal before two values compare, by name."""
    facts = {"architecture": point.architecture, "metric": point.metric, "unit": point.unit}
    facts |= {each.name: _listed(getattr(point.conditions, each.name)) for each in fields(point.conditions)}
    facts["convention"] = point.convention or "not stated"
    if not metric.per_device:
        learned = {name: fact for name, fact in point.fingerprint.items() if name.startswith(f"{PROTOCOL}.")}
        return {name: fact for name, fact in (facts | learned).items() if name not in _OF_THE_DEVICE}
    facts["reference workload"] = "measured" if is_normalised(point, metric) else "not measured"
    return facts | {name: UNKNOWN if fact is None else _listed(fact) for name, fact in point.fingerprint.items()}


def _listed(fact: Any) -> Any:
    """A shape, or shapes, as JSON gives them back; anything else as it is."""
    shape = plain(fact)
    return fact if shape is None else shape
