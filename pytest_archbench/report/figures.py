"""The figures: each a decorated pure function from ``frames.networks`` to a matplotlib figure.

Every mark of a network carries the gid ``network-<row label of the frame>``, by which the page gives it a title.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pytest_archbench.registry import Registry
from pytest_archbench.report import marks
from pytest_archbench.report.columns import COLUMNS, counted, fixed, remedy
from pytest_archbench.report.frames import CONDITIONS
from pytest_archbench.report.palette import MUTED, Style, styles

Draw = Callable[[pd.DataFrame], Figure]

PNG_DPI = 160
ALL_LABELLED = 80
LABELLED_FAMILIES = 12
LARGEST_BALL = 1900.0
"""Area in square points of the ball with the most parameters, where there are few enough to leave room for it."""
MOST_BARS = 80
MOST_PANELS = 4
FARTHEST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure of the report: what it shows and the columns that it cannot do without."""

    name: str
    title: str
    needs: tuple[str, ...]
    draw: Draw

    def lacking(self, frame: pd.DataFrame) -> str:
        """What keeps the figure from being drawn and what helps; empty where it can be drawn."""
        if not usable(frame, self.needs).empty:
            return ""
        absent = [key for key in self.needs if not (frame[key] > 0).any()]
        names = ", ".join(COLUMNS[key].name for key in absent or self.needs)
        if not absent:
            return f"{self.title}: no network of this run has all of {names}."
        return f"{self.title}: this run has no {names}. {remedy(absent)}"

    def __call__(self, frame: pd.DataFrame) -> Figure:
        """The figure, or its sentence where data are lacking."""
        with marks.look():
            reason = self.lacking(frame)
            return marks.message(reason) if reason else self.draw(usable(frame, self.needs))


FIGURES: Registry[Chart] = Registry("figure")


def figure(name: str, *, title: str, needs: Sequence[str]) -> Callable[[Draw], Draw]:
    """Register a pure function ``frame -> Figure``; the frame it gets has a positive number in all of ``needs``."""

    def register(draw: Draw) -> Draw:
        FIGURES.add(name, Chart(name, title, tuple(needs), draw))
        return draw

    return register


def picture(drawn: Figure, kind: str) -> bytes:
    """The figure as a ``png`` or ``svg`` file, the same bytes for the same data."""
    metadata = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}[kind]
    file = io.BytesIO()
    with marks.look():
        drawn.savefig(file, format=kind, dpi=PNG_DPI if kind == "png" else 72, metadata=metadata)
    return file.getvalue()


def usable(frame: pd.DataFrame, needs: Iterable[str]) -> pd.DataFrame:
    """The rows with a positive number in every column of ``needs``: a logarithm or an area has no place for 0."""
    found: pd.DataFrame = frame[(frame[list(needs)] > 0).all(axis=1)]
    return found


def pareto(frame: pd.DataFrame) -> list[int]:
    """Row labels of the networks that no cheaper network matches in top-1, by rising operations."""
    ordered = frame.sort_values(["macs", "top1"], ascending=[True, False], kind="stable")
    best_before = ordered["top1"].cummax().shift(fill_value=-np.inf)
    return list(ordered.index[ordered["top1"] > best_before])


def to_label(frame: pd.DataFrame) -> list[int]:
    """Row labels of the networks to name: all of them, or the front and the best of each large family."""
    if len(frame) <= ALL_LABELLED:
        return list(frame.index)
    large = list(families(frame))[:LABELLED_FAMILIES]
    best = frame[frame["family"].isin(large)].groupby("family")["top1"].idxmax()
    return list(dict.fromkeys([*pareto(frame), *best]))


def families(frame: pd.DataFrame) -> dict[str, Style]:
    """The style of each family, the largest family first."""
    sizes = frame.drop_duplicates("architecture").groupby("family").size()
    return styles(sorted(sizes.index, key=lambda family: (-sizes[family], family)))


