"""The instruments. A meter is a decorated function from what to measure to readings; one file is one instrument.

Importing a meter's file is cheap; torch is imported where a measurement runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import isgeneratorfunction
from typing import Any, TypeVar

from pytest_archbench.computing import torch_device
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings
from pytest_archbench.registry import METRICS, Registry


class CannotMeasure(RuntimeError):
    """The instrument does not exist here; the message says what is missing. The case is skipped with it.

    Raised for all metrics of a meter, or put in the place of a reading for one.
    """


Readings = Mapping[str, Reading | CannotMeasure]


@dataclass(frozen=True, slots=True)
class Part:
    """How far a long measurement is: ``done`` of ``total`` (``unit``: images, epochs), the seconds that the rest may
    take, and what was read by now. It is whole when all is done.

    What is done is kept in ``Learning.keep``, so that the same measurement, begun again, goes on from there.
    """

    done: int
    total: int
    unit: str
    left: float
    readings: Readings

    @property
    def whole(self) -> bool:
        return self.done >= self.total


Obstacle = Callable[[str, str], str]
"""``(metric, device) -> why it cannot be measured there``, an empty text where it can."""
Measure = Callable[[Architecture, Conditions, Settings], Readings | Iterator[Part]]
"""A quick meter answers with its readings, a long one with parts of which the last is whole."""


@dataclass(frozen=True, slots=True)
class Meter:
    """An instrument: the metrics that one measurement yields, and the worker it runs in.

    ``worker`` names the process: ``""`` is the calling one (counting, which computes nothing), any other name a
    process apart. ``by_request``: it needs data, so it measures only where one of its metrics is asked for by name.
    ``beside`` are metrics of other meters that are taken with it where it is asked for as a whole. ``obstacle`` tells
    before anything is measured where its metrics do not exist, ``varied`` whether a variant of a network (its type,
    its memory format, what runs it) has another value. ``alone``: every case has a process of its own.
    """

    name: str
    metrics: tuple[str, ...]
    measure: Measure
    worker: str = ""
    by_request: bool = False
    beside: tuple[str, ...] = ()
    obstacle: Obstacle | None = None
    varied: bool = False
    alone: bool = False

    @property
    def is_long(self) -> bool:
        """Whether it answers in parts."""
        return isgeneratorfunction(self.measure)


METERS: Registry[Meter] = Registry("meter")
M = TypeVar("M", bound=Measure)


def meter(name: str, *metrics: Metric, **traits: Any) -> Callable[[M], M]:
    """Register the decorated function as the one meter of ``metrics``; ``traits`` are the other fields of ``Meter``.

    Raises: DuplicateName.
    """

    def register(measure: M) -> M:
        names = tuple(METRICS.add(metric.name, metric).name for metric in metrics)
        METERS.add(name, Meter(name, names, measure, **traits))
        return measure

    return register


def obstacle(meter: Meter, metric: str, device: str) -> str:
    """Why a metric of a meter cannot be measured on a device, as far as can be said before; else an empty text."""
    return meter.obstacle(metric, device) if meter.obstacle else ""


def existing_on(kinds: Mapping[str, tuple[str, ...]]) -> Obstacle:
    """The obstacle of metrics that exist on some kinds of device alone; one that is not named exists on all."""

    def elsewhere(metric: str, device: str) -> str:
        here = torch_device(device).partition(":")[0]
        return "" if here in kinds.get(metric, (here,)) else f"exists on {', '.join(kinds[metric])} alone"

    return elsewhere


def meter_of(metric: str) -> Meter:
    """The meter that yields a metric; raises UnknownName."""
    wanted = METRICS.resolve(metric)
    return next(entry for entry in METERS.values() if wanted in entry.metrics)


from pytest_archbench.meters import (  # noqa: E402  (each enters itself in the table)
    accuracy,  # noqa: F401
    counts,  # noqa: F401
    device_memory,  # noqa: F401
    energy,  # noqa: F401
    latency,  # noqa: F401
    memory,  # noqa: F401
    training,  # noqa: F401
)
