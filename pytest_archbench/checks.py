"""The ``archbench`` fixture: what a test asks of one case, or of a model of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_archbench import inputs, judge, limits, replay, store
from pytest_archbench.arena import Arena, race, recalled
from pytest_archbench.baselines import key_of
from pytest_archbench.duel import SideFailed
from pytest_archbench.judge import speaking
from pytest_archbench.limits import Limit
from pytest_archbench.meters import Part, counts
from pytest_archbench.outcomes import RESULTS, worst
from pytest_archbench.past import PROCESS_BIAS
from pytest_archbench.records import Architecture, Baseline, Case, Conditions, Measurement, Number, Verdict
from pytest_archbench.registry import METRICS

if TYPE_CHECKING:
    from torch import nn

    from pytest_archbench.runner import Watch
    from pytest_archbench.session import Session

PROPERTY = "archbench"
"""Name of the user property that carries a journal row from a test to whoever writes the journal."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that exists, as an architecture's constructor."""

    model: nn.Module

    def __call__(self) -> nn.Module:
        return self.model


class Archbench:
    """Counts, measures and judges for one test."""

    def __init__(self, request: pytest.FixtureRequest, session: Session | None) -> None:
        self._request = request
        self._session = session

    def judge(self, case: Case) -> None:
        """Measure a case of the catalogue, journal it, and end the test as the verdicts say.

        Fails on a deviation, a regression and a case that could not be measured; skips where nothing could be
        compared, since no baseline is not a pass. A batch that runs out of memory where a smaller one is asked for too
        ends its series, and skips.
        """
        __tracebackhide__ = True  # what fails or skips is the test's line
        session = self._running()
        if session.arena is not None:
            self._conclude_bout(case, session, session.arena)
            return
        measurement = session.recorded.get(case) or session.runner.measure(case, watch=self._watch(session, case))
        measurement, own = self._by_the_past(session, case, measurement)
        verdicts = (*_published(session, case, measurement), *own)
        self._record(measurement, verdicts, case.architecture)
        replay.into_benchmark(self._request, measurement)
        further = case.conditions.batch_size > min(session.plan.options.batch_size)
        _conclude(measurement, verdicts, ends_series=further and measurement.status == "oom")

    def _by_the_past(
        self, session: Session, case: Case, measurement: Measurement
    ) -> tuple[Measurement, tuple[Verdict, ...]]:
        """The verdicts by promoted values and earlier runs; a first alarm about what is noisy is measured once more."""
        own = session.yardsticks.verdicts(measurement)
        noisy = measurement.unit in PROCESS_BIAS and not measurement.protocol  # hours of training are not repeated
        if not noisy or all(verdict.outcome != "regressed" for verdict in own):
            return measurement, own
        self._record(measurement, tuple(map(_unconfirmed, own)), case.architecture)
        measurement = session.runner.measure(case, afresh=True)
        return measurement, session.yardsticks.verdicts(measurement)

    def _watch(self, session: Session, case: Case) -> Watch:
        """Tells how far a long measurement is, and whether its verdicts are certain at the risk that was allowed."""

        def enough(part: Part) -> bool:
            session.progress.within(self._request.node.nodeid, part)
            return session.is_settled(case, part)

        return enough

    def _conclude_bout(self, case: Case, session: Session, arena: Arena) -> None:
        """Judge a case against the other side, and by what was published."""
        __tracebackhide__ = True
        bout = recalled(session.recorded.row(case)) or arena.bout(case, session.runner, self._watch(session, case))
        published = _published(session, case, bout.measurement)
        compared = [verdict for verdict in published if verdict.source]  # that nothing was published is no news here
        self._record(bout.measurement, (*compared, bout.verdict), case.architecture, against=bout.account)
        replay.into_benchmark(self._request, bout.measurement)
        _conclude(bout.measurement, (*compared, bout.verdict))

    def check(
        self,
        model: nn.Module,
        *,
        input_shape: Any = None,
        inputs: Any = None,
        name: str = "",
        params: int | None = None,
        macs: int | None = None,
        activations: int | None = None,
        model_size: int | None = None,
        batch_size: int = 1,
        not_slower_than: nn.Module | None = None,
        **demands: Any,
    ) -> Mapping[str, Number]:
        """Assert what a model of your own is made of, and how fast and small it is; returns every count, by metric.

        Counts are exact, for one image, and need no ``--archbench``. Limits (``latency_max`` in s or as "20ms",
        ``throughput_min`` in img/s, ``peak_memory_max`` in B or as "1GB", ``energy_max`` in J per image or as "50mJ")
        are measured at ``batch_size`` on the devices of the run, and skip the test without ``--archbench`` once the
        counts have been asserted.

        ``not_slower_than`` is another model with the same input: both are timed in turn, in one process, and ours must
        not be slower by more than ``--archbench-tolerance``.

        ``input_shape`` is (channels, height, width); ``inputs`` instead of it: tensors of at least ``batch_size``
        images, a list or mapping of shapes or tensors, or a callable ``batch_size -> tensors``. ``name``: the model's.

        Fails with every count that differs. Raises: InvalidInput, TypeError, ValueError before anything is counted.
        """
        __tracebackhide__ = True
        limits.require_module(model)
        if not_slower_than is not None:
            limits.require_module(not_slower_than)
        if input_shape is not None and inputs is not None:
            raise TypeError("check(): input_shape and inputs say the same thing; give one of them")
        given = inputs if inputs is not None else input_shape
        batch_size, bounds = limits.whole("batch_size", batch_size, 1), limits.bounds(demands)
        expected = {"params": params, "macs": macs, "activations": activations, "model_size": model_size}
        exact = {metric: limits.whole(metric, value, 0) for metric, value in expected.items() if value is not None}
        fed = _fed(given, batch_size, model)
        own = _own(model, self._named(name or f"{type(model).__name__} in {self._request.node.name}"))
        counted = self._check_counts(replace(own, input_shape=_fed(given, 1, model)), exact)
        demanded = self._limited(replace(own, input_shape=fed), batch_size, bounds) if bounds else []
        if not_slower_than is not None:
            demanded += self._raced(replace(own, input_shape=fed), not_slower_than, batch_size)
        if wrong := [verdict.reason for verdict in demanded if RESULTS[verdict.outcome] == "fail"]:
            pytest.fail("\n".join(wrong), pytrace=False)
        if doubtful := [verdict.reason for verdict in demanded if RESULTS[verdict.outcome] == "skip"]:
            pytest.skip("\n".join(doubtful))
        return counted

    def so_far(self) -> store.Run:
        """What this run has journalled by now, as ``store.read`` gives it; skips the test without ``--archbench``."""
        __tracebackhide__ = True
        return self._running().so_far()

    def published(self) -> tuple[Baseline, ...]:
        """Every published figure; skips the test without ``--archbench``."""
        __tracebackhide__ = True
        return self._running().published.figures

    def _running(self) -> Session:
        __tracebackhide__ = True
        if self._session is None:
            pytest.skip("a bench case: run pytest --archbench")
        return self._session

    def _check_counts(self, own: Architecture, expected: Mapping[str, int]) -> dict[str, Number]:
        __tracebackhide__ = True
        counted = _count(own)
        stated = {metric: _equal(counted[metric], value) for metric, value in expected.items()}
        wrong = [verdict.reason for verdict in stated.values() if verdict.outcome != "passed"]
        for metric, measurement in counted.items():
            past = self._session.yardsticks.verdicts(measurement) if self._session is not None else ()
            self._record(measurement, (*([stated[metric]] if metric in stated else []), *past), own)
            wrong += [verdict.reason for verdict in past if RESULTS[verdict.outcome] == "fail"]
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)
        return {metric: measurement.samples[0] for metric, measurement in counted.items()}

    def _limited(self, own: Architecture, batch_size: int, bounds: Mapping[Limit, float]) -> list[Verdict]:
        """A verdict for each bound on each device in each variant, journalled, and those of what was promoted.

        A network that could not be measured fails the test. Where an instrument does not exist for one variant, the
        others tell; where it does for none, its bound is left inconclusive.
        """
        __tracebackhide__ = True
        session = self._measuring(own, ", ".join(limit.metric for limit in bounds))
        found: list[Verdict] = []
        absent: dict[tuple[str, str], Verdict] = {}
        told: set[tuple[str, str]] = set()
        failures: list[Verdict] = []
        for conditions, (limit, bound) in itertools.product(session.plan.conditions(own, batch_size), bounds.items()):
            case = Case(own, limit.metric, conditions)
            measurement, past = self._by_the_past(session, case, session.runner.measure(case))
            verdict = limits.within(measurement, limit, bound)
            self._record(measurement, (verdict, *past), own)
            failures += [each for each in past if RESULTS[each.outcome] == "fail"]
            if measurement.status == "skipped":
                absent.setdefault((limit.metric, conditions.device), verdict)
            else:
                (found if measurement.status == "ok" else failures).append(verdict)
                told.add((limit.metric, conditions.device))
        if failures:
            pytest.fail("\n".join(verdict.reason for verdict in failures), pytrace=False)
        return [*found, *(verdict for place, verdict in absent.items() if place not in told)]

    def _raced(self, own: Architecture, other: nn.Module, batch_size: int) -> list[Verdict]:
        """A verdict on each device on ours against another model, journalled."""
        __tracebackhide__ = True
        session = self._measuring(own, "latency against another model")
        rival = replace(_own(other, f"{type(other).__name__} beside {own.name}"), input_shape=own.input_shape)
        found = []
        for conditions in session.plan.conditions(own, batch_size):
            ours, theirs = Case(own, "latency", conditions), Case(rival, "latency", conditions)
            try:
                bout = race(ours, theirs, session.runner, session.plan.options.tolerance)
            except SideFailed as failed:
                pytest.fail(f"{own.name if failed.ours else rival.name} latency: {failed}", pytrace=False)
            self._record(bout.measurement, (bout.verdict,), own, against=bout.account)
            found.append(bout.verdict)
        return found

    def _measuring(self, own: Architecture, what: str) -> Session:
        __tracebackhide__ = True
        if self._session is None:
            pytest.skip(f"{own.name}: {what}: measured quantities are judged with --archbench")
        return self._session

    def _named(self, name: str) -> str:
        return self._session.distinct(name) if self._session is not None else name

    def _record(
        self, measurement: Measurement, verdicts: tuple[Verdict, ...], of: Architecture, **more: Mapping[str, Any]
    ) -> None:
        """Send a journal row along with the test's report, which finds its way from any process."""
        if self._session is not None:
            row = {**store.row(measurement, verdicts, of.family, key_of(of)), **more}
            self._request.node.user_properties.append((PROPERTY, _as_json(row)))


