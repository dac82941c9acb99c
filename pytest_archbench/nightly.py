"""A night: measured or taken from elsewhere, kept in a history, searched for what crept in. The order of steps is such
that one which fails leaves the history as it was, and the same night, begun again, goes on from there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_archbench import nights, outputs, store, trend
from pytest_archbench.alarm import PER_NIGHT
from pytest_archbench.files import UNREADABLE, write_atomically
from pytest_archbench.history import FIRST, Past
from pytest_archbench.levels import level, unlike
from pytest_archbench.nights import Night
from pytest_archbench.past import is_of
from pytest_archbench.points import Key, is_alarm, key, row_point
from pytest_archbench.records import Metric, Point
from pytest_archbench.registry import METRICS
from pytest_archbench.store import JournalError

MARK = "night.json"
"""Beside a night's journal, once it is measured to the end: with what exit code."""
DONE = (0, 1)
"""Exit codes of a run that measured all it was asked for: nothing failed, or something did."""
WINDOW = 60
"""Nights in which changes are looked for that no single night shows."""
LASTING = 7
"""Nights that both levels of a step must have before it is an alarm: in fewer any bad week of a noisy series is one."""
USUAL = ("--archbench-processes=5",)
"""What a night is measured with unless it is told otherwise: fewer processes do not show their own bias."""
WHOLE = ("--maxfail=0",)
"""A night goes on after a failure, whatever the project's settings say."""
STOPPING = ("--exitfirst", "--maxfail", "--stepwise", "--sw")
SHORT_STOP = re.compile("-[dfhlqsvV]*x")
"""``-x``, alone or behind other letters that take no value."""


class NightFailed(RuntimeError):
    """A night that was not measured to its end; nothing of it is kept. ``code``: what to exit with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Alarm:
    """A case that is worse than it was. ``kind``: regressed, step, drift. ``before`` is the last run of the old level
    where it is known, ``reason`` a sentence.
    """

    kind: str
    case: Key
    since: Point
    before: Point | None
    reason: str


def stopping(arguments: Sequence[str]) -> str:
    """The first argument for pytest that ends a run at a failure, so that what comes after it would be missing."""
    return next((each for each in arguments if each.partition("=")[0] in STOPPING or SHORT_STOP.match(each)), "")


def measure(folder: Path, arguments: Sequence[str]) -> int:
    """Run the suite into ``folder``, a killed run going on; its exit code. One that is done is not run again.

    Raises: NightFailed where the run came to no end.
    """
    if (code := _marked(folder / MARK)) is not None:
        return code
    resumed = ["--archbench-resume"] if (folder / store.JOURNAL).exists() else []
    asked = [*USUAL, *WHOLE, f"--archbench-out={folder.absolute()}", *resumed, *arguments]
    command = [sys.executable, "-m", "pytest", "--archbench", *asked]
    code = subprocess.run(command, check=False).returncode
    if code not in DONE:
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        advice = "the history is as it was; run the same night again to go on"
        raise NightFailed(f"the run ended early ({ended}): {advice}", code if code > 0 else 1)
    if not (folder / store.JOURNAL).exists():
        raise NightFailed("the run measured nothing: the history is as it was; see what it was asked for", 5)
    return code


def mark(folder: Path, code: int) -> None:
    """Say that the night whose journal is in ``folder`` is kept, and with what code its run ended. Raises: OSError."""
    write_atomically(folder / MARK, json.dumps({"schema": 1, "code": code}).encode())


def _marked(mark: Path) -> int | None:
    """The exit code of a night that was measured to its end."""
    try:
        code = json.loads(mark.read_text(encoding="utf-8"))["code"]
    except (OSError, *UNREADABLE, KeyError, TypeError):
        return None
    return code if isinstance(code, int) else None


def take(journal: Path) -> tuple[store.Run, list[str]]:
    """A run that was made elsewhere, and a sentence for each line that is damaged.

    Raises: JournalError where nothing was measured, or it has what no run writes.
    """
    run, damage = store.salvage(journal)
    if not run.rows:
        raise JournalError(f"{journal}: expected measured cases; got none: measure first")
    nights.of(journal, run)
    return run, damage


def with_parts(run: store.Run, folder: Path) -> store.Run:
    """A run together with what the night's folder has of other parts of it. Raises: JournalError."""
    if not (folder / store.JOURNAL).exists():
        return run
    return outputs.merged([store.read(folder), run])


