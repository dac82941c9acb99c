"""Earlier runs as series: the journals and kept nights of a folder, in the order of time."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
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

AHEAD = timedelta(days=1)
"""How far in the future a run may have started: clocks of several machines differ, time zones are mistaken."""


@dataclass(frozen=True)
class Past:
    """Earlier runs, oldest first. ``broken`` and ``repeated`` say which journals are not in it and why."""

    series: Mapping[Key, tuple[Point, ...]]
    runs: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()

    @cached_property
    def noisy(self) -> int:
        """How many series may raise a false alarm: a count cannot."""
        return sum(METRICS[metric].better != "equal" for _, metric, *_ in self.series if metric in METRICS)


@dataclass
class Reading:
    """A history being read: ``broken`` and ``repeated`` grow as files are met that are left out."""

    folder: Path
    renamed: Mapping[str, str]
    broken: list[str]
    repeated: list[str]

    def nights(self, last: int = 0, first: int = 0) -> Iterator[Night]:
        """Every run, oldest first, one in memory at a time; of each device's kept nights the ``first`` and the ``last``
        alone, where ``last`` is given.

        A damaged file is left out whole and named. Of two files with one case of one run the one with more cases
        counts.
        """
        for group in _by_run(self._places(last, first)):
            if night := self._whole(group):
                yield night

    def _places(self, last: int, first: int) -> list[_Place]:
        """Where the runs are, in the order of time."""
        latest = datetime.now(timezone.utc) + AHEAD
        found = []
        for path in _paths(self.folder, last, first):
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
        return sorted(found, key=lambda place: (place.started, place.run, str(place.path)))

    def _whole(self, group: Iterable[_Place]) -> Night | None:
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
        if not any(name[2] in self.renamed for name in points):
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
    return Reading(folder, renamed or {}, [], [])


def load(
    folder: Path, without: str = "", *, last: int = 0, first: int = 0, renamed: Mapping[str, str] | None = None
) -> Past:
    """A history as series. ``without`` names a run to leave out; ``first`` and ``last`` are those of ``nights``.

    Raises: JournalError where ``folder`` is none.
    """
    reading = opened(folder, renamed)
    runs: list[str] = []
    series: defaultdict[Key, list[Point]] = defaultdict(list)
    for night in reading.nights(last, first):
        if night.run == without:
            continue
        runs.append(night.run)
        for name, point in night.points.items():
            series[name].append(point)
    whole = {name: tuple(series[name]) for name in sorted(series)}
    return Past(whole, tuple(runs), tuple(reading.broken), tuple(reading.repeated))


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of a run, known by its name or its first line alone."""

    path: Path
    run: str
    started: datetime


def _paths(folder: Path, last: int, first: int) -> list[Path]:
    journals = sorted(path for pattern in ("*.jsonl", "*/*.jsonl") for path in folder.glob(pattern) if path.is_file())
    devices = sorted(path for path in (folder / nights.FOLDER).glob("*") if path.is_dir())
    return journals + [path for device in devices for path in _ends(nights.kept(device), last, first)]


def _ends(paths: list[Path], last: int, first: int) -> list[Path]:
    """The first and the last of them; all where ``last`` is 0 or they are no more."""
    return paths if not last or len(paths) <= first + last else paths[:first] + paths[-last:]


def _place(path: Path) -> _Place:
    """Raises: JournalError."""
    if path.name.endswith(nights.ENDING):
        stamp, _, run = path.name.removesuffix(nights.ENDING).partition("-")
        try:
            started = datetime.strptime(stamp, nights.STAMP).replace(tzinfo=timezone.utc)
        except ValueError:
            expected = "a name that begins with the time of the run, such as 20260131T030000Z-"
            raise JournalError(f"{path}: expected {expected}; got {path.name!r}; {nights.ADVICE}") from None
        return _Place(path, run, started)
    header = _header(path)
    text = header.get("started")
    started_ = time(text) if isinstance(text, str) else None
    if started_ is None:
        nights.read(path)  # says what is wrong
        raise JournalError(f"{path}: was written to while it was read; read it again")
    return _Place(path, as_file(str(header.get("run"))), started_)


def _header(path: Path) -> Mapping[str, Any]:
    """The first line of a journal; an empty object where it is none, which reading it whole will say."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = json.loads(file.readline())
    except (OSError, *UNREADABLE):
        return {}
    return found if isinstance(found, dict) else {}


def _by_run(places: Iterable[_Place]) -> Iterator[list[_Place]]:
    """Files of one run together, in the order of time."""
    groups: dict[str, list[_Place]] = {}
    for place in places:
        groups.setdefault(place.run, []).append(place)
    yield from groups.values()
