"""The table of the noise race, from its raw results alone: what each rule says of them, and what was promised. Pure."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import race_noise_findings as findings
from race_noise_findings import Verdicts
from race_noise_networks import SLOWED, UNCHANGED

from pytest_archbench.points import row_point
from pytest_archbench.records import Point
from pytest_archbench.registry import METRICS
from pytest_archbench.units import relative

Row = Mapping[str, Any]
Raw = Mapping[str, Any]
LATENCY = METRICS["latency"]
HEADER = {"run": "race-noise", "started": "2000-01-01T00:00:00+00:00"}
"""That of every nightly run: they differ in nothing that could make them incomparable."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is said of a protocol's runs. ``allowed``: the share of false alarms that its smallest change is stated for,
    and with ``promised`` the most that it may have. ``fewest``: runs without which it says nothing. ``size``: runs that
    each side of a verdict needs.
    """

    protocol: str
    label: str
    judge: Callable[[Sequence[Raw], Sequence[Raw], float], Verdicts]
    allowed: float = 0.01
    promised: bool = False
    fewest: int = 2
    size: int = 1


def _single(statistic: Callable[[Sequence[float]], float], size: int = 1) -> Callable[..., Verdicts]:
    def judge(unchanged: Sequence[Raw], slowed: Sequence[Raw], _tolerance: float) -> Verdicts:
        numbers = [[statistic(raw["samples"]) for raw in runs] for runs in (unchanged, slowed)]
        return findings.single_numbers(numbers[0], numbers[1], size)

    return judge


def _pairs(unchanged: Sequence[Raw], slowed: Sequence[Raw], tolerance: float) -> Verdicts:
    ratios = [[raw["log_ratios"] for raw in runs] for runs in (unchanged, slowed)]
    return findings.side_by_side(ratios[0], ratios[1], tolerance, LATENCY)


def _nights(judge: Callable[..., Verdicts], unchanged: Sequence[Raw], slowed: Sequence[Raw], _: float) -> Verdicts:
    return judge(points(unchanged), points(slowed), LATENCY)


def points(rows: Sequence[Raw]) -> list[Point]:
    """The nightly runs as history has them. Raises: JournalError; ValueError where nothing was measured."""
    found = [row_point(row, HEADER) for row in rows]
    if None in found:
        raise ValueError(f"nightly: expected values only; got none in run {found.index(None) + 1} of its file")
    return [point for point in found if point is not None]


OWN = f"one run against the median of the others, as one of {findings.SERIES} series"
RULES = (
    Rule("pytest-benchmark", "median, one run against one, 5 %", _single(statistics.median)),
    Rule(
        "pytest-benchmark", "median of medians, 5 runs against 5, 5 %", _single(statistics.median, 5), fewest=10, size=5
    ),
    Rule("torch.utils.benchmark", "median, one run against one, 5 %", _single(statistics.median)),
    Rule("timm-like loop", "mean, one run against one, 5 %", _single(statistics.fmean)),
    Rule("ours, one process", "interval of the pairs beyond the tolerance", _pairs, promised=True),
    Rule("ours, pairs of processes", "interval of the pairs beyond the tolerance", _pairs, promised=True),
    Rule("ours, nightly", OWN, partial(_nights, findings.nightly), fewest=6),
    Rule(
        "ours, nightly",
        "the same, confirmed by a second run",
        partial(_nights, findings.nightly_confirmed),
        allowed=0.001,
        promised=True,
        fewest=7,
    ),
)
"""Every row of the table."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of its protocol's runs; ``verdicts`` is None where they are too few."""

    rule: Rule
    runs: int
    fraction: float
    seconds: float
    verdicts: Verdicts | None


def found(rows: Sequence[Row], tolerance: float) -> list[Finding]:
    """Every rule's finding. Raises: ValueError where runs of one protocol are slowed by unlike fractions."""
    return [_finding(rule, [row for row in rows if row["protocol"] == rule.protocol], tolerance) for rule in RULES]


def _finding(rule: Rule, rows: Sequence[Row], tolerance: float) -> Finding:
    fractions = {row["fraction"] for row in rows}
    if len(fractions) > 1:
        raise ValueError(f"{rule.protocol}: expected one slowdown; got {sorted(fractions)}: use a file for each")
    seconds = rule.size * statistics.median([row["wall"] / 2 for row in rows]) if rows else math.nan
    kinds = [[row[kind] for row in rows] for kind in (UNCHANGED, SLOWED)]
    verdicts = rule.judge(kinds[0], kinds[1], tolerance) if len(rows) >= rule.fewest else None
    return Finding(rule, len(rows), min(fractions, default=math.nan), seconds, verdicts)


HEAD = (
    "| protocol and rule | runs | false alarms | at most (95 %) | slowed by | found | smallest at few false alarms "
    "| smallest by own rule | s per verdict |"
)


def table(rows: Sequence[Row], tolerance: float) -> Iterator[str]:
    """The lines of the report on runs under equal conditions."""
    each = found(rows, tolerance)
    yield HEAD
    yield "|---" * HEAD.count(" | ") + "|---|"
    yield from map(line, each)
    yield ""
    yield from LEGEND
    yield ""
    for finding in each:
        if finding.verdicts and finding.rule.protocol.startswith("ours"):
            yield from remarks(finding, finding.verdicts, rows)


