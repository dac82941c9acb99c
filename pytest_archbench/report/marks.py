"""What the figures are drawn with: the look, limits, names beside blobs, keys. Object-oriented matplotlib only."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pytest_archbench.report.labels import place
from pytest_archbench.report.palette import FAINT, INK, MUTED, OTHER, PAPER, Style

Array = npt.NDArray[np.float64]

LOOK = {
    "svg.fonttype": "none",  # text stays text: searchable, small, and in the page's own colour
    "svg.hashsalt": "archbench",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib; an SVG names sans-serif after it
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": PAPER,
    "figure.dpi": 72.0,  # a pixel is a point: label boxes, radii and text are measured in one unit
}
LABEL_SIZE = 7.2
NAME_LENGTH = 36
LEADER_FROM = 4.5
"""Points between a name and its blob from which on a line shows that they belong together; it also does where
another blob is nearer."""
ALPHA = 0.72
LEAST_DECADE = 10.0
"""Below this ratio of its ends a logarithmic axis has fewer than three of the marks 1, 2, 5."""


@contextmanager
def look() -> Iterator[None]:
    """matplotlib's defaults and ours, whatever the user has set.

    A name in a script that the font lacks is drawn as boxes: no reason to stop a run under ``-W error``.
    """
    with style.context(["default", LOOK]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield


def blank(width: float, height: float) -> Figure:
    """An empty figure of inches that can measure text."""
    drawn = Figure(figsize=(width, height))
    FigureCanvasAgg(drawn)
    return drawn


def message(text: str) -> Figure:
    """A figure that says why there is nothing to see."""
    drawn = blank(9, 1.4)
    drawn.text(0.5, 0.5, text, ha="center", va="center", wrap=True, parse_math=False)
    return drawn


def clipped(name: str, length: int = NAME_LENGTH) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def both_ends(name: str, length: int) -> str:
    """Clipped in the middle: names of one kind begin alike."""
    return name if len(name) <= length else f"{name[: length // 2]}…{name[length // 2 + 1 - length :]}"


def frame_blobs(axes: Axes, centres: Array, reach: float) -> None:
    """Limits that leave ``reach`` points between the outermost centres (n, 2) and the edge, on either scale."""
    size = axes.get_window_extent()
    for axis, values, length in ((axes.xaxis, centres[:, 0], size.width), (axes.yaxis, centres[:, 1], size.height)):
        log = axis.get_scale() == "log"
        low, high = np.log10([values.min(), values.max()]) if log else (values.min(), values.max())
        span = high - low
        pad = span * reach / (length - 2 * reach) if span else (0.1 if log else abs(high) * 0.1 or 1.0)
        ends = np.array([low - pad, high + pad])
        first, last = 10**ends if log else ends
        axis.set_view_interval(first, last, ignore=True)
        if log:
            plain(axis)
    axes.autoscale(False)  # what is drawn later stays within: panels that share limits compare at a glance


def plain(axis: XAxis | YAxis) -> None:
    """0.1, 0.2, 0.5, 1, 2, 5 instead of powers of ten; the powers alone where there are many, even steps within one."""
    low, high = axis.get_view_interval()
    steps = (1.0, 2.0, 5.0) if high / low < 5e3 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps) if high / low > LEAST_DECADE else MaxNLocator(6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def name_blobs(axes: Axes, centres: Array, radii: Array, named: npt.NDArray[np.int_], names: Sequence[str]) -> None:
    """Write ``names`` beside the blobs ``named``, clear of one another, and lead a line to those that went far."""
    texts = [clipped(name) for name in names]
    points, sizes = axes.transData.transform(centres), _text_sizes(axes, texts)
    spots = place(points, radii, named, sizes, axes.get_window_extent().get_points())
    to_data = axes.transData.inverted().transform
    for blob, text, spot, size in zip(named, texts, spots, sizes, strict=True):
        box = {"facecolor": PAPER, "alpha": 0.5, "edgecolor": "none", "pad": 0.4}
        x, y = to_data(spot)
        axes.text(x, y, text, zorder=6, size=LABEL_SIZE, ha="center", va="center", parse_math=False, bbox=box)
        nearest = np.clip(points, spot - size / 2, spot + size / 2)
        gaps = np.linalg.norm(nearest - points, axis=1) - radii
        if gaps[blob] > min(LEADER_FROM, np.delete(gaps, blob).min(initial=np.inf)):
            ends = to_data([nearest[blob], points[blob]])
            dot = 1.6 if radii[blob] > 4 else 0.0  # a small blob is an end that is seen, and would be hidden
            axes.plot(ends[:, 0], ends[:, 1], color=INK, lw=0.55, marker="o", ms=dot, markevery=[1], zorder=5)


def _text_sizes(axes: Axes, texts: Sequence[str]) -> Array:
    """(k, 2): width and height in points of names as they will be written."""
    probe = axes.text(0, 0, "", size=LABEL_SIZE, parse_math=False)
    sizes = []
    for text in texts:
        probe.set_text(text)
        extent = probe.get_window_extent()
        sizes.append((extent.width, extent.height))
    probe.remove()
    return np.array(sizes).reshape(-1, 2)


def family_key(axes: Axes, looks: Mapping[str, Style], hollow: str = "") -> None:
    """A disc and a name for each family, top down, in two columns where there are many; what hollow marks are."""
    width, height = _in_points(axes)
    if hollow:
        axes.scatter([6], [6], s=46, facecolors="none", edgecolors=MUTED, linewidths=1.1)
        axes.text(16, 6, clipped(hollow, 30), size=8, va="center_baseline", parse_math=False)
    named = sorted((name, mark) for name, mark in looks.items() if mark != OTHER)
    others = len(looks) - len(named)
    entries = [*named, (f"{others} others", OTHER)] if others else named
    columns = 1 if len(entries) <= 28 else 2
    rows = -(-len(entries) // columns)
    step = min((height - 24 - 16 * bool(hollow)) / rows, 18.0)
    axes.text(0, height, "Family", weight="bold", va="top")
    places = [divmod(index, rows) for index in range(len(entries))]
    spots = np.array([(6 + column * width / columns, height - 24 - row * step) for column, row in places])
    faces = [to_rgba(mark.fill, ALPHA) for _, mark in entries]
    if entries:
        edges = [mark.edge for _, mark in entries]
        axes.scatter(spots[:, 0], spots[:, 1], s=46, color=faces, edgecolors=edges, linewidths=0.7)
    for (x, y), (name, _) in zip(spots, entries, strict=True):
        axes.text(x + 10, y, both_ends(name, 30 // columns), size=8, va="center_baseline", parse_math=False)


def size_key(axes: Axes, title: str, unit: float, largest: float) -> None:
    """Balls of round amounts, drawn to the scale of the chart: ``unit`` square points per shown unit."""
    _, height = _in_points(axes)
    axes.text(0, height, title, weight="bold", va="top")
    decade = 10 ** np.floor(np.log10(largest))
    amounts = [amount for step in (0.01, 0.05, 0.1, 0.5, 1.0, 5.0) if (amount := step * decade) <= largest][-4:]
    right = 0.0
    for amount in amounts:
        diameter = (amount * unit) ** 0.5
        room = max(diameter, 22.0)
        x, y = right + room / 2, 14 + diameter / 2
        axes.scatter([x], [y], s=[amount * unit], color=MUTED, alpha=ALPHA, edgecolors=PAPER, linewidths=0.7)
        axes.text(x, 10, f"{amount:g}", size=8, ha="center", va="top")
        right += room + 3


def name_ends(axes: Axes, ends: Array, names: Sequence[str], colours: Sequence[str] = ()) -> None:
    """Write ``names`` to the right of the line ends (n, 2), one above the other; those without room are left out.

    ``colours`` are those of the lines that lead there.
    """
    size = axes.get_window_extent()
    points = axes.transData.transform(ends)
    step = LABEL_SIZE + 1.8
    order = np.argsort(points[:, 1], kind="stable")
    room = int(size.height // step)
    if len(order) > room:
        order = order[np.unique(np.linspace(0, len(order) - 1, room).round().astype(int))]
    heights = spread(points[order, 1], step, size.y0, size.y1)
    for end, height in zip(order, heights, strict=True):
        (x, y), right = points[end], size.x1 + 12
        start, stop = axes.transData.inverted().transform([(x + 3, y), (right - 2, height)])
        colour = to_rgba(colours[end], 0.6) if colours else MUTED
        axes.plot(*np.array([start, stop]).T, color=colour, lw=0.45, clip_on=False, zorder=5)
        spot = axes.transData.inverted().transform((right, height))
        name, (x, y) = clipped(names[end], 28), spot
        axes.text(x, y, name, size=LABEL_SIZE, va="center", parse_math=False, clip_on=False)


def spread(wanted: Array, step: float, low: float, high: float) -> Array:
    """Positions ``step`` apart that are nearest to ``wanted`` (rising), moved within the bounds where they fit.

    Least squares under a minimal distance is isotonic regression of what is left of ``wanted`` once the steps are taken
    off; its solution pools neighbours that are too near (Barlow et al. 1972, Statistical Inference under Order
    Restrictions, the pool-adjacent-violators algorithm).
    """
    steps = step * np.arange(len(wanted))
    pools: list[tuple[float, int]] = []
    for value in wanted - steps:
        mean, count = float(value), 1
        while pools and pools[-1][0] >= mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    found = np.concatenate([np.full(count, mean) for mean, count in pools]) if pools else np.empty(0)
    most = max(high - low - (steps[-1] if len(steps) else 0.0), 0.0)
    return np.clip(found - low, 0, most) + low + steps


def _in_points(axes: Axes) -> tuple[float, float]:
    """Make points the coordinates of empty ``axes`` and say how many there are across and up."""
    size = axes.get_window_extent()
    axes.set(xlim=(0, size.width), ylim=(0, size.height))
    axes.set_axis_off()
    return size.width, size.height
