"""What else the machine did while something was timed: neighbours, stolen time, frequency, heat, its own speed.

Where a host does not tell, a value is None, never 0. A virtual machine often knows neither frequency nor heat: its own
speed then shows in the times of a fixed reference workload alone.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

try:
    import resource
except ImportError:  # Windows has no such account
    resource = None  # type: ignore[assignment]

T = TypeVar("T")

PRESSURE = "proc/pressure/cpu"
PROCESSORS = "proc/stat"
FREQUENCIES = "sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq"
THROTTLES = "sys/devices/system/cpu/cpu*/thermal_throttle/*_count"
ZONES = "sys/class/thermal/thermal_zone*"
"""Folders with ``type`` and ``temp`` (m°C). Linux, driver-api/thermal/sysfs-api.rst."""
NOT_ITS_HEAT = ("PMIC-Die", "iwlwifi")
"""What types of zones begin with that tell nothing here: a Jetson's power supply says 100 °C always (Jetson Linux
Developer Guide, thermal zones); a radio is no part of what computes."""
MONITORS = "sys/class/hwmon/hwmon*"
"""Folders with ``name`` and ``temp<n>_input`` (m°C). Linux, hwmon/sysfs-interface.rst."""
PROCESSOR_MONITORS = ("coretemp", "k10temp", "zenpower")
"""Intel's, AMD's, and another driver of AMD's. Beside them stand disks, supplies and boards."""
HEAT = "temp*_input"
FILES = (
    *(PRESSURE, PROCESSORS, FREQUENCIES, THROTTLES),
    *(f"{ZONES}/type", f"{ZONES}/temp", f"{MONITORS}/name", f"{MONITORS}/{HEAT}"),
)
"""Everything that is read here."""
HOTTEST = 150.0
"""°C that no chip survives: what reads above is no temperature."""
FEWEST_PACES = 6
"""Reference times below this number say nothing about a drift."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """Processor time (s) of all processors together since the host started; ``total`` has idle and stolen in it."""

    busy: float
    stolen: float
    total: float


@dataclass(frozen=True, slots=True)
class Usage:
    """This process's own processor time (s, every thread), and how often it was put aside for another task."""

    busy: float
    switches: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counters of a moment. ``time``: monotonic clock, s. ``pressure``: s in which a task waited for a processor.

    ``frequencies``: Hz, one per processor that tells. ``throttles``: how often a processor slowed down for heat.
    ``temperature``: °C of the hottest part that tells.
    """

    time: float
    pressure: float | None
    ticks: Ticks | None
    own: Usage | None
    frequencies: tuple[float, ...]
    throttles: int | None
    temperature: float | None = None


def processors() -> int:
    """How many processors this process may use; all of the machine's where the system does not tell."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def snapshot(root: Path = Path("/")) -> Snapshot:
    """Read every counter once, which takes well below a millisecond, or a few where thermal sensors are asked over a
    bus. Never raises: what cannot be read is None.
    """
    return Snapshot(
        time=time.monotonic(),
        pressure=_read(root / PRESSURE, _pressure),
        ticks=_read(root / PROCESSORS, _ticks),
        own=_own(),
        frequencies=tuple(1e3 * kilohertz for kilohertz in _numbers(root.glob(FREQUENCIES)) if kilohertz > 0),
        throttles=_total(_numbers(root.glob(THROTTLES))),
        temperature=temperature(root),
    )


def temperature(root: Path = Path("/")) -> float | None:
    """°C of the hottest thermal zone or processor sensor under ``root``; None where none tells.

    A part that is switched off reads far below 0, or gives an error: it is left out.
    """
    zones = (zone / "temp" for zone in root.glob(ZONES) if not (_label(zone / "type") or "").startswith(NOT_ITS_HEAT))
    monitors = (each for each in root.glob(MONITORS) if _label(each / "name") in PROCESSOR_MONITORS)
    sensors = (*zones, *(sensor for each in monitors for sensor in each.glob(HEAT)))
    read = (_read(sensor, int) for sensor in sensors)
    return max((heat / 1e3 for heat in read if heat is not None and 0 < heat <= HOTTEST * 1e3), default=None)


def _label(path: Path) -> str | None:
    return _read(path, str.strip)


def _read(path: Path, parse: Callable[[str], T]) -> T | None:
    """What a counter file says; None where it is missing or holds something else."""
    try:
        return parse(path.read_text(encoding="ascii"))
    except (OSError, ValueError, LookupError, OverflowError):
        return None


def _pressure(text: str) -> float:
    """Seconds, from ``some avg10=0.00 avg60=0.00 avg300=0.00 total=<microseconds>`` (Linux, accounting/psi.rst)."""
    (some,) = (line for line in text.splitlines() if line.startswith("some "))
    return _count(some.rpartition(" total=")[2]) / 1e6


def _ticks(text: str) -> Ticks:
    """Seconds, from ``cpu user nice system idle iowait irq softirq steal ...`` in clock ticks (proc_stat(5)).

    The guests' columns behind are contained in user and nice.
    """
    name, *columns = text.splitlines()[0].split()
    if name != "cpu":
        raise ValueError(f"expected the line of all processors, 'cpu'; got {name!r}")
    user, nice, system, idle, iowait, irq, softirq, steal = map(_count, columns[:8])
    busy = user + nice + system + irq + softirq
    tick = os.sysconf("SC_CLK_TCK")
    return Ticks(busy / tick, steal / tick, (busy + steal + idle + iowait) / tick)


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**64:
        raise ValueError(f"expected a count of the kernel's, 64 bits wide; got {value}")
    return value


def _own() -> Usage | None:
    if resource is None:
        return None
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(used.ru_utime + used.ru_stime, used.ru_nivcsw)


