"""Faults put in on purpose: whatever a network does to its measuring process, its case alone has the harm."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hostile
import psutil
import pytest

from pytest_archbench import store
from pytest_archbench.meters import METERS
from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Settings, Status
from pytest_archbench.registry import METRICS
from pytest_archbench.runner import Runner

HERE = Path(__file__).parent
PATIENT, IMPATIENT = Settings(timeout=60), Settings(timeout=0.8)
MARK = "ARCHBENCH_FAULTS"
"""A variable by whose value the processes of a test are known, whatever has become of their parents."""


@pytest.fixture(scope="module")
def mark() -> str:
    return uuid.uuid4().hex


@pytest.fixture(scope="module", autouse=True)
def apart(tmp_path_factory: pytest.TempPathFactory, mark: str) -> Iterator[None]:
    """Locks of these tests alone, their processes marked, and the meter that runs hostile constructors."""
    folder = tmp_path_factory.mktemp("locks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("TMPDIR", str(folder))
        patch.setenv(MARK, mark)
        patch.setitem(METERS._entries, hostile.NAME, hostile.METER)
        patch.setitem(METRICS._entries, hostile.NAME, hostile.METRIC)
        yield
    for pid in marked(mark):  # a test that fails has left what it should have found gone
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """One runner for all, as a run has it: what one case does must not harm the next."""
    running = Runner(PATIENT)
    yield running
    running.close()


def case(deed: str, *arguments: float | str) -> Case:
    """A case that no other has asked for before."""
    name = f"{deed}-{uuid.uuid4().hex}"
    return Case(Architecture(name, "test", hostile.Build(deed, arguments)), hostile.NAME, Conditions("cpu"))


def marked(mark: str) -> set[int]:
    """The living processes that some test has started, this one left out."""
    found = set()
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.environ().get(MARK) == mark and each.status() != psutil.STATUS_ZOMBIE:
                found.add(each.pid)
    return found - {os.getpid()}


def left(mark: str, workers: set[int], within: float = 5) -> set[int]:
    """Marked processes beside the workers that are still there after some seconds: a killed one takes a moment."""
    until = time.monotonic() + within
    while (found := marked(mark) - workers) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def workers_of(runner: Runner) -> set[int]:
    return {worker.pid for worker in runner._workers.values() if worker.alive}


GONE, STAYS = False, True
"""What becomes of the process: it is replaced, or measures the next case too."""
FAULTS: list[tuple[str, Status, str, bool]] = [
    ("reads_address_zero", "crashed", "^the measuring process ended with signal SIGSEGV$", GONE),
    ("aborts", "crashed", "ended with signal SIGABRT$", GONE),
    ("kills_itself", "crashed", "ended with signal SIGKILL$", GONE),
    ("exits", "crashed", "ended with exit status 3$", GONE),
    ("leaves", "failed", r"^SystemExit: 5 \(in .*hostile\.py:\d+\)$", STAYS),
    ("interrupts", "failed", r"^KeyboardInterrupt: nobody typed it \(in .*hostile\.py:\d+\)$", STAYS),
    ("interrupts_unpacking", "failed", "cannot import the network: KeyboardInterrupt: not even unpacked", STAYS),
    ("raises_wildly", "failed", "^Wild: of no known kind", STAYS),
    ("recurses", "failed", "^RecursionError: maximum recursion depth exceeded", STAYS),
    ("breaks_its_gpu", "crashed", "^RuntimeError: CUDA error: device-side assert triggered CUDA kernel", GONE),
    ("takes_more_than_its_limit", "oom", "^MemoryError: ", GONE),
    ("loops", "timeout", r"^no answer within 0.8 s; raise --archbench-timeout if it needs longer$", GONE),
    ("loops_deaf", "timeout", "^no answer within 0.8 s", GONE),
    ("holds_the_interpreter", "timeout", "^no answer within 0.8 s", GONE),
    ("loops_with_a_child", "timeout", "^no answer within 0.8 s", GONE),
    ("starts_a_daemon_and_loops", "timeout", "^no answer within 0.8 s", GONE),
    ("closes_everything_and_loops", "timeout", "^no answer within 0.8 s", GONE),
    ("stops", "timeout", "^no answer within 0.8 s", GONE),
    ("prints_megabytes", "ok", "", STAYS),
    ("writes_text", "crashed", r"answered what is no answer \(longer than 268435456 bytes\)$", GONE),
    ("writes_nothing", "crashed", r"answered what is no answer \(EOFError: Ran out of input\)$", GONE),
    ("writes_an_empty_answer", "crashed", r"answered what is no answer \(EOFError: Ran out of input\)$", GONE),
    ("writes_a_short_answer", "crashed", r"answered what is no answer \(", GONE),
    ("writes_a_foreign_answer", "crashed", r"answered what is no answer \(expected answer \d+; got 7\)$", GONE),
    ("writes_a_negative_length", "crashed", r"answered what is no answer \(longer than", GONE),
    ("closes_everything", "crashed", "ended with exit status 1$", GONE),
    ("forks_a_child_that_returns", "ok", "", GONE),
    ("forks_a_child_that_raises", "ok", "", GONE),
    ("forks_a_child_that_loops", "ok", "", GONE),
    ("forks_a_child_and_dies", "crashed", "ended with signal SIGKILL$", GONE),
    ("forks_a_grandchild", "ok", "", GONE),
    ("starts_a_daemon", "ok", "", GONE),
    ("makes_a_process_that_ends", "ok", "", STAYS),
    ("makes_a_process_that_loops", "ok", "", GONE),
    ("makes_a_spawned_process_that_loops", "ok", "", GONE),
    ("starts_threads", "ok", "", GONE),
    ("leads_a_session", "failed", r"^PermissionError: \[Errno 1\] Operation not permitted", STAYS),
    ("ignores_the_polite_end", "ok", "", STAYS),
    ("changes_the_folder", "ok", "", STAYS),
    ("replaces_the_streams", "ok", "", STAYS),
    ("empties_the_module_path", "ok", "", STAYS),
    ("replaces_the_module_path", "ok", "", STAYS),
    ("empties_the_environment", "ok", "", STAYS),
    ("replaces_the_environment", "ok", "", STAYS),
]


@pytest.mark.parametrize(("deed", "status", "words", "stays"), FAULTS, ids=[deed for deed, *_ in FAULTS])
def test_it_harms_its_own_case_alone(
    runner: Runner, mark: str, monkeypatch: pytest.MonkeyPatch, deed: str, status: Status, words: str, stays: bool
) -> None:
    before = runner.measure(case("nothing"))
    (worker,) = workers_of(runner)
    monkeypatch.setattr(runner, "settings", IMPATIENT if status == "timeout" else PATIENT)
    found = runner.measure(case(deed))
    assert (found.status, found.samples) == (status, (1.0,) if status == "ok" else ()), found.message
    assert re.search(words, found.message), found.message
    assert "\n" not in found.message
    assert workers_of(runner) == ({worker} if stays else set())
    monkeypatch.setattr(runner, "settings", PATIENT)
    after = runner.measure(case("nothing"))
    assert (after.status, after.samples) == ("ok", (1.0,))
    assert after.notes == before.notes, "the next network finds folder, streams, path and variables as they were"
    assert left(mark, workers_of(runner)) == set()


def test_every_deed_is_done_here() -> None:
    elsewhere = {"nothing", "naps", "starts_a_daemon_and_dies", "takes_all_there_is"}
    assert {deed for deed, *_ in FAULTS} | elsewhere == {*hostile.DEEDS, "interrupts_unpacking"}


CONTROL_GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),  # version 1
    (Path("/sys/fs/cgroup"), "memory.max"),
)


@pytest.fixture
def little_memory() -> Iterator[str]:
    """The folder of a control group that may use 128 MiB."""
    for root, limit in CONTROL_GROUPS:
        group = root / f"archbench-{uuid.uuid4().hex}"
        try:
            group.mkdir()
            (group / limit).write_text(str(128 * hostile.MIB))
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        yield str(group)
        group.rmdir()
        return
    pytest.skip("a control group with little memory needs the right to make one")


def test_memory_that_the_system_takes_back_is_out_of_memory(runner: Runner, little_memory: str) -> None:
    """Linux promises memory that it does not have, and ends who takes it at its word."""
    found = runner.measure(case("takes_all_there_is", little_memory))
    assert found.status == "oom", found.message
    assert found.message == "the system's memory ran out, and it ended the measuring process (signal SIGKILL)"
    assert runner.measure(case("nothing")).status == "ok"
    assert runner.measure(case("kills_itself")).status == "crashed", "not every SIGKILL is for memory"


def test_out_of_reach_is_what_made_a_session_of_its_own_and_outlived_its_measuring_process(
    runner: Runner, mark: str
) -> None:
    """Nobody is its parent and no group has it: the limit that ``Worker.stop`` states."""
    assert runner.measure(case("starts_a_daemon_and_dies")).status == "crashed"
    assert runner.measure(case("nothing")).status == "ok"
    (daemon,) = left(mark, workers_of(runner), within=0.3)
    assert os.getsid(daemon) not in {*workers_of(runner), os.getsid(0)}
    os.kill(daemon, signal.SIGKILL)
    assert left(mark, workers_of(runner)) == set()


PARENT = """
import sys, threading, time
sys.path.insert(0, {here!r})
import hostile
from pytest_archbench.meters import METERS
from pytest_archbench.registry import METRICS
from test_faults import PATIENT, case
from pytest_archbench.runner import Runner

