"""Statistics against numbers worked by hand, against simulation, and on whatever floats there are."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.stats import Interval, is_steady, median_interval, percentile, relative_error

SAMPLES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("n", "low", "high", "confidence"),
    [
        # 1 - 2 × (chance that fewer than k of n coins fall on one side), for the largest k that keeps 95 %
        (1, 1, 1, 0.0),
        (2, 1, 2, 1 - 2 / 4),
        (5, 1, 5, 1 - 2 / 32),
        (6, 1, 6, 1 - 2 / 64),
        (8, 1, 8, 1 - 2 / 256),
        (9, 2, 8, 1 - 2 * (1 + 9) / 512),
        (10, 2, 9, 1 - 2 * (1 + 10) / 1024),
        (20, 6, 15, 1 - 2 * (1 + 20 + 190 + 1140 + 4845 + 15504) / 2**20),
    ],
)
def test_the_median_lies_between_order_statistics(n: int, low: int, high: int, confidence: float) -> None:
    samples = [float(value) for value in range(1, n + 1)]
    random.Random(n).shuffle(samples)
    interval = median_interval(samples)
    assert interval == Interval(low, high, interval.confidence)
    assert interval.confidence == pytest.approx(confidence)


def test_a_lower_confidence_gives_a_narrower_interval() -> None:
    samples = list(map(float, range(1, 21)))
    half, wide = median_interval(samples, 0.5), median_interval(samples, 0.99)
    assert wide.low < median_interval(samples).low <= half.low < half.high < wide.high
    assert half.confidence >= 0.5


def test_it_holds_the_true_median_as_often_as_it_says() -> None:
    generator = random.Random(1)
    runs, true_median = 2000, math.log(2)  # of an exponential distribution with mean 1
    intervals = [median_interval([generator.expovariate(1) for _ in range(15)]) for _ in range(runs)]
    held = sum(interval.low <= true_median <= interval.high for interval in intervals) / runs
    assert held == pytest.approx(intervals[0].confidence, abs=0.015)


@given(SAMPLES)
def test_the_interval_holds_the_median_of_the_samples(samples: list[float]) -> None:
    interval = median_interval(samples)
    assert interval.low <= statistics.median(samples) <= interval.high
    assert {interval.low, interval.high} <= set(samples)
    assert 0 <= interval.confidence <= 1
    assert (interval.confidence >= 0.95) is (len(samples) >= 6)


def test_no_samples_have_no_median() -> None:
    with pytest.raises(ValueError, match="expected at least one sample; got none"):
        median_interval([])
    with pytest.raises(ValueError, match="expected at least one sample; got none"):
        percentile([], 50)


def test_the_relative_error_is_half_the_width() -> None:
    samples = [float(value) for value in range(96, 105)]  # nine: from the second, 97, to the eighth, 103
    assert relative_error(samples) == pytest.approx((103 - 97) / 2 / 100)
    assert relative_error([2.0] * 10) == 0


@pytest.mark.parametrize("samples", [[1.0], [1.0] * 5, [0.0] * 10])
def test_too_little_is_known_to_state_an_error(samples: list[float]) -> None:
    assert relative_error(samples) == math.inf


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (25, 1.75), (50, 2.5), (90, 3.7), (100, 4)])
def test_percentiles_interpolate(percent: float, expected: float) -> None:
    assert percentile([3, 1, 4, 2], percent) == pytest.approx(expected)


@pytest.mark.parametrize("percent", [-1, 100.1, math.nan])
def test_it_refuses_a_percentile_outside(percent: float) -> None:
    with pytest.raises(ValueError, match="expected 0 to 100"):
        percentile([1.0], percent)


@given(SAMPLES, st.floats(0, 100))
def test_percentiles_stay_within_the_samples_and_rise(samples: list[float], percent: float) -> None:
    lower, value = percentile(samples, percent / 2), percentile(samples, percent)
    assert min(samples) <= lower <= value <= max(samples) or math.isclose(lower, value)
    assert percentile(samples, 50) == pytest.approx(statistics.median(samples))


@pytest.mark.parametrize(
    ("times", "steady"),
    [
        ([], False),
        ([1.0] * 5, False),
        ([1.0] * 6, True),
        ([1, 1, 1, 1.09, 1.09, 1.09], True),
        ([1, 1, 1, 1.11, 1.11, 1.11], False),
        ([9, 5, 2, 1, 1, 1], False),
        ([9, 5, 2, 1, 1, 1, 1, 1, 1], True),
        ([1, 50, 1, 1, 50, 1], True),
        ([0.0] * 6, True),
        ([0, 0, 0, 1, 1, 1], False),
    ],
)
def test_warm_up_is_over_when_two_windows_agree(times: list[float], steady: bool) -> None:
    assert is_steady(times) is steady
