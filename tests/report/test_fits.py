"""Laws and fronts by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from pytest_archbench.report import fits


def test_a_power_law_by_hand() -> None:
    law = fits.law([1, 10, 100], [3, 30, 300], "power")
    assert law is not None
    assert (law.scale, law.exponent, law.r2, law.offset) == pytest.approx((3.0, 1.0, 1.0, 0.0))


def test_r_squared_by_hand() -> None:
    # Logarithms (0, 0), (1, 0), (2, 1.5): slope 0.75, residuals (0.25, -0.5, 0.25), so 1 - 0.375 / 1.5 = 0.75.
    law = fits.law([1, 10, 100], [1, 1, 10**1.5], "power")
    assert law is not None
    assert (law.exponent, law.r2) == pytest.approx((0.75, 0.75))


def test_a_line_by_hand() -> None:
    # (0, 1), (1, 1), (2, 2.5): slope 0.75, mean (1, 1.5), so the offset is 0.75; r² as above.
    law = fits.law([0, 1, 2], [1, 1, 2.5], "line")
    assert law is not None
    assert (law.scale, law.exponent, law.offset, law.r2) == pytest.approx((0.75, 1.0, 0.75, 0.75))


@pytest.mark.parametrize("form", ["power", "line"])
@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([2, 2, 2], [1, 2, 3]), ([1, 2, 3], [5, 5, 5])])
def test_no_law_where_points_say_nothing(x: list[float], y: list[float], form: fits.Form) -> None:
    assert fits.law(x, y, form) is None


def test_operations_that_hardly_differ_give_no_power_law() -> None:
    # The slope between the ends is log 2.5 / log 1.025 = 37: the factor would be 10 ** -357, which no float holds.
    assert fits.law([4.0e9, 4.05e9, 4.1e9], [0.02, 0.03, 0.05], "power") is None
    assert fits.law([4.0e9, 4.00005e9, 4.0001e9], [0.05, 0.03, 0.02], "power") is None
    assert fits.law([1.0, 2.0, 4.0], [1.0, 2.0**9, 2.0**18], "power") is not None


def test_the_front_by_hand() -> None:
    # 1 costs more than 0 and is no better; 3 equals 2 in both; 4 is best and dearest.
    frame = pd.DataFrame({"macs": [1.0, 2.0, 3.0, 3.0, 9.0], "top1": [0.6, 0.6, 0.7, 0.7, 0.8]})
    assert fits.front(frame, "macs", "top1") == (0, 2, 4)


def test_the_front_where_more_is_better_in_both() -> None:
    # Images per second: 7 is fastest and least accurate, 9 lies below the line from 8, what has no speed is left out.
    frame = pd.DataFrame(
        {"image_rate": [100.0, 50.0, 40.0, 10.0, float("nan")], "top1": [0.5, 0.7, 0.6, 0.8, 0.9]},
        index=[7, 8, 9, 3, 4],
    )
    assert fits.front(frame, "image_rate", "top1") == (3, 8, 7)