def line(finding: Finding) -> str:
    rule, verdicts = finding.rule, finding.verdicts
    if verdicts is None:
        return (
            f"| {rule.protocol}: {rule.label} | {finding.runs} | not judged: {rule.fewest} runs are needed |" + " |" * 6
        )
    cells = (
        f"{rule.protocol}: {rule.label}",
        str(finding.runs),
        _share(verdicts.unchanged),
        f"{findings.upper_bound(verdicts.apart):.1%} ({_counted(verdicts.apart)})",
        f"{finding.fraction:.0%}",
        _share(verdicts.slowed),
        f"{_percent(findings.smallest_found(verdicts, finding.fraction, rule.allowed))} (at {rule.allowed:.1%})",
        _percent(findings.smallest_by_own_rule(verdicts, finding.fraction)),
        f"{finding.seconds:.1f}",
    )
    return "| " + " | ".join(cells) + " |"


LEGEND = (
    "Promised of ours: false alarms of at most 1 %, 0.1 % of confirmed nightly runs; found in 95 % of cases.",
    "Measured: false alarms (regressed, though nothing changed) and found (regressed, of those really slowed), by each",
    "protocol's own rule. Verdicts on two runs are made of all pairs of runs that share no process.",
    "At most: the exact binomial bound (Clopper-Pearson, one-sided) from the verdicts that have no run in common.",
    "Extrapolated: the smallest slowdown found in 95 % of cases, where the measured changes of slowed runs are moved",
    "by a constant; 'at few false alarms' with a threshold that lets through the stated share of the unchanged, which",
    "between few verdicts is nearly their largest change; 'by own rule' with the protocol's own.",
    "Seconds per verdict: the median of half of what a run took with its two verdicts, the start of the processes that",
    "the two share included. What a run is compared with is taken to be at hand, but for pairs, which measure both.",
)


def remarks(finding: Finding, verdicts: Verdicts, rows: Sequence[Row]) -> Iterator[str]:
    """What else a reader must know of one of our own rules."""
    name = f"{finding.rule.protocol}, {finding.rule.label}"
    outcomes = (Counter(each.outcome for each in kind) for kind in (verdicts.unchanged, verdicts.slowed))
    told = [", ".join(f"{count} {outcome}" for outcome, count in sorted(kind.items())) for kind in outcomes]
    yield f"{name}: unchanged: {told[0]}; slowed: {told[1]}."
    mine = [row for row in rows if row["protocol"] == finding.rule.protocol]
    if finding.rule.judge is _pairs:
        used = [sorted(len(row[kind]["log_ratios"]) for row in mine) for kind in (UNCHANGED, SLOWED)]
        ends = " and ".join(f"{statistics.median(each):g} ({each[0]} to {each[-1]})" for each in used)
        yield f"  Pairs of an unchanged and of a slowed verdict: {ends}."
    if finding.rule.allowed < 0.01:
        yield from _rate_of_nights(points([row[UNCHANGED] for row in mine]))
    else:
        yield (
            f"  The largest change of an unchanged run was {findings.used_up(verdicts):.0%} of what an alarm takes;"
            f" were they normal, {findings.expected_alarms(verdicts):.2g} of them would be alarms (extrapolated)."
        )


def _rate_of_nights(unchanged: Sequence[Point]) -> Iterator[str]:
    logs = findings.log_levels(unchanged, LATENCY)
    raw = statistics.stdev(math.log(point.value) for point in unchanged)
    rate = findings.expected_confirmed_alarms(logs, LATENCY.tolerance)
    yield (
        f"  {len(logs)} runs cannot show a rate of 0.1 %: were their levels normal, of the {statistics.stdev(logs):.2%}"
        f" seen between them ({raw:.2%} not normalised), the share of confirmed alarms"
        f" would be {rate:.2g} (extrapolated)."
    )


def failures(rows: Sequence[Row], tolerance: float) -> Iterator[str]:
    """One sentence for every promise that was not kept."""
    for finding in found(rows, tolerance):
        rule = finding.rule
        name = f"{rule.protocol} ({rule.label})"
        if not rule.promised:
            continue
        if finding.verdicts is None:
            yield f"{name}: {finding.runs} runs, {rule.fewest} are needed to judge it"
            continue
        false, seen = findings.share(finding.verdicts.unchanged), findings.share(finding.verdicts.slowed)
        if false > rule.allowed:
            yield f"{name}: false alarms in {false:.1%} of cases, expected at most {rule.allowed:.1%}"
        if seen < findings.FOUND:
            yield f"{name}: {relative(finding.fraction)} found in {seen:.1%} of cases, expected {findings.FOUND:.0%}"


def _share(verdicts: Sequence[findings.Judged]) -> str:
    return f"{findings.share(verdicts):.1%} ({_counted(verdicts)})"


def _percent(fraction: float) -> str:
    return f"{round(fraction, 3) + 0.0:.1%}"  # never -0.0%


def _counted(verdicts: Sequence[findings.Judged]) -> str:
    return f"{sum(each.alarm for each in verdicts)} of {len(verdicts)}"
