"""A measuring process by itself: where it runs, what it is asked, and how it ends."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_archbench.jobs import Failure, Job
from pytest_archbench.records import Architecture, Conditions, Settings
from pytest_archbench.worker import LONGEST, Surroundings, Worker

PATIENT = 60.0
ADVICE = "raise --archbench-timeout if it needs longer"


class Doing:
    """A verb that is ``close`` where it arrives, after some Python of ours was run there."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return eval, (f"[exec({self.code!r}, {{}}), 'close'][1]",)


def do(worker: Worker, code: str, timeout: float = PATIENT) -> object:
    """Run Python in a measuring process; None where it went well."""
    return worker.ask(Doing(code), timeout=timeout)  # type: ignore[arg-type]


def look(worker: Worker, expression: str) -> str:
    """What an expression is in a measuring process, told as the message of an error."""
    found = do(worker, f"import os, sys; raise LookupError(repr({expression}))")
    assert isinstance(found, Failure)
    return found.message.partition("LookupError: ")[2].partition(" (in ")[0]


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.stop()


def ended(process: psutil.Process, within: float = 10) -> bool:
    """Whether a process ends within some seconds; one that nobody has reaped yet has ended."""
    until = time.monotonic() + within
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
    return True


def test_it_answers_one_question_after_another(worker: Worker) -> None:
    for _ in range(3):
        assert worker.ask("close", timeout=PATIENT) is None
    assert look(worker, "os.getpid()") == str(worker.pid)
    assert worker.alive


def test_it_finds_what_its_parent_finds(worker: Worker, tmp_path: Path) -> None:
    here = Surroundings.here()
    assert (here.python, here.folder) == (sys.executable, Path.cwd())
    assert look(worker, "sys.path") == repr(list(here.path))
    assert look(worker, "os.getcwd()") == repr(str(Path.cwd()))
    assert str(Path.cwd()) in here.path or "" not in sys.path


def test_it_runs_where_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    package = str(Path(__file__).parent.parent)
    elsewhere = Worker(Surroundings(sys.executable, tmp_path, front=(str(tmp_path), package)))
    try:
        assert look(elsewhere, "os.getcwd()") == repr(str(tmp_path.resolve()))
        assert look(elsewhere, "sys.path[:2]") == repr([str(tmp_path), package])
        assert look(elsewhere, "__import__('mine').__file__") == repr(str(tmp_path / "mine.py"))
        assert look(elsewhere, "'' in sys.path") == "False", "the folder alone is no place for modules"
    finally:
        elsewhere.stop()


def test_it_leads_a_session_and_has_nothing_to_read(worker: Worker) -> None:
    assert look(worker, "(os.getpgid(0), os.getsid(0))") == repr((worker.pid, worker.pid))
    assert look(worker, "sys.stdin.read()") == "''"


def test_it_holds_no_descriptor_of_its_parent(worker: Worker, tmp_path: Path) -> None:
    """Three streams, the connection and the lifeline's end; the listing itself is one more."""
    with (tmp_path / "kept").open("w") as kept:
        os.set_inheritable(kept.fileno(), True)
        another = Worker()
    try:
        assert look(another, "len(os.listdir('/proc/self/fd'))") == "6"
    finally:
        another.stop()


def test_it_does_not_hear_ctrl_c(worker: Worker) -> None:
    worker.ask("close", timeout=PATIENT)
    os.kill(worker.pid, signal.SIGINT)
    assert worker.ask("close", timeout=PATIENT) is None


def test_what_cannot_be_sent_harms_nothing(worker: Worker) -> None:
    found = worker.ask("close", lambda: None, timeout=PATIENT)
    assert isinstance(found, Failure)
    assert found.message.startswith("the network cannot be sent to a measuring process: ")
    assert worker.ask("close", timeout=PATIENT) is None


def test_it_is_ended_when_it_is_late(worker: Worker) -> None:
    start = time.monotonic()
    found = do(worker, "import time; time.sleep(600)", timeout=0.5)
    assert found == Failure("timeout", f"no answer within 0.5 s; {ADVICE}")
    assert 0.5 <= time.monotonic() - start < 10
    assert not worker.alive


def test_a_timeout_beyond_what_a_clock_can_hold_is_none(worker: Worker) -> None:
    assert worker.ask("close", timeout=1e300) is None