@dataclass(frozen=True, slots=True)
class Fit:
    """``y = scale * x ** exponent`` by least squares on logarithms; ``r2`` is of the logarithms."""

    scale: float
    exponent: float
    r2: float


def fit(x: npt.ArrayLike, y: npt.ArrayLike) -> Fit | None:
    """The power law through positive points; None where fewer than three, or all of one x or y, say nothing."""
    log_x, log_y = np.log10(np.asarray(x, dtype=float)), np.log10(np.asarray(y, dtype=float))
    if len(log_x) < 3 or not np.ptp(log_x) or not np.ptp(log_y):
        return None
    exponent, intercept = np.polyfit(log_x, log_y, 1)
    correlation = np.corrcoef(log_x, log_y)[0, 1]
    return Fit(scale=float(10**intercept), exponent=float(exponent), r2=float(correlation**2))


@figure("ball_chart", title="Top-1 accuracy against operations", needs=("macs", "top1", "params"))
def ball_chart(frame: pd.DataFrame) -> Figure:
    """Top-1 against operations, a ball's area proportional to its parameters, one colour per family."""
    balls = frame.drop_duplicates("architecture").sort_values("params", ascending=False, kind="stable")
    looks = families(balls)
    drawn = marks.blank(14, 10.5)
    axes = drawn.add_axes((0.047, 0.055, 0.79, 0.91))
    axes.set(xscale="log", xlabel="Operations [GMAC per image]", ylabel="Top-1 accuracy [%]")
    axes.set_title(
        "Top-1 accuracy against operations; the area of a ball shows its parameters; dashed: the Pareto front"
    )
    unit = LARGEST_BALL * min(1.0, 50 / len(balls)) ** 0.6 / balls["params"].max()
    centres = np.column_stack([balls["macs"] / 1e9, balls["top1"] * 100])
    areas = balls["params"].to_numpy() * unit
    radii = np.sqrt(areas) / 2  # the size of a scattered mark is the square of its diameter in points
    marks.frame_blobs(axes, centres, reach=float(radii.max()) + 6)
    front = balls.loc[pareto(balls)]
    axes.plot(front["macs"] / 1e9, front["top1"] * 100, color=MUTED, lw=0.8, ls=(0, (4, 3)), zorder=1)
    for label, family, (x, y), area in zip(balls.index, balls["family"], centres, areas, strict=True):
        fill, edge, width = looks[family].fill, looks[family].edge, min(0.7, 0.07 * area**0.5)
        ball = axes.scatter([x], [y], s=[area], color=fill, alpha=marks.ALPHA, edgecolors=edge, linewidths=width)
        ball.set_gid(f"network-{label}")
    named = balls.index.get_indexer(pd.Index(to_label(balls)))
    marks.name_blobs(axes, centres, radii, named, balls["architecture"].iloc[named].tolist())
    marks.family_key(drawn.add_axes((0.85, 0.18, 0.145, 0.785)), looks)
    marks.size_key(drawn.add_axes((0.85, 0.03, 0.145, 0.11)), unit, float(balls["params"].max()))
    return drawn


