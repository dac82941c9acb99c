"""Earlier runs as series: the journals and kept nights of a folder, in the order of time."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_archbench import meters, nights  # noqa: F401  (meters enters the metrics)
from pytest_archbench.files import UNREADABLE, as_file
from pytest_archbench.nights import Night
from pytest_archbench.points import Key, key, time
from pytest_archbench.records import Point
from pytest_archbench.registry import METRICS
from pytest_archbench.store import JournalError


@dataclass(frozen=True)
class Past:
    """Earlier runs, oldest first. ``broken`` and ``repeated`` say which journals are not in it and why; ``older`` is
    what of the history was not read.
    """

    series: MutableMapping[Key, tuple[Point, ...]]
    runs: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    older: Older | None = field(default=None, compare=False, repr=False)

    def of(self, case: Key, enough: int) -> Sequence[Point]:
        """A series so long that ``enough`` runs in it raised no alarm and are in no doubt, if there are as many: one
        that alarms for months, or is measured now and then, is judged by what was before.
        """
        if self.older is not None:
            self.older.fill(self.series, case, enough)
        return self.series.get(case, ())

    @cached_property
    def noisy(self) -> int:
        """How many series may raise a false alarm: a count cannot."""
        return sum(METRICS[metric].better != "equal" for _, metric, *_ in self.series if metric in METRICS)


CHUNK = 20
"""Nights that are read at once where a series is too short."""


@dataclass
class Older:
    """Runs that were not read, oldest first, until a series is found too short."""

    reading: Reading
    groups: list[list[_Place]]
    without: str

    def fill(self, series: MutableMapping[Key, tuple[Point, ...]], case: Key, enough: int) -> None:
        """Read on, the latest first, until a series is long enough, or all is read; what is short grows with it."""
        while self.groups and _certain(series.get(case, ())) < enough:
            chunk, self.groups[-CHUNK:] = self.groups[-CHUNK:], []
            full = {name for name, points in series.items() if _certain(points) >= enough}
            found: defaultdict[Key, list[Point]] = defaultdict(list)
            for night in filter(None, map(self.reading.whole, chunk)):
                if night.run != self.without:
                    for name, point in night.points.items():
                        if name not in full:
                            found[name].append(point)
            for name, points in found.items():
                series[name] = (*points, *series.get(name, ()))


def _certain(points: Iterable[Point]) -> int:
    """How many of them a later one can be judged by."""
    return sum(not (point.alarmed or point.doubt) for point in points)


@dataclass
class Reading:
    """A history being read: ``broken`` and ``repeated`` grow as files are met that are left out, and ``unmet``, former
    names of devices, shrinks as they are met.
    """

    folder: Path
    renamed: Mapping[str, str]
    broken: list[str]
    repeated: list[str]
    unmet: set[str]

    def nights(self, last: int = 0) -> Iterator[Night]:
        """Every run, oldest first, one in memory at a time; where ``last`` is given, of each device's kept nights the
        last so many alone.

        A damaged file is left out whole and named. Of two files with one case of one run the one with more cases
        counts.
        """
        yield from filter(None, map(self.whole, self.groups(*_parted(self.folder, last)[1])))

    def groups(self, *paths: Path) -> list[list[_Place]]:
        """The files of each run, in the order of time; those whose names or first lines are wrong are named."""
        latest = datetime.now(timezone.utc) + nights.AHEAD
        found = []
        for path in paths:
            try:
                place = _place(path)
            except JournalError as error:
                self.broken.append(str(error))
                continue
            if place.started > latest:
                advice = "set the clock, and mend `started` in its header"
                self.broken.append(f"{path}: started {place.started.isoformat()}, which is in the future: {advice}")
                continue
            found.append(place)
        groups: dict[str, list[_Place]] = {}
        for place in sorted(found, key=lambda place: (place.started, place.run, str(place.path))):
            groups.setdefault(place.run, []).append(place)
        return list(groups.values())

    def whole(self, group: Iterable[_Place]) -> Night | None:
        """The run that several files have parts or copies of."""
        read: list[Night] = []
        for place in group:
            try:
                read.append(nights.read(place.path))
            except JournalError as error:
                self.broken.append(str(error))
        for night in read[1:]:
            if twin := next((each for each in read if each is not night and night.points.keys() & each.points), None):
                self.repeated.append(f"{night.path}: the run {night.run} is in {twin.path} too")
        if not read:
            return None
        fullest = max(read, key=lambda night: len(night.points))
        points = {
            name: point
            for night in sorted(read, key=lambda night: len(night.points))
            for name, point in night.points.items()
        }
        return replace(fullest, points=self._called(points))

    def _called(self, points: Mapping[Key, Point]) -> Mapping[Key, Point]:
        """The points with the devices' present names."""
        found = {device for _, _, device, *_ in points} & self.renamed.keys()
        self.unmet -= found
        if not found:
            return points
        return {key(each): each for each in map(self._moved, points.values())}

    def _moved(self, point: Point) -> Point:
        device = self.renamed.get(point.conditions.device, point.conditions.device)
        return replace(point, conditions=replace(point.conditions, device=device))


