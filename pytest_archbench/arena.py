"""This project against another revision or environment of it, case by case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from pytest_archbench import duel, grades, past, runner, store
from pytest_archbench.against import Opponent
from pytest_archbench.duel import FEWEST_PAIRS, MOST_PAIRS, Duel, Enough, SideFailed
from pytest_archbench.files import as_file
from pytest_archbench.jobs import Answer, Failure, Job
from pytest_archbench.meters import METERS, meter_of
from pytest_archbench.meters.latency import convention, rates
from pytest_archbench.points import point_of
from pytest_archbench.records import Case, Measurement, Metric, Settings, Trial, Verdict
from pytest_archbench.registry import METRICS
from pytest_archbench.runner import TIMING, Answered, Runner, Watch, device_lock
from pytest_archbench.units import readable
from pytest_archbench.worker import Worker


@dataclass(frozen=True, slots=True)
class Bout:
    """Our measurement of a case, the verdict of it against the other side's, and what the journal keeps of that."""

    measurement: Measurement
    verdict: Verdict
    account: Mapping[str, Any]


@dataclass(slots=True)
class Arena:
    """Processes of both sides; some pairs of them are kept warm. ``tolerance`` (relative) is for times."""

    opponent: Opponent
    settings: Settings
    tolerance: float
    header: Mapping[str, Any]
    _pairs: dict[int, tuple[Worker, Worker]] = field(default_factory=dict)
    _apart: Worker | None = None
    _duels: dict[str, Duel | SideFailed] = field(default_factory=dict)

    def bout(self, case: Case, here: Runner, watch: Watch | None = None) -> Bout:
        """Measure both sides of a case and compare them; never raises for what a network does. ``watch`` sees every
        part of a long measurement of ours.
        """
        meter = meter_of(case.metric)
        job = Job(meter.name, case.architecture, case.conditions, self.settings)
        return self._timed(case, job) if meter.worker == TIMING else self._single(case, job, here, watch)

    def _timed(self, case: Case, job: Job) -> Bout:
        """Times are taken in turn, in pairs of processes, until the verdict is clear."""
        if case.id not in self._duels:
            self._duels[case.id] = self._fight(job)
        found = self._duels[case.id]
        if isinstance(found, SideFailed):
            return self._failed(case, found)
        return _decided(case, found, self.tolerance, self.opponent.label, self._account())

    def _fight(self, job: Job) -> Duel | SideFailed:
        # The clearer of two questions decides how many pairs there are: a rate is the same ratio upside down.
        enough = _enough(self.tolerance)
        try:
            with device_lock(job.conditions.device):
                return duel.between_processes(self._each_pair(), job, self.opponent.job(job), enough)
        except SideFailed as failed:
            return failed

    def _failed(self, case: Case, failed: SideFailed) -> Bout:
        theirs = Failure("skipped", f"{self.opponent.label}: {failed}")
        measurement = runner.unmeasured(case, failed.failure if failed.ours else theirs)
        verdict = Verdict("inconclusive", f"{case.architecture.name} {case.metric}: {measurement.message}")
        return Bout(measurement, verdict, self._account(message=str(failed)))

    def _single(self, case: Case, job: Job, here: Runner, watch: Watch | None) -> Bout:
        """What a machine's pace does not touch is measured once on each side."""
        with device_lock(job.conditions.device):
            answer = self._theirs(self.opponent.job(job))
        ours, found = here.measure(case, watch=watch), runner.measurement(case, [Answered(answer)], self.settings)
        points = [point_of(each, self.header) for each in (ours, found)]
        account = self._account(value=found.value, message=found.message)
        if points[0] is None or points[1] is None:
            lacking = ours if points[0] is None else found
            reason = f"{case.architecture.name} {case.metric}: not comparable with {self.opponent.label}: "
            reason += lacking.message or "operators without a formula"
            return Bout(ours, Verdict("inconclusive", reason, self.opponent.label), account)
        verdict = grades.against(points[0], points[1], METRICS[case.metric], self.opponent.label)
        return Bout(ours, verdict, account)

    def _theirs(self, job: Job) -> Answer:
        """What the other side measures; what is half done of it is kept apart from ours."""
        if not METERS[job.meter].is_long:
            answer: Answer = self._untimed().ask("measure", job, timeout=self.settings.timeout)
            return answer
        learning = job.settings.learning
        apart = replace(learning, keep=f"{learning.keep}/{as_file(self.opponent.label)}")
        return runner.followed(self._untimed(), replace(job, settings=replace(job.settings, learning=apart)))

    def _account(self, **found: Any) -> dict[str, Any]:
        return {"side": self.opponent.label, **self.opponent.facts, "tolerance": self.tolerance, **found}

    def _each_pair(self) -> Iterator[tuple[Worker, Worker]]:
        for number in range(MOST_PAIRS):
            if number >= FEWEST_PAIRS:  # the same processes would say the same once more
                self._stop(number % FEWEST_PAIRS)
            yield self._pair(number % FEWEST_PAIRS)

    def _pair(self, number: int) -> tuple[Worker, Worker]:
        pair = self._pairs.get(number)
        if pair is None or not all(worker.alive for worker in pair):
            self._stop(number)
            pair = self._pairs[number] = (Worker(), Worker(self.opponent.surroundings))
        return pair

    def _untimed(self) -> Worker:
        """A process of the other side that times nothing: the meter of memory tells the C library its own ways."""
        if self._apart is None or not self._apart.alive:
            self._apart = Worker(self.opponent.surroundings)
        return self._apart

    def _stop(self, number: int) -> None:
        for worker in self._pairs.pop(number, ()):
            worker.stop()

    def close(self) -> None:
        """End every process."""
        for number in list(self._pairs):
            self._stop(number)
        if self._apart is not None:
            self._apart.stop()


