"""The ``archbench`` fixture: what a test asks of one case, or of a model of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
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
    """A bound of ``check``: the metric, whether a value beyond it is too much or too little, and how it is written."""

    metric: str
    upper: bool
    parse: Callable[[Any], float]
    form: str


def _seconds(value: float | str) -> float:
    return options.duration(value) if isinstance(value, str) else float(value)


def _bounds(limits: Mapping[str, Any]) -> dict[Limit, float]:
    """Keywords of ``check`` as bounds, those that are None left out. Raises: TypeError, ValueError."""
    if unknown := sorted(limits.keys() - LIMITS.keys()):
        raise TypeError(f"check() has no argument {unknown[0]!r}; its limits are {', '.join(LIMITS)}")
    return {LIMITS[key]: _bound(key, value) for key, value in limits.items() if value is not None}


def _bound(key: str, value: Any) -> float:
    """One bound in its metric's unit, above 0 so that something can be within it. Raises: ValueError."""
    try:
        bound = LIMITS[key].parse(value)
    except (TypeError, ValueError):
        bound = math.nan
    if not 0 < bound < math.inf:
        raise ValueError(f"check(): {key}: expected {LIMITS[key].form}, above 0; got {value!r}")
    return bound


def _whole(key: str, value: Any, least: int) -> int:
    """An argument of ``check`` that counts something. Raises: ValueError."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise ValueError(f"check(): {key}: expected a whole number of at least {least}; got {value!r}")
    return int(value)


def _require_module(model: Any) -> None:
    """Raises: TypeError for anything but a network that exists, above all for its class."""
    from torch import nn

    if not isinstance(model, nn.Module):
        got = f"the class {model.__name__}: call it" if isinstance(model, type) else type(model).__name__
        raise TypeError(f"check(): expected a torch.nn.Module; got {got}")


LIMITS = {
    "latency_max": Limit("latency", True, _seconds, "a time such as '20ms' or 0.02 (s)"),
    "throughput_min": Limit("throughput", False, float, "images per second such as 30"),
    "peak_memory_max": Limit("peak_memory", True, units.parse_bytes, "bytes such as '700MiB' or 1e9"),
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
        verdicts = judge.verdicts(
            measurement,
            figures,
            METRICS[case.metric],
            session.plan.options.counter,
            users_own=case.architecture.is_users_own,
        )
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
        """Assert what a model of your own is made of, and how fast and small it is; returns every count, by metric.

        Counts are exact, for one image, and need no ``--archbench``. Limits (``latency_max`` in s or as "20ms",
        ``throughput_min`` in img/s, ``peak_memory_max`` in B or as "1GB") are measured at ``batch_size`` on the devices
        of the run, and skip the test without ``--archbench`` once the counts have been asserted.

        ``input_shape`` is (channels, height, width); ``inputs`` instead of it: tensors of at least ``batch_size``
        images, a list or mapping of shapes or tensors, or a callable ``batch_size -> tensors``. ``name``: the model's.

        Fails with every count that differs. Raises: InvalidInput, TypeError, ValueError before anything is counted.
        """
        __tracebackhide__ = True
        _require_module(model)
        if input_shape is not None and inputs is not None:
            raise TypeError("check(): input_shape and inputs say the same thing; give one of them")
        given = inputs if inputs is not None else input_shape
        batch_size, bounds = _whole("batch_size", batch_size, 1), _bounds(limits)
        expected = {"params": params, "macs": macs, "activations": activations, "model_size": model_size}
        exact = {metric: _whole(metric, value, 0) for metric, value in expected.items() if value is not None}
        fed = _fed(given, batch_size, model)
        own = _own(model, self._named(name or f"{type(model).__name__} in {self._request.node.name}"))
        counted = self._check_counts(replace(own, input_shape=_fed(given, 1, model)), exact)
        if bounds:
            self._check_limits(replace(own, input_shape=fed), batch_size, bounds)
        return counted

    def _check_counts(self, own: Architecture, expected: Mapping[str, int]) -> dict[str, Number]:
        __tracebackhide__ = True
        counted = _count(own)
        verdicts = {metric: _equal(counted[metric], value) for metric, value in expected.items()}
        for metric, measurement in counted.items():
            self._record(measurement, (verdicts[metric],) if metric in verdicts else (), own)
        if wrong := [v.reason for v in verdicts.values() if v.outcome != "passed"]:
            pytest.fail("\n".join(wrong), pytrace=False)
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
