"""Energy of a forward pass: what a sensor of the device counts in windows of passes, and beyond what it takes at rest.

One measurement: warm-up, rest, six windows of passes, rest. The sensor is looked for first, before anything is built.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from pytest_archbench import machine, stats
from pytest_archbench.computing import tf32
from pytest_archbench.meters import CannotMeasure, meter, timing
from pytest_archbench.meters.latency import Stopwatch
from pytest_archbench.meters.witness import Witness
from pytest_archbench.power.finding import find
from pytest_archbench.power.polling import Poller
from pytest_archbench.power.sensors import NoSensor, Sensor, SensorLost
from pytest_archbench.power.window import Window, stuck
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings
from pytest_archbench.registry import METRICS

ROOT = Path("/")
"""Where /proc and /sys lie."""
WINDOWS = 6
"""Samples. Of so many, the whole range holds the median with 97 %; of five it would not with 95 %."""
PERIODS = 50
"""Of the sensor in a window, at least. What it says at an end is up to a period old, so that a window's length is known
to one period, 2 %; and each begins and ends at another moment of it."""
SETTLE = 1.0
"""Seconds of rest, or of passes, before either is measured: clocks, fans and averages of a driver follow late."""
SHORTEST_REST = 1.0
"""Seconds."""
DRIFT = 0.1
"""How much (relative) the power at rest may differ before and after."""
NEIGHBOURS = 0.1
"""Processors that others keep busy, for each of our threads, before energy that they share is doubtful."""
SLOW = 0.5
"""Share of the polls asked for below which a polled power is doubtful."""

HEATS = {"hottest part of the host": "temperature", "GPU": "gpu_temperature"}
"""What the notes call a fact of the machine."""

CONVENTIONS = {
    "energy": "per image, idle included",
    "energy_above_idle": "per image, less idle power times time; idle: network loaded, before and after its passes",
    "power": "average over the windows, idle included",
}
"""By metric; the sensor's own convention stands before it."""


@functools.lru_cache(maxsize=16)
def _obstacle(device: str, root: Path) -> str:
    """Asked once for every metric of every device, and a sensor neither comes nor goes while a run is planned."""
    try:
        find(device, root)
    except NoSensor as reason:
        return str(reason)
    return ""


def energy_obstacle(_metric: str, device: str) -> str:
    """Why nothing tells a device's energy, or an empty text."""
    return _obstacle(device, ROOT)


@meter(
    "consumption",
    Metric("energy", "J", "lower", tolerance=0.05, description="energy per image, idle included, median"),
    Metric("energy_above_idle", "J", "lower", tolerance=0.1, description="energy per image beyond idle, median"),
    Metric("power", "W", "lower", tolerance=0.05, description="average power while it runs, median"),
    worker="energy",
    obstacle=energy_obstacle,
    varied=True,
)
def energy(architecture: Architecture, conditions: Conditions, settings: Settings) -> Mapping[str, Reading]:
    """Run passes while a sensor of the device counts.

    Raises: CannotMeasure without a sensor; SensorLost where it is lost while passes run.
    """
    try:
        sensor = find(conditions.device, ROOT)
    except NoSensor as reason:
        raise CannotMeasure(str(reason)) from None
    watch = Stopwatch(architecture, conditions)
    timing.warm_up(watch, settings.time_budget)
    witness = Witness(conditions.device)
    length = max(PERIODS * sensor.period, settings.time_budget / WINDOWS)
    taken = take(watch.forward, sensor, length, witness.work_ends)
    facts = witness.facts()
    doubts = (*machine.disturbed(facts), *_neighbours(sensor, facts, conditions.threads))
    found = samples(taken, conditions.batch_size)
    notes = (*watch.ready.notes, *tf32(conditions.device), *_notes(sensor, taken, facts))
    return {
        metric: Reading(
            found[metric],
            f"{sensor.convention}, {convention}",
            notes=notes,
            input_shape=watch.ready.fed,
            dtype=watch.ready.dtype,
            machine=facts,
            disturbed=doubts,
            imprecise="; ".join(_imprecise(metric, found[metric], sensor, taken, doubts)),
        )
        for metric, convention in CONVENTIONS.items()
    }


