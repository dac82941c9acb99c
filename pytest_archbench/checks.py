"""The ``archbench`` fixture: what a test asks of one case, or of a model of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_archbench import inputs, judge, options, replay, store, units
from pytest_archbench.baselines import key_of, matching
from pytest_archbench.meters import counts
from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Number, Verdict
from pytest_archbench.registry import METRICS

if TYPE_CHECKING:
    from torch import nn

    from pytest_archbench.session import Session

PROPERTY = "archbench"
"""Name of the user property that carries a journal row from a test to whoever writes the journal."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that exists, as an architecture's constructor."""

    model: nn.Module

    def __call__(self) -> nn.Module:
        return self.model


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound of ``check``: the metric, and whether a value beyond the bound is too much or too little."""

    metric: str
    upper: bool
    parse: Callable[[Any], float]


def _seconds(value: float | str) -> float:
    return options.duration(value) if isinstance(value, str) else float(value)


def _bounds(limits: Mapping[str, Any]) -> dict[Limit, float]:
    """Keywords of ``check`` as bounds, those that are None left out. Raises: TypeError, ValueError."""
    if unknown := sorted(limits.keys() - LIMITS.keys()):
        raise TypeError(f"check() has no argument {unknown[0]!r}; its limits are {', '.join(LIMITS)}")
    bounds: dict[Limit, float] = {}
    for key, value in limits.items():
        try:
            bounds |= {} if value is None else {LIMITS[key]: LIMITS[key].parse(value)}
        except (TypeError, ValueError) as error:
            raise ValueError(f"check(): {key}: got {value!r}; {error}") from None
    return bounds


LIMITS = {
    "latency_max": Limit("latency", True, _seconds),
    "throughput_min": Limit("throughput", False, float),
    "peak_memory_max": Limit("peak_memory", True, units.parse_bytes),
}


class Archbench:
    """Counts, measures and judges for one test."""

    def __init__(self, request: pytest.FixtureRequest, session: Session | None) -> None:
        self._request = request
        self._session = session

    def judge(self, case: Case) -> None:
        """Measure a case of the catalogue, journal it, and end the test as the verdicts say.

        Fails on a deviation, a regression and a case that could not be measured; skips where nothing could be
        compared, since no baseline is not a pass.
        """
        __tracebackhide__ = True  # what fails or skips is the test's line
        session = self._session
        if session is None:
            pytest.skip("a bench case: run pytest --archbench")
        measurement = session.recorded.get(case) or session.runner.measure(case)
        figures = matching(session.published, case.architecture, measurement)
        verdicts = judge.verdicts(measurement, figures, METRICS[case.metric], session.plan.options.counter)
        self._record(measurement, verdicts, case.architecture)
        replay.into_benchmark(self._request, measurement)
        _conclude(measurement, verdicts)

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
        **limits: Any,
    ) -> Mapping[str, Number]:
        """Assert what a model of your own is made of, and how fast and small it is.

        Counts (``params``, ``macs``, ``activations``, ``model_size``) are exact, for one image, and need no
        ``--archbench``. Limits (``latency_max`` in s or as "20ms", ``throughput_min`` in img/s, ``peak_memory_max``
        in B or as "1GB") are measured at ``batch_size`` on the devices of the run, and skip the test without
        ``--archbench`` once the counts have been asserted.

        ``input_shape`` is (channels, height, width); ``inputs`` instead of it: tensors of at least ``batch_size``
        images, a list or mapping of shapes or tensors, or a callable ``batch_size -> tensors``.

        ``name`` is what the journal calls the model; without it the names of its class and of the test.

        Returns: every count, by metric. Fails with every count that differs. Raises: InvalidInput, TypeError,
        ValueError for a limit that is none.
        """
        __tracebackhide__ = True
        bounds = _bounds(limits)
        if batch_size < 1:
            raise ValueError(f"check(): batch_size must be at least 1; got {batch_size}")
        given = inputs if inputs is not None else input_shape
        own = _own(model, self._named(name or f"{type(model).__name__} in {self._request.node.name}"))
        fed = _fed(given, batch_size, model)  # before counting, so that a mistake is told first
        counted = _count(replace(own, input_shape=_fed(given, 1, model)))
        expected = {"params": params, "macs": macs, "activations": activations, "model_size": model_size}
        verdicts = {m: _equal(counted[m], value) for m, value in expected.items() if value is not None}
        for metric, measurement in counted.items():
            self._record(measurement, (verdicts[metric],) if metric in verdicts else (), own)
        if wrong := [v.reason for v in verdicts.values() if v.outcome != "passed"]:
            pytest.fail("\n".join(wrong), pytrace=False)
        if bounds:
            self._check_limits(replace(own, input_shape=fed), batch_size, bounds)
        return {metric: measurement.samples[0] for metric, measurement in counted.items()}

    def _check_limits(self, own: Architecture, batch_size: int, limits: Mapping[Limit, float]) -> None:
        __tracebackhide__ = True
        session = self._session
        if session is None:
            names = ", ".join(limit.metric for limit in limits)
            pytest.skip(f"{own.name}: {names}: measured quantities are judged with --archbench")
        failures = []
        for device in session.plan.devices:
            conditions = Conditions(device.name, batch_size, own.input_shape, threads=session.plan.options.threads)
            for limit, bound in limits.items():
                measurement = session.runner.measure(Case(own, limit.metric, conditions))
                verdict = _within(measurement, limit, bound)
                self._record(measurement, (verdict,), own)
                if verdict.outcome != "passed":
                    failures.append(verdict.reason)
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)

    def _named(self, name: str) -> str:
        return self._session.distinct(name) if self._session is not None else name

    def _record(self, measurement: Measurement, verdicts: tuple[Verdict, ...], of: Architecture) -> None:
        """Send a journal row along with the test's report, which finds its way from any process."""
        if self._session is not None:
            row = store.row(measurement, verdicts, of.family, key_of(of))
            self._request.node.user_properties.append((PROPERTY, json.dumps(row, default=repr)))


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


