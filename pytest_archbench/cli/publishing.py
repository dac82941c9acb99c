"""``archbench history publish``: the pages of a history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from pytest_archbench import history
from pytest_archbench.cli.terminal import left_out, no_file, number, or_say, printable

PAGES = "pages"


def address(context: click.Context, _option: click.Parameter, text: str) -> str:
    """The page of a project as it was given. Raises: UsageError where it is none."""
    if text and urlsplit(text).scheme not in ("http", "https"):
        raise click.UsageError(f"--project-url: expected an address that begins with https://; got {text!r}", context)
    return text.rstrip("/")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help=f"Folder to write to (default: FOLDER/{PAGES}).")
@click.option(
    "--nights",
    type=click.IntRange(min=0),
    default=365,
    show_default=True,
    help="How many kept nights of each device; 0: all.",
)
@click.option("--renamed", multiple=True, metavar="OLD=NEW", help="A device that goes by another name now; repeatable.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    show_default=True,
    help="The project's git repository, for the commits between two nights.",
)
@click.option("--project", default="", help="Its name on the pages (default: that of the repository's folder).")
@click.option(
    "--project-url", default="", metavar="URL", callback=address, help="Its page, such as https://github.com/ORG/NAME."
)
def publish(
    folder: Path,
    out: Path | None,
    nights: int,
    renamed: Sequence[str],
    repository: Path,
    project: str,
    project_url: str,
) -> None:
    """Publish the nights in FOLDER as pages of asv.

    One series per metric, network, device and batch size; regressions, a feed of them, and a page about each night.
    What cannot be published is named and left out; the exit code is 1 where nothing can.
    """
    from pytest_archbench import pages  # asv takes half a second to import
    from pytest_archbench.pages.commits import PagesError

    names = renamed_devices(renamed)
    reading = or_say(lambda: history.opened(folder, names))
    whose = pages.Project(project or repository.resolve().name, repository, project_url)
    try:
        made = pages.publish(reading, out or folder / PAGES, whose, nights)
    except PagesError as error:
        raise click.ClickException(printable(error)) from None
    except OSError as error:
        raise click.ClickException(no_file(error)) from None
    left_out(*made.left_out)
    for line in made.remarks:
        click.echo(printable(line), err=True)
    counts = f"{number(made.nights, 'night')}, {made.series:,} series, {made.values:,} value{'s' * (made.values != 1)}"
    click.echo(f"{click.format_filename(made.html)}: {counts}")


def renamed_devices(given: Sequence[str]) -> dict[str, str]:
    """Old names of devices with the new ones. Raises: UsageError."""
    pairs = dict(each.partition("=")[::2] for each in given)
    for old, new in pairs.items():
        if not old or not new or old == new or new in pairs:
            expected = "OLD=NEW, a former name of a device and its present one"
            raise click.UsageError(f"--renamed: expected {expected}; got {f'{old}={new}'!r}")
    return pairs


COMMANDS = (publish,)
