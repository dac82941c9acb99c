"""Nights: what one run measured, as the points that later runs are judged by, read from a journal or a kept night.

A kept night is ``nights/<device>/<start>-<run>.json.gz`` in a history's folder: the run's header and the points of one
device, column by column, since a year of a thousand networks as journals would take minutes to read. It has all of a
point, and of the samples only what a point has of them. Schema 1 (first).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from pytest_archbench import store
from pytest_archbench.files import UNREADABLE, as_file, write_atomically
from pytest_archbench.points import FIELDS, Key, is_name, key, points_of, time
from pytest_archbench.protocols import Outcomes
from pytest_archbench.records import Conditions, Point
from pytest_archbench.store import JournalError

SCHEMA = 1
FOLDER = "nights"
ENDING = ".json.gz"
STAMP = "%Y%m%dT%H%M%SZ"
"""How the start of a run (UTC) begins the name of its file, so that names are in the order of time."""

_FIELDS = tuple(field.name for field in fields(Point))
_RECORDS = {"conditions": Conditions, "outcomes": Outcomes}
ADVICE = "take it away to read the rest"


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
    run = store.read(path)
    started = _started(path, run.header)
    try:
        return Night(path, run.header, started, points_of(run))
    except JournalError as error:
        raise JournalError(f"{path}: {error}") from None


def keep(night: Night, folder: Path) -> list[Path]:
    """Write a run into the history in ``folder``, a file for each of its devices.

    What is kept of the same run, or of the latest one whose header names the same ``night``, is one with it: the cases
    of both, where both have one that of ``night``.

    Raises: JournalError where a device has a later night there already, nothing written, as its clock went backwards;
    OSError.
    """
    plans = [_plan(night, device, folder / FOLDER / as_file(device)) for device in night.devices]
    for path, replaced, points in plans:
        write(path, night.header, points)
        if replaced is not None and replaced != path:
            replaced.unlink()
    return [path for path, _, _ in plans]


def _plan(night: Night, device: str, folder: Path) -> tuple[Path, Path | None, list[Point]]:
    """Where a device's part of a run is kept, in the place of which file, and its points. Raises: JournalError."""
    path, there = folder / _file_name(night), kept(folder)
    replaced = path if path in there else next(filter(partial(_is_of, night), there[-1:]), None)
    if replaced is None and there and there[-1].name > path.name:
        raise JournalError(
            f"{night.path}: run {night.run} on {device} started {night.started.isoformat()}, before {there[-1].name}, "
            f"which is kept already: set the clock, and mend `started` in the header or leave the run out"
        )
    earlier = read(replaced).points if replaced is not None else {}
    points = {**earlier, **{name: point for name, point in night.points.items() if name[2] == device}}
    return path, replaced, list(points.values())


def _is_of(night: Night, path: Path) -> bool:
    """Whether what is kept in a file is of the same night, by its header."""
    named = night.header.get("night")
    return named is not None and read(path).header.get("night") == named


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
    write_atomically(path, _bytes(header, _columns(points, without)))


def _kept(path: Path) -> Night:
    """Raises: JournalError."""
    try:
        entry = json.loads(gzip.decompress(path.read_bytes()))
        points = {key(point): point for point in _unpacked(entry)}
        return Night(path, entry["header"], _started(path, entry["header"]), points)
    except JournalError:
        raise
    except (OSError, EOFError, zlib.error, *UNREADABLE) as error:
        raise JournalError(f"{path}: expected a kept night; it is damaged ({error}); {ADVICE}") from None
    except (KeyError, TypeError, AttributeError, IndexError) as error:
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


def _columns(points: Iterable[Point], without: Sequence[str] = ()) -> dict[str, Any]:
    rows = list(points)
    return {name: _column([getattr(row, name) for row in rows]) for name in _FIELDS if name not in without}


def _column(values: Sequence[Any]) -> dict[str, Any]:
    """Values of one field: the distinct ones, and for each row the place of its own; in row order where few repeat."""
    plain = [asdict(value) if isinstance(value, Conditions | Outcomes) else value for value in values]
    texts = [json.dumps(value, sort_keys=True, allow_nan=False) for value in plain]
    distinct = dict(zip(texts, plain, strict=True))
    if len(distinct) * 2 > len(plain) and len(distinct) > 1:
        return {"values": plain}
    places = {text: place for place, text in enumerate(distinct)}
    at = [places[text] for text in texts] if len(distinct) > 1 else len(plain)
    return {"values": list(distinct.values()), "at": at}


def _unpacked(entry: Mapping[str, Any]) -> list[Point]:
    """Raises: ValueError and whatever else a damaged entry leads to."""
    if entry["schema"] != SCHEMA:
        raise ValueError(f"schema: expected {SCHEMA}; got {entry['schema']!r}: use the version that wrote it")
    told = entry["columns"]
    rows = _values("value", told["value"])
    columns = [
        _values(each.name, told[each.name]) if each.name in told else [each.default] * len(rows)
        for each in fields(Point)
    ]
    return [Point(*row) for row in zip(*columns, strict=True)]


def _values(name: str, column: Mapping[str, Any]) -> list[Any]:
    """A column's values by row. Each distinct one is checked once, as one of a journal is."""
    distinct = [_made(name, value) for value in column["values"]]
    for field, expected, holds in FIELDS:
        head, _, part = field.partition(".")
        if head != name:
            continue
        found = map(attrgetter(part), distinct) if part else distinct
        for value in found:
            if not holds(value):
                raise ValueError(f"{field}: expected {expected}; got {value!r:.100}")
    at = column.get("at")
    if at is None:
        return distinct
    return distinct * at if isinstance(at, int) else [distinct[place] for place in at]


def _made(name: str, value: Any) -> Any:
    if name in _RECORDS and value is not None:
        return _RECORDS[name](**value)
    return tuple(map(tuple, value)) if name == "trials" else value