def _numbers(paths: Iterable[Path]) -> list[int]:
    """What the files say that hold one count each; the others are left out."""
    return [value for path in sorted(paths) if (value := _read(path, _count)) is not None]


def _total(counts: Sequence[int]) -> int | None:
    return sum(counts) if counts else None


def between(before: Snapshot, after: Snapshot, reference: Sequence[float] = ()) -> dict[str, float | None]:
    """What the machine did between two snapshots. ``reference``: times (s) of the reference workload, in their order.

    ``wall``: s. ``pressure``: share of it in which some task, of this process or another, waited for a processor.
    ``stolen``: share of the processors' time that the hypervisor gave to others. ``others``: how many processors all
    other processes kept busy; ``taken``: the same as a share of the machine's. ``switches``: how often a second this
    process was put aside for another task.
    ``frequency_low``, ``frequency_high``: Hz, of all processors at both moments. ``throttled``: a count.
    ``temperature_before``, ``temperature_after``: °C of the hottest part at each moment. Heat alone disturbs nothing:
    where it slows down, frequency, throttling or pace show it.
    ``pace``: relative change of the median reference time from the first half to the second (0.1: 10 % slower).
    """
    wall = after.time - before.time
    ticks = _grown(before.ticks, after.ticks, lambda t: (t.busy, t.stolen, t.total))
    own = _grown(before.own, after.own, lambda u: (u.busy, u.switches))
    pressure = _grown(before.pressure, after.pressure, lambda p: (p,))
    throttled = _grown(before.throttles, after.throttles, lambda n: (n,))
    others = max(0.0, ticks[0] - own[0]) if ticks and own else None  # ticks are the coarser account
    frequencies = before.frequencies + after.frequencies
    return {
        "wall": wall,
        "pressure": _ratio(pressure[0], wall) if pressure else None,
        "stolen": _ratio(ticks[1], ticks[2]) if ticks else None,
        "others": _ratio(others, wall) if others is not None else None,
        "taken": _ratio(others, ticks[2]) if ticks and others is not None else None,
        "switches": _ratio(own[1], wall) if own else None,
        "frequency_low": min(frequencies, default=None),
        "frequency_high": max(frequencies, default=None),
        "throttled": throttled[0] if throttled else None,
        "temperature_before": before.temperature,
        "temperature_after": after.temperature,
        "pace": pace(reference),
    }


def _grown(before: T | None, after: T | None, counters: Callable[[T], tuple[float, ...]]) -> tuple[float, ...] | None:
    """By how much each counter grew; None where one is not known, or fell: then it was started anew in between."""
    if before is None or after is None:
        return None
    growth = tuple(b - a for a, b in zip(counters(before), counters(after), strict=True))
    return growth if min(growth) >= 0 else None


def _ratio(amount: float, whole: float) -> float | None:
    return amount / whole if whole > 0 else None


def pace(reference: Sequence[float]) -> float | None:
    """Relative change of the median time from the first half to the second; None with too few times to tell."""
    half = len(reference) // 2
    if len(reference) < FEWEST_PACES:
        return None
    first = statistics.median(reference[:half])
    return statistics.median(reference[-half:]) / first - 1 if first > 0 else None


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a fact of ``between`` may go to either side of 0 before the times beside it are doubtful.

    ``words`` names the ``value`` and the ``limit``.
    """

    fact: str
    limit: float
    words: str


LIMITS = (
    Limit("pressure", 0.05, "tasks waited for a processor {value:.0%} of the time (limit {limit:.0%})"),
    Limit("stolen", 0.02, "the hypervisor took {value:.1%} of the processors' time (limit {limit:.0%})"),
    Limit("taken", 0.25, "other processes kept {value:.0%} of the processors busy (limit {limit:.0%})"),
    Limit("switches", 50, "it was put aside for other tasks {value:.0f} times a second (limit {limit:.0f})"),
    Limit("throttled", 0, "processors slowed down for heat {value:.0f} times"),
    Limit("gpu_processes", 0, "{value:.0f} other processes were on the GPU"),
    Limit("gpu_slowed_for_heat", 0.01, "the GPU slowed down for heat (limit {limit:.0%} of the time)"),
    Limit("pace", 0.05, "the reference workload's time changed by {value:+.1%} meanwhile (limit {limit:.0%})"),
)
"""Set between what was seen on two virtual processors, one torch thread, resnet18 and mobilenet_v2 for 2 s each:

| busy neighbours | pressure | taken | switches (1/s) | pace | median time against alone |
|---|---|---|---|---|---|
| none | 0.00 - 0.01 | 0.00 - 0.05 | 2 - 15 | -2.6 - +2.5 % | -4 - +5 % |
| one, counting | 0.00 - 0.01 | 0.50 | 22 - 27 | -1.7 - +2.3 % | -3 - +3 % |
| one, a network or copying | 0.01 - 0.02 | 0.50 | 26 - 40 | -2.0 - +2.7 % | -1 - +20 % |
| more than processors are free | 0.21 - 0.51 | 0.59 - 0.75 | 77 - 148 | -1.7 - +1.7 % | 0 - +140 % |

A neighbour on the other processor is flagged: in one case of ten it moved the time by a fifth through what the two
share. Stolen time reached 2 % without a trace in the medians, and stayed at 0 under most neighbours. No throttling was
seen: the host tells of none."""


def disturbed(facts: Mapping[str, float | None]) -> tuple[str, ...]:
    """A sentence for each fact beyond its limit. What is not known disturbs nothing."""
    known = ((limit, facts.get(limit.fact)) for limit in LIMITS)
    return tuple(
        limit.words.format(value=value, limit=limit.limit)
        for limit, value in known
        if value is not None and abs(value) > limit.limit
    )
