"""``archbench nightly``: what a scheduled job calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
from filelock import FileLock, Timeout

from pytest_archbench import account, hindsight, history, nightly, own, store
from pytest_archbench.cli.publishing import address, publish
from pytest_archbench.cli.terminal import case_name, in_a_sentence, left_out, number, who
from pytest_archbench.files import as_file, write_atomically
from pytest_archbench.nightly import Alarm, NightFailed
from pytest_archbench.nights import JOURNALS, of
from pytest_archbench.points import Key
from pytest_archbench.pruning import prune

SUMMARY = "nightly.md"
MOST = 30
"""Alarms that the summary tells one by one; the others are counted."""
FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("nightly", context_settings={"ignore_unknown_options": True})
@click.option(
    "--history", "folder", type=FOLDER, default=Path("history"), show_default=True, help="Folder of all nights."
)
@click.option("--night", "name", default="", help="Its name (default: today's date, UTC). The same night is one night.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path, exists=True),
    help="Take this run, a journal or its folder, instead of measuring.",
)
@click.option("--baselines", type=FOLDER, default=own.FOLDER, show_default=True, help="Folder of promoted runs.")
@click.option(
    "--nights", default=20, show_default=True, type=click.IntRange(5), help="By how many nights a value is judged."
)
@click.option("--pages", type=FOLDER, help="Folder of the pages (default: pages in the history).")
@click.option("--no-pages", is_flag=True, help="Publish nothing.")
@click.option(
    "--keep-journals",
    default=30,
    show_default=True,
    type=click.IntRange(1),
    help="Nights whose whole journals stay, with each sample.",
)
@click.option("--repository", type=FOLDER, default=Path(), show_default=True, help="The project's git repository.")
@click.option(
    "--project-url", default="", metavar="URL", callback=address, help="Its page, such as https://github.com/ORG/NAME."
)
@click.argument("arguments", nargs=-1, metavar="[-- PYTEST ARGUMENTS]...", type=click.UNPROCESSED)
@click.pass_context
def nightly_(
    context: click.Context,
    folder: Path,
    name: str,
    journal: Path | None,
    baselines: Path,
    nights: int,
    pages: Path | None,
    no_pages: bool,
    keep_journals: int,
    repository: Path,
    project_url: str,
    arguments: tuple[str, ...],
) -> None:
    """Measure, judge, keep and publish a night.

    It is judged by the nights before. Exits with 0 where nothing became worse, 1 on an alarm or where anything failed
    in the run, and with pytest's own code where the run ended early; then the history is as it was.
    """
    name = name or f"{datetime.now(timezone.utc):%Y-%m-%d}"
    if journal is not None and arguments:
        raise click.UsageError("--journal takes a run as it is: arguments for pytest have no meaning beside it")
    if stop := nightly.stopping(arguments):
        why = "what came after its first failures would be missing in the night"
        raise click.UsageError(f"{stop}: expected arguments with which a run goes on to its end: {why}; leave it out")
    place = folder / JOURNALS / as_file(name)
    with alone(folder):
        promoted = own.read(baselines)
        if journal is None:
            status = _measured(place, [*_asked(folder, baselines, nights), *arguments])
            run = store.read(place)
            night = nightly.keep(place, name, folder, run)
        else:
            part = hindsight.judged(_taken(journal), baselines, folder, nights)
            nightly.keep(journal, name, folder, part)
            run = nightly.with_parts(part, place)
            night = of(place, run)
            status = account.code_of(run)
            nightly.store_whole(run, place)
        nightly.mark(place, status)
        past = history.load(folder, last=nightly.WINDOW, spaced=True)
        alarms = nightly.alarms(run, night, past, promoted)
        told = "\n".join(_summary(name, alarms, len(night.points), run, status, repository))
        write_atomically(folder / SUMMARY, f"{told}\n".encode())
        click.echo(told)
        left_out(*past.broken, *past.repeated)
        if not no_pages:
            shown = {"folder": folder, "out": pages, "repository": repository, "project_url": project_url}
            status = _published(context, **shown) or status
        pruned = prune(folder, keep_journals, place)
        left_out(*(line for line in pruned.broken if line not in past.broken))
        if pruned.journals:
            click.echo(f"{number(len(pruned.journals), 'whole journal')} taken away: {', '.join(pruned.journals)}")
    raise SystemExit(1 if alarms else status)


def _asked(folder: Path, baselines: Path, nights: int) -> list[str]:
    """What the run is told of the history."""
    return [
        f"--archbench-history={folder.absolute()}",
        f"--archbench-nights={nights}",
        f"--archbench-baselines={baselines.absolute()}",
    ]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the history, whose folder is made, while nights are written; what goes wrong there is said in a sentence.

    Raises: click.UsageError.
    """
    with in_a_sentence():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock", timeout=0):
                yield
        except Timeout:
            raise click.UsageError(f"{folder}: another night is at work here: wait for it") from None


def _measured(place: Path, arguments: Sequence[str]) -> int:
    """The exit code of the night's run, made now. Raises: SystemExit where it came to no end."""
    try:
        return nightly.measure(place, arguments)
    except NightFailed as error:
        click.echo(str(error), err=True)
        raise SystemExit(error.code) from None


def _taken(journal: Path) -> store.Run:
    """A run that was made elsewhere; what of it is damaged is named. Raises: JournalError."""
    run, damage = nightly.take(journal)
    left_out(*damage)
    return run


def _published(context: click.Context, **asked: Any) -> int:
    """1 where nothing could be published: the night is kept all the same."""
    try:
        context.invoke(publish, **asked)
    except click.ClickException as error:
        error.show()
        return 1
    return 0


def _summary(
    name: str, alarms: Sequence[Alarm], cases: int, run: store.Run, status: int, repository: Path
) -> Iterator[str]:
    """Markdown for the page of a job."""
    from pytest_archbench.report.text import escaped  # the report draws, which is slow to import

    yield f"# Night {name}: {number(len(alarms), 'alarm') if alarms else 'no alarm'} in {number(cases, 'case')}"
    for alarm in alarms[:MOST]:
        yield _item(alarm.kind, alarm.case, alarm.reason)
        if alarm.before is not None:
            told = who(repository, alarm.before, alarm.since)
            yield from (f"  {line[: -len(line.lstrip())]}- {escaped(line.lstrip())}" for line in told)
    if len(alarms) > MOST:
        yield f"\nand {len(alarms) - MOST} more"
    if alarms:
        yield "\nA change that is meant is accepted with `archbench promote`; until then no night is judged by it."
    yield from _beside(run, {alarm.case for alarm in alarms}, status)


def _beside(run: store.Run, alarmed: Collection[Key], status: int) -> Iterator[str]:
    """What failed without an alarm, and how much the past says nothing about."""
    failed = account.failures(run, alarmed)
    if failed:
        yield f"\nFailed without an alarm: {len(failed)}."
    yield from (_item(each.word, each.case, each.reason) for each in failed[:MOST])
    if len(failed) > MOST:
        yield f"\nand {len(failed) - MOST} more"
    if status and not alarmed and not failed:
        yield f"\nThe run ended with exit code {status} for another reason: see its output."
    if counts := account.unjudged(run):
        yield f"\nNot judged by the past: {', '.join(f'{count} {word}' for word, count in counts.items())}."


def _item(word: str, case: Key, reason: str) -> str:
    from pytest_archbench.report.text import code, escaped

    return f"\n- **{word}** {code(case_name(case))}: {escaped(reason)}"


COMMANDS = (nightly_,)
