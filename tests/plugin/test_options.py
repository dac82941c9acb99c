"""Options by command line, ini file and pyproject.toml, and which of them wins."""

from __future__ import annotations

from pathlib import Path

import pytest
from lifecycle import TINY, Ran, run, write

OWNER = """
def pytest_addoption(parser):
    parser.addoption("--device", default="theirs", choices=["theirs", "other"])

def pytest_report_header(config):
    return f"their device: {config.getoption('--device')}"
"""


def listing(folder: Path, *arguments: str) -> Ran:
    return run(folder, "--archbench", "--archbench-suite=user", "--archbench-metric=latency", "--co", *arguments)


def batches(folder: Path, *arguments: str) -> list[str]:
    """The batch sizes of the latency cases that would run."""
    return [name.rpartition("-bs")[2].rstrip("]") for name in listing(folder, "-q", *arguments).ids]


@pytest.mark.parametrize(
    ("files", "arguments", "expected"),
    [
        ({}, (), ["1"]),
        ({"pyproject.toml": f"[tool.archbench]\nbatch-size = [8, 2]\n{TINY}"}, (), ["2", "8"]),
        ({"pyproject.toml": f"[tool.archbench]\nbatch_size = 4\n{TINY}"}, (), ["4"]),
        ({"pyproject.toml": f'[tool.pytest]\narchbench_batch_size = "16"\n{TINY}'}, (), ["16"]),
        ({"pyproject.toml": f"[tool.pytest.ini_options]\narchbench_batch_size = 16\n{TINY}"}, (), ["16"]),
        ({"pyproject.toml": f"[tool.archbench]\nbatch-size = 4\n{TINY}", "pytest.ini": "[pytest]\n"}, (), ["4"]),
        (
            {
                "pyproject.toml": f"[tool.archbench]\nbatch-size = 4\n{TINY}",
                "pytest.ini": "[pytest]\narchbench_batch_size = 3, 5\n",
            },
            (),
            ["3", "5"],
        ),
        (
            {
                "pyproject.toml": f"[tool.archbench]\nbatch-size = 4\n{TINY}",
                "pytest.ini": "[pytest]\narchbench_batch_size = 3\n",
            },
            ("--archbench-batch-size=32,1",),
            ["1", "32"],
        ),
        ({}, ("-o", "archbench_batch_size=6"), ["6"]),
    ],
)
def test_it_takes_an_option_from_the_nearest_place(
    project: Path, files: dict[str, str], arguments: tuple[str, ...], expected: list[str]
) -> None:
    assert batches(write(project, files), *arguments) == expected


def test_it_has_a_short_name_for_the_device(project: Path) -> None:
    assert "device 'cpu:7': there is one cpu" in listing(project, "--device=cpu:7").refuses()
    assert "unknown device 'gpu': did you mean xpu, cpu?" in listing(project, "--device", "gpu").refuses()
    assert listing(project, "--device=cpu", "-q").ids == ["archbench/latency::test_latency[tiny-cpu-bs1]"]
    write(project, {"pytest.ini": "[pytest]\narchbench_device = abacus\n"})
    assert "unknown device 'abacus'" in listing(project).refuses()


def test_it_leaves_the_short_name_to_whoever_has_it(project: Path) -> None:
    for files, plugin in (({"owner.py": OWNER}, ("-p", "owner")), ({"conftest.py": OWNER}, ())):
        write(project, files)
        theirs = listing(project, *plugin, "--device=other")
        assert theirs.code == 0, theirs.output
        assert "their device: other" in theirs.output
        assert "test_latency[tiny-cpu-bs1]" in theirs.output
        assert "unknown device 'gpu'" in listing(project, *plugin, "--archbench-device=gpu").refuses()


def test_it_claims_no_short_name_without_being_asked(project: Path) -> None:
    write(project, {"conftest.py": OWNER, "test_one.py": "def test_one(): pass\n"})
    ran = run(project, "--device=other")
    assert (ran.code, ran.outcomes) == (0, {"passed": 1})
    (project / "conftest.py").unlink()
    assert "unrecognized arguments: --device" in run(project, "--device=other").output
