"""Records refuse at construction what they cannot hold."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from pytest_archbench.records import (
    Architecture,
    Case,
    Conditions,
    InvalidRecord,
    Measurement,
    Metric,
    Reading,
    Settings,
    Trial,
    Verdict,
)

HERE = Conditions("cpu")
NET = Architecture("net", "nets", build=dict)


def measured(**changes: Any) -> Measurement:
    fields: dict[str, Any] = {
        "architecture": "net", "metric": "latency", "unit": "s", "status": "ok", "conditions": HERE, "samples": (1.0,),
    }  # fmt: skip
    return Measurement(**(fields | changes))


@pytest.mark.parametrize(
    ("samples", "value"), [((3.0, 1.0, 2.0), 2.0), ((4, 1), 2.5), ((7,), 7), ((1814073344,), 1814073344)]
)
def test_the_value_is_the_median(samples: tuple[float, ...], value: float) -> None:
    found = measured(samples=samples).value
    assert found == value
    assert type(found) is type(value)


def test_of_several_trials_each_counts_once() -> None:
    """A process has a bias that more samples of it do not remove: medians 1, 5 and 3, not the median of all."""
    trials = (Trial((1.0,) * 9), Trial((4.0, 6.0)), Trial((3.0,)))
    samples = tuple(sample for trial in trials for sample in trial.samples)
    assert measured(samples=samples, trials=trials).value == 3.0
    assert measured(samples=samples).value == 1.0


def test_one_trial_is_its_samples() -> None:
    assert measured(samples=(4, 1), trials=(Trial((4, 1)),)).value == 2.5


def test_what_was_left_out_is_in_no_value() -> None:
    assert measured(samples=(2.0,), trials=(Trial((2.0,)),), left_out=(Trial((9.0,)),)).value == 2.0


def test_what_was_not_measured_has_no_value() -> None:
    assert measured(status="timeout", samples=(), message="no answer").value is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"samples": ()}, "measurement net latency: status ok needs at least one sample"),
        ({"samples": (1.0, math.nan)}, "a sample is not finite"),
        ({"samples": (math.inf,)}, "a sample is not finite"),
        ({"trials": (Trial((2.0,)),)}, "the trials' samples are not the samples"),
        ({"samples": (1.0, 2.0), "trials": (Trial((2.0,)), Trial((1.0,)))}, "the trials' samples are not the samples"),
        ({"samples": (1.0, 2.0), "trials": (Trial((1.0,)),)}, "the trials' samples are not the samples"),
        (
            {"status": "crashed", "samples": (), "message": "gone", "trials": (Trial((1.0,)),)},
            "the trials' samples are not the samples",
        ),
        ({"status": "failed", "message": "broken"}, "status failed cannot carry samples"),
        ({"status": "oom", "samples": ()}, "status oom needs a message that says why"),
        (
            {"status": "fine"},
            r"status: expected one of ok, skipped, oom, timeout, crashed, failed; got 'fine'",
        ),
    ],
)
def test_a_measurement_refuses(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRecord, match=sentence):
        measured(**changes)


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_a_metric_refuses_a_tolerance_that_is_no_fraction(tolerance: float) -> None:
    with pytest.raises(InvalidRecord, match="metric latency: tolerance must be a finite fraction >= 0"):
        Metric("latency", "s", "lower", tolerance)


def test_a_metric_refuses_another_direction() -> None:
    with pytest.raises(InvalidRecord, match="better: expected one of lower, higher, equal; got 'less'"):
        Metric("latency", "s", "less")  # type: ignore[arg-type]


def test_an_architecture_refuses_what_cannot_be_built() -> None:
    with pytest.raises(InvalidRecord, match="the name is empty"):
        Architecture("", "nets", build=dict)
    with pytest.raises(InvalidRecord, match="architecture net: build must be callable; got 7"):
        Architecture("net", "nets", build=7)  # type: ignore[arg-type]


def test_an_architecture_is_its_own_topology_unless_it_says_otherwise() -> None:
    assert NET.topology == "net"
    assert dataclasses.replace(NET, name="net_160", topology="net").topology == "net"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"threads": 0}, "threads must be at least 1; got 0"),
    ],
)
def test_conditions_refuse(changes: dict[str, int], sentence: str) -> None:
    with pytest.raises(InvalidRecord, match=sentence):
        Conditions("cpu", **changes)  # type: ignore[arg-type]


def test_a_verdict_needs_a_known_outcome_and_its_sentence() -> None:
    with pytest.raises(InvalidRecord, match="verdict: outcome: expected one of passed, regressed"):
        Verdict("fine", "because")  # type: ignore[arg-type]
    with pytest.raises(InvalidRecord, match="verdict passed: a verdict needs its sentence"):
        Verdict("passed", "")


def test_a_case_has_a_stable_name() -> None:
    assert Case(NET, "latency", Conditions("cuda:1", batch_size=8)).id == "net-cuda:1-bs8"


@pytest.mark.parametrize(
    "record", [measured(), HERE, NET, Settings(), Trial((1.0,)), Reading((1.0,)), Verdict("passed", "because")]
)
def test_records_do_not_change(record: Any) -> None:
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, None)