def opened(folder: Path, renamed: Mapping[str, str] | None = None) -> Reading:
    """A history to read: a folder of journals (``*.jsonl``), or of folders of them, or one with kept nights.

    ``renamed`` tells which devices go by another name now. Raises: JournalError where ``folder`` is none.
    """
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing"
        raise JournalError(f"{folder}: expected a folder of journals; got {what}; name one that is there")
    return Reading(folder, renamed or {}, [], [], {*(renamed or ())})


def load(
    folder: Path, without: str = "", *, last: int = 0, spaced: bool = False, renamed: Mapping[str, str] | None = None
) -> Past:
    """A history as series. ``without`` names a run to leave out. Where ``last`` is given, of each device's kept nights
    the last so many are read at once, and the older ones when a series is too short; with ``spaced`` some of these at
    once as well, the fewer the longer ago.

    Raises: JournalError where ``folder`` is none.
    """
    reading = opened(folder, renamed)
    runs: list[str] = []
    series: defaultdict[Key, list[Point]] = defaultdict(list)
    older, recent = _parted(folder, last)
    early = _spaced(older) if spaced else []
    for night in filter(None, map(reading.whole, reading.groups(*early, *recent))):
        if night.run == without:
            continue
        runs.append(night.run)
        for name, point in night.points.items():
            series[name].append(point)
    whole = {name: tuple(series[name]) for name in sorted(series)}
    unread = None if spaced else Older(reading, reading.groups(*older), without)
    return Past(whole, tuple(runs), tuple(reading.broken), tuple(reading.repeated), unread)


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of a run, known by its name or its first line alone."""

    path: Path
    run: str
    started: datetime


def _parted(folder: Path, last: int) -> tuple[list[Path], list[Path]]:
    """The older files of a history, and the recent ones: every journal, and of each device's kept nights the last."""
    journals = sorted(path for pattern in ("*.jsonl", "*/*.jsonl") for path in folder.glob(pattern) if path.is_file())
    devices = sorted(path for path in (folder / nights.FOLDER).glob("*") if path.is_dir())
    kept = [nights.kept(device) for device in devices]
    older = [path for paths in kept for path in paths[:-last]] if last else []
    return older, journals + [path for paths in kept for path in paths[-last or None :]]


FIRST = 5
"""Of the nights of a device the first, which are read where some older ones are: from so many a drift is measured."""
STEP, GROWTH = 4.0, 1.3
"""Nights from one of the older ones that is read to the next before it, and how that grows."""


def _spaced(older: list[Path]) -> list[Path]:
    """The first of each device, and of the others the fewer the longer ago: a year has a dozen."""
    found: list[Path] = []
    for device in dict.fromkeys(path.parent for path in older):
        paths = [path for path in older if path.parent == device]
        chosen, at, step = {*range(min(FIRST, len(paths)))}, len(paths) - 1.0, STEP
        while at >= 0:
            chosen.add(int(at))
            at, step = at - step, step * GROWTH
        found += [paths[place] for place in sorted(chosen)]
    return found


def _place(path: Path) -> _Place:
    """Raises: JournalError."""
    if path.name.endswith(nights.ENDING):
        if (named := nights.start_named(path)) is None:
            expected = "a name that begins with the time of the run, such as 20260131T030000Z-"
            raise JournalError(f"{path}: expected {expected}; got {path.name!r}; {nights.ADVICE}")
        return _Place(path, path.name.removesuffix(nights.ENDING).partition("-")[2], named)
    header = first_line(path)
    text = header.get("started")
    started_ = time(text) if isinstance(text, str) else None
    if started_ is None:
        nights.read(path)  # says what is wrong
        raise JournalError(f"{path}: was written to while it was read; read it again")
    return _Place(path, as_file(str(header.get("run"))), started_)


def first_line(path: Path) -> Mapping[str, Any]:
    """The first line of a journal; an empty object where it is none, which reading it whole will say."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = json.loads(file.readline())
    except (OSError, *UNREADABLE):
        return {}
    return found if isinstance(found, dict) else {}