def recalled(row: Mapping[str, Any] | None) -> Bout | None:
    """The bout that a journal's row tells of, if it does."""
    if row is None or "against" not in row:
        return None
    return Bout(store.measurement(row), Verdict(**row["verdicts"][-1]), row["against"])


def race(ours: Case, theirs: Case, here: Runner, tolerance: float) -> Bout:
    """The latency of two networks in one process, in turn. Raises: duel.SideFailed."""
    found = here.duel(ours, theirs, _enough(tolerance))
    label = theirs.architecture.name
    return _decided(ours, found, tolerance, label, {"side": label, "tolerance": tolerance})


def _enough(tolerance: float) -> Enough:
    return partial(past.settled, tolerance=tolerance, metric=METRICS["latency"])


def _decided(case: Case, found: Duel, tolerance: float, label: str, account: Mapping[str, Any]) -> Bout:
    metric = METRICS[case.metric]
    measurement = _measurement(case, metric, found)
    ratios = [_sign(metric) * ratio for ratio in found.log_ratios]
    subject = f"{case.architecture.name} {metric.name}: {readable(measurement.value, metric.unit)}"
    verdict = past.against_pairs(ratios, tolerance, metric, subject, label)
    theirs = [asdict(trial) for trial in _in_unit(case, metric, found.theirs)]
    return Bout(measurement, verdict, {**account, "log_ratios": ratios, "trials": theirs})


def _sign(metric: Metric) -> int:
    """A rate goes up where the time goes down."""
    return 1 if metric.better == "lower" else -1


def _in_unit(case: Case, metric: Metric, trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """Trials of times (s) in the unit of a metric of times or rates."""
    if metric.better == "lower":
        return trials
    return tuple(Trial(rates(trial.samples, case.conditions.batch_size)) for trial in trials)


def _measurement(case: Case, metric: Metric, found: Duel) -> Measurement:
    trials = _in_unit(case, metric, found.ours)
    return Measurement(
        architecture=case.architecture.name,
        metric=metric.name,
        unit=metric.unit,
        status="ok",
        conditions=replace(case.conditions, input_shape=found.fed, dtype=found.dtype),
        samples=tuple(sample for trial in trials for sample in trial.samples),
        convention=f"in turn with another side; {convention(metric.name, case.conditions.device)}",
        notes=(f"{len(found.log_ratios)} pairs",),
        trials=trials,
    )
