"""Verdicts on a proportion, of which is known image by image what it is of: against a published figure, against one's
own past on the same images, and whether further images could be spared. Pure.

What is said is in percentage points; ``Verdict.change`` is relative, as everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_archbench.baselines import square
from pytest_archbench.levels import PROTOCOL, differing, unlike
from pytest_archbench.outcomes import LINKS, obstacle_to
from pytest_archbench.past import against_baseline
from pytest_archbench.proportions import Pairs, Range, discordant, mcnemar, right, sequence, wilson
from pytest_archbench.protocols import Outcomes
from pytest_archbench.records import Baseline, Measurement, Metric, Outcome, Point, Verdict
from pytest_archbench.units import readable, relative_change


@dataclass(frozen=True, slots=True)
class Scatter:
    """How far, as a share, two accuracies of one protocol may be apart, and ``of`` what that comes."""

    size: float
    of: str


DECODERS = Scatter(0.001, "image decoders")
"""0.1 percentage points, where the images were decoded by another library than for the published accuracy.

libjpeg instead of libjpeg-turbo moves three networks' top-1 by 0.010 to 0.018 points (github.com/pytorch/vision, pull
request 5941); what is left is for kernels, types and batches. Images resized by another library than the weights were
evaluated with move it by 0.3 to 1 point (github.com/mlcommons/inference, issue 201): that is another protocol."""

TRAININGS = Scatter(0.02, "two trainings")
"""2 percentage points, where the network was trained anew, from another seed.

