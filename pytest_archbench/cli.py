"""The ``archbench`` command: what one wants to know without running a test."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from pytest_archbench import devices, history, judge, outputs, own, plan, store, trend
from pytest_archbench.baselines import matching
from pytest_archbench.devices import NoDevice
from pytest_archbench.outcomes import RESULTS
from pytest_archbench.records import Architecture, Conditions, Measurement, Point
from pytest_archbench.registry import METRICS, UnknownName, near
from pytest_archbench.units import readable, relative, relative_change

if TYPE_CHECKING:
    from pytest_archbench.counting import Counts

T = TypeVar("T")

MISTAKES = (*plan.USER_MISTAKES, store.JournalError, own.OwnBaselineError)


def _or_say(action: Callable[[], T]) -> T:
    """``action()``, a user's mistake becoming one sentence and exit code 2, as click has it."""
    try:
        return action()
    except MISTAKES as error:
        raise click.UsageError(str(error.args[0])) from None


def _plan(suite: str, pattern: str) -> plan.Plan:
    given = {"suite": (suite, "--suite"), "arch": (pattern, "NAME")}
    return _or_say(lambda: plan.make(given, Path.cwd() / "pyproject.toml", ()))


@click.group()
def main() -> None:
    """Count, list and report neural-network architectures; measuring is done by ``pytest --archbench``."""


_suite = click.option(
    "--suite",
    default="",
    help="seeds, variants, blocks, torchvision, timm, user "
    "(default: seeds and those that ./pyproject.toml declares; hooks are known to pytest only).",
)


@main.command("list")
@click.argument("pattern", default="")
@_suite
def list_(pattern: str, suite: str) -> None:
    """List architectures by name, family, provider and paper; PATTERN is a name or a glob such as 'resnet*'."""
    for entry in _plan(suite, pattern).architectures:
        click.echo(f"{entry.name:32} {entry.family:14} {entry.provider:12} {entry.paper}")


@main.command()
@click.argument("name")
@_suite
@click.option("--by-module", is_flag=True, help="Break the counts down by module.")
@click.option("--depth", default=2, show_default=True, help="Levels of modules to show.")
@click.option("--json", "as_json", is_flag=True, help="Exact numbers for a program.")
def count(name: str, suite: str, by_module: bool, depth: int, as_json: bool) -> None:
    """Count NAME without weights, and show every published figure beside it."""
    planned = _plan(suite, name)
    for entry in planned.architectures:
        found = _counted(entry, by_module)
        if as_json:
            click.echo(json.dumps({"architecture": entry.name, **asdict(found)}))
            continue
        _show(entry, found, planned, depth)


def _counted(entry: Architecture, by_module: bool) -> Counts:
    from pytest_archbench.meters.counts import count_on_meta

    try:
        return count_on_meta(entry.build, entry.input_shape, by_module=by_module)
    except Exception as error:
        raise click.ClickException(f"{entry.name}: {type(error).__name__}: {error}") from error


def _show(entry: Architecture, found: Counts, planned: plan.Plan, depth: int) -> None:
    click.echo(f"{entry.name}, one image of shape {found.input_shape}")
    for metric in ("params", "macs", "activations", "model_size"):
        value = getattr(found, metric)
        click.echo(f"  {metric:12} {value:>16,}  {readable(value, METRICS[metric].unit)}")
        for line in _published(entry, metric, found, planned):
            click.echo(f"  {'':12} {line}")
    if found.uncounted:
        click.echo(f"  not counted: {', '.join(found.uncounted)}")
    for row in found.modules:
        if row.name and row.name.count(".") < depth:
            click.echo(
                f"  {row.name:40} {row.kind:24} {readable(row.params, 'count'):>10} {readable(row.macs, 'MAC'):>14}"
            )


