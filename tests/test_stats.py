"""Statistics against numbers worked by hand, against simulation, and on whatever floats there are."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.stats import (
    Interval,
    hodges_lehmann,
    is_steady,
    mad,
    median_interval,
    percentile,
    percentiles,
    relative_error,
    sigma,
    signed_rank_interval,
)

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


def test_three_percentiles_are_told() -> None:
    assert percentiles(range(101)) == {"p50": 50, "p90": 90, "p99": 99}


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


def test_the_pseudo_median_is_the_median_of_the_means_of_pairs() -> None:
    # pairs of 1, 2, 6: 1, 1.5, 3.5, 2, 4, 6
    assert hodges_lehmann([6, 1, 2]) == (2 + 3.5) / 2
    assert hodges_lehmann([7.0]) == 7
    # pairs of 0, 1, 2, 3, 1000: 0 .5 1 1.5 | 1 1.5 2 | 2 2.5 | 3 | and five from 500 on; the eighth of 15 is 2
    assert hodges_lehmann([0, 1, 2, 3, 1000]) == 2


@pytest.mark.parametrize(
    ("n", "k", "confidence"),
    [
        # k - 1 is the critical value of the two-sided signed-rank test at 5 %, as printed in any table of it
        (1, 1, 0.0),
        (2, 1, 1 - 2 / 4),
        (5, 1, 1 - 2 / 32),
        (6, 1, 1 - 2 / 64),
        (7, 3, 1 - 2 * 3 / 128),  # rank sums 0, 1, 2: one signing each
        (8, 4, 1 - 2 * 5 / 256),  # and 3 = 3 = 1 + 2: two signings
        (9, 6, 1 - 2 * 10 / 512),  # 4 = 1 + 3, 5 = 1 + 4 = 2 + 3: two and three
        (10, 9, 0.951171875),
        (20, 53, 0.9515590667724609),
    ],
)
def test_the_pseudo_median_lies_between_means_of_pairs(n: int, k: int, confidence: float) -> None:
    values = [2.0**rank for rank in range(n)]
    pairs = sorted((one + other) / 2 for at, one in enumerate(values) for other in values[at:])
    random.Random(n).shuffle(values)
    interval = signed_rank_interval(values)
    assert (interval.low, interval.high) == (pairs[k - 1], pairs[len(pairs) - k])
    assert interval.confidence == pytest.approx(confidence, abs=1e-12)


def test_the_signed_rank_interval_holds_the_middle_as_often_as_it_says() -> None:
    generator = random.Random(2)
    runs = 2000
    intervals = [signed_rank_interval([generator.gauss(3, 1) for _ in range(12)]) for _ in range(runs)]
    held = sum(interval.low <= 3 <= interval.high for interval in intervals) / runs
    assert held == pytest.approx(intervals[0].confidence, abs=0.015)


def test_a_lower_confidence_gives_a_narrower_signed_rank_interval() -> None:
    values = [rank**1.5 for rank in range(20)]
    wide, usual, none = (signed_rank_interval(values, confidence) for confidence in (0.99, 0.95, 0.0))
    assert wide.low < usual.low < none.low <= hodges_lehmann(values) <= none.high < usual.high < wide.high


def test_some_hundreds_of_values_are_no_burden() -> None:
    interval = signed_rank_interval([float(rank) for rank in range(300)])
    assert 0.95 <= interval.confidence < 0.9501
    # the normal approximation of the half-width: 1.96 × sqrt(1 / 12 n) of the range
    assert (interval.high - interval.low) / 2 / 300 == pytest.approx(1.96 / math.sqrt(12 * 300), rel=0.03)


@given(SAMPLES)
def test_the_pseudo_median_lies_in_its_interval_within_the_samples(samples: list[float]) -> None:
    samples = samples[:60]
    interval = signed_rank_interval(samples)
    assert min(samples) <= interval.low <= hodges_lehmann(samples) <= interval.high <= max(samples)
    assert (interval.confidence >= 0.95) is (len(samples) >= 6)


def test_the_deviation_is_the_median_distance_from_the_median() -> None:
    assert mad([1, 2, 3, 5, 100]) == 2  # distances from 3: 2, 1, 0, 2, 97
    assert mad([4.0]) == 0
    assert sigma([1, 2, 3, 5, 100]) == pytest.approx(2 * 1.4826, rel=1e-5)


def test_sigma_is_the_standard_deviation_of_normal_values() -> None:
    generator = random.Random(3)
    assert sigma([generator.gauss(10, 2) for _ in range(20000)]) == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize("asking", [hodges_lehmann, signed_rank_interval, mad, sigma])
def test_no_values_have_no_middle(asking: Callable[[list[float]], object]) -> None:
    with pytest.raises(ValueError, match="expected at least one value; got none"):
        asking([])
