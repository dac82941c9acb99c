"""Many figures on paper at once: where there is much to draw, on as many processors as there are."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pandas as pd

from pytest_archbench.report import paper
from pytest_archbench.report.drawing import Drawing
from pytest_archbench.report.paper import Looks

MOST_PROCESSES = 4
WORTH = 600
"""Marks from which on another process, which takes a second to start, is worth it."""
LONGEST = 300.0
"""Seconds that another process may take before its share is drawn here."""
UNREADABLE = (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, ValueError)
"""What comes of an answer that is none, as the documentation of ``pickle`` lists it."""
PROGRAM = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    "from pytest_archbench.report import press; press.serve()"
)
"""Not by ``multiprocessing``: that would run the main module of whoever draws again."""


class Sheet(NamedTuple):
    """A figure to be drawn, and its name in the report."""

    name: str
    title: str
    drawing: Drawing


def printed(
    sheets: Sequence[Sheet], frame: pd.DataFrame, looks: Looks, processes: int | None = None
) -> dict[str, bytes]:
    """Every figure in every kind of file, by its name in the report; the same bytes however many processes draw them.

    What another process fails to draw is drawn here.
    """
    shares = _shares(sheets, processes or _processes(sheets))
    with ThreadPoolExecutor(max(len(shares) - 1, 1)) as pool:
        elsewhere = [pool.submit(_elsewhere, share, frame, looks) for share in shares[1:]]
        parts = [_drawn(share, frame, looks) for share in shares[:1]]
        parts += [
            waiting.result() or _drawn(share, frame, looks)
            for waiting, share in zip(elsewhere, shares[1:], strict=True)
        ]
    found = {name: content for part in parts for name, content in part.items()}
    return {name: found[name] for sheet in sheets for name in paper.names(sheet.name)}


def _processes(sheets: Sequence[Sheet]) -> int:
    marks = sum(len(panel.rows) for sheet in sheets for panel in sheet.drawing.panels)
    return min(marks // WORTH + 1, len(sheets), os.cpu_count() or 1, MOST_PROCESSES) or 1


def _shares(sheets: Sequence[Sheet], processes: int) -> list[Sequence[Sheet]]:
    """What each process draws: the kinds of figures, which take longer or less, are spread over all."""
    ordered = sorted(sheets, key=lambda sheet: (sheet.drawing.kind, sheet.name))
    return [share for start in range(processes) if (share := ordered[start::processes])]


def _drawn(sheets: Sequence[Sheet], frame: pd.DataFrame, looks: Looks) -> dict[str, bytes]:
    parts = [paper.files(sheet.name, sheet.drawing, sheet.title, frame, looks) for sheet in sheets]
    return {name: content for part in parts for name, content in part.items()}


def _elsewhere(sheets: Sequence[Sheet], frame: pd.DataFrame, looks: Looks) -> dict[str, bytes]:
    """The files of a share, drawn by another process; empty where that did not work."""
    job = pickle.dumps(sys.path) + pickle.dumps((list(sheets), frame, dict(looks)))
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], input=job, capture_output=True, check=True, timeout=LONGEST
        )
        files: dict[str, bytes] = pickle.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, *UNREADABLE):
        return {}
    return files


def serve() -> None:
    """Draw the share that stands on standard input; the files go to standard output."""
    sheets, frame, looks = pickle.load(sys.stdin.buffer)
    pickle.dump(_drawn(sheets, frame, looks), sys.stdout.buffer)
