"""What a figure shows, apart from how it is drawn: for files by matplotlib (``paper``), on the page by a script."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from pytest_archbench.registry import near
from pytest_archbench.report.columns import COLUMNS

Kind = Literal["balls", "bars", "lines", "curves"]
BATCH_SIZE, EPOCH = "batch_size", "epoch"


@dataclass(frozen=True, slots=True)
class Axis:
    """A key of ``columns.COLUMNS``, ``batch_size`` or ``epoch``, along a linear or logarithmic scale."""

    column: str
    log: bool = False

    def __post_init__(self) -> None:
        if self.column not in (BATCH_SIZE, EPOCH):
            _require_column("an axis", self.column)


@dataclass(frozen=True, slots=True)
class Law:
    """``y = offset + scale * x ** exponent`` in base units, fitted by least squares.

    A power law has no offset and is fitted to logarithms, of which ``r2`` then is; a line has the exponent 1.
    """

    scale: float
    exponent: float
    r2: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.scale, self.exponent, self.r2, self.offset))):
            raise ValueError(f"a law holds finite numbers; got {self}: leave it out where points say nothing")


@dataclass(frozen=True, slots=True)
class Panel:
    """One coordinate system: the row labels of the frame that it shows, in the order they are drawn.

    ``group`` is the batch size where a figure has panels of several: paper shows the first group, the page any of them,
    one at a time. ``front`` holds the labels along the Pareto front, by rising x. ``law`` is the fit through its rows.
    ``data`` is what its accuracies are of: panels of equal data have the same limits, so that they compare at a glance.
    """

    rows: tuple[int, ...]
    title: str = ""
    group: str = ""
    front: tuple[int, ...] = ()
    law: Law | None = None
    data: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure: balls (or dots, without ``size``) at x and y; sorted bars of y; a line of y over x per network; or the
    curve of each row's y over the epochs of its training.

    Bars have no ``x``. ``size`` is the column that the area of a ball is proportional to, ``beside`` the one whose
    curve is dashed. ``note`` is one sentence below the title. ``heading`` is what y is called where two quantities are
    drawn along it.
    """

    kind: Kind
    y: Axis
    panels: tuple[Panel, ...]
    x: Axis | None = None
    size: str = ""
    note: str = ""
    beside: str = ""
    heading: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"a drawing: expected one of {', '.join(get_args(Kind))}; got {self.kind!r}")
        if (self.x is None) != (self.kind == "bars"):
            raise ValueError(f"a drawing of {self.kind}: {'bars have no x' if self.x else 'give it an x'}")
        if self.size:
            _require_column("the size of balls", self.size)
        if self.beside:
            _require_column("the dashed curve", self.beside)


def _require_column(what: str, column: object) -> None:
    if column not in COLUMNS:
        raise ValueError(f"{what}: expected a quantity of the frame; got {column!r}: {near(str(column), COLUMNS)}")
