"""Two runs side by side: what both measured, judged as a promoted baseline would be, and what only one has. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pytest_archbench import meters  # noqa: F401  (meters enters the metrics)
from pytest_archbench.grades import against
from pytest_archbench.levels import differing
from pytest_archbench.outcomes import RESULTS
from pytest_archbench.points import row_point
from pytest_archbench.records import Conditions, Outcome, Point, Verdict
from pytest_archbench.registry import METRICS
from pytest_archbench.store import Run
from pytest_archbench.units import relative_change

Word = Outcome | Literal["failed later", "failed earlier", "failed in both", "only earlier", "only later"]

WORDS: tuple[Word, ...] = (
    "failed later",
    "regressed",
    "deviates",
    "inconclusive",
    "incomparable",
    "only earlier",
    "only later",
    "failed earlier",
    "improved",
    "failed in both",
    "passed",
)
"""What may be said of a case, worst first: a network that no longer runs before one that became slower."""
UNCHANGED: tuple[Word, ...] = ("failed in both", "passed")
ALONE: tuple[Word, ...] = ("only earlier", "only later")


class Case(NamedTuple):
    """What two runs have in common. No device changes a count, so that its ``device`` is empty; ``input_shape`` is
    JSON, empty where a case failed before anything was fed.
    """

    architecture: str
    metric: str
    device: str
    batch_size: int
    variant: str = ""
    input_shape: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One case in two runs: ``word`` says what became of it, ``verdict`` judges the later by the earlier value.

    ``failures`` are the statuses with their messages, of the earlier and the later run, empty where there is a value
    or nothing. ``change`` is that of the values, relative; the verdict's is free of the machine's pace.
    ``environment`` names what differs between the environments of the two values: name, earlier, later;
    ``is_elsewhere`` where nothing else keeps them from being compared.
    """

    case: Case
    word: Word
    earlier: Point | None = None
    later: Point | None = None
    failures: tuple[str, str] = ("", "")
    verdict: Verdict | None = None
    environment: tuple[tuple[str, str, str], ...] = ()
    is_elsewhere: bool = False

    @property
    def change(self) -> float | None:
        """(later - earlier) / earlier; None where one of them is absent, or their ratio is no number."""
        if self.earlier is None or self.later is None:
            return None
        return finite(relative_change(self.later.value, self.earlier.value))

    @property
    def is_worse(self) -> bool:
        """Whether the later run is to blame: a network that fails now, or a verdict on which a test fails."""
        return self.word == "failed later" or (self.verdict is not None and RESULTS[self.verdict.outcome] == "fail")


def finite(change: float | None) -> float | None:
    """A change that a number can hold; None for a ratio beyond all floats."""
    return change if change is not None and math.isfinite(change) else None