def _within(measurement: Measurement, limit: Limit, bound: float) -> Verdict:
    """A measured value against a bound, in the metric's unit."""
    value = measurement.value
    subject = f"{measurement.architecture} {measurement.metric} on {measurement.conditions.device}"
    subject += f" at batch {measurement.conditions.batch_size}"
    if value is None:
        return Verdict("inconclusive", f"{subject}: {measurement.status}: {measurement.message}", "this test")
    good = value <= bound if limit.upper else value >= bound
    shown, asked = units.readable(value, measurement.unit), units.readable(bound, measurement.unit)
    return Verdict(
        "passed" if good else "regressed",
        f"{subject}: expected at {'most' if limit.upper else 'least'} {asked}, got {shown}",
        "this test",
        str(bound),
        measurement.unit,
        (value - bound) / bound if bound else None,
    )


def _conclude(measurement: Measurement, verdicts: tuple[Verdict, ...]) -> None:
    """End the test: fail with every failing sentence, pass, or skip with the reason."""
    __tracebackhide__ = True
    if measurement.status == "skipped":
        pytest.skip(f"{measurement.architecture} {measurement.metric}: {measurement.message}")
    if measurement.status != "ok":
        subject = f"{measurement.architecture} {measurement.metric}"
        pytest.fail(f"{subject}: {measurement.status}: {measurement.message}", pytrace=False)
    decisive = judge.worst(verdicts)
    result = judge.RESULTS[decisive.outcome]
    if result == "fail":
        wrong = [v.reason for v in verdicts if judge.RESULTS[v.outcome] == "fail"]
        pytest.fail("\n".join(wrong), pytrace=False)
    if result == "skip":
        pytest.skip(decisive.reason)
