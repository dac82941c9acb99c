"""Commands that read runs: draw one again."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_archbench import outputs, store
from pytest_archbench.cli.terminal import make_plan, or_say


@click.command()
@click.argument("run", type=click.Path(path_type=Path), default=Path("reports"))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: that of the journal).")
def report(run: Path, out: Path | None) -> None:
    """Draw page, figures and tables again from the journal of RUN, a file or a folder."""
    journal = or_say(lambda: store.read(run))
    folder = out or (run if run.is_dir() else run.parent)
    for path in outputs.publish(journal, folder, make_plan().published):
        click.echo(path)


COMMANDS = (report,)