def _as_json(row: Mapping[str, Any]) -> str:
    """A row as text; a fact that JSON has no number for, such as an infinite setting of a network, in words."""
    try:
        return json.dumps(row, default=repr, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(row, default=repr), parse_constant=str))


def _published(session: Session, case: Case, measurement: Measurement) -> tuple[Verdict, ...]:
    entry = case.architecture
    figures = speaking(session.published, entry, measurement)
    counter = session.plan.options.counter
    return judge.verdicts(measurement, figures, METRICS[case.metric], counter, users_own=entry.is_users_own)


def _unconfirmed(verdict: Verdict) -> Verdict:
    """A first alarm: it is measured once more before it counts."""
    reason = f"{verdict.reason}; measured once more before this is an alarm"
    return replace(verdict, outcome="inconclusive", reason=reason) if verdict.outcome == "regressed" else verdict


def _own(model: nn.Module, name: str) -> Architecture:
    return Architecture(name, "user", Model(model), provider="user", suites=("user",))


def _fed(given: Any, batch_size: int, model: nn.Module) -> Any:
    """What to feed a batch: shapes as they are, the answer of a callable, the first images of tensors.

    Raises: InvalidInput where a tensor holds fewer images than the batch.
    """
    if callable(given):
        return given(batch_size)
    if isinstance(given, Mapping):
        return {name: _first(item, batch_size) for name, item in given.items()}
    if inputs.is_shape(given) or not isinstance(given, list | tuple):
        return _first(inputs.shape_of(given, model), batch_size)
    return [_first(item, batch_size) for item in given]


