"""The journal while a run lives, dies, goes on and meets another."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from lifecycle import QUICK, Ran, bench, command, environment, journal, lines_of, run, start, write

NETS = '''
import time
from pathlib import Path

from torch import nn


def _built(name):
    with open("built.txt", "a") as log:
        log.write(name + "\\n")


def quick():
    _built("quick")
    return nn.Linear(3, 2)


def stuck():
    """Built only once somebody allows it."""
    _built("stuck")
    while not Path("go").exists():
        time.sleep(0.05)
    return nn.Linear(3, 2)


def moody():
    _built("moody")
    if not Path("go").exists():
        raise RuntimeError("not today")
    return nn.Linear(3, 2)
'''
PROJECT = """
[tool.archbench]
suite = "user"
metric = ["params"]

[tool.archbench.architectures]
a_moody = {factory = "nets:moody", input = [3]}
b_quick = {factory = "nets:quick", input = [3]}
c_stuck = {factory = "nets:stuck", input = [3]}
"""
ROW_KEYS = {"schema", "architecture", "metric", "unit", "status", "value", "samples", "conditions", "verdicts", "notes"}


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """A project whose third network is not built before a file named ``go`` is there."""
    return write(tmp_path, {"nets.py": NETS, "pyproject.toml": PROJECT})


@contextmanager
def running(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A bench run that is ended, whatever happens."""
    process = start(folder, "--archbench", *arguments, env=env)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def holds(folder: Path, lines: int) -> Callable[[], bool]:
    path = folder / "reports/measurements.jsonl"
    return lambda: path.exists() and path.read_text().count("\n") >= lines


def built(folder: Path) -> list[str]:
    return (folder / "built.txt").read_text().split()


def statuses(folder: Path) -> list[tuple[str, str]]:
    return [(row["architecture"], row["status"]) for row in journal(folder)[1:]]


def test_it_has_a_header_and_a_row_for_each_measurement(packaged: Ran) -> None:
    assert {"schema", "run", "commit", "dirty", "environment", "devices"} <= set(packaged.header)
    assert packaged.header["schema"] == 1
    assert packaged.header["devices"]["cpu"]["kind"] == "cpu"
    assert packaged.header["environment"]["packages"]["torch"]
    for row in packaged.rows:
        assert set(row) >= ROW_KEYS
        assert row["conditions"]["device"] == "cpu"
        assert row["conditions"]["batch_size"] == 1
        assert row["conditions"]["input_shape"] == [3, 224, 224]
        assert row["conditions"]["dtype"] == "float32"
        assert row["conditions"]["threads"] == 1
        assert row["verdicts"]
        for verdict in row["verdicts"]:
            assert {"outcome", "source", "baseline", "unit", "change", "reason"} <= set(verdict)
    units = {row["metric"]: row["unit"] for row in packaged.rows}
    assert units == {
        "params": "count",
        "macs": "MAC",
        "activations": "count",
        "model_size": "B",
        "latency": "s",
        "throughput": "img/s",
        "peak_memory": "B",
        "peak_host_memory": "B",
    }


def test_it_survives_a_kill_and_is_resumed(stuck: Path) -> None:
    with running(stuck) as process:
        wait_until(holds(stuck, 3), "two cases were journalled")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert statuses(stuck) == [("a_moody", "failed"), ("b_quick", "ok")]
    first = journal(stuck)[0]
    write(stuck, {"go": "", "built.txt": ""})
    with (stuck / "reports/measurements.jsonl").open("a") as file:
        file.write('{"schema": 1, "architecture": "c_st')  # what a kill in the middle of a write leaves
    ran = bench(stuck, "--archbench-resume")
    assert (ran.code, ran.outcomes) == (0, {"skipped": 3}), ran.output
    assert set(built(stuck)) == {"moody", "stuck"}, "what was measured is not measured again"
    assert journal(stuck)[0] == first
    assert statuses(stuck) == [("a_moody", "failed"), ("b_quick", "ok"), ("a_moody", "ok"), ("c_stuck", "ok")]
    # Each case once in what is drawn from it: the failure was made good.
    assert "measured: 3 ok" in ran.output
    table = (stuck / "reports/measurements.csv").read_text()
    assert [line.partition(",")[0] for line in table.splitlines()[1:]] == ["b_quick", "a_moody", "c_stuck"]
    assert not (stuck / "reports/previous").exists()


