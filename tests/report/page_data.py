"""The page of constructed runs: what ``render`` puts together, without the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from report_data import SOURCES, Run

from pytest_archbench.records import Baseline
from pytest_archbench.report import Literature, page, together, web
from pytest_archbench.report.figures import FIGURES
from pytest_archbench.report.palette import looks


def frame_of(run: Run, figures: Iterable[Baseline] = (), shown: Iterable[str] = ()) -> pd.DataFrame:
    """The run's networks, then those of the sources ``shown``."""
    return together(run, Literature(tuple(figures), shown=tuple(shown)))


def html_of(
    run: Run,
    figures: Iterable[Baseline] = (),
    sources: Mapping[str, str] | None = None,
    shown: Iterable[str] = (),
    **more: Any,
) -> str:
    """``page.html`` with every figure that the run's networks can fill."""
    networks = frame_of(run, figures, shown)
    insets = [page.Inset(chart.name, chart.title, chart.lacking(networks)) for chart in FIGURES.values()]
    drawings = [(inset.name, inset.title, FIGURES[inset.name](networks)) for inset in insets if not inset.lacking]
    payload = web.payload(networks, looks(networks), drawings)
    return page.html(run, networks, payload, insets, SOURCES if sources is None else sources, **more)
