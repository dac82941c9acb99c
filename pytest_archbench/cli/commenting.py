"""``archbench history comment``: a run beside its own past, as Markdown for a pull request."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_archbench import hindsight, history, own, sparkline, store
from pytest_archbench.cli.showing import REPORTS, night_of
from pytest_archbench.cli.terminal import case_name, left_out, measured, or_say, printable
from pytest_archbench.comparing import finite
from pytest_archbench.files import write_atomically
from pytest_archbench.history import Past
from pytest_archbench.levels import unlike
from pytest_archbench.outcomes import worst
from pytest_archbench.past import accepted
from pytest_archbench.points import key_of, point_of
from pytest_archbench.records import Measurement, Metric, Number, Point, Verdict
from pytest_archbench.registry import METRICS
from pytest_archbench.trend import stretches
from pytest_archbench.units import both, readable, relative_change
from pytest_archbench.yardsticks import Yardsticks

if TYPE_CHECKING:
    from pytest_archbench.report.comment import Bout, Line

USUAL = 20
"""Earlier nights whose median is what is usual."""
DRAWN = 30
"""Earlier nights that are drawn."""
NIGHTS = 3 * DRAWN
"""Kept nights of each device that are read: a case may have been measured in every third of them."""
NOTHING = "–"


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--history", "folder", type=click.Path(path_type=Path), default=REPORTS, show_default=True,
    help="Folder of journals, or of folders of them, or with kept nights.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="File to write (default: the standard output).")
@click.option(
    "--baselines",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=f"Folder of promoted baselines, by which a case is judged that the run did not (default: {own.FOLDER}).",
)
def comment(run: Path, folder: Path, out: Path | None, baselines: Path | None) -> None:
    """Write a pull request's comment about a run.

    It tells what changed against the run's own past. RUN is a journal or its folder. Its own verdicts count; of a case
    that it did not judge by its past, those that the history and the promoted runs give now. Runs that started after it
    are left out.
    """
    found = or_say(lambda: measured(run))
    past = or_say(lambda: history.load(folder, str(found.header.get("run")), last=NIGHTS))
    promoted = or_say(lambda: own.read(baselines or own.FOLDER))
    text = or_say(lambda: _text(run, found, Yardsticks(found.header, promoted, hindsight.before(past, found.header))))
    if out is None:
        click.echo(text, nl=False)
    else:
        or_say(lambda: _write(out, text))
        click.echo(click.format_filename(out))
    for metric in sorted({str(row["metric"]) for row in found.rows if not METRICS.owns(str(row["metric"]))}):
        click.echo(f"left out: cases of the unknown metric {printable(metric)}", err=True)
    left_out(*past.broken, *past.repeated)


def _write(path: Path, text: str) -> None:
    """Raises: JournalError."""
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise store.JournalError(f"--out {path}: cannot be written: {error.strerror}; name another file") from None


def _text(path: Path, run: store.Run, yardsticks: Yardsticks) -> str:
    """Raises: JournalError with the file, for rows that no run writes."""
    from pytest_archbench.report import comment

    past = yardsticks.earlier or Past({})
    rows = [row for row in run.rows if METRICS.owns(str(row["metric"])) and row["status"] != "skipped"]
    bouts = [bout for row in rows for bout in _bouts(row)]
    try:
        lines = [
            _line(store.measurement(row), hindsight.own(row), yardsticks, past)
            for row in rows
            if not hindsight.is_duel(row)
        ]
    except store.JournalError as error:
        raise store.JournalError(f"{path}: {error}") from None
    return comment.markdown(run.header, len(past.runs), lines, bouts)


def _against(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a journal keeps of the other side that a case was measured against; nothing where there was none."""
    found = row.get("against")
    return found if isinstance(found, Mapping) else {}


def _bouts(row: Mapping[str, Any]) -> Iterator[Bout]:
    """What a run says of a case against another side, if it was measured against any."""
    from pytest_archbench.report.cells import number
    from pytest_archbench.report.comment import Bout

    against = _against(row)
    name = case_name(key_of(row["architecture"], row["metric"], store.measurement(row).conditions))
    ratios = against.get("log_ratios")
    pairs = len(ratios) if isinstance(ratios, list) else None
    for verdict in row["verdicts"]:
        if "side" in against and verdict.get("source") == against["side"]:
            yield Bout(name, verdict["outcome"], str(against["side"]), number(verdict.get("change")), pairs)


def _line(found: Measurement, judged: Sequence[Verdict], yardsticks: Yardsticks, past: Past) -> Line:
    """A case beside its past, with the verdicts of its run, else those it has now. Raises: JournalError."""
    from pytest_archbench.report.comment import FAILED, Line

    metric, case = METRICS[found.metric], key_of(found.architecture, found.metric, found.conditions)
    point, promoted = point_of(found, yardsticks.header), yardsticks.promoted.get(case)
    series = accepted(past.series.get(case, ()), promoted)
    if point is None:
        usual = _shown(_usual(series, metric), found.unit)
        said = found.message or f"operators without a formula: {', '.join(map(str, found.uncounted))}"
        return Line(case_name(case), FAILED, usual, NOTHING, None, _drawn(series, metric), said)
    verdict = worst(judged or hindsight.verdicts(found, yardsticks))
    usual, now, change = _values(_comparable(point, series, promoted, metric), point)
    differs = unlike(point, series[-1], metric) if series and verdict.outcome == "incomparable" else ""
    nights = _drawn([*series[-DRAWN:], point], metric) if series else ""
    return Line(case_name(case), verdict.outcome, usual, now, change, nights, verdict.reason, differs)


def _comparable(point: Point, series: Sequence[Point], promoted: Point | None, metric: Metric) -> Number | None:
    """What is usual of that which compares; where no night does, what was promoted."""
    like = [each for each in series if not unlike(point, each, metric)]
    if not like and promoted is not None and not unlike(point, promoted, metric):
        return promoted.value
    return _usual(like, metric)


def _usual(points: Sequence[Point], metric: Metric) -> Number | None:
    """The median of the latest nights, without those that are in doubt or raised an alarm; of a count the latest."""
    values = [point.value for point in points if not (point.doubt or point.alarmed)]
    last = values[-1 if metric.better == "equal" else -USUAL :]
    return statistics.median(last) if last else None


def _values(usual: Number | None, point: Point) -> tuple[str, str, float | None]:
    """What is usual and what is now, and the relative change."""
    if usual is None:
        return NOTHING, readable(point.value, point.unit), None
    try:
        change = finite(relative_change(point.value, usual))
    except OverflowError:
        change = None
    return (*both(usual, point.value, point.unit), change)


def _shown(value: Number | None, unit: str) -> str:
    return NOTHING if value is None else readable(value, unit)


def _drawn(points: Sequence[Point], metric: Metric) -> str:
    """The last nights as signs, cut where they do not compare."""
    borders = {id(stretch[0]) for stretch in stretches(points, metric)[1:]}
    nights: list[list[sparkline.Night]] = [[]]
    for point in points[-DRAWN - 1 :]:
        if id(point) in borders:
            nights.append([])
        nights[-1].append(night_of(point))
    return next(iter(sparkline.drawn(nights, 2 * DRAWN, least=2 * metric.tolerance)), "")


COMMANDS = (comment,)
