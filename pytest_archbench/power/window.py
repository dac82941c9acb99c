"""Energy of a window: what a sensor said at its ends and between them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_archbench.power.sensors import HIGHEST, Channel, Nature, Sensor, SensorLost

SHORTEST = 1.0
"""Seconds. A counter that is renewed now and then may grow by so many seconds' energy from one read to the next."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What every channel of a sensor said at a moment (s of a monotonic clock): J or W."""

    time: float
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time between two polls: its ``energy`` (J), and the ``passes`` that ran in it."""

    polls: tuple[Poll, ...]
    energy: float
    passes: int = 0

    @property
    def seconds(self) -> float:
        return self.polls[-1].time - self.polls[0].time

    @property
    def power(self) -> float:
        """Average, W."""
        return self.energy / self.seconds


def joules(sensor: Sensor, polls: Sequence[Poll]) -> float:
    """Energy (J) from the first of at least two polls to the last. Raises: SensorLost where a counter was set anew."""
    return _SUMS[sensor.nature](sensor, polls)


def _counted(sensor: Sensor, polls: Sequence[Poll]) -> float:
    """The growth of every channel from poll to poll, so that each may begin anew once between two of them."""
    return sum(
        grown(channel, now - before, later.time - earlier.time)
        for earlier, later in pairwise(polls)
        for channel, before, now in zip(sensor.channels, earlier.values, later.values, strict=True)
    )


def _integrated(_sensor: Sensor, polls: Sequence[Poll]) -> float:
    """Trapezoids of the channels' summed power over the times at which they were read."""
    return sum(
        (sum(earlier.values) + sum(later.values)) / 2 * (later.time - earlier.time)
        for earlier, later in pairwise(polls)
    )


_SUMS: dict[Nature, Callable[[Sensor, Sequence[Poll]], float]] = {"counter": _counted, "gauge": _integrated}


def grown(channel: Channel, difference: float, seconds: float) -> float:
    """By how much (J) a counter grew that differs by so much, having begun anew at most once.

    Raises: SensorLost where no wrap-around explains the difference: more power than anything takes.
    """
    growth = difference if difference >= 0 else difference + channel.wraps_at
    if growth > HIGHEST * max(seconds, SHORTEST):
        said = f"{channel.name} went by {difference:.6g} J in {seconds:.3g} s"
        raise SensorLost(f"{said}, which no load explains: the counter was set anew; measure again")
    return growth


def stuck(sensor: Sensor, windows: Sequence[Window]) -> bool:
    """Whether a sensor said the same all the time, at rest and at work: a counter in any window that had passes."""
    if sensor.nature == "counter":
        return any(window.passes and not window.energy for window in windows)
    return len({poll.values for window in windows for poll in window.polls}) == 1
