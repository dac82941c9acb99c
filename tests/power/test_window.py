"""Energy of a window, by hand: trapezoids of a power, the growth of counters that begin anew, and what is no growth."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.power.sensors import Channel, Sensor, SensorLost
from pytest_archbench.power.window import Poll, Window, joules, stuck

RANGE = 65_536.0


def sensor(nature: str, channels: int = 1, wraps_at: float = RANGE) -> Sensor:
    parts = tuple(Channel(f"channel {number}", float, wraps_at) for number in range(channels))
    return Sensor("sensor", "board", nature, "measured", 0.1, parts)  # type: ignore[arg-type]


def polls(*rows: tuple[float, ...]) -> tuple[Poll, ...]:
    """(s, value, ...)"""
    return tuple(Poll(time, values) for time, *values in rows)  # type: ignore[arg-type]


def test_a_ramp_is_integrated_over_the_times_it_was_read_at() -> None:
    """4 W to 8 W in 2 s are 12 J, 8 W for 3 s 24 J; the other rail has 1 W for 5 s."""
    read = polls((10.0, 4.0, 1.0), (12.0, 8.0, 1.0), (15.0, 8.0, 1.0))
    assert joules(sensor("gauge", 2), read) == pytest.approx(12 + 24 + 5)
    window = Window(read, 41.0, 7)
    assert (window.seconds, window.power) == pytest.approx((5.0, 8.2))


gaps = st.lists(st.floats(0.001, 10), min_size=1, max_size=20)


@given(gaps, st.floats(0, 5000), st.floats(0, 100))
def test_a_straight_line_is_integrated_exactly(steps: list[float], at_start: float, slope: float) -> None:
    times = [sum(steps[:count]) for count in range(len(steps) + 1)]
    read = tuple(Poll(time, (at_start + slope * time,)) for time in times)
    whole = at_start * times[-1] + slope * times[-1] ** 2 / 2
    assert joules(sensor("gauge"), read) == pytest.approx(whole, rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(0, 4999), min_size=1, max_size=40), st.floats(0, RANGE - 1), st.floats(0, RANGE - 1))
def test_a_counter_may_begin_anew_between_any_two_reads(growth: list[float], one: float, other: float) -> None:
    """Two counters that grow alike from different starts: their energy is twice the growth, wherever they wrap."""
    grown = [sum(growth[:count]) for count in range(len(growth) + 1)]
    read = tuple(Poll(float(at), tuple((s + g) % RANGE for s in (one, other))) for at, g in enumerate(grown))
    assert joules(sensor("counter", 2), read) == pytest.approx(2 * grown[-1], rel=1e-6, abs=1e-6)


def test_a_wrap_by_hand() -> None:
    """36 J to the end of the range and 14 J from its start."""
    assert joules(sensor("counter"), polls((0.0, 65_500.0), (1.0, 14.0))) == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("wraps_at", "before", "after"),
    [(RANGE, 30_000.0, 0.0), (RANGE, 30_000.0, 29_999.0), (math.inf, 30_000.0, 29_999.9), (RANGE, 0.0, 60_000.0)],
)
def test_a_counter_that_was_set_anew_ends_the_measurement(wraps_at: float, before: float, after: float) -> None:
    with pytest.raises(
        SensorLost, match=r"channel 0 went by .* J in 0\.1 s, which no load explains: the counter was set"
    ):
        joules(sensor("counter", wraps_at=wraps_at), polls((0.0, before), (0.1, after)))


def window(passes: int, *values: float) -> Window:
    read = tuple(Poll(float(at), (value,)) for at, value in enumerate(values))
    return Window(read, values[-1] - values[0], passes)


def test_a_sensor_that_never_changes_is_stuck() -> None:
    assert stuck(sensor("gauge"), [window(0, 5.0, 5.0), window(9, 5.0, 5.0)])
    assert not stuck(sensor("gauge"), [window(0, 5.0, 5.0), window(9, 5.0, 5.001)])
    assert stuck(sensor("counter"), [window(0, 5.0, 6.0), window(9, 6.0, 6.0)])
    assert not stuck(sensor("counter"), [window(0, 5.0, 5.0), window(9, 5.0, 6.0)]), "at rest it may count nothing"
