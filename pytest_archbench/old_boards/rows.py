"""Readings, their statistics, and the journal's object of each (schema 1, as ``pytest_archbench.store`` reads it)."""

import math
import statistics
from typing import Any, Dict, NamedTuple, Optional, Sequence

SCHEMA = 1
UNITS = {
    "latency": "s",
    "throughput": "img/s",
    "peak_memory": "B",
    "energy": "J",
    "energy_above_idle": "J",
    "power": "W",
}
"""Of each metric that is measured here, in the order of the journal."""


class Reading(NamedTuple):
    """What was read of one metric, in its unit, or why nothing was: ``status`` and ``message``."""

    samples: Sequence[float] = ()
    convention: str = ""
    notes: Sequence[str] = ()
    reference: Sequence[float] = ()
    machine: Optional[Dict[str, Optional[float]]] = None
    disturbed: Sequence[str] = ()
    imprecise: str = ""
    status: str = "ok"
    message: str = ""


def unread(status: str, message: str) -> Reading:
    """No reading, and why."""
    return Reading(status=status, message=message)


def row(architecture: str, metric: str, conditions: Dict[str, Any], reading: Reading) -> Dict[str, Any]:
    """The journal's object of a reading. Nothing is rounded."""
    samples = reading.samples
    trial = {
        "samples": len(samples),
        "reference": reading.reference,
        "machine": reading.machine or {},
        "disturbed": reading.disturbed,
    }
    return {
        "schema": SCHEMA,
        "architecture": architecture,
        "family": "",
        "topology": architecture,
        "metric": metric,
        "unit": UNITS[metric],
        "status": reading.status,
        "value": statistics.median(samples) if samples else None,
        "samples": samples,
        "interval": median_interval(samples) if samples else None,
        "percentiles": {f"p{p}": percentile(samples, p) for p in (50, 90, 99)} if samples else None,
        "trials": [trial] if reading.reference or reading.machine else [],
        "left_out": [],
        "imprecise": reading.imprecise,
        "conditions": conditions,
        "convention": reading.convention,
        "uncounted": [],
        "message": reading.message,
        "verdicts": [],
        "notes": reading.notes,
    }


def median_interval(samples: Sequence[float], confidence: float = 0.95) -> Dict[str, float]:
    """The distribution-free interval of the median from order statistics, in the samples' unit.

    The number of samples below the true median is binomial with p = 1/2. Source: David and Nagaraja, Order Statistics,
    3rd ed., section 7.1. Same as ``pytest_archbench.stats.median_interval``.
    """
    ordered = sorted(samples)
    n = len(ordered)
    k = term = tail = 1  # term: C(n, k - 1); tail: the outcomes of n coins with fewer than k heads
    while k < n // 2:
        term = term * (n - k + 1) // k
        if 1 - 2 * (tail + term) / 2**n < confidence:
            break
        k, tail = k + 1, tail + term
    return {"low": ordered[k - 1], "high": ordered[n - k], "confidence": 1 - 2 * tail / 2**n}


def relative_error(samples: Sequence[float]) -> float:
    """Half the width of the 95 % interval of the median, relative to it; infinite where it says too little."""
    interval = median_interval(samples)
    middle = statistics.median(samples)
    if interval["confidence"] < 0.95 or middle == 0:
        return math.inf
    return (interval["high"] - interval["low"]) / 2 / abs(middle)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The ``percent``-th percentile by linear interpolation between order statistics."""
    ordered = sorted(samples)
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def is_steady(times: Sequence[float]) -> bool:
    """Whether warm-up is over: the last three times have a median within a tenth of the three before."""
    if len(times) < 6:
        return False
    before, now = statistics.median(times[-6:-3]), statistics.median(times[-3:])
    return abs(now - before) <= 0.1 * before


def pace(reference: Sequence[float]) -> Optional[float]:
    """Relative change of the median reference time from the first half to the second; None with fewer than six."""
    half = len(reference) // 2
    first = statistics.median(reference[:half]) if len(reference) >= 6 else 0.0
    return statistics.median(reference[-half:]) / first - 1 if first > 0 else None
