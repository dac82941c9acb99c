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
from pytest_archbench.jobs import Failure, Job, perform
from pytest_archbench.meters import METERS, CannotMeasure
from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Reading, Settings, Status, Trial
from pytest_archbench.runner import REPEATS, TIMING, Runner, device_lock

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
    return psutil.Process(runner._workers[TIMING, 0].pid)


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


def group(leader: int) -> list[int]:
    """The processes of a group that live: one that a signal has reached ends a moment later."""

    def belongs(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and os.getpgid(pid) == leader
        except (psutil.NoSuchProcess, ProcessLookupError):
            return False

    return [pid for pid in psutil.pids() if belongs(pid)]


@pytest.mark.parametrize(
    ("build", "status", "words", "survives"),
    [
        (misbehaving.Raises, "failed", r"^LookupError: no head for \(1, 4\) \(in .*misbehaving\.py:\d+\)$", True),
        (misbehaving.asks_for_a_petabyte, "oom", "can't allocate memory", False),
        (misbehaving.says_out_of_memory, "oom", "OutOfMemoryError: CUDA out of memory", False),
        (misbehaving.has_little_memory, "oom", "can't allocate memory", False),
        (misbehaving.runs_out_of_memory, "oom", "MemoryError", False),
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
    assert runner._workers[TIMING, 0].alive is survives
    assert runner.measure(case(misbehaving.another, name=f"after {words}")).status == "ok"


def test_a_device_that_is_lost_costs_one_case(runner: Runner) -> None:
    found = runner.measure(case(misbehaving.LosesItsDevice))
    assert (found.status, found.value) == ("crashed", None)
    assert "CUDA error: unspecified launch failure" in found.message
    assert not runner._workers[TIMING, 0].alive, "its context is gone, and the process with it"
    assert runner.measure(case(misbehaving.well_behaved, name="after the loss")).status == "ok"


def test_batches_end_where_memory_does() -> None:
    running = Runner(QUICK)
    one = case(misbehaving.TakesTwo)
    batches = {size: replace(one, conditions=replace(one.conditions, batch_size=size)) for size in (1, 2, 4, 8)}
    found = {size: running.measure(each) for size, each in batches.items()}
    assert [each.status for each in found.values()] == ["ok", "ok", "oom", "oom"]
    assert "CUDA out of memory with 4 images" in found[4].message
    assert found[8].message == "batch 4 ran out of memory already; this was not tried"
    other = replace(batches[8], architecture=replace(one.architecture))
    assert "with 8 images" in running.measure(other).message, "another network of that name is tried"
    assert running.measure(replace(batches[1], metric="peak_memory")).status == "ok"
    running.close()


def test_a_meter_that_works_alone_has_a_fresh_process_for_each_case(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Runner(QUICK)
    monkeypatch.setitem(METERS._entries, "memory", replace(METERS["memory"], alone=True))
    assert running.measure(case(misbehaving.well_behaved, "peak_memory")).status == "ok"
    first = running._workers["memory", 0]
    assert not first.alive
    assert running.measure(case(misbehaving.another, "peak_memory")).status == "ok"
    assert running._workers["memory", 0] is not first
    running.close()


def test_an_accelerator_has_one_kind_of_measuring_process_at_a_time() -> None:
    running = Runner(QUICK)
    for metric in ("peak_memory", "latency"):
        running.measure(case(misbehaving.well_behaved, metric))
    assert {name for name, _ in running._workers} == {"memory", TIMING}
    running._make_room(TIMING, "cpu")
    assert {name for name, _ in running._workers} == {"memory", TIMING}, "which on the CPU are no trouble"
    ended = running._workers["memory", 0]
    running._make_room(TIMING, "cuda:0")
    assert ({name for name, _ in running._workers}, ended.alive) == ({TIMING}, False)
    running.close()


@pytest.mark.parametrize("build", [misbehaving.sleeps, misbehaving.NeverEnds])
def test_a_case_that_takes_too_long_is_ended(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, build: Callable[[], Any]
) -> None:
    runner.measure(case(misbehaving.well_behaved, name="warm"))
    busy = process(runner)
    monkeypatch.setattr(runner, "settings", replace(QUICK, timeout=1.5))
    found = runner.measure(case(build))
    assert found.status == "timeout"
    assert found.message == "no answer within 1.5 s; raise --archbench-timeout if it needs longer"
    assert gone(busy.pid)
    assert [pid for pid in group(busy.pid) if not gone(pid)] == []
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
    assert not runner._workers[TIMING, 0].alive
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


def test_what_a_network_says_meanwhile_is_no_answer(runner: Runner) -> None:
    assert runner.measure(case(misbehaving.Babbles)).status == "ok"
    assert runner.measure(case(misbehaving.well_behaved, name="after the noise")).status == "ok"


def test_a_timed_case_is_spread_over_processes_and_no_other() -> None:
    running = Runner(replace(QUICK, processes=2))
    try:
        found = running.measure(case(misbehaving.well_behaved))
        first, second = found.trials
        assert found.samples == first.samples + second.samples
        assert all(trial.reference and trial.machine["wall"] for trial in found.trials)
        assert len({running._workers[TIMING, number].pid for number in (0, 1)}) == 2
        assert running.measure(case(misbehaving.well_behaved, "peak_memory")).trials == ()
        assert set(running._workers) == {(TIMING, 0), (TIMING, 1), ("memory", 0)}
    finally:
        running.close()


def test_afresh_is_another_measurement_in_other_processes(runner: Runner) -> None:
    asked = case(misbehaving.well_behaved, name="twice")
    first, before = runner.measure(asked), process(runner).pid
    assert runner.measure(asked) == first
    again = runner.measure(asked, afresh=True)
    assert again.samples != first.samples
    assert runner.measure(asked) == again, "it takes the place of the first"
    assert process(runner).pid != before


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

        def ask(self, _verb: str, _job: Job, **_timeout: float) -> Failure:
            with pytest.raises(Timeout):
                device_lock("cpu").acquire(timeout=0)
            held.append(True)
            return Failure("failed", "it only looked")

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
    assert answer == Failure("skipped", "this board has no sensor")


def test_what_a_network_warns_of_does_not_fail_it() -> None:
    def deprecated() -> Any:
        import warnings

        warnings.warn("soon gone", FutureWarning, stacklevel=1)
        return misbehaving.well_behaved()

    assert Runner(QUICK).measure(case(deprecated, "params")).value == 10


CALM = Reading((1.0, 2.0, 3.0), input_shape=[4], reference=(0.5,))
ONE = replace(CALM, disturbed=("a neighbour",))
TWO = replace(CALM, disturbed=("a neighbour", "the heat"), samples=(9.0,))
CRASHED = Failure("crashed", "ended with signal SIGKILL")


def scripted(
    monkeypatch: pytest.MonkeyPatch, *script: Reading | CannotMeasure | Failure, processes: int = 1
) -> Measurement:
    """What a runner makes of answers that come in this order, all of them asked for."""
    answers = list(script)

    class Scripted:
        alive = True

        def ask(self, verb: str, _job: Job, timeout: float) -> Any:
            assert (verb, timeout) == ("measure", QUICK.timeout)
            answer = answers.pop(0)
            return answer if isinstance(answer, Failure) else {"latency": answer}

    monkeypatch.setattr(runners, "Worker", Scripted)
    found = Runner(replace(QUICK, processes=processes)).measure(case(misbehaving.well_behaved))
    assert answers == []
    return found


def test_a_disturbed_trial_is_taken_again_and_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scripted(monkeypatch, ONE, CALM)
    assert (found.samples, found.trials) == (CALM.samples, (Trial(CALM.samples, CALM.reference),))
    assert found.left_out == (Trial(ONE.samples, ONE.reference, disturbed=ONE.disturbed),)
    assert found.notes == ("1 trials were disturbed and taken again (a neighbour)",)


def test_of_trials_that_are_all_disturbed_the_least_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scripted(monkeypatch, *[TWO, ONE, TWO][: REPEATS + 1])
    assert found.samples == ONE.samples
    assert [trial.disturbed for trial in found.left_out] == [TWO.disturbed, TWO.disturbed]
    assert found.notes == (
        "2 trials were disturbed and taken again (a neighbour; the heat)",
        "disturbed all the same: a neighbour",
    )


def test_every_process_has_its_own_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scripted(monkeypatch, CALM, TWO, CALM, processes=2)
    assert (len(found.trials), len(found.left_out)) == (2, 1)
    assert found.samples == CALM.samples * 2


@pytest.mark.parametrize("script", [(CRASHED,), (CALM, CRASHED), (ONE, CRASHED), (CALM, ONE, TWO, CRASHED)])
def test_a_process_that_fails_ends_the_case(monkeypatch: pytest.MonkeyPatch, script: tuple[Any, ...]) -> None:
    found = scripted(monkeypatch, *script, processes=3)
    assert (found.status, found.message, found.samples, found.trials) == ("crashed", CRASHED.message, (), ())


def test_a_meter_without_its_sensor_skips_the_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scripted(monkeypatch, CannotMeasure("no sensor"))
    assert (found.status, found.message) == ("skipped", "no sensor")


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        # 95 % of ten samples: the second and the ninth, 9 - 2 around 5.5.
        (tuple(map(float, range(1, 11))), "the median is known to ±63.64%, ±50.00% was asked for"),
        ((1.0, 2.0), "the median is known from too few samples to state its precision, ±50.00% was asked for"),
        ((1.0,) * 10, ""),
    ],
)
def test_it_says_how_far_a_time_is_from_the_precision_asked_for(
    monkeypatch: pytest.MonkeyPatch, samples: tuple[float, ...], sentence: str
) -> None:
    found = scripted(monkeypatch, replace(CALM, samples=samples))
    assert found.imprecise == (f"{sentence}; raise --archbench-time-budget" if sentence else "")


def test_a_count_is_never_imprecise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scripted(monkeypatch, replace(CALM, samples=(1,), reference=())).imprecise == ""
