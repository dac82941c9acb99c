"""When a night's change is an alarm: the threshold that keeps the false ones of all series together few. Pure."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from pytest_archbench import stats

FEWEST = 5
"""Earlier values from which their own scatter says how far a new one can be trusted."""

MOST_POINTS = 199
"""More history is taken as this much, which is safe: it would lower the factor by less than a tenth."""

LEAST_FACTOR = 0.001
"""Where even this raises alarms rarely enough, none is needed."""


PER_NIGHT = 0.05
"""False alarms a night, on expectation, that all unchanged series of a history together may raise in one way."""


def alarm_factor(points: int, series: int, per_night: float = PER_NIGHT) -> float:
    """How many sigmas above the median of ``points`` earlier values a new one must lie to raise an alarm, so that
    ``series`` unchanged series together raise ``per_night`` false alarms a night, on expectation.

    Sigma is 1.4826 times the median absolute deviation of these values; an alarm is raised once one confirming rerun
    lies beyond as well; noise is normal and independent. The factor k solves E[Q(m + k s)²] = per_night / series over
    the histories' m and s, with Q the normal tail, for one direction. The distribution of m and s is that of order
    statistics and the integral is done by quadrature, exactly where ``points`` is odd; an even number has k between
    its neighbours', a quarter of the way to the smaller, which raises between half and all of the alarms asked for.

    Expected false alarms per night bound more than a false discovery rate does: the chance of any false alarm is at
    most their expectation, the false discovery rate is at most that chance, and a rate of discoveries would let through
    the more false alarms the more series have really changed.

    Raises ValueError for fewer than five points, no series, or a share of alarms not above 0.
    """
    if points < FEWEST or series < 1 or not 0 < per_night < math.inf:
        raise ValueError(
            f"alarm_factor: expected at least {FEWEST} points, 1 series and more than 0 alarms per night; "
            f"got {points}, {series} and {per_night}"
        )
    points, chance = min(points, MOST_POINTS), per_night / series
    if points % 2:
        return _odd_alarm_factor(points, chance)
    smaller, larger = _odd_alarm_factor(points - 1, chance), _odd_alarm_factor(points + 1, chance)
    return math.pow(smaller, 0.25) * math.pow(larger, 0.75)


@functools.lru_cache(maxsize=1024)
def _odd_alarm_factor(points: int, chance: float) -> float:
    from scipy.optimize import brentq

    alarms, low, high = _alarms(points), LEAST_FACTOR, 1.0
    if alarms(low) <= chance:
        return 0.0
    while alarms(high) > chance:
        low, high = high, 2 * high
    return float(brentq(lambda factor: alarms(factor) / chance - 1, low, high, xtol=1e-9))


def _alarms(points: int) -> Callable[[float], float]:
    """k -> E[Q(m + k s)²] over histories of ``points`` = 2 h + 1 standard normal values.

    Integrated by parts over u = m + k s it is the integral of f(m) P(s < (u - m) / k | m) 2 Q(u) φ(u) over m and u > m.
    Given the median m, h values lie above and h below it, independent of each other, and the median absolute deviation
    is less than d where at least h of these 2 h lie within d of m. Source of the density f: David and Nagaraja, Order
    Statistics, 3rd ed., section 2.1.
    """
    import numpy as np
    from scipy.special import comb, ndtr

    half, density = points // 2, 1 / math.sqrt(2 * math.pi)
    reach = min(8.0, 10 / math.sqrt(points))  # eight standard deviations of the median
    nodes, weights = np.polynomial.legendre.leggauss(40)
    middle = reach * nodes[:, None]
    scale = math.lgamma(points + 1) - 2 * math.lgamma(half + 1)
    log_density = scale + half * np.log(ndtr(middle) * ndtr(-middle)) - middle**2 / 2
    chance_of_middle = reach * weights[:, None] * density * np.exp(log_density)

    nodes, weights = np.polynomial.legendre.leggauss(80)
    width = (9 - middle) / 2  # Q(9)² is 1e-38
    limit = middle + width * (nodes + 1)
    chance_of_limit = width * weights * 2 * ndtr(-limit) * density * np.exp(-(limit**2) / 2)

    heads = np.arange(half + 1)
    ways = comb(half, heads)

    def binomial(chance: Any) -> Any:
        return ways * chance[..., None] ** heads * (1 - chance[..., None]) ** (half - heads)

    def alarms(factor: float) -> float:
        distance = (limit - middle) / (factor * stats.SIGMA_PER_MAD)
        above = binomial((ndtr(middle + distance) - ndtr(middle)) / ndtr(-middle))
        below = binomial((ndtr(middle) - ndtr(middle - distance)) / ndtr(middle))
        within = above * np.cumsum(below[..., ::-1], axis=-1)  # i above, and h - i or more below
        return float((chance_of_middle * chance_of_limit * within.sum(axis=-1)).sum())

    return alarms
