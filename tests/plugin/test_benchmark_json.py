"""The samples in pytest-benchmark's format: in its own file, and in ours, which is there without it."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any, cast

import pytest
from lifecycle import Ran, bench
from pytest_benchmark.stats import Stats

from pytest_archbench import benchmark_json
from pytest_archbench.store import Run

LATENCY = ("--archbench-suite=user", "--archbench-metric=latency")


def entries(file: Path) -> dict[str, dict[str, Any]]:
    return {entry["fullname"]: entry for entry in json.loads(file.read_text())["benchmarks"]}


@pytest.fixture
def theirs(packaged: Ran) -> dict[str, dict[str, Any]]:
    """What pytest-benchmark wrote, by node id."""
    return entries(packaged.folder / "theirs.json")


@pytest.fixture
def ours(packaged: Ran) -> dict[str, dict[str, Any]]:
    return entries(packaged.folder / "reports/benchmark.json")


def test_it_gives_pytest_benchmark_the_samples_of_the_journal(packaged: Ran, theirs: dict[str, dict[str, Any]]) -> None:
    samples = {row["architecture"]: row["samples"] for row in packaged.rows if row["metric"] == "latency"}
    assert {entry["extra_info"]["architecture"]: entry["stats"]["data"] for entry in theirs.values()} == samples
    assert all(len(data) >= 5 for data in samples.values())
    for entry in theirs.values():
        assert entry["group"] == "latency cpu bs1"
        assert entry["extra_info"]["unit"] == "s"


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for field, value in theirs.items():
        expected = pytest.approx(value, rel=1e-9, abs=0) if isinstance(value, float) else value
        assert ours[field] == expected, field


def test_it_computes_what_pytest_benchmark_computes(
    theirs: dict[str, dict[str, Any]], ours: dict[str, dict[str, Any]]
) -> None:
    assert ours.keys() == theirs.keys()
    for name, entry in theirs.items():
        assert_same(ours[name]["stats"], entry["stats"])
        assert_same(ours[name], {field: entry[field] for field in ("group", "name", "fullname", "param")})
        assert ours[name].keys() >= entry.keys()


@pytest.mark.parametrize("rounds", range(1, 14))
def test_it_computes_the_same_for_any_number_of_rounds(rounds: int) -> None:
    """Quartiles have a rule for each remainder by four."""
    chance = random.Random(rounds)
    samples = [0.02 * math.exp(chance.gauss(0, 1)) for _ in range(rounds)]
    stats: Any = cast(Any, Stats)()
    for sample in samples:
        stats.update(sample)
    assert_same(benchmark_json.describe(samples), stats.as_dict())


def test_it_has_the_sections_of_pytest_benchmark(packaged: Ran) -> None:
    their_document = json.loads((packaged.folder / "theirs.json").read_text())
    document = json.loads((packaged.folder / "reports/benchmark.json").read_text())
    assert document.keys() >= their_document.keys()
    assert document["machine_info"].keys() >= {"python_version", "system", "machine", "cpu"}


def test_it_journals_where_pytest_benchmark_is_disabled(project: Path) -> None:
    ran = bench(project, *LATENCY, "--benchmark-disable", "--benchmark-json=theirs.json")
    assert (ran.code, ran.outcomes) == (0, {"skipped": 1}), ran.output
    assert ran.cases == {("tiny", "latency"): 1}
    assert len(entries(project / "reports/benchmark.json")) == 1


def test_it_judges_where_pytest_benchmark_skips(project: Path) -> None:
    """``--benchmark-skip`` takes away pytest-benchmark's table, not the verdict."""
    ran = bench(project, *LATENCY, "--benchmark-skip", "-rs")
    assert (ran.code, ran.outcomes) == (0, {"skipped": 1}), ran.output
    assert ran.cases == {("tiny", "latency"): 1}
    assert "tiny latency: " in ran.output
    assert "no baseline" in ran.output


def test_it_counts_as_no_benchmark_under_benchmark_only(project: Path) -> None:
    """pytest-benchmark skips what does not ask for its fixture by name; nothing is measured then."""
    ran = bench(project, *LATENCY, "--benchmark-only", "-rs")
    assert (ran.code, ran.outcomes) == (0, {"skipped": 1}), ran.output
    assert "Skipping non-benchmark (--benchmark-only active)" in ran.output
    assert not (project / "reports/measurements.jsonl").exists()


def test_it_describes_samples_by_pytest_benchmarks_definitions() -> None:
    """Ten samples worked by hand: halves 1..5 and 6..9, 40, so quartiles 3 and 8 and fences -4.5 and 15.5."""
    row = {
        "architecture": "net",
        "metric": "latency",
        "unit": "s",
        "samples": [5.0, 1.0, 2.0, 3.0, 4.0, 40.0, 6.0, 7.0, 8.0, 9.0],
        "conditions": {"device": "cpu", "batch_size": 1},
    }
    document = json.loads(
        benchmark_json.text(Run({"run": "r"}, (row, row | {"samples": []}, row | {"metric": "macs"})))
    )
    (entry,) = document["benchmarks"]
    found = entry["stats"]
    assert {key: found[key] for key in ("min", "max", "mean", "median", "q1", "q3", "iqr", "rounds", "total")} == {
        "min": 1.0,
        "max": 40.0,
        "mean": 8.5,
        "median": 5.5,
        "q1": 3.0,
        "q3": 8.0,
        "iqr": 5.0,
        "rounds": 10,
        "total": 85.0,
    }
    assert (found["iqr_outliers"], found["stddev_outliers"], found["outliers"]) == (1, 1, "1;1")
    assert (found["ld15iqr"], found["hd15iqr"]) == (1.0, 9.0)
