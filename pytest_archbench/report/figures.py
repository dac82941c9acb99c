"""The figures: each a decorated pure function from a frame of networks to what there is to see (``drawing.Drawing``).

How it is drawn is not said here: ``paper`` draws for files, the page's script for readers. Every figure can be drawn of
a run (``frames.networks``), of published figures (``published.published``), or of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from pytest_archbench.registry import Registry
from pytest_archbench.report import fits
from pytest_archbench.report.cells import legible
from pytest_archbench.report.columns import COLUMNS, counted, naming, remedy
from pytest_archbench.report.drawing import EPOCH, Axis, Drawing, Panel
from pytest_archbench.report.frames import CONDITIONS, MEASURED, NETWORK, side, variant
from pytest_archbench.report.provenance import ON_THE_WAY, RUNNING, contests, points

Draw = Callable[[pd.DataFrame], Drawing]

ONE_BATCH_SIZE = (
    "no network has two batch sizes on one device. To measure: `pytest --archbench --archbench-batch-size=1,2,4,8,16`."
)
ONE_EPOCH = (
    "no network of this run was trained for two epochs."
    " To measure: `pytest --archbench --archbench-suite=blocks --archbench-metric=training`."
)
SETTING = tuple(key for key in CONDITIONS if key != "batch_size")
SMALLEST, LARGEST = 1e-20, 1e20
"""No quantity of a network lies beyond these, whatever its unit: what a foreign journal says there has no place."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure of the report: what it shows and the columns that it cannot do without.

    ``otherwise`` says what else it needs, and the command that gives it.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    draw: Draw
    otherwise: str = ""

    def lacking(self, frame: pd.DataFrame, left_out: Sequence[str] = ()) -> str:
        """What keeps the figure from being drawn and what helps; empty where it can be drawn.

        ``left_out`` are the sentences of the run about what it could not measure, and why.
        """
        rows = usable(frame, self.needs)
        if not rows.empty:
            drawing = self.draw(rows)
            return (
                "" if drawing.panels else f"{self.title}: {_nowhere(drawing, rows) or self.otherwise or ONE_BATCH_SIZE}"
            )
        parts = dict.fromkeys(part for key in self.needs for part in COLUMNS[key].of or (key,))
        absent = [key for key in parts if usable(frame, [key]).empty]
        names = ", ".join(COLUMNS[key].name for key in absent or self.needs)
        if not absent:
            return f"{self.title}: no network of this run has all of {names}."
        reasons = "; ".join(naming([COLUMNS[key].metric for key in absent if COLUMNS[key].metric], left_out))
        told = f": {reasons}" if reasons else ""
        return f"{self.title}: this run has no {names}{told}. {remedy(absent, left_out)}".rstrip()

    @classmethod
    def of(cls, name: str, title: str, drawing: Drawing) -> Chart:
        """A figure that is drawn already."""
        shown = [axis.column for axis in (drawing.x, drawing.y) if axis] + [drawing.size]
        return cls(name, title, tuple(key for key in shown if key in COLUMNS), lambda _: drawing)

    def __call__(self, frame: pd.DataFrame) -> Drawing:
        """The drawing; of a frame without usable rows one without panels."""
        return self.draw(usable(frame, self.needs))


FIGURES: Registry[Chart] = Registry("figure")


def figure(name: str, *, title: str, needs: Sequence[str], otherwise: str = "") -> Callable[[Draw], Draw]:
    """Register a pure function ``frame -> Drawing``; the frame it gets is ``usable`` in all of ``needs``."""

    def register(draw: Draw) -> Draw:
        FIGURES.add(name, Chart(name, title, tuple(needs), draw, otherwise))
        return draw

    return register


