"""Constructors that harm their process, without torch so that a process starts at once, and a meter that runs them."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

from pytest_archbench.meters import METERS, Meter
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings
from pytest_archbench.registry import METRICS

NAME = "harm"
MIB = 2**20
F = TypeVar("F", bound=Callable[..., object])


def surroundings() -> tuple[str, ...]:
    """What the next network needs as it was, as text."""
    streams = (type(stream).__name__ for stream in (sys.stdin, sys.stdout, sys.stderr))
    variables = (f"{name}={text}" for name, text in os.environ.items() if not name.startswith("PYTEST_"))
    return str(Path.cwd()), *streams, *sys.path, *sorted(variables)


def measure(architecture: Architecture, _conditions: Conditions, _settings: Settings) -> Mapping[str, Reading]:
    """One sample of one second, and the surroundings it was taken in."""
    before = surroundings()
    architecture.build()
    return {NAME: Reading((1.0,), notes=before)}


METER = Meter(NAME, (NAME,), measure, worker="harm")
METRIC = Metric(NAME, "s", "lower")


@dataclass(frozen=True)
class Build:
    """A constructor named by its deed. Where it arrives it enters the meter, which the tables do not have else."""

    deed: str
    arguments: tuple[float | str, ...] = ()

    def __call__(self) -> None:
        DEEDS[self.deed](*self.arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return arrived, (self.deed, self.arguments)


def arrived(deed: str, arguments: tuple[float | str, ...]) -> Build:
    if NAME not in METERS:
        METERS.add(NAME, METER)
        METRICS.add(NAME, METRIC)
    if deed == "interrupts_unpacking":
        raise KeyboardInterrupt("not even unpacked")
    return Build(deed, arguments)


DEEDS: dict[str, Callable[..., object]] = {}


def deed(action: F) -> F:
    DEEDS[action.__name__] = action
    return action


@deed
def nothing() -> None:
    pass


@deed
def naps(seconds: float) -> None:
    time.sleep(seconds)


# Ends of a process


@deed
def reads_address_zero() -> None:
    ctypes.string_at(0)


@deed
def aborts() -> None:
    os.abort()


@deed
def kills_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@deed
def exits() -> None:
    os._exit(3)


@deed
def leaves() -> NoReturn:
    raise SystemExit(5)


@deed
def interrupts() -> NoReturn:
    raise KeyboardInterrupt("nobody typed it")


class Wild(BaseException):
    """What `except Exception` does not catch."""


@deed
def raises_wildly() -> NoReturn:
    raise Wild("of no known kind")


@deed
def recurses() -> None:
    recurses()


@deed
def breaks_its_gpu() -> NoReturn:
    raise RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported")


@deed
def takes_more_than_its_limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (512 * MIB, resource.RLIM_INFINITY))
    bytearray(1024 * MIB)


@deed
def takes_all_there_is(group: str) -> NoReturn:
    """Joins a control group that has little memory and fills it; nothing refuses, the system ends the process."""
    Path(group, "cgroup.procs").write_text(str(os.getpid()))
    kept = []
    while True:
        kept.append(b"x" * MIB)


# Ends that do not come


@deed
def loops() -> NoReturn:
    while True:
        pass


@deed
def loops_deaf() -> NoReturn:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


@deed
def holds_the_interpreter() -> None:
    """No thread of this process runs any more, for some hours."""
    sum(range(10**13))


@deed
def loops_with_a_child() -> NoReturn:
    fork(loops_deaf)
    loops()


@deed
def stops() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


# Noise


@deed
def prints_megabytes() -> None:
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.write("garbage \x00\r\n" * 200_000)
        stream.flush()
        os.write(number, os.urandom(MIB))


def open_above_two() -> list[int]:
    return [int(path.name) for path in Path("/proc/self/fd").iterdir() if int(path.name) > 2]


def scribble(garbage: bytes) -> None:
    for number in open_above_two():
        with suppress(OSError):
            os.write(number, garbage)


GARBAGE = {
    "text": b"Epoch 1: loss 0.1\n",
    "nothing": bytes(4),
    "an_empty_answer": bytes(4) + b"rest",
    "a_short_answer": b"\x00\x00\x00\x05hello",
    "a_foreign_answer": b"\x00\x00\x00\x08(I7\nNNt.",
    "a_negative_length": b"\xff" * 12,
}
"""What may come before the answer: a length of four bytes, most significant first, then as many bytes."""
DEEDS |= {f"writes_{name}": (lambda garbage=garbage: scribble(garbage)) for name, garbage in GARBAGE.items()}


@deed
def closes_everything() -> None:
    os.closerange(0, 4096)


@deed
def closes_everything_and_loops() -> NoReturn:
    closes_everything()
    loops()


# Company


def fork(action: Callable[[], object]) -> int:
    """A child that does something and never returns from it."""
    if pid := os.fork():
        return pid
    try:
        action()
    finally:
        os._exit(0)


@deed
def forks_a_child_that_returns() -> None:
    """The child goes on as its parent does: with the rest of the measurement, and its answer."""
    os.fork()


@deed
def forks_a_child_that_raises() -> None:
    if not os.fork():
        raise KeyboardInterrupt("in the copy")


@deed
def forks_a_child_that_loops() -> None:
    fork(loops_deaf)


@deed
def forks_a_child_and_dies() -> None:
    """The child holds the connection open."""
    fork(loops_deaf)
    kills_itself()


@deed
def forks_a_grandchild() -> None:
    os.waitpid(fork(lambda: fork(loops_deaf)), 0)


@deed
def starts_a_daemon() -> None:
    """A session of its own, its parent gone: in nobody's group."""

    def daemonise() -> None:
        os.setsid()
        fork(loops_deaf)

    os.waitpid(fork(daemonise), 0)


@deed
def starts_a_daemon_and_loops() -> NoReturn:
    starts_a_daemon()
    loops()


@deed
def starts_a_daemon_and_dies() -> None:
    starts_a_daemon()
    kills_itself()


@deed
def makes_a_process_that_ends() -> None:
    process = multiprocessing.get_context("fork").Process(target=nothing)
    process.start()
    process.join()


@deed
def makes_a_process_that_loops() -> None:
    multiprocessing.get_context("fork").Process(target=loops_deaf).start()


@deed
def makes_a_spawned_process_that_loops() -> None:
    multiprocessing.get_context("spawn").Process(target=loops_deaf).start()


@deed
def starts_threads() -> None:
    for daemon in (False, True):
        threading.Thread(target=loops, daemon=daemon).start()


@deed
def leads_a_session() -> None:
    os.setsid()


@deed
def ignores_the_polite_end() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


# Furniture


class Broken:
    """A stream that cannot be written to."""

    def write(self, _text: str) -> NoReturn:
        raise OSError("this stream is broken")


@deed
def changes_the_folder() -> None:
    os.chdir("/")


@deed
def replaces_the_streams() -> None:
    sys.stdout = sys.stderr = Broken()
    sys.stdin = None


@deed
def empties_the_module_path() -> None:
    sys.path.clear()


@deed
def replaces_the_module_path() -> None:
    sys.path = ["/nowhere"]


@deed
def empties_the_environment() -> None:
    os.environ.clear()


@deed
def replaces_the_environment() -> None:
    os.environ["HOME"] = "/nowhere"
    os.environ = {}  # type: ignore[assignment]  # noqa: B003
