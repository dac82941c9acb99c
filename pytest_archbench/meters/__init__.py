"""The instruments. A meter is a decorated function from what to measure to readings; one file is one instrument.

Importing a meter's file is cheap; torch is imported where a measurement runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings
from pytest_archbench.registry import METRICS, Registry


class CannotMeasure(RuntimeError):
    """The instrument does not exist here; the message says what is missing. The case is skipped with it.

    Raised for all metrics of a meter, or put in the place of a reading for one.
    """


Measure = Callable[[Architecture, Conditions, Settings], Mapping[str, Reading | CannotMeasure]]


@dataclass(frozen=True, slots=True)
class Meter:
    """An instrument: the metrics that one measurement yields, and the worker it runs in.

    ``worker`` names the process: ``""`` is the calling one (counting, which computes nothing), any other name a
    process apart.
    """

    name: str
    metrics: tuple[str, ...]
    measure: Measure
    worker: str = ""


METERS: Registry[Meter] = Registry("meter")


def meter(name: str, *metrics: Metric, worker: str = "") -> Callable[[Measure], Measure]:
    """Register the decorated function as the one meter of ``metrics``; raises DuplicateName."""

    def register(measure: Measure) -> Measure:
        names = tuple(METRICS.add(metric.name, metric).name for metric in metrics)
        METERS.add(name, Meter(name, names, measure, worker))
        return measure

    return register


def meter_of(metric: str) -> Meter:
    """The meter that yields a metric; raises UnknownName."""
    wanted = METRICS.resolve(metric)
    return next(entry for entry in METERS.values() if wanted in entry.metrics)


from pytest_archbench.meters import counts, latency, memory  # noqa: E402, F401  (each enters itself in the table)
