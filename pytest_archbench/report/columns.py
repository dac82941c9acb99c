"""How the quantities of a network are shown: heading, unit, scale, and what to do where one is absent."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Column:
    """A quantity of ``frames.networks``: base-unit values divided by ``scale`` are printed in ``unit``.

    ``metric`` is what to ask for where it is absent; a quantity that is only computed has none. ``of`` names those
    that give it.
    """

    key: str
    heading: str
    unit: str
    scale: float
    decimals: int
    better: Literal["lower", "higher"]
    metric: str = ""
    of: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its heading within a sentence."""
        return self.heading.lower()

    @property
    def title(self) -> str:
        return f"{self.heading} ({self.unit})"

    def show(self, value: float) -> str:
        """The number alone, with ``decimals`` places and at least three significant ones: ``4.089``, ``0.00420``."""
        return fixed(value / self.scale, self.decimals)


COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("params", "Parameters", "M", 1e6, 2, "lower", "params"),
        Column("macs", "Operations", "GMAC", 1e9, 3, "lower", "macs"),
        Column("activations", "Activations", "M", 1e6, 2, "lower", "activations"),
        Column("model_size", "Model size", "MiB", 2.0**20, 1, "lower", "model_size"),
        Column("latency", "Latency", "ms/batch", 1e-3, 2, "lower", "latency"),
        Column("image_latency", "Time per image", "ms/img", 1e-3, 2, "lower", of=("latency",)),
        Column("throughput", "Throughput", "img/s", 1.0, 1, "higher", "throughput"),
        Column("image_rate", "Images per second", "img/s", 1.0, 1, "higher", of=("latency",)),
        Column("peak_memory", "Peak memory", "MiB", 2.0**20, 1, "lower", "peak_memory"),
        Column("peak_host_memory", "Peak host memory", "MiB", 2.0**20, 1, "lower", "peak_host_memory"),
        Column("peak_reserved_memory", "Reserved memory", "MiB", 2.0**20, 1, "lower", "peak_reserved_memory"),
        Column("device_memory", "Device memory", "MiB", 2.0**20, 1, "lower", "device_memory"),
        Column("energy", "Energy", "J/img", 1.0, 3, "lower", "energy"),
        Column("energy_above_idle", "Energy beyond idle", "J/img", 1.0, 3, "lower", "energy_above_idle"),
        Column("power", "Power", "W", 1.0, 1, "lower", "power", ("energy", "latency")),
        Column("top1", "Top-1", "%", 1e-2, 2, "higher", "top1_accuracy"),
        Column("top5", "Top-5", "%", 1e-2, 2, "higher", "top5_accuracy"),
        Column("accuracy_density", "Density", "% per M", 1.0, 2, "higher", of=("top1", "params")),
        Column("operation_density", "Top-1 per operation", "% per GMAC", 1.0, 2, "higher", of=("top1", "macs")),
        Column("train_accuracy", "Training accuracy", "%", 1e-2, 2, "higher", "train_accuracy"),
        Column("valid_accuracy", "Validation accuracy", "%", 1e-2, 2, "higher", "valid_accuracy"),
        Column("train_loss", "Training loss", "nat", 1.0, 3, "lower", "train_loss"),
        Column("valid_loss", "Validation loss", "nat", 1.0, 3, "lower", "valid_loss"),
        Column("epoch_time", "Time per epoch", "s", 1.0, 1, "lower", "epoch_time"),
        Column("step_time", "Time per step", "ms", 1e-3, 2, "lower", "step_time"),
        Column("weights_file_size", "File of weights", "MiB", 2.0**20, 2, "lower", "weights_file_size"),
    )
}
REPEATED = ("image_latency", "image_rate")
"""Quantities of the figures that say nothing which another column of a table does not say."""
ON_GPUS = ("peak_reserved_memory", "device_memory")
"""Quantities that most devices do not have, so that nothing is said where they are absent."""
TABLED = tuple(key for key in COLUMNS if key not in REPEATED)


def remedy(keys: Iterable[str], left_out: Iterable[str] = ()) -> str:
    """What to do about quantities that are absent: the option, in backticks, to put into the command of the run, so
    that its networks and settings stay; nothing where others give them, or where one of the sentences ``left_out`` says
    why the run could not measure them.
    """
    metrics = [COLUMNS[key].metric for key in keys if COLUMNS[key].metric]
    metrics = [metric for metric in metrics if not naming([metric], left_out)]
    return (
        f"To measure: the same `pytest --archbench` with `--archbench-metric={','.join(metrics)}`." if metrics else ""
    )


def naming(metrics: Iterable[str], sentences: Iterable[str]) -> list[str]:
    """The sentences that speak of any of the metrics by name."""
    wanted = set(metrics)
    return [each for each in sentences if wanted.intersection(re.findall(r"\w+", each))]


def counted(number: int, noun: str) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def fixed(value: float, decimals: int) -> str:
    """``value`` with ``decimals`` places, more where fewer than three significant places would be left."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.{decimals}f}"
    lead = math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(decimals, 2 - lead), 12)}f}"


def measured(value: Any) -> bool:
    """Whether a cell holds a number; None and NaN both mean "not measured"."""
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def shown(record: Mapping[Hashable, Any], key: str) -> str:
    """A quantity with its unit for a sentence: ``4.089 GMAC``; ``not measured`` where there is none."""
    column, value = COLUMNS[key], record[key]
    return f"{column.show(value)} {column.unit}" if measured(value) else "not measured"


def describe(record: Mapping[Hashable, Any]) -> str:
    """One line about one network, for a hover title: name, family, top-1, operations, parameters."""
    origin = f" ({record['top1_source']})" if record["top1_source"] else ""
    return (
        f"{record['architecture']} · family {record['family']} · top-1 {shown(record, 'top1')}{origin}"
        f" · {shown(record, 'macs')} · {shown(record, 'params')} parameters"
    )