def usable(frame: pd.DataFrame, needs: Iterable[str], positive: Iterable[str] = ()) -> pd.DataFrame:
    """The rows with a number in every column of ``needs``, 0 being one, and more than 0 in those of ``positive``."""
    values, above = frame[list(needs)], frame[list(positive)]
    plausible = ((values == 0) | (values > SMALLEST)) & (values < LARGEST)
    found: pd.DataFrame = frame[plausible.all(axis=1) & (above > 0).all(axis=1)]
    return found


def placeable(frame: pd.DataFrame, *axes: Axis, size: str = "") -> pd.DataFrame:
    """The rows that have a place along ``axes`` and an area: a logarithm or an area has no place for 0."""
    keys = [axis.column for axis in axes]
    return usable(frame, filter(None, [*keys, size]), _above_zero(axes, size))


def _above_zero(axes: Iterable[Axis | None], size: str) -> list[str]:
    """The columns of which a drawing cannot show 0."""
    logarithmic = [axis.column for axis in axes if axis and axis.log and axis.column in COLUMNS]
    return [*logarithmic, size] if size else logarithmic


def _nowhere(drawing: Drawing, rows: pd.DataFrame) -> str:
    """What is 0 of every network where the drawing cannot show that; empty where nothing is."""
    zero = [key for key in _above_zero((drawing.x, drawing.y), drawing.size) if not (rows[key] > 0).any()]
    names = ", ".join(COLUMNS[key].name for key in zero)
    return f"{names} is 0 of every network, which neither a logarithm nor an area can show." if zero else ""


def balls(frame: pd.DataFrame, x: Axis, y: Axis, size: str) -> Drawing:
    """Each network once, larger balls below smaller ones, with the Pareto front of all; a panel for each data set that
    their accuracies are of.
    """
    keys = (x.column, y.column, size)
    panels = [_cloud(title, rows, x, y, size) for title, rows in contests(placeable(frame, x, y, size=size), keys)]
    note = "The area of a ball shows its {}; dashed: the Pareto front."
    return Drawing("balls", y, _filled(panels), x, size, note.format(COLUMNS[size].name))


def _cloud(title: str, rows: pd.DataFrame, x: Axis, y: Axis, size: str = "") -> Panel:
    networks = _networks(rows)
    ordered = networks.sort_values(size, ascending=False, kind="stable") if size else networks
    return Panel(tuple(ordered.index), title, front=fits.front(ordered, x.column, y.column), data=title)


def dots(frame: pd.DataFrame, x: Axis, y: Axis, form: fits.Form | None = None) -> Drawing:
    """Each network once per device, batch size and data set, a panel for each: with the law through them, or with
    their front.
    """
    panels = []
    fitted = (replace(x, log=True), replace(y, log=True)) if form == "power" else (x, y)
    for data, title, group, rows in _settings(placeable(frame, *fitted), (x.column, y.column)):
        values = rows[x.column], rows[y.column]
        shape = {"law": fits.law(*values, form)} if form else {"front": fits.front(rows, x.column, y.column)}
        panels.append(Panel(tuple(rows.index), title, group, data=data, **shape))
    note = "Dashed: the least-squares fit." if form else "Dashed: the Pareto front, the upper bound."
    return Drawing("balls", y, _filled(panels), x, note=note)


def bars(frame: pd.DataFrame, key: str) -> Drawing:
    """Each network once, the best first, a panel for each data set where ``key`` is of data."""
    panels = [_ranked(_networks(rows), key, title, title) for title, rows in contests(usable(frame, [key]), [key])]
    return Drawing("bars", Axis(key), _filled(panels), note=RUNNING.get(key, ""))


def _ranked(rows: pd.DataFrame, key: str, title: str, data: str, group: str = "") -> Panel:
    return Panel(_sorted(rows, key), title, group, data=data)


def bars_by_input(frame: pd.DataFrame, key: str) -> Drawing:
    """Each network once, the best first, a panel for each size of its input: other data, another competition."""
    found = usable(frame, [key])
    panels = [
        Panel(_sorted(_networks(rows), key), "" if pd.isna(size) else f"input {size:.0f} × {size:.0f}")
        for size, rows in found.groupby(found["input_shape"].map(side), dropna=False)
    ]
    return Drawing("bars", Axis(key), _filled(panels))


