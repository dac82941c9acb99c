"""``archbench history show``: the series of a network, night by night, and what changed them last: who and when."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import dropwhile
from pathlib import Path
from typing import Any

import click

from pytest_archbench import history, own, sparkline, trend
from pytest_archbench.cli.terminal import INDENT, changed, left_out, number, or_say, printable, who
from pytest_archbench.ledger import facts
from pytest_archbench.levels import differing
from pytest_archbench.points import Key
from pytest_archbench.records import Metric, Point
from pytest_archbench.registry import METRICS, UnknownName, near
from pytest_archbench.units import both, readable, relative

REPORTS = Path("reports")
FACTS = 6
"""How many differing facts are told one by one; the others are counted."""
NARROWEST = 20
"""Columns that a terminal has at least, whatever it says."""
PLAIN = "eager"
"""What ``--variant`` calls the one that has no name."""

FILTERS = ("MODEL", "METRIC", "--device", "--batch-size", "--variant")
"""The parts of a series' key, as a user names them."""


@dataclass
class Album:
    """What is kept of a history: the series of some networks by night, and of every night its header and its devices.

    A night goes by the name of its run, though it may be made of several. ``known`` are the names of all networks.
    """

    series: dict[Key, dict[str, Point]] = field(default_factory=dict)
    headers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    devices: dict[str, frozenset[str]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, reading: history.Reading, last: int, model: str) -> Album:
        """The networks that a name or a glob chooses; one night is in memory beside them at a time."""
        made = cls()
        for night in reading.nights(last):
            made.headers[night.run] = night.header
            made.devices[night.run] = frozenset(night.devices)
            made.known.update(name[0] for name in night.points)
            for name, point in night.points.items():
                if fnmatchcase(name[0], model):
                    made.series.setdefault(name, {})[night.run] = point
        return made

    def points(self, case: Key) -> list[Point]:
        """A series, oldest first."""
        return list(self.series[case].values())

    def facts(self, case: Key, point: Point) -> dict[str, Any]:
        """What the header of a point's night tells; nothing of one that is not in the series, as a promoted one."""
        night = next((run for run, each in self.series[case].items() if each is point), "")
        return facts(self.headers.get(night, {}), point.conditions.device)

    def chosen(self, wanted: Sequence[str]) -> list[Key]:
        """The series whose key matches a glob for each of ``FILTERS``, in their order. Raises: UnknownName."""
        if self.known and not self.series:
            raise UnknownName(f"MODEL: no series of a network {wanted[0]!r}: {near(wanted[0], self.known)}")
        left = sorted(self.series)
        for place, (name, pattern) in enumerate(zip(FILTERS, wanted, strict=True)):
            there = {_part(case, place) for case in left}
            left = [case for case in left if fnmatchcase(_part(case, place), pattern)]
            if there and not left:
                raise UnknownName(f"{name}: no series with {pattern!r}: {near(pattern, there)}")
        return left

    def stretches(self, case: Key, metric: Metric) -> list[list[sparkline.Night]]:
        """Every night from the first of a series on, cut where one does not compare with those before."""
        points = self.series[case]
        borders = {id(stretch[0]) for stretch in trend.stretches(self.points(case), metric)[1:]}
        found: list[list[sparkline.Night]] = [[]]
        for night in dropwhile(lambda night: night not in points, self.devices):
            point = points.get(night)
            if id(point) in borders:
                found.append([])
            if point is not None or case[2] in self.devices[night]:
                found[-1].append(night_of(point))
        return found


def night_of(point: Point | None) -> sparkline.Night:
    """A night of a series as one sign."""
    if point is None:
        return sparkline.Night(None)
    mark = sparkline.ALARM if point.alarmed else sparkline.DOUBT if point.doubt else ""
    return sparkline.Night(point.value, mark)


def _part(case: Key, place: int) -> str:
    return str(case[place]) or PLAIN


@click.command()
@click.argument("model")
@click.argument("metric", default="*", metavar="[METRIC]")
@click.option(
    "--history", "folder", type=click.Path(path_type=Path), default=REPORTS, show_default=True,
    help="Folder of journals, or of folders of them, or with kept nights.",
)  # fmt: skip
@click.option("--device", default="*", help="Devices, a name or a glob (default: all).")
@click.option("--batch-size", default="*", help="A batch size (default: all).")
@click.option("--variant", default="*", help=f"Variants, a name or a glob; the usual one is {PLAIN} (default: all).")
@click.option(
    "--last", type=click.IntRange(min=0), default=0, metavar="N",
    help="Of each device's kept nights the last N alone (default: all).",
)  # fmt: skip
@click.option(
    "--repository", type=click.Path(path_type=Path), default=Path(), show_default=True,
    help="The project's git repository, which knows who changed what and when.",
)  # fmt: skip
@click.option(
    "--baselines",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=f"Folder of promoted baselines, from which slow drift is measured (default: {own.FOLDER}).",
)
def show(
    model: str, metric: str, folder: Path, device: str, batch_size: str, variant: str, last: int, repository: Path,
    baselines: Path | None,
) -> None:  # fmt: skip
    """Show the history of a network.

    Each series is a line of signs, and below it stands what changed it last. MODEL and METRIC are names or globs. Each
    sign is a night, the higher the larger the value; a dot is a night without one, a bar stands where nights do not
    compare, ! below one that raised an alarm, ? below one that is in doubt.
    """
    reading = or_say(lambda: history.opened(folder))
    promoted = or_say(lambda: own.read(baselines or own.FOLDER))
    album = Album.of(reading, last, model)
    cases = or_say(lambda: album.chosen((model, metric, device, batch_size, variant)))
    for unknown in sorted({case[1] for case in cases} - {*METRICS}):
        click.echo(f"left out: series of the unknown metric {printable(unknown)}", err=True)
    width = max(NARROWEST, shutil.get_terminal_size().columns)
    shown = ""
    for case in (case for case in cases if case[1] in METRICS):
        if case[0] != shown:
            click.echo(case[0] if not shown else f"\n{case[0]}")
            shown = case[0]
        for line in _series(album, case, promoted.get(case), repository, width):
            click.echo("\n".join(_wrapped(f"{INDENT}{line}", width)))
    if not cases:
        click.echo(f"{click.format_filename(folder)}: {number(len(album.headers), 'run')} with no series")
    left_out(*reading.broken, *reading.repeated)


