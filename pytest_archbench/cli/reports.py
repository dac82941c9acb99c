"""The command that draws: runs and published figures as page, figures and tables."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_archbench import outputs, store
from pytest_archbench.baselines import key_of
from pytest_archbench.cli.terminal import make_plan, or_say, printable, require_sources
from pytest_archbench.files import places
from pytest_archbench.plan import packaged_figures

if TYPE_CHECKING:
    import pandas as pd

HOOK = "pytest_archbench_report"
CONFTEST = Path("conftest.py")
REPORTS = Path("reports")
PAPERS = "seeds,variants,blocks"
"""Suites whose architectures know the family of the networks that the papers measured."""


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path))
@click.option(
    "--published", "sources", multiple=True, metavar="SOURCE", help="Draw also what a source published; repeatable."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: that of the first journal).")
@click.option(
    "--conftest",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=f"File with a function {HOOK} that adds figures and tables of your own (default: {CONFTEST}, if there).",
)
def report(runs: tuple[Path, ...], sources: tuple[str, ...], out: Path | None, conftest: Path | None) -> None:
    """Draw page, figures and tables of RUNs.

    RUN is a journal or its folder, several of them are drawn as one. Without RUN that of reports/; with --published
    alone the published figures alone, into reports/SOURCE. Of a damaged journal all is drawn that can be read; the exit
    code then is 1.
    """
    paths = runs or (() if sources else (REPORTS,))
    found, faults = or_say(lambda: _read(paths))
    published = or_say(packaged_figures)
    or_say(lambda: require_sources(sources, published))
    run = outputs.merged(found) if found else store.Run({"run": "published figures: " + ", ".join(sources)}, ())
    families = {key_of(each): each.family for each in make_plan(_suites(sources)).architectures} if sources else {}
    folder = out or (_folder(paths[0]) if paths else REPORTS / "-".join(sources))
    give = partial(_given, conftest or CONFTEST)
    try:
        rendered = outputs.publish(run, folder, published, shown=sources, families=families, give=give)
    except OSError as error:
        where = error.filename2 or error.filename or folder
        reason = f"{where} cannot be written: {error.strerror}; name another folder with --out"
        raise click.UsageError(reason) from None
    for place in places(rendered.paths):
        click.echo(place)
    for fault in (*faults, *rendered.failures):
        click.echo(printable(fault), err=True)
    if faults or rendered.failures:
        raise SystemExit(1)


def _read(paths: Iterable[Path]) -> tuple[list[store.Run], list[str]]:
    """The runs, and what of their journals is damaged or absent. Raises: JournalError."""
    runs, faults = [], []
    for path in paths:
        run, damage = store.salvage(path)
        runs.append(run)
        faults += [f"left out: {said}" for said in damage]
        faults += [] if run.rows else [f"{path}: no measurements: run pytest --archbench first"]
    return runs, faults


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _suites(sources: tuple[str, ...]) -> str:
    """The suites that know the families of what ``sources`` measured: those of a library for its own list of models."""
    libraries = [name for name in ("torchvision", "timm") if f"{name}_suite" in sources]
    return ",".join([PAPERS, *libraries])


def _given(conftest: Path, networks: pd.DataFrame) -> Any:
    """What the function of a conftest gives, as if pytest asked; nothing where there is no such file or function.

    As under pytest, the file may import what lies beside it.
    """
    if not conftest.exists():
        return {}
    sys.path.insert(0, str(conftest.parent.resolve()))
    try:
        spec = importlib.util.spec_from_file_location("conftest", conftest)
        if spec is None or spec.loader is None:
            raise ImportError("this is no Python file")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        function = getattr(module, HOOK, None)
        return function(networks=networks) if function else {}
    except Exception as error:  # noqa: BLE001  their file may raise anything, and the report is not lost for it
        return {f"{HOOK} of {conftest}": error}


COMMANDS = (report,)
