"""Figures and tables of a user's own, as their function gave them, made fit for page and files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pytest_archbench.report import frames, paper, tables
from pytest_archbench.report.frames import legible
from pytest_archbench.report.sheets import Extra

Give = Callable[[pd.DataFrame], Any]
"""A user's functions: the frame of networks -> figures and tables by title, or the exception that came instead."""


@dataclass(frozen=True, slots=True)
class Own:
    """What became of one title: for the page, and the files beside it by their names."""

    extra: Extra
    files: Mapping[str, bytes]


def own(title: str, given: object) -> Own:
    """A matplotlib figure as picture, a frame or series as table; anything else is a sentence that says so."""
    shown, name = legible(title), f"own_{slug(title)}"
    if isinstance(given, Figure):
        files = {f"figures/{name}.{kind}": paper.picture(given, kind) for kind in paper.KINDS}
        return Own(Extra(shown, svg=files[f"figures/{name}.svg"]), files)
    if isinstance(given, pd.DataFrame | pd.Series):
        frame = given.reset_index() if given.index.names != [None] else pd.DataFrame(given)
        made = tables.sheet(name, tables.Table(shown, frame))
        return Own(Extra(shown, sheet=made), {f"tables/{name}.csv": frames.csv_text(frame).encode()})
    if isinstance(given, Exception):
        return Own(Extra(shown, error=legible(f"{title}: {type(given).__name__}: {given}")), {})
    expected = "a matplotlib Figure, a pandas DataFrame or Series, or a drawing of pytest_archbench.report"
    return Own(Extra(shown, error=f"{shown}: expected {expected}; got {type(given).__name__}"), {})


def slug(title: str) -> str:
    """``Latency by family`` as part of a file's name: ``latency_by_family``."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:60] or "untitled"
