"""The threshold of a night's alarms against simulated nights, worked limits and nonsense."""

from __future__ import annotations

import math
import time
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from pytest_archbench.alarm import alarm_factor


def false_alarms(points: int, factor: float, nights: int = 200_000, seed: int = 1) -> float:
    """How often an unchanged value and its rerun both lie ``factor`` sigmas above the median of ``points`` before."""
    generator = np.random.default_rng(seed)
    alarms = 0
    for _ in range(4):
        values = generator.standard_normal((nights // 4, points + 2))
        history, tonight = values[:, :points], values[:, points:]
        middle = np.median(history, axis=1)
        sigma = 1.4826 * np.median(np.abs(history - middle[:, None]), axis=1)
        alarms += int((tonight > (middle + factor * sigma)[:, None]).all(axis=1).sum())
    return alarms / nights


@pytest.mark.parametrize("points", [5, 9, 19, 41])
@pytest.mark.parametrize("series", [1, 10])
def test_unchanged_series_raise_as_many_alarms_as_asked(points: int, series: int) -> None:
    found = false_alarms(points, alarm_factor(points, series)) * series
    assert found == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("points", [6, 8, 10, 20, 40])
@pytest.mark.parametrize("series", [1, 10])
def test_an_even_number_of_nights_raises_no_more_than_asked(points: int, series: int) -> None:
    found = false_alarms(points, alarm_factor(points, series)) * series
    assert 0.5 * 0.05 < found < 1.1 * 0.05


def test_a_thousand_series_raise_few_alarms_together() -> None:
    found = false_alarms(20, alarm_factor(20, 1000), nights=1_000_000) * 1000
    assert 0.02 < found < 0.075  # some 45 in a million, ± 7


def test_heavier_tails_raise_more_alarms_than_asked() -> None:
    # Student's t with 5 degrees of freedom raises 1.2 times the alarms asked for over 10 series, 1.7 times over 100 and
    # 2.9 times over 1000: one in seven nights instead of one in twenty. Exact tails inside keep the simulation short.
    history = np.random.default_rng(3).standard_t(5, (200_000, 20))
    middle = np.median(history, axis=1)
    sigma = 1.4826 * np.median(np.abs(history - middle[:, None]), axis=1)
    few, many, most = (
        float(np.mean(student.sf(middle + alarm_factor(20, series) * sigma, 5) ** 2)) * series / 0.05
        for series in (10, 100, 1000)
    )
    assert (few, many, most) == pytest.approx((1.2, 1.7, 2.9), rel=0.15)


def test_with_much_history_it_is_the_normal_quantile() -> None:
    # both values beyond k of a known distribution: Q(k)² = 0.05 / 1000
    limit = -NormalDist().inv_cdf(math.sqrt(0.05 / 1000))
    assert limit < alarm_factor(199, 1000) < 1.1 * limit
    assert alarm_factor(10**6, 1000) == alarm_factor(199, 1000)


def test_no_factor_is_needed_where_chance_raises_too_few_alarms() -> None:
    assert alarm_factor(20, 1, per_night=0.9) == 0  # both above the median: about a quarter of unchanged pairs


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 60), st.integers(1, 5000))
def test_more_series_raise_the_factor_and_more_history_lowers_it(points: int, series: int) -> None:
    factor = alarm_factor(points, series)
    assert 0 < factor < 200
    assert alarm_factor(points, 2 * series) > factor > alarm_factor(points + 1, series)


def test_it_is_quick() -> None:
    alarm_factor(5, 1)  # imports
    started = time.process_time()
    for series in range(101, 111):
        alarm_factor(20, series)
    assert (time.process_time() - started) / 10 < 0.1  # 0.03 s on a quiet core


@pytest.mark.parametrize(("points", "series", "per_night"), [(4, 1, 0.05), (5, 0, 0.05), (5, 1, 0.0), (5, 1, math.nan)])
def test_it_refuses_what_has_no_threshold(points: int, series: int, per_night: float) -> None:
    with pytest.raises(ValueError, match=r"expected at least 5 points, 1 series and more than 0 alarms per night; got"):
        alarm_factor(points, series, per_night)