def _first(item: Any, batch_size: int) -> Any:
    import torch

    if not isinstance(item, torch.Tensor) or item.ndim == 0:
        return item
    if len(item) < batch_size:
        raise inputs.InvalidInput(f"input: expected a tensor of at least {batch_size} image(s); got {len(item)}")
    return item[:batch_size]


def _count(own: Architecture) -> dict[str, Measurement]:
    from pytest_archbench.counting import count_in_place

    found = count_in_place(own.build(), own.input_shape)
    readings = counts.readings(found, counts.conventions("archbench"))
    return {
        metric: Measurement(
            architecture=own.name,
            metric=metric,
            unit=METRICS[metric].unit,
            status="ok",
            conditions=Conditions(device="cpu", input_shape=reading.input_shape),
            samples=reading.samples,
            convention=reading.convention,
            uncounted=reading.uncounted,
        )
        for metric, reading in readings.items()
    }


def _equal(measurement: Measurement, expected: Number) -> Verdict:
    """A count against what the test says, exactly."""
    verdict = judge.judge_own(measurement, expected, METRICS[measurement.metric], source="this test")
    return verdict if verdict.outcome == "passed" else replace(verdict, reason=_counted_sentence(measurement, expected))


def _counted_sentence(measurement: Measurement, expected: Number) -> str:
    subject = f"{measurement.architecture} {measurement.metric}"
    if measurement.uncounted:
        return f"{subject}: operators without a formula: {', '.join(measurement.uncounted)}; the count is too low"
    got = measurement.samples[0]
    return (
        f"{subject}: expected {expected}, got {got} ({got - expected:+} {measurement.unit}); {measurement.convention}"
    )


def _conclude(measurement: Measurement, verdicts: tuple[Verdict, ...], *, ends_series: bool = False) -> None:
    """End the test: fail with every failing sentence, pass, or skip with the reason."""
    __tracebackhide__ = True
    wrong = [verdict.reason for verdict in verdicts if RESULTS[verdict.outcome] == "fail"]
    if measurement.status != "ok":
        said = f"{measurement.subject}: {measurement.message}"
        if measurement.status == "skipped" or (ends_series and not wrong):
            pytest.skip(said)
        pytest.fail("\n".join([said.replace(": ", f": {measurement.status}: ", 1), *wrong]), pytrace=False)
    decisive = worst(verdicts)
    result = RESULTS[decisive.outcome]
    if result == "fail":
        pytest.fail("\n".join(wrong), pytrace=False)
    if result == "skip":
        pytest.skip(decisive.reason)
