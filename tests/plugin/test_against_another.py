"""Bench runs against another revision and another environment, in real repositories."""

from __future__ import annotations

import math
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from lifecycle import QUICK, SLEEPING, Ran, bench, environment, journal, run, start, write

NETS = (
    SLEEPING
    + """

def a_same():
    return Sleeping(0.003)


def b_slower():
    return Sleeping(0.003)


def c_faster():
    return Sleeping(0.006)


def d_changed():
    return nn.Linear(4, 2)


def e_broken():
    return nn.Linear(4, 2)


def f_unlucky():
    raise ValueError("not yet")
"""
)
"""A linear layer of 4 to 2 has 4*2 + 2 = 10 parameters, one of 4 to 3 has 15."""

CHANGED = (
    NETS.replace("b_slower():\n    return Sleeping(0.003)", "b_slower():\n    return Sleeping(0.006)")
    .replace("c_faster():\n    return Sleeping(0.006)", "c_faster():\n    return Sleeping(0.003)")
    .replace("d_changed():\n    return nn.Linear(4, 2)", "d_changed():\n    return nn.Linear(4, 3)")
    .replace("e_broken():\n    return nn.Linear(4, 2)", "e_broken():\n    raise ValueError('seven is no even number')")
    .replace('raise ValueError("not yet")', "return nn.Linear(4, 2)")
)

PROJECT = """
[tool.archbench]
suite = "user"
metric = ["params", "latency", "throughput"]
tolerance = "20%"

[tool.archbench.architectures]
a_same = {factory = "nets:a_same", input = [4]}
b_slower = {factory = "nets:b_slower", input = [4]}
c_faster = {factory = "nets:c_faster", input = [4]}
d_changed = {factory = "nets:d_changed", input = [4]}
e_broken = {factory = "nets:e_broken", input = [4]}
f_unlucky = {factory = "nets:f_unlucky", input = [4]}
"""

HOOK = """
from torch import nn
from pytest_archbench.records import Architecture

def build():
    return nn.Linear(4, 2)

def pytest_archbench_architectures(config):
    return [Architecture("hooked", "mine", build, input_shape=(4,))]
"""

ONE = """
[tool.archbench]
suite = "user"
metric = "params"

[tool.archbench.architectures]
net = {factory = "nets:d_changed", input = [4]}
"""


