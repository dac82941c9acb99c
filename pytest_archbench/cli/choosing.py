"""``archbench recommend``: which network fits a device, as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pytest_archbench import references, store
from pytest_archbench.baselines import Published
from pytest_archbench.bounds import BOUNDS, Bound
from pytest_archbench.cli.references import published_devices
from pytest_archbench.cli.terminal import measured, number, or_say, printable, require_sources, table

if TYPE_CHECKING:
    import pandas as pd

    from pytest_archbench.report.choice import Candidate, Choice, Excluded, Failures

C = TypeVar("C", bound=Callable[..., Any])

SHOWN = ("latency", "throughput", "peak_memory", "params", "macs")
DOUBTFUL = "†"
"""Stands at a number that was disturbed, or is less certain than was asked for."""
MOST_DOUBTS = 10
FOLDED_FROM = 40
"""More excluded networks than this are counted by reason instead of listed."""


class _Demand(click.ParamType[float]):
    """The text of a bound, read by the bound's own parser."""

    name = "bound"

    def __init__(self, bound: Bound) -> None:
        self.bound = bound

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return self.bound.parse(value)
        except ValueError as error:
            said = str(error).partition("; got")[0]
            self.fail(f"got {value!r}; {said}", param, ctx)


def _demands(command: C) -> C:
    """Give a command an option per bound."""
    for bound in reversed(BOUNDS.values()):
        adverb = "at most" if bound.side == "max" else "at least"
        command = click.option(
            bound.option, bound.key, type=_Demand(bound), metavar="VALUE", help=f"{adverb.capitalize()}: {bound.form}."
        )(command)
    return command


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option(
    "--device",
    default="",
    help="Where it is to run: a name or a part of one (may be left out if only one), or a published device by its short"
    " name, as archbench references lists them.",
)
@click.option("--batch-size", default=1, show_default=True, type=click.IntRange(min=1), help="Images at a time.")
@_demands
@click.option(
    "--published",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="Figures of this source, instead of RUN or beside it; repeatable.",
)
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--all", "everything", is_flag=True, help=f"List the excluded where they are more than {FOLDED_FROM}.")
def recommend(
    run: Path | None,
    device: str,
    batch_size: int,
    sources: tuple[str, ...],
    form: str,
    everything: bool,
    **demanded: float | None,
) -> None:
    """Rank the networks of RUN that keep to bounds on a device.

    RUN is a journal or its folder (default: reports). By top-1, then latency; of every other network it says why it is
    not in the list.
    """
    from pytest_archbench.report.choice import choose, place

    bounds = {key: value for key in BOUNDS if (value := demanded[key]) is not None}
    published, devices = or_say(published_devices)
    if asked := references.find(devices, device):
        sources = (*sources, asked.source)
    paths = [run] if run else [] if sources else [Path("reports")]
    networks, failures = or_say(lambda: _networks(paths, sources, published))
    there = or_say(lambda: place(networks, references.spelt(devices, device, set(networks["device"])), batch_size))
    click.echo(FORMS[form](choose(networks, bounds, there, batch_size, failures), everything), nl=False)


def _networks(paths: Iterable[Path], sources: Iterable[str], published: Published) -> tuple[pd.DataFrame, Failures]:
    """The networks of runs and sources as one frame, and what failed in the runs. Raises: JournalError, UnknownName."""
    import pandas as pd

    runs = [_of_run(path, published.figures) for path in paths]
    frames = [
        *(networks for networks, _ in runs),
        *(_of_source(source, published) for source in dict.fromkeys(sources)),
    ]
    return pd.concat(frames, ignore_index=True), {place: why for _, failed in runs for place, why in failed.items()}


def _of_run(path: Path, figures: Sequence[Any]) -> tuple[pd.DataFrame, Failures]:
    from pytest_archbench.report import frames
    from pytest_archbench.report.choice import failures

    run = measured(path)
    try:
        return frames.networks(run, figures), failures(frames.cases(run))
    except (TypeError, ValueError) as error:  # a value of another type than any run writes
        raise store.JournalError(f"{path}: not as a run writes it ({error})") from None


def _of_source(source: str, published: Published) -> pd.DataFrame:
    from pytest_archbench.report.published import published as of_figures

    require_sources([source], published)
    return of_figures([each for each in published.figures if each.source == source], others=published.figures)


def _table(choice: Choice, everything: bool) -> str:
    return "\n".join([*_ranked(choice), *_excluded(choice, everything)]) + "\n"


