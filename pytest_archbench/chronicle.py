"""What is odd about a history: nights missing, renamed devices, metrics that come and go, two runs of a date. Pure."""

from __future__ import annotations

import shlex
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from pytest_archbench.nights import ENDING, Night
from pytest_archbench.registry import some

Case = tuple[str, str, int, str]
"""Architecture, metric, batch size and variant: a series but for its device."""

MANY = 3
"""How many gaps or dates a sentence names; it counts the rest."""
LATE = 1.5
"""A gap of so many times the usual interval is one in which a night is missing."""
FACTS = "device."
"""How those facts of a fingerprint begin that tell one device from another."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A device in a night: what it is, as far as a fingerprint says, and the cases it measured."""

    facts: Mapping[str, Any]
    cases: frozenset[Case]

    @property
    def metrics(self) -> set[str]:
        return {metric for _, metric, *_ in self.cases}


@dataclass(frozen=True, slots=True)
class Entry:
    """A night, as much of it as a remark needs. ``name``: what it was called, or empty; ``folder``: the history that it
    is a kept night of, None for a journal.
    """

    run: str
    started: datetime
    devices: Mapping[str, Seen]
    name: str = ""
    folder: Path | None = None


def entry(night: Night, known: dict[frozenset[Case], frozenset[Case]]) -> Entry:
    """The entry of a night. ``known`` keeps sets of cases, of which most nights have the same."""
    cases: defaultdict[str, set[Case]] = defaultdict(set)
    facts: dict[str, Mapping[str, Any]] = {}
    for (architecture, metric, device, batch_size, variant), point in night.points.items():
        cases[device].add((architecture, metric, batch_size, variant))
        if point.fingerprint and device not in facts:
            facts[device] = {name: fact for name, fact in point.fingerprint.items() if name.startswith(FACTS)}
    seen = {}
    for device in sorted(cases):
        whole = frozenset(cases[device])
        seen[device] = Seen(facts.get(device, {}), known.setdefault(whole, whole))
    folder = night.path.parents[2] if night.path.name.endswith(ENDING) else None
    return Entry(night.run, night.started, seen, str(night.header.get("night", "")), folder)


def remarks(entries: Iterable[Entry]) -> list[str]:
    """What a reader of the series should know, one sentence each. ``entries``: oldest first."""
    told: dict[str, list[tuple[Entry, Seen]]] = {}
    for each in entries:
        for device, seen in each.devices.items():
            told.setdefault(device, []).append((each, seen))
    single = [say(device, told[device]) for device in sorted(told) for say in (_missing, _twice)]
    moving = [line for device in sorted(told) for line in _metrics(device, told[device])]
    return [line for line in single if line] + moving + list(_renamed(told))


def _missing(device: str, nights: Sequence[tuple[Entry, Seen]]) -> str:
    """Where nights are missing, or an empty text; with fewer than three intervals none of them is the usual one."""
    days = sorted({_date(each) for each, _ in nights})
    gaps = [(since, until, (until - since).days) for since, until in pairwise(days)]
    if len(gaps) < 3:
        return ""
    usual = statistics.median(length for *_, length in gaps)
    late = [(since, until, round(length / usual) - 1) for since, until, length in gaps if length >= LATE * usual]
    if not late:
        return ""
    count = sum(missing for *_, missing in late)
    where = some([f"between {since} and {until}" for since, until, _ in late], MANY)
    return f"{device}: {count} night{'s' * (count != 1)} missing {where} (usual interval: {usual:g} d)"


def _twice(device: str, nights: Sequence[tuple[Entry, Seen]]) -> str:
    """The dates on which one case was measured by two runs, or an empty text."""
    by_date: defaultdict[tuple[date, str], list[tuple[Entry, Seen]]] = defaultdict(list)
    for each in nights:
        by_date[_date(each[0]), each[0].name].append(each)  # several nights of a date have names of their own
    doubled = [
        f"{day} ({some([each.run for each, _ in runs], 2)})"
        for (day, _), runs in by_date.items()
        if any(one.cases & other.cases for (_, one), (_, other) in pairwise(runs))
    ]
    return f"{device}: more than one run of the same cases on {some(doubled, MANY)}: each counts" if doubled else ""


def _metrics(device: str, nights: Sequence[tuple[Entry, Seen]]) -> Iterator[str]:
    """Metrics that were added or dropped."""
    known: dict[frozenset[Case], set[str]] = {}
    span: dict[str, tuple[Entry, Entry]] = {}
    for each, seen in nights:
        for metric in known.setdefault(seen.cases, seen.metrics):
            span[metric] = (span.get(metric, (each, each))[0], each)
    first, last = nights[0][0], nights[-1][0]
    for metric, (since, until) in sorted(span.items()):
        if since is not first:
            yield f"{device}: {metric} is measured since {_date(since)} (run {since.run}), not before"
        if until is not last:
            yield f"{device}: {metric} was measured last on {_date(until)} (run {until.run}), not since"


def _renamed(told: Mapping[str, Sequence[tuple[Entry, Seen]]]) -> Iterator[str]:
    """Devices that end before one of the same kind begins on the same cases."""
    for old, before in sorted(told.items()):
        ended, was = before[-1]
        for new, after in sorted(told.items()):
            began, became = after[0]
            shared = len(was.cases & became.cases)
            if ended.started < began.started and was.facts and was.facts == became.facts and shared:
                yield (
                    f"{old}: its series end on {_date(ended)}, and those of {new}, the same device by its facts, begin "
                    f"on {_date(began)} ({shared} shared): if it was renamed, {to_rename(ended.folder, old, new)}"
                )


def to_rename(folder: Path | None, old: str, new: str) -> str:
    """How a device gets another name: where its nights are kept in ``folder``, or where they are journals."""
    if folder is None:
        return f"give --renamed '{old}={new}'"
    return f"run {shlex.join(['archbench', 'history', 'rename', str(folder), old, new])}"


def _date(each: Entry) -> date:
    return each.started.date()
