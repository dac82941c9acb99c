"""Drawings on paper: matplotlib figures as PNG, SVG and PDF files, the same bytes for the same data."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pytest_archbench.report import marks
from pytest_archbench.report.columns import COLUMNS, fixed
from pytest_archbench.report.drawing import Axis, Drawing, Law, Panel
from pytest_archbench.report.frames import MEASURED, NETWORK, labels
from pytest_archbench.report.palette import INK, MUTED, Style, strokes
from pytest_archbench.report.provenance import UNCERTAIN, points

Array = npt.NDArray[np.float64]
Looks = Mapping[str, Style]
Record = Mapping[Any, Any]

KINDS = ("png", "svg", "pdf")
METADATA: Mapping[str, Mapping[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "png": {"dpi": 120, "pil_kwargs": {"compress_level": 1}},  # a third larger than packed best, and twice as fast
    "svg": {"dpi": 72},
    "pdf": {"dpi": 72},
}
ALL_LABELLED = 80
LABELLED_FAMILIES = 12
LARGEST_BALL = 1900.0
"""Area in square points of the largest ball, where there are few enough to leave room for it."""
DOT, SMALLEST_BALL = 36.0, 8.0
"""Area of a mark without a size, and the one below which a ball is no longer seen."""
MOST_BARS = 80
MOST_PANELS = 6
MOST_NAMED = 24
FARTHEST_NAMED = 10
NOTHING = (0.0, 0.0, 0.0, 0.0)
EDGE, HOLLOW_EDGE = 0.7, 1.1
KEY = 2.1
"""Inches for the key of families."""


class Room(NamedTuple):
    """What a panel takes on paper, in inches: axes of ``width`` x ``height`` and the margins around them."""

    width: float
    height: float
    left: float = 0.85
    right: float = 0.15
    top: float = 0.45
    bottom: float = 0.6

    @property
    def across(self) -> float:
        return self.left + self.width + self.right

    @property
    def down(self) -> float:
        return self.top + self.height + self.bottom


def picture(drawn: Figure, kind: str) -> bytes:
    """The figure as a ``png``, ``svg`` or ``pdf`` file."""
    file = io.BytesIO()
    with marks.look():
        drawn.savefig(file, format=kind, metadata=dict(METADATA[kind]), **OPTIONS[kind])
    return file.getvalue()


def files(name: str, drawing: Drawing, title: str, frame: pd.DataFrame, looks: Looks) -> dict[str, bytes]:
    """The figure in every kind of file, by its name in the report."""
    drawn = draw(drawing, title, frame, looks)
    return {each: picture(drawn, kind) for each, kind in zip(names(name), KINDS, strict=True)}


def names(name: str) -> list[str]:
    """The files of a figure in the report."""
    return [f"figures/{name}.{kind}" for kind in KINDS]


def draw(drawing: Drawing, title: str, frame: pd.DataFrame, looks: Looks) -> Figure:
    """The figure; ``looks`` gives the style of each family. Of the panels those of the first group, at most six."""
    with marks.look():
        panels = [panel for panel in drawing.panels if panel.group == drawing.panels[0].group][:MOST_PANELS]
        named = frame.assign(label=labels(frame))
        shown = [named.loc[list(panel.rows)] for panel in panels]
        here = {family: looks[family] for family in looks if any((rows["family"] == family).any() for rows in shown)}
        return DRAWN[drawing.kind](drawing, title, list(zip(panels, shown, strict=True)), here)


Shown = list[tuple[Panel, pd.DataFrame]]


def _sheet(shown: Shown, room: Room, across: int, title: str, note: str, looks: Looks) -> tuple[Figure, list[Axes]]:
    """Empty axes for the panels, ``across`` in a row, below the title; the key of families, if any, to the right."""
    down = -(-len(shown) // across)
    head = 0.3 + 0.2 * bool(note)
    width, height = room.across * across + KEY * bool(looks), room.down * down + head
    drawn = marks.blank(width, height)
    drawn.text(0.12 / width, 1 - 0.1 / height, title, size=11, weight="bold", va="top", parse_math=False)
    drawn.text(0.12 / width, 1 - 0.33 / height, note, size=8.5, color=MUTED, va="top", parse_math=False)
    found = []
    for place, (panel, _) in enumerate(shown):
        row, column = divmod(place, across)
        left = room.across * column + room.left
        bottom = height - head - room.down * (row + 1) + room.bottom
        axes = drawn.add_axes((left / width, bottom / height, room.width / width, room.height / height))
        axes.set_title(marks.clipped(panel.title, 90), parse_math=False, size=9, pad=24 if panel.law else 6)
        found.append(axes)
    origins = sorted({origin for _, rows in shown for origin in rows["origin"]})
    others = ", ".join(origin for origin in origins if origin != MEASURED)
    hollow = f"hollow: {others}" if others and MEASURED in origins else ""
    drawn.text(0.12 / width, 0.08 / height, f"published: {others}" if others else "", size=7, color=MUTED)
    if looks:
        marks.family_key(drawn.add_axes((1 - KEY / width, 0.16, (KEY - 0.1) / width, 0.8)), looks, hollow)
    return drawn, found


def _balls(drawing: Drawing, title: str, shown: Shown, looks: Looks) -> Figure:
    assert drawing.x is not None, "balls have an x"
    alone = len(shown) == 1
    room = Room(11.0, 8.8) if alone else Room(4.7, 3.75)
    drawn, places = _sheet(shown, room, 1 if alone else 2, title, drawing.note, looks)
    every = pd.concat([rows for _, rows in shown])
    unit = 0.0
    if drawing.size:
        largest = float(every[drawing.size].max())
        unit = LARGEST_BALL * min(1.0, 50 / len(every)) ** 0.6 / largest
        column = COLUMNS[drawing.size]
        width, height = drawn.get_size_inches()
        key = drawn.add_axes((1 - KEY / width, 0.25 / height, 0.95 * KEY / width, 1.1 / height))
        marks.size_key(key, f"{column.heading} [{column.unit}]", unit * column.scale, largest / column.scale)
    for axes, (panel, rows) in zip(places, shown, strict=True):
        _scale(axes, drawing.x, drawing.y)
        alike = pd.concat([others for other, others in shown if other.data == panel.data])
        centres = np.column_stack([_values(alike, drawing.x), _values(alike, drawing.y)])
        areas = rows[drawing.size].to_numpy() * unit if drawing.size else np.full(len(rows), DOT)
        areas = np.maximum(areas, SMALLEST_BALL)
        marks.frame_blobs(axes, centres, reach=float(np.sqrt(areas.max()) / 2) + 8)
        _blobs(axes, drawing, panel, rows, areas, looks, hollow=_hollow(every))
    return drawn


def _hollow(every: pd.DataFrame) -> set[str]:
    """The origins whose marks are hollow: those of others, where measured ones stand beside them."""
    origins = set(every["origin"])
    return origins - {MEASURED} if MEASURED in origins else set()


def _blobs(
    axes: Axes, drawing: Drawing, panel: Panel, rows: pd.DataFrame, areas: Array, looks: Looks, hollow: set[str]
) -> None:
    """One panel: marks, their front or law, names."""
    assert drawing.x is not None, "balls have an x"
    x, y = _values(rows, drawing.x), _values(rows, drawing.y)
    radii = np.sqrt(areas) / 2  # the size of a scattered mark is the square of its diameter in points
    front = rows.loc[list(panel.front)]
    axes.plot(_values(front, drawing.x), _values(front, drawing.y), color=MUTED, lw=0.8, ls=(0, (4, 3)), zorder=1)
    if panel.law is not None:
        _fit(axes, drawing, panel.law, x)
    faces, edges, widths = _paint(rows, looks, hollow, marks.ALPHA)
    widths = np.where(widths > EDGE, widths, np.minimum(widths, 0.07 * areas**0.5))
    axes.scatter(x, y, s=areas, facecolors=faces, edgecolors=edges, linewidths=widths.tolist())
    named = np.asarray(rows.index.get_indexer(pd.Index(_to_name(drawing, panel, rows))), dtype=np.int_)
    names = [_name(rows, index) for index in named]
    marks.name_blobs(axes, np.column_stack([x, y]), radii, named, names)


def _paint(rows: pd.DataFrame, looks: Looks, hollow: set[str], alpha: float) -> tuple[list[Any], list[str], Array]:
    """Faces, edges and the edges' widths of marks, all in the colour of their family: filled, or hollow."""
    empty = rows["origin"].isin(hollow).to_numpy()
    styles = [looks[family] for family in rows["family"]]
    pairs = list(zip(styles, empty, strict=True))
    faces = [NOTHING if bare else to_rgba(style.fill, alpha) for style, bare in pairs]
    return faces, [style.fill if bare else style.edge for style, bare in pairs], np.where(empty, HOLLOW_EDGE, EDGE)


