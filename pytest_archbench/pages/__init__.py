"""Pages from a history: its nights as asv results, a repository whose differences explain a step, and asv's pages.

Everything is made anew from the nights in a folder of its own, which takes the place of the former one at the end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asv.util import sanitize_filename

from pytest_archbench import blame, nights
from pytest_archbench.chronicle import Case, Entry, entry, remarks, to_rename
from pytest_archbench.files import as_file
from pytest_archbench.history import Reading
from pytest_archbench.nights import Night
from pytest_archbench.pages import leaves, results, site
from pytest_archbench.pages.commits import Commits, PagesError
from pytest_archbench.pages.leaves import Leaf
from pytest_archbench.pages.replacing import replacing
from pytest_archbench.pages.series import Place, Sheet, Shown, machine, sheet
from pytest_archbench.points import Key
from pytest_archbench.records import Point
from pytest_archbench.units import both, readable

FIRST = 1970
"""The year in which git's time begins."""
_TOLD = {"kind": "device.kind", "model": "device.model", "system": "system", "type": "machine"}


@dataclass(frozen=True, slots=True)
class Project:
    """Whose nights they are: a name, the folder of its git repository, and the address of its page or empty."""

    name: str
    repository: Path
    address: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What was published: nights, values, and what a reader should know that is not on the pages."""

    nights: int
    values: int
    series: int
    html: Path
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(slots=True)
class _Year:
    """What is kept of the nights as they go by."""

    leaves: list[Leaf] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    places: dict[Key, Place | str] = field(default_factory=dict)
    models: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    shown: dict[str, Shown] = field(default_factory=dict)
    machines: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    unfit: list[str] = field(default_factory=list)
    cases: dict[frozenset[Case], frozenset[Case]] = field(default_factory=dict)
    good: dict[Key, Point] = field(default_factory=dict)

    def add(self, night: Night, leaf: Leaf, made: Sheet) -> None:
        self.leaves.append(leaf)
        self.entries.append(entry(night, self.cases))
        self.shown |= made.shown
        self.machines |= {
            machine(device): facts for device, facts in leaf.facts.items() if machine(device) in made.values
        }
        self.good |= {case: point for case, point in night.points.items() if not (point.alarmed or point.doubt)}
        for benchmarks in made.values.values():
            for benchmark, models in benchmarks.items():
                self.models[benchmark].update(models)


def publish(reading: Reading, out: Path, whose: Project, last: int = 0) -> Published:
    """Publish the nights of a history, of each device's kept ones the ``last`` (0: all), into the folder ``out``.

    Raises: PagesError, what was published before untouched.
    """
    with replacing(out) as folder, results.written_at_once():
        year = _write_nights(reading, folder, last)
        if not year.leaves:
            raise PagesError(_nothing(reading, year))
        _refuse_shared_files(year.machines, reading.folder)
        for name, facts in year.machines.items():
            results.save_machine(folder / "results", name, _told(facts))
        made = results.config(folder, whose.name, whose.address)
        results.save_benchmarks(made, year.shown, year.models)
        site.publish(made, {name for name, found in year.shown.items() if found.is_exact})
        told = leaves.changes(year.leaves, leaves.between(whose.repository), whose.address)
        page = leaves.page(told, whose.name, whose.address)
        (folder / "html" / "night.html").write_text(page, encoding="utf-8", errors="replace")
    counted = (f"{count} × {why}" for why, count in sorted(year.left_out.items()))
    shallow = blame.shallow(whose.repository)
    return Published(
        nights=len(year.leaves),
        values=sum(leaf.count for leaf in year.leaves),
        series=len([place for place in year.places.values() if isinstance(place, Place)]),
        html=out / "html",
        left_out=(*reading.broken, *reading.repeated, *year.unfit, *counted),
        remarks=(*([shallow] if shallow else []), *_unmet(reading), *remarks(year.entries)),
    )


def _unmet(reading: Reading) -> Iterator[str]:
    for old in sorted(reading.unmet):
        yield f"--renamed '{old}={reading.renamed[old]}': none of the nights that were read has a device {old!r}"


def _write_nights(reading: Reading, folder: Path, last: int) -> _Year:
    """Write the repository and the results, night by night."""
    year = _Year()
    with Commits(folder / "repository") as commits:
        for night in reading.nights(last):
            made = sheet(night.points, year.places)
            year.left_out += made.left_out
            facts = _facts(night, reading.renamed)
            if why := _unfit(night, made, facts):
                year.unfit.append(f"{night.path}: {why}")
                continue
            about = {"run": night.run, "commit": _commit(night), "dirty": bool(night.header.get("dirty"))}
            files = {f"devices/{as_file(device)}.json": about | {"facts": told} for device, told in facts.items()}
            commit = commits.commit(night.started, night.run, files)
            for name, values in made.values.items():
                results.save_night(folder / "results", name, commit, night.run, night.started, values, made.shown)
            year.add(night, _leaf(night, commit, facts, made, year.good, reading.folder), made)
    return year


def _facts(night: Night, renamed: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    """By device what its header says; nothing where that is nested deeper than any run writes it."""
    try:
        return leaves.facts(night, renamed)
    except RecursionError:
        return {}


def _commit(night: Night) -> str:
    return str(night.header.get("commit", leaves.UNKNOWN))


def _leaf(
    night: Night,
    commit: str,
    facts: Mapping[str, Mapping[str, Any]],
    made: Sheet,
    good: Mapping[Key, Point],
    folder: Path,
) -> Leaf:
    name = str(night.header.get("night", ""))
    return Leaf(
        hash=commit,
        name=name,
        run=night.run,
        started=night.started,
        commit=_commit(night),
        dirty=bool(night.header.get("dirty")),
        facts=facts,
        count=made.count,
        left_out=dict(made.left_out),
        alarms=tuple(_alarm(case, point, good.get(case)) for case, point in night.points.items() if point.alarmed),
        journal=_journal(folder, name),
    )


def _alarm(case: Key, point: Point, before: Point | None) -> str:
    """``resnet18 latency cpu bs1: 38.10 ms -> 41.20 ms``, beside the last night that raised none."""
    architecture, metric, device, batch_size, variant = case
    name = f"{architecture} {metric} {device} bs{batch_size} {variant}".rstrip()
    if before is None or before.unit != point.unit:
        return f"{name}: {readable(point.value, point.unit)}"
    return f"{name}: {' -> '.join(both(before.value, point.value, point.unit))}"


def _journal(folder: Path, name: str) -> str:
    """Where the whole journal of a night still is, by the name of its history; else an empty text."""
    path = Path(nights.JOURNALS, as_file(name))
    return str(Path(folder.resolve().name, path)) if name and (folder / path).is_dir() else ""


def _unfit(night: Night, made: Sheet, facts: Mapping[str, Any]) -> str:
    """Why a night cannot be published at all, or an empty text."""
    if night.started.year <= FIRST:
        return f"started {night.started.isoformat()}, when the clock was not set: mend `started` in its header"
    if not made.count:
        return "no value in it can be published"
    return "" if facts else "its header is nested deeper than any run writes it"


def _refuse_shared_files(machines: Iterable[str], folder: Path) -> None:
    """asv writes the graphs of ``cuda:0`` and ``cuda_0`` into one file. Raises: PagesError."""
    owners: dict[str, str] = {}
    for name in sorted(machines):
        other = owners.setdefault(sanitize_filename(name), name)
        if other != name:
            advice = to_rename(folder if (folder / nights.FOLDER).is_dir() else None, name, f"{name}-2")
            raise PagesError(f"devices {other!r} and {name!r} would have their graphs in one file: {advice}")


def _told(facts: Mapping[str, Any]) -> dict[str, str]:
    """What the pages tell of a machine when it is pointed at, as HTML."""
    return {said: site.plain(str(facts[name])) for said, name in _TOLD.items() if name in facts}


def _nothing(reading: Reading, year: _Year) -> str:
    faults = [*reading.broken, *year.unfit, *(f"{count} × {why}" for why, count in year.left_out.items())]
    said = f": {'; '.join(faults[:3])}" if faults else ""
    return f"{reading.folder}: expected nights to publish; got none{said}; measure one with archbench nightly"
