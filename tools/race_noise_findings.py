"""What the noise race found: each protocol's verdicts on unchanged and on slowed runs, and what they come to. Pure.

All changes are log-ratios. A verdict on two single numbers needs two runs, so those are made of all ordered pairs of
runs that share no process; pairs that share a run are not independent, which the share's bound takes into account.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, norm

from pytest_archbench import past, stats
from pytest_archbench.alarm import alarm_factor
from pytest_archbench.levels import level
from pytest_archbench.records import Metric, Outcome, Point

COMPARE_FAIL = 0.05
"""What pytest-benchmark's ``--benchmark-compare-fail=median:5%`` lets pass, for every protocol of single numbers."""
SERIES = 50
"""Of the night that a nightly run is thought to be part of: of its 0.05 false alarms each has 0.1 %, as promised."""
NIGHTS = 20
"""The longest history that a night is judged by."""
FOUND = 0.95
"""The share of verdicts from which on a slowdown counts as found."""
HISTORIES = 20_000
"""Of the simulated nights; what follows from each of them is integrated, not drawn."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict: the ``change`` it saw, and how far that, with its interval, lies ``beyond`` what it lets pass."""

    change: float
    beyond: float
    outcome: Outcome

    @property
    def alarm(self) -> bool:
        return self.outcome == "regressed"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One rule's verdicts. ``apart`` are those on unchanged runs that have no run in common."""

    unchanged: tuple[Judged, ...]
    slowed: tuple[Judged, ...]
    apart: tuple[Judged, ...]


def single_numbers(
    unchanged: Sequence[float], slowed: Sequence[float], size: int = 1, threshold: float = COMPARE_FAIL
) -> Verdicts:
    """The median of ``size`` runs' numbers (s), made one after the other, against that of as many others: an alarm
    where it is longer by more than the relative ``threshold``.
    """
    before, after = _medians(unchanged, size), _medians(slowed, size)

    def judged(theirs: float, ours: float) -> Judged:
        change = math.log(ours / theirs)
        outcome: Outcome = "regressed" if ours > theirs * (1 + threshold) else "passed"
        return Judged(change, change - math.log1p(threshold), outcome)

    each = [(a, b) for a, b in itertools.product(range(len(before)), repeat=2) if abs(a - b) >= size]
    return Verdicts(
        tuple(judged(before[a], before[b]) for a, b in each),
        tuple(judged(before[a], after[b]) for a, b in each),
        tuple(judged(before[a], before[a + size]) for a in range(0, len(before) - size, 2 * size)),
    )


def _medians(numbers: Sequence[float], size: int) -> list[float]:
    return [statistics.median(numbers[at : at + size]) for at in range(len(numbers) - size + 1)]


def side_by_side(
    unchanged: Sequence[Sequence[float]], slowed: Sequence[Sequence[float]], tolerance: float, metric: Metric
) -> Verdicts:
    """Each run's log-ratios judged by ``past.against_pairs``: a verdict a run, all of them apart."""

    def judged(ratios: Sequence[float]) -> Judged:
        outcome = past.against_pairs(ratios, tolerance, metric, "ours", "theirs").outcome
        change = stats.hodges_lehmann(ratios)
        return Judged(change, stats.signed_rank_interval(ratios).low - past.band(tolerance).high, outcome)

    apart = tuple(map(judged, unchanged))
    return Verdicts(apart, tuple(map(judged, slowed)), apart)


def nightly(unchanged: Sequence[Point], slowed: Sequence[Point], metric: Metric) -> Verdicts:
    """Each run against all unchanged ones but that of the same processes, as the newest night: no second look."""

    def judged(at: int, run: Point) -> Judged:
        return night(run, [*unchanged[:at], *unchanged[at + 1 :]], metric)

    looks = [tuple(judged(at, run) for at, run in enumerate(runs)) for runs in (unchanged, slowed)]
    return Verdicts(looks[0], looks[1], looks[0])


def nightly_confirmed(unchanged: Sequence[Point], slowed: Sequence[Point], metric: Metric) -> Verdicts:
    """Two runs, one to confirm the other, against all unchanged ones but those of the same processes.

    Both must regress; which was first makes no difference, so every pair stands for both orders.
    """

    def confirmed(runs: Sequence[Point], one: int, other: int) -> Judged:
        history = [point for at, point in enumerate(unchanged) if at not in (one, other)]
        looks = [night(runs[at], history, metric) for at in (one, other)]
        outcome: Outcome = "regressed" if all(look.alarm for look in looks) else "passed"
        return Judged(min(look.change for look in looks), min(look.beyond for look in looks), outcome)

    each = list(itertools.combinations(range(len(unchanged)), 2))
    return Verdicts(
        tuple(confirmed(unchanged, *pair) for pair in each),
        tuple(confirmed(slowed, *pair) for pair in each),
        tuple(confirmed(unchanged, at, at + 1) for at in range(0, len(unchanged) - 1, 2)),
    )


