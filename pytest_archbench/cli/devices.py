"""Commands about devices: which are here and what they are, and a recording of what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from pytest_archbench import devices
from pytest_archbench.devices import NoDevice, recording
from pytest_archbench.environment import environment
from pytest_archbench.environment.reading import ROOT
from pytest_archbench.points import flat
from pytest_archbench.power import finding
from pytest_archbench.power.sensors import NoSensor
from pytest_archbench.records import Device
from pytest_archbench.units import readable

UNKNOWN = "unknown"
HOST = ("container", "virtualisation", "torch")
"""What of the environment a time on any device depends on."""
SUFFIXES = {"_bytes": "B", "_hz": "Hz", "_w": "W"}
"""Units that the names of facts end in."""

_root = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT,
    help="A recording to look at instead of this host.",
)


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="All facts, exact, for a program.")
@_root
@click.pass_context
def device(context: click.Context, as_json: bool, root: Path) -> None:
    """Say which devices are here, and why others are not."""
    command = context.invoked_subcommand
    if command is not None:
        if as_json or root != ROOT:
            raise click.UsageError(
                f"--json and --root here are of archbench device alone: write options behind {command}"
            )
        return
    found = devices.survey(root)
    host = {fact: value for fact, value in environment().items() if fact in HOST} if root == ROOT else {}
    if as_json:
        click.echo(json.dumps({"host": host, "devices": {kind: devices.plain(each) for kind, each in found.items()}}))
        return
    for kind, each in found.items():
        for line in _lines(kind, each, found, root):
            click.echo(line)
    for line in _block("host", "", flat(host)) if host else ():
        click.echo(line)


@device.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_root
def record(folder: Path, root: Path) -> None:
    """Save what the probes read here in the folder DIR.

    It is for somebody who has no such board. DIR is new or empty. No serial number, address or host name is read; look
    at the files before you pass them on.
    """
    try:
        made = recording.record(folder, root)
    except recording.NotRecorded as error:
        raise click.UsageError(str(error)) from None
    for what, why in made.unread.items():
        click.echo(f"not recorded: {what}: {why}")
    click.echo(f"{click.format_filename(folder)}: {made.files} files; archbench device --root {folder} reads them")


def _lines(kind: str, found: Device | NoDevice, others: Mapping[str, Device | NoDevice], root: Path) -> Iterator[str]:
    """A device with its facts, and what tells its energy; one that is listed under its own kind, by that alone."""
    if isinstance(found, NoDevice):
        yield f"{kind:8} not here: {found.args[0]}"
    elif found.name != kind and found.name in others:
        yield f"{kind:8} {found.name}"
    else:
        yield from _block(kind, found.model, {**flat(found.fingerprint), "energy": _energy(found.name, root)})


def _energy(device: str, root: Path) -> str:
    """What tells a device's energy, or why nothing does."""
    try:
        sensor = finding.find(device, root)
    except NoSensor as reason:
        return f"not told: {str(reason).partition(': ')[2]}"
    return f"{sensor.name}: {sensor.covers}, {sensor.kind}"


def _block(title: str, model: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """The facts below each other, and at the end the names of those that are not known."""
    told = {_named(fact): _value(fact, value) for fact, value in facts.items() if value not in (UNKNOWN, model)}
    silent = [_named(fact) for fact, value in facts.items() if value == UNKNOWN]
    yield f"{title:8} {model}".rstrip()
    width = max(map(len, told), default=0)
    yield from (f"{'':8}   {fact:{width}}  {value}" for fact, value in told.items())
    if silent:
        yield f"{'':8}   unknown: {', '.join(silent)}"


def _unit(fact: str) -> tuple[str, str]:
    """The end of a fact's name that says its unit, and the unit; both empty for a fact that has none."""
    return next(((end, unit) for end, unit in SUFFIXES.items() if fact.endswith(end)), ("", ""))


def _named(fact: str) -> str:
    return fact.removesuffix(_unit(fact)[0])


def _value(fact: str, value: Any) -> str:
    """As a reader wants it: ``2.6 GHz``, ``on`` for what is true."""
    if isinstance(value, bool):
        return "on" if value else "off"
    unit = _unit(fact)[1]
    return readable(value, unit) if unit and isinstance(value, int | float) else str(value)


COMMANDS = (device,)
