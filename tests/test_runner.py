"""Real measuring processes: whatever a network does to its process, the case has a status and the next one works."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import misbehaving
import psutil
import pytest
from filelock import Timeout

from pytest_archbench import runner as runners
from pytest_archbench.meters import METERS, CannotMeasure
from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Reading, Settings, Status
from pytest_archbench.runner import Job, Runner, device_lock, perform

QUICK = Settings(time_budget=0.05, precision=0.5, timeout=120)
"""Settings under which a timing takes no time and no slow machine runs into the timeout."""


def case(build: Callable[[], Any], metric: str = "latency", name: str = "") -> Case:
    name = name or getattr(build, "__name__", "network")
    return Case(Architecture(name, "test", build, input_shape=(4,)), metric, Conditions("cpu", input_shape=(4,)))


@pytest.fixture(scope="module", autouse=True)
def own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Locks of these tests alone, so that they wait for nobody and nobody for them."""
    folder = tmp_path_factory.mktemp("locks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("TMPDIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """One runner for all, as a run has it: what one case does must not harm the next."""
    running = Runner(QUICK)
    yield running
    running.close()


def process(runner: Runner) -> psutil.Process:
    """The process behind the timing worker."""
    pid = runner._workers["timing"]._process.pid
    assert pid is not None
    return psutil.Process(pid)


def gone(pid: int, within: float = 20) -> bool:
    """Whether a process ends within some seconds; one that nobody has reaped yet has ended."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("build", "status", "words", "survives"),
    [
        (misbehaving.Raises, "failed", r"^LookupError: no head for \(1, 4\) \(in .*misbehaving\.py:\d+\)$", True),
        (misbehaving.asks_for_a_petabyte, "oom", "can't allocate memory", True),
        (misbehaving.says_out_of_memory, "oom", "OutOfMemoryError: CUDA out of memory", True),
        (misbehaving.runs_out_of_memory, "oom", "MemoryError", True),
        (lambda: misbehaving.well_behaved(), "failed", "cannot be sent .*define it at module level$", True),
        (misbehaving.OnlyAtHome(), "failed", "cannot import the network: ImportError: the network's library", True),
        (misbehaving.kills_itself, "crashed", "ended with signal SIGKILL$", False),
        (misbehaving.dies_of_a_real_time_signal, "crashed", r"ended with signal \d+$", False),
        (misbehaving.exits, "crashed", "ended with exit status 3$", False),
        (misbehaving.leaves, "failed", r"^SystemExit: 5 \(in .*misbehaving.py:\d+\)$", True),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_bad_network_harms_itself_alone(
    runner: Runner, build: Callable[[], Any], status: Status, words: str, survives: bool
) -> None:
    assert runner.measure(case(misbehaving.well_behaved)).status == "ok"
    found = runner.measure(case(build, name=f"{status} {words}"))
    assert (found.status, found.samples, found.value) == (status, (), None)
    assert "\n" not in found.message
    assert re.search(words, found.message), found.message
    assert runner._workers["timing"].alive is survives
    assert runner.measure(case(misbehaving.another, name=f"after {words}")).status == "ok"


def test_a_case_that_takes_too_long_is_ended(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.measure(case(misbehaving.well_behaved, name="warm"))
    busy = process(runner)
    monkeypatch.setattr(runner, "settings", replace(QUICK, timeout=0.5))
    found = runner.measure(case(misbehaving.sleeps))
    assert found.status == "timeout"
    assert found.message == "no answer within 0.5 s; raise --archbench-timeout if it needs longer"
    assert gone(busy.pid)
    monkeypatch.setattr(runner, "settings", QUICK)
    assert runner.measure(case(misbehaving.well_behaved, name="after the timeout")).status == "ok"


def test_a_late_answer_is_not_the_next_cases(runner: Runner) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(_number: int, _frame: object) -> None:
        raise Interrupted

    runner.measure(case(misbehaving.well_behaved, name="warm again"))
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(Interrupted):
            runner.measure(case(misbehaving.sleeps, name="interrupted"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not runner._workers["timing"].alive
    assert runner.measure(case(misbehaving.another, name="after the interrupt")).status == "ok"


def test_one_measurement_serves_every_metric_of_its_meter(runner: Runner) -> None:
    asked = case(misbehaving.well_behaved, name="both")
    times = runner.measure(asked)
    rates = runner.measure(replace(asked, metric="throughput"))
    assert (times.unit, rates.unit) == ("s", "img/s")
    assert rates.samples == tuple(1 / seconds for seconds in times.samples)
    assert times.conditions == Conditions("cpu", input_shape=[4])
    assert "synchronised around each sample" in times.convention
    assert any("warm-up passes" in note for note in times.notes)


def test_networks_of_one_name_are_measured_apart() -> None:
    running = Runner(QUICK)
    first, second = case(misbehaving.well_behaved, "params", "net"), case(misbehaving.another, "params", "net")
    assert (running.measure(first).value, running.measure(second).value) == (4 * 2 + 2, 4 * 3)
    assert running._workers == {}


def test_close_ends_every_worker() -> None:
    running = Runner(QUICK)
    running.measure(case(misbehaving.well_behaved))
    worker = process(running)
    running.close()
    assert gone(worker.pid, within=1)
    running.close()


ORPHANED = """
import sys, threading, time
sys.path.insert(0, {folder!r})
import misbehaving
from test_runner import QUICK, case, process
from pytest_archbench.runner import Runner

if __name__ == "__main__":  # a spawned child imports this file
    runner = Runner(QUICK)
    assert runner.measure(case(misbehaving.well_behaved)).status == "ok"
    if {busy}:
        threading.Thread(target=runner.measure, args=(case(misbehaving.sleeps),), daemon=True).start()
        time.sleep(0.5)
    print(process(runner).pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_worker_ends_with_its_killed_parent(tmp_path: Path, busy: bool) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHANED.format(folder=str(Path(__file__).parent), busy=busy))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
        assert gone(pid)


HOLDING = """
import sys
from pytest_archbench.runner import device_lock
with device_lock("cuda:7"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_device_is_measured_by_one_process_of_the_host() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Timeout):
            device_lock("cuda:7").acquire(timeout=0.2)
        with device_lock("cuda:6").acquire(timeout=5):
            pass
        holder.communicate("enough\n")
    with device_lock("cuda:7").acquire(timeout=5):
        pass


def test_a_measuring_runner_holds_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []

    class Witness:
        alive = True

        def ask(self, _job: Job, _timeout: float) -> runners.Failure:
            with pytest.raises(Timeout):
                device_lock("cpu").acquire(timeout=0)
            held.append(True)
            return runners.Failure("failed", "it only looked")

    monkeypatch.setattr(runners, "Worker", Witness)
    assert Runner(QUICK).measure(case(misbehaving.well_behaved)).message == "it only looked"
    assert held == [True]


def test_a_process_that_died_holding_a_lock_holds_it_no_more() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        os.kill(holder.pid, signal.SIGKILL)
    with device_lock("cuda:7").acquire(timeout=5):
        pass


def test_what_cannot_be_measured_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_sensor(*_: object) -> dict[str, Reading]:
        raise CannotMeasure("this board has no sensor")

    monkeypatch.setitem(METERS._entries, "counts", replace(METERS["counts"], measure=no_sensor))
    asked = case(misbehaving.well_behaved, "params")
    found: Measurement = Runner(QUICK).measure(asked)
    assert (found.status, found.message) == ("skipped", "this board has no sensor")
    answer = perform(Job("counts", asked.architecture, asked.conditions, QUICK))
    assert answer == runners.Failure("skipped", "this board has no sensor")


def test_what_a_network_warns_of_does_not_fail_it() -> None:
    def deprecated() -> Any:
        import warnings

        warnings.warn("soon gone", FutureWarning, stacklevel=1)
        return misbehaving.well_behaved()

    assert Runner(QUICK).measure(case(deprecated, "params")).value == 10
