"""torchvision's and timm's own result tables as figures under the libraries' own names."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from published_rows import Figure, Row, rows

TIMM_TABLES = ("benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv", "benchmark-infer-amp-nchw-pt291-cu128-4090.csv")
"""The older table counts networks as they are built, the newer one those that can be fused in fused form: it is taken
only for models that the older one lacks. The tables of one version agree with each other: no device changes a count."""
TIMM_COLUMNS = {"infer_gmacs": ("macs", "G"), "infer_macts": ("activations", "M"), "param_count": ("params", "M")}
TORCHVISION_METRICS = ("macs", "params", "top1_accuracy", "top5_accuracy")


def torchvision_figures(directory: Path) -> list[Figure]:
    """Counts and accuracies of every weight entry, quantised ones left out; equal counts of one model once."""
    found: dict[tuple[str, ...], Figure] = {}
    for row in rows(directory):
        ref = row["source_ref"]
        if row["source"] != "torchvision" or row["metric"] not in TORCHVISION_METRICS or "Quantized" in ref:
            continue
        name, size, metric, value = (
            row["architecture_as_named_by_source"],
            row["input_size"],
            row["metric"],
            row["value"],
        )
        entry = {"architecture": name, "metric": metric, "value": value, "unit": row["unit"]}
        found.setdefault((name, metric, value, size), entry | {"input_size": int(size), "ref": ref.split(" ")[-1]})
    return list(found.values())


def timm_figures(directory: Path) -> list[Figure]:
    """Counts of every model of timm's tables at the size it was run at."""
    found: dict[tuple[str, str], Iterable[Figure]] = {}
    for table in TIMM_TABLES:
        with (directory / "timm" / table).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                found.setdefault((row["model"], row["infer_img_size"]), list(_counts(row, table)))
    return [figure for figures in found.values() for figure in figures]


def _counts(row: Row, table: str) -> Iterator[Figure]:
    for column, (metric, unit) in TIMM_COLUMNS.items():
        if row.get(column):
            size, ref = int(row["infer_img_size"]), table.removesuffix(".csv").removeprefix("benchmark-")
            entry = {"architecture": row["model"], "metric": metric, "value": row[column], "unit": unit}
            yield entry | {"input_size": size, "ref": f"{column}, {ref}"}