def _wrapped(line: str, width: int) -> list[str]:
    """A line as several where it is too long, the others further in."""
    if len(line) <= width:
        return [line]
    words = line.lstrip()
    indent = line[: len(line) - len(words)]
    return textwrap.wrap(
        words, width, initial_indent=indent, subsequent_indent=f"{indent}{INDENT}", break_on_hyphens=False
    )


def _series(album: Album, case: Key, promoted: Point | None, repository: Path, width: int) -> Iterator[str]:
    """Where it stands, its nights as signs, and what changed it."""
    metric, points = METRICS[case[1]], album.points(case)
    _, name, device, batch_size, variant = case
    latest, values = points[-1], [point.value for point in points]
    yield f"{' '.join(filter(None, [name, device, f'bs{batch_size}', variant]))}: {readable(latest.value, latest.unit)}"
    signs = sparkline.signs(getattr(sys.stdout, "encoding", None))
    drawn = sparkline.drawn(album.stretches(case, metric), width - 2 * len(INDENT), signs, 2 * metric.tolerance)
    yield from (f"{INDENT}{line}" for line in drawn)
    low, high = both(min(values), max(values), latest.unit)
    span = f"{low} to {high}" if min(values) != max(values) else "always the same"
    days = f"{_day(points[0])} to {_day(latest)}" if len(points) > 1 else _day(latest)
    yield f"{INDENT}{number(len(points), 'night')}, {days}; {span}"
    yield from (f"{INDENT}{line}" for line in _account(album, case, promoted, repository))


def _account(album: Album, case: Key, promoted: Point | None, repository: Path) -> Iterator[str]:
    """The last step, the drift, and since when the series compares at all."""
    points, metric = album.points(case), METRICS[case[1]]
    stretches = trend.stretches(points, metric)
    if len(stretches) > 1:
        before, since = stretches[-2][-1], stretches[-1][0]
        yield f"begins anew on {_day(since)}: {_told(differing(before, since, metric))}"
    try:
        found = trend.changes(points, metric, promoted)
    except OverflowError:
        yield "its values are too far apart to have a ratio"
        return
    steps, drifts = ([each for each in found if each.kind == kind] for kind in ("step", "drift"))
    for change in (*steps[-1:], *drifts):
        yield from _change(album, case, change, repository)
    if found:
        return
    most = max(map(len, stretches), default=0)
    needed = 2 * trend.SHORTEST
    short = metric.better != "equal" and most < needed
    yield f"too few nights that compare for a step: {most} of {needed}" if short else "no change seen"


def _change(album: Album, case: Key, change: trend.Change, repository: Path) -> Iterator[str]:
    """``step worse by +9.5 % from run a of 2026-01-12 to run b of 2026-01-13``, the commits, and what else differs."""
    before, since = change.before, change.since
    runs = f"from run {before.run} of {_day(before)} to run {since.run} of {_day(since)}"
    yield f"{change.kind} {_size(change, METRICS[case[1]])} {runs}"
    if change.raw is not None and abs(change.raw) <= METRICS[case[1]].tolerance:
        yield f"{INDENT}the network takes what it took: the reference workload takes another time, see the machine"
    else:
        yield from (f"{INDENT}{printable(line)}" for line in who(repository, before, since))
    there, here = album.facts(case, before), album.facts(case, since)
    unclean = [each.run for each, told in ((before, there), (since, here)) if told.pop("dirty") is True]
    if unclean:
        yield f"{INDENT}and uncommitted changes in {' and '.join(unclean)}"
    if differs := [(name, there[name], here[name]) for name in there if there[name] != here.get(name, there[name])]:
        yield f"{INDENT}{_told(differs)}"


def _size(change: trend.Change, metric: Metric) -> str:
    """``worse by +9.5 %``, with what was measured where that moved otherwise; of a count both values."""
    if metric.better == "equal":
        return changed(change.before.value, change.since.value, change.since.unit)
    raw = "" if change.raw is None else f" (normalised by the reference workload; raw {relative(change.raw)})"
    direction = "worse" if (change.change > 0) == (metric.better == "lower") else "better"
    return f"{direction} by {relative(change.change)}{raw}"


def _told(differs: Sequence[tuple[str, Any, Any]]) -> str:
    """``packages.torch 2.14.0 -> 2.15.0, kernel 6.1 -> 6.2``"""
    said = [f"{printable(name)} {printable(old)} -> {printable(new)}" for name, old, new in differs[:FACTS]]
    more = [f"and {len(differs) - FACTS} more"] if len(differs) > FACTS else []
    return ", ".join([*said, *more])


def _day(point: Point) -> str:
    return point.started[:10]


COMMANDS = (show,)
