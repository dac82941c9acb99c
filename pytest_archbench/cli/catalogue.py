"""Commands about what is known here: networks, their counts beside published figures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pytest_archbench import judge, plan
from pytest_archbench.baselines import matching
from pytest_archbench.cli.terminal import make_plan
from pytest_archbench.records import Architecture, Conditions, Measurement
from pytest_archbench.registry import METRICS
from pytest_archbench.units import readable

if TYPE_CHECKING:
    from pytest_archbench.counting import Counts

_suite = click.option(
    "--suite",
    default="",
    help="seeds, variants, blocks, torchvision, timm, user "
    "(default: seeds and those that ./pyproject.toml declares; hooks are known to pytest only).",
)


@click.command("list")
@click.argument("pattern", default="")
@_suite
def list_(pattern: str, suite: str) -> None:
    """List architectures by name, family, provider and paper.

    PATTERN is a name or a glob such as 'resnet*'; all without it.
    """
    for entry in make_plan(suite, pattern).architectures:
        click.echo(f"{entry.name:32} {entry.family:14} {entry.provider:12} {entry.paper}")


@click.command()
@click.argument("name")
@_suite
@click.option("--by-module", is_flag=True, help="Break the counts down by module.")
@click.option("--depth", default=2, show_default=True, help="Levels of modules to show.")
@click.option("--json", "as_json", is_flag=True, help="Exact numbers for a program.")
def count(name: str, suite: str, by_module: bool, depth: int, as_json: bool) -> None:
    """Count NAME without weights, beside every published figure."""
    planned = make_plan(suite, name)
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


COMMANDS = (list_, count)