def git(folder: Path, *arguments: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ("-c", "user.name=someone", "-c", "user.email=someone@example.org", "-c", "init.defaultBranch=main")
    asked = ["git", *who, *arguments]
    return subprocess.run(asked, cwd=folder, env=environment(own), capture_output=True, text=True, check=True).stdout


def commit(folder: Path, files: dict[str, str]) -> str:
    """Commit ``files`` and say which commit that is."""
    write(folder, files)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "a state of the project")
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for temporary files of these runs alone, so that they wait for nobody and leave nothing unseen."""
    return tmp_path_factory.mktemp("temporary")


def nothing_is_left(folder: Path, temporary: Path) -> bool:
    (tree,) = git(folder, "worktree", "list").splitlines()
    assert tree.split()[0] == str(folder.resolve())
    return [path.name for path in temporary.iterdir() if path.name.startswith("archbench-") and path.is_dir()] == []


def rows(ran: Ran) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["architecture"], row["metric"]): row for row in ran.rows}


def outcome(row: dict[str, Any]) -> str:
    (verdict,) = row["verdicts"]
    return str(verdict["outcome"])


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> Ran:
    """What is not committed against what is, under plain pytest, which puts no folder of the project on the path."""
    folder = tmp_path_factory.mktemp("project")
    commit(folder, {"nets.py": NETS, "conftest.py": HOOK, "pyproject.toml": PROJECT, ".gitignore": "reports\n"})
    new = f'{PROJECT}new = {{factory = "later:new", input = [4]}}\n'
    later = "from torch import nn\n\n\ndef new():\n    return nn.Linear(4, 2)\n"
    write(folder, {"nets.py": CHANGED, "later.py": later, "pyproject.toml": new})
    write(folder, {"conftest.py": HOOK.replace("nn.Linear(4, 2)", "nn.Linear(4, 3)")})
    plain = [str(Path(sys.executable).with_name("pytest")), "-p", "no:hypothesispytest", "-p", "no:anyio"]
    chosen = "params or a_same or b_slower or c_faster or (new and latency)"
    options = ("--archbench", *QUICK, "--archbench-against=HEAD", "-rs", "-k", chosen)
    asked, env = [*plain, *options], environment({"TMPDIR": str(temporary)})
    said = subprocess.run(asked, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return Ran(said.returncode, said.stdout + said.stderr, folder)


def label(ran: Ran) -> str:
    return f"HEAD ({git(ran.folder, 'rev-parse', 'HEAD')[:10]})"


def test_a_slower_network_fails_with_all_that_is_needed_to_doubt_it(compared: Ran) -> None:
    assert compared.code == 1, compared.output
    row = rows(compared)["b_slower", "latency"]
    (verdict,) = row["verdicts"]
    assert verdict["outcome"] == "regressed"
    assert verdict["source"] == label(compared)
    assert verdict["change"] == pytest.approx(1, abs=0.2)
    pairs = len(row["against"]["log_ratios"])
    assert 5 <= pairs <= 20
    for words in (
        f", regressed (+{100 * verdict['change']:.1f} %) from {label(compared)}: worse by more than 20.0 %",
        "; the change lies between +",
        f"; {pairs} pairs, ",
    ):
        assert words in verdict["reason"]
    assert verdict["reason"] in compared.output
    assert outcome(rows(compared)["b_slower", "throughput"]) == "regressed"


def test_an_unchanged_and_a_faster_network_pass(compared: Ran) -> None:
    found = {case: outcome(row) for case, row in rows(compared).items() if case[1] != "params"}
    assert found["a_same", "latency"] == found["a_same", "throughput"] == "passed"
    assert found["c_faster", "latency"] == found["c_faster", "throughput"] == "improved"
    assert compared.outcomes["passed"] == 4 + 3  # their times and rates; parameters of the three that sleep


def test_a_count_is_compared_exactly(compared: Ran) -> None:
    found = rows(compared)
    assert {name: outcome(found[name, "params"]) for name in ("a_same", "d_changed", "hooked")} == {
        "a_same": "passed",
        "d_changed": "deviates",
        "hooked": "deviates",
    }
    for name in ("d_changed", "hooked"):
        (verdict,) = found[name, "params"]["verdicts"]
        assert f"{name} params: 15, deviates (+50.0 %) from {label(compared)} 10: 15 instead of 10" in verdict["reason"]
        assert verdict["reason"] in compared.output
        assert found[name, "params"]["against"]["value"] == 10


def test_what_the_other_side_lacks_is_skipped_with_its_name(compared: Ran) -> None:
    """A module that lies here, uncommitted, is not taken for the other side's."""
    skipped = [line for line in compared.output.splitlines() if line.startswith("SKIPPED")]
    for metric in ("params", "latency"):
        (line,) = [line for line in skipped if f": new {metric}: " in line]
        assert label(compared) in line
        assert "No module named 'later'" in line
    (line,) = [line for line in skipped if ": f_unlucky params: " in line]
    assert "not yet" in line


def test_what_fails_here_fails(compared: Ran) -> None:
    row = rows(compared)["e_broken", "params"]
    assert row["status"] == "failed"
    assert "e_broken params: failed: ValueError: seven is no even number" in compared.output
    # Failed: this one, the two changed counts, and the slower time and rate.
    assert compared.outcomes["failed"] == 5
    assert "Traceback" not in compared.output


