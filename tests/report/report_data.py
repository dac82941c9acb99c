"""Constructed runs for the report's tests: small, and every number chosen by hand."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from pytest_archbench.records import Baseline


@dataclass(frozen=True)
class Run:
    """What the store hands over, without the store."""

    header: dict[str, Any]
    rows: tuple[dict[str, Any], ...]


HEADER = {
    "schema": 1,
    "run": "run-7",
    "commit": "0123abc",
    "dirty": True,
    "environment": {"python": "3.11.2", "packages": {"torch": "2.15.0"}},
    "devices": {"cpu": {"kind": "cpu", "model": "Some Processor", "fingerprint": {"cores": 2}}},
}
SOURCES = {"bianco2018": "https://example.org/bianco", "torchvision": "https://example.org/torchvision"}
EVIL = "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>"
UNITS = {
    "params": "count",
    "macs": "MAC",
    "activations": "count",
    "model_size": "B",
    "latency": "s",
    "throughput": "img/s",
    "peak_memory": "B",
    "device_memory": "B",
    "energy": "J",
    "power": "W",
    "top1_accuracy": "fraction",
    "top5_accuracy": "fraction",
    "train_accuracy": "fraction",
    "valid_accuracy": "fraction",
    "train_loss": "nat",
    "valid_loss": "nat",
    "epoch_time": "s",
    "step_time": "s",
    "weights_file_size": "B",
}
LEARNED = ("interval", "outcomes", "epochs", "protocol")


def row(
    architecture: str, metric: str, *samples: float, verdicts: tuple[dict[str, Any], ...] = (), **given: Any
) -> dict[str, Any]:
    """A journal row; ``given`` may set family, topology, status, message, notes, uncounted, any condition, and what
    only accuracies and trainings have.
    """
    ordered = sorted(samples)
    middle = len(ordered) // 2
    value = None
    if ordered:
        value = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    conditions: dict[str, Any] = {
        "device": "cpu",
        "batch_size": 1,
        "input_shape": [3, 224, 224],
        "dtype": "float32",
        "threads": 1,
        "memory_format": "contiguous",
        "runtime": "eager",
    }
    return {
        "schema": 1,
        "architecture": architecture,
        "family": given.get("family", architecture.rstrip("0123456789")),
        "topology": given.get("topology", architecture),
        "metric": metric,
        "unit": UNITS[metric],
        "status": given.get("status", "ok"),
        "value": value,
        "samples": list(samples),
        "conditions": conditions | {key: value for key, value in given.items() if key in conditions},
        "convention": "one multiply-add counts once",
        "uncounted": given.get("uncounted", []),
        "message": given.get("message", ""),
        "verdicts": list(verdicts),
        "notes": given.get("notes", []),
        **{key: given[key] for key in LEARNED if key in given},
    }


def evaluated(
    name: str, data: str, value: float, count: int, metric: str = "top1_accuracy", **outcomes: Any
) -> dict[str, Any]:
    """A row of an accuracy on ``count`` images of ``data``, its interval a hundredth to both sides."""
    seen = {"images": "0a", "count": count, "total": count, "correct": "", "part": "", "random": True, "risk": 0.0}
    interval = {"low": value - 0.01, "high": value + 0.01, "confidence": 0.95}
    protocol = {"data": data, "split": "valid", "weights": f"{name}.pth", "seed": 0}
    return row(name, metric, value, outcomes=seen | outcomes, interval=interval, protocol=protocol)


def trained(name: str, data: str, parts: tuple[str, str] = ("", ""), **given: Any) -> dict[str, Any]:
    """A row of a training on ``parts`` of ``data``: the one metric in ``given``, with its value after each epoch."""
    ((metric, epochs),) = [(key, given.pop(key)) for key in [*given] if key in UNITS]
    protocol = {"data": data, "batch_size": 32, "epochs": len(epochs), "amp": ""}
    protocol |= {split: {"images": 100, "part": part} for split, part in zip(("train", "valid"), parts, strict=True)}
    samples = epochs if metric.endswith("_time") else epochs[-1:]
    return row(name, metric, *samples, epochs=list(epochs), protocol=protocol, **given)


def verdict(
    outcome: str, reason: str = "resnet50 macs: a sentence", source: str = "bianco2018", change: float | None = None
) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "source": source,
        "baseline": "4.09",
        "unit": "G",
        "change": change,
        "reason": reason,
    }


def published(
    topology: str,
    value: float,
    source: str = "bianco2018",
    metric: str = "top1_accuracy",
    input_size: int | None = None,
    note: str = "",
) -> Baseline:
    return Baseline(
        architecture=topology,
        metric=metric,
        value=value,
        precision=0.0001,
        unit="fraction",
        printed=f"{value * 100:.2f}",
        printed_unit="percent",
        source=source,
        input_size=input_size,
        note=note,
    )


def small() -> tuple[Run, list[Baseline]]:
    """Three networks on the processor: a failure, a known deviation, an out-of-memory; accuracies are published."""
    rows = (
        row("alexnet", "params", 61_000_000, family="alexnet"),
        row(
            "alexnet",
            "macs",
            714_000_000,
            family="alexnet",
            verdicts=(
                verdict("known deviation", "alexnet macs: 714.0 MMAC, known deviation: convolutions only", change=0.08),
            ),
        ),
        row("resnet50", "params", 25_000_000, family="resnet"),
        row(
            "resnet50",
            "macs",
            4_089_184_256,
            family="resnet",
            verdicts=(
                verdict("passed"),
                verdict(
                    "deviates", "resnet50 macs: 4.089 GMAC, deviates (+8.2 %) from torchvision", "torchvision", 0.082
                ),
            ),
        ),
        row("resnet50", "latency", 0.02, 0.03, 0.04, family="resnet"),
        row("resnet18", "params", 11_700_000, family="resnet"),
        row("resnet18", "macs", 1_814_000_000, family="resnet", verdicts=(verdict("no baseline", source=""),)),
        row("resnet18", "latency", family="resnet", status="oom", message="out of memory: 2 GiB asked"),
    )
    figures = [
        published("alexnet", 0.5662),
        published("resnet50", 0.7601),
        published("resnet18", 0.6964, "torchvision"),
    ]
    return Run(HEADER, rows), figures


def broken() -> Run:
    """Cases without a number for every reason there is, one network for the same reason at each metric."""
    silent = (verdict("inconclusive", "headless macs: not measured, inconclusive against bianco2018"),)
    unsure = (verdict("inconclusive", "odd macs: 5 MAC, inconclusive: operators without a formula: aten::odd"),)

    def lost(name: str, metric: str, status: str, message: str, **given: Any) -> dict[str, Any]:
        return row(name, metric, status=status, message=message, verdicts=silent, **given)

    rows = (
        lost("headless", "params", "failed", "KeyError: 'no such head' (in nets.py:3)"),
        lost("headless", "macs", "failed", "KeyError: 'no such head' (in nets.py:3)"),
        lost("headless", "latency", "failed", "KeyError: 'no such head' (in meters/running.py:32)"),
        lost("huge", "latency", "oom", "9 GiB asked", batch_size=64),
        lost("huge", "latency", "oom", "4 GiB asked", batch_size=8),
        lost("slow", "latency", "timeout", "no answer for 600 s"),
        lost("boom", "latency", "crashed", "signal SIGSEGV"),
        lost("absent", "peak_memory", "skipped", "no CUDA device here"),
        row("odd", "macs", 5, uncounted=["aten::odd"], verdicts=unsure),
    )
    return Run(HEADER, rows)


def many(count: int, families: int, seed: int = 1) -> tuple[Run, list[Baseline]]:
    """``count`` networks of ``families`` families, crowded the way real ones are."""
    chance = random.Random(seed)
    rows, figures = [], []
    for index in range(count):
        name, family = f"network_{index}_of_some_kind", f"family{index % families}"
        macs = math.exp(chance.gauss(math.log(4e9), 1.1))
        params = math.exp(chance.gauss(math.log(25e6), 0.9))
        figures.append(published(name, min(0.9, 0.74 + 0.03 * math.log(macs / 4e9) + chance.gauss(0, 0.025))))
        rows += [row(name, "params", round(params), family=family), row(name, "macs", round(macs), family=family)]
        rows.append(row(name, "latency", 2e-11 * macs * math.exp(chance.gauss(0, 0.3)), family=family))
    return Run(HEADER, tuple(rows)), figures
