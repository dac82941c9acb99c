"""Figures and tables of a user's own, as their function gave them, made fit for page and files."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pytest_archbench.report import frames, paper, tables
from pytest_archbench.report.cells import legible
from pytest_archbench.report.drawing import Drawing
from pytest_archbench.report.figures import Chart
from pytest_archbench.report.palette import Style
from pytest_archbench.report.sheets import Extra

Give = Callable[[pd.DataFrame], Any]
"""A user's functions: the frame of networks -> figures and tables by title, or the exception that came instead."""


@dataclass(frozen=True, slots=True)
class Own:
    """What became of one title: for the page a chart or an extra, and the files beside it by their names."""

    files: Mapping[str, bytes]
    extra: Extra | None = None
    chart: Chart | None = None

    @property
    def error(self) -> str:
        return self.extra.error if self.extra else ""


def owned(given: Mapping[str, object], networks: pd.DataFrame, styles: Mapping[str, Style]) -> list[Own]:
    """What became of each title: what fails as it is drawn or written is the sentence of its error."""
    return [
        _own(legible(title), name, each, networks, styles)
        for (title, each), name in zip(given.items(), names(given), strict=True)
    ]


def _own(title: str, name: str, given: object, networks: pd.DataFrame, styles: Mapping[str, Style]) -> Own:
    try:
        return _made(title, name, given, networks, styles)
    except Exception as error:  # noqa: BLE001  what they gave may fail in any way, and the report is not lost for it
        return _failed(title, f"{type(error).__name__}: {error}")


def _made(title: str, name: str, given: object, networks: pd.DataFrame, styles: Mapping[str, Style]) -> Own:
    """A drawing as chart, a matplotlib figure as picture, a frame or series as table; anything else says so."""
    if isinstance(given, Drawing):
        _require_rows(given, networks)
        chart = Chart.of(name, title, given)
        return Own({} if chart.lacking(networks) else paper.files(name, given, title, networks, styles), chart=chart)
    if isinstance(given, Figure):
        files = {f"figures/{name}.{kind}": paper.picture(given, kind) for kind in paper.KINDS}
        return Own(files, Extra(title, svg=files[f"figures/{name}.svg"]))
    if isinstance(given, pd.DataFrame | pd.Series):
        frame = pd.DataFrame(given) if given.index.names == [None] else given.reset_index(allow_duplicates=True)
        made = tables.sheet(name, tables.Table(title, frame))
        return Own({f"tables/{name}.csv": frames.csv_text(frame).encode()}, Extra(title, sheet=made))
    if isinstance(given, Exception):
        raise given
    expected = "a matplotlib Figure, a pandas DataFrame or Series, or a drawing of pytest_archbench.report"
    return _failed(title, f"expected {expected}; got {type(given).__name__}")


def _failed(title: str, reason: str) -> Own:
    return Own({}, Extra(title, error=legible(f"{title}: {reason}")))


def _require_rows(drawing: Drawing, networks: pd.DataFrame) -> None:
    """Raises: ValueError where a drawing shows what the frame has not."""
    shown = {label for panel in drawing.panels for label in (*panel.rows, *panel.front)}
    if unknown := sorted(shown.difference(networks.index)):
        raise ValueError(f"the drawing has rows {unknown[:5]} that the frame of {len(networks)} networks has not")


def names(titles: Iterable[str]) -> list[str]:
    """A name for each title, of its own also where two titles differ in nothing that a file's name may hold."""
    found: list[str] = []
    for title in titles:
        numbered = itertools.chain([slug(title)], (f"{slug(title)}_{number}" for number in itertools.count(2)))
        found.append(next(name for each in numbered if (name := f"own_{each}") not in found))
    return found


def slug(title: str) -> str:
    """``Latency by family`` as part of a file's name: ``latency_by_family``."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:60] or "untitled"
