"""What a measuring process is asked, and what it answers. It runs in any environment that has torch."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_archbench.meters import METERS, CannotMeasure, Part, Readings, timing
from pytest_archbench.meters.agreement import WrongOutput
from pytest_archbench.meters.latency import Side, Stopwatch
from pytest_archbench.meters.running import release
from pytest_archbench.nvml import Lost
from pytest_archbench.power.sensors import SensorLost
from pytest_archbench.protocols import Missing, Unusable
from pytest_archbench.records import Architecture, Conditions, Settings, Status


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is asked to do; everything in it can be pickled."""

    meter: str
    architecture: Architecture
    conditions: Conditions
    settings: Settings


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there are no readings."""

    status: Status
    message: str


Answer = Readings | Failure
T = TypeVar("T")


def perform(job: Job) -> Answer:
    """Do the job here. Whatever a network raises becomes a failure with the network's own words."""
    return _guarded(lambda: _started(job))


def _started(job: Job) -> Any:
    """The readings of a quick meter, the parts to come of a long one."""
    return METERS[job.meter].measure(job.architecture, job.conditions, job.settings)


def _guarded(action: Callable[[], T], caught: tuple[type[BaseException], ...] = (Exception, SystemExit)) -> T | Failure:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what libraries will deprecate is no finding about a network
            return action()
    except caught as error:  # a network may raise anything, and the others go on
        return failure(error)


class Stand:
    """What a measuring process has at hand: whole measurements, a long one under way, and networks held ready to be
    timed in turn.
    """

    def __init__(self) -> None:
        self._sides: dict[str, Side] = {}
        self._parts: Iterator[Part] = iter(())
        self._under_way = False

    def answer(self, message: bytes) -> Any:
        """The answer to a pickled ``(verb, arguments)``; a Failure where there is none."""
        try:
            verb, arguments = pickle.loads(message)  # from our own parent
        except BaseException as error:  # noqa: BLE001  unpickling imports the user's modules, which may raise anything
            told = _in_its_own_words(error)
            return Failure("failed", f"the measuring process cannot import the network: {told}")
        # Nobody types Ctrl-C into a measuring process: even a KeyboardInterrupt is the network's own.
        return _guarded(lambda: VERBS[verb](self, *arguments), caught=(BaseException,))

    @property
    def idle(self) -> bool:
        """Whether it holds no network, so that whatever still runs is a left-over."""
        return not self._sides and not self._under_way

    def measure(self, job: Job) -> Answer:
        answer = perform(job)
        release()
        return answer

    def begin(self, job: Job) -> Part:
        """Begin a long measurement; its first part."""
        self._parts = _started(job)
        return self.advance()

    def advance(self) -> Part:
        """The next part of the measurement under way. Raises: what the meter raises, and then it is over."""
        self._under_way = False
        part = next(self._parts)
        self._under_way = not part.whole
        if part.whole:
            self.close()
        return part

    def open(self, name: str, job: Job) -> tuple[float, Any, str]:
        """Hold a network ready under a name; its seconds a pass, the input it is fed and its type."""
        watch = Stopwatch(job.architecture, job.conditions)
        self._sides[name] = Side(watch, job.settings.time_budget)
        return self._sides[name].pace, watch.ready.fed, watch.ready.dtype

    def move(self, name: str) -> None:
        self._sides[name].move()

    def burst(self, name: str, size: int) -> Sequence[float]:
        return self._sides[name].burst(size)

    def round(self, ours: str, theirs: str) -> timing.Round:
        """One round of two networks that are held here."""
        return timing.round_of(self._sides[ours], self._sides[theirs])

    def close(self) -> None:
        """Let go of every network, and of a measurement under way."""
        self._sides.clear()
        self._parts, self._under_way = iter(()), False
        release()

    def versions(self, packages: Sequence[str]) -> dict[str, str]:
        """What this process runs with; raises what importing torch raises."""
        import torch

        from pytest_archbench.environment import environment

        there = environment()
        named = {package: there["packages"][package] for package in packages}
        return {"python": there["python"], **named, "torch": torch.__version__}


VERBS: dict[str, Callable[..., Any]] = {
    verb.__name__: verb
    for verb in (
        *(Stand.measure, Stand.begin, Stand.advance, Stand.open, Stand.move, Stand.burst, Stand.round, Stand.close),
        Stand.versions,
    )
}
"""What a worker can be asked."""


def failure(error: BaseException) -> Failure:
    """What an exception means for its case."""
    if isinstance(error, CannotMeasure | Missing):
        return Failure("skipped", str(error))
    if isinstance(error, Lost):
        return Failure("crashed", f"the GPU is lost: {error}")
    if isinstance(error, Unusable | WrongOutput | SensorLost):
        return Failure("failed", str(error))
    said = f"{type(error).__name__}: {error}"
    status: Status = next((status for sign, status in SIGNS.items() if sign in said), "failed")
    return Failure("oom" if isinstance(error, MemoryError) else status, _in_its_own_words(error))


SIGNS: dict[str, Status] = {
    "OutOfMemoryError": "oom",
    "out of memory": "oom",
    "can't allocate memory": "oom",
    "CUBLAS_STATUS_ALLOC_FAILED": "oom",
    "CUDNN_STATUS_ALLOC_FAILED": "oom",
    "NvMapMemAlloc": "oom",
    "NVML_SUCCESS == r INTERNAL ASSERT": "oom",
    "Failed to allocate memory": "oom",
    "DEVICE_LOST": "crashed",
    "CUBLAS_STATUS": "crashed",
    "CUDA error": "crashed",
    "AcceleratorError": "crashed",
    "CUDNN_STATUS": "crashed",
}
"""What the errors of torch, its libraries and other engines say, in the order they are looked for. On a Jetson it is
the driver's NvMap, or torch's allocator asking a library that is not there, that says memory is full. After any other
error of a GPU its context is lost: the process that holds it can run nothing more."""


def _in_its_own_words(error: BaseException) -> str:
    """Type, message and innermost place of an exception, on one line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" (in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
