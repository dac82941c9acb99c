"""What a run found, sorted for a reader: failures first, then what is explained, then what could not be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pytest_archbench.judge import RESULTS
from pytest_archbench.report import frames

Record = Mapping[Hashable, Any]

FAILING = tuple(outcome for outcome, result in RESULTS.items() if result == "fail")
BROKEN = ("crashed", "failed", "timeout", "oom")
"""Statuses of a case that was tried and gave no number, the most surprising first."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Records of ``frames.verdicts`` by what they mean, and of ``frames.cases`` that gave no number.

    ``counts`` has every outcome that occurs, in the judge's order; ``skipped`` the reasons of skipped cases.
    """

    counts: dict[str, int]
    failed: list[Record]
    broken: list[Record]
    improved: list[Record]
    known: list[Record]
    inconclusive: list[Record]
    skipped: dict[str, int]


def findings(run: frames.Run) -> Findings:
    """Sort a run's verdicts; within a kind by architecture, so that two runs read alike."""
    verdicts, cases = frames.verdicts(run), frames.cases(run)
    occurring = Counter(verdicts["outcome"])
    return Findings(
        counts={
            outcome: occurring[outcome]
            for outcome in [*RESULTS, *sorted({*occurring} - {*RESULTS})]
            if occurring[outcome]
        },
        failed=_records(verdicts, "outcome", FAILING),
        broken=_records(cases, "status", BROKEN),
        improved=_records(verdicts, "outcome", ("improved",)),
        known=_records(verdicts, "outcome", ("known deviation",)),
        inconclusive=_records(verdicts[verdicts["status"] == "ok"], "outcome", ("inconclusive",)),
        skipped=dict(Counter(cases.loc[cases["status"] == "skipped", "message"]).most_common()),
    )


def _records(frame: pd.DataFrame, column: str, kinds: tuple[str, ...]) -> list[Record]:
    chosen = frame[frame[column].isin(kinds)].to_dict("records")
    return sorted(chosen, key=lambda record: (kinds.index(record[column]), record["architecture"], record["metric"]))


def place(record: Record) -> str:
    """Where a number was taken: ``cuda:0, batch 8``."""
    return f"{frames.legible(record['device'])}, batch {frames.legible(record['batch_size'])}"


CHANGES = {True: ", with uncommitted changes", False: ""}


def commit(header: Mapping[str, Any]) -> str:
    """Of which source the run speaks: ``commit b61f1d6, with uncommitted changes``."""
    name = frames.legible(header.get("commit"))[:12] or "unknown"
    dirty = header.get("dirty")
    return f"commit {name}" + (CHANGES[dirty] if isinstance(dirty, bool) else ", unknown whether with changes")
