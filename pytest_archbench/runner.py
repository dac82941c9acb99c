"""A case becomes a measurement: counting in this process, everything else in processes that may die alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import BaseFileLock, FileLock

from pytest_archbench import duel, inputs, stats
from pytest_archbench.computing import torch_device
from pytest_archbench.duel import Duel, Enough
from pytest_archbench.jobs import Answer, Failure, Job, perform
from pytest_archbench.meters import CannotMeasure, Meter, Part, Readings, meter_of
from pytest_archbench.records import Architecture, Case, Measurement, Number, Reading, Settings, Trial
from pytest_archbench.registry import METRICS
from pytest_archbench.worker import Worker

TIMING = "timing"
"""The worker of meters whose numbers a process biases: they are spread over ``Settings.processes`` of it."""
REPEATS = 2
"""How often a trial is taken again that something else on the machine disturbed."""

Watch = Callable[[Part], bool]
"""Sees a part of a long measurement, and says whether it is enough."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one process answered in the end, and its readings before that something disturbed."""

    answer: Answer
    disturbed: tuple[Mapping[str, Reading | CannotMeasure], ...] = ()


class Runner:
    """Measures cases; one measurement serves every metric of its meter."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._workers: dict[tuple[str, int], Worker] = {}
        self._answers: dict[tuple[str, str], tuple[Architecture, list[Answered]]] = {}
        self._exhausted: dict[tuple[str, ...], tuple[Architecture, int]] = {}

    def measure(self, case: Case, *, afresh: bool = False, watch: Watch | None = None) -> Measurement:
        """Measure one case; never raises for what the network does. ``afresh``: again, in processes of its own.
        ``watch`` sees every part of a long measurement.
        """
        meter = meter_of(case.metric)
        key = (meter.name, case.id)
        known = self._answers.get(key)
        # Two tests may check different networks of one name.
        if known is None or known[0] is not case.architecture or afresh:
            if afresh:
                self.close()
            job = Job(meter.name, case.architecture, case.conditions, self.settings)
            answers = self._too_large(meter, job) or self._noted(job, self._ask(meter, job, watch))
            known = self._answers[key] = (case.architecture, answers)
        return measurement(case, known[1], self.settings)

    def _too_large(self, meter: Meter, job: Job) -> list[Answered]:
        """What is known of a batch without trying it: a smaller one ran out of memory already."""
        network, smaller = self._exhausted.get(_series(job), (None, 0))
        if not meter.worker or network is not job.architecture or job.conditions.batch_size <= smaller:
            return []
        return [Answered(Failure("oom", f"batch {smaller} ran out of memory already; this was not tried"))]

    def _noted(self, job: Job, answers: list[Answered]) -> list[Answered]:
        """Remember the batch that ran out of memory."""
        if any(isinstance(each.answer, Failure) and each.answer.status == "oom" for each in answers):
            self._exhausted[_series(job)] = job.architecture, job.conditions.batch_size
        return answers

    def _ask(self, meter: Meter, job: Job, watch: Watch | None) -> list[Answered]:
        """What every process answers; a failure ends it."""
        if not meter.worker:
            return [Answered(perform(job))]
        answers: list[Answered] = []
        with device_lock(job.conditions.device):
            self._make_room(meter.worker, job.conditions.device)
            if meter.is_long:
                return [Answered(self._followed(meter.worker, job, watch))]
            for number in range(self.settings.processes if meter.worker == TIMING else 1):
                answers.append(self._undisturbed(meter.worker, number, job))
                if meter.alone:
                    self._worker(meter.worker, number).stop()
                if isinstance(answers[-1].answer, Failure):
                    break
        return answers

    def _make_room(self, name: str, device: str) -> None:
        """End idle workers of other kinds: on an accelerator each keeps a context, which takes memory of the device and
        looks like a neighbour.
        """
        for kept in [key for key in self._workers if key[0] != name and torch_device(device) != "cpu"]:
            self._workers.pop(kept).stop()

    def _followed(self, name: str, job: Job, watch: Watch | None) -> Answer:
        """A long measurement, in a process of its own: what a network leaves behind, such as another default type, it
        leaves to nobody, and a start is nothing beside an evaluation.
        """
        worker = self._worker(name, 0)
        try:
            return followed(worker, job, watch)
        finally:
            worker.stop()

    def _undisturbed(self, name: str, number: int, job: Job) -> Answered:
        """Ask one process until nothing disturbs it, a few times; else the least disturbed answer counts."""
        attempts: list[Mapping[str, Reading | CannotMeasure]] = []
        while len(attempts) <= REPEATS:
            answer: Answer = self._worker(name, number).ask("measure", job, timeout=self.settings.timeout)
            if isinstance(answer, Failure):
                return Answered(answer, tuple(attempts))
            attempts.append(answer)
            if not _disturbances(answer):
                break
        best = min(attempts, key=_disturbances)
        return Answered(best, tuple(attempt for attempt in attempts if attempt is not best))

    def _worker(self, name: str, number: int) -> Worker:
        worker = self._workers.get((name, number))
        if worker is None or not worker.alive:
            worker = self._workers[name, number] = Worker()
        return worker

    def duel(self, ours: Case, theirs: Case, enough: Enough) -> Duel:
        """Time two networks in turn, in one process. Raises: duel.SideFailed."""
        mine, other = (Job("latency", case.architecture, case.conditions, self.settings) for case in (ours, theirs))
        with device_lock(ours.conditions.device):
            return duel.in_one_process(self._worker(TIMING, 0), mine, other, enough)

    def close(self) -> None:
        """End every worker."""
        for worker in self._workers.values():
            worker.stop()
        self._workers.clear()


def followed(worker: Worker, job: Job, watch: Watch | None = None) -> Answer:
    """The readings of a long measurement, part by part, until it is whole or ``watch`` has seen enough of it."""
    part: Part | Failure = worker.ask("begin", job, timeout=job.settings.timeout)
    while not isinstance(part, Failure) and not part.whole:
        if watch is not None and watch(part):
            worker.ask("close", timeout=job.settings.timeout)
            return stopped_early(part.readings, job.settings.learning.risk)
        part = worker.ask("advance", timeout=job.settings.timeout)
    return part if isinstance(part, Failure) else part.readings


def stopped_early(readings: Readings, risk: float) -> Readings:
    """What was read when it was enough at a ``risk``, saying so: its verdict rests on another interval then."""

    def said(reading: Reading | CannotMeasure) -> Reading | CannotMeasure:
        if isinstance(reading, CannotMeasure) or reading.outcomes is None:
            return reading
        return replace(reading, outcomes=replace(reading.outcomes, risk=risk))

    return {name: said(reading) for name, reading in readings.items()}


def device_lock(device: str) -> BaseFileLock:
    """One measuring job per device at a time on this host, whichever run or worker it belongs to."""
    name = f"archbench-{os.getuid()}-{torch_device(device).replace(':', '-')}.lock"
    return FileLock(Path(tempfile.gettempdir()) / name)


def _series(job: Job) -> tuple[str, ...]:
    """What jobs share that differ in their batch alone."""
    return job.meter, job.architecture.name, job.conditions.device, job.conditions.variant


def _disturbances(readings: Mapping[str, Reading | CannotMeasure]) -> int:
    return max((len(reading.disturbed) for reading in readings.values() if isinstance(reading, Reading)), default=0)


def measurement(case: Case, answered: Sequence[Answered], settings: Settings) -> Measurement:
    """The record of a case and what its processes answered."""
    metric = METRICS[case.metric]
    found = [_reading(each.answer, metric.name) for each in answered]
    readings = [each for each in found if isinstance(each, Reading)]
    if failures := [each for each in found if isinstance(each, Failure)]:
        return unmeasured(case, failures[0])
    first = readings[0]
    samples = tuple(sample for reading in readings for sample in reading.samples)
    left_out = [trial for each in answered for trial in _trials(each.disturbed, metric.name)]
    trials = _trials([each.answer for each in answered], metric.name)
    return Measurement(
        architecture=case.architecture.name,
        metric=metric.name,
        unit=metric.unit,
        status="ok",
        conditions=replace(case.conditions, input_shape=first.input_shape, dtype=first.dtype),
        samples=samples,
        convention=first.convention,
        uncounted=first.uncounted,
        notes=(*(note for reading in readings for note in reading.notes), *_disturbed_notes(trials, left_out)),
        trials=trials,
        left_out=tuple(left_out),
        imprecise=_imprecise(samples, settings.precision) if first.reference else first.imprecise,
        outcomes=first.outcomes,
        epochs=first.epochs,
        protocol=first.protocol,
    )


def unmeasured(case: Case, failure: Failure) -> Measurement:
    """The record of a case that has no value, under the conditions that were asked for."""
    return Measurement(
        architecture=case.architecture.name,
        metric=case.metric,
        unit=METRICS[case.metric].unit,
        status=failure.status,
        conditions=replace(case.conditions, input_shape=inputs.plain(case.conditions.input_shape)),
        message=failure.message,
    )


def _reading(answer: Answer, metric: str) -> Reading | Failure:
    if isinstance(answer, Failure):
        return answer
    reading = answer[metric]
    return Failure("skipped", str(reading)) if isinstance(reading, CannotMeasure) else reading


def _trials(answers: Iterable[Answer], metric: str) -> tuple[Trial, ...]:
    """The parts that processes had whose machine was watched, in their order."""
    readings = [_reading(answer, metric) for answer in answers]
    return tuple(
        Trial(reading.samples, reading.reference, reading.machine, reading.disturbed)
        for reading in readings
        if isinstance(reading, Reading) and (reading.reference or reading.machine)
    )


def _disturbed_notes(trials: Sequence[Trial], left_out: Sequence[Trial]) -> Iterator[str]:
    if left_out:
        yield f"{len(left_out)} trials were disturbed and taken again ({_causes(left_out)})"
    if any(trial.disturbed for trial in trials):
        yield f"disturbed all the same: {_causes(trials)}"


def _causes(trials: Sequence[Trial]) -> str:
    return "; ".join(dict.fromkeys(cause for trial in trials for cause in trial.disturbed))


def _imprecise(samples: Sequence[Number], asked: float) -> str:
    """How far the median stays behind the precision asked for (relative), or an empty text."""
    error = stats.relative_error(samples)
    if error <= asked:
        return ""
    known = f"to ±{error:.2%}" if error < 1 else "from too few samples to state its precision"
    return f"the median is known {known}, ±{asked:.2%} was asked for; raise --archbench-time-budget"
