"""Bench runs spread over two processes by pytest-xdist."""

from __future__ import annotations

import json
from pathlib import Path

from lifecycle import Ran, bench, run, write


def test_it_journals_every_case_once_under_xdist(project: Path, packaged: Ran) -> None:
    own = "def test_own(archbench):\n    from mynets import tiny\n    archbench.check(tiny(), params=162, name='own')\n"
    write(project, {"test_own.py": own.replace("name=", "input_shape=(3, 32, 32), name=")})
    ran = bench(project, "-n", "2", "--archbench-suite=user,torchvision", "--archbench-arch=tiny,squeezenet1_1")
    # squeezenet's parameters and MACs are published by torchvision; the test of one's own passes.
    assert (ran.code, ran.outcomes) == (0, {"passed": 3, "skipped": 14}), ran.output
    metrics = {row["metric"] for row in packaged.rows}
    counts = {"params", "macs", "activations", "model_size"}
    expected = {(name, metric) for name in ("tiny", "squeezenet1_1") for metric in metrics}
    assert ran.cases == dict.fromkeys(expected | {("own", metric) for metric in counts}, 1)
    assert all(row["status"] == "ok" for row in ran.rows)
    assert f"measured: {len(ran.rows)} ok" in ran.output
    document = json.loads((project / "reports/benchmark.json").read_text())
    samples = {row["architecture"]: row["samples"] for row in ran.rows if row["metric"] == "latency"}
    found = {entry["extra_info"]["architecture"]: entry["stats"]["data"] for entry in document["benchmarks"]}
    assert found == samples


def test_it_refuses_a_node_id_that_names_nothing_under_xdist(tmp_path: Path) -> None:
    said = run(tmp_path, "--archbench", "-n", "1", "archbench/counts::test_macs[no-such-net]").refuses()
    assert "no case is called archbench/counts::test_macs[no-such-net]" in said