@dataclass(frozen=True, slots=True)
class Taken:
    """The windows of a measurement: of passes, and of rest before and after them; reads of the sensor that failed."""

    before: Window
    windows: tuple[Window, ...]
    after: Window
    reads: int
    failed: int
    why: str

    @property
    def idle(self) -> float:
        """W at rest: the mean of before and after."""
        return (self.before.power + self.after.power) / 2

    @property
    def drift(self) -> float:
        """Relative change of the power at rest from before to after; 0 where there was none."""
        return self.after.power / self.before.power - 1 if self.before.power else float(self.after.power > 0)

    @property
    def pace(self) -> float:
        """Polls a second that were reached in the windows."""
        return statistics.median((len(window.polls) - 1) / window.seconds for window in self.windows)


def take(
    forward: Callable[[], object], sensor: Sensor, length: float, work_ends: Callable[[], object] = lambda: None
) -> Taken:
    """Rest, ``WINDOWS`` windows of passes that last ``length`` s each, ``work_ends``, rest.

    Raises: SensorLost; what a pass raises.
    """
    poller = Poller(sensor)

    def passes(seconds: float) -> int:
        start, done = perf_counter(), 0
        while not done or perf_counter() - start < seconds:
            forward()
            done += 1
        return done

    def at_rest() -> Window:
        poller.rest(SETTLE)
        return poller.rest(max(length, SHORTEST_REST))

    before = at_rest()
    passes(SETTLE)
    windows = tuple(poller.window(lambda: passes(length)) for _ in range(WINDOWS))
    work_ends()
    after = at_rest()
    if stuck(sensor, (before, *windows, after)):
        raise SensorLost(f"{sensor.name} said the same at rest and at work: it is stuck; look at its driver")
    return Taken(before, windows, after, poller.reads, poller.failed, poller.why)


def samples(taken: Taken, batch_size: int) -> dict[str, tuple[float, ...]]:
    """A sample a window, by metric: J per image, J per image beyond rest, W."""
    images = [window.passes * batch_size for window in taken.windows]
    beyond = [window.energy - taken.idle * window.seconds for window in taken.windows]
    return {
        "energy": tuple(window.energy / count for window, count in zip(taken.windows, images, strict=True)),
        "energy_above_idle": tuple(energy / count for energy, count in zip(beyond, images, strict=True)),
        "power": tuple(window.power for window in taken.windows),
    }


def _neighbours(sensor: Sensor, facts: Mapping[str, float | None], threads: int) -> Iterator[str]:
    """A sentence where other processes took energy that the sensor cannot tell from ours."""
    others = facts["others"]
    if sensor.has_processors and others is not None and others > NEIGHBOURS * threads:
        limit = NEIGHBOURS * threads
        yield f"other processes kept {others:.2f} processors busy, whose energy is in it (limit {limit:g})"


def _notes(sensor: Sensor, taken: Taken, facts: Mapping[str, float | None]) -> Iterator[str]:
    count = sum(window.passes for window in taken.windows)
    length = statistics.median(window.seconds for window in taken.windows)
    yield f"{len(taken.windows)} windows of {length:.3g} s, {count} passes"
    yield f"sensor period {sensor.period:g} s, read {taken.pace:.3g} times a second"
    yield f"at rest {taken.before.power:.4g} W before and {taken.after.power:.4g} W after"
    for what, fact in HEATS.items():
        cold, hot = facts.get(f"{fact}_before"), facts.get(f"{fact}_after")
        if cold is not None and hot is not None:
            yield f"{what} {cold:.3g} °C before and {hot:.3g} °C after"
    if taken.failed:
        yield f"{taken.failed} of {taken.reads} reads failed and were left out, the last: {taken.why}"


def _imprecise(
    metric: str, found: Sequence[float], sensor: Sensor, taken: Taken, doubts: Sequence[str]
) -> Iterator[str]:
    """Why nothing can be concluded from a metric's samples."""
    tolerance, middle = METRICS[metric].tolerance, statistics.median(found)
    if middle <= 0:
        yield "no more energy than at rest: the network takes less than the sensor tells"
    elif (error := stats.relative_error(found)) > tolerance:
        yield f"the windows scatter by ±{error:.1%}, ±{tolerance:.0%} goes unremarked; raise --archbench-time-budget"
    if metric == "energy_above_idle" and abs(taken.drift) > DRIFT:
        yield f"the power at rest changed by {taken.drift:+.0%} meanwhile (limit {DRIFT:.0%})"
    if sensor.nature == "gauge" and taken.pace < SLOW / sensor.poll:
        yield f"the sensor was read {taken.pace:.3g} times a second, {1 / sensor.poll:.3g} were asked for"
    if doubts:
        yield f"disturbed: {'; '.join(doubts)}"
