"""What its past says of a run after it was made: of cases that the run itself did not judge by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pytest_archbench import store
from pytest_archbench.history import Past
from pytest_archbench.past import MEDIAN
from pytest_archbench.points import OWN, time
from pytest_archbench.records import Measurement, Verdict
from pytest_archbench.registry import METRICS
from pytest_archbench.yardsticks import Yardsticks

UNCONFIRMED = "judged after the run, so not confirmed by a second measurement"


def own(row: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts of a run on one's own past: on promoted values and on the nights before, not on publications."""
    found = [Verdict(each["outcome"], each["reason"], str(each.get("source") or "")) for each in row["verdicts"]]
    return [each for each in found if each.source.startswith((OWN, MEDIAN))]


def is_duel(row: Mapping[str, Any]) -> bool:
    """Whether it was timed in turn with another side, which is another convention than that of a night."""
    against = row.get("against")
    return isinstance(against, Mapping) and "log_ratios" in against


def before(past: Past, header: Mapping[str, Any]) -> Past:
    """The history without what came after a run."""
    started = time(str(header.get("started")))
    if started is None:
        return past
    series = {
        case: tuple(point for point in points if (there := time(point.started)) and there < started)
        for case, points in past.series.items()
    }
    runs = {point.run for points in series.values() for point in points}
    return replace(past, series=series, runs=tuple(run for run in past.runs if run in runs))


def verdicts(found: Measurement, yardsticks: Yardsticks) -> Sequence[Verdict]:
    """What a run would say of a measured case that was judged by one's own past."""
    try:
        return yardsticks.verdicts(found)
    except OverflowError:
        return [Verdict("incomparable", f"{found.subject}: the values are too far apart for a ratio")]


def judged(run: store.Run, baselines: Path, folder: Path, nights: int) -> store.Run:
    """The run with verdicts on the promoted runs in ``baselines``, and on the last ``nights`` in ``folder`` that were
    before it, where it has none on either. Raises: OwnBaselineError, JournalError.
    """
    yardsticks = Yardsticks.of(run.header, baselines, folder, nights, without=str(run.header["run"]))
    if yardsticks.earlier is not None:
        yardsticks = replace(yardsticks, earlier=before(yardsticks.earlier, run.header))
    return store.Run(run.header, tuple(_judged(row, yardsticks) for row in run.rows))


def _judged(row: dict[str, Any], yardsticks: Yardsticks) -> dict[str, Any]:
    if own(row) or is_duel(row) or not METRICS.owns(str(row["metric"])):
        return row
    said = [asdict(_unconfirmed(each)) for each in verdicts(store.measurement(row), yardsticks)]
    return {**row, "verdicts": [*row["verdicts"], *(each for each in said if each not in row["verdicts"])]}


def _unconfirmed(verdict: Verdict) -> Verdict:
    """A change of a time or a size is measured once more by the run that sees it; this one could not."""
    return replace(verdict, reason=f"{verdict.reason}; {UNCONFIRMED}") if verdict.outcome == "regressed" else verdict
