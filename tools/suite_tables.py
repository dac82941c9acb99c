"""torchvision's and timm's own result tables as figures under the libraries' own names."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from published_rows import Figure, rows

TIMM_TABLE = "benchmark-infer-amp-nchw-pt291-cu128-4090.csv"
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
    """Counts of every model of one of timm's tables at the size it was run at."""
    return list(_timm_figures(directory / "timm" / TIMM_TABLE))


def _timm_figures(path: Path) -> Iterator[Figure]:
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for column, (metric, unit) in TIMM_COLUMNS.items():
                if row.get(column):
                    size = int(row["infer_img_size"])
                    entry = {"architecture": row["model"], "metric": metric, "value": row[column], "unit": unit}
                    yield entry | {"input_size": size, "ref": column}
