"""Promoted baselines of one's own: ``<folder>/<device>.jsonl`` holds what later runs on that device are judged against.

Schema 1 (first): a header line with ``schema``, ``device`` and the run ``promoted`` last; then a JSON object per point,
sorted by architecture, metric and batch size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from pytest_archbench import meters  # noqa: F401  (enters the metrics)
from pytest_archbench.files import UNREADABLE, as_file, write_atomically
from pytest_archbench.levels import differing
from pytest_archbench.points import Key, fault, key
from pytest_archbench.protocols import Outcomes
from pytest_archbench.records import Conditions, Metric, Point
from pytest_archbench.registry import METRICS, near

SCHEMA = 1
FOLDER = Path("baselines") / "devices"
"""Where a project keeps them, under its root."""

R = TypeVar("R")
Kind = Literal["new", "changed", "unchanged", "kept"]

_HEADER = {"schema": int, "device": str, "promoted": str}
_POINT = tuple(field.name for field in fields(Point))
_OPTIONAL = ("outcomes", "doubt", "alarmed")
"""What only some points have: a proportion, one from which nothing can be concluded, and one that raised an alarm."""
_CONDITIONS = tuple(field.name for field in fields(Conditions))


class OwnBaselineError(ValueError):
    """A promoted file that cannot be read or written; the message has file, line, key, expected, got and advice."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What promoting does to one case: the point that stands in the file before, None where none does, and after."""

    kind: Kind
    before: Point | None
    after: Point

    @property
    def facts(self) -> list[tuple[str, Any, Any]]:
        """What differs of that which must be equal before two values compare: name, before, after."""
        return [] if self.before is None else differing(self.before, self.after, _metric(self.after))


def read(folder: Path) -> dict[Key, Point]:
    """Every promoted point of the files in ``folder``; none where there is no such folder.

    Raises: OwnBaselineError on anything that ``promote`` does not write.
    """
    if folder.exists() and not folder.is_dir():
        raise OwnBaselineError(f"{folder}: expected a folder of promoted baselines; got a file; name a folder")
    return {key(point): point for path in sorted(folder.glob("*.jsonl")) for point in _points(path)}


def promote(points: Iterable[Point], folder: Path, *, dry_run: bool = False) -> list[Difference]:
    """Make these points the baselines of their cases and keep those of all others; say what that changed.

    A file in which nothing changes is not touched, and with ``dry_run`` none. Raises: OwnBaselineError, nothing written
    where a point or a file of the folder is damaged.
    """
    before = read(folder)
    made = differences(before, points)
    _refuse_shared_file({each.after.conditions.device for each in made} | {device for _, _, device, *_ in before})
    if dry_run:
        return made
    for device in sorted({each.after.conditions.device for each in made if each.kind in ("new", "changed")}):
        _write(folder / file_name(device), device, [each for each in made if each.after.conditions.device == device])
    return made


def differences(before: Mapping[Key, Point], points: Iterable[Point]) -> list[Difference]:
    """What promoting ``points`` over ``before`` would do to the cases of their devices, in the files' order.

    A point that says nothing new leaves the old line as it is: a count that ran again is no change to review.
    Raises: OwnBaselineError for a point that cannot be kept.
    """
    after = {key(point): _as_read(point) for point in points}
    devices = {point.conditions.device for point in after.values()}
    cases = sorted({*after, *(name for name, point in before.items() if point.conditions.device in devices)})
    return [_difference(before.get(case), after.get(case)) for case in cases]


def file_name(device: str) -> str:
    """``cuda:0`` is kept in ``cuda-0.jsonl``, a name that is no file's under one that ends in a mark of its own."""
    return f"{as_file(device.replace(':', '-'))}.jsonl"


def _refuse_shared_file(devices: set[str]) -> None:
    """Two devices whose names differ in a ':' alone would overwrite each other."""
    owners: dict[str, str] = {}
    for device in sorted(devices):
        if owners.setdefault(file_name(device), device) != device:
            raise OwnBaselineError(f"devices {owners[file_name(device)]!r} and {device!r} share a file: rename one")


def _difference(before: Point | None, after: Point | None) -> Difference:
    if after is None:
        assert before is not None, "a case is of the run or of the file"
        return Difference("kept", before, before)
    if before is None:
        return Difference("new", None, after)
    changed = Difference("changed", before, after)
    is_same = not changed.facts and _number(before) == _number(after)
    return Difference("unchanged", before, before) if is_same else changed


def _number(point: Point) -> tuple[Any, ...]:
    return (point.value, point.unit, point.trials, point.uncertainty)


def _metric(point: Point) -> Metric:
    """One that nobody registered is taken to be measured."""
    return METRICS[point.metric] if METRICS.owns(point.metric) else Metric(point.metric, point.unit, "lower")


