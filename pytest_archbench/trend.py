"""When a series changed: steps between two runs and slow drifts over many, in its history. Pure.

A history is a sequence of points, oldest first. Where two neighbours do not compare, a new stretch begins, and nothing
is said across its border. A run whose level is not above 0 has no relative change and is left out of its stretch.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pytest_archbench import stats
from pytest_archbench.levels import is_normalised, level, unlike
from pytest_archbench.records import Metric, Point
from pytest_archbench.units import relative

SHORTEST = 3
"""Runs that a new level must last before it is one: fewer are an outlier as likely."""

PENALTY = 3.0
"""What a change point must explain, in variances of the noise times the logarithm of the number of runs.

With it a step is named in under 1 % of unchanged series of 90 nights; in 2 % noise one of +5 % is after three nights in
half of all cases, after seven in five of six; one of +10 % after three nights.
"""

UNSURE = 10.0
"""Runs at which the penalty is doubled: their differences tell the noise so badly that 6 % of the unchanged series of
6 to 30 nights would have a step; so it is 2 %.
"""

WILD = 4.0
"""From how many sigmas on a run that its neighbours do not bear out is no evidence of a level."""

LEAST = 0.25
"""The smallest step worth a line, as a share of the metric's tolerance.

A step is known from many runs and may be told from far less than the tolerance, which is for one comparison; but what
four of them together do not bring over the tolerance would bury the rest.
"""

RUNS = 5
"""Runs whose median stands for a time: the first ones of a drift, and the last."""

DRIFT_SIGMAS = 4.0
"""How far the last runs must lie from the reference, in sigmas of a single run.

