"""The ``archbench`` command: what one wants to know without running a test. One room per subject."""

from __future__ import annotations

from typing import Any

import click

from pytest_archbench.cli import (
    catalogue,
    choosing,
    commenting,
    comparing,
    devices,
    exporting,
    merging,
    nights,
    past,
    publishing,
    references,
    renaming,
    reports,
    scripts,
    showing,
)
from pytest_archbench.cli.terminal import in_a_sentence


class Commands(click.Group):
    """Commands of which none ends in a traceback where the disk is full, or a file is where a folder is expected."""

    def invoke(self, context: click.Context) -> Any:
        with in_a_sentence():
            return super().invoke(context)


@click.group(cls=Commands)
def main() -> None:
    """Count, choose, compare and report neural networks; measuring is done by ``pytest --archbench``."""


for command in (
    *catalogue.COMMANDS,
    *devices.COMMANDS,
    *reports.COMMANDS,
    *choosing.COMMANDS,
    *references.COMMANDS,
    *comparing.COMMANDS,
    *past.COMMANDS,
    *merging.COMMANDS,
    *nights.COMMANDS,
):
    main.add_command(command)
devices.device.add_command(scripts.script)
for command in (
    *showing.COMMANDS,
    *exporting.COMMANDS,
    *commenting.COMMANDS,
    *publishing.COMMANDS,
    *renaming.COMMANDS,
):
    past.history_.add_command(command)
