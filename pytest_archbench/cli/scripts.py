"""``archbench device script``: the script for boards that are too old for this package."""

from __future__ import annotations

import click

from pytest_archbench import old_boards


@click.command()
def script() -> None:
    """Print a script for boards too old for this package.

    It is one file, runs on Python 3.6 with torch 1.4 and later, and writes a journal that archbench merge takes:
    archbench device script > probe.py
    """
    click.echo(old_boards.script(), nl=False)