@figure("accuracy_density", title="Accuracy density", needs=("top1", "params"))
def accuracy_density(frame: pd.DataFrame) -> Figure:
    """Top-1 in percent per million parameters, densest first; a bar ends in its number."""
    ordered = frame.drop_duplicates("architecture").sort_values("accuracy_density", ascending=False, kind="stable")
    bars, left_out = ordered[:MOST_BARS], len(ordered) - MOST_BARS
    looks = families(ordered)
    height = 1.0 + 0.19 * len(bars)
    drawn = marks.blank(9, height)
    axes = drawn.add_axes((0.27, 0.5 / height, 0.68, 1 - 0.85 / height))
    axes.set(xlabel="Top-1 accuracy [%] per million parameters", ylim=(len(bars) - 0.4, -0.6), yticks=[])
    axes.set_title("Accuracy density" + f": the {MOST_BARS} densest, {left_out} more in the table" * (left_out > 0))
    for place, (label, family, value) in enumerate(
        zip(bars.index, bars["family"], bars["accuracy_density"], strict=True)
    ):
        fill, edge = looks[family].fill, looks[family].edge
        (bar,) = axes.barh([place], [value], height=0.74, color=fill, edgecolor=edge, linewidth=0.7)
        bar.set_gid(f"network-{label}")
        name = marks.clipped(bars["architecture"].iloc[place])
        for text, x, away, side in ((name, 0.0, -4, "right"), (fixed(value, 2), value, 4, "left")):
            axes.annotate(
                text, (x, place), (away, 0), textcoords="offset points", ha=side, va="center", size=8, parse_math=False
            )
    return drawn


@figure("latency_operations", title="Latency against operations", needs=("latency", "macs"))
def latency_operations(frame: pd.DataFrame) -> Figure:
    """Latency per image against operations, a panel per setting (the fullest four), each with its power law."""
    settings = sorted(frame.groupby(list(CONDITIONS), dropna=False), key=lambda group: -len(group[1]))[:MOST_PANELS]
    looks = families(frame)
    across = min(len(settings), 2)
    down = -(-len(settings) // across)
    width, height = 5.4 * across + 2.2, 4.6 * down
    drawn = marks.blank(width, height)
    for place, (setting, group) in enumerate(settings):
        row, column = divmod(place, across)
        corner = (5.4 * column + 0.65) / width, (4.6 * (down - 1 - row) + 0.55) / height
        axes = drawn.add_axes((*corner, 4.6 / width, 3.65 / height))
        axes.set_title(_setting_title(dict(zip(CONDITIONS, setting, strict=True))), parse_math=False, size=9)
        _latency_panel(axes, group.drop_duplicates("architecture"), looks)
    marks.family_key(drawn.add_axes((1 - 2.05 / width, 0.1, 2.0 / width, 0.84)), looks)
    return drawn


def _setting_title(setting: dict[str, Any]) -> str:
    words = "{device}, batch {batch_size}, {dtype}, {threads}, {memory_format}, {runtime}"
    return marks.clipped(words.format_map(setting | {"threads": counted(setting["threads"], "thread")}), 90)


def _latency_panel(axes: Axes, dots: pd.DataFrame, looks: dict[str, Style]) -> None:
    """One setting; named are the networks farthest from the fit, or all where there is none to be far from."""
    x, y = (dots["macs"] / 1e9).to_numpy(), (dots["latency"] / dots["batch_size"].astype(float) * 1e3).to_numpy()
    axes.set(xscale="log", yscale="log", xlabel="Operations [GMAC per image]", ylabel="Latency [ms per image]")
    centres = np.column_stack([x, y])
    marks.frame_blobs(axes, centres, reach=14)
    for label, family, across, up in zip(dots.index, dots["family"], x, y, strict=True):
        fill, edge = looks[family].fill, looks[family].edge
        (dot,) = axes.plot([across], [up], "o", ms=6, mfc=fill, mec=edge, mew=0.6, alpha=0.85)
        dot.set_gid(f"network-{label}")
    law, named = fit(x, y), np.arange(len(dots))
    if law is not None:
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, law.scale * ends**law.exponent, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=1)
        words = f"ms = {fixed(law.scale, 2)} × GMAC^{law.exponent:.2f},  r² = {law.r2:.3f} (logarithms)"
        axes.text(0.02, 0.97, words, transform=axes.transAxes, va="top", size=8)
        named = np.argsort(-np.abs(np.log(y / (law.scale * x**law.exponent))), kind="stable")
    named = named[:FARTHEST_NAMED]
    marks.name_blobs(axes, centres, np.full(len(x), 3.0), named, dots["architecture"].iloc[named].tolist())
