"""The samples in pytest-benchmark's format: in its own file, and in ours, which is there without it."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from lifecycle import Ran, bench, lines_of
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
    ours, theirs = document["machine_info"], their_document["machine_info"]
    assert ours.keys() >= theirs.keys()
    assert_same(ours, {field: value for field, value in theirs.items() if field != "cpu"})
    assert ours["devices"]["cpu"]["model"] == ours["cpu"]["brand_raw"]
    known = {"arch", "arch_string_raw", "bits", "count"} & theirs["cpu"].keys()
    assert_same(ours["cpu"], {field: theirs["cpu"][field] for field in known})
    assert document["commit_info"].keys() >= their_document["commit_info"].keys()
    for reader in READERS:
        assert reader(document).keys() == {entry["fullname"] for entry in document["benchmarks"]}


def test_pytest_benchmark_compares_ours_with_its_own(packaged: Ran) -> None:
    said = compared(packaged.folder / "theirs.json", packaged.folder / "reports/benchmark.json")
    assert "benchmark 'latency cpu bs1': 4 tests" in said


@pytest.mark.parametrize(
    ("switched_off", "reason"), [(("-n", "2"), "under xdist"), (("--benchmark-disable",), "with --benchmark-disable")]
)
def test_it_says_what_pytest_benchmark_did_not_write(project: Path, switched_off: tuple[str, ...], reason: str) -> None:
    ran = bench(project, *LATENCY, *switched_off, "--benchmark-json=theirs.json", "--benchmark-autosave")
    assert ran.code == 0, ran.output
    (line,) = lines_of(ran.output, "pytest-benchmark is switched off")
    own = project / "reports/benchmark.json"
    assert line == (
        f"pytest-benchmark is switched off {reason}: --benchmark-json, --benchmark-autosave wrote and compared nothing;"
        f" {own} has every sample in its format"
    )
    assert not (project / "theirs.json").exists()
    assert len(entries(own)) == 1


def test_it_is_silent_where_nothing_was_asked_of_pytest_benchmark(project: Path) -> None:
    ran = bench(project, *LATENCY, "--benchmark-disable")
    assert "pytest-benchmark is switched off" not in ran.output


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


def test_latency_alone_is_a_benchmark_under_benchmark_only(project: Path) -> None:
    """pytest-benchmark skips what does not ask for its fixture by name; counts have no place in its table."""
    metrics = ("--archbench-suite=user", "--archbench-metric=latency,macs")
    ran = bench(project, *metrics, "--benchmark-only", "--benchmark-json=theirs.json", "-rs")
    assert (ran.code, ran.outcomes) == (0, {"skipped": 2}), ran.output
    assert ran.output.count("Skipping non-benchmark (--benchmark-only active)") == 1
    assert ran.cases == {("tiny", "latency"): 1}
    (row,), (entry,) = ran.rows, entries(project / "theirs.json").values()
    assert entry["stats"]["data"] == row["samples"]


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


HEADER = {
    "run": "r",
    "started": "2026-01-02T03:04:05.678901+00:00",
    "commit": "c0ffee",
    "dirty": False,
    "commit_time": "2026-01-01T10:00:00+01:00",
    "author_time": "2026-01-01T09:00:00+01:00",
    "branch": "main",
    "project": "nets",
    "environment": {
        "python": "3.11.7",
        "system": "Linux",
        "kernel": "6.1",
        "machine": "aarch64",
        "packages": {"pytest-benchmark": "5.3.1"},
    },
    "host": {
        "node": "bench",
        "processor": "",
        "python_compiler": "GCC 12",
        "python_implementation": "CPython",
        "python_implementation_version": "3.11.7",
        "python_build": ["main", "Jan 1"],
    },
    "devices": {"cpu": {"kind": "cpu", "model": "Cortex-A78", "logical_cores": 4, "governor": "unknown"}},
}
ROW = {
    "architecture": "net",
    "metric": "latency",
    "unit": "s",
    "samples": [0.25, 0.5, 0.75],
    "conditions": {"device": "cpu", "batch_size": 1},
    "convention": "wall time",
    "trials": [{"first": 0, "count": 3}],
}


def document(header: dict[str, Any], *rows: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(benchmark_json.text(Run(header, rows)))
    return found


def test_it_names_machine_and_commit_as_pytest_benchmark_does() -> None:
    made = document(HEADER, ROW)
    assert made["machine_info"] == {
        **{"node": "bench", "processor": "", "machine": "aarch64", "system": "Linux", "release": "6.1"},
        **{"python_version": "3.11.7", "python_implementation": "CPython", "python_implementation_version": "3.11.7"},
        **{"python_compiler": "GCC 12", "python_build": ["main", "Jan 1"]},
        "cpu": {
            **{"brand_raw": "Cortex-A78", "arch": "ARM_8", "arch_string_raw": "aarch64", "bits": 64, "count": 4},
            **{"python_version": "3.11.7", "kind": "cpu", "model": "Cortex-A78", "logical_cores": 4},
            "governor": "unknown",
        },
        "packages": {"pytest-benchmark": "5.3.1"},
        "devices": HEADER["devices"],
    }
    assert made["commit_info"] == {
        **{"id": "c0ffee", "dirty": False, "branch": "main", "project": "nets"},
        **{"time": "2026-01-01T10:00:00+01:00", "author_time": "2026-01-01T09:00:00+01:00"},
    }
    assert (made["version"], made["datetime"]) == ("5.3.1", HEADER["started"])
    (entry,) = made["benchmarks"]
    assert entry["extra_info"]["trials"] == [{"first": 0, "count": 3}]
    assert (entry["stats"]["ops"], entry["stats"]["mean"]) == (2.0, 0.5)


def test_what_is_not_known_has_pytest_benchmarks_word_for_it() -> None:
    made = document({"run": "r", "commit": "unknown", "branch": "unknown"}, ROW)
    assert made["commit_info"] == {
        **{"id": "unversioned", "time": None, "author_time": None, "dirty": False},
        **{"project": "unknown", "branch": "(unknown)"},
    }
    assert made["machine_info"]["node"] == "unknown"
    assert made["machine_info"]["cpu"] == {}
    assert made["version"] == benchmark_json.VERSION


def bencher(made: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """What bencher's adapter python_pytest takes: latency (s) with bounds a standard deviation away."""
    found = {}
    for entry in made["benchmarks"]:
        mean, deviation = float(entry["stats"]["mean"]), float(entry["stats"]["stddev"])
        found[entry["fullname"]] = (mean, mean - deviation, mean + deviation)
    return found


