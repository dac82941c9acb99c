"""What lies in a cloud of points: the law through it, and its Pareto front. Pure."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pytest_archbench.report.columns import COLUMNS
from pytest_archbench.report.drawing import Law

Form = Literal["power", "line"]

STEEPEST = 10.0
"""The exponent from which on x hardly differs while y does: such a law is an accident, and soon beyond any float."""


def law(x: npt.ArrayLike, y: npt.ArrayLike, form: Form) -> Law | None:
    """The line through points, or through the logarithms of positive ones; None where that says nothing.

    Fewer than three points, points all of one x or y, or a power beyond ``STEEPEST`` say nothing. ``r2`` is the squared
    correlation of what the line was fitted to.
    """
    across, up = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if form == "power":
        across, up = np.log10(across), np.log10(up)
    if len(across) < 3 or not np.ptp(across) or not np.ptp(up):
        return None
    slope, intercept = np.polyfit(across, up, 1)
    r2 = float(np.corrcoef(across, up)[0, 1] ** 2)
    if form == "power":
        if abs(slope) > STEEPEST:
            return None
        return Law(scale=float(10**intercept), exponent=float(slope), r2=r2)
    return Law(scale=float(slope), exponent=1.0, r2=r2, offset=float(intercept))


def front(frame: pd.DataFrame, x: str, y: str) -> tuple[int, ...]:
    """Row labels along the Pareto front, by rising x: no other row is at least as good in both and better in one.

    Which direction is better is a property of the column (``columns.COLUMNS``). Of equal rows the first is taken.
    """
    signs = [1.0 if COLUMNS[key].better == "higher" else -1.0 for key in (x, y)]
    values = frame[[x, y]].dropna() * signs
    ordered = values.sort_values([x, y], ascending=False, kind="stable")
    best_before = ordered[y].cummax().shift(fill_value=-np.inf)
    chosen = ordered.index[ordered[y] > best_before]
    return tuple(frame.loc[chosen].sort_values(x, kind="stable").index)