def _write(path: Path, device: str, kept: list[Difference]) -> None:
    latest = max((each.after for each in kept if each.kind in ("new", "changed")), key=lambda point: point.started)
    objects = [{"schema": SCHEMA, "device": device, "promoted": latest.run}, *(_object(each.after) for each in kept)]
    content = "".join(json.dumps(entry, allow_nan=False) + "\n" for entry in objects)
    try:
        write_atomically(path, content.encode())
    except OSError as error:
        raise OwnBaselineError(f"{path}: cannot be written: {error.strerror}; name another folder") from None


def _object(point: Point) -> dict[str, Any]:
    """A point as a line holds it."""
    return {name: value for name, value in asdict(point).items() if name not in _OPTIONAL or value}


def _as_read(point: Point) -> Point:
    """A point as it will be read back. Raises: OwnBaselineError where it cannot be."""
    where = f"{point.architecture} {point.metric}"
    try:
        entry = json.loads(json.dumps(_object(point), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise OwnBaselineError(f"{where}: cannot be kept as JSON: {error}; promote what a journal holds") from None
    return _point(entry, where)


ADVICE = "take the file back from git, or remove the line and promote a run"


def _points(path: Path) -> Iterator[Point]:
    """The points of one file."""
    (first, header), *entries = _objects(path)
    _require_keys(header, tuple(_HEADER), first)
    for name, kind in _HEADER.items():
        _require(isinstance(header[name], kind), first, name, f"a {kind.__name__}", header[name])
    _require(header["schema"] == SCHEMA, first, "schema", f"{SCHEMA}, or the version that wrote it", header["schema"])
    expected = f"the device whose file is called {path.name}"
    _require(file_name(header["device"]) == path.name, first, "device", expected, header["device"])
    seen: dict[Key, str] = {}
    for where, entry in entries:
        point = _point(entry, where)
        device = point.conditions.device
        _require(device == header["device"], where, "conditions.device", f"{header['device']!r}", device)
        case, first_there = key(point), seen.setdefault(key(point), where)
        _require(first_there == where, where, "architecture", f"a case that is not in {first_there} already", case)
        yield point


def _objects(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every line's object, with file and line; at least one."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise OwnBaselineError(f"{path}: cannot be read: {error}; {ADVICE}") from None
    found = []
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        try:
            entry = json.loads(line)
        except UNREADABLE as error:
            raise OwnBaselineError(f"{where}: expected a JSON object; got {line!r:.60} ({error}); {ADVICE}") from None
        if not isinstance(entry, dict):
            raise OwnBaselineError(f"{where}: expected a JSON object; got {line!r:.60}; {ADVICE}")
        found.append((where, entry))
    return found


def _point(entry: Mapping[str, Any], where: str) -> Point:
    """The point that a line holds. Raises: OwnBaselineError."""
    _require_keys({**dict.fromkeys(_OPTIONAL), **entry}, _POINT, where)
    conditions, trials = entry["conditions"], entry["trials"]
    _require(isinstance(conditions, dict), where, "conditions", "an object", conditions)
    _require_keys(conditions, _CONDITIONS, where, "conditions.")
    lists = isinstance(trials, list) and all(isinstance(trial, list) for trial in trials)
    under = _made(Conditions, conditions, where, "conditions")
    outcomes = _made(Outcomes, entry["outcomes"], where, "outcomes") if entry.get("outcomes") else None
    pairs = tuple(map(tuple, trials)) if lists else trials
    point = Point(**{**entry, "conditions": under, "trials": pairs, "outcomes": outcomes})
    if wrong := fault(point):
        raise OwnBaselineError(f"{where}: {wrong}; {ADVICE}")
    return point


def _made(record: Callable[..., R], fields: Any, where: str, name: str) -> R:
    """The record of an object's keys. Raises: OwnBaselineError."""
    try:
        return record(**fields)
    except (TypeError, ValueError) as error:
        said = str(error).removeprefix(f"{name}: ")
        raise OwnBaselineError(f"{where}: {name}: {said}; {ADVICE}") from None


def _require_keys(entry: Mapping[str, Any], names: tuple[str, ...], where: str, prefix: str = "") -> None:
    """Refuse an object that lacks a key or has one more."""
    if unknown := [name for name in entry if name not in names]:
        known = near(unknown[0], names)
        raise OwnBaselineError(f"{where}: {prefix}{unknown[0]!r:.100}: unknown key: {known}; {ADVICE}")
    if missing := [name for name in names if name not in entry]:
        raise OwnBaselineError(f"{where}: {prefix}{missing[0]}: the key is missing; {ADVICE}")


def _require(condition: bool, where: str, name: str, expected: str, got: object) -> None:
    if not condition:
        raise OwnBaselineError(f"{where}: {name}: expected {expected}; got {got!r:.100}; {ADVICE}")