def _ranked(choice: Choice) -> Iterator[str]:
    from pytest_archbench.report.choice import demand
    from pytest_archbench.report.columns import COLUMNS

    fitting, known = len(choice.ranked), len(choice.ranked) + len(choice.excluded)
    demands = ", ".join(demand(BOUNDS[key], value) for key, value in choice.bounds.items()) or "no bounds"
    where = f"{printable(choice.device)} at batch {choice.batch_size}"
    yield f"{fitting or 'none'} of {number(known, 'network')} {'fits' if fitting == 1 else 'fit'} on {where}: {demands}"
    if choice.elsewhere:
        yield f"also measured: {'; '.join(map(printable, choice.elsewhere))} (--device)"
    if not choice.ranked:
        yield from (f"  {printable(line)}" for line in choice.nearest)
        return
    heads = [("rank", ""), ("network", ""), ("top-1", "%"), ("from", "")]
    heads += [(COLUMNS[key].name, COLUMNS[key].unit) for key in SHOWN]
    yield ""
    lines = [_line(rank, each) for rank, each in enumerate(choice.ranked, 1)]
    yield from table([*zip(*heads, strict=True), *lines], left=(1, 3))
    doubtful = dict.fromkeys(
        f"{DOUBTFUL} {each.label}: {said}"
        for each in choice.ranked
        for key, said in each.doubts.items()
        if key in ("top1", *SHOWN)
    )
    yield from map(printable, [*doubtful][:MOST_DOUBTS])
    if len(doubtful) > MOST_DOUBTS:
        yield f"and {len(doubtful) - MOST_DOUBTS} more, in --format=json"


def _line(rank: int, each: Candidate) -> tuple[str, ...]:
    from pytest_archbench.report.columns import COLUMNS

    def text(key: str) -> str:
        return COLUMNS[key].show(each.values[key]) + DOUBTFUL * (key in each.doubts) if key in each.values else "-"

    top1, *shown = map(text, ("top1", *SHOWN))
    return (str(rank), printable(each.label), top1, printable(each.sources.get("top1", "no top-1 known")), *shown)


def _excluded(choice: Choice, everything: bool) -> Iterator[str]:
    many = len(choice.excluded) > FOLDED_FROM and not everything
    if choice.excluded:
        yield ""
        yield f"{len(choice.excluded)} excluded{' (--all lists them)' if many else ''}:"
    if not many:
        listed = [(printable(each.label), printable(_why(each))) for each in choice.excluded]
        yield from (f"  {line}" for line in table(listed, left=(0, 1)))
        return
    causes = Counter(reason.cause for each in choice.excluded for reason in each.reasons)
    yield from (f"{count:6}  {printable(cause)}" for cause, count in causes.most_common())


def _why(each: Excluded) -> str:
    return "; ".join(reason.sentence for reason in each.reasons)


def _json(choice: Choice, _: bool) -> str:
    answer = {
        "device": choice.device,
        "batch_size": choice.batch_size,
        "bounds": [
            {"option": BOUNDS[key].option, "column": BOUNDS[key].column, "value": value, "unit": BOUNDS[key].unit}
            for key, value in choice.bounds.items()
        ],
        "units": {bound.column: bound.unit for bound in BOUNDS.values()},
        "ranked": [{"rank": rank, **_values(each)} for rank, each in enumerate(choice.ranked, 1)],
        "excluded": [
            {**_values_of(each), "reasons": [reason.sentence for reason in each.reasons]} for each in choice.excluded
        ],
        "nearest": choice.nearest,
        "also_measured": choice.elsewhere,
    }
    return json.dumps(answer, indent=1, allow_nan=False) + "\n"


def _values(each: Candidate) -> dict[str, Any]:
    """A candidate with every quantity that can be bounded, None where it is not known."""
    return {
        "network": each.network,
        "origin": each.origin,
        **{bound.column: each.values.get(bound.column) for bound in BOUNDS.values()},
        **{f"{key}_source": each.sources.get(key) for key in ("top1", "top5")},
        "doubts": dict(each.doubts),
        "conditions": dict(each.conditions),
    }


def _values_of(each: Excluded) -> dict[str, Any]:
    return _values(each.candidate) if each.candidate else {"network": each.label}


def _csv(choice: Choice, _: bool) -> str:
    """A row per network, the excluded after the ranked; numbers in base units, and each bound in a column."""
    where = {"device": choice.device, "batch_size": choice.batch_size, **choice.bounds}
    rows: list[Mapping[str, Any]] = [
        {"rank": rank, **_values(each), **where} for rank, each in enumerate(choice.ranked, 1)
    ]
    rows += ({**_values_of(each), **where, "reasons": _why(each)} for each in choice.excluded)
    columns = [bound.column for bound in BOUNDS.values()]
    heads = ["rank", "network", "origin", *columns, "top1_source", "top5_source", *where, "reasons"]
    text = io.StringIO()
    writer = csv.DictWriter(text, heads, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


FORMS: Mapping[str, Callable[[Choice, bool], str]] = {"table": _table, "json": _json, "csv": _csv}
COMMANDS = (recommend,)