def bars_by_device(frame: pd.DataFrame, key: str) -> Drawing:
    """Each network once per device and batch size, the best first, a panel for each."""
    found = _settings(usable(frame, [key]), [key])
    panels = [_ranked(rows, key, title, data, group) for data, title, group, rows in found]
    return Drawing("bars", Axis(key), _filled(panels))


def bars_of_training(frame: pd.DataFrame, key: str) -> Drawing:
    """Each network once per data set and device, the best first, a panel for each. The batch of a training is its
    recipe's, and said with it.
    """
    panels = [
        _ranked(_networks(rows), key, _joined(data, title), data)
        for data, of_data in contests(usable(frame, [key]), [key])
        for title, rows in devices(of_data)
    ]
    return Drawing("bars", Axis(key), _filled(panels))


def curves(frame: pd.DataFrame, key: str, beside: str) -> Drawing:
    """A line for each network over the epochs of its training, a panel for each data set; ``beside`` is dashed.

    What others published of these networks stands where its training ended. A network that was trained for one epoch
    has no line.
    """
    y = Axis(key, log=key.endswith("_loss"))
    found = contests(placeable(frame, y), [key])
    panels = [Panel(_trained(rows, key), title, data=title) for title, rows in found]
    shown = [label for panel in panels for label in panel.rows]
    published = frame.loc[shown, "origin"].ne(MEASURED).any()
    note = f"Solid: {COLUMNS[key].name}; dashed: {COLUMNS[beside].name},"
    note += f" a {ON_THE_WAY}."
    note += " Hollow: as published, after the last epoch." if published else ""
    return Drawing("curves", y, _filled(panels), Axis(EPOCH), note=note, beside=beside, heading=_common(key, beside))


def _common(key: str, beside: str) -> str:
    """What two quantities are both called: ``Accuracy`` of validation accuracy and training accuracy."""
    one, other = (COLUMNS[each].name.split() for each in (key, beside))
    return " ".join(word for word in one if word in other).capitalize()


def _trained(rows: pd.DataFrame, key: str) -> tuple[int, ...]:
    """Rows with a line, the best first, then what was published of the same networks."""
    once = rows.loc[list(_sorted(_networks(rows), key))]
    lengths = once[f"{key}_epochs"].map(lambda curve: len(points(curve)))
    ours = once[once["origin"].eq(MEASURED) & (lengths > 1)]
    theirs = once[once["origin"].ne(MEASURED) & (lengths > 0) & once["topology"].isin(ours["topology"])]
    return (*ours.index, *theirs.index)


def lines(frame: pd.DataFrame, key: str) -> Drawing:
    """A line for each network over the batch sizes it was measured at, two at least, a panel for each device."""
    panels = []
    for title, rows in devices(placeable(frame, Axis(key, log=True))):
        ordered = rows.sort_values([*NETWORK, "batch_size"], kind="stable")
        several = ordered.groupby(NETWORK)["batch_size"].transform("nunique") > 1
        panels.append(Panel(tuple(ordered.index[several]), title))
    return Drawing("lines", Axis(key, log=True), _filled(panels), Axis("batch_size", log=True))


def _filled(panels: Iterable[Panel]) -> tuple[Panel, ...]:
    return tuple(panel for panel in panels if panel.rows)


def _networks(frame: pd.DataFrame) -> pd.DataFrame:
    """Each network once of each origin: what no device changes is the same in all its rows."""
    found: pd.DataFrame = frame.drop_duplicates(NETWORK)
    return found


def _sorted(frame: pd.DataFrame, key: str) -> tuple[int, ...]:
    rising = COLUMNS[key].better == "lower"
    return tuple(frame.sort_values([key, "architecture"], ascending=[rising, True], kind="stable").index)


