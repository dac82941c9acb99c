"""Statistics of raw samples: the one definition of a median, its interval and percentiles. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A range that holds the true median with probability ``confidence``, in the samples' unit."""

    low: float
    high: float
    confidence: float


def median_interval(samples: Sequence[float], confidence: float = 0.95) -> Interval:
    """The distribution-free interval of the median from order statistics.

    The number of samples below the true median is binomial with p = 1/2, so the k-th smallest and k-th largest
    sample enclose it with probability 1 - 2 P(B < k). The narrowest pair that reaches ``confidence`` is taken; with too
    few samples (five or fewer for 95 %) the whole range, and the interval says what confidence that has.

    Source: David and Nagaraja, Order Statistics, 3rd ed., section 7.1. Raises ValueError without samples.
    """
    if not samples:
        raise ValueError("median_interval: expected at least one sample; got none")
    ordered = sorted(samples)
    n = len(ordered)
    outcomes = 2**n
    k = term = tail = 1  # term: C(n, k - 1); tail: the outcomes of n coins with fewer than k heads
    while k < n // 2:
        term = term * (n - k + 1) // k
        if 1 - 2 * (tail + term) / outcomes < confidence:
            break
        k, tail = k + 1, tail + term
    return Interval(ordered[k - 1], ordered[n - k], 1 - 2 * tail / outcomes)


def relative_error(samples: Sequence[float]) -> float:
    """Half the width of the 95 % interval of the median, relative to the median; infinite where it says too little."""
    interval = median_interval(samples)
    middle = statistics.median(samples)
    if interval.confidence < 0.95 or middle == 0:
        return math.inf
    return (interval.high - interval.low) / 2 / abs(middle)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The ``percent``-th percentile (0 to 100) by linear interpolation between order statistics (numpy's default)."""
    if not samples:
        raise ValueError("percentile: expected at least one sample; got none")
    if not 0 <= percent <= 100:
        raise ValueError(f"percentile: expected 0 to 100; got {percent}")
    ordered = sorted(samples)
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def is_steady(times: Sequence[float], window: int = 3, tolerance: float = 0.1) -> bool:
    """Whether warm-up is over: the last ``window`` times have a median within ``tolerance`` of the window before."""
    if len(times) < 2 * window:
        return False
    before = statistics.median(times[-2 * window : -window])
    now = statistics.median(times[-window:])
    return abs(now - before) <= tolerance * before
