"""A ball chart as text that code hosts draw inside a comment: a Mermaid quadrant chart, which needs no file beside it.

Source of the syntax: mermaid.js.org/syntax/quadrantChart. Points lie between 0 and 1, so the axes are reckoned here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from pytest_archbench.report.columns import COLUMNS
from pytest_archbench.report.drawing import Axis, Drawing
from pytest_archbench.report.palette import PAPER, Style

Array = npt.NDArray[np.float64]

MOST = 16
"""Networks that a chart of its size can name legibly."""
LARGEST, SMALLEST = 24.0, 3.0
"""Radii in pixels: of the ball with the most parameters, and below which a ball is no longer seen."""
EDGE = 0.05
WIDTH, HEIGHT = 820, 560
SETTINGS = {
    "quadrantChart": {
        "chartWidth": WIDTH,
        "chartHeight": HEIGHT,
        "pointLabelFontSize": 11,
        "quadrantInternalBorderStrokeWidth": 0,
    },
    "themeVariables": {f"quadrant{number}Fill": PAPER for number in (1, 2, 3, 4)},
}
LONGEST_NAME, LONGEST_TITLE = 40, 80
READABLE = (
    (r"(?<=\d),(?=\d{3})", ""),
    (r"\s*[,:;]\s+", " - "),
    (r"[\u2010-\u2015\u2212/]", "-"),
    ("\u00d7", "x"),
    ("\u2026", "..."),
    ("%", "percent"),
    (r"[^A-Za-z0-9_.:+ -]", "?"),
)
"""What stands for signs that are not safe within quotes, in turn; the last is for all others."""


def ball_chart(drawing: Drawing, title: str, frame: pd.DataFrame, looks: Mapping[str, Style]) -> Iterator[str]:
    """The lines of a fenced block with the first panel of ``drawing``; nothing where it has none, or is no ball chart.

    Of more than ``MOST`` networks those on the front are shown, then the best of each family.
    """
    if not drawing.panels or drawing.x is None or not drawing.size:
        return
    every = frame.loc[list(drawing.panels[0].rows)]
    best = every.sort_values(drawing.y.column, ascending=False, kind="stable").drop_duplicates("family").index
    wanted = dict.fromkeys((*drawing.panels[0].front, *best, *every.index))
    rows = every.loc[list(wanted)[:MOST]].sort_values(drawing.size, ascending=False, kind="stable")
    radii = np.maximum(LARGEST * np.sqrt(rows[drawing.size] / every[drawing.size].max()), SMALLEST)
    yield "```mermaid"
    yield f"%%{{init: {json.dumps(SETTINGS)}}}%%"
    yield "quadrantChart"
    of = f" ({label(drawing.panels[0].title, LONGEST_TITLE)})" if drawing.panels[0].title else ""
    yield f"    title {title}{of}; area for {COLUMNS[drawing.size].name}"
    yield f"    x-axis {_ends(rows, drawing.x)}"
    yield f"    y-axis {_ends(rows, drawing.y)}"
    points = zip(
        rows["architecture"], rows["family"], _placed(rows, drawing.x), _placed(rows, drawing.y), radii, strict=True
    )
    for name, family, x, y, radius in points:
        yield f'    "{label(name)}": [{x:.3f}, {y:.3f}] radius: {radius:.0f}, color: {looks[family].fill}'
    yield "```"
    if len(rows) < len(every):
        yield f"{len(rows)} of {len(every)} networks, those on the Pareto front first; all are in `figures/`."


def _placed(rows: pd.DataFrame, axis: Axis) -> Array:
    """A column between ``EDGE`` and 1 - ``EDGE``."""
    values = rows[axis.column].to_numpy(dtype=float)
    values = np.log10(values) if axis.log else values
    span = float(np.ptp(values)) or 1.0
    placed: Array = EDGE + (1 - 2 * EDGE) * (values - values.min()) / span
    return placed


def _ends(rows: pd.DataFrame, axis: Axis) -> str:
    """``"Operations from 0.35" --> "to 20 GMAC, logarithmic"``"""
    column, values = COLUMNS[axis.column], rows[axis.column]
    scale = ", logarithmic" if axis.log else ""
    low, high = (f"{value / column.scale:.3g}" for value in (values.min(), values.max()))
    return f'"{column.heading} from {low}" --> "to {high} {column.unit}{scale}"'


def label(name: str, longest: int = LONGEST_NAME) -> str:
    """A name of which nothing but letters, digits and a few signs is left: within quotes nothing else is safe."""
    for unfit, readable in READABLE:
        name = re.sub(unfit, readable, name)
    return name if len(name) <= longest else _cut(name, longest - 3) + "..."


def _cut(name: str, length: int) -> str:
    """Its beginning, which ends in no part of a number."""
    within = re.match(r"[\d.]{2}", name[length - 1 :])
    return (re.sub(r"[\d.]+$", "", name[:length]) if within else name[:length]).rstrip()
