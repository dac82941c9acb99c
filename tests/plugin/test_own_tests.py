"""A bench run in a folder with the user's own tests, and the ``archbench`` fixture in them."""

from __future__ import annotations

import re
from pathlib import Path

from lifecycle import bench, lines_of, run, write

MIXED = """
import pytest

def test_ordinary():
    assert True

def test_tiny(archbench):
    from mynets import tiny
    archbench.check(tiny(), params=162, input_shape=(3, 32, 32), name="mine")

@pytest.mark.archbench(metric="macs")
def test_every_net(archbench, archbench_case):
    archbench.judge(archbench_case)

@pytest.mark.archbench(metric="latency")
def test_not_asked_for(archbench, archbench_case):
    archbench.judge(archbench_case)
"""
MACS = "--archbench-metric=macs"


def test_it_adds_the_packaged_suite_to_the_tests_that_use_archbench(project: Path) -> None:
    write(project, {"tests/test_mixed.py": MIXED, "tests/test_other.py": "def test_other(): pass\n"})
    own = ["tests/test_mixed.py::test_tiny", "tests/test_mixed.py::test_every_net[tiny-cpu-bs1]"]
    packaged = ["archbench/counts::test_macs[tiny-cpu-bs1]"]
    options = ("--archbench", "--archbench-suite=user", MACS, "--co", "-q")
    assert run(project, *options).ids == [*own, *packaged]
    assert run(project, *options, ".").ids == [*own, *packaged]
    assert run(project, *options, "tests").ids == own
    assert run(project, *options, "tests/test_mixed.py::test_tiny").ids == own[:1]
    assert run(project, *options, own[0], *packaged).ids == [own[0], *packaged]
    assert "3/6 tests collected (3 deselected)" in run(project, *options).output


def test_it_runs_a_users_own_bench_cases(project: Path) -> None:
    ran = bench(write(project, {"test_mixed.py": MIXED}), "--archbench-suite=user", MACS, "test_mixed.py", "-rs")
    # Nobody has published a figure of this network: its case is skipped, never passed.
    assert (ran.code, ran.outcomes) == (0, {"passed": 1, "skipped": 1, "deselected": 2}), ran.output
    (skipped,) = lines_of(ran.output, "SKIPPED")
    assert re.search(r"test_mixed\.py:\d+: tiny macs: .+, no baseline: ", skipped)
    assert ran.cases["tiny", "macs"] == 1
    assert ran.cases["mine", "params"] == 1


def test_it_explains_a_marker_that_says_too_little(project: Path) -> None:
    for marker, said in (
        ("@pytest.mark.archbench", "archbench_case needs @pytest.mark.archbench(metric=...)"),
        ('@pytest.mark.archbench(metric="latancy")', "unknown metric 'latancy': did you mean latency?"),
    ):
        case = f"import pytest\n\n{marker}\ndef test_case(archbench, archbench_case): pass\n"
        ran = bench(write(project, {"test_case.py": case}), "--archbench-suite=user", "test_case.py")
        assert ran.code == 2
        assert f"test_case.py::test_case: {said}" in ran.output
        assert "Traceback" not in ran.output
        assert "session.py" not in ran.output