def _to_name(drawing: Drawing, panel: Panel, rows: pd.DataFrame) -> list[int]:
    """Row labels of the marks to name, the most telling first; a network that is there twice is named once."""
    first = rows.assign(own=rows["origin"] == MEASURED).sort_values("own", ascending=False, kind="stable")
    once = first.drop_duplicates("label")
    if drawing.size and len(once) <= ALL_LABELLED:
        return list(once.index)
    if panel.law is not None and drawing.x is not None:
        expected = panel.law.offset + panel.law.scale * once[drawing.x.column] ** panel.law.exponent
        found = once[drawing.y.column]
        off = np.log(found / expected.clip(lower=1e-300)).abs() if drawing.y.log else (found - expected).abs()
        return list(off.sort_values(ascending=False, kind="stable").index[:FARTHEST_NAMED])
    large = once.groupby("family").size().sort_values(ascending=False, kind="stable").index[:LABELLED_FAMILIES]
    best = once[once["family"].isin(large)].groupby("family")[drawing.y.column].idxmax()
    telling = list(dict.fromkeys([*(label for label in panel.front if label in once.index), *best]))
    return telling if drawing.size else telling[:MOST_NAMED]


def _fit(axes: Axes, drawing: Drawing, law: Law, x: Array) -> None:
    """The law in the units of the axes, with its formula and r²."""
    assert drawing.x is not None, "balls have an x"
    across, up = COLUMNS[drawing.x.column], COLUMNS[drawing.y.column]
    scale, offset = law.scale * across.scale**law.exponent / up.scale, law.offset / up.scale
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, offset + scale * ends**law.exponent, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=1)
    slope = f"{fixed(scale, 2)} x" + ("" if law.exponent == 1 else f"^{_no_minus_zero(law.exponent)}")
    words = f"y = {fixed(offset, 1)} + {slope}" if law.offset else f"y = {slope}"
    of = "" if law.offset else " (logarithms)"
    axes.text(0, 1.01, f"{words},  r² = {law.r2:.3f}{of}", transform=axes.transAxes, va="bottom", size=8, color=MUTED)