METERS.add(hostile.NAME, hostile.METER)
METRICS.add(hostile.NAME, hostile.METRIC)
runner = Runner(PATIENT)
assert runner.measure(case("nothing")).status == "ok"
threading.Thread(target=runner.measure, args=(case({deed!r}),), daemon=True).start()
time.sleep(0.5)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "deed",
    [
        "nothing",
        "loops",
        "loops_deaf",
        "holds_the_interpreter",
        "loops_with_a_child",
        "closes_everything_and_loops",
        "stops",
    ],
)
def test_nothing_is_left_of_a_run_that_is_killed(runner: Runner, mark: str, deed: str) -> None:
    script = PARENT.format(here=str(HERE), deed=deed)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        assert len(marked(mark) - workers_of(runner)) == (3 if deed == "loops_with_a_child" else 2)
        parent.kill()
    assert left(mark, workers_of(runner)) == set()


ROUNDS = 100
NAP = 0.03


def test_a_measuring_process_may_be_killed_at_any_instant(runner: Runner, mark: str) -> None:
    """From before it has started until after it has answered."""
    generator, statuses = random.Random(20), Counter[str]()
    for _ in range(ROUNDS):
        killer = threading.Timer(generator.uniform(0, 0.2), kill_the_worker, (runner,))
        killer.start()
        found = runner.measure(case("naps", NAP))
        killer.join()
        statuses[found.status] += 1
        assert found.status == "ok" or re.search("SIGKILL$", found.message), found.message
        assert runner.measure(case("nothing")).status == "ok"
    assert set(statuses) == {"ok", "crashed"}
    assert min(statuses.values()) > ROUNDS // 10, statuses
    assert left(mark, workers_of(runner)) == set()