The difference of a single run and a median of five has 1.13 sigmas of its own, so this is 3.5 of that.
"""

Levels = list[float]


@dataclass(frozen=True, slots=True)
class Change:
    """Where a series changed: ``before`` is the last run of the old level, ``since`` the first of the new one, so that
    what changed it lies in the commits ``before.commit..since.commit``. ``change`` is relative to the old level, and
    infinite where that was 0. Of a measured step ``runs`` are those of the old level and of the new one, and ``chance``
    is Student's, one-sided, of as large a difference at a place between two runs that was chosen beforehand. ``raw`` is
    the change of what was measured, where that differs from the change of the level by more than the tolerance.
    """

    kind: Literal["step", "drift"]
    change: float
    since: Point
    before: Point
    reason: str
    runs: tuple[int, int] = (0, 0)
    chance: float = 0.0
    raw: float | None = None


def changes(points: Sequence[Point], metric: Metric, reference: Point | None = None) -> list[Change]:
    """Every step, oldest first, and last the drift against ``reference`` where there is one."""
    found = drift(points, metric, reference)
    return [*steps(points, metric), *([found] if found else [])]


def steps(points: Sequence[Point], metric: Metric) -> list[Change]:
    """Every lasting change of level from one run to the next, for the better or for the worse, oldest first.

    Of a count every change of value. Else the change points that PELT finds in the logarithms of the levels, without
    those too small to be worth a line and without a staircase that a straight slope explains as well (see ``drift``).
    """
    find = _exact_steps if metric.better == "equal" else _measured_steps
    return [step for stretch in stretches(points, metric) for step in find(stretch, metric)]


def stretches(points: Sequence[Point], metric: Metric) -> list[list[Point]]:
    """The history cut where a run does not compare with the one before it, without runs that are in doubt."""
    found: list[list[Point]] = []
    for point in points:
        if point.doubt or (metric.better != "equal" and level(point, metric) <= 0):
            continue
        if found and not unlike(found[-1][-1], point, metric):
            found[-1].append(point)
        else:
            found.append([point])
    return found


def _exact_steps(stretch: Sequence[Point], _metric: Metric) -> list[Change]:
    return [_exact_step(before, since) for before, since in pairwise(stretch) if before.value != since.value]


def _exact_step(before: Point, since: Point) -> Change:
    change = (since.value - before.value) / before.value if before.value else math.inf
    reason = f"{since.subject} changed from {before.value} to {since.value} {since.unit}, {_commits(before, since)}"
    return Change("step", change, since, before, reason)


def _measured_steps(stretch: Sequence[Point], metric: Metric) -> list[Change]:
    logs = [math.log(level(point, metric)) for point in stretch]
    borders = _borders(logs, math.log1p(metric.tolerance * LEAST))
    return [_measured_step(stretch, logs, borders, at, metric) for at in range(1, len(borders) - 1)]


def _measured_step(stretch: Sequence[Point], logs: Levels, borders: Sequence[int], at: int, metric: Metric) -> Change:
    start, border, end = borders[at - 1 : at + 2]
    before, since = stretch[border - 1], stretch[border]
    change = math.expm1(_rise(logs, start, border, end))
    raw = _raw(change, stretch[start:border], stretch[border:end], metric)
    reason = (
        f"{since.subject} is {_direction(change, metric)} by {_size(change, raw)} since run {since.run}: "
        f"{end - border} runs against {border - start} before, {_commits(before, since)}"
    )
    levels = (logs[start:border], logs[border:end])
    return Change("step", change, since, before, reason, (border - start, end - border), _chance(*levels), raw)


def _raw(change: float, before: Sequence[Point], since: Sequence[Point], metric: Metric) -> float | None:
    """The change of the values as measured, where the reference workload has a notable part in that of the levels."""
    if not is_normalised(since[0], metric):
        return None
    old, new = (statistics.median(point.value for point in points) for points in (before, since))
    if min(old, new) <= 0 or abs(math.log1p(change) - math.log(new) + math.log(old)) <= math.log1p(metric.tolerance):
        return None
    return new / old - 1


def _size(change: float, raw: float | None) -> str:
    """``+310.9 % (raw +157.0 %)``"""
    return relative(change) if raw is None else f"{relative(change)} (raw {relative(raw)})"


def _chance(before: Levels, since: Levels) -> float:
    """Of medians as far apart in noise of the scatter that both levels have about their means."""
    from scipy.stats import t

    runs = len(before) + len(since)
    scatter = math.sqrt((_squares(before) + _squares(since)) / (runs - 2))
    rise = abs(statistics.median(since) - statistics.median(before))
    if scatter == 0:
        return 0.0
    return float(t.sf(rise / scatter * math.sqrt(len(before) * len(since) / runs), runs - 2))


def _squares(level: Levels) -> float:
    return statistics.pvariance(level) * len(level)


def _borders(logs: Levels, least: float) -> list[int]:
    """Where levels begin, with 0 and the number of runs at the ends."""
    whole = [0, len(logs)]
    if len(logs) < 2 * SHORTEST:
        return whole
    penalty, tame = _penalty(logs, least), _tamed(logs)
    borders = _merged(logs, [0, *_change_points(tame, penalty)], least, penalty)
    rises = [_rise(logs, *borders[at : at + 3]) for at in range(len(borders) - 2)]
    is_staircase = bool(rises) and (min(rises) > 0 or max(rises) < 0)
    if is_staircase and _cost_of_slope(tame) + penalty < _cost(tame, borders) + penalty * len(rises):
        return whole
    return borders


def _penalty(logs: Levels, least: float) -> float:
    """What a change point must explain. Where runs repeat exactly, a share of what the least step explains in the
    shortest stretch, so that rounding is no step.
    """
    noise = PENALTY * _sigma(logs) ** 2 * math.log(len(logs)) * (1 + UNSURE / len(logs))
    return max(noise, least**2 / 2, 1e-18)


def _sigma(logs: Levels) -> float:
    """The scatter of a run, from the differences of neighbours, which steps and drifts hardly touch."""
    return stats.SIGMA_PER_MAD * statistics.median(map(abs, _differences(logs))) / math.sqrt(2)


def _tamed(logs: Levels) -> Levels:
    """Every wild run taken as the median of the five around it, at an end of the five there, which a lasting step
    leaves alone and one or two wild runs do not move.
    """
    reach = WILD * _sigma(logs)
    starts = [min(max(0, at - 2), len(logs) - 5) for at in range(len(logs))]
    middles = [statistics.median(logs[start : start + 5]) for start in starts]
    return [log if abs(log - middle) <= reach else middle for log, middle in zip(logs, middles, strict=True)]


def _differences(logs: Levels) -> Levels:
    return [after - before for before, after in pairwise(logs)]


def _change_points(logs: Levels, penalty: float) -> list[int]:
    """Where PELT begins a new level, with the number of runs at the end.

    Source: Killick, Fearnhead and Eckley, J. Am. Stat. Assoc. 107 (2012) 1590.
    """
    import numpy as np
    import ruptures

    search = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST)  # the compiled one: this kernel is the l2 cost
    return [int(border) for border in search.fit(np.asarray(logs)).predict(pen=penalty)]


def _merged(logs: Levels, borders: list[int], least: float, penalty: float) -> list[int]:
    """Without the borders that do not hold, the weakest first: medians must be as far apart as means had to be for
    PELT, so that no wild run makes a level of its own, and farther than the least step.
    """

    def strength(at: int) -> float:
        start, border, end = borders[at - 1 : at + 2]
        rise = abs(_rise(logs, start, border, end))
        gain = rise**2 * (border - start) * (end - border) / (end - start)
        return min(gain / penalty, rise / least if least else math.inf)

    while len(borders) > 2:
        weakest = min(range(1, len(borders) - 1), key=strength)
        if strength(weakest) >= 1:
            break
        borders = borders[:weakest] + borders[weakest + 1 :]
    return borders


def _rise(logs: Levels, start: int, border: int, end: int) -> float:
    return statistics.median(logs[border:end]) - statistics.median(logs[start:border])


def _cost(logs: Levels, borders: Sequence[int]) -> float:
    """The squares that levels leave unexplained."""
    parts = [logs[start:end] for start, end in pairwise(borders)]
    return sum(map(_squares, parts))


def _cost_of_slope(logs: Levels) -> float:
    """The squares that a straight line leaves unexplained."""
    line = statistics.linear_regression(range(len(logs)), logs)
    return sum((log - line.intercept - line.slope * at) ** 2 for at, log in enumerate(logs))


def drift(points: Sequence[Point], metric: Metric, reference: Point | None = None) -> Change | None:
    """Whether the last five runs have crept away from ``reference``, a promoted run; else from the first five of the
    latest stretch, as they do where the reference does not compare. None where they have not, or one step beyond
    the metric's tolerance explains half of it: several within it add up.

    Beyond means farther than the metric's tolerance and than the noise. ``since`` is the first of the last five runs,
    ``before`` the reference, or the last of the first five.
    """
    if metric.better == "equal" or not points:
        return None
    stretch = (stretches(points, metric) or [[]])[-1]
    if reference is not None and (not stretch or not _is_origin(reference, stretch[-1], metric)):
        reference = None
    if len(stretch) < (2 * RUNS if reference is None else RUNS):
        return None
    logs = [math.log(level(point, metric)) for point in stretch]
    origin = statistics.median(logs[:RUNS]) if reference is None else math.log(level(reference, metric))
    crept = statistics.median(logs[-RUNS:]) - origin
    if not _is_beyond(crept, metric.tolerance, DRIFT_SIGMAS * _sigma(logs)):
        return None
    if _is_a_step(crept, stretch, metric):
        return None
    return _drift(crept, stretch, logs, reference, metric)


def _is_origin(reference: Point, latest: Point, metric: Metric) -> bool:
    """Whether a drift can be measured from it."""
    return not reference.doubt and level(reference, metric) > 0 and not unlike(latest, reference, metric)


def _is_beyond(crept: float, tolerance: float, noise: float) -> bool:
    return abs(math.expm1(crept)) > tolerance and abs(crept) > noise


def _is_a_step(crept: float, stretch: Sequence[Point], metric: Metric) -> bool:
    """Whether a single step that is worth an alarm of its own explains half of it or more."""
    large = (step for step in _measured_steps(stretch, metric) if abs(step.change) > metric.tolerance)
    return any(math.log1p(step.change) / crept >= 0.5 for step in large)


def _drift(crept: float, stretch: Sequence[Point], logs: Levels, reference: Point | None, metric: Metric) -> Change:
    from scipy.stats import theilslopes

    slope = math.expm1(float(theilslopes(logs)[0]))
    before, since = reference or stretch[RUNS - 1], stretch[-RUNS]
    change = math.expm1(crept)
    origin = f"run {reference.run}" if reference else f"the first {RUNS} of {len(stretch)} runs"
    raw = _raw(change, [reference] if reference else stretch[:RUNS], stretch[-RUNS:], metric)
    crept_by = f"{_direction(change, metric)} by {_size(change, raw)} than {origin}"
    reason = (
        f"{since.subject} of the last {RUNS} runs is {crept_by}, {relative(slope)} per run (Theil-Sen) and in no "
        f"single step, {_commits(before, since)}"
    )
    return Change("drift", change, since, before, reason, raw=raw)


def _direction(change: float, metric: Metric) -> str:
    return "worse" if (change > 0) == (metric.better == "lower") else "better"


def _commits(before: Point, since: Point) -> str:
    return f"commits {before.commit}..{since.commit}"
