"""What a figure shows, apart from how it is drawn: for files by matplotlib (``paper``), on the page by a script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["balls", "bars", "lines"]


@dataclass(frozen=True, slots=True)
class Axis:
    """A column of the frame (a key of ``columns.COLUMNS``, or ``batch_size``) along a linear or logarithmic scale."""

    column: str
    log: bool = False


@dataclass(frozen=True, slots=True)
class Law:
    """``y = offset + scale * x ** exponent`` in base units, fitted by least squares.

    A power law has no offset and is fitted to logarithms, of which ``r2`` then is; a line has the exponent 1.
    """

    scale: float
    exponent: float
    r2: float
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One coordinate system: the row labels of the frame that it shows, in the order they are drawn.

    ``group`` is the batch size where a figure has panels of several: paper shows the first group, the page any of them,
    one at a time. ``front`` holds the labels along the Pareto front, by rising x. ``law`` is the fit through its rows.
    """

    rows: tuple[int, ...]
    title: str = ""
    group: str = ""
    front: tuple[int, ...] = ()
    law: Law | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure: balls (or dots, without ``size``) at x and y; sorted bars of y; or a line of y over x per network.

    Bars have no ``x``. ``size`` is the column that the area of a ball is proportional to. ``note`` is one sentence
    below the title.
    """

    kind: Kind
    y: Axis
    panels: tuple[Panel, ...]
    x: Axis | None = None
    size: str = ""
    note: str = ""
