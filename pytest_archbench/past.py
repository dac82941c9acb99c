"""Verdicts against one's own past: a promoted value, a history of runs, or pairs measured side by side. Pure.

Changes are compared as logarithms of ratios, ours over theirs, so that +x and its undoing weigh the same; what is said
and stored is relative, (ours - theirs) / theirs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_archbench import stats
from pytest_archbench.alarm import FEWEST, alarm_factor
from pytest_archbench.levels import PACE, can_be_normalised, is_normalised, level, levels, other_pace, raw, unlike
from pytest_archbench.outcomes import CHANGED_GRAPH, LINKS
from pytest_archbench.records import Better, Metric, Number, Outcome, Point, Verdict
from pytest_archbench.units import readable, relative, relative_change

PROCESS_BIAS: Mapping[str, float] = {"s": 0.05, "img/s": 0.05, "J": 0.05, "W": 0.05}
"""One sigma, relative, of what one process adds to all its samples (memory layout, code placement), by unit.

Between fresh processes of one unchanged network on a quiet machine it is several per cent. A unit that is not listed
repeats from process to process.
"""

MEDIAN = "the median of "
"""How the source of a verdict begins that is several of the nights before."""
MERGED = " + "
"""What stands between the names of runs that were made one."""

_Z = statistics.NormalDist().inv_cdf(0.975)

Side = Literal["above", "below", "within", "between"]

_OUTCOMES: Mapping[tuple[Better, Side], Outcome] = {
    ("lower", "above"): "regressed",
    ("lower", "below"): "improved",
    ("higher", "above"): "improved",
    ("higher", "below"): "regressed",
    ("lower", "within"): "passed",
    ("higher", "within"): "passed",
    ("lower", "between"): "inconclusive",
    ("higher", "between"): "inconclusive",
}

_ADVICE: Mapping[Outcome, str] = {
    "passed": "within {bound}",
    "regressed": "worse by more than {bound}: find what changed",
    "improved": "better by more than {bound}: promote the run to keep the gain",
    "inconclusive": "more than {bound}, though not with its whole interval",
}


@dataclass(frozen=True, slots=True)
class Shift:
    """An estimate of log(ours / theirs), or of one side's logarithm, with the ends of its interval."""

    estimate: float
    low: float
    high: float

    def __sub__(self, other: Shift) -> Shift:
        """The difference of two independent estimates, by the method of variance estimates recovery.

        Source: Zou and Donner, Statistics in Medicine 27 (2008) 1693, equation 3.
        """
        estimate = self.estimate - other.estimate
        below = math.hypot(self.estimate - self.low, other.high - other.estimate)
        above = math.hypot(self.high - self.estimate, other.estimate - other.low)
        return Shift(estimate, estimate - below, estimate + above)


@dataclass(frozen=True, slots=True)
class Band:
    """The log-ratios that go unremarked."""

    low: float
    high: float

    def side(self, shift: Shift) -> Side:
        """Where a shift lies: outside only with its whole interval, within as soon as its estimate does."""
        if shift.low > self.high:
            return "above"
        if shift.high < self.low:
            return "below"
        return "within" if self.low <= shift.estimate <= self.high else "between"

    def bound(self, shift: Shift) -> float:
        """The end of the band on the shift's side of no change."""
        return self.high if shift.estimate >= 0 else self.low


def band(tolerance: float, noise: float = 0.0) -> Band:
    """A relative ``tolerance`` to both sides, or ``noise`` (of the logarithm) where that is wider."""
    floor = math.log1p(-tolerance) if tolerance < 1 else -math.inf
    return Band(min(floor, -noise), max(math.log1p(tolerance), noise))


def against_baseline(ours: Point, theirs: Point, metric: Metric, source: str = "") -> Verdict:
    """Compare with one promoted value: a count exactly, anything else with the uncertainty of both sides.

    A side with five trials or more has the signed-rank interval of its trials' log-levels: it asks for no normal noise,
    and one wild process does not stretch it as it would a t interval. A side with fewer has ``PROCESS_BIAS`` over the
    root of its trials, together with its own uncertainty. Regressed or improved only where the whole interval of the
    ratio lies beyond the metric's tolerance; passed where the estimate lies within; inconclusive where either is in
    doubt. ``source`` is what the sentence calls theirs, its run without it.
    """
    source = source or f"run {theirs.run}"
    if difference := unlike(ours, theirs, metric):
        return _verdict("incomparable", ours, source, theirs.value, difference)
    if metric.better == "equal":
        return _exactly(ours, theirs, source)
    if ours.doubt or theirs.doubt:
        reason = ours.doubt or f"nothing can be concluded from theirs: {theirs.doubt}; promote another run"
        return _verdict("inconclusive", ours, source, theirs.value, reason)
    return _at_any_pace(lambda here, there: _against_one(here, there[0], metric, source), ours, [theirs], metric)


