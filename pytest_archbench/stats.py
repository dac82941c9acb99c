"""Statistics of raw samples: the one definition of a median, its interval and percentiles. Pure."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

PERCENTILES = (50, 90, 99)


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


def percentiles(samples: Sequence[float]) -> dict[str, float]:
    """Those told of samples, in their unit: ``p50``, ``p90`` and ``p99``. Raises ValueError without samples."""
    return {f"p{percent}": percentile(samples, percent) for percent in PERCENTILES}


def is_steady(times: Sequence[float], window: int = 3, tolerance: float = 0.1) -> bool:
    """Whether warm-up is over: the last ``window`` times have a median within ``tolerance`` of the window before."""
    if len(times) < 2 * window:
        return False
    before = statistics.median(times[-2 * window : -window])
    now = statistics.median(times[-window:])
    return abs(now - before) <= tolerance * before


def hodges_lehmann(values: Sequence[float]) -> float:
    """The pseudo-median, in the values' unit: the median of the means of all pairs, each value with itself included.

    Of symmetric values it is an estimate of the middle that one wild value cannot move far, at 95 % of the mean's
    precision under normal noise. Source: Hodges and Lehmann, Ann. Math. Statist. 34 (1963), section 3.
    Raises ValueError without values.
    """
    return statistics.median(_walsh_averages("hodges_lehmann", values))


def signed_rank_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The interval of the pseudo-median that Wilcoxon's signed-rank test does not reject, in the values' unit.

    Its ends are the k-th smallest and k-th largest mean of a pair, exact for independent values from a symmetric
    distribution. The narrowest pair that reaches ``confidence`` is taken; with too few values (five or fewer for 95 %)
    the whole range, and the interval says what confidence that has: 93.75 % with five.

    Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., section 3.3.
    Raises ValueError without values.
    """
    averages = _walsh_averages("signed_rank_interval", values)
    k, reached = _signed_rank_cut(len(values), confidence)
    return Interval(averages[k - 1], averages[-k], reached)


def mad(values: Sequence[float]) -> float:
    """The median absolute deviation from the median, in the values' unit and as it is; ``sigma`` makes it comparable
    with a standard deviation. Raises ValueError without values.
    """
    if not values:
        raise ValueError("mad: expected at least one value; got none")
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


SIGMA_PER_MAD = 1 / statistics.NormalDist().inv_cdf(0.75)
"""A normal distribution's standard deviation over its median absolute deviation: 1.4826."""


def sigma(values: Sequence[float]) -> float:
    """The standard deviation of normal values as their median absolute deviation tells it, in the values' unit."""
    return SIGMA_PER_MAD * mad(values)


def _walsh_averages(asking: str, values: Sequence[float]) -> list[float]:
    """The means of all n (n + 1) / 2 pairs, in order."""
    if not values:
        raise ValueError(f"{asking}: expected at least one value; got none")
    return sorted((one + other) / 2 for at, one in enumerate(values) for other in values[at:])


@functools.lru_cache(maxsize=256)
def _signed_rank_cut(n: int, confidence: float) -> tuple[int, float]:
    """Which average from either end closes the interval of ``n`` values, and the confidence it has."""
    counts = _signed_rank_counts(n)
    k, tail = 1, 1  # tail: the signings with a rank sum below k
    while k < len(counts) // 2:
        if 1 - 2 * (tail + counts[k]) / 2**n < confidence:
            break
        tail, k = tail + counts[k], k + 1
    return k, 1 - 2 * tail / 2**n


def _signed_rank_counts(n: int) -> list[int]:
    """How many of the 2^n signings of the ranks 1 to n give each sum of positive ranks, from 0 to n (n + 1) / 2.

    The coefficients of (1 + x)(1 + x²)...(1 + xⁿ), multiplied out in one integer whose digits are wide enough for
    any of them: a shift and a sum per rank.
    """
    width = n // 8 + 1  # bytes
    product = 1
    for rank in range(1, n + 1):
        product += product << (8 * width * rank)
    digits = product.to_bytes((n * (n + 1) // 2 + 1) * width, "little")
    return [int.from_bytes(digits[at : at + width], "little") for at in range(0, len(digits), width)]