@dataclass(frozen=True, slots=True)
class Fact:
    """What differs between the environments of two runs and must be equal before values compare; in how many cases."""

    device: str
    name: str
    earlier: str
    later: str
    cases: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every case of two runs, worst first; ``unknown`` are metrics that this version does not know."""

    compared: tuple[Compared, ...]
    facts: tuple[Fact, ...]
    unknown: tuple[str, ...]

    @property
    def counts(self) -> dict[Word, int]:
        """How often each word is said, worst first."""
        counted = Counter(each.word for each in self.compared)
        return {word: counted[word] for word in WORDS if counted[word]}


def compare(earlier: Run, later: Run) -> Comparison:
    """Judge the later run by the earlier one, case by case. Of a case that was run twice the last counts.

    Raises: JournalError for rows that no run writes; it names no file.
    """
    there, here = _side(earlier), _side(later)
    cases = dict.fromkeys((*_cases(there, here), *_cases(here, there)))
    found = sorted((_compared(case, there, here) for case in cases), key=_badness)
    metrics = {str(row["metric"]) for run in (earlier, later) for row in run.rows}
    unknown = sorted(metric for metric in metrics if not METRICS.owns(metric))
    return Comparison(tuple(found), tuple(_facts(found)), tuple(unknown))


@dataclass(frozen=True, slots=True)
class _Side:
    """A run by case: its values, and why there is none."""

    points: Mapping[Case, Point]
    failures: Mapping[Case, str]

    def state(self, case: Case) -> _State:
        if case in self.points:
            return "value"
        return "failure" if case._replace(input_shape="") in self.failures else "nothing"

    def failure(self, case: Case) -> str:
        return self.failures[case._replace(input_shape="")] if self.state(case) == "failure" else ""


def _side(run: Run) -> _Side:
    points: dict[Case, Point] = {}
    failures: dict[Case, str] = {}
    for row in run.rows:
        if not METRICS.owns(str(row["metric"])) or row["status"] == "skipped":  # nobody tried: there is no such case
            continue
        point = row_point(row, run.header)
        if point is None:
            failures[_case(row)] = _failure(row)
        else:
            points[_case(row, json.dumps(point.conditions.input_shape))] = point
    return _Side(points, failures)


def _case(row: Mapping[str, Any], input_shape: str = "") -> Case:
    under, metric = Conditions(**row["conditions"]), METRICS[row["metric"]]
    device = under.device if metric.per_device else ""
    return Case(str(row["architecture"]), metric.name, device, under.batch_size, under.variant, input_shape)


def _failure(row: Mapping[str, Any]) -> str:
    """``oom: 2 GiB asked``"""
    if row["status"] == "ok":
        return f"not counted: {', '.join(map(str, row['uncounted']))}"
    return f"{row['status']}: {row['message']}"


def _cases(one: _Side, other: _Side) -> Iterable[Case]:
    """The cases of one run: each value, and each failure of which neither run has a value."""
    yield from one.points
    measured = {case._replace(input_shape="") for case in (*one.points, *other.points)}
    yield from (case for case in one.failures if case not in measured)


_State = Literal["value", "failure", "nothing"]
_WORDS: Mapping[tuple[_State, _State], Word] = {
    ("value", "failure"): "failed later",
    ("failure", "value"): "failed earlier",
    ("failure", "failure"): "failed in both",
    ("value", "nothing"): "only earlier",
    ("failure", "nothing"): "only earlier",
    ("nothing", "value"): "only later",
    ("nothing", "failure"): "only later",
}


def _compared(case: Case, there: _Side, here: _Side) -> Compared:
    earlier, later = there.points.get(case), here.points.get(case)
    if earlier and later:
        verdict, differences = _verdict(earlier, later), differing(earlier, later, METRICS[case.metric])
        facts = _environment(earlier, later, differences)
        elsewhere = bool(facts) and len(facts) == len(differences)
        return Compared(case, verdict.outcome, earlier, later, ("", ""), verdict, facts, elsewhere)
    word = _WORDS[there.state(case), here.state(case)]
    return Compared(case, word, earlier, later, (there.failure(case), here.failure(case)))


def _verdict(earlier: Point, later: Point) -> Verdict:
    try:
        return against(later, earlier, METRICS[later.metric])
    except OverflowError:
        return Verdict("incomparable", f"{later.architecture} {later.metric}: the values are too far apart for a ratio")


def _badness(each: Compared) -> tuple[int, float, Case]:
    change = each.verdict.change if each.verdict and each.verdict.change is not None else each.change
    return WORDS.index(each.word), -abs(change or 0.0), each.case


def _environment(
    earlier: Point, later: Point, differences: Iterable[tuple[str, Any, Any]]
) -> tuple[tuple[str, str, str], ...]:
    """What differs of device, host and versions; what a case alone has, such as its threads, is in its verdict."""
    names = {*earlier.fingerprint, *later.fingerprint}
    return tuple((name, str(before), str(after)) for name, before, after in differences if name in names)


def _facts(compared: Iterable[Compared]) -> Iterable[Fact]:
    """Each difference of the environments once, with the number of cases."""
    found = Counter(
        (each.later.conditions.device, *fact) for each in compared if each.later for fact in each.environment
    )
    return [Fact(*fact, cases) for fact, cases in found.items()]
