"""The report of a run: page, figures, tables, all drawn from its records and from nothing else.

Reads records only: no device is touched, no network is built, neither pytest nor torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pytest_archbench.files import write_atomically
from pytest_archbench.records import Baseline
from pytest_archbench.references import Reference, packaged
from pytest_archbench.report import beside, conclusions, findings, frames, page, paper, press, tables, text, web
from pytest_archbench.report.drawing import Axis
from pytest_archbench.report.figures import FIGURES, balls, bars, bars_by_device, bars_by_input, dots, lines
from pytest_archbench.report.frames import Run
from pytest_archbench.report.own import Give, owned
from pytest_archbench.report.palette import looks
from pytest_archbench.report.published import published as published_frame

__all__ = [
    "Axis",
    "Literature",
    "Run",
    "balls",
    "bars",
    "bars_by_device",
    "bars_by_input",
    "dots",
    "lines",
    "render",
]


@dataclass(frozen=True, slots=True)
class Literature:
    """What others published: ``figures``, the web address of each source, and the family of each topology.

    ``shown`` names the sources whose networks stand beside the run's; of all others an accuracy is taken where a
    network of the run has none of its own. ``devices`` are the reference devices, None for those that come along.
    """

    figures: tuple[Baseline, ...] = ()
    addresses: Mapping[str, str] | None = None
    families: Mapping[str, str] | None = None
    shown: tuple[str, ...] = ()
    devices: tuple[Reference, ...] | None = None


BESIDE = "tables/beside_published.csv"


class Rendered(NamedTuple):
    """The paths written, and what a user's own function did wrong, a sentence for each."""

    paths: list[Path]
    failures: list[str]


def render(run: Run, out: Path, literature: Literature | None = None, give: Give | None = None) -> Rendered:
    """Write page, summary, ``measurements.csv``, ``networks.csv``, ``figures/`` and ``tables/`` under ``out``.

    ``give`` returns figures and tables of the user's own. Every file appears whole or not at all; figures and tables of
    an earlier report that this one lacks are removed. Raises OSError where a file cannot be written.
    """
    literature = literature or Literature()
    networks = together(run, literature)
    given = _asked(give, networks) if give else {}
    styles = looks(networks)
    owns = owned(given, networks, styles)
    charts = [*FIGURES.values(), *(each.chart for each in owns if each.chart)]
    reasons = findings.left_out(run.header)
    insets = [page.Inset(chart.name, chart.title, chart.lacking(networks, reasons)) for chart in charts]
    drawn = [(chart, chart(networks)) for chart, inset in zip(charts, insets, strict=True) if not inset.lacking]
    payload = web.payload(networks, styles, [(chart.name, chart.title, drawing) for chart, drawing in drawn])
    made = {
        f"{name}_{place}": each for name in tables.TABLES for place, each in enumerate(tables.TABLES[name](networks))
    }
    ours = [press.Sheet(chart.name, chart.title, drawing) for chart, drawing in drawn if chart.name in FIGURES]
    extras = [each.extra for each in owns if each.extra]
    sheets = [tables.sheet(name, each) for name, each in made.items()]
    addresses = literature.addresses or {}
    claims = conclusions.of(_at_hand(networks), literature.figures)
    near = beside.of(networks, literature.figures, _devices(literature))
    files = {
        "measurements.csv": frames.csv_text(frames.cases(run)).encode(),
        "networks.csv": frames.csv_text(networks).encode(),
        "summary.md": text.summary(run, networks, near).encode(),
        **{f"tables/{name}.csv": frames.csv_text(each.frame).encode() for name, each in made.items()},
        **({BESIDE: frames.csv_text(near.frame).encode()} if near else {}),
        **press.printed(ours, networks, styles),
        **{name: content for each in owns for name, content in each.files.items()},
        "index.html": page.html(run, networks, payload, insets, addresses, sheets, extras, claims, near).encode(),
    }
    written = [write_atomically(Path(out) / name, content) for name, content in files.items()]
    _sweep(Path(out), keep=set(written))
    return Rendered(written, [each.error for each in owns if each.error])


def _devices(literature: Literature) -> list[Reference]:
    """The reference devices that stand beside a run: those of the usual sources, and of those that are shown."""
    known = packaged().devices if literature.devices is None else literature.devices
    return [device for device in known if device.source in (*beside.SOURCES, *literature.shown)]


def _asked(give: Give, networks: pd.DataFrame) -> dict[str, Any]:
    """What the user's function gives by title, of a copy that it may change."""
    given = give(networks.copy())
    if isinstance(given, Mapping):
        return {str(title): each for title, each in given.items()}
    return {"pytest_archbench_report": TypeError(f"expected figures and tables by title; got {type(given).__name__}")}


def together(run: Run, literature: Literature) -> pd.DataFrame:
    """The networks of the run, then those of the sources that are shown, rows labelled 0, 1, 2, ..."""
    measured = frames.networks(run, literature.figures)
    if not literature.shown:
        return measured
    families = {**(literature.families or {}), **dict(zip(measured["topology"], measured["family"], strict=True))}
    chosen = [figure for figure in literature.figures if figure.source in literature.shown]
    others = published_frame(chosen, families, literature.figures)
    return frames.framed([*measured.to_dict("records"), *others.to_dict("records")])


def _at_hand(networks: pd.DataFrame) -> pd.DataFrame:
    """What conclusions are judged on: the run's own networks, or without any those of the first source."""
    of_the_first: pd.DataFrame = (
        networks[networks["origin"] == networks["origin"].iloc[0]] if len(networks) else networks
    )
    return of_the_first


def _sweep(out: Path, keep: set[Path]) -> None:
    """Remove figures and tables of ours that an earlier report left."""
    names = [f"figures/{name}.{kind}" for name in (*FIGURES, "own_*") for kind in paper.KINDS]
    names += [f"tables/{name}_*.csv" for name in (*tables.TABLES, "own", "beside")]
    for stale in {path for name in names for path in out.glob(name)} - keep:
        stale.unlink(missing_ok=True)
