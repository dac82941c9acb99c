"""``archbench history rename``: a device goes by another name from now on."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_archbench import own, renaming
from pytest_archbench.cli.nights import alone
from pytest_archbench.cli.terminal import number, or_say, printable
from pytest_archbench.points import is_name
from pytest_archbench.registry import near


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("old")
@click.argument("new")
@click.option(
    "--baselines",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of promoted runs to rename it in as well (default: none).",
)
def rename(folder: Path, old: str, new: str, baselines: Path | None) -> None:
    """Give a device of the kept nights another name.

    Its series go on under NEW for all that reads FOLDER: judging, show, export, pages. Whole journals stay as they were
    written. One that was killed is begun again.
    """
    if not is_name(new) or new == old:
        raise click.UsageError(f"NEW: expected another name for {printable(old)} on one line; got {new!r:.100}")
    with alone(folder):
        promoted = or_say(lambda: _promoted(baselines or own.FOLDER, old))
        nights = or_say(lambda: renaming.rename(folder, old, new))
        if not nights and not (promoted and baselines):
            known = near(old, {*or_say(lambda: [*renaming.devices(folder)])})
            advice = "journals are read under another name with archbench history publish --renamed"
            raise click.UsageError(f"OLD: {folder} has no kept nights of a device {old!r}: {known}; {advice}")
        click.echo(_done(folder, number(nights, "night"), old, new))
        if baselines:
            count = or_say(lambda: renaming.rename_promoted(baselines, old, new))
            click.echo(_done(baselines, number(count, "promoted value"), old, new))
        elif promoted:
            values, folder_ = number(promoted, "promoted value"), click.format_filename(own.FOLDER)
            advice = f"rename them with --baselines={folder_}, or promote a run on {printable(new)}"
            click.echo(f"{folder_}: {values} of {printable(old)} still: {advice}", err=True)


def _promoted(folder: Path, device: str) -> int:
    """How many promoted values a device has. Raises: OwnBaselineError."""
    return sum(case[2] == device for case in own.read(folder))


def _done(folder: Path, what: str, old: str, new: str) -> str:
    return f"{click.format_filename(folder)}: {what} of {printable(old)} under {printable(new)} now"


COMMANDS = (rename,)
