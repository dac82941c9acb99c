"""What a test may demand of a model of its own: bounds and counts, refused where they cannot be meant."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from pytest_archbench import options, stats, units
from pytest_archbench.records import Measurement, Verdict


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound of ``check``: the metric, whether a value beyond it is too much or too little, and how it is written."""

    metric: str
    upper: bool
    parse: Callable[[Any], float]
    form: str


def _seconds(value: float | str) -> float:
    return options.duration(value) if isinstance(value, str) else float(value)


def bounds(limits: Mapping[str, Any]) -> dict[Limit, float]:
    """Keywords of ``check`` as bounds, those that are None left out. Raises: TypeError, ValueError."""
    __tracebackhide__ = True
    if unknown := sorted(limits.keys() - LIMITS.keys()):
        raise TypeError(f"check() has no argument {unknown[0]!r}; its limits are {', '.join(LIMITS)}")
    found = {}
    for key, value in limits.items():
        if value is not None:
            found[LIMITS[key]] = _bound(key, value)
    return found


def _bound(key: str, value: Any) -> float:
    """One bound in its metric's unit, above 0 so that something can be within it. Raises: ValueError."""
    __tracebackhide__ = True
    try:
        bound = LIMITS[key].parse(value)
    except (TypeError, ValueError, KeyError):
        bound = math.nan
    if not 0 < bound < math.inf:
        raise ValueError(f"check(): {key}: expected {LIMITS[key].form}, above 0; got {value!r}")
    return bound


def whole(key: str, value: Any, least: int) -> int:
    """An argument of ``check`` that counts something. Raises: ValueError."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise ValueError(f"check(): {key}: expected a whole number of at least {least}; got {value!r}")
    return int(value)


def require_module(model: Any) -> None:
    """Raises: TypeError for anything but a network that exists, above all for its class."""
    from torch import nn

    if not isinstance(model, nn.Module):
        got = f"the class {model.__name__}: call it" if isinstance(model, type) else type(model).__name__
        raise TypeError(f"check(): expected a torch.nn.Module; got {got}")


_JOULES = {"kJ": 1e3, "J": 1.0, "": 1.0, "mJ": 1e-3, "uJ": 1e-6, "µJ": 1e-6}


def _joules(value: float | str) -> float:
    """``"50mJ"``, ``"0.05 J"`` or a number of joules -> J. Raises: ValueError, KeyError."""
    text = str(value).strip()
    number = text.rstrip("kmuµJ")
    return float(number) * _JOULES[text[len(number) :]]


LIMITS = {
    "latency_max": Limit("latency", True, _seconds, "a time such as '20ms', '900us' or 0.02 (s)"),
    "throughput_min": Limit("throughput", False, float, "images per second such as 30"),
    "peak_memory_max": Limit("peak_memory", True, units.parse_bytes, "bytes such as '700MiB' or 1e9"),
    "energy_max": Limit("energy", True, _joules, "joules per image such as '50mJ' or 0.05 (J)"),
}


def within(measurement: Measurement, limit: Limit, bound: float) -> Verdict:
    """A measured value against a bound, in the metric's unit.

    A time whose precision stayed behind what was asked for is judged by the interval of its median: where that lies on
    both sides of the bound the verdict is inconclusive. So it always is of a value that is in doubt.
    """
    value = measurement.value
    subject = f"{measurement.subject} on {measurement.conditions.device}"
    subject += f" at batch {measurement.conditions.batch_size}"
    if value is None:
        return Verdict("inconclusive", f"{subject}: {measurement.status}: {measurement.message}", "this test")
    ends = _interval(measurement) if measurement.imprecise else ()  # of all samples: processes that differ bias it
    good = [end <= bound if limit.upper else end >= bound for end in (value, *ends)]
    shown, asked = units.readable(value, measurement.unit), units.readable(bound, measurement.unit)
    doubt = measurement.doubt or (measurement.imprecise if any(good) and not all(good) else "")
    said = "; ".join(filter(None, [f"got {shown}", doubt]))
    return Verdict(
        "inconclusive" if doubt else "passed" if all(good) else "regressed",
        f"{subject}: expected at {'most' if limit.upper else 'least'} {asked}, {said}",
        "this test",
        str(bound),
        measurement.unit,
        (value - bound) / bound if bound else None,
    )


def _interval(measurement: Measurement) -> tuple[float, float]:
    found = stats.median_interval(measurement.samples)
    return found.low, found.high