def kill_the_worker(runner: Runner) -> None:
    """Returns when it is dead: one that is dying may be asked once more."""
    for worker in list(runner._workers.values()):
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
        while worker.alive:
            time.sleep(0.001)


APPENDING = """
import itertools, json, os, sys
from pathlib import Path
from pytest_archbench.store import Journal
folder, row = Path(sys.argv[1]), json.loads(sys.argv[2])
journal = Journal(folder, {"run": "killed"}, resume=True)
lines = journal.path.read_bytes().count(b"\\n")
for number in itertools.count(lines - 1):
    journal.append(row | {"family": str(number)})
    os.write(1, b"%d\\n" % number)
"""
ROW = store.row(
    Measurement("net", "latency", "s", "ok", Conditions("cpu"), samples=(0.1, 0.2), notes=("naïve", "x" * 5_000)), []
)


def test_what_was_journalled_outlives_a_kill_at_any_instant(tmp_path: Path) -> None:
    """Every line that ``append`` has returned from is there once, whole and in order."""
    generator, acknowledged = random.Random(21), list[int]()
    command = [sys.executable, "-c", APPENDING, str(tmp_path), json.dumps(ROW)]
    for number in range(ROUNDS):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            time.sleep(generator.uniform(0.02, 0.1))
            writer.kill()
            acknowledged += map(int, writer.stdout.read().split())
        if number % 20 == 19:
            found = [int(row["family"]) for row in store.read(tmp_path).rows]
            assert found == list(range(len(found)))
            assert sorted(set(acknowledged)) == acknowledged
            assert set(acknowledged) <= set(found)
            assert len(found) - len(acknowledged) <= number + 1, "no more than the one in flight each time"
    assert len(acknowledged) > ROUNDS
