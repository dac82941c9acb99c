"""A case becomes a measurement: counting in this process, everything else in a process that may die alone."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock

from pytest_archbench import inputs
from pytest_archbench.meters import METERS, CannotMeasure, Meter, meter_of
from pytest_archbench.meters.running import torch_device
from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Reading, Settings, Status
from pytest_archbench.registry import METRICS


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


Answer = Mapping[str, Reading] | Failure


def perform(job: Job) -> Answer:
    """Do the job here. Whatever a network raises becomes a failure with the network's own words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what libraries will deprecate is no finding about a network
            return METERS[job.meter].measure(job.architecture, job.conditions, job.settings)
    except CannotMeasure as error:
        return Failure("skipped", str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001  a network may raise anything, and the others go on
        return Failure("oom" if _is_out_of_memory(error) else "failed", _in_its_own_words(error))


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(
        sign in f"{type(error).__name__}: {error}"
        for sign in ("OutOfMemoryError", "out of memory", "can't allocate memory")
    )


def _in_its_own_words(error: BaseException) -> str:
    """Type, message and innermost place of an exception, on one line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" (in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


class Worker:
    """A spawned process that does one job after another, and is replaced when it dies.

    Spawned, never forked: a forked copy of a process that has touched CUDA or started threads is broken.
    """

    def __init__(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, job: Job, timeout: float) -> Answer:
        """The worker's answer; a failure where it dies (``crashed``) or needs more than ``timeout`` s (``timeout``)."""
        try:
            message = pickle.dumps(job)
        except Exception as error:  # noqa: BLE001  a network may refuse in any way it likes
            return Failure(
                "failed", f"the network cannot be sent to a measuring process: {error}; define it at module level"
            )
        try:
            return self._exchange(message, timeout)
        except (EOFError, OSError):
            return self._died()
        except BaseException:  # interrupted: the late answer must not be taken for the next job's
            self.stop()
            raise

    def _exchange(self, message: bytes, timeout: float) -> Answer:
        self._connection.send_bytes(message)
        if not self._connection.poll(timeout):
            self.stop()
            return Failure("timeout", f"no answer within {timeout:g} s; raise --archbench-timeout if it needs longer")
        answer: Answer = self._connection.recv()
        return answer

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _died(self) -> Failure:
        self._process.join()
        code = self._process.exitcode or 0
        names = {each.value: each.name for each in signal.Signals}
        cause = f"signal {names.get(-code, -code)}" if code < 0 else f"exit status {code}"
        return Failure("crashed", f"the measuring process ended with {cause}")


def _serve(connection: Connection) -> None:
    """Answer jobs until the other side is gone. Ctrl-C is for the parent, which ends this process in its own time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            return
        connection.send(_answer(message))


def _end_with_parent() -> None:
    """A parent that is killed ends no child that is busy, and a network may be busy for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(message: bytes) -> Answer:
    try:
        job: Job = pickle.loads(message)  # from our own parent
    except Exception as error:  # noqa: BLE001  unpickling imports the user's modules, which may raise anything
        return Failure("failed", f"the measuring process cannot import the network: {_in_its_own_words(error)}")
    return perform(job)


class Runner:
    """Measures cases; one measurement serves every metric of its meter."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._workers: dict[str, Worker] = {}
        self._answers: dict[tuple[str, str], tuple[Architecture, Answer]] = {}

    def measure(self, case: Case) -> Measurement:
        """Measure one case; never raises for what the network does."""
        meter = meter_of(case.metric)
        key = (meter.name, case.id)
        known = self._answers.get(key)
        if known is None or known[0] is not case.architecture:  # two tests may check different networks of one name
            answer = self._ask(meter, Job(meter.name, case.architecture, case.conditions, self.settings))
            known = self._answers[key] = (case.architecture, answer)
        return measurement(case, known[1])

    def _ask(self, meter: Meter, job: Job) -> Answer:
        if not meter.worker:
            return perform(job)
        with device_lock(job.conditions.device):
            worker = self._workers.get(meter.worker)
            if worker is None or not worker.alive:
                worker = self._workers[meter.worker] = Worker()
            return worker.ask(job, self.settings.timeout)

    def close(self) -> None:
        """End every worker."""
        for worker in self._workers.values():
            worker.stop()
        self._workers.clear()


def device_lock(device: str) -> BaseFileLock:
    """One measuring job per device at a time on this host, whichever run or worker it belongs to."""
    name = f"archbench-{os.getuid()}-{torch_device(device).replace(':', '-')}.lock"
    return FileLock(Path(tempfile.gettempdir()) / name)


def measurement(case: Case, answer: Answer) -> Measurement:
    """The record of a case and its answer."""
    metric = METRICS[case.metric]
    common: dict[str, Any] = {
        "architecture": case.architecture.name,
        "metric": metric.name,
        "unit": metric.unit,
    }
    if isinstance(answer, Failure):
        asked = replace(case.conditions, input_shape=inputs.plain(case.conditions.input_shape))
        return Measurement(**common, conditions=asked, status=answer.status, message=answer.message)
    reading = answer[metric.name]
    return Measurement(
        **common,
        conditions=replace(case.conditions, input_shape=reading.input_shape, dtype=reading.dtype),
        status="ok",
        samples=reading.samples,
        convention=reading.convention,
        uncounted=reading.uncounted,
        notes=reading.notes,
    )
