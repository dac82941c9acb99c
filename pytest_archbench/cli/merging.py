"""``archbench merge``: the journals of several hosts as one run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

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
    found = [_read(path) for path in runs]
    faults = [fault for _, told in found for fault in told]
    labelled = [
        outputs.named(run, names[path]) if path in names else run
        for path, (run, _) in zip(runs, found, strict=True)
        if run.rows
    ]
    if not labelled:
        raise click.UsageError(f"expected measured cases; got none in {', '.join(map(str, runs))}: measure first")
    merged = _with_families(outputs.merged(labelled))
    path = or_say(lambda: _write(merged, out))
    for device in merged.header.get("devices") or {}:
        rows = [row for row in merged.rows if (row.get("conditions") or {}).get("device") == device]
        click.echo(f"{printable(device)}: {number(len(rows), 'row')}")
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


def _with_families(run: store.Run) -> store.Run:
    """The run with the families of networks that were measured under a known name where nobody knew them."""
    if all(row.get("family") for row in run.rows):
        return run
    known = {each.name: each for each in reversed(make_plan(KNOWN).architectures)}
    rows = ({**row, **_family(known.get(str(row.get("architecture"))))} if not row.get("family") else row
            for row in run.rows)  # fmt: skip
    return store.Run(run.header, tuple(rows))


def _family(known: Architecture | None) -> dict[str, str]:
    return {"family": known.family, "topology": known.topology} if known else {}


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
