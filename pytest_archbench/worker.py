"""A process that measures: started afresh, never forked; its parent survives whatever it does."""

from __future__ import annotations

import ctypes
import fcntl
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
LONGEST = 2**28
"""Bytes of an answer at most. Text that a network writes into the connection reads as the length of a longer one."""
PR_SET_CHILD_SUBREAPER = 36
"""For ``prctl`` (linux/prctl.h): orphans among what this process has started become its own children."""


class _Nonsense(Exception):
    """What came from a measuring process is no answer."""


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

    Started afresh, never forked: a forked copy of a process that has touched CUDA or started threads is broken. It
    leads a session of its own, so that Ctrl-C is its parent's, and what a network starts can be ended with it.
    """

    def __init__(self, where: Surroundings | None = None) -> None:
        where = where or Surroundings.here()
        self._connection, theirs = Pipe()
        reading, self._lifeline = os.pipe()
        self._stopping = threading.RLock()  # of two that stop it at once one hangs up: descriptors are used again
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
        except OSError:  # no such interpreter or folder: nobody will stop what has not begun
            self._hang_up()
            raise
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
        kills = _kills_for_memory()
        with self._deadline(timeout) as overdue:
            spent = False
            try:
                answer, spent = self._understood(self._exchange(message))
            except (EOFError, OSError):
                with suppress(subprocess.TimeoutExpired):  # it is dying: of what, it alone knows
                    self._process.wait(timeout=5)
                self.stop()
                answer = self._late(timeout) if overdue.is_set() else self._died(kills)
            except _Nonsense as error:
                self.stop()
                answer = Failure("crashed", f"the measuring process answered what is no answer ({error})")
            except BaseException:  # interrupted: a late answer must not be taken for the next question's
                self.stop()
                raise
        if spent or overdue.is_set() or (isinstance(answer, Failure) and answer.status in LAST):
            self.stop()
        return answer

    def _exchange(self, message: bytes) -> bytes:
        """Raises: EOFError or OSError where the process is gone; _Nonsense."""
        self._connection.send_bytes(message)
        while not self._connection.poll(LOOK_AGAIN):  # something that the network started may hold the other end open
            if self._process.poll() is not None and not self._connection.poll():
                raise EOFError
        try:
            return self._connection.recv_bytes(LONGEST)
        except OSError:
            if self._connection.readable:  # the answer broke off
                raise
            raise _Nonsense(f"longer than {LONGEST} bytes") from None

    def _understood(self, said: bytes) -> tuple[Any, bool]:
        """An answer, and whether its process is spent. Raises: _Nonsense."""
        try:
            number, answer, spent = pickle.loads(said)  # from our own child
        except Exception as error:  # noqa: BLE001  reading nonsense may raise anything
            raise _Nonsense(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
        if number != self._asked:
            raise _Nonsense(f"expected answer {self._asked}; got {number!r:.200}")
        return answer, bool(spent)

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
            timer.join()  # else it might end the process after the next question was asked

    def _late(self, timeout: float) -> Failure:
        return Failure("timeout", f"no answer within {timeout:g} s; raise --archbench-timeout if it needs longer")

    def _died(self, kills: int) -> Failure:
        code = self._process.wait()
        if code == -signal.SIGKILL and _kills_for_memory() > kills:
            return Failure("oom", "the system's memory ran out, and it ended the measuring process (signal SIGKILL)")
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
        """End the process and all it started, whatever they are doing.

        Out of reach is what made a session of its own and outlived the measuring process.
        """
        with self._stopping:
            if self._connection.closed:  # its number may be another's by now
                return
            self._kill()
            self._process.wait()
            self._hang_up()

    def _hang_up(self) -> None:
        self._connection.close()
        os.close(self._lifeline)

    def _kill(self) -> None:
        outside = list(_descendants(self._process.pid))  # what made sessions of its own is in no group of ours
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pid in outside:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


LAST = ("crashed", "oom")
"""After these a process can be trusted no more: a GPU's context is lost, memory stays taken or limited."""


def serve(connection: int, lifeline: int) -> None:
    """Answer questions until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _adopt_orphans()
    _signalled_when_closed(lifeline)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    with Connection(connection) as theirs:
        _answer_all(theirs)


def _answer_all(theirs: Connection) -> None:
    home, stand, own_threads = os.getpid(), Stand(), threading.active_count()
    for number in itertools.count(1):
        try:
            message = theirs.recv_bytes()
            with _put_back():
                answer = stand.answer(message)
            if os.getpid() != home:  # the network forked, and this is the copy
                os._exit(0)
            # What a network has left running would run beside the next case.
            spent = stand.idle and (threading.active_count() > own_threads or any(_descendants(home)))
            theirs.send((number, answer, spent))
        except (EOFError, OSError):
            return


@contextmanager
def _put_back() -> Iterator[None]:
    """Undo what a network changes of its process, and what the next one would stumble over."""
    folder, path, variables, texts = Path.cwd(), list(sys.path), os.environ, dict(os.environ)
    streams = sys.stdin, sys.stdout, sys.stderr
    try:
        yield
    finally:
        os.chdir(folder)
        sys.path, os.environ = path, variables  # the very object: its changes reach the C library
        os.environ.clear()
        os.environ.update(texts)
        sys.stdin, sys.stdout, sys.stderr = streams


def _end_with_parent(lifeline: int) -> None:
    """A parent that is killed ends no child that is busy, and a network may be busy for ever."""
    os.read(lifeline, 1)  # nothing is ever written: it returns when the other end is closed
    os.killpg(0, signal.SIGKILL)


def _signalled_when_closed(lifeline: int) -> None:
    """Have the system end this group with the parent, where it can: a thread waits while a network holds the lock of
    the interpreter.
    """
    if not hasattr(fcntl, "F_SETSIG"):
        return
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def _adopt_orphans() -> None:
    """Become the parent of what a network's children leave behind, so that it is found."""
    with suppress(AttributeError):  # a system without prctl
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kills_for_memory() -> int:
    """How many processes the system has ended so far because memory ran out; 0 where it does not count them."""
    try:
        counters = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
        return int(counters["oom_kill"])
    except (OSError, ValueError, KeyError):
        return 0


def _descendants(pid: int) -> Iterator[int]:
    """What a process has started and what that has started, where the system lists it."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            for child in map(int, path.read_text().split()):
                yield child
                yield from _descendants(child)
