"""Nights: what one run measured, as the points that later runs are judged by, read from a journal or a kept night.

A kept night is ``nights/<device>/<start>-<run>.json.gz`` in a history's folder: the run's header and the points of one
device, column by column, since a year of a thousand networks as journals would take minutes to read. It has all of a
point, and of the samples only what a point has of them. Schema 1 (first).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pytest_archbench import store
from pytest_archbench.columns import packed, unpacked
from pytest_archbench.files import UNREADABLE, as_file, write_atomically
from pytest_archbench.points import Key, is_name, key, points_of, time
from pytest_archbench.records import Point
from pytest_archbench.store import JournalError

SCHEMA = 1
FOLDER = "nights"
JOURNALS = "journals"
"""Of a history: the whole journals of the last nights, each in a folder of its night's name."""
ENDING = ".json.gz"
STAMP = "%Y%m%dT%H%M%SZ"
"""How the start of a run (UTC) begins the name of its file, so that names are in the order of time."""

AHEAD = timedelta(days=1)
"""How far in the future a run may have started: clocks of several machines differ, time zones are mistaken."""
SINCE = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""A run that started before was measured by a clock that nobody had set."""
LATEST = 3
"""Of a device's kept nights the last that may be of the night that is kept now: a part of it came already, or a process
was killed that had written it and not yet taken away what it replaces."""
ADVICE = "take it away to read the rest"
CLOCK = "set the clock, and mend `started` in the header or leave the run out"


@dataclass(frozen=True, slots=True)
class Night:
    """One run: where it was read, the header of its journal, when it started, and its points."""

    path: Path
    header: Mapping[str, Any]
    started: datetime
    points: Mapping[Key, Point]

    @property
    def run(self) -> str:
        return str(self.header["run"])

    @property
    def devices(self) -> list[str]:
        """What it measured on, sorted."""
        return sorted({device for _, _, device, *_ in self.points})


def read(path: Path) -> Night:
    """A journal, or a kept night. Raises: JournalError with the file."""
    if path.name.endswith(ENDING):
        return _kept(path)
    return of(path, store.read(path))


def of(path: Path, run: store.Run) -> Night:
    """A run that was read from a journal. Raises: JournalError with the file."""
    started = _started(path, run.header)
    try:
        return Night(path, run.header, started, points_of(run))
    except JournalError as error:
        raise JournalError(f"{path}: {error}") from None


def keep(night: Night, folder: Path) -> list[Path]:
    """Write a run into the history in ``folder``, a file for each of its devices.

    What is kept of the same run, or lately of one whose header names the same ``night``, is one with it: the cases of
    all, where several have one that of ``night``.

    Raises: JournalError where the clock was wrong, nothing written: the run started in the future, before ``SINCE``, or
    before a night of one of its devices that is kept already; OSError.
    """
    _require_a_clock(night)
    plans = [_plan(night, device, folder / FOLDER / as_file(device)) for device in night.devices]
    for path, replaced, points in plans:
        write(path, night.header, points)
        for former in replaced:
            former.unlink()
    return [path for path, _, _ in plans]


def _require_a_clock(night: Night) -> None:
    """Raises: JournalError."""
    if not SINCE <= night.started <= _latest():
        expected = f"from {SINCE.year} on and not in the future"
        raise JournalError(
            f"{night.path}: run {night.run} started {night.started.isoformat()}; expected a time {expected}: {CLOCK}"
        )


def _latest() -> datetime:
    return datetime.now(timezone.utc) + AHEAD


def _plan(night: Night, device: str, folder: Path) -> tuple[Path, list[Path], list[Point]]:
    """Where a device's part of a run is kept, which files go for it, and its points. Raises: JournalError."""
    path = folder / _file_name(night)
    there = [each for each in kept(folder) if (start := start_named(each)) is not None and start <= _latest()]
    # fullest last: of two files of one night the one that has both parts counts
    parts = sorted(_parts(night, path, there), key=lambda part: len(part.points))
    if not parts and path not in there and there and there[-1].name > path.name:
        raise JournalError(
            f"{night.path}: run {night.run} on {device} started {night.started.isoformat()}, before {there[-1].name}, "
            f"which is kept already: {CLOCK}"
        )
    points = {name: point for part in (*parts, night) for name, point in part.points.items() if name[2] == device}
    return path, [part.path for part in parts if part.path != path], list(points.values())


def _parts(night: Night, path: Path, there: Sequence[Path]) -> Iterator[Night]:
    """What is kept of the same night: under its own name, or lately by its header. What is damaged is none of it."""
    named = night.header.get("night")
    for each in there:
        if each != path and (named is None or each not in there[-LATEST:]):
            continue
        try:
            found = read(each)
        except JournalError:
            continue  # whoever reads the history names it
        if each == path or found.header.get("night") == named:
            yield found


def start_named(path: Path) -> datetime | None:
    """When a kept night started, by its name; None for a file that is not called as one."""
    try:
        return datetime.strptime(path.name.partition("-")[0], STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def kept(folder: Path) -> list[Path]:
    """The kept nights of a device's folder, oldest first."""
    return sorted(path for path in folder.glob(f"*{ENDING}") if not path.name.startswith("."))


def without_outcomes(path: Path) -> bool:
    """Take from a kept night which images were right, most of its size; whether there was anything to take.

    Raises: JournalError, OSError.
    """
    night = read(path)
    if not any(point.outcomes for point in night.points.values()):
        return False
    write(path, night.header, night.points.values(), without=("outcomes",))
    return True


def write(path: Path, header: Mapping[str, Any], points: Iterable[Point], without: Sequence[str] = ()) -> None:
    """Write a kept night in the place of what is there; ``without``: fields that are left out. Raises: OSError."""
    write_atomically(path, _bytes(header, packed(points, without)))


def _kept(path: Path) -> Night:
    """Raises: JournalError."""
    try:
        entry = json.loads(gzip.decompress(path.read_bytes()))
        if entry["schema"] != SCHEMA:
            raise ValueError(f"schema: expected {SCHEMA}; got {entry['schema']!r}: use the version that wrote it")
        points = {key(point): point for point in unpacked(entry["columns"])}
        return Night(path, entry["header"], _started(path, entry["header"]), points)
    except JournalError:
        raise
    except (OSError, EOFError, zlib.error, *UNREADABLE) as error:
        raise JournalError(f"{path}: expected a kept night; it is damaged ({error}); {ADVICE}") from None
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise JournalError(f"{path}: expected a night as it is kept; got another form ({reason}); {ADVICE}") from None


def _started(path: Path, header: Mapping[str, Any]) -> datetime:
    """Raises: JournalError where a header has no run or no time."""
    name, text = header.get("run"), header.get("started")
    started = time(text) if isinstance(text, str) else None
    if started is None or not is_name(name):
        got = f"{name!r:.100} and {text!r:.100}"
        raise JournalError(f"{path}:1: expected a run's name and the time it started; got {got}")
    return started


def _file_name(night: Night) -> str:
    return f"{night.started.astimezone(timezone.utc).strftime(STAMP)}-{as_file(night.run)}{ENDING}"


def _bytes(header: Mapping[str, Any], columns: Mapping[str, Any]) -> bytes:
    text = json.dumps({"schema": SCHEMA, "header": header, "columns": columns}, allow_nan=False)
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)  # the same night is the same file