def github_action_benchmark(made: dict[str, Any]) -> dict[str, tuple[float, str, str]]:
    """What github-action-benchmark's extractor for pytest takes: iterations per second, with a range and an extra."""
    found = {}
    for entry in made["benchmarks"]:
        stats = entry["stats"]
        extra = f"mean: {stats['mean']} sec\nrounds: {stats['rounds']}"
        found[entry["fullname"]] = (float(stats["ops"]), f"stddev: {stats['stddev']}", extra)
    return found


def tracker(made: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What a tool that keeps series by machine and commit takes: every key of pytest-benchmark's own, of its type."""
    assert datetime.fromisoformat(made["datetime"]).tzinfo is not None
    assert [int(part) for part in made["version"].split(".")] >= [3, 1, 0]  # the first with ops
    machine, commit = made["machine_info"], made["commit_info"]
    cpu = machine["cpu"]
    series = (machine["node"], machine["system"], machine["release"], machine["python_version"], cpu["brand_raw"])
    assert all(isinstance(part, str) and part for part in (*series, cpu["arch"], commit["id"], commit["branch"]))
    assert isinstance(cpu["count"], int)
    assert isinstance(commit["dirty"], bool)
    for moment in filter(None, (commit["time"], commit["author_time"])):
        assert datetime.fromisoformat(moment).tzinfo is not None
    found = {}
    for entry in made["benchmarks"]:
        stats = entry["stats"]
        assert isinstance(entry["group"], str)
        assert stats["rounds"] * stats["iterations"] == len(stats["data"])
        numbers = [stats[key] for key in ("min", "q1", "median", "q3", "max", "stddev", "iqr", "total")]
        assert all(isinstance(number, float) for number in numbers)
        assert stats["min"] <= stats["q1"] <= stats["median"] <= stats["q3"] <= stats["max"]
        found[entry["fullname"]] = (*series, entry["name"], entry["param"], stats["median"])
    return found


READERS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (bencher, github_action_benchmark, tracker)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_the_readers_of_other_tools_find_their_keys(reader: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    assert list(reader(document(HEADER, ROW))) == ["archbench/latency::test_latency[net-cpu-bs1]"]


def test_the_readers_take_what_they_should() -> None:
    made = document(HEADER, ROW)
    assert bencher(made).popitem()[1] == (0.5, 0.25, 0.75)
    assert github_action_benchmark(made).popitem()[1] == (2.0, "stddev: 0.25", "mean: 0.5 sec\nrounds: 3")


def compared(*files: Path) -> str:
    """What ``pytest-benchmark compare`` says of files, in milliseconds."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "--columns=min,median,rounds", "--time-unit=ms", *files],
        cwd=files[0].parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pytest_benchmark_compares_two_of_them(tmp_path: Path) -> None:
    """Its own command, on two runs of which the second takes twice as long."""
    slower = {**ROW, "samples": [0.5, 1.0, 1.5]}
    for name, row in (("0001_before", ROW), ("0002_after", slower)):
        (tmp_path / f"{name}.json").write_text(json.dumps(document(HEADER, row)))
    said = compared(tmp_path / "0001_before.json", tmp_path / "0002_after.json")
    assert "benchmark 'latency cpu bs1': 2 tests" in said
    rows = {
        line.split()[1].strip("()").rpartition("/")[2]: line.split()[2:]
        for line in said.splitlines()
        if "test_latency[" in line
    }
    assert {name: (cells[0], cells[2]) for name, cells in rows.items()} == {
        "0001_before": ("250.0000", "500.0000"),
        "0002_after": ("500.0000", "1,000.0000"),
    }
