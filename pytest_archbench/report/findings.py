"""What a run found, sorted for a reader: failures first, then what is explained, then what could not be said."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pytest_archbench.outcomes import RESULTS
from pytest_archbench.report import frames
from pytest_archbench.report.cells import legible
from pytest_archbench.tally import UNMEASURED, duels, tally

Record = Mapping[Any, Any]

FAILING = tuple(outcome for outcome, result in RESULTS.items() if result == "fail")


_LINE = re.compile(r" \(in [^()]+:\d+\)$")
"""Where an error was raised, at the end of a message: each instrument meets the same error at a line of its own."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The ``cases`` of one network that were tried and gave no number, all for one reason.

    ``message`` is the first one's; the others say the same, perhaps of another line.
    """

    architecture: str
    status: str
    message: str
    metrics: tuple[str, ...]
    places: tuple[str, ...]
    cases: int


@dataclass(frozen=True, slots=True)
class Findings:
    """Records of ``frames.verdicts`` by what they mean, and of ``frames.cases`` that gave no number.

    ``counts`` is the run's ``tally``; ``duels`` what was timed against another side, whatever came of it, the largest
    change first; ``skipped`` the reasons of skipped cases with the devices on which each holds.
    """

    counts: dict[str, int]
    failed: list[Record]
    broken: list[Broken]
    improved: list[Record]
    known: list[Record]
    inconclusive: list[Record]
    duels: list[Record]
    skipped: dict[str, int]


def findings(run: frames.Run) -> Findings:
    """Sort a run's verdicts; within a kind by architecture, so that two runs read alike."""
    verdicts, cases = frames.verdicts(run), frames.cases(run)
    return Findings(
        counts={legible(word): count for word, count in tally(run.rows).items()},
        failed=_records(verdicts, "outcome", FAILING),
        broken=_by_reason(_records(cases, "status", UNMEASURED)),
        improved=_records(verdicts, "outcome", ("improved",)),
        known=_records(verdicts, "outcome", ("known deviation",)),
        inconclusive=_records(verdicts[verdicts["status"] == "ok"], "outcome", ("inconclusive",)),
        duels=[frames.verdict_record(row, verdict) for row, verdict in duels(run.rows)],
        skipped=_skipped(cases[cases["status"] == "skipped"]),
    )


def _skipped(cases: pd.DataFrame) -> dict[str, int]:
    """``no sensor (cpu; cuda:0)`` and how many cases, the most first."""
    devices: dict[str, dict[str, None]] = defaultdict(dict)
    for message, device in zip(cases["message"], cases["device"], strict=True):
        devices[message][legible(device)] = None
    told = {message: f"{message} ({'; '.join(names)})" for message, names in devices.items()}
    return {told[message]: count for message, count in Counter(cases["message"]).most_common()}


def _records(frame: pd.DataFrame, column: str, kinds: tuple[str, ...]) -> list[Record]:
    chosen = frame[frame[column].isin(kinds)].to_dict("records")
    return sorted(chosen, key=lambda record: (kinds.index(record[column]), record["architecture"], record["metric"]))


def _by_reason(records: Iterable[Record]) -> list[Broken]:
    """A network that cannot be built gives no number to any metric: that is one finding."""
    alike: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        alike[record["architecture"], record["status"], _LINE.sub("", record["message"])].append(record)
    return [
        Broken(
            architecture,
            status,
            found[0]["message"],
            metrics=tuple(dict.fromkeys(record["metric"] for record in found)),
            places=tuple(dict.fromkeys(map(place, found))),
            cases=len(found),
        )
        for (architecture, status, _), found in alike.items()
    ]


def place(record: Record) -> str:
    """Where a number was taken: ``cuda:0, batch 8``."""
    return f"{legible(record['device'])}, batch {legible(record['batch_size'])}"


CHANGES = {True: ", with uncommitted changes", False: ""}


def commit(header: Mapping[str, Any]) -> str:
    """Of which source the run speaks: ``commit b61f1d6, with uncommitted changes``."""
    name = legible(header.get("commit"))[:12]
    if name in ("", "unknown"):
        return "commit unknown"
    dirty = header.get("dirty")
    return f"commit {name}" + (CHANGES[dirty] if isinstance(dirty, bool) else ", unknown whether with changes")


def left_out(header: Mapping[str, Any]) -> list[str]:
    """What the run says that it could not measure, and why: ``on cpu: energy (no sensor: ...)``."""
    said = header.get("left_out")
    return [legible(each).replace("`", "'") for each in said if isinstance(each, str)] if isinstance(said, list) else []
