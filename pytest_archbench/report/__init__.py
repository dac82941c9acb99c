"""The report of a run: page, figures, tables, all drawn from its records and from nothing else.

Reads records only: no device is touched, no network is built, neither pytest nor torch is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from pytest_archbench.files import write_atomically
from pytest_archbench.records import Baseline
from pytest_archbench.report import frames, page, text
from pytest_archbench.report.columns import describe
from pytest_archbench.report.figures import FIGURES, figure, picture
from pytest_archbench.report.frames import Run
from pytest_archbench.report.svg import inline

__all__ = ["Run", "figure", "render"]


def render(
    run: Run, out: Path, published: Iterable[Baseline] = (), sources: Mapping[str, str] | None = None
) -> list[Path]:
    """Write ``index.html``, ``summary.md``, ``measurements.csv`` and ``figures/*.png|svg`` under ``out``.

    ``published`` are figures of other sources, accuracies as fractions; ``sources`` gives the web address of each
    source. Every file appears whole or not at all. Returns the paths written; raises OSError where one cannot be.
    """
    published = tuple(published)
    networks = frames.networks(run, published)
    titles = {f"network-{label}": describe(record) for label, record in networks.to_dict("index").items()}
    files: dict[str, bytes] = {}
    insets = []
    for chart in FIGURES.values():
        drawn, lacking = chart(networks), chart.lacking(networks)
        svg = picture(drawn, "svg")
        files |= {f"figures/{chart.name}.svg": svg, f"figures/{chart.name}.png": picture(drawn, "png")}
        shown = Markup() if lacking else inline(svg, chart.name, chart.title, titles)
        insets.append(page.Inset(chart.name, chart.title, shown, lacking))
    files["measurements.csv"] = frames.csv_text(frames.cases(run)).encode()
    files["summary.md"] = text.summary(run, published).encode()
    files["index.html"] = page.html(run, networks, insets, sources or {}).encode()
    return [write_atomically(Path(out) / name, content) for name, content in files.items()]
