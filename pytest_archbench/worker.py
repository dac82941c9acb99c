"""A process that measures: started afresh, never forked; it may die, hang or talk nonsense without harm to its parent."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pytest_archbench.jobs import Failure, Stand

PROGRAM = (
    "import sys; connection, lifeline, *path = sys.argv[1:]; sys.path[:] = path or filter(None, sys.path); "
    "from pytest_archbench.worker import serve; serve(int(connection), int(lifeline))"
)
"""What a new process runs; without a path it keeps its own interpreter's, less the current folder."""
LOOK_AGAIN = 0.2
"""Seconds between two looks whether a silent process still lives."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a process runs: its interpreter, its folder, and where it finds modules.

    ``path`` is the whole of its module path; empty, it has its interpreter's own with ``front`` before it.
    """

    python: str
    folder: Path
    path: tuple[str, ...] = ()
    front: tuple[str, ...] = ()

    @classmethod
    def here(cls) -> Surroundings:
        """Those of this process."""
        return cls(sys.executable, Path.cwd(), tuple(entry or str(Path.cwd()) for entry in sys.path))


class Worker:
    """A process that answers one question after another, and is replaced when it dies.

    Started afresh, never forked: a forked copy of a process that has touched CUDA or started threads is broken. It leads
    a session of its own, so that Ctrl-C is its parent's, and what a network starts can be ended with it.
    """

    def __init__(self, where: Surroundings | None = None) -> None:
        where = where or Surroundings.here()
        self._connection, theirs = Pipe()
        reading, self._lifeline = os.pipe()
        front = {"PYTHONPATH": os.pathsep.join(where.front)} if where.front else {}
        try:
            self._process = subprocess.Popen(
                [where.python, "-c", PROGRAM, str(theirs.fileno()), str(reading), *where.path],
                cwd=where.folder,
                env={**os.environ, **front},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), reading),
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(reading)
        self._asked = 0

    def ask(self, verb: str, *arguments: Any, timeout: float) -> Any:
        """The worker's answer; a Failure where it dies (``crashed``) or needs more than ``timeout`` s (``timeout``)."""
        try:
            message = pickle.dumps((verb, arguments))
        except Exception as error:  # noqa: BLE001  a network may refuse in any way it likes
            return Failure(
                "failed", f"the network cannot be sent to a measuring process: {error}; define it at module level"
            )
        self._asked += 1
        with self._deadline(timeout) as overdue:
            try:
                answer = self._exchange(message)
            except (EOFError, OSError):
                with suppress(subprocess.TimeoutExpired):  # it is dying: of what, it alone knows
                    self._process.wait(timeout=5)
                self.stop()
                answer = self._late(timeout) if overdue.is_set() else self._died()
            except Exception as error:  # noqa: BLE001  reading nonsense may raise anything
                self.stop()
                told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
                answer = Failure("crashed", f"the measuring process answered what is no answer ({told})")
            except BaseException:  # interrupted: a late answer must not be taken for the next question's
                self.stop()
                raise
        if isinstance(answer, Failure) and answer.status == "crashed":
            self.stop()
        return answer

    def _exchange(self, message: bytes) -> Any:
        self._connection.send_bytes(message)
        while not self._connection.poll(LOOK_AGAIN):  # something that the network started may hold the other end open
            if self._process.poll() is not None and not self._connection.poll():
                raise EOFError
        number, answer = self._connection.recv()
        if number != self._asked:
            raise ValueError(f"expected answer {self._asked}; got {number!r}")
        return answer

    @contextmanager
    def _deadline(self, timeout: float) -> Iterator[threading.Event]:
        """End the process after ``timeout`` s; the event is set then."""
        overdue = threading.Event()

        def end() -> None:
            overdue.set()
            self._kill()

        timer = threading.Timer(min(timeout, threading.TIMEOUT_MAX), end)
        timer.daemon = True
        timer.start()
        try:
            yield overdue
        finally:
            timer.cancel()

    def _late(self, timeout: float) -> Failure:
        return Failure("timeout", f"no answer within {timeout:g} s; raise --archbench-timeout if it needs longer")

    def _died(self) -> Failure:
        code = self._process.wait()
        names = {each.value: each.name for each in signal.Signals}
        cause = f"signal {names.get(-code, -code)}" if code < 0 else f"exit status {code}"
        return Failure("crashed", f"the measuring process ended with {cause}")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End the process and all it started, whatever they are doing."""
        self._kill()
        self._process.wait()
        if not self._connection.closed:
            self._connection.close()
            os.close(self._lifeline)

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def serve(connection: int, lifeline: int) -> None:
    """Answer questions until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    with Connection(connection) as theirs:
        _answer_all(theirs)


def _answer_all(theirs: Connection) -> None:
    home, stand = os.getpid(), Stand()
    for number in itertools.count(1):
        try:
            answer = stand.answer(theirs.recv_bytes())
            if os.getpid() != home:  # the network forked, and this is the copy
                os._exit(0)
            _end_children()
            theirs.send((number, answer))
        except (EOFError, OSError):
            return


def _end_with_parent(lifeline: int) -> None:
    """A parent that is killed ends no child that is busy, and a network may be busy for ever."""
    os.read(lifeline, 1)  # nothing is ever written: it returns when the other end is closed
    os.killpg(0, signal.SIGKILL)


def _end_children() -> None:
    """End what a network has started, where the system lists it: it would run beside the next case."""
    listed = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    for pid in map(int, " ".join(listed).split()):
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
