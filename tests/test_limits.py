"""Bounds that a test states for a model of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pytest_archbench.limits import LIMITS, bounds, require_module, whole, within
from pytest_archbench.records import Conditions, Measurement, Outcome, Trial

DOUBT = "the median is known to ±20.00%, ±1.00% was asked for"
TEN = (0.010, 0.011, 0.012, 0.013, 0.014, 0.015, 0.016, 0.017, 0.018, 0.019)
"""Their median is 14.5 ms. Of ten coins at most one shows heads in 11 of 1024 cases: the interval that leaves out one
sample on either side holds the median with 97.9 %, and one of two with 89 % alone: so it is 11 to 18 ms."""


def measured(samples: Sequence[float], metric: str = "latency", unit: str = "s", imprecise: str = "") -> Measurement:
    """A time, or something else: that has no reference workload beside it."""
    trials = (Trial(tuple(samples), (0.1,)),) if unit in ("s", "img/s") else ()
    conditions = Conditions("cpu", batch_size=8)
    return Measurement("net", metric, unit, "ok", conditions, tuple(samples), trials=trials, imprecise=imprecise)


@pytest.mark.parametrize(
    ("bound", "precise", "imprecise"),
    [
        (0.0190, "passed", "passed"),
        (0.0180, "passed", "passed"),
        (0.0179, "passed", "inconclusive"),
        (0.0145, "passed", "inconclusive"),
        (0.0144, "regressed", "inconclusive"),
        (0.0110, "regressed", "inconclusive"),
        (0.0109, "regressed", "regressed"),
    ],
)
def test_an_imprecise_time_is_judged_by_its_interval(bound: float, precise: Outcome, imprecise: Outcome) -> None:
    limit = LIMITS["latency_max"]
    assert within(measured(TEN), limit, bound).outcome == precise
    assert within(measured(TEN, imprecise=DOUBT), limit, bound).outcome == imprecise


@pytest.mark.parametrize(
    ("bound", "precise", "imprecise"),
    [(10, "passed", "passed"), (11, "passed", "passed"), (12, "passed", "inconclusive"),
     (14.5, "passed", "inconclusive"), (15, "regressed", "inconclusive"), (18, "regressed", "inconclusive"),
     (18.5, "regressed", "regressed")],
)  # fmt: skip
def test_a_rate_has_its_bound_below(bound: float, precise: Outcome, imprecise: Outcome) -> None:
    rates = [1000 * seconds for seconds in TEN]
    limit = LIMITS["throughput_min"]
    assert within(measured(rates, "throughput", "img/s"), limit, bound).outcome == precise
    assert within(measured(rates, "throughput", "img/s", DOUBT), limit, bound).outcome == imprecise


def test_the_sentence_has_both_numbers_and_the_doubt() -> None:
    verdict = within(measured(TEN), LIMITS["latency_max"], 0.01)
    assert verdict.reason == "net latency on cpu at batch 8: expected at most 10.00 ms, got 14.50 ms"
    assert (verdict.source, verdict.baseline, verdict.unit) == ("this test", "0.01", "s")
    assert verdict.change == pytest.approx(0.45)
    doubtful = within(measured(TEN, imprecise=DOUBT), LIMITS["latency_max"], 0.0145)
    assert doubtful.reason == f"net latency on cpu at batch 8: expected at most 14.50 ms, got 14.50 ms; {DOUBT}"
    clear = within(measured(TEN, imprecise=DOUBT), LIMITS["latency_max"], 1.0)
    assert DOUBT not in clear.reason, "what does not matter here is not said"
    rate = measured([9.0], "throughput", "img/s")
    assert "expected at least 1.000 kimg/s" in within(rate, LIMITS["throughput_min"], 1000).reason


def test_several_processes_are_judged_by_the_median_of_theirs() -> None:
    """Medians 1, 2 and 9 s: 2 s, though five of nine samples are 9 s."""
    trials = tuple(Trial(samples, (0.1,)) for samples in ((1.0, 1.0), (2.0, 2.0), (9.0,) * 5))
    samples = tuple(sample for trial in trials for sample in trial.samples)
    found = Measurement("net", "latency", "s", "ok", Conditions("cpu"), samples, trials=trials)
    assert within(found, LIMITS["latency_max"], 2.0).outcome == "passed"
    assert within(found, LIMITS["latency_max"], 1.9).outcome == "regressed"
    # Of nine samples the second and the eighth enclose the median with 96.1 %: 1 and 9 s.
    doubtful = replace(found, imprecise=DOUBT)
    assert within(doubtful, LIMITS["latency_max"], 2.0).outcome == "inconclusive"
    many = tuple(Trial(samples, (0.1,)) for samples in ((1.0,), (2.0,), (9.0,) * 30))
    skewed = replace(doubtful, trials=many, samples=(1.0, 2.0, *(9.0,) * 30))
    assert within(skewed, LIMITS["latency_max"], 5.0).outcome == "inconclusive", "its value, 2 s, is within"


@pytest.mark.parametrize("bound", [0.001, 0.0145, 1.0])
def test_an_energy_that_is_in_doubt_is_within_no_bound_and_beyond_none(bound: float) -> None:
    doubt = "disturbed: other processes kept 3.00 processors busy, whose energy is in it (limit 0.1)"
    verdict = within(measured(TEN, "energy", "J", doubt), LIMITS["energy_max"], bound)
    assert verdict.outcome == "inconclusive"
    assert verdict.reason.endswith(f", got 14.50 mJ; {doubt}")


def test_what_was_not_measured_is_inconclusive() -> None:
    found = Measurement("net", "latency", "s", "timeout", Conditions("cpu"), message="no answer within 3 s")
    verdict = within(found, LIMITS["latency_max"], 1.0)
    assert verdict.outcome == "inconclusive"
    assert verdict.reason == "net latency on cpu at batch 1: timeout: no answer within 3 s"
    assert verdict.change is None


@given(
    samples=st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=30),
    bound=st.floats(1e-9, 1e9),
    key=st.sampled_from(sorted(LIMITS)),
)
def test_doubt_never_turns_a_failure_into_a_pass(samples: list[float], bound: float, key: str) -> None:
    plain = within(measured(samples), LIMITS[key], bound).outcome
    doubted = within(measured(samples, imprecise=DOUBT), LIMITS[key], bound).outcome
    assert plain in ("passed", "regressed")
    assert doubted in (plain, "inconclusive")


def test_bounds_are_in_the_metrics_unit() -> None:
    found = bounds({"latency_max": "20ms", "throughput_min": 30, "peak_memory_max": "1kB"})
    assert {limit.metric: bound for limit, bound in found.items()} == {
        "latency": 0.02,
        "throughput": 30,
        "peak_memory": 1000,
    }
    assert bounds({"latency_max": None}) == {}


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "", "3 parsecs", [], object()])
@pytest.mark.parametrize("key", sorted(LIMITS))
def test_it_refuses_a_bound_that_nothing_is_within(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"check\(\): {key}: expected .*, above 0; got "):
        bounds({key: value})


def test_it_refuses_a_limit_that_there_is_not() -> None:
    with pytest.raises(TypeError, match=r"check.. has no argument 'latency_min'; its limits are latency_max"):
        bounds({"latency_min": None})


@pytest.mark.parametrize("value", [1.0, True, "1", None, -1])
def test_it_refuses_what_counts_nothing(value: Any) -> None:
    with pytest.raises(ValueError, match="params: expected a whole number of at least 0; got "):
        whole("params", value, 0)


def test_a_network_is_one_that_exists() -> None:
    require_module(nn.ReLU())
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module; got the class ReLU: call it"):
        require_module(nn.ReLU)
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module; got int$"):
        require_module(3)