def test_the_journal_keeps_the_other_side(compared: Ran) -> None:
    head = git(compared.folder, "rev-parse", "HEAD").strip()
    assert compared.header["environment"]["against"] == {"revision": "HEAD", "commit": head}
    assert compared.header["dirty"] is True
    for row in compared.rows:
        told = row["against"]
        assert (told["side"], told["revision"], told["commit"]) == (label(compared), "HEAD", head)
        assert told["tolerance"] == 0.2
    row = rows(compared)["b_slower", "latency"]
    assert len(row["against"]["trials"]) == len(row["trials"]) == len(row["against"]["log_ratios"])
    theirs = [sample for trial in row["against"]["trials"] for sample in trial["samples"]]
    assert len(theirs) == len(row["samples"])
    assert min(row["samples"]) >= 0.006 > 0.005 > sorted(theirs)[len(theirs) // 2] >= 0.003
    assert all(math.log(1.5) < ratio < math.log(3) for ratio in row["against"]["log_ratios"])


def test_nothing_is_left_behind(compared: Ran, temporary: Path) -> None:
    assert nothing_is_left(compared.folder, temporary)


def test_a_journal_holds_one_other_side(compared: Ran, temporary: Path) -> None:
    env = {"TMPDIR": str(temporary)}
    said = bench(compared.folder, "--archbench-resume", env=env).refuses()
    assert "environment.against was {'revision': 'HEAD', 'commit': '" in said
    assert "one journal holds one environment" in said


def test_collecting_checks_nothing_out(compared: Ran, temporary: Path) -> None:
    env = {"TMPDIR": str(temporary)}
    ran = run(compared.folder, "--archbench", "--archbench-against=no-such-revision", "--co", "-q", env=env)
    assert ran.code == 0, ran.output
    assert len(ran.ids) == 8 * 3


@pytest.mark.parametrize("layout", [pytest.param("flat", marks=pytest.mark.slow), "src"])
def test_a_project_in_a_folder_of_the_repository(tmp_path: Path, temporary: Path, layout: str) -> None:
    inner = "" if layout == "flat" else "src/"
    ini = "" if layout == "flat" else '\n[tool.pytest.ini_options]\npythonpath = "src"\n'
    commit(tmp_path, {f"deep/down/{inner}nets.py": NETS, "deep/down/pyproject.toml": ONE + ini, "other.txt": "one"})
    commit(tmp_path, {"other.txt": "two"})
    write(tmp_path, {f"deep/down/{inner}nets.py": CHANGED})
    ran = bench(tmp_path / "deep/down", "--archbench-against=HEAD~1", env={"TMPDIR": str(temporary)})
    assert (ran.code, ran.outcomes) == (1, {"failed": 1}), ran.output
    (row,) = ran.rows
    assert (row["value"], row["against"]["value"]) == (15, 10)
    assert "from HEAD~1 (" in ran.output
    assert nothing_is_left(tmp_path, temporary)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project of one network, committed."""
    commit(tmp_path, {"nets.py": NETS, "pyproject.toml": ONE, ".gitignore": "reports\n"})
    return tmp_path


def test_it_refuses_what_is_no_revision(repository: Path, temporary: Path) -> None:
    def refused(folder: Path, *options: str, **env: str) -> str:
        return run(folder, "--archbench", *options, env={"TMPDIR": str(temporary), **env}).refuses()

    said = refused(repository, "--archbench-against=manes")
    assert (
        "archbench: --archbench-against=manes: no revision is called 'manes'; expected a revision such as main" in said
    )
    said = refused(repository, "--archbench-against=HEAD", PATH="")
    assert "--archbench-against=HEAD: git cannot be run: No such file or directory; install it" in said
    said = refused(repository, "--archbench-against=HEAD", f"--archbench-against-python={sys.executable}")
    assert "--archbench-against and --archbench-against-python: each is a comparison; give one of them" in said
    assert nothing_is_left(repository, temporary)
    (temporary / "no-repository").mkdir(exist_ok=True)
    assert "not a git repository" in refused(temporary / "no-repository", "--archbench-against=HEAD")


def test_a_run_that_is_refused_later_leaves_no_checkout(repository: Path, temporary: Path) -> None:
    write(repository, {"baselines/devices/cpu.jsonl": "{\n"})
    said = run(repository, "--archbench", "--archbench-against=HEAD", env={"TMPDIR": str(temporary)}).refuses()
    assert "cpu.jsonl:1: expected a JSON object" in said
    assert nothing_is_left(repository, temporary)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


@pytest.fixture
def endless(repository: Path, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A run against a revision whose measuring process never answers."""
    stuck = "class Stuck(nn.Module):\n    def forward(self, x):\n        open('running', 'w').close()\n"
    stuck += "        time.sleep(600)\n\n\ndef stuck():\n    return Stuck()\n"
    settings = ONE.replace('"params"', '"latency"').replace("nets:d_changed", "nets:stuck")
    commit(repository, {"nets.py": f"{NETS}\n\n{stuck}", "pyproject.toml": settings})
    process = start(repository, "--archbench", *QUICK, "--archbench-against=HEAD", env={"TMPDIR": str(temporary)})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_ctrl_c_leaves_no_checkout_and_no_process(
    repository: Path, endless: subprocess.Popen[str], temporary: Path
) -> None:
    wait_until((repository / "running").exists, "a network is timed")
    assert len(git(repository, "worktree", "list").splitlines()) == 2
    children = psutil.Process(endless.pid).children(recursive=True)
    assert len(children) >= 2
    os.killpg(endless.pid, signal.SIGINT)  # as a terminal does: to the whole group
    output, _ = endless.communicate(timeout=60)
    assert endless.returncode == 2, output
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert nothing_is_left(repository, temporary)


@pytest.mark.slow
def test_it_compares_under_xdist(repository: Path, temporary: Path) -> None:
    write(repository, {"nets.py": CHANGED, "pyproject.toml": PROJECT})
    chosen = ("-k", "d_changed or (b_slower and latency)")
    ran = bench(repository, "-n", "2", "--archbench-against=HEAD", *chosen, env={"TMPDIR": str(temporary)})
    assert ran.code == 1, ran.output
    found = rows(ran)
    assert outcome(found["b_slower", "latency"]) == "regressed"
    assert outcome(found["d_changed", "params"]) == "deviates"
    assert set(ran.cases.values()) == {1}
    assert nothing_is_left(repository, temporary)


SLOWED = NETS.replace("time.sleep(self.seconds)", "time.sleep(self.seconds * float(os.environ.get('SLOWNESS', 1)))")


def wrapper(path: Path, text: str) -> Path:
    """A program in place of a Python."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def slower_python(folder: Path, times: float) -> Path:
    """An environment in which networks sleep longer."""
    here = shlex.quote(sys.executable)
    return wrapper(folder / "python", f'SLOWNESS={times} exec {here} "$@"')


@pytest.mark.slow
def test_a_slower_environment_is_told_from_this_one(tmp_path: Path, temporary: Path) -> None:
    """Ours is the slower one: it is the other side that a variable makes quick."""
    settings = PROJECT.replace('"throughput"', '"activations"')
    write(tmp_path, {"nets.py": SLOWED, "pyproject.toml": settings})
    quicker = slower_python(tmp_path, 0.5)
    options = (f"--archbench-against-python={quicker}", "--archbench-arch=c_faster,d_changed")
    env = {"TMPDIR": str(temporary)}
    ran = bench(tmp_path, *options, "-k", "c_faster or params", env=env)
    assert ran.code == 1, ran.output
    found = rows(ran)
    assert outcome(found["c_faster", "latency"]) == "regressed"
    assert outcome(found["d_changed", "params"]) == outcome(found["c_faster", "activations"]) == "passed"
    facts = ran.header["environment"]["against"]
    assert facts["executable"] == str(quicker)
    versions = ran.header["environment"]["packages"]
    assert facts["versions"]["torch"].split("+")[0] == versions["torch"].split("+")[0]
    assert f"from {quicker} (torch {facts['versions']['torch']}): worse by more than" in ran.output
    (source,) = {row["against"]["side"] for row in ran.rows}
    assert source == f"{quicker} (torch {facts['versions']['torch']})"
    assert not [path for path in temporary.iterdir() if path.is_dir() and path.name.startswith("archbench-")]


@pytest.mark.slow
def test_this_very_environment_is_no_slower_than_itself(tmp_path: Path, temporary: Path) -> None:
    write(tmp_path, {"nets.py": NETS, "pyproject.toml": PROJECT})
    options = (f"--archbench-against-python={sys.executable}", "--archbench-arch=a_same")
    ran = bench(tmp_path, *options, env={"TMPDIR": str(temporary)})
    assert (ran.code, ran.outcomes) == (0, {"passed": 3}), ran.output
    assert {outcome(row) for row in ran.rows} == {"passed"}


def test_it_refuses_what_is_no_usable_python(tmp_path: Path, temporary: Path) -> None:
    write(tmp_path, {"nets.py": NETS, "pyproject.toml": ONE})
    old = wrapper(tmp_path / "old", "echo 3 8")
    for python, sentence in (
        ("no/such/python", "there is no such program; expected a Python, such as other/.venv/bin/python"),
        (str(old), "expected Python 3.10 or newer; got 3.8"),
    ):
        said = run(tmp_path, "--archbench", f"--archbench-against-python={python}", env={"TMPDIR": str(temporary)})
        assert f"archbench: --archbench-against-python={python}: {sentence}" in said.refuses()
    assert not (tmp_path / "reports").exists()


def test_other_tests_of_the_project_run_as_ever(repository: Path, temporary: Path) -> None:
    own = "def test_own(archbench):\n    from nets import d_changed\n"
    own += "    archbench.check(d_changed(), params=10, input_shape=(4,), name='own')\n"
    write(repository, {"test_own.py": own})
    ran = bench(repository, "--archbench-against=HEAD", env={"TMPDIR": str(temporary)})
    assert (ran.code, ran.outcomes) == (0, {"passed": 2}), ran.output
    assert {row["architecture"]: "against" in row for row in journal(repository)[1:]} == {"net": True, "own": False}
