"""What of a history goes with time: the whole journals of older nights, and which images each evaluation had right."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from pytest_archbench import nights, store
from pytest_archbench.history import first_line
from pytest_archbench.points import time
from pytest_archbench.store import JournalError

GONE = "~"
"""How the name of a journal's folder begins that is being taken away; no night has such a name as a folder's."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became smaller: whole journals that went, kept nights that no longer say which images were right. ``broken``
    names those that could not be read.
    """

    journals: tuple[str, ...]
    thinned: int
    broken: tuple[str, ...] = ()


def prune(folder: Path, journals: int, tonight: Path) -> Pruned:
    """Take away the whole journals of all but the last nights in the history ``folder``, in the order in which they
    started, never that in the folder ``tonight``, and from older kept nights which images were right.

    A kept night stays for good: all that later nights are judged by, and that the pages show, is in it.

    Raises: OSError.
    """
    there = [path for path in tonight.parent.glob("*") if path.name[:1] != GONE and path != tonight]
    others = sorted(filter(_has_journal, there), key=_start)
    gone = others[: max(0, len(others) + 1 - journals)]
    for path in gone:
        path.rename(path.with_name(f"{GONE}{path.name}"))
    for path in tonight.parent.glob(f"{GONE}*"):  # those of a process that was killed here as well
        shutil.rmtree(path)
    devices = [path for path in (folder / nights.FOLDER).glob("*") if path.is_dir()]
    # Only those just past the border can have anything to take: earlier ones were thinned in their time.
    old = [path for device in devices for path in nights.kept(device)[: -journals or None][-len(gone) - 1 :]]
    thinned, broken = 0, []
    for path in old:
        try:
            thinned += nights.without_outcomes(path)
        except JournalError as error:
            broken.append(str(error))
    return Pruned(tuple(path.name for path in gone), thinned, tuple(broken))


def _has_journal(folder: Path) -> bool:
    return (folder / store.JOURNAL).exists()


def _start(folder: Path) -> tuple[datetime, str]:
    """When the night in a folder started, by its journal; of one that cannot be read, before all others."""
    told = time(str(first_line(folder / store.JOURNAL).get("started")))
    return told or datetime.min.replace(tzinfo=timezone.utc), folder.name
