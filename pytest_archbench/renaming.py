"""A device that goes by another name from now on: its kept nights, and its promoted values, under that name.

Every file is replaced whole, and a former one goes once all of it is under the new name, so that a renaming that was
killed is begun again. A kept night's header tells under ``renamed`` the former name of each device that had another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_archbench import nights, own
from pytest_archbench.chronicle import Case
from pytest_archbench.files import as_file
from pytest_archbench.nights import FOLDER, Night
from pytest_archbench.points import Key, key
from pytest_archbench.records import Point
from pytest_archbench.store import JournalError

RENAMED = "renamed"

Span = tuple[datetime, datetime]
"""When a case was measured first and last."""


def rename(folder: Path, old: str, new: str) -> int:
    """Bring the kept nights of a device in the history ``folder`` under another name; how many.

    Raises: JournalError, nothing written, where both names have a case in the same span of time, or a night of the two
    is damaged; OSError.
    """
    former = nights.kept(folder / FOLDER / as_file(old))
    _refuse_two_devices(former, nights.kept(folder / FOLDER / as_file(new)), old, new)
    for path in former:
        _bring(nights.read(path), folder / FOLDER, old, new)
    return len(former)


def _bring(night: Night, folder: Path, old: str, new: str) -> None:
    """Write a night's file under the new name, tell the files of its other devices, and take the former away."""
    target = folder / as_file(new) / night.path.name
    there = nights.read(target).points if target.exists() else {}
    nights.write(target, _told(night.header, old, new), {**there, **_moved(night.points.values(), old, new)}.values())
    for path in sorted(folder.glob(f"*/{night.path.name}")):
        if path not in (target, night.path):
            other = nights.read(path)
            nights.write(path, _told(other.header, old, new), other.points.values())
    night.path.unlink()


def _told(header: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """A header with what it says of the device under its new name."""
    devices = {new if name == old else name: facts for name, facts in _object(header, "devices").items()}
    return {**header, "devices": devices, RENAMED: {**_object(header, RENAMED), new: old}}


def _moved(points: Iterable[Point], old: str, new: str) -> dict[Key, Point]:
    """Points under the new name."""
    made = (
        replace(each, conditions=replace(each.conditions, device=new)) if each.conditions.device == old else each
        for each in points
    )
    return {key(each): each for each in made}


def _refuse_two_devices(former: Iterable[Path], there: Iterable[Path], old: str, new: str) -> None:
    """Raises: JournalError where nights of one name were measured between those of the other."""
    before = _spans(nights.read(path) for path in former)
    after = _spans(night for path in there if not _came(night := nights.read(path), old, new))
    shared = [case for case in sorted(before.keys() & after.keys()) if _overlap(before[case], after[case])]
    if not shared:
        return
    case = shared[0]
    spans = [f"{first.date()} to {last.date()}" for first, last in (before[case], after[case])]
    raise JournalError(
        f"{new}: expected a name under which {case[0]} {case[1]} was not measured while it was under {old}, "
        f"{spans[0]}; got nights of {spans[1]}: two devices cannot become one; choose another name"
    )


def _came(night: Night, old: str, new: str) -> bool:
    """Whether a night of the new name was brought there from the old one."""
    return _object(night.header, RENAMED).get(new) == old


def _spans(read: Iterable[Night]) -> dict[Case, Span]:
    spans: dict[Case, Span] = {}
    for night in read:
        for architecture, metric, _, batch_size, variant in night.points:
            case = (architecture, metric, batch_size, variant)
            first, last = spans.get(case, (night.started, night.started))
            spans[case] = min(first, night.started), max(last, night.started)
    return spans


def _overlap(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def rename_promoted(folder: Path, old: str, new: str) -> int:
    """Bring the promoted values of a device under another name, but for cases that this has already; how many.

    Raises: own.OwnBaselineError.
    """
    promoted = own.read(folder)
    mine = [point for point in promoted.values() if point.conditions.device == old]
    moved = {case: point for case, point in _moved(mine, old, new).items() if case not in promoted}
    if mine:
        own.promote(moved.values(), folder)
        (folder / own.file_name(old)).unlink()
    return len(moved)


def devices(folder: Path) -> Iterator[str]:
    """The devices that a history has kept nights of, each by its latest. Raises: JournalError."""
    for path in sorted((folder / FOLDER).glob("*")):
        for latest in nights.kept(path)[-1:]:
            yield from nights.read(latest).devices


def _object(header: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = header.get(name)
    return found if isinstance(found, Mapping) else {}
