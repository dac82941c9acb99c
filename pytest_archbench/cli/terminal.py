"""What the commands share: a mistake as one sentence, a plan, and what is printed on one line of a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from pytest_archbench import blame, outputs, own, plan, store
from pytest_archbench.baselines import Published
from pytest_archbench.points import Key
from pytest_archbench.records import Number, Point
from pytest_archbench.registry import UnknownName, near
from pytest_archbench.units import both, relative, relative_change

T = TypeVar("T")

INDENT = "  "
SUBJECT = 100
"""Characters of a commit's subject that are told."""

PAGE = "index.html"
"""What a folder has that a report was drawn into."""

MISTAKES = (*plan.USER_MISTAKES, store.JournalError, own.OwnBaselineError)


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """A user's mistake, or a file that cannot be read or written, becomes one sentence and exit code 2, as click has
    it.
    """
    try:
        yield
    except MISTAKES as error:
        raise click.UsageError(str(error.args[0])) from None
    except BrokenPipeError:  # whoever read the output has gone: click ends quietly
        raise
    except OSError as error:
        raise click.UsageError(no_file(error)) from None


def or_say(action: Callable[[], T]) -> T:
    """``action()``, what goes wrong ``in_a_sentence``."""
    with in_a_sentence():
        return action()


def no_file(error: OSError) -> str:
    """Which file cannot be read or written, and why."""
    where = printable(error.filename) if error.filename is not None else "a file or the output"
    return f"{where}: cannot be read or written: {error.strerror or error}; see to it"


def make_plan(suite: str = "", pattern: str = "") -> plan.Plan:
    """What the folder's settings and these two choose, with every published figure."""
    given = {"suite": (suite, "--suite"), "arch": (pattern, "NAME")}
    return or_say(lambda: plan.make(given, Path.cwd() / "pyproject.toml", ()))


def measured(path: Path) -> store.Run:
    """The run of a journal or its folder, each case as it was measured last. Raises: JournalError, also for none."""
    if (path / PAGE).exists() and not (path / store.JOURNAL).exists():
        advice = "name the folder or the journal that it was drawn from"
        raise store.JournalError(
            f"{path}: expected a journal; got a report that was drawn from another folder's: {advice}"
        )
    run = store.read(path)
    if not run.rows:
        raise store.JournalError(f"{path}: expected measured cases; got none: run pytest --archbench first")
    return outputs.latest(run)


def require_sources(sources: Iterable[str], published: Published) -> None:
    """Raises: UnknownName where nobody of that name has published anything."""
    for source in sources:
        if source not in published.sources:
            meant = near(source, published.sources)
            known = meant if "?" in meant else f"known: {', '.join(sorted(published.sources))}"
            advice = "archbench references lists the devices that --device knows, and whose figures they are of"
            raise UnknownName(f"--published: unknown source {source!r}: {known}; {advice}")


def case_name(case: Key) -> str:
    """``resnet18 latency cpu bs8 compile``"""
    architecture, metric, device, batch_size, variant = case
    return f"{architecture} {metric} {device} bs{batch_size} {variant}".rstrip()


def changed(before: Number, after: Number, unit: str) -> str:
    """``38.10 ms -> 41.20 ms (+8.1 %)``"""
    return f"{' -> '.join(both(before, after, unit))} ({relative(relative_change(after, before))})"


def who(repository: Path, before: Point, since: Point) -> Iterator[str]:
    """The commits between two runs, or why they are not known."""
    try:
        found = blame.between(repository, before.commit, since.commit)
    except blame.NoCommits as error:
        yield str(error)
        return
    span = f"{before.commit[: blame.SHORT]}..{since.commit[: blame.SHORT]}"
    yield f"{number(found.count, 'commit')} in {span}" + (":" if found.commits else "")
    for each in found.commits:
        subject = textwrap.shorten(each.subject, SUBJECT, placeholder=" ...")
        yield f"{INDENT}{each.day}  {each.name[: blame.SHORT]}  {each.author}: {subject}"
    if more := found.count - len(found.commits):
        yield f"{INDENT}and {more} before"
    if found.undone:
        yield f"and {number(found.undone, 'commit')} of the earlier run {'is' if found.undone == 1 else 'are'} gone"


def number(count: int, noun: str, plural: str = "") -> str:
    """``1 run``, ``2 runs``"""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def left_out(*lines: str) -> None:
    """Say what of the files could not be used, a line each, beside the output."""
    for line in lines:
        click.echo(f"left out: {printable(line)}", err=True)


def printable(fact: object) -> str:
    """A fact from a file on one line of a terminal, whatever is in it."""
    return str(fact) if str(fact).isprintable() else ascii(fact)


WIDEST = 48
"""Characters that one cell may widen its column to; a longer one pushes the rest of its line."""


def table(rows: Sequence[Sequence[str]], left: Collection[int]) -> Iterator[str]:
    """Lines with the cells of each column below each other: those of the columns in ``left`` begin, all others end."""
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