def _against_one(ours: Point, theirs: Point, metric: Metric, source: str) -> Verdict:
    if not all(value > 0 for value in (*levels(ours, metric), *levels(theirs, metric))):
        return _verdict("inconclusive", ours, source, theirs.value, NOT_POSITIVE)
    shift = _side(ours, metric) - _side(theirs, metric)
    limits = band(_tolerance(metric, theirs.value))
    few = metric.unit in PROCESS_BIAS and any(len(point.trials) < FEWEST for point in (ours, theirs))
    advice = [SHARPER[metric.unit]] if few and limits.side(shift) == "between" else []
    said = [*_normalised_by(ours, theirs.value, metric), *advice]
    return _judged(shift, limits, metric, _subject(ours), source, _figure(ours, theirs.value), said)


def _at_any_pace(
    judged: Callable[[Point, Sequence[Point]], Verdict], ours: Point, theirs: Sequence[Point], metric: Metric
) -> Verdict:
    """The verdict on normalised values; where the machine had another pace, only if the raw ones have the same.

    That pace slowed the network as much as the reference workload, or not at all, or by something between: what holds
    at both ends holds there too.
    """
    found, paces = judged(ours, theirs), other_pace(ours, theirs, metric)
    if not paces:
        return found
    if judged(raw(ours), [raw(each) for each in theirs]).outcome == found.outcome:
        return replace(found, reason=f"{found.reason}; {paces}, and the raw value has the same verdict")
    return _sentence("inconclusive", _subject(ours), found.source, found.baseline, f"{paces}: {OTHER_PACE}", None)


OTHER_PACE = f"a pace that differs by more than {PACE:.0%} cannot be taken out; measure when the machine is quiet"
MORE_PROCESSES = f"measure with --archbench-processes={FEWEST} or more"
LONGER = "measure on a quieter machine, with a longer --archbench-time-budget"
SHARPER: Mapping[str, str] = {"s": MORE_PROCESSES, "img/s": MORE_PROCESSES, "J": LONGER, "W": LONGER}
"""What narrows the interval of a value, by its unit: energy is taken in one process, however many are asked for."""
NOT_POSITIVE = "a value is not above 0, so there is no relative change: look at its samples"


def _tolerance(metric: Metric, value: Number) -> float:
    """What goes unremarked of a value, relative: the metric's tolerance, or what its instrument cannot tell."""
    return max(metric.tolerance, metric.resolution / abs(value))


def _side(point: Point, metric: Metric) -> Shift:
    """The logarithm of a run's level, with its 95 % interval (93.75 % from five trials)."""
    logs = [math.log(value) for value in levels(point, metric)]
    if len(logs) >= FEWEST:
        interval = stats.signed_rank_interval(logs)
        return Shift(stats.hodges_lehmann(logs), interval.low, interval.high)
    bias = PROCESS_BIAS.get(metric.unit, 0.0) / math.sqrt(len(logs))
    middle, half_width = statistics.median(logs), math.hypot(_Z * bias, point.uncertainty or 0.0)
    return Shift(middle, middle - half_width, middle + half_width)


def against_history(ours: Point, earlier: Sequence[Point], metric: Metric, series: int, nights: int = 20) -> Verdict:
    """Compare with the last ``nights`` comparable runs of ``earlier`` (oldest first, without ours).

    A count is compared with the latest, exactly. Anything else may be as far from the median as the metric's tolerance,
    or as ``alarm_factor`` sigmas of these runs where that is more. The factor reckons that a ``regressed`` counts only
    once a second run of its own confirms it. Of fewer processes than is usual here ours is expected to scatter more.
    Earlier runs that are in doubt are left out, and those that raised an alarm themselves: a regression must not become
    what is usual by lasting. Where ours is in doubt, the verdict is inconclusive, and where only runs that scatter too
    much to tell stand between it and a change.

    Raises ValueError for fewer than five ``nights``.
    """
    if nights < FEWEST:
        raise ValueError(f"against_history: expected at least {FEWEST} nights; got {nights}")
    alike = [point for point in earlier if not unlike(ours, point, metric)]
    certain = [point for point in alike if not point.doubt]
    comparable = [point for point in certain if not point.alarmed]
    left_out = [
        *_left_out(len(earlier) - len(alike), "incomparable"),
        *_left_out(len(alike) - len(certain), "doubtful"),
        *_left_out(len(certain) - len(comparable), "alarming"),
    ]
    if earlier and not alike:
        latest = earlier[-1]
        reason = "; ".join([unlike(ours, latest, metric), *left_out])
        return _verdict("incomparable", ours, f"run {latest.run}", latest.value, reason)
    if metric.better == "equal" and comparable:
        return _exactly(ours, comparable[-1], f"run {comparable[-1].run}")
    past = comparable[-nights:]
    if past and ours.doubt:
        source = f"{MEDIAN}{_runs(len(past))}"
        return _verdict("inconclusive", ours, source, statistics.median(point.value for point in past), ours.doubt)
    if len(past) < FEWEST:
        found = f"{FEWEST} comparable earlier runs are needed and there are {len(past)}: run {FEWEST - len(past)} more"
        return Verdict("no baseline", f"{_subject(ours)}, no baseline: {'; '.join([found, *left_out])}")
    return _at_any_pace(lambda here, there: _against_median(here, there, metric, series, left_out), ours, past, metric)