def test_it_belongs_to_one_run_at_a_time(stuck: Path) -> None:
    with running(stuck) as process:
        wait_until(holds(stuck, 3), "the first run holds the journal")
        before = (stuck / "reports/measurements.jsonl").read_text()
        quick = built(stuck).count("quick")
        said = bench(stuck, "-k", "quick").refuses()
        assert f"archbench: another run writes to {stuck / 'reports'}; wait for it or give this one" in said
        assert built(stuck).count("quick") == quick, "refused before it measured anything"
        assert (stuck / "reports/measurements.jsonl").read_text() == before
        write(stuck, {"go": ""})
        process.communicate(timeout=120)
    assert statuses(stuck) == [("a_moody", "failed"), ("b_quick", "ok"), ("c_stuck", "ok")]


def test_it_is_kept_until_the_next_run_and_then_set_aside(stuck: Path) -> None:
    write(stuck, {"go": ""})
    bench(stuck, "-k", "quick")
    first = journal(stuck)
    collected = run(stuck, "--archbench", "--co", "-q")
    assert len(collected.ids) == 3
    said = bench(stuck, "--archbench-resume", "--archbench-threads=2").refuses()
    assert "threads was 1 and is 2 now; one journal holds one environment" in said
    said = bench(stuck, "--archbench-resume", "--archbench-counter=fvcore").refuses()
    assert "counter was 'archbench' and is 'fvcore' now" in said
    assert journal(stuck) == first, "neither collecting nor refusing touches anything"
    bench(stuck, "-k", "moody")
    assert statuses(stuck) == [("a_moody", "ok")]
    (kept,) = (stuck / "reports/previous").iterdir()
    assert [json.loads(line) for line in kept.read_text().splitlines()] == first
    assert first[0]["run"] in kept.name


FULL = """
import resource, signal, sys
import pytest

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(pytest.main(sys.argv[2:]))
"""
"""pytest on a disk that has room for files of so many bytes alone."""