def _published(entry: Architecture, metric: str, found: Counts, planned: plan.Plan) -> Iterable[str]:
    """Figures of other sources for the same network at the same input."""
    ours = Measurement(
        architecture=entry.name,
        metric=metric,
        unit=METRICS[metric].unit,
        status="ok",
        conditions=Conditions("cpu", input_shape=found.input_shape),
        samples=(getattr(found, metric),),
    )
    for figure in matching(planned.published, entry, ours):
        verdict = judge.judge(ours, figure, METRICS[metric])
        yield f"{figure.printed:>16} {figure.printed_unit:8} {figure.source} ({figure.reference}): {verdict.outcome}"


@main.command()
@click.argument("run", type=click.Path(path_type=Path), default=Path("reports"))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: that of the journal).")
def report(run: Path, out: Path | None) -> None:
    """Draw page, figures and tables again from the journal of RUN, a file or a folder."""
    journal = _or_say(lambda: store.read(run))
    folder = out or (run if run.is_dir() else run.parent)
    for path in outputs.publish(journal, folder, _plan("", "").published):
        click.echo(path)


@main.command()
def device() -> None:
    """Say which devices are here, and why the others are not."""
    for kind in devices.PROBES:
        try:
            found = devices.find(kind)
        except NoDevice as error:
            click.echo(f"{kind:8} not here: {error.args[0]}")
        else:
            click.echo(f"{kind:8} {found.model}")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--baselines", type=click.Path(path_type=Path), default=own.FOLDER, show_default=True, help="Folder to write to."
)
@click.option("--device", "device_", default="", help="Only what was measured on this device.")
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
def promote(run: Path, baselines: Path, device_: str, dry_run: bool) -> None:
    """Make what RUN, a journal or its folder, measured the baseline of later runs; those of other cases are kept."""
    measured = _or_say(lambda: _measured(run, device_))
    points = [point for point, _ in measured.values()]
    made = _or_say(lambda: own.promote(points, baselines, dry_run=dry_run))
    for each in made:
        if each.kind in ("new", "changed"):
            click.echo("; ".join([_difference(each), *_doubts(measured[history.key(each.after)][1])]))
    for line in _facts(made):
        click.echo(line)
    counts = Counter(each.kind for each in made)
    numbers = ", ".join(f"{counts[kind]} {kind}" for kind in get_args(own.Kind))
    click.echo(f"{click.format_filename(baselines)}: {numbers}")
    if dry_run:
        click.echo("nothing was written (--dry-run)")


def _measured(path: Path, device: str) -> dict[history.Key, tuple[Point, Mapping[str, Any]]]:
    """The values of a run by case, each with its row; the rows without one are counted on the terminal."""
    run = store.read(path)
    try:
        found = [(history.point(row, run.header), row) for row in run.rows]
    except store.JournalError as error:
        raise store.JournalError(f"{path}: {error}") from None
    measured = {history.key(point): (point, row) for point, row in found if point is not None}
    if not measured:
        raise store.JournalError(f"{path}: expected measured cases; got none in {len(run.rows)} rows: measure first")
    names = {point.conditions.device for point, _ in measured.values()}
    if device and device not in names:
        raise UnknownName(f"--device: {path} has no device {device!r}: {near(device, names)}")
    without = Counter(row["status"] for point, row in found if point is None)
    for status, count in without.items():
        why = "operators that were not counted" if status == "ok" else status
        click.echo(f"left out: {_number(count, 'row')} without a value to compare ({why})", err=True)
    return {case: pair for case, pair in measured.items() if device in ("", pair[0].conditions.device)}


def _difference(difference: own.Difference) -> str:
    """``changed   resnet18 latency cpu bs8: 38.10 ms -> 41.20 ms (+8.1 %)``"""
    before, after = difference.before, difference.after
    there = readable(after.value, after.unit)
    if before is not None:
        here = readable(before.value, before.unit)
        if here == there and before.value != after.value:
            here, there = f"{before.value} {before.unit}", f"{after.value} {after.unit}"
        there = f"{here} -> {there} ({relative(relative_change(after.value, before.value))})"
    return f"{difference.kind:9} {_case(history.key(after))}: {there}"