def store_whole(run: store.Run, folder: Path) -> None:
    """Write a run as the journal of a night. Raises: OSError."""
    lines = (run.header, *run.rows)
    write_atomically(folder / store.JOURNAL, "".join(f"{json.dumps(line)}\n" for line in lines).encode())


def alarms(run: store.Run, night: Night, past: Past, promoted: Mapping[Key, Point]) -> list[Alarm]:
    """Every case of a night that is worse than it was, once: what the run was sure of first.

    ``past`` has the night in it. Raises: JournalError as ``row_point``.
    """
    sure = regressed(run, past)
    known = {alarm.case for alarm in sure}
    others = (case for case in night.points if case not in known)
    return [*sure, *crept(past, others, promoted)]


def regressed(run: store.Run, past: Past) -> list[Alarm]:
    """What a run was itself sure of: worse than the nights before, confirmed, or a graph that changed.

    Raises: JournalError as ``row_point``.
    """
    found = []
    for row in outputs.latest(run).rows:
        told = [verdict for verdict in row["verdicts"] if is_alarm(verdict)]
        if told and (point := row_point(row, run.header)):
            before = [each for each in past.series.get(key(point), ()) if each.run != point.run and not each.alarmed]
            found.append(Alarm("regressed", key(point), point, before[-1] if before else None, told[0]["reason"]))
    return found


def crept(past: Past, cases: Iterable[Key], promoted: Mapping[Key, Point]) -> Iterator[Alarm]:
    """What no single night shows: steps within the noise of a night that have lasted, and slow drift, for the worse.

    Steps are looked for in the last ``WINDOW`` runs, from the promoted one on. One must have lasted and be as unlikely
    as the number of series and of the nights on which it might have been asks for. A drift is measured from the
    promoted run, else from the first that are known.
    """
    for case in cases:
        series = past.series.get(case, ())
        if not series or not METRICS.owns(case[1]) or METRICS[case[1]].better == "equal":
            continue
        metric, own_run = METRICS[case[1]], promoted.get(case)
        recent = _since(series[-WINDOW:], own_run)
        chance = PER_NIGHT / (max(1, past.noisy) * len(recent))
        change = _standing(trend.steps(recent, metric), metric, chance) or _drifted(series, recent, own_run, metric)
        if change is not None:
            yield Alarm(change.kind, case, change.since, change.before, change.reason)


def _drifted(
    series: Sequence[Point], recent: Sequence[Point], own_run: Point | None, metric: Metric
) -> trend.Change | None:
    """A drift for the worse."""
    found = trend.drift(recent, metric, own_run or _origin(series, metric))
    return found if found is not None and _worse(found, metric) else None


def _origin(series: Sequence[Point], metric: Metric) -> Point | None:
    """Of the first runs that compare with the latest that of the median level; None where they are few."""
    alike = [point for point in series if not point.doubt and not unlike(point, series[-1], metric)]
    if len(alike) < 2 * FIRST:
        return None
    return sorted(alike[:FIRST], key=lambda point: level(point, metric))[FIRST // 2]


def _since(recent: Sequence[Point], promoted: Point | None) -> Sequence[Point]:
    """Without the runs before a promoted one: what had changed by then is meant."""
    at = next((place for place, point in enumerate(recent) if promoted and is_of(point, promoted)), 0)
    return recent[at:]


def _standing(steps: Sequence[trend.Change], metric: Metric, chance: float) -> trend.Change | None:
    """The latest step for the worse that counts and that no later one has undone."""
    for place, step in reversed([*enumerate(steps)]):
        undone = any((later.change < 0) != (step.change < 0) for later in steps[place + 1 :])
        if _worse(step, metric) and min(step.runs) >= LASTING and step.chance < chance and not undone:
            return step
    return None


def _worse(change: trend.Change, metric: Metric) -> bool:
    """Whether a change is for the worse, beyond what goes unremarked."""
    return (change.change if metric.better == "lower" else -change.change) > metric.tolerance


def keep(journal: Path, name: str, folder: Path, run: store.Run) -> Night:
    """Keep a run that was read from ``journal`` in the history as the night ``name``.

    Raises: JournalError, OSError.
    """
    read = nights.of(journal, run)
    if not read.points:
        raise JournalError(f"{journal}: expected measured values; got none: see why in its report")
    night = replace(read, header={**read.header, "night": name})
    nights.keep(night, folder)
    return night