def _no_minus_zero(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def _bars(drawing: Drawing, title: str, shown: Shown, looks: Looks) -> Figure:
    longest = min(max(len(rows) for _, rows in shown), MOST_BARS)
    room = Room(6.2 if len(shown) == 1 else 4.2, 0.19 * longest + 0.2, left=2.5, right=0.6)
    drawn, places = _sheet(shown, room, min(len(shown), 2), title, drawing.note, looks)
    column, hollow = COLUMNS[drawing.y.column], _hollow(pd.concat([rows for _, rows in shown]))
    for axes, (panel, rows) in zip(places, shown, strict=True):
        bars, left_out = rows[:MOST_BARS], len(rows) - MOST_BARS
        more = f"the best {MOST_BARS}, {left_out} more in the table" if left_out > 0 else ""
        axes.set_title("; ".join(filter(None, [marks.clipped(panel.title, 60), more])), parse_math=False, size=9)
        axes.set(xlabel=_label(drawing.y), ylim=(longest - 0.4, -0.6))
        values, rising = _values(bars, drawing.y), np.arange(len(bars))
        faces, edges, widths = _paint(bars, looks, hollow, 1.0)
        axes.barh(rising, values, height=0.74, color=faces, edgecolor=edges, linewidth=widths)
        axes.set_yticks(rising, [_name(bars, place) for place in range(len(bars))], parse_math=False)
        axes.tick_params(axis="y", length=0, labelsize=8)
        axes.grid(visible=False, axis="y")
        ends = _intervals(axes, bars, values, drawing.y)
        axes.set_xlim(left=min(0.0, *values))  # bars of nothing too begin at the edge
        for place, (value, end) in enumerate(zip(values, ends, strict=True)):
            axes.text(end, place, f" {fixed(value, column.decimals)}", size=8, va="center")
    return drawn


def _intervals(axes: Axes, bars: pd.DataFrame, values: Array, axis: Axis) -> Array:
    """Thin lines over the 95 % intervals of bars that have one; (n,): where the number of each bar may begin."""
    if axis.column not in UNCERTAIN:
        return values
    low, high = (_values(bars, axis, f"{axis.column}_{end}") for end in ("low", "high"))
    known = np.isfinite(low) & np.isfinite(high)
    reach = np.vstack([values - low, high - values])[:, known].clip(min=0)
    places = np.arange(len(values))[known]
    axes.errorbar(values[known], places, xerr=reach, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.8, capthick=0.8)
    return np.where(known, np.maximum(values, high), values)


def _lines(drawing: Drawing, title: str, shown: Shown, looks: Looks) -> Figure:
    assert drawing.x is not None, "lines have an x"
    room = Room(5.2, 6.4, right=2.1)
    drawn, places = _sheet(shown, room, min(len(shown), 2), title, drawing.note, looks)
    every = pd.concat([rows for _, rows in shown])
    centres = np.column_stack([_values(every, drawing.x), _values(every, drawing.y)])
    for axes, (_, rows) in zip(places, shown, strict=True):
        _scale(axes, drawing.x, drawing.y)
        marks.frame_blobs(axes, centres, reach=8)
        axes.set_xticks(sorted(set(_values(every, drawing.x))))
        ends, names = [], []
        for _, line in rows.groupby(NETWORK, sort=False):
            look = looks[line["family"].iloc[0]]
            x, y = _values(line, drawing.x), _values(line, drawing.y)
            face = "none" if line["origin"].iloc[0] in _hollow(every) else look.fill
            axes.plot(x, y, "o-", color=look.fill, lw=0.9, ms=3.2, mfc=face, mew=0.7, alpha=0.85)
            ends.append((x[-1], y[-1]))
            names.append(_name(line, 0))
        marks.name_ends(axes, np.array(ends), names)
    return drawn


def _curves(drawing: Drawing, title: str, shown: Shown, _: Looks) -> Figure:
    """The networks of a panel are told apart by their colours, which are not those of families: blocks are one."""
    alone = len(shown) == 1
    room = Room(8.2 if alone else 5.2, 5.2 if alone else 4.2, right=2.1)
    drawn, places = _sheet(shown, room, min(len(shown), 2), title, drawing.note, {})
    for axes, rows in zip(places, (rows for _, rows in shown), strict=True):
        axes.set(xlabel="Epoch", ylabel=_label(drawing.y, drawing.heading), yscale="log" if drawing.y.log else "linear")
        lines = [(_curve(axes, drawing, row, style)[-1], row, style) for row, style in _styled(rows)]
        axes.set_xticks(_epochs(max(end[0] for end, _, _ in lines)))
        axes.margins(x=0.02, y=0.04)
        axes.autoscale_view()
        axes.autoscale(False)  # the names are placed where the lines now end
        marks.plain(axes.yaxis) if drawing.y.log else None
        ends, named, styles = zip(*(line for line in lines if line[1]["origin"] == MEASURED), strict=True)
        names, fills = [row["label"] for row in named], [style.fill for style in styles]
        marks.name_ends(axes, np.array(ends), names, fills)
    return drawn


def _epochs(last: float) -> list[int]:
    """Marks for an axis of epochs: round ones, none before the first and none after the last."""
    found = MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]).tick_values(1, last)
    return [int(mark) for mark in found if 1 <= mark <= last]


