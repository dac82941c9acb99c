"""``archbench merge``: the journals of several hosts as one run."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pytest_archbench import files, outputs, store
from pytest_archbench.cli.terminal import make_plan, number, or_say, printable
from pytest_archbench.records import Architecture

KNOWN = "seeds,variants,torchvision"
"""Suites whose networks a script without them may have measured, the first that knows a name before the others."""


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new run.")
@click.option(
    "--name", "labels", multiple=True, metavar="RUN=LABEL", help="Call the device of a RUN otherwise; repeatable."
)
def merge(runs: tuple[Path, ...], out: Path, labels: tuple[str, ...]) -> None:
    """Make one run of the journals of several hosts.

    RUN is a journal or its folder. A name that stands for several devices (cuda of two boards) gets the model beside
    it. Of one case that was measured twice on a device the later RUN's counts. No journal is overwritten; of a damaged
    one all is taken that can be read, and the exit code then is 1.
    """
    names = _labels(labels, runs)
    found = {path: _read(path) for path in runs}
    faults = [fault for _, told in found.values() for fault in told]
    read = {path: run for path, (run, _) in found.items() if run.rows}
    if not read:
        raise click.UsageError(f"expected measured cases; got none in {', '.join(map(str, runs))}: measure first")
    known = _known(read.values())
    labelled = [
        outputs.named(own, names[path]) if path in names else own
        for path, own in ((path, _in_own_words(run, known)) for path, run in read.items())
    ]
    merged = outputs.merged(labelled)
    path = or_say(lambda: _write(merged, out))
    for device in merged.header.get("devices") or {}:
        rows = [row for row in merged.rows if (row.get("conditions") or {}).get("device") == device]
        click.echo(f"{printable(device)}: {number(len(rows), 'row')}")
    for common in outputs.common(labelled):
        click.echo(printable(_said(common, list(map(str, read)))))
    click.echo(f"{path}; archbench report {click.format_filename(out)} draws it")
    for fault in faults:
        click.echo(printable(fault), err=True)
    if faults:
        raise SystemExit(1)


def _labels(texts: Iterable[str], runs: tuple[Path, ...]) -> dict[Path, str]:
    """The labels by the run as it was given."""
    found: dict[Path, str] = {}
    for text in texts:
        run, _, label = text.rpartition("=")
        if Path(run) not in runs or not label.strip() or not label.isprintable():
            given = ", ".join(map(str, runs))
            raise click.UsageError(f"--name {text!r}: expected RUN=LABEL with one of the runs given: {given}")
        found[Path(run)] = label.strip()
    return found


def _read(path: Path) -> tuple[store.Run, list[str]]:
    """A run, and what of its journal is damaged or absent."""
    run, damage = or_say(lambda: store.salvage(path))
    nothing = [] if run.rows else [f"{path}: no measurements: left out"]
    return run, [*(f"left out: {said}" for said in damage), *nothing]


def _said(common: outputs.Common, paths: Sequence[str]) -> str:
    """That runs were made on one device, and whose numbers count."""
    *others, last = (paths[place] for place in common.runs)
    shared, counts = (
        ("both have", f"{last}'s count") if len(others) == 1 else ("a later one has too", "the later count")
    )
    told = (
        f"of {number(common.replaced, 'case')} that {shared}, {counts}" if common.replaced else f"no case that {shared}"
    )
    return f"{common.device}: the same device in {', '.join(others)} and {last}; {told}"


def _known(runs: Iterable[store.Run]) -> dict[str, Architecture]:
    """The package's networks by every name that they have, where any of the runs has one of which nobody knows more."""
    if all(row.get("family") for run in runs for row in run.rows):
        return {}
    networks = make_plan(KNOWN).architectures
    known = {each.name: each for each in reversed(networks)}
    aliases = {alias: each for each in networks for alias in each.aliases}
    same = {alias: each for alias, each in aliases.items() if known.get(alias, each).topology == each.topology}
    return known | same


def _in_own_words(run: store.Run, known: Mapping[str, Architecture]) -> store.Run:
    """The run with the package's names and families of networks that a script without them measured by known names."""
    measured = {str(row.get("architecture")) for row in run.rows}
    rows = (row if row.get("family") else {**row, **_identity(row, known, measured)} for row in run.rows)
    return store.Run(run.header, tuple(rows))


def _identity(row: Mapping[str, Any], known: Mapping[str, Architecture], measured: Collection[str]) -> dict[str, Any]:
    """What the package knows of a row's network. Its name stays where the run has another of the package's name."""
    name = str(row.get("architecture"))
    if name not in known:
        return {}
    own = known[name]
    told = {"family": own.family, "topology": own.topology}
    if own.name in measured:
        return told
    notes = row.get("notes")
    kept = notes if isinstance(notes, list) else []
    return {**told, "architecture": own.name, "notes": [*kept, f"measured as {name}, which is {own.name} here"]}


def _write(run: store.Run, folder: Path) -> Path:
    """A new journal in ``folder``, whole. Raises: JournalError where one is there, or none can be written."""
    path = folder / store.JOURNAL
    if path.exists():
        raise store.JournalError(f"--out {folder}: expected a folder without a run; {path} is one: name another")
    lines = ({"schema": store.SCHEMA, **run.header}, *run.rows)
    text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
    try:
        return files.write_atomically(path, text.encode())
    except OSError as error:
        raise store.JournalError(f"--out {folder}: {path} cannot be written: {error.strerror}") from None


COMMANDS = (merge,)