def test_it_is_whole_after_the_disk_was_full_and_is_resumed(stuck: Path) -> None:
    write(stuck, {"go": "", "built.txt": ""})
    whole = bench(stuck)
    assert statuses(stuck) == [("a_moody", "ok"), ("b_quick", "ok"), ("c_stuck", "ok")], whole.output
    lines = (stuck / "reports/measurements.jsonl").read_bytes().splitlines(keepends=True)
    room = sum(map(len, lines[:3])) + len(lines[3]) // 2
    limited = [sys.executable, "-c", FULL, str(room), "--archbench", "-p", "no:cacheprovider", "-p", "no:anyio"]
    said = subprocess.run(
        limited, cwd=stuck, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    output = said.stdout + said.stderr
    assert said.returncode == 4, output
    path = stuck / "reports/measurements.jsonl"
    expected = f"archbench: the journal cannot be written: {path}: File too large; what was written before is whole"
    assert expected in output
    assert "INTERNALERROR" not in output
    assert statuses(stuck) == [("a_moody", "ok"), ("b_quick", "ok")]
    write(stuck, {"built.txt": ""})
    ran = bench(stuck, "--archbench-resume")
    assert (ran.code, ran.outcomes) == (0, {"skipped": 3}), ran.output
    assert built(stuck) == ["stuck"], "what was measured is not measured again"
    assert statuses(stuck) == [("a_moody", "ok"), ("b_quick", "ok"), ("c_stuck", "ok")]


COUNTED = "--archbench-metric=params,macs,activations,model_size"
IN_A_SMALL_FILESYSTEM = """
mount -t tmpfs -o size=8k tmpfs reports || exit 77
"$@"
code=$?
cp -r reports saved
exit $code
"""


def test_it_is_whole_on_a_filesystem_that_is_full(stuck: Path) -> None:
    write(stuck, {"go": "", "built.txt": ""})
    (stuck / "reports").mkdir()
    entered = ["unshare", "-Urm", "sh", "-c", IN_A_SMALL_FILESYSTEM, "sh"]
    if not shutil.which("unshare") or subprocess.run([*entered, "true"], cwd=stuck, check=False).returncode:
        pytest.skip("a filesystem of its own needs unshare and the right to mount")
    shutil.rmtree(stuck / "saved")
    said = subprocess.run(
        [*entered, *command("--archbench", COUNTED, "-p", "no:cacheprovider")],
        cwd=stuck,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    output = said.stdout + said.stderr
    assert said.returncode == 4, output
    assert "No space left on device; what was written before is whole" in output
    assert "INTERNALERROR" not in output
    shutil.rmtree(stuck / "reports")
    (stuck / "saved").rename(stuck / "reports")
    before = journal(stuck)
    assert 1 < len(before) < 1 + 3 * 4, "not every row had room"
    ran = bench(stuck, "--archbench-resume", COUNTED)
    assert ran.code == 0, ran.output
    assert journal(stuck)[: len(before)] == before
    assert set(ran.cases.values()) == {1}
    assert len(ran.cases) == 3 * 4


MANY = """
[tool.archbench]
suite = "user"
metric = ["params", "latency"]

[tool.archbench.architectures]
a = {factory = "nets:quick", input = [3]}
b = {factory = "nets:quick", input = [3]}
c = {factory = "nets:quick", input = [3]}
d = {factory = "nets:quick", input = [3]}
"""


@pytest.mark.slow
def test_whole_runs_may_be_killed_at_any_instant(stuck: Path) -> None:
    """Thirty kills, each resumed by the next run: nothing is lost but the case in flight."""
    write(stuck, {"pyproject.toml": MANY, "built.txt": ""})
    mark, generator = uuid.uuid4().hex, random.Random(30)
    cases = {(name, metric) for name in "abcd" for metric in ("params", "latency")}
    path = stuck / "reports/measurements.jsonl"
    before: list[str] = []
    for _ in range(30):
        with running(stuck, *QUICK, "--archbench-resume", env={"ARCHBENCH_MARK": mark}) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=generator.uniform(0.5, 8))
            process.send_signal(signal.SIGKILL)
            process.wait()
        wait_until(lambda: not marked(mark), "every process of the run had ended")
        found = path.read_text().splitlines(keepends=True) if path.exists() else []
        assert found[: len(before)] == before, "what stood there stands there"
        before = found
        if len(found) == 1 + len(cases):  # done: begin another
            assert Counter((row["architecture"], row["metric"]) for row in journal(stuck)[1:]) == Counter(cases)
            path.unlink()
            before = []
    ran = bench(stuck, "--archbench-resume")
    assert ran.code == 0, ran.output
    assert Counter((row["architecture"], row["metric"]) for row in ran.rows) == Counter(cases), "each case once"
    assert {row["status"] for row in ran.rows} == {"ok"}


def marked(mark: str) -> list[int]:
    """The living processes that were started with a mark in their environment."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.environ().get("ARCHBENCH_MARK") == mark and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each.pid)
    return found


def test_it_is_whole_after_ctrl_c_and_no_process_stays(stuck: Path) -> None:
    nets = NETS + (
        "\nclass Endless(nn.Module):\n"
        "    def forward(self, x):\n"
        "        open('running', 'w').close()\n"
        "        time.sleep(600)\n"
    )
    project = PROJECT.replace('"params"', '"params", "latency"').replace("nets:stuck", "nets:Endless")
    write(stuck, {"nets.py": nets, "pyproject.toml": project, "built.txt": ""})
    with running(stuck, "-k", "quick or (latency and stuck)") as process:
        wait_until((stuck / "running").exists, "the measuring process is at work")
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert "KeyboardInterrupt" in output
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert statuses(stuck) == [("b_quick", "ok"), ("b_quick", "ok")]
    assert list(lines_of(output, "measured: 2 ok"))
    assert (stuck / "reports/index.html").exists()