def _styled(rows: pd.DataFrame) -> Iterator[tuple[Record, Style]]:
    """Each row with the colour of its network, whoever trained it."""
    styles = strokes(rows)
    for record in rows.to_dict("records"):
        yield record, styles[record["topology"]]


def _curve(axes: Axes, drawing: Drawing, row: Record, style: Style) -> list[tuple[float, float]]:
    """One network's lines, or the mark of a published one, and the points where they were drawn."""
    ours = row["origin"] == MEASURED
    if ours and drawing.beside and (points_beside := _points(row, drawing.beside))[0]:
        axes.plot(*points_beside, color=style.fill, lw=0.9, ls=(0, (3, 2)), alpha=0.75)
    x, y = _points(row, drawing.y.column)
    form = {"lw": 1.3, "ms": 2.6, "mew": 0.7} if ours else {"ms": 5.0, "mew": 1.2, "mfc": "none", "ls": "none"}
    axes.plot(x, y, marker="o", color=style.fill, **form)
    return list(zip(x, y, strict=True))


def _points(row: Record, key: str) -> tuple[list[int], list[float]]:
    """Epochs, and the values after them in the unit that is shown."""
    found = points(row[f"{key}_epochs"])
    return [epoch for epoch, _ in found], [value / COLUMNS[key].scale for _, value in found]


def _name(rows: pd.DataFrame, place: int) -> str:
    """A network's name, with where it was published if other rows come from elsewhere."""
    name, origin = rows["label"].iloc[place], rows["origin"].iloc[place]
    mixed = rows["origin"].nunique() > 1 and origin != MEASURED
    return f"{marks.clipped(name, 24)} ({origin})" if mixed else marks.clipped(name)


def _values(rows: pd.DataFrame, axis: Axis, column: str = "") -> Array:
    """The axis's column, or another one of its quantity, in the unit that is shown."""
    scale = COLUMNS[axis.column].scale if axis.column in COLUMNS else 1.0
    return rows[column or axis.column].to_numpy(dtype=float) / scale


def _label(axis: Axis, heading: str = "") -> str:
    """What an axis shows, and its unit; ``heading`` where that is more than one quantity."""
    if axis.column not in COLUMNS:
        return "Batch size"
    column = COLUMNS[axis.column]
    return f"{heading or column.heading} [{column.unit}]"


def _scale(axes: Axes, x: Axis, y: Axis) -> None:
    scales = {True: "log", False: "linear"}
    axes.set(xscale=scales[x.log], yscale=scales[y.log], xlabel=_label(x), ylabel=_label(y))


DRAWN: Mapping[str, Callable[[Drawing, str, Shown, Looks], Figure]] = {
    "balls": _balls,
    "bars": _bars,
    "lines": _lines,
    "curves": _curves,
}
