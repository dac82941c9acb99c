"""torchvision's and timm's own result tables as figures under the libraries' own names."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from published_rows import Figure, Row, rows

from pytest_archbench.baselines import SIZELESS

TIMM_TABLES = {
    "pt291": "benchmark-infer-amp-nchw-pt291-cu128-4090.csv",
    "pt240": "benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv",
}
"""By version of torch, newest first. Tables of one version agree with each other: no device changes a count."""

TIMM_ACCURACIES = "results-imagenet.csv"
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
    """Counts of every model at the size it was run at: the newest table's, unless that counts a fused form.

    Since torch 2.9 the tables count what can be fused in fused form; the older one, which shows more parameters then,
    counts networks as they are built.
    """
    chosen: dict[tuple[str, str], tuple[str, Row]] = {}
    for version, table in TIMM_TABLES.items():
        with (directory / "timm" / table).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                key = row["model"], row["infer_img_size"]
                if key not in chosen or float(row["param_count"]) > float(chosen[key][1]["param_count"]):
                    chosen[key] = version, row
    found: dict[tuple[str, ...], Figure] = {}
    for figure in (figure for version, row in chosen.values() for figure in _counts(row, version)):
        size = "any" if figure["metric"] in SIZELESS else str(figure["input_size"])
        found.setdefault((figure["architecture"], figure["metric"], figure["value"], size), figure)
    return list(found.values())


def timm_accuracies(directory: Path) -> list[Figure]:
    """Top-1 and top-5 of every model at every size of its input, of the weights with the highest top-1 there.

    The weights are named by their tag, which stands after the first dot of the table's names.
    """
    with (directory / "timm" / TIMM_ACCURACIES).open(encoding="utf-8", newline="") as lines:
        best_first = sorted(csv.DictReader(lines), key=lambda row: -float(row["top1"]))
    best: dict[tuple[str, str], Row] = {}
    for row in best_first:
        best.setdefault((row["model"].partition(".")[0], row["img_size"]), row)
    return [
        {"architecture": name, "metric": f"top{k}_accuracy", "value": row[f"top{k}"], "unit": "percent",
         "input_size": int(size), "ref": f"{TIMM_ACCURACIES} {row['model'].partition('.')[2]}".strip()}
        for (name, size), row in best.items()
        for k in (1, 5)
    ]  # fmt: skip


def _counts(row: Row, version: str) -> Iterator[Figure]:
    for column, (metric, unit) in TIMM_COLUMNS.items():
        if row.get(column):
            entry = {"architecture": row["model"], "metric": metric, "value": row[column], "unit": unit, "ref": version}
            yield entry | {"input_size": int(row["infer_img_size"])}
