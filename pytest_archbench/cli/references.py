"""``archbench references``: the devices of published figures, by the names that one can type."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import click

from pytest_archbench import references
from pytest_archbench.baselines import Published
from pytest_archbench.cli.terminal import or_say, table
from pytest_archbench.plan import packaged_figures
from pytest_archbench.references import Reference

COMPARED = ("latency", "throughput", "peak_memory")
"""Metrics of which the figures of a device stand beside a run."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A device and the batch sizes of what was published of it, by metric; none where the source states none."""

    device: Reference
    batch_sizes: Mapping[str, list[int]]


@click.command("references")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def listed(form: str) -> None:
    """List the devices of published figures.

    Each by the short name that recommend takes, with what its source states.
    """
    published, devices = or_say(published_devices)
    click.echo(FORMS[form]([Listed(each, _batch_sizes(each, published)) for each in devices]), nl=False)


def published_devices() -> tuple[Published, tuple[Reference, ...]]:
    """The published figures that come along, and the devices that they name. Raises: BaselineError."""
    published = packaged_figures()
    return published, references.packaged(references.texts(published.figures)).devices


def _batch_sizes(device: Reference, published: Published) -> dict[str, list[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for figure in published.figures:
        if (figure.source, figure.device) in device.texts and figure.metric in COMPARED:
            found[figure.metric].update([figure.batch_size] if figure.batch_size else [])
    return {metric: sorted(found[metric]) for metric in COMPARED if metric in found}


def _table(devices: list[Listed]) -> str:
    lines = [("name", "device", "kind", "source", "published", "conditions")]
    lines += [
        (each.device.name, each.device.model, each.device.kind, each.device.source, _said(each), each.device.conditions)
        for each in devices
    ]
    return "\n".join(table(lines, left=range(len(lines[0])))) + "\n"


def _said(each: Listed) -> str:
    """``latency, throughput at batch 1 to 64``"""
    sizes = {size for sizes in each.batch_sizes.values() for size in sizes}
    ends = " to ".join(map(str, dict.fromkeys([min(sizes), max(sizes)]))) if sizes else ""
    batches = f"batch {ends}" if ends else "a batch size that is not stated"
    return f"{', '.join(each.batch_sizes)} at {batches}"


def _json(devices: list[Listed]) -> str:
    """What a source does not state is null."""
    stated = [{key: value or None for key, value in asdict(each.device).items()} for each in devices]
    found = [facts | {"batch_sizes": each.batch_sizes} for facts, each in zip(stated, devices, strict=True)]
    return json.dumps(found, indent=1) + "\n"


FORMS: Mapping[str, Callable[[list[Listed]], str]] = {"table": _table, "json": _json}
COMMANDS = (listed,)