def _doubts(row: Mapping[str, Any]) -> list[str]:
    """What a promoting user should know of a value."""
    outcomes = sorted({verdict["outcome"] for verdict in row["verdicts"]})
    failing = [f"its run judged it {outcome}" for outcome in outcomes if RESULTS[outcome] == "fail"]
    return failing + ([f"imprecise: {_shown(row['imprecise'])}"] if row.get("imprecise") else [])


def _facts(made: Iterable[own.Difference]) -> list[str]:
    """The conditions and the parts of the fingerprint that changed, each once, with the number of cases."""
    found = Counter(
        f"{each.after.conditions.device} {_shown(name)}: {_shown(old)} -> {_shown(new)}"
        for each in made
        for name, old, new in each.facts
    )
    return [f"{fact} ({_number(count, 'case')})" for fact, count in found.items()]


def _case(case: history.Key) -> str:
    architecture, metric, device_, batch_size = case
    return f"{architecture} {metric} {device_} bs{batch_size}"


def _number(count: int, noun: str, plural: str = "") -> str:
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def _shown(fact: object) -> str:
    """A fact from a file on one line of a terminal, whatever is in it."""
    return str(fact) if str(fact).isprintable() else ascii(fact)


@main.group("history")
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
    """Name the commits between which a series changed, largest change first.

    FOLDER holds journals (*.jsonl), or folders of them: reports/ with its previous/, or one folder per night.
    """
    past = _or_say(lambda: history.load(folder))
    promoted = _or_say(lambda: own.read(baselines or own.FOLDER))
    chosen = _or_say(lambda: _chosen(past, arch, metric))
    found = [(case, each) for case, points in chosen.items() for each in _changes(case, points, promoted.get(case))]
    for case, each in sorted(found, key=lambda pair: -abs(pair[1].change)):
        commits = f"{each.before.commit[:7]}..{each.since.commit[:7]}"
        dates = f"{each.before.started[:10]} to {each.since.started[:10]}"
        click.echo(f"{each.kind:5} {relative(each.change):>8}  {_case(case)}  {commits}  {dates}\n      {each.reason}")
    runs = _number(len(past.runs), "run")
    click.echo(f"{_number(len(found), 'change') if found else 'no change'} in {len(chosen)} series of {runs}")
    if short := sum(METRICS[case[1]].better != "equal" and _is_short(case, points) for case, points in chosen.items()):
        click.echo(f"{short} of them have fewer than {2 * trend.SHORTEST} runs that compare: too few for a step")
    for line in (*past.broken, *past.repeated):
        click.echo(f"left out: {_shown(line)}", err=True)


def _chosen(past: history.Past, arch: str, metric: str) -> dict[history.Key, tuple[Point, ...]]:
    """The series of the architectures and metrics asked for, unknown metrics left out. Raises: UnknownName."""
    names = {case[0] for case in past.series}
    wanted = {name for name in names if fnmatchcase(name, arch or "*")}
    if names and not wanted:
        raise UnknownName(f"--arch: no series of an architecture {arch!r}: {near(arch, names)}")
    asked = METRICS.resolve(metric) if metric else ""
    for unknown in sorted({case[1] for case in past.series} - {*METRICS}):
        click.echo(f"left out: series of the unknown metric {_shown(unknown)}", err=True)
    metrics = {asked} if asked else {*METRICS}
    return {case: points for case, points in past.series.items() if case[0] in wanted and case[1] in metrics}


def _changes(case: history.Key, points: tuple[Point, ...], promoted: Point | None) -> list[trend.Change]:
    try:
        return trend.changes(points, METRICS[case[1]], promoted)
    except OverflowError:
        click.echo(f"left out: {_case(case)}: its values are too far apart to have a ratio", err=True)
        return []


def _is_short(case: history.Key, points: tuple[Point, ...]) -> bool:
    """Whether no stretch of a series is long enough for a change of level to be seen."""
    lengths = [len(stretch) for stretch in trend.stretches(points, METRICS[case[1]])]
    return max(lengths, default=0) < 2 * trend.SHORTEST