def devices(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each device and of all conditions but the batch size, by its title, the fullest first."""
    found = frame.groupby(list(SETTING), dropna=False, sort=False)
    for setting, rows in sorted(found, key=lambda pair: -len(pair[1])):
        yield _title(setting), rows


def _settings(frame: pd.DataFrame, keys: Sequence[str]) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """(data, title, batch size, rows) of each data set and device, the batch size with the most networks first, then
    the smaller.
    """
    sizes = frame.groupby("batch_size", dropna=False)["architecture"].nunique()
    for size in sorted(sizes.index, key=lambda each: (-sizes[each], each)):
        for data, rows_of_data in contests(frame[frame["batch_size"].eq(size)], keys):
            for title, rows in devices(rows_of_data):
                batch = _whole(size)
                yield data, _joined(data, f"{title}, batch {batch}"), str(batch), rows.drop_duplicates(NETWORK)


def _joined(data: str, title: str) -> str:
    return f"{data}: {title}" if data else title


def _title(setting: Sequence[Any]) -> str:
    """``cpu, float32, 2 threads, contiguous, eager``, nothing of which is said again that the name of a variant says;
    a published figure names the device alone.
    """
    named = dict(zip(SETTING, setting, strict=True))
    told = variant(named).split("-")
    shown = {key: _whole(value) for key, value in named.items() if not pd.isna(value) and value not in told}
    if isinstance(threads := shown.get("threads"), int):
        shown["threads"] = counted(threads, "thread")
    return ", ".join(map(legible, shown.values())) or "no device"


def _whole(value: Any) -> Any:
    """Beside rows without one, pandas makes a whole number a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@figure("ball_chart", title="Top-1 accuracy against operations", needs=("macs", "top1", "params"))
def ball_chart(frame: pd.DataFrame) -> Drawing:
    """Moons, first chart; Bianco et al. 2018, Fig. 1 (a)."""
    return balls(frame, Axis("macs", log=True), Axis("top1"), "params")


@figure("ball_chart_linear", title="Top-1 accuracy against operations, linear", needs=("macs", "top1", "params"))
def ball_chart_linear(frame: pd.DataFrame) -> Drawing:
    """Canziani et al. 2016, Fig. 2."""
    return balls(frame, Axis("macs"), Axis("top1"), "params")


@figure("top5_operations", title="Top-5 accuracy against operations", needs=("macs", "top5", "params"))
def top5_operations(frame: pd.DataFrame) -> Drawing:
    """Bianco et al. 2018, Fig. 1 (b)."""
    return balls(frame, Axis("macs", log=True), Axis("top5"), "params")


@figure("top1_params", title="Top-1 accuracy against parameters", needs=("params", "top1", "macs"))
def top1_params(frame: pd.DataFrame) -> Drawing:
    """Moons, second chart."""
    return balls(frame, Axis("params", log=True), Axis("top1"), "macs")


@figure("top1_throughput", title="Top-1 accuracy against images per second", needs=("image_rate", "top1"))
def top1_throughput(frame: pd.DataFrame) -> Drawing:
    """Canziani et al. 2016, Fig. 9; Bianco et al. 2018, Fig. 3, whose curve is the front."""
    return dots(frame, Axis("image_rate", log=True), Axis("top1"))


@figure("top1_energy", title="Top-1 accuracy against energy per image", needs=("energy", "top1"))
def top1_energy(frame: pd.DataFrame) -> Drawing:
    """What the remarks of Moons' comparison ask for: accuracy against the energy of one classification."""
    return dots(frame, Axis("energy", log=True), Axis("top1"))


@figure("latency_operations", title="Time per image against operations", needs=("image_latency", "macs"))
def latency_operations(frame: pd.DataFrame) -> Drawing:
    """Canziani et al. 2016, Fig. 7: is the number of operations a good estimate of time? r² says it."""
    return dots(frame, Axis("macs", log=True), Axis("image_latency", log=True), "power")


@figure("memory_size", title="Peak memory against model size", needs=("peak_memory", "model_size"))
def memory_size(frame: pd.DataFrame) -> Drawing:
    """Bianco et al. 2018, Fig. 4."""
    return dots(frame, Axis("model_size"), Axis("peak_memory"), "line")


@figure("density_top1", title="Accuracy density against top-1 accuracy", needs=("accuracy_density", "top1"))
def density_top1(frame: pd.DataFrame) -> Drawing:
    """Bianco et al. 2018, Fig. 2 (b)."""
    top1, density = Axis("top1"), Axis("accuracy_density", log=True)
    found = contests(placeable(frame, top1, density), ("top1", "accuracy_density"))
    panels = [_cloud(title, rows, top1, density) for title, rows in found]
    return Drawing("balls", density, _filled(panels), top1, note="Dashed: the Pareto front.")


@figure("time_batch", title="Time per image against batch size", needs=("image_latency",))
def time_batch(frame: pd.DataFrame) -> Drawing:
    """Canziani et al. 2016, Fig. 3; Bianco et al. 2018, Table 1."""
    return lines(frame, "image_latency")


@figure("memory_batch", title="Peak memory against batch size", needs=("peak_memory",))
def memory_batch(frame: pd.DataFrame) -> Drawing:
    """Canziani et al. 2016, Fig. 5; Bianco et al. 2018, Table 2."""
    return lines(frame, "peak_memory")


@figure("power_batch", title="Power against batch size", needs=("power",))
def power_batch(frame: pd.DataFrame) -> Drawing:
    """Canziani et al. 2016, Fig. 4."""
    return lines(frame, "power")


def _ranking(name: str, title: str, key: str, draw: Callable[[pd.DataFrame, str], Drawing] = bars) -> None:
    """Register sorted bars of one column."""
    figure(name, title=title, needs=(key,))(lambda frame: draw(frame, key))


# Canziani et al. 2016, Figs. 1 and 10; Bianco et al. 2018, Fig. 2 (a); Moons' bars.
_ranking("top1_networks", "Top-1 accuracy by network", "top1")
_ranking("accuracy_density", "Accuracy density: top-1 per million parameters", "accuracy_density")
_ranking("operation_density", "Top-1 accuracy per billion operations", "operation_density")
_ranking("operations_networks", "Operations by network", "macs")
_ranking("params_networks", "Parameters by network", "params")
# hei4/pytorch-efficient-architecture, the charts by block type, a panel for each data set.
_ranking("train_accuracy", "Training accuracy by network", "train_accuracy")
_ranking("valid_accuracy", "Validation accuracy by network", "valid_accuracy")
_ranking("train_loss", "Training loss by network", "train_loss")
_ranking("valid_loss", "Validation loss by network", "valid_loss")
_ranking("epoch_time", "Training time per epoch by network", "epoch_time", bars_of_training)
_ranking("step_time", "Time per training step by network", "step_time", bars_of_training)
_ranking("weights_networks", "File of the trained weights by network", "weights_file_size")
_ranking("size_networks", "Model size by network", "model_size")
_ranking("time_networks", "Time per image by network", "image_latency", bars_by_device)


@figure("learning_accuracy", title="Accuracy by epoch", needs=("valid_accuracy",), otherwise=ONE_EPOCH)
def learning_accuracy(frame: pd.DataFrame) -> Drawing:
    """hei4/pytorch-efficient-architecture, the logs of its trainings."""
    return curves(frame, "valid_accuracy", "train_accuracy")


@figure("learning_loss", title="Loss by epoch", needs=("valid_loss",), otherwise=ONE_EPOCH)
def learning_loss(frame: pd.DataFrame) -> Drawing:
    """hei4/pytorch-efficient-architecture, the logs of its trainings."""
    return curves(frame, "valid_loss", "train_loss")
