"""``archbench history export``: a history as one long table for other tools."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pytest_archbench import history, ledger
from pytest_archbench.cli.terminal import left_out, number, or_say
from pytest_archbench.files import replacing
from pytest_archbench.registry import near

STDOUT = "-"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", default=STDOUT, metavar="FILE.csv|FILE.parquet", show_default=True,
    help="File to write, its form by its ending; - is CSV to the standard output.",
)  # fmt: skip
@click.option(
    "--last", type=click.IntRange(min=0), default=0, metavar="N",
    help="Of each device's kept nights the last N alone (default: all).",
)  # fmt: skip
def export(folder: Path, out: str, last: int) -> None:
    """Write every value of every run as one long table.

    FOLDER holds journals (*.jsonl), folders of them, or kept nights. Nothing is rounded. A file that is there is
    replaced once the new one is whole.
    """
    form = _form(out)
    reading = or_say(lambda: history.opened(folder))
    if out == STDOUT:
        form(sys.stdout.buffer, reading.nights(last))
    else:
        count = _written(Path(out), form, reading, last)
        click.echo(f"{click.format_filename(out)}: {number(count, 'row')}")
    left_out(*reading.broken, *reading.repeated)


def _form(out: str) -> ledger.Form:
    """Raises: click.UsageError for an ending that no form has."""
    ending = ".csv" if out == STDOUT else Path(out).suffix.lower()
    if ending not in ledger.FORMS:
        got = f"got {ending!r}: {near(ending, ledger.FORMS)}"
        raise click.UsageError(f"--out {out}: expected a name that ends in {' or '.join(ledger.FORMS)}; {got}")
    return ledger.FORMS[ending]


def _written(path: Path, form: ledger.Form, reading: history.Reading, last: int) -> int:
    """The number of rows. Raises: click.UsageError where the file cannot be written, or pyarrow is not there."""
    try:
        with replacing(path) as file:
            return form(file, reading.nights(last))
    except OSError as error:
        raise click.UsageError(f"--out {path}: cannot be written: {error.strerror}; name another file") from None
    except ImportError:
        advice = "pip install 'pytest-archbench[parquet]', or name a .csv"
        raise click.UsageError(f"--out {path}: Parquet needs pyarrow, which is not here: {advice}") from None


COMMANDS = (export,)