The published trainings (baselines/published/hei4.toml) move between two of their own epochs, the best and the last, by
up to 1.9 points on STL-10, less on CIFAR-10 and more on Food-101 (4.7); 500 trainings of one network by one recipe on
CIFAR-10 spread over 93.6 to 95.2 % (huggingface.co/datasets/kjj0/cifar10-multirun-logits-60k)."""

MARGIN = 0.01
"""A sample agrees with a figure when the whole of its interval lies within one percentage point of it."""

CONFIDENCE = 0.99
"""Of the interval of a sample whose size was fixed beforehand."""

SURELY = 0.999
"""Confidence of the intervals of two runs on different images that must lie apart to be called different."""

IMAGES = f"{PROTOCOL}.images"
"""The fact that says which images were evaluated."""

RISK = 0.01
"""The chance of being called changed for a network that is as good as it was."""

Side = Literal["within", "near", "outside", "between"]

_EPOCHS = re.compile(r"\bepoch (?P<last>\d{1,9})(?: of (?P<of>\d{1,9}))?")
"""What the note of a figure says of a training: ``epoch 60``, ``epoch 36 of 60``."""

_OUTCOMES: Mapping[tuple[bool, Side], Outcome] = {
    (False, "within"): "passed",
    (False, "near"): "passed",
    (False, "outside"): "deviates",
    (False, "between"): "inconclusive",
    (True, "within"): "known deviation",
    (True, "near"): "known deviation",
    (True, "outside"): "deviates",
    (True, "between"): "inconclusive",
}
"""By whether the value is that of a documented deviation, and where ours lies about it."""

_FINDINGS: Mapping[tuple[bool, Side], str] = {
    (False, "within"): "within {bound}, what it prints and what {of} differ by",
    (False, "near"): "wholly within {margin} of it",
    (False, "outside"): (
        "farther than {bound}, what it prints and what {of} differ by: look at the weights and how the images"
        " were prepared, or write the true reason beside the figure (known, expected)"
    ),
    (False, "between"): "too few to tell whether it is within {margin} of it",
    (True, "within"): "{reason}",
    (True, "near"): "wholly within {margin} of {value}, the documented deviation: {reason}",
    (True, "outside"): "the documented deviation was for {value}: find what changed; its reason was: {reason}",
    (True, "between"): "too few to tell whether it is within {margin} of {value}, the documented deviation",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A share that ours may be, and how far from it goes unremarked, for the scatter ``of`` what. ``reason`` is that of
    a documented deviation, empty for the figure itself.
    """

    value: float
    tolerance: float
    of: str
    reason: str = ""

    @property
    def margin(self) -> float:
        """How far from it the whole range of a sample may reach that agrees with it."""
        return max(MARGIN, self.tolerance)

    def side(self, known: Range) -> Side:
        """Where the whole range lies: outside of the tolerance, within it, near it by the margin; else between."""
        if known.low > self.value + self.tolerance or known.high < self.value - self.tolerance:
            return "outside"
        if self.holds(known, self.tolerance):
            return "within"
        return "near" if self.holds(known, self.margin) else "between"

    def holds(self, known: Range, reach: float) -> bool:
        return known.low >= self.value - reach and known.high <= self.value + reach

    def judge(self, known: Range) -> Outcome:
        return _OUTCOMES[bool(self.reason), self.side(known)]

    def finding(self, known: Range, unit: str) -> str:
        return _FINDINGS[bool(self.reason), self.side(known)].format(
            bound=_points(self.tolerance),
            of=self.of,
            margin=_points(self.margin),
            value=readable(self.value, unit),
            reason=self.reason,
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """What a verdict's sentence calls ours and theirs."""

    ours: str
    theirs: str
    source: str
    baseline: str
    unit: str = ""


def against_published(measurement: Measurement, baseline: Baseline, metric: Metric) -> Verdict:
    """Compare with one published figure, of the whole set of images.

    The whole set deviates where it is farther from the figure than what it prints, what decoders differ by and the
    metric's tolerance; a sample where its whole interval is. A sample passes only where its whole interval lies within
    ``MARGIN``. Raises ValueError for a measurement without outcomes.
    """
    compared = _with_figure(measurement, baseline)
    if obstacle := obstacle_to(measurement):
        return _verdict("inconclusive", compared, obstacle)
    outcomes, value = _outcomes(measurement), measurement.value
    if difference := _unlike(measurement, outcomes, baseline):
        return _verdict("incomparable", compared, difference)
    assert value is not None, "an ok measurement has samples; the record refuses any other"
    known = _known(outcomes, outcomes.risk)
    target = _target(known, baseline, metric, _scatter(measurement))
    outcome, said = target.judge(known), [_seen(outcomes, known), target.finding(known, baseline.unit)]
    if outcome == "inconclusive":
        said.append(_enough(outcomes, known, target))
    return _verdict(outcome, compared, "; ".join(said), (value, baseline.value))


def against(ours: Point, theirs: Point, metric: Metric, label: str = "", risk: float = RISK) -> Verdict:
    """Compare with one run of our own: image by image where either has outcomes, at ``risk``, else by its value."""
    if ours.outcomes is None and theirs.outcomes is None:
        return against_baseline(ours, theirs, metric, label)
    return against_own(ours, theirs, metric, label, risk)


def against_own(ours: Point, theirs: Point, metric: Metric, label: str = "", risk: float = RISK) -> Verdict:
    """Compare with a run of our own on the same images, those that both saw.

    Regressed or improved where McNemar's test says so at ``risk`` and the shares differ by more than the metric's
    tolerance; else passed. Where either was stopped early at some risk, the ranges that hold at every look stand in for
    the test, which is wrong after several: passed is then only what they put within ``MARGIN``. ``label`` is what the
    sentence calls theirs, its run without it.
    """
    compared = _with_point(ours, theirs, label or f"run {theirs.run}")
    facts = [fact for fact in differing(ours, theirs, metric) if fact[0] != IMAGES]
    if facts or ours.outcomes is None or theirs.outcomes is None:
        difference = unlike(ours, theirs, metric) if facts else _unkept(ours.outcomes)
        return _verdict("incomparable", compared, difference)
    if ours.outcomes.images != theirs.outcomes.images:
        return _on_other_images(ours.outcomes, theirs.outcomes, compared)
    pairs = discordant(ours.outcomes, theirs.outcomes)
    if not pairs.images:
        return _verdict("incomparable", compared, "there is no image that both evaluated")
    early = max(ours.outcomes.risk, theirs.outcomes.risk)
    outcome, found = _at_any_look(pairs, metric, early) if early else _at_one_look(pairs, metric, risk)
    only = f"{pairs.only_ours:,} are right only here and {pairs.only_theirs:,} only there"
    here, there = (readable(share, ours.unit) for share in (pairs.ours, pairs.theirs))
    part = pairs.images < max(ours.outcomes.count, theirs.outcomes.count)
    shares = f" {here} here and {there} there:" if part else ""
    said = f"of {pairs.images:,} common images{shares} {only}, {found}"
    return _verdict(outcome, compared, said, (pairs.ours, pairs.theirs))


def _on_other_images(ours: Outcomes, theirs: Outcomes, compared: Compared) -> Verdict:
    """Two samples of different images do not pair; where ours is worse than that can explain, it is said all the same:
    an image added to the set must not switch the guard off.
    """
    here, there = (wilson(right(each), each.count, SURELY) for each in (ours, theirs))
    images = f"the images or their labels are not the same ({ours.total:,} here, {theirs.total:,} there)"
    if here.high >= there.low:
        return _verdict("incomparable", compared, f"{images}: promote a run on these to compare with it")
    shares = (right(ours) / ours.count, right(theirs) / theirs.count)
    surely = f"{images}, and yet no two samples of alike images differ so: find what changed, or promote a run on these"
    return _verdict("regressed", compared, surely, shares)


def settled(
    measurement: Measurement, figures: Sequence[Baseline], theirs: Point | None, metric: Metric, risk: float
) -> bool:
    """Whether further images could be spared: every verdict that there will be is certain but for ``risk``, however
    often this is asked. Never where there is nothing to compare with. Images must be evaluated in a random order.

    One range of the accuracy answers all figures at once; it and the comparison with ``theirs`` share the risk. What
    is certain at a part of the risk is so at the whole, at which ``against_published`` and ``against_own`` then judge.
    """
    if obstacle_to(measurement) or measurement.outcomes is None:
        return False
    outcomes, scatter = measurement.outcomes, _scatter(measurement)
    asked = [figure for figure in figures if not _unlike(measurement, outcomes, figure)]
    earlier = theirs.outcomes if theirs is not None else None
    pairs = discordant(outcomes, earlier) if earlier is not None and earlier.images == outcomes.images else None
    if pairs is not None and not pairs.images:
        pairs = None
    questions = bool(asked) + (pairs is not None)
    if not questions:
        return False
    known = _known(outcomes, risk / questions) if asked else Range(0.0, 1.0, 1.0)
    clear = all(_target(known, each, metric, scatter).side(known) != "between" for each in asked)
    if pairs is None or not clear:
        return clear
    return _at_any_look(pairs, metric, risk / questions)[0] != "inconclusive"


def other_epochs(measurement: Measurement, baseline: Baseline) -> tuple[int, int] | None:
    """For how many epochs a network was trained here, and for how many where a figure of a training says it was; None
    where that is equal or either says nothing.
    """
    stated = _EPOCHS.search(baseline.note)
    if stated is None or not measurement.epochs:
        return None
    ours, theirs = len(measurement.epochs), int(stated["of"] or stated["last"])
    return None if ours == theirs else (ours, theirs)


def _outcomes(measurement: Measurement) -> Outcomes:
    if measurement.outcomes is None:
        raise ValueError(f"{measurement.architecture} {measurement.metric}: expected outcomes of images; got none")
    return measurement.outcomes


def _unlike(measurement: Measurement, outcomes: Outcomes, baseline: Baseline) -> str:
    """Why a figure is of something else, or an empty text."""
    if epochs := other_epochs(measurement, baseline):
        return f"epochs are {epochs[0]} here and {epochs[1]} there"
    side = square(measurement.conditions.input_shape)
    if baseline.input_size is not None and side != baseline.input_size:
        return f"input_size is {side} here and {baseline.input_size} there"
    if outcomes.random or _is_whole(outcomes):
        return ""
    part = outcomes.part or f"{outcomes.count:,} of {outcomes.total:,} images"
    return f"these are {part}, no random sample of the images that the figure is of"


def _unkept(ours: Outcomes | None) -> str:
    return f"no per-image outcomes are kept {'here' if ours is None else 'there'}: measure and promote anew"


def _is_whole(outcomes: Outcomes) -> bool:
    return outcomes.count == outcomes.total and not outcomes.part


def _known(outcomes: Outcomes, risk: float) -> Range:
    """What the evaluated images tell of the share of the whole set, which of itself tells all.

    A random part of the whole comes from more images than are at hand, so these do not bound what is left.
    """
    if _is_whole(outcomes):
        share = right(outcomes) / outcomes.count
        return Range(share, share, 1.0)
    if risk:
        return sequence(right(outcomes), outcomes.count, risk, 0 if outcomes.part else outcomes.total)
    return wilson(right(outcomes), outcomes.count, CONFIDENCE)


def _target(known: Range, baseline: Baseline, metric: Metric, scatter: Scatter) -> Target:
    """The figure; where ours is none of it, what a documented deviation expects instead."""
    figure = Target(baseline.value, baseline.precision + _slack(baseline.value, metric, scatter), scatter.of)
    if baseline.known is None or figure.side(known) != "outside":
        return figure
    expected = baseline.known.expected
    return Target(expected, _slack(expected, metric, scatter), scatter.of, baseline.known.reason)


def _slack(value: float, metric: Metric, scatter: Scatter) -> float:
    return scatter.size + metric.tolerance * abs(value)


def _scatter(measurement: Measurement) -> Scatter:
    return TRAININGS if measurement.epochs else DECODERS


def _at_one_look(pairs: Pairs, metric: Metric, risk: float) -> tuple[Outcome, str]:
    chance, allowed = mcnemar(pairs.only_ours, pairs.only_theirs), metric.tolerance * pairs.theirs
    found = f"McNemar's p = {chance:.2g}"
    if chance >= risk and abs(pairs.difference) <= max(MARGIN, allowed):
        return "passed", f"{found}, no change that shows"
    if chance >= risk:
        return "inconclusive", f"{found}: {_signed(pairs.difference)} may be chance on so few images: evaluate more"
    if abs(pairs.difference) <= allowed:
        return "passed", f"{found}: a change, within {_points(allowed)}"
    return _changed(pairs.difference, found)


def _at_any_look(pairs: Pairs, metric: Metric, risk: float) -> tuple[Outcome, str]:
    """The difference of two shares, each of which has its range at half the risk.

    Images are taken for drawn from more than there are, as McNemar's test takes them: a difference must be more than
    what chance makes of two equals.
    """
    ours, theirs = (sequence(only, pairs.images, risk / 2) for only in (pairs.only_ours, pairs.only_theirs))
    low, high = ours.low - theirs.high, ours.high - theirs.low
    allowed = metric.tolerance * pairs.theirs
    found = f"stopped early at a risk of {_percent(risk)}: the difference is {_signed(low)} to {_signed(high)}"
    if low > allowed or high < -allowed:
        return _changed(pairs.difference, found)
    if max(-low, high) <= max(MARGIN, allowed):
        return "passed", f"{found}, within {_points(max(MARGIN, allowed))}"
    return "inconclusive", f"{found}, which is not within {_points(max(MARGIN, allowed))}: evaluate more images"


def _changed(difference: float, found: str) -> tuple[Outcome, str]:
    if difference < 0:
        return "regressed", f"{found}: find what changed"
    return "improved", f"{found}: promote the run to keep the gain"


def _seen(outcomes: Outcomes, known: Range) -> str:
    """How many images were evaluated, and how well they know the share."""
    number = "all" if outcomes.count == outcomes.total else f"{outcomes.count:,} of"
    images = f"{number} {outcomes.total:,} images{f' here ({outcomes.part})' if outcomes.part else ''}"
    if _is_whole(outcomes):
        return images
    if outcomes.risk:
        return (
            f"{images}, stopped early at a risk of {_percent(outcomes.risk)}, know it to ±{_points(known.half_width)}"
        )
    return f"{images} know it to ±{_points(known.half_width)} at {_percent(known.confidence)} confidence"


def _enough(outcomes: Outcomes, known: Range, target: Target) -> str:
    """About how many images would settle it, if the share stays what it is: a range narrows as the root of them."""
    off = abs(right(outcomes) / outcomes.count - target.value)
    wanted = max(off - target.tolerance, target.margin - off, DECODERS.size)
    images = _rounded_up(max(outcomes.count + 1, outcomes.count * (known.half_width / wanted) ** 2))
    if not outcomes.part and images >= outcomes.total:
        return f"all {outcomes.total:,} images would settle it"
    return f"about {images:,} images would settle it"


def _rounded_up(number: float) -> int:
    """To two significant digits."""
    unit = int(10 ** max(0, math.floor(math.log10(number)) - 1))
    return math.ceil(number / unit) * unit


def _with_figure(measurement: Measurement, baseline: Baseline) -> Compared:
    ours = f"{measurement.architecture} {measurement.metric}: {readable(measurement.value, measurement.unit)}"
    figure = f"{baseline.source} {baseline.printed} {baseline.printed_unit}".rstrip()
    theirs = f"{figure} ({baseline.reference})" if baseline.reference else figure
    return Compared(ours, theirs, baseline.source, baseline.printed, baseline.printed_unit)


def _with_point(ours: Point, theirs: Point, source: str) -> Compared:
    here = f"{ours.architecture} {ours.metric}: {readable(ours.value, ours.unit)}"
    figure = readable(theirs.value, ours.unit)
    return Compared(here, f"{source} {figure}", source, figure)


def _verdict(outcome: Outcome, compared: Compared, reason: str, shares: tuple[float, float] | None = None) -> Verdict:
    """``resnet18 top1_accuracy: 69.76 %, agrees (+0.002 points) with torchvision 69.758 percent (...): ...``

    ``shares`` are ours and theirs, where they compare.
    """
    verb, preposition = LINKS[outcome]
    link = f"{verb} ({_signed(shares[0] - shares[1])}) {preposition}" if shares else f"{verb} {preposition}"
    return Verdict(
        outcome,
        f"{compared.ours}, {link} {compared.theirs}: {reason}",
        source=compared.source,
        baseline=compared.baseline,
        unit=compared.unit,
        change=relative_change(*shares) if shares else None,
    )


def _points(share: float) -> str:
    """``_points(0.0123) == "1.23 points"``, percentage points."""
    number = f"{share * 100:.3g}"
    return f"{number} {'point' if number == '1' else 'points'}"


def _signed(share: float) -> str:
    """``_signed(-0.0123) == "-1.23 points"``; a few images of many show in a third place."""
    points = share * 100
    digits = 2 if abs(points) >= 0.1 or points == 0 else 3
    return f"{points:+.{digits}f} points"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
