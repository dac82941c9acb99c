"""A run's times in the JSON format of pytest-benchmark, which other tools read; drawn from the journal.

So it is there after a run under xdist too, where pytest-benchmark itself switches off.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_archbench import stats
from pytest_archbench.store import Run

NODE = "archbench/latency::test_latency"
VERSION = "5.0.0"
"""The version of pytest-benchmark whose format this is."""


def text(run: Run) -> str:
    """The document: every latency with its raw samples (s)."""
    rows = [row for row in run.rows if row["metric"] == "latency" and row["samples"]]
    document = {
        "machine_info": _machine(run.header),
        "commit_info": {
            "id": run.header.get("commit", "unknown"),
            "dirty": run.header.get("dirty", "unknown"),
            "project": "pytest-archbench",
        },
        "benchmarks": [_benchmark(row) for row in rows],
        "datetime": run.header.get("started", "unknown"),
        "version": VERSION,
    }
    return json.dumps(document, indent=1)


def _machine(header: Mapping[str, Any]) -> dict[str, Any]:
    environment = header.get("environment", {})
    return {
        "node": "unknown",
        "python_version": environment.get("python", "unknown"),
        "system": environment.get("system", "unknown"),
        "release": environment.get("kernel", "unknown"),
        "machine": environment.get("machine", "unknown"),
        "cpu": header.get("devices", {}).get("cpu", {}),
        "packages": environment.get("packages", {}),
        "devices": header.get("devices", {}),
    }


def _benchmark(row: Mapping[str, Any]) -> dict[str, Any]:
    conditions = row["conditions"]
    case = f"{row['architecture']}-{conditions['device']}-bs{conditions['batch_size']}"
    return {
        "group": f"latency {conditions['device']} bs{conditions['batch_size']}",
        "name": f"test_latency[{case}]",
        "fullname": f"{NODE}[{case}]",
        "params": {"archbench_case": case},
        "param": case,
        "extra_info": {"architecture": row["architecture"], "metric": row["metric"], "unit": row["unit"], **conditions},
        "options": {"timer": "perf_counter", "warmup": True},
        "stats": describe(row["samples"]),
    }


def describe(samples: Sequence[float]) -> dict[str, Any]:
    """The fields that pytest-benchmark computes from samples (s), under its names and by its definitions.

    Quartiles are the medians of the halves, where a middle sample belongs to both and to neither in equal parts
    (the mean of the two); outliers lie beyond one standard deviation of the mean, or 1.5 interquartile ranges
    beyond the quartiles.
    """
    ordered = sorted(samples)
    mean, median = statistics.mean(ordered), statistics.median(ordered)
    stddev = statistics.stdev(ordered) if len(ordered) > 1 else 0.0
    q1, q3 = _lower_quartile(ordered), -_lower_quartile([-sample for sample in reversed(ordered)])
    reach = 1.5 * (q3 - q1)
    far = sum(not mean - stddev <= sample <= mean + stddev for sample in ordered)
    outside = sum(not q1 - reach <= sample <= q3 + reach for sample in ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": len(ordered),
        "median": median,
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outside,
        "stddev_outliers": far,
        "outliers": f"{far};{outside}",
        "ld15iqr": min(sample for sample in ordered if sample >= q1 - reach),
        "hd15iqr": max(sample for sample in ordered if sample <= q3 + reach),
        "ops": 1 / mean,
        "total": sum(ordered),
        "data": list(samples),
        "iterations": 1,
        "percentiles": {f"p{p}": stats.percentile(ordered, p) for p in (50, 90, 99)},
    }


def _lower_quartile(ordered: Sequence[float]) -> float:
    half, rest = divmod(len(ordered), 2)
    without = ordered[:half] or ordered
    return (statistics.median(without) + statistics.median(ordered[: half + rest])) / 2
