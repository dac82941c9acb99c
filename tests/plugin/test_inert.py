"""The plugin in the pytest runs of someone who has it installed and does not use it."""

from __future__ import annotations

import json
from pathlib import Path

from lifecycle import run, write

HEAVY = {"torch", "torchvision", "timm", "fvcore", "pandas", "matplotlib", "numpy", "jinja2", "filelock", "psutil"}
WITNESS = """
import json, sys

def pytest_unconfigure():
    json.dump(sorted(sys.modules), open("modules.json", "w"))
"""
ORDINARY = """
def test_adds():
    assert 1 + 1 == 2

def test_fails():
    assert 1 + 1 == 3
"""


def imported(folder: Path) -> set[str]:
    return set(json.loads((folder / "modules.json").read_text()))


def test_it_imports_nothing_heavy_and_leaves_other_tests_alone(tmp_path: Path) -> None:
    write(tmp_path, {"conftest.py": WITNESS, "test_ordinary.py": ORDINARY})
    ran = run(tmp_path)
    assert ran.code == 1
    assert ran.outcomes == {"passed": 1, "failed": 1}
    assert "archbench-" in ran.output, "the plugin was not there at all"
    assert not imported(tmp_path) & HEAVY
    # Of its own it needs the table of options and little else: under 20 ms, most of which pytest spends on options.
    own = {name for name in imported(tmp_path) if name.startswith("pytest_archbench.")}
    assert own == {f"pytest_archbench.{name}" for name in ("plugin", "options", "hooks")}
    assert not (tmp_path / "reports").exists()


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    write(tmp_path, {"test_ordinary.py": ORDINARY})
    ran = run(tmp_path, "-p", "no:archbench", "-k", "adds", "--strict-config", "--strict-markers")
    assert (ran.code, ran.outcomes) == (0, {"passed": 1, "deselected": 1})
    refused = run(tmp_path, "-p", "no:archbench", "--archbench")
    assert refused.code == 4
    assert "unrecognized arguments: --archbench" in refused.output
    assert "--archbench" not in run(tmp_path, "-p", "no:archbench", "--help").output


def test_it_skips_a_bench_case_outside_a_bench_run(tmp_path: Path) -> None:
    case = """
import pytest

@pytest.mark.archbench(metric="macs")
def test_macs(archbench, archbench_case):
    archbench.judge(archbench_case)
"""
    ran = run(write(tmp_path, {"conftest.py": WITNESS, "test_case.py": case}), "-rs", "--strict-markers")
    assert (ran.code, ran.outcomes) == (0, {"skipped": 1})
    assert "a bench case: run pytest --archbench" in ran.output
    assert "torch" not in imported(tmp_path)


def test_it_lists_its_options_in_the_help(tmp_path: Path) -> None:
    said = run(tmp_path, "--help").output
    assert "--archbench-device=..." in said
    assert "archbench_device (string)" in said
    assert "@pytest.mark.archbench(metric)" in run(tmp_path, "--markers").output


def test_it_lists_the_timm_suite_without_building_any_model(tmp_path: Path) -> None:
    write(tmp_path, {"conftest.py": WITNESS})
    ran = run(tmp_path, "--archbench", "--archbench-suite=timm", "--co", "-q")
    assert ran.code == 0
    assert len(ran.ids) > 1000
    assert "archbench/counts::test_macs[resnet50-cpu-bs1]" in ran.ids
    assert not imported(tmp_path) & {"torch", "torchvision", "timm", "fvcore", "pandas", "matplotlib"}
    assert not (tmp_path / "reports").exists()
