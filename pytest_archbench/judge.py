"""Verdicts: one measurement against one figure, as an outcome and a sentence. Pure: no file, no clock, no pytest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_archbench import grades, weights
from pytest_archbench.baselines import SIZELESS, Published, matching, square
from pytest_archbench.outcomes import CHANGED_GRAPH, LINKS, obstacle_to
from pytest_archbench.records import Architecture, Baseline, Measurement, Metric, Number, Outcome, Verdict
from pytest_archbench.units import readable, relative, relative_change

OURS = "archbench"
"""The counter whose known deviations the baselines document."""
BY_CONVENTION = ("macs", "activations")
"""Counts on which counters differ by what they count."""

NO_FIGURE = "no published figure speaks of it; add one under baselines/published"
NO_FIGURE_OF_A_DEVICE = (
    "nothing was published for this device; promote a run (archbench promote), or state a limit in a test of yours"
)
NO_FIGURE_OF_YOURS = "nobody has published it; assert what you know in a test (archbench.check)"
NO_FIGURE_OF_WEIGHTS = (
    "nothing was published for these weights on these images; promote the run (archbench promote) to be judged by it"
)
"""What to do about a missing baseline."""


def speaking(published: Published, architecture: Architecture, measurement: Measurement) -> list[Baseline]:
    """The published figures to compare a measurement with; of an accuracy those of exactly its weights."""
    found = matching(published, architecture, measurement)
    name = measurement.protocol.get("weights")
    if name is None:
        return found
    return [figure for figure in found if weights.speaks_of(figure, name, name.partition(".")[2])]


def verdicts(
    measurement: Measurement,
    baselines: Iterable[Baseline],
    metric: Metric,
    counter: str = OURS,
    *,
    users_own: bool = False,
) -> tuple[Verdict, ...]:
    """One verdict per figure; a single ``no baseline`` where there is none, with advice for whose network it is."""
    if found := [judge(measurement, baseline, metric, counter) for baseline in baselines]:
        return tuple(found)
    advice = NO_FIGURE_OF_A_DEVICE if metric.per_device else NO_FIGURE_OF_YOURS if users_own else NO_FIGURE
    advice = NO_FIGURE_OF_WEIGHTS if measurement.protocol else advice
    obstacle = obstacle_to(measurement)
    return (_verdict("inconclusive" if obstacle else "no baseline", measurement, None, obstacle or advice),)


def judge(measurement: Measurement, baseline: Baseline, metric: Metric, counter: str = OURS) -> Verdict:
    """Compare with one published figure.

    Passed: no farther than the figure's precision, plus the metric's relative tolerance (0 for counts).
    """
    if measurement.outcomes is not None:
        return grades.against_published(measurement, baseline, metric)
    obstacle = obstacle_to(measurement)
    if obstacle:
        return _verdict("inconclusive", measurement, baseline, obstacle)
    unlike = _unlike_conditions(measurement, baseline, metric)
    if unlike:
        return _verdict("incomparable", measurement, baseline, unlike)
    ours = _value(measurement)
    if abs(ours - baseline.value) <= baseline.precision + metric.tolerance * abs(baseline.value):
        return _verdict("passed", measurement, baseline, "within the precision it prints")
    if counter != OURS and metric.name in BY_CONVENTION:
        differing = f"counter is {counter} here, and known deviations are documented for {OURS}"
        return _verdict("incomparable", measurement, baseline, differing)
    if baseline.known is None:
        advice = "mend the network or the counter, or write the true reason beside the figure (known, expected)"
        return _verdict("deviates", measurement, baseline, advice)
    if _is_expected(ours, baseline.known.expected, metric):
        return _verdict("known deviation", measurement, baseline, baseline.known.reason)
    documented = (
        f"the documented deviation was for {readable(baseline.known.expected, baseline.unit)}"
        f" ({baseline.known.expected}), we now have {ours}: find what changed; its reason was: {baseline.known.reason}"
    )
    return _verdict("deviates", measurement, baseline, documented)


def judge_own(measurement: Measurement, baseline: Number, metric: Metric, source: str = "own baseline") -> Verdict:
    """Compare with a value of our own, in the metric's unit, by the metric's direction and relative tolerance."""
    figure = Baseline(
        architecture=measurement.architecture,
        metric=metric.name,
        value=baseline,
        precision=0.0,
        unit=measurement.unit,
        printed=readable(baseline, measurement.unit),
        printed_unit="",
        source=source,
    )
    obstacle = obstacle_to(measurement)
    if obstacle:
        return _verdict("inconclusive", measurement, figure, obstacle)
    ours = _value(measurement)
    if metric.better == "equal":
        if ours == baseline:
            return _verdict("passed", measurement, figure, "equal")
        return _verdict("deviates", measurement, figure, CHANGED_GRAPH)
    if abs(ours - baseline) <= metric.tolerance * abs(baseline):
        return _verdict("passed", measurement, figure, f"within {metric.tolerance:.1%}")
    if (ours < baseline) == (metric.better == "lower"):
        return _verdict("improved", measurement, figure, "promote the run to keep the gain")
    return _verdict("regressed", measurement, figure, f"worse by more than {metric.tolerance:.1%}: find what changed")


def _value(measurement: Measurement) -> Number:
    value = measurement.value
    assert value is not None, "an ok measurement has samples; the record refuses any other"
    return value


def _unlike_conditions(measurement: Measurement, baseline: Baseline, metric: Metric) -> str:
    """The conditions that differ, each with both values, or an empty text."""
    ours = measurement.conditions
    pairs: list[tuple[str, Any, Any]] = []
    if metric.per_device:
        pairs += [("device", ours.device, baseline.device), ("batch_size", ours.batch_size, baseline.batch_size)]
    if epochs := grades.other_epochs(measurement, baseline):
        pairs.append(("epochs", *epochs))
    if baseline.input_size is not None and metric.name not in SIZELESS:
        pairs += [("input_size", square(ours.input_shape), baseline.input_size)]
    unlike = [f"{field} is {a} here and {b or 'not stated'} there" for field, a, b in pairs if a != b]
    return "; ".join(unlike)


def _is_expected(ours: Number, expected: Number, metric: Metric) -> bool:
    """Whether ours is the value whose deviation is documented: exactly for counts, else within the tolerance."""
    return abs(ours - expected) <= metric.tolerance * abs(expected)


def _verdict(outcome: Outcome, measurement: Measurement, baseline: Baseline | None, reason: str) -> Verdict:
    """``alexnet macs: 714.2 MMAC, deviates (+8.2 %) from bianco2018 0.66 G (Fig. 1): ...``"""
    subject = f"{measurement.subject}: {readable(measurement.value, measurement.unit)}"
    if baseline is None:
        return Verdict(outcome, f"{subject}, {outcome}: {reason}")
    change = relative_change(measurement.value, baseline.value)
    verb, preposition = LINKS[outcome]
    compared = outcome not in ("incomparable", "inconclusive") and change is not None
    link = f"{verb} ({relative(change)}) {preposition}" if compared else f"{verb} {preposition}"
    figure = f"{baseline.source} {baseline.printed} {baseline.printed_unit}".rstrip()
    where = f" ({baseline.reference})" if baseline.reference else ""
    return Verdict(
        outcome,
        f"{subject}, {link} {figure}{where}: {reason}",
        source=baseline.source,
        baseline=baseline.printed,
        unit=baseline.printed_unit,
        change=change if compared else None,
    )