def test_a_dead_one_says_so_each_time(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    for _ in range(2):
        found = worker.ask("close", timeout=PATIENT)
        assert found == Failure("crashed", "the measuring process ended with signal SIGKILL")
    assert not worker.alive


def test_a_failure_is_no_end_but_a_lost_process_is(worker: Worker) -> None:
    assert isinstance(do(worker, "raise ValueError"), Failure)
    assert worker.alive


SPEAKS_FIRST = """
import os, stat
for number in map(int, os.listdir("/proc/self/fd")):
    if number > 2 and os.path.exists(f"/proc/self/fd/{{number}}") and stat.S_ISSOCK(os.fstat(number).st_mode):
        os.write(number, ({length}).to_bytes(4, "big"))
"""


def test_it_may_answer_at_length_but_not_without_end(worker: Worker) -> None:
    long = do(worker, "raise ValueError('x' * 5_000_000)")
    assert isinstance(long, Failure)
    assert len(long.message) > 5_000_000
    assert worker.alive
    found = do(worker, SPEAKS_FIRST.format(length=LONGEST + 1))
    assert found == Failure(
        "crashed", f"the measuring process answered what is no answer (longer than {LONGEST} bytes)"
    )
    assert not worker.alive


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("import time; time.sleep(600)", Failure("timeout", f"no answer within 1 s; {ADVICE}")),
        ("os._exit(3)", Failure("crashed", "the measuring process ended with exit status 3")),
    ],
)
def test_an_answer_that_breaks_off_is_none(worker: Worker, then: str, expected: Failure) -> None:
    assert do(worker, SPEAKS_FIRST.format(length=1000) + then, timeout=1) == expected
    assert not worker.alive


def forks() -> Any:
    """The copy goes on as well, to the end of the question."""
    from torch import nn

    os.fork()
    return nn.Linear(4, 2)


def test_only_one_of_two_copies_answers(worker: Worker) -> None:
    job = Job("latency", Architecture("net", "test", forks, (4,)), Conditions("cpu"), Settings(time_budget=0.01))
    pace, _fed, _dtype = worker.ask("open", "ours", job, timeout=PATIENT)
    assert pace > 0
    for _ in range(3):
        time.sleep(0.1)  # for the copy to speak up
        assert len(worker.ask("burst", "ours", 2, timeout=PATIENT)) == 2


def test_an_interrupted_question_ends_it(worker: Worker) -> None:
    """A late answer must not be taken for the next question's."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            do(worker, "import time; time.sleep(600)")
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert not worker.alive


def test_to_stop_it_ends_all_that_it_has_started(worker: Worker) -> None:
    """Those in a session of their own too, as long as it lives itself."""
    code = "import os, subprocess as s; [s.Popen(['sleep', '600'], start_new_session=own) for own in (False, True)]"
    threading.Thread(target=do, args=(worker, f"{code}; import time; time.sleep(600)"), daemon=True).start()
    started: list[psutil.Process] = []
    until = time.monotonic() + 20
    while len(started) < 2 and time.monotonic() < until:
        started = psutil.Process(worker.pid).children(recursive=True)
    assert len(started) == 2
    worker.stop()
    assert all(ended(each) for each in started)
    assert not worker.alive


def test_to_stop_it_twice_ends_nobody_else(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.stop()
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("its number may be another's by now"))
    worker.stop()
    assert not worker.alive


def test_of_several_that_stop_it_at_once_one_hangs_up(worker: Worker) -> None:
    together = threading.Barrier(8)

    def stop(_: int) -> None:
        together.wait()
        worker.stop()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(stop, range(8))) == [None] * 8
    assert not worker.alive


def test_no_descriptor_stays_open_here() -> None:
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    Worker().stop()
    before = held()
    for code in ("", "import os; os._exit(1)", "raise MemoryError"):
        made = Worker()
        do(made, code)
        made.stop()
    with pytest.raises(FileNotFoundError):
        Worker(Surroundings("/nowhere/python", Path.cwd()))
    assert held() == before


def test_an_interpreter_that_cannot_measure_is_a_crash(tmp_path: Path) -> None:
    """One whose modules are not there, as in an environment without the package."""
    lost = Worker(Surroundings(sys.executable, tmp_path, path=(str(tmp_path),)))
    try:
        found = lost.ask("close", timeout=PATIENT)
    finally:
        lost.stop()
    assert found == Failure("crashed", "the measuring process ended with exit status 1")


def test_what_is_sent_is_read_once_and_in_turn(worker: Worker) -> None:
    text = os.urandom(3_000_000).hex()
    found = worker.ask("close", text, timeout=PATIENT)  # more than a pipe holds; one argument too many
    assert isinstance(found, Failure)
    assert "takes 1 positional argument but 2 were given" in found.message
    assert len(pickle.dumps(text)) > 2**16
    assert worker.ask("close", timeout=PATIENT) is None
