"""What the page's script draws from: rows by column, how columns read, colours of families, and each figure's spec."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from pytest_archbench.report.columns import COLUMNS
from pytest_archbench.report.drawing import Drawing
from pytest_archbench.report.frames import labels
from pytest_archbench.report.palette import Style, strokes
from pytest_archbench.report.provenance import CURVES, NUMBERS, UNCERTAIN, WORDS, points, told_in

IDENTITY = ("architecture", "family", "device", "batch_size", "input_shape", "origin")


def payload(
    networks: pd.DataFrame, styles: Mapping[str, Style], charts: Iterable[tuple[str, str, Drawing]]
) -> dict[str, Any]:
    """Plain data for JSON: row i of every column is row i of ``networks``; a chart is its name, title and drawing."""
    present = [key for key in COLUMNS if networks[key].notna().any()]
    beside = [*NUMBERS, *WORDS]
    return {
        "rows": {
            "label": labels(networks),
            **{key: [_plain(value) for value in networks[key]] for key in IDENTITY},
            **{key: [_plain(value) for value in networks[key]] for key in present},
            **{key: [_plain(value) for value in networks[key]] for key in beside if networks[key].notna().any()},
            **{key: [*map(points, networks[key])] for key in CURVES if networks[key].notna().any()},
        },
        "columns": {key: _column(key) for key in present},
        "styles": {family: asdict(style) for family, style in styles.items()},
        "charts": [
            {"name": name, "title": title, **asdict(drawing), "panels": [*_panels(networks, drawing)]}
            for name, title, drawing in charts
        ],
    }


def _panels(networks: pd.DataFrame, drawing: Drawing) -> Iterator[dict[str, Any]]:
    """The panels; of curves with the colour of each row."""
    for panel in drawing.panels:
        rows = networks.loc[list(panel.rows)]
        styles = strokes(rows) if drawing.kind == "curves" else {}
        colours = {"strokes": [styles[topology].fill for topology in rows["topology"]]} if styles else {}
        yield asdict(panel) | colours


def _column(key: str) -> dict[str, Any]:
    column = COLUMNS[key]
    shown = {name: getattr(column, name) for name in ("heading", "unit", "scale", "decimals", "better")}
    return shown | {"told": told_in(key), "uncertain": key in UNCERTAIN}


def _plain(value: Any) -> Any:
    """JSON has no NaN, and a whole number needs no point."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
