"""Commands about one's own past: promote a run, and name the commits between which a series changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

import click

from pytest_archbench import history, own, store, trend
from pytest_archbench.cli.terminal import case_name, changed, left_out, number, or_say, printable
from pytest_archbench.outcomes import RESULTS
from pytest_archbench.points import Key, key, row_point
from pytest_archbench.records import Point
from pytest_archbench.registry import METRICS, UnknownName, near
from pytest_archbench.units import readable, relative


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--baselines", type=click.Path(path_type=Path), default=own.FOLDER, show_default=True, help="Folder to write to."
)
@click.option("--device", "device_", default="", help="Only what was measured on this device, a name or a glob.")
@click.option("--arch", default="", help="Only these architectures, a name or a glob.")
@click.option("--metric", default="", help="Only this metric, a name or a glob.")
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
def promote(run: Path, baselines: Path, device_: str, arch: str, metric: str, dry_run: bool) -> None:
    """Make what RUN measured the baseline of later runs.

    RUN is a journal or its folder. Baselines of other cases are kept.
    """
    measured = or_say(lambda: _measured(run, device_, arch, metric))
    points = [point for point, _ in measured.values()]
    made = or_say(lambda: own.promote(points, baselines, dry_run=dry_run))
    for each in made:
        if each.kind in ("new", "changed"):
            click.echo("; ".join([_difference(each), *_doubts(measured[key(each.after)][1])]))
    for line in _facts(made):
        click.echo(line)
    counts = Counter(each.kind for each in made)
    numbers = ", ".join(f"{counts[kind]} {kind}" for kind in get_args(own.Kind))
    click.echo(f"{click.format_filename(baselines)}: {numbers}")
    if dry_run:
        click.echo("nothing was written (--dry-run)")


def _measured(path: Path, device: str, arch: str, metric: str) -> dict[Key, tuple[Point, Mapping[str, Any]]]:
    """The values of a run by case, each with its row; the rows without one are counted on the terminal."""
    run = store.read(path)
    try:
        found = [(row_point(row, run.header), row) for row in run.rows]
    except store.JournalError as error:
        raise store.JournalError(f"{path}: {error}") from None
    measured = {key(point): (point, row) for point, row in found if point is not None}
    if not measured:
        raise store.JournalError(f"{path}: expected measured cases; got none in {len(run.rows)} rows: measure first")
    wanted = {"--arch": arch, "--metric": metric, "--device": device}
    for place, (option, pattern) in enumerate(wanted.items()):
        names = {str(case[place]) for case in measured}
        if pattern and not any(fnmatchcase(name, pattern) for name in names):
            raise UnknownName(f"{option}: {path} has none called {pattern!r}: {near(pattern, names)}")
    without = Counter(row["status"] for point, row in found if point is None)
    for status, count in without.items():
        why = "operators that were not counted" if status == "ok" else status
        click.echo(f"left out: {number(count, 'row')} without a value to compare ({why})", err=True)
    patterns = [pattern or "*" for pattern in wanted.values()]
    return {case: pair for case, pair in measured.items() if all(map(fnmatchcase, map(str, case), patterns))}


def _difference(difference: own.Difference) -> str:
    """``changed   resnet18 latency cpu bs8: 38.10 ms -> 41.20 ms (+8.1 %)``"""
    before, after = difference.before, difference.after
    value = changed(before.value, after.value, after.unit) if before else readable(after.value, after.unit)
    return f"{difference.kind:9} {case_name(key(after))}: {value}"


def _doubts(row: Mapping[str, Any]) -> list[str]:
    """What a promoting user should know of a value."""
    outcomes = sorted({verdict["outcome"] for verdict in row["verdicts"]})
    failing = [f"its run judged it {outcome}" for outcome in outcomes if RESULTS[outcome] == "fail"]
    return failing + ([f"imprecise: {printable(row['imprecise'])}"] if row.get("imprecise") else [])


def _facts(made: Iterable[own.Difference]) -> list[str]:
    """The conditions and the parts of the fingerprint that changed, each once, with the number of cases."""
    found = Counter(
        f"{each.after.conditions.device} {printable(name)}: {printable(old)} -> {printable(new)}"
        for each in made
        for name, old, new in each.facts
    )
    return [f"{fact} ({number(count, 'case')})" for fact, count in found.items()]


@click.group("history")
def history_() -> None:
    """What earlier runs say, read from their journals."""


@history_.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--arch", default="", help="Architectures, a name or a glob (default: all).")
@click.option("--metric", default="", help="One metric (default: all).")
@click.option(
    "--baselines",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=f"Folder of promoted baselines, from which slow drift is measured (default: {own.FOLDER}).",
)
def changes(folder: Path, arch: str, metric: str, baselines: Path | None) -> None:
    """Name the commits between which a series changed.

    The largest change first. FOLDER holds journals (*.jsonl), or folders of them: reports/ with its previous/, or one
    folder per night.
    """
    past = or_say(lambda: history.load(folder))
    promoted = or_say(lambda: own.read(baselines or own.FOLDER))
    chosen = or_say(lambda: _chosen(past, arch, metric))
    found = [(case, each) for case, points in chosen.items() for each in _changes(case, points, promoted.get(case))]
    for case, each in sorted(found, key=lambda pair: -abs(pair[1].change)):
        commits = f"{each.before.commit[:7]}..{each.since.commit[:7]}"
        dates = f"{each.before.started[:10]} to {each.since.started[:10]}"
        change = f"{each.kind:5} {relative(each.change):>8}"
        click.echo(f"{change}  {case_name(case)}  {commits}  {dates}\n      {each.reason}")
    runs = number(len(past.runs), "run")
    click.echo(f"{number(len(found), 'change') if found else 'no change'} in {len(chosen)} series of {runs}")
    if short := sum(METRICS[case[1]].better != "equal" and _is_short(case, points) for case, points in chosen.items()):
        click.echo(f"{short} of them have fewer than {2 * trend.SHORTEST} runs that compare: too few for a step")
    left_out(*past.broken, *past.repeated)


def _chosen(past: history.Past, arch: str, metric: str) -> dict[Key, tuple[Point, ...]]:
    """The series of the architectures and metrics asked for, unknown metrics left out. Raises: UnknownName."""
    names = {case[0] for case in past.series}
    wanted = {name for name in names if fnmatchcase(name, arch or "*")}
    if names and not wanted:
        raise UnknownName(f"--arch: no series of an architecture {arch!r}: {near(arch, names)}")
    asked = METRICS.resolve(metric) if metric else ""
    for unknown in sorted({case[1] for case in past.series} - {*METRICS}):
        click.echo(f"left out: series of the unknown metric {printable(unknown)}", err=True)
    metrics = {asked} if asked else {*METRICS}
    return {case: points for case, points in past.series.items() if case[0] in wanted and case[1] in metrics}


def _changes(case: Key, points: tuple[Point, ...], promoted: Point | None) -> list[trend.Change]:
    try:
        return trend.changes(points, METRICS[case[1]], promoted)
    except OverflowError:
        click.echo(f"left out: {case_name(case)}: its values are too far apart to have a ratio", err=True)
        return []


def _is_short(case: Key, points: tuple[Point, ...]) -> bool:
    """Whether no stretch of a series is long enough for a change of level to be seen."""
    lengths = [len(stretch) for stretch in trend.stretches(points, METRICS[case[1]])]
    return max(lengths, default=0) < 2 * trend.SHORTEST


COMMANDS = (promote, history_)
