"""How the quantities of a network are shown: heading, unit, scale, and the command that measures them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

COUNTS = "pytest bench_suite/bench_counts.py --archbench"
LATENCY = "pytest bench_suite/bench_latency.py --archbench"
MEMORY = "pytest bench_suite/bench_memory.py --archbench"
ENERGY = "pytest bench_suite/bench_energy.py --archbench"
ACCURACY = "pytest bench_suite/bench_accuracy.py --archbench"


@dataclass(frozen=True, slots=True)
class Column:
    """A quantity of ``frames.networks``: base-unit values divided by ``scale`` are printed in ``unit``."""

    key: str
    heading: str
    unit: str
    scale: float
    decimals: int
    command: str

    @property
    def title(self) -> str:
        return f"{self.heading} ({self.unit})"

    def show(self, value: float) -> str:
        """The number alone, with ``decimals`` places and at least three significant ones: ``4.089``, ``0.00420``."""
        return fixed(value / self.scale, self.decimals)


COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("params", "Parameters", "M", 1e6, 2, COUNTS),
        Column("macs", "Operations", "GMAC", 1e9, 3, COUNTS),
        Column("activations", "Activations", "M", 1e6, 2, COUNTS),
        Column("model_size", "Model size", "MiB", 2.0**20, 1, COUNTS),
        Column("latency", "Latency", "ms/batch", 1e-3, 2, LATENCY),
        Column("throughput", "Throughput", "img/s", 1.0, 1, LATENCY),
        Column("peak_memory", "Peak memory", "MiB", 2.0**20, 1, MEMORY),
        Column("energy", "Energy", "J/img", 1.0, 3, ENERGY),
        Column("top1", "Top-1", "%", 1e-2, 2, ACCURACY),
        Column("top5", "Top-5", "%", 1e-2, 2, ACCURACY),
        Column("accuracy_density", "Density", "% per M", 1.0, 2, ACCURACY),
    )
}


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
