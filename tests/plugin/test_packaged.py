"""The packaged suite in an empty folder, and pytest's own ways of choosing from it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from lifecycle import ANYWHERE, Ran, bench, run, write

# torchvision's suite has both networks and is listed without importing torch.
ONE = ("--archbench-suite=torchvision", "--archbench-arch=squeezenet1_1", "--archbench-metric=params,macs")
TWO = (
    "--archbench-suite=torchvision",
    "--archbench-arch=squeezenet1_1,alexnet",
    f"--archbench-metric={','.join(ANYWHERE)}",
)
PARAMS, MACS = (
    "archbench/counts::test_params[squeezenet1_1-cpu-bs1]",
    "archbench/counts::test_macs[squeezenet1_1-cpu-bs1]",
)
EVERY = [
    f"archbench/{module}::test_{metric}[{name}-cpu-bs1]"
    for module, metrics in {
        "counts": ("params", "macs", "activations", "model_size"),
        "latency": ("latency", "throughput"),
        "memory": ("peak_memory", "peak_host_memory"),
    }.items()
    for metric in metrics
    for name in ("alexnet", "squeezenet1_1")
]


def listed(folder: Path, *arguments: str) -> list[str]:
    ran = run(folder, "--archbench", "--co", "-q", *arguments)
    assert ran.code == 0, ran.output
    return ran.ids


def test_it_runs_in_an_empty_folder(packaged: Ran) -> None:
    assert packaged.code == 0
    # The counts of both are published, except activations; a time on this machine is comparable with nobody's.
    assert packaged.outcomes == {"passed": 6, "skipped": 10}
    assert packaged.cases == {(name, metric): 1 for name in ("alexnet", "squeezenet1_1") for metric in ANYWHERE}
    found = {(row["architecture"], row["metric"]): row["value"] for row in packaged.rows}
    assert found["alexnet", "params"] == 61_100_840
    assert found["squeezenet1_1", "params"] == 1_235_496
    assert all(row["status"] == "ok" for row in packaged.rows)


def test_it_closes_with_counts_of_verdicts_and_where_everything_lies(packaged: Ran) -> None:
    summary = packaged.output.partition(" archbench ==")[2]
    assert "measured: 16 ok" in summary
    judged = [verdict["outcome"] for row in packaged.rows for verdict in row["verdicts"]]
    for outcome in set(judged):
        assert f"{judged.count(outcome)} {outcome}" in summary
    for name in ("measurements.jsonl", "index.html", "summary.md", "measurements.csv", "benchmark.json"):
        assert f"  reports/{name}" in summary
        assert (packaged.folder / "reports" / name).stat().st_size > 0


def test_it_writes_junit_xml_with_every_case(packaged: Ran) -> None:
    cases = ElementTree.parse(packaged.folder / "junit.xml").getroot().iter("testcase")
    assert sorted(case.attrib["name"] for case in cases) == sorted(name.partition("::")[2] for name in EVERY)


def test_its_node_ids_are_the_same_from_anywhere(tmp_path: Path) -> None:
    inner = tmp_path / "deep/er"
    write(inner, {"test_nothing.py": "", "../setup.cfg": "[tool:pytest]\n"})
    assert listed(tmp_path, *TWO) == EVERY
    assert listed(inner, *TWO) == EVERY
    assert listed(inner, *TWO, f"--rootdir={tmp_path}") == EVERY
    assert listed(tmp_path, *TWO, ".") == EVERY


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({}, ("--import-mode=importlib",)),
        ({}, ("--strict-markers", "--strict-config")),
        ({}, ("-p", "no:benchmark")),
        ({}, ("-p", "no:xdist")),
        ({}, ("-p", "no:cacheprovider", "-p", "no:terminalreporter")),
        ({"pytest.ini": "[pytest]\nstrict = true\n"}, ()),
        ({"pytest.ini": "[pytest]\nempty_parameter_set_mark = fail_at_collect\n"}, ()),
        ({"pytest.ini": "[pytest]\npython_functions = check_*\npython_files = check_*.py\n"}, ()),
        ({"pytest.ini": "[pytest]\ntestpaths = tests\n", "tests/test_one.py": "def test_one(): pass\n"}, ()),
        ({"pytest.toml": '[pytest]\nstrict = true\ntestpaths = ["tests"]\n', "tests/test_one.py": ""}, ()),
        ({"pyproject.toml": "[tool.pytest]\nstrict = true\n"}, ()),
        ({"pytest.ini": "[pytest]\naddopts = --archbench\n"}, ()),
        ({"archbench/test_mine.py": "def test_mine(): pass\n"}, ()),
    ],
)
def test_it_is_collected_whatever_the_configuration(
    tmp_path: Path, files: dict[str, str], arguments: tuple[str, ...]
) -> None:
    ran = run(write(tmp_path, files), "--archbench", *ONE, "--co", "-q", *arguments)
    if "no:terminalreporter" in arguments:
        assert (ran.code, ran.output) == (0, "")
    else:
        assert (ran.code, ran.ids) == (0, [PARAMS, MACS]), ran.output


def test_it_runs_under_a_strict_configuration(tmp_path: Path) -> None:
    """All at once: what is collected under each of them also runs under all."""
    write(
        tmp_path,
        {
            "pyproject.toml": (
                '[tool.pytest]\nstrict = true\ntestpaths = ["tests"]\npython_functions = ["check_*"]\n'
                'addopts = ["--import-mode=importlib"]\nfilterwarnings = ["error"]\n'
                '[tool.archbench]\narch = "squeezenet1_1"\nmetric = ["params", "latency"]\n'
            ),
            "tests/test_one.py": "def check_one(): pass\n",
        },
    )
    ran = bench(tmp_path, "-p", "no:benchmark", "-p", "no:xdist", "-q")
    assert (ran.code, ran.outcomes) == (0, {"passed": 1, "skipped": 1, "deselected": 1}), ran.output
    assert ran.cases == {("squeezenet1_1", "params"): 1, ("squeezenet1_1", "latency"): 1}
    assert "measured: 2 ok" in ran.output
    assert "test_params" not in ran.output, "quiet is quiet"


def test_it_obeys_pytests_own_choosing(tmp_path: Path) -> None:
    macs = [name for name in EVERY if "test_macs" in name]
    assert listed(tmp_path, *TWO, "-k", "macs and not alexnet") == [macs[1]]
    assert listed(tmp_path, *TWO, "-m", "archbench", "--deselect", macs[0]) == [
        name for name in EVERY if name != macs[0]
    ]
    assert run(tmp_path, "--archbench", *TWO, "--co", "-q", "-m", "not archbench").code == 5
    assert listed(tmp_path, *TWO, macs[1], macs[0]) == [macs[1], macs[0]]
    assert listed(tmp_path, *TWO, "archbench/counts::test_macs") == macs
    assert listed(tmp_path, *TWO, "archbench/latency") == [name for name in EVERY if "/latency::" in name]


def test_it_runs_a_single_node_id_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, {"test_broken.py": "raise RuntimeError('not asked for')\n"})
    ran = bench(tmp_path, *ONE, PARAMS)
    assert (ran.code, ran.outcomes) == (0, {"passed": 1, "deselected": 1})
    assert ran.cases == {("squeezenet1_1", "params"): 1}


def test_it_refuses_a_node_id_that_names_nothing(tmp_path: Path) -> None:
    said = bench(tmp_path, "archbench/counts::test_macs[squeezenet9-cpu-bs1]").refuses()
    assert "no case is called archbench/counts::test_macs[squeezenet9-cpu-bs1]" in said
    assert "--co -q lists them" in said
