"""A run's times in the JSON format of pytest-benchmark, which other tools read; drawn from the journal.

So it is there after a run under xdist too, where pytest-benchmark itself switches off.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_archbench import stats
from pytest_archbench.records import Conditions
from pytest_archbench.store import Run

MODULES = {
    "latency": "latency",
    **dict.fromkeys(("top1_accuracy", "top5_accuracy"), "accuracy"),
    **dict.fromkeys(
        ("train_accuracy", "valid_accuracy", "train_loss", "valid_loss", "epoch_time", "step_time"), "training"
    ),
}
"""The packaged suite's module of every metric that has a place in the format, whose every number is seconds."""
VERSION = "5.0.0"
"""The version of pytest-benchmark whose format this is, where the run does not say which one was there."""
UNKNOWN = "unknown"
ARCHITECTURES = {
    **dict.fromkeys(("x86_64", "amd64"), ("X86_64", 64)),
    **dict.fromkeys(("aarch64", "arm64"), ("ARM_8", 64)),
    **dict.fromkeys(("i386", "i686"), ("X86_32", 32)),
    "armv7l": ("ARM_7", 32),
    "ppc64le": ("PPC_64", 64),
    "riscv64": ("RISCV_64", 64),
    "s390x": ("S390X", 64),
}
"""What the kernel calls a processor -> py-cpuinfo's name of it and its width."""


def text(run: Run) -> str:
    """The document: every time with its raw samples (s), and what was learned with the seconds it took."""
    rows = [row for row in run.rows if seconds(row)]
    machine = _machine(run.header)
    version = machine["packages"].get("pytest-benchmark", UNKNOWN)
    document = {
        "machine_info": machine,
        "commit_info": _commit(run.header),
        "benchmarks": [_benchmark(row) for row in rows],
        "datetime": run.header.get("started", UNKNOWN),
        "version": VERSION if version == UNKNOWN else version,
    }
    return json.dumps(document, indent=1, allow_nan=False)


def seconds(row: Mapping[str, Any]) -> Sequence[float]:
    """The samples of a time (s); of an accuracy or a loss how long it took; none of anything else."""
    if row["metric"] not in MODULES or not row["samples"]:
        return ()
    if row["unit"] == "s":
        return [float(sample) for sample in row["samples"]]
    taken = row.get("protocol", {}).get("seconds")
    return () if taken is None else (float(taken),)


def group(row: Mapping[str, Any]) -> str:
    """``latency cpu bs1``: whose times compare. Of what is no time, the seconds it took."""
    what = row["metric"] if row["unit"] == "s" else f"seconds to take {row['metric']},"
    return " ".join([what, *Conditions(**row["conditions"]).names])


def learned(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the format has no field for: how something was learned, its value, and how well that is known."""
    fields = ("value", "interval", "epochs", "protocol") if "protocol" in row else ()
    return {field: row[field] for field in fields if row.get(field) is not None}


def _machine(header: Mapping[str, Any]) -> dict[str, Any]:
    environment, host = header.get("environment", {}), header.get("host", {})
    python = environment.get("python", UNKNOWN)
    machine = environment.get("machine", UNKNOWN)
    devices = header.get("devices", {})
    return {
        "node": host.get("node", UNKNOWN),
        "processor": host.get("processor", UNKNOWN),
        "machine": machine,
        "python_compiler": host.get("python_compiler", UNKNOWN),
        "python_implementation": host.get("python_implementation", UNKNOWN),
        "python_implementation_version": host.get("python_implementation_version", python),
        "python_version": python,
        "python_build": host.get("python_build", [UNKNOWN, UNKNOWN]),
        "release": environment.get("kernel", UNKNOWN),
        "system": environment.get("system", UNKNOWN),
        "cpu": _processor(devices.get("cpu", {}), machine, python),
        "packages": environment.get("packages", {}),
        "devices": devices,
    }


def _processor(facts: Mapping[str, Any], machine: str, python: str) -> dict[str, Any]:
    """The processor under py-cpuinfo's names, and under our own. What is not known has no key there, and none here."""
    arch, bits = ARCHITECTURES.get(machine.lower(), (UNKNOWN, None))
    named = {
        "brand_raw": facts.get("model"),
        "arch": arch,
        "arch_string_raw": machine,
        "bits": bits,
        "count": facts.get("logical_cores"),
        "python_version": python,
    }
    return {**{key: value for key, value in named.items() if value not in (None, UNKNOWN)}, **facts}


def _commit(header: Mapping[str, Any]) -> dict[str, Any]:
    """The commit under pytest-benchmark's names, with its words for what git does not tell."""
    told = {key: value for key, value in header.items() if value != UNKNOWN}
    return {
        "id": told.get("commit", "unversioned"),
        "time": told.get("commit_time"),
        "author_time": told.get("author_time"),
        "dirty": header.get("dirty") is True,
        "project": told.get("project", UNKNOWN),
        "branch": told.get("branch", "(unknown)"),
    }


def _benchmark(row: Mapping[str, Any]) -> dict[str, Any]:
    conditions = row["conditions"]
    case = "-".join([row["architecture"], *Conditions(**conditions).names])
    named = {field: row[field] for field in ("architecture", "metric", "unit")}
    more = {field: row[field] for field in ("convention", "trials") if row.get(field)} | learned(row)
    metric = row["metric"]
    return {
        "group": group(row),
        "name": f"test_{metric}[{case}]",
        "fullname": f"archbench/{MODULES[metric]}::test_{metric}[{case}]",
        "params": {"archbench_case": case},
        "param": case,
        "extra_info": {**named, **conditions, **more},
        "options": {"timer": "perf_counter", "warmup": True},
        "stats": describe(seconds(row)),
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
        "ops": len(ordered) / sum(ordered) if sum(ordered) else 0,
        "total": sum(ordered),
        "data": list(samples),
        "iterations": 1,
        "percentiles": stats.percentiles(ordered),
    }


def _lower_quartile(ordered: Sequence[float]) -> float:
    half, rest = divmod(len(ordered), 2)
    without = ordered[:half] or ordered
    return (statistics.median(without) + statistics.median(ordered[: half + rest])) / 2