def is_of(point: Point, promoted: Point) -> bool:
    """Whether a point is of the run that was promoted, or of runs merged with it, whose names stand side by side."""
    return not {*point.run.split(MERGED)}.isdisjoint(promoted.run.split(MERGED))


def accepted(earlier: Sequence[Point], promoted: Point | None) -> Sequence[Point]:
    """``earlier`` (oldest first) as what was promoted leaves it: where that is a run that raised an alarm, its level is
    meant, and the runs at it, from the first of these alarms on, are all that count.
    """
    at = next((place for place, point in enumerate(earlier) if promoted and is_of(point, promoted)), None)
    if at is None or not earlier[at].alarmed:
        return earlier
    start = at
    while start and earlier[start - 1].alarmed:
        start -= 1
    return [*(replace(point, alarmed=False) for point in earlier[start : at + 1]), *earlier[at + 1 :]]


def _against_median(ours: Point, past: Sequence[Point], metric: Metric, series: int, left_out: list[str]) -> Verdict:
    middle, source = statistics.median(point.value for point in past), f"{MEDIAN}{len(past)} runs"
    if not all(level(point, metric) > 0 for point in (ours, *past)):
        return _verdict("inconclusive", ours, source, middle, NOT_POSITIVE)
    logs = [math.log(level(point, metric)) for point in past]
    estimate = math.log(level(ours, metric)) - statistics.median(logs)
    factor = alarm_factor(len(past), series) * _thinness(ours, past)
    noise = factor * stats.sigma(logs)
    said = [f"{factor:.3g} sigma of these runs are {_percent(noise)}", *_normalised_by(ours, middle, metric), *left_out]
    shift, tolerance = Shift(estimate, estimate, estimate), _tolerance(metric, middle)
    limits = band(tolerance, noise)
    if noise > math.log1p(COARSE) and limits.side(shift) == "within" != band(tolerance).side(shift):
        reason = "; ".join([TOO_NOISY, *said])
        return _sentence("inconclusive", _subject(ours), source, _figure(ours, middle), reason, _relative(estimate))
    return _judged(shift, limits, metric, _subject(ours), source, _figure(ours, middle), said)


COARSE = 0.25
"""A noise (relative) beyond which what hides in it is not said to agree."""
TOO_NOISY = "beyond the tolerance, in runs that scatter too much to tell: measure on a quieter machine"


def _thinness(ours: Point, past: Sequence[Point]) -> float:
    """How much more a value scatters for being of fewer processes: at most as the root of their number."""
    usual = statistics.median(len(point.trials) for point in past)
    return math.sqrt(max(1.0, usual / max(1, len(ours.trials))))


def against_pairs(log_ratios: Sequence[float], tolerance: float, metric: Metric, subject: str, source: str) -> Verdict:
    """Compare two versions measured side by side: one log(ours / theirs) per interleaved pair, of processes or of
    builds in one process. ``subject`` and ``source`` are what the sentence calls ours and theirs.

    Regressed or improved only where the whole signed-rank interval lies beyond the relative ``tolerance``; passed where
    the Hodges-Lehmann estimate lies within; else inconclusive. With no tolerance and five pairs one unchanged version
    in 32 is called regressed, and one improved. Raises ValueError with fewer than five pairs or a ratio not finite.
    """
    if len(log_ratios) < FEWEST:
        raise ValueError(f"{subject}: expected at least {FEWEST} pairs; got {len(log_ratios)}: measure more")
    if not all(map(math.isfinite, log_ratios)):
        raise ValueError(f"{subject}: expected finite logarithms of ratios; got {list(log_ratios)}")
    interval = stats.signed_rank_interval(log_ratios)
    shift = Shift(stats.hodges_lehmann(log_ratios), interval.low, interval.high)
    said = [f"{len(log_ratios)} pairs, {interval.confidence * 100:.4g} % confidence"]
    return _judged(shift, band(tolerance), metric, subject, source, "", said)


