"""What an outcome means: for a test, for a reader, and in a verdict's sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pytest_archbench.records import Measurement, Outcome, Verdict

Result = Literal["fail", "pass", "skip"]

RESULTS: dict[Outcome, Result] = {
    "regressed": "fail",
    "deviates": "fail",
    "known deviation": "pass",
    "passed": "pass",
    "improved": "pass",
    "inconclusive": "skip",
    "incomparable": "skip",
    "no baseline": "skip",
}
"""What a test does on an outcome, worst outcome first: it fails on any failure, skips where nothing was compared."""

LINKS: Mapping[Outcome, tuple[str, str]] = {
    "passed": ("agrees", "with"),
    "known deviation": ("known deviation", "from"),
    "deviates": ("deviates", "from"),
    "regressed": ("regressed", "from"),
    "improved": ("improved", "on"),
    "incomparable": ("incomparable", "with"),
    "inconclusive": ("inconclusive", "against"),
}
"""What stands before and after the change in a verdict's sentence."""

CHANGED_GRAPH = "a property of the graph changed: mend it, or promote the run if it is meant"


def obstacle_to(measurement: Measurement) -> str:
    """Why nothing can be said about a measurement, or an empty text."""
    if measurement.status != "ok":
        return f"{measurement.status}: {measurement.message}"
    if measurement.uncounted:
        return f"operators without a formula: {', '.join(measurement.uncounted)}; register one, or mark them free"
    return measurement.imprecise


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that decides about a test; raises ValueError where there is none."""
    order = list(RESULTS)
    return min(verdicts, key=lambda verdict: order.index(verdict.outcome))
