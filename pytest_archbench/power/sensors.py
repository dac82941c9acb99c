"""What a sensor of energy or power is: a counter of joules so far, or a gauge of watts now, made of channels."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Nature = Literal["counter", "gauge"]
Kind = Literal["measured", "estimated"]

METHODS: dict[Nature, str] = {
    "counter": "difference of its energy counter over a window of passes",
    "gauge": "its power, polled and integrated by trapezoids over a window of passes",
}
UNITS: dict[Nature, str] = {"counter": "J", "gauge": "W"}
SLOWEST_POLL = 0.1
"""Seconds between two reads of a counter: once a window would do, but a wrap-around or a loss must not be missed."""
GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
"""Errors of a file that will not come back. Any other, such as EIO of a busy bus, may be over at the next read."""
HIGHEST = 5_000.0
"""W of one channel that nothing takes which a driver tells of: no processor package, board or module. What grows faster
was started anew."""


class NoSensor(LookupError):
    """Nothing tells the device's energy; the message says what was looked for, and why it does not serve."""


class SensorLost(RuntimeError):
    """A sensor that could be read can be no more, or what it says cannot be; the message names it and the file."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A quantity that is read by itself: J of a counter, W of a gauge. A counter begins anew at ``wraps_at`` J.

    ``read`` raises OSError or ValueError where this read fails, SensorLost where all later ones will too.
    """

    name: str
    read: Callable[[], float]
    wraps_at: float = math.inf


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor, its channels to be added up.

    ``covers``: what takes the energy that it tells. ``kind``: whether it measures, or models from what the hardware
    does. ``period``: s after which its value is another. ``has_processors``: whether the host's processors are in it,
    so that every process of the host is.
    """

    name: str
    covers: str
    nature: Nature
    kind: Kind
    period: float
    channels: tuple[Channel, ...]
    has_processors: bool = True

    @property
    def convention(self) -> str:
        """All that must be equal before two energies compare. It is the same after a restart of the host."""
        return f"{self.name}: {self.kind} energy of the {self.covers}; {METHODS[self.nature]}"

    @property
    def poll(self) -> float:
        """Seconds from one read to the next: never more often than there is something new."""
        return max(self.period, SLOWEST_POLL) if self.nature == "counter" else self.period

    def read(self) -> tuple[float, ...]:
        """What every channel says, J or W. Raises: OSError, ValueError; SensorLost where a file is gone."""
        return tuple(map(self._said, self.channels))

    def _said(self, channel: Channel) -> float:
        try:
            value = channel.read()
        except OSError as error:
            if error.errno not in GONE:
                raise
            said = f"{channel.name} is gone ({errno.errorcode[error.errno]}: {error.strerror})"
            raise SensorLost(f"{self.name}: {said}; look at its driver in the kernel's log") from None
        highest = math.inf if self.nature == "counter" else HIGHEST
        if not 0 <= value <= highest or math.isinf(value):
            expected = f"{UNITS[self.nature]} from 0 to {highest:g}"
            raise ValueError(f"{self.name}: {channel.name}: expected {expected}; got {value!r}")
        return value


def readable(sensor: Sensor) -> Sensor:
    """The sensor, which was read once. Raises: NoSensor."""
    try:
        sensor.read()
    except (OSError, ValueError, SensorLost) as error:
        raise NoSensor(str(error) if sensor.name in str(error) else f"{sensor.name}: {error}") from None
    return sensor
