"""Networks that the user declares in pyproject.toml or returns from the hook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lifecycle import NETS, QUICK, Ran, bench, environment, journal, run, write

DECLARED = """
[tool.archbench]
suite = "user"

[tool.archbench.architectures]
tiny = {factory = "mynets:tiny", input = [3, 32, 32], family = "mine", paper = "unpublished"}
called = {factory = "mynets:tiny", input = "mynets:tiny_input"}
several = {factory = "mynets:Two", input = [[5], [7]]}
named = {factory = "mynets:Two", input = {right = [7], left = [5]}}
spectral = {factory = "mynets:Spectral", input = [3, 32, 32]}
unbuildable = {factory = "mynets:unbuildable", input = [3]}
unrunnable = {factory = "mynets:Unrunnable", input = [3]}
missing = {factory = "mynets:no_such_net", input = [3]}
nothing = {factory = "mynets:no_module", input = [3]}
"""
HOOK = """
from pytest_archbench.records import Architecture

def build():
    import mynets
    return mynets.tiny()

def pytest_archbench_architectures(config):
    return [Architecture("hooked", "mine", build, input_shape=(3, 16, 16))]
"""
# By hand (see mynets.py): tiny has 110632 MACs on 32 x 32 and 16*16*4*27 + 40 = 27688 on 16 x 16;
# Two has 5*2 + 2 + 7*2 + 2 = 28 parameters and 10 + 14 = 24 MACs.
VALUES = {
    ("tiny", "params"): 162,
    ("hooked", "macs"): 27688,
    ("tiny", "macs"): 110632,
    ("called", "macs"): 27688,
    ("several", "params"): 28,
    ("several", "macs"): 24,
    ("named", "macs"): 24,
    ("spectral", "params"): 112,
    ("spectral", "macs"): 30 * 30 * 4 * 27,
}


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run of every network above."""
    folder = tmp_path_factory.mktemp("declared")
    nets = f"{NETS}\n\ndef no_module():\n    return {{}}\n"
    write(folder, {"mynets.py": nets, "conftest.py": HOOK, "pyproject.toml": DECLARED})
    return bench(folder, "--archbench-metric=params,macs,latency", "-rs")


def test_it_counts_declared_and_hooked_networks(declared: Ran) -> None:
    rows = {(row["architecture"], row["metric"]): row for row in declared.rows}
    assert len(rows) == len(declared.rows) == 30
    assert {case: rows[case]["value"] for case in VALUES} == VALUES
    assert rows["tiny", "params"]["family"] == "mine"
    assert rows["named", "macs"]["conditions"]["input_shape"] == {"left": [5], "right": [7]}
    assert rows["called", "latency"]["conditions"]["input_shape"] == [3, 16, 16]


def test_it_skips_what_nobody_has_published_and_passes_none_of_it(declared: Ran) -> None:
    assert (declared.code, declared.outcomes) == (1, {"failed": 12, "skipped": 18}), declared.output
    for row in declared.rows:
        if row["architecture"] in ("tiny", "called", "several", "named", "hooked"):
            assert [verdict["outcome"] for verdict in row["verdicts"]] == ["no baseline"]
    assert "tiny params: 162, no baseline" in declared.output


def test_it_goes_on_after_a_broken_network_and_says_what_broke_it(declared: Ran) -> None:
    rows = {(row["architecture"], row["metric"]): row for row in declared.rows}
    for name, words in {
        "unbuildable": "ValueError: seven is no even number",
        "unrunnable": "KeyError: 'no such head'",
        "missing": "module 'mynets' has no attribute 'no_such_net'",
        "nothing": "TypeError: mynets:no_module: expected a torch.nn.Module; got dict",
    }.items():
        for metric in ("params", "macs", "latency"):
            assert rows[name, metric]["status"] == "failed"
            assert words in rows[name, metric]["message"]
            assert f"{name} {metric}: failed: " in declared.output
    assert "Traceback" not in declared.output
    assert "measured: 12 failed, 18 ok" in declared.output
    assert "verdicts: 12 failed, 1 inconclusive, 17 no baseline" in declared.output


def test_it_does_not_pass_a_count_with_unknown_operators(declared: Ran) -> None:
    row = next(row for row in declared.rows if (row["architecture"], row["metric"]) == ("spectral", "macs"))
    assert any("fft" in operator for operator in row["uncounted"])
    assert [verdict["outcome"] for verdict in row["verdicts"]] == ["inconclusive"]
    assert "spectral macs: 97.20 kMAC, inconclusive: operators without a formula: aten._fft_c2c" in declared.output


def test_it_stops_at_a_failure_and_returns_to_it(tmp_path: Path) -> None:
    write(tmp_path, {"mynets.py": NETS, "pyproject.toml": DECLARED})
    options = ("--archbench-metric=params", "--archbench-arch=tiny,unbuildable,unrunnable")
    failed = "archbench/counts::test_params[unbuildable-cpu-bs1]"
    first = bench(tmp_path, *options, "-x")
    assert (first.code, first.outcomes) == (1, {"failed": 1, "skipped": 1})
    assert [row["architecture"] for row in first.rows] == ["tiny", "unbuildable"]
    assert run(tmp_path, "--archbench", *options, "--lf", "--co", "-q").ids == [failed]
    mended = NETS.replace('raise ValueError("seven is no even number")', "return nn.Linear(3, 1)")
    write(tmp_path, {"mynets.py": mended})
    again = bench(tmp_path, *options, "--lf")
    assert (again.code, again.outcomes) == (0, {"skipped": 1, "deselected": 2})


def test_it_refuses_what_a_hook_may_not_return(tmp_path: Path) -> None:
    conftest = "def pytest_archbench_architectures(config):\n    return {}\n"
    for answer, sentence in (
        ('"tiny"', "pytest_archbench_architectures: expected a list of Architecture; got 'tiny'"),
        ("[1]", "pytest_archbench_architectures: expected a list of Architecture; got [1]"),
    ):
        write(tmp_path, {"conftest.py": conftest.format(answer)})
        assert sentence in run(tmp_path, "--archbench", "--archbench-suite=user").refuses()


def test_it_adds_own_networks_to_the_seeds(tmp_path: Path) -> None:
    write(tmp_path, {"mynets.py": NETS, "conftest.py": HOOK})
    options = ("--archbench", "--archbench-metric=macs", "--co", "-q")
    ids = run(tmp_path, *options).ids
    assert "archbench/counts::test_macs[hooked-cpu-bs1]" in ids
    assert "archbench/counts::test_macs[resnet50-cpu-bs1]" in ids
    assert ids == sorted(ids)
    assert run(tmp_path, *options, "--archbench-suite=user").ids == ["archbench/counts::test_macs[hooked-cpu-bs1]"]


def test_it_finds_a_module_beside_the_pyproject_under_plain_pytest(project: Path) -> None:
    """``python -m pytest``, as everywhere else here, would put the current folder on the path."""
    plain = Path(sys.executable).with_name("pytest")
    (project / "below").mkdir()
    options = ("--archbench", "--archbench-suite=user", "--archbench-metric=params,latency", "--rootdir=..", *QUICK)
    ended = subprocess.run([plain, *options], cwd=project / "below", env=environment(), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
    found = [(row["architecture"], row["metric"], row["status"]) for row in journal(project)[1:]]
    assert found == [("tiny", "params", "ok"), ("tiny", "latency", "ok")]