def settled(log_ratios: Sequence[float], tolerance: float, metric: Metric) -> bool:
    """Whether further pairs could be spared: the interval lies wholly beyond the tolerance for the worse, or wholly
    short of it. How much better something became is no reason to go on.

    Asked after every pair it is asked often, so the chance of an interval that misses is more than for one look.
    """
    if metric.better == "equal" or len(log_ratios) < FEWEST:
        return metric.better == "equal"
    interval, limits = stats.signed_rank_interval(log_ratios), band(tolerance)
    if metric.better == "lower":
        return interval.low > limits.high or interval.high <= limits.high
    return interval.high < limits.low or interval.low >= limits.low


def _exactly(ours: Point, theirs: Point, source: str) -> Verdict:
    """Compare a property of the graph, which no noise excuses."""
    if ours.value == theirs.value:
        return _verdict("passed", ours, source, theirs.value, "equal")
    reason = f"{ours.value} instead of {theirs.value}, {CHANGED_GRAPH}"
    return _verdict("deviates", ours, source, theirs.value, reason, relative_change(ours.value, theirs.value))


def _judged(
    shift: Shift, limits: Band, metric: Metric, subject: str, source: str, figure: str, said: Iterable[str]
) -> Verdict:
    """The verdict on a measured change, with all that a reader needs to doubt it."""
    outcome = _OUTCOMES[metric.better, limits.side(shift)]
    reasons = [_ADVICE[outcome].format(bound=_percent(limits.bound(shift)))]
    if shift.low < shift.high:
        reasons.append(f"the change lies between {_change(shift.low)} and {_change(shift.high)}")
    reasons.append(f"a change for the worse is seen from {_change(_smallest_seen(shift, limits, metric))} on")
    return _sentence(outcome, subject, source, figure, "; ".join([*reasons, *said]), _relative(shift.estimate))


def _smallest_seen(shift: Shift, limits: Band, metric: Metric) -> float:
    """The log-ratio for the worse whose interval, as wide as this one, would lie beyond the band."""
    if metric.better == "lower":
        return limits.high + (shift.estimate - shift.low)
    return limits.low - (shift.high - shift.estimate)


def _verdict(
    outcome: Outcome, ours: Point, source: str, theirs: Number, reason: str, change: float | None = None
) -> Verdict:
    return _sentence(outcome, _subject(ours), source, _figure(ours, theirs), reason, change)


def _sentence(outcome: Outcome, subject: str, source: str, figure: str, reason: str, change: float | None) -> Verdict:
    """``resnet18 latency: 41.20 ms, regressed (+8.1 %) from the median of 20 runs 38.10 ms: ...``"""
    verb, preposition = LINKS[outcome]
    link = f"{verb} ({relative(change)}) {preposition}" if change is not None else f"{verb} {preposition}"
    there = f"{source} {figure}".rstrip()
    return Verdict(outcome, f"{subject}, {link} {there}: {reason}", source=source, baseline=figure, change=change)


def _subject(point: Point) -> str:
    return f"{point.subject}: {readable(point.value, point.unit)}"


def _figure(ours: Point, value: Number) -> str:
    return readable(value, ours.unit)


def _normalised_by(ours: Point, theirs: Number, metric: Metric) -> list[str]:
    """Whether the machine's own speed is taken out, and what the change is with it; nothing where it has no part."""
    if not can_be_normalised(metric):
        return []
    if not is_normalised(ours, metric):
        return ["not normalised by a reference workload"]
    return [f"normalised by the reference workload (raw {relative(relative_change(ours.value, theirs))})"]


def _left_out(number: int, why: str) -> list[str]:
    return [f"{_runs(number, why)} left out"] if number else []


def _runs(number: int, why: str = "") -> str:
    """``1 run``, ``3 doubtful runs``."""
    return " ".join(filter(None, [str(number), why, "run" if number == 1 else "runs"]))


def _percent(shift: float) -> str:
    """The size of a log-ratio as a relative change."""
    return relative(abs(_relative(shift))).removeprefix("+")


def _change(shift: float) -> str:
    return relative(_relative(shift))


def _relative(shift: float) -> float:
    return math.expm1(min(shift, 700.0))  # e^709 is the largest float