def night(run: Point, history: Sequence[Point], metric: Metric) -> Judged:
    """A run judged by ``past.against_history`` as one of ``SERIES``. Raises: ValueError where that gives no change."""
    verdict = past.against_history(run, history, metric, SERIES, NIGHTS)
    if verdict.change is None:
        raise ValueError(f"nightly: expected a verdict with a change; got {verdict.outcome}: {verdict.reason}")
    change = math.log1p(verdict.change)
    return Judged(change, change - limit(log_levels(history[-NIGHTS:], metric), metric.tolerance), verdict.outcome)


def limit(logs: Sequence[float], tolerance: float) -> float:
    """How far above the median of a history of log-levels a run may lie."""
    return past.band(tolerance, alarm_factor(len(logs), SERIES) * stats.sigma(logs)).high


def log_levels(points: Sequence[Point], metric: Metric) -> list[float]:
    return [math.log(level(point, metric)) for point in points]


def share(verdicts: Sequence[Judged]) -> float:
    """How many of the verdicts are alarms, 0 to 1."""
    return statistics.fmean(verdict.alarm for verdict in verdicts)


def upper_bound(verdicts: Sequence[Judged], confidence: float = 0.95) -> float:
    """The largest chance of an alarm that so few of them in independent verdicts do not exclude, one-sided.

    Source: Clopper and Pearson, Biometrika 26 (1934) 404.
    """
    alarms, rest = sum(verdict.alarm for verdict in verdicts), sum(not verdict.alarm for verdict in verdicts)
    return float(beta.ppf(confidence, alarms + 1, rest)) if rest else 1.0


def threshold(verdicts: Verdicts, allowed: float) -> float:
    """The change (a logarithm) that a share ``allowed`` of the unchanged exceeds, between the values next to it."""
    return stats.percentile([each.change for each in verdicts.unchanged], 100 * (1 - allowed))


def smallest_found(verdicts: Verdicts, fraction: float, allowed: float) -> float:
    """The relative slowdown that ``FOUND`` of the verdicts see once ``threshold`` is the rule.

    The changes seen under the ``fraction`` that was injected are moved to where as many of them are beyond.
    """
    low = stats.percentile([each.change for each in verdicts.slowed], 100 * (1 - FOUND))
    return math.expm1(threshold(verdicts, allowed) - (low - math.log1p(fraction)))


def smallest_by_own_rule(verdicts: Verdicts, fraction: float) -> float:
    """The same with the protocol's own rule."""
    low = stats.percentile([each.beyond for each in verdicts.slowed], 100 * (1 - FOUND))
    return math.expm1(math.log1p(fraction) - low)


def used_up(verdicts: Verdicts) -> float:
    """The largest share that an unchanged run's change reached of the change that would have been its alarm."""
    return max(each.change / (each.change - each.beyond) for each in verdicts.unchanged)


def expected_alarms(verdicts: Verdicts) -> float:
    """The chance of an alarm on unchanged code were ``beyond`` normal, of the mean and deviation seen."""
    beyond = [each.beyond for each in verdicts.unchanged]
    spread = statistics.stdev(beyond)
    return float(norm.sf(-statistics.fmean(beyond) / spread)) if spread else float(max(beyond) > 0)


def expected_confirmed_alarms(logs: Sequence[float], tolerance: float) -> float:
    """The chance of a confirmed alarm were the log-levels of unchanged runs normal, of the deviation seen.

    Histories as long are drawn; given one, of median m and limit k, both runs lie beyond it with chance Q((m + k)/s)².
    """
    spread = statistics.stdev(logs)
    drawn = np.random.default_rng(0).normal(0.0, spread, (HISTORIES, len(logs)))
    middles = np.median(drawn, axis=1)
    deviations = stats.SIGMA_PER_MAD * np.median(np.abs(drawn - middles[:, None]), axis=1)
    limits = np.maximum(math.log1p(tolerance), alarm_factor(len(logs), SERIES) * deviations)
    return float(np.mean(norm.sf((middles + limits) / spread) ** 2)) if spread else 0.0
