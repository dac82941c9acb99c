"""A row of signs says what its numbers are: heights, gaps, borders and marks by hand, and nothing hostile breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.sparkline import BLOCKS, BORDER, DIGITS, MARKS, Night, drawn, signs


def nights(*values: float | None) -> list[Night]:
    return [Night(value) for value in values]


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ((0, 1, 2, 3, 4, 5, 6, 7), "▁▂▃▄▅▆▇█"),
        ((7, 0), "█▁"),
        ((3, None, 3), "▅·▅"),
        ((0, 0), "▅▅"),
        ((-2, 2, 0), "▁█▅"),
        ((1e308, -1e308), "█▁"),
        ((2**60, 2**60 + 2**20), "▁█"),
    ],
)
def test_the_lowest_value_is_the_lowest_sign(values: tuple[float | None, ...], row: str) -> None:
    assert drawn([nights(*values)], 80) == [row]


def test_less_than_the_least_height_lies_in_the_middle() -> None:
    # 101 lies 1 of 100.5 x 8 % = 8.04 above 100: 3.52 and 4.52 of 8.04 from the bottom are 3.50 and 4.50 eighths.
    assert drawn([nights(100, 101)], 80, least=0.08) == ["▄▅"]
    assert drawn([nights(100, 120)], 80, least=0.08) == ["▁█"]


def test_a_bar_stands_where_nights_do_not_compare() -> None:
    assert drawn([nights(1, 1), nights(2)], 80) == ["▁▁|█"]
    assert drawn([nights(1, 1), nights(2)], 80, DIGITS) == ["11|8"]
    assert drawn([[], nights(1), []], 80) == ["▅"]


def test_marks_stand_below_their_nights() -> None:
    first = [Night(1), Night(8, "!"), Night(None)]
    assert drawn([first, [Night(8, "?"), Night(1)]], 80) == ["▁█·|█▁", " !  ?"]


def test_several_nights_make_one_sign_where_there_is_no_room() -> None:
    # In pairs: medians 1.5, 3.5 and 8, of which 3.5 is 2/6.5 of the way up: 2.46 eighths.
    assert drawn([nights(1, 2, None, 3.5, 8, 8)], 3) == ["▁▃█"]
    # Three signs for 4 + 2 nights: 2, a bar and 1 are 4 signs.
    assert drawn([nights(1, 1, 8, 8), nights(1, 1)], 4) == ["▁█|▁"]
    assert drawn([[Night(1, "?"), Night(1, "!")], nights(2, 2)], 3) == ["▁|█", "!"]


def test_borders_are_given_up_where_there_are_too_many() -> None:
    assert drawn([nights(1), nights(2), nights(1)], 4) == ["▁█▁"]


def test_nothing_measured_draws_nothing() -> None:
    assert drawn([], 80) == []
    assert drawn([nights(None, None)], 80) == []


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", BLOCKS),
        ("UTF-16", BLOCKS),
        ("ascii", DIGITS),
        ("latin-1", DIGITS),
        ("nonsense", DIGITS),
        (None, DIGITS),
    ],
)
def test_signs_are_what_the_terminal_can_show(encoding: str | None, expected: object) -> None:
    assert signs(encoding) is expected


VALUES = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**1000), 2**1000))
CELLS = st.lists(st.builds(Night, VALUES, st.sampled_from(["", *MARKS])), max_size=30)


@given(st.lists(CELLS, max_size=8), st.integers(1, 40))
def test_any_series_fits(stretches: list[list[Night]], width: int) -> None:
    rows = drawn(stretches, width, DIGITS, 0.1)
    assert all(len(row) <= width for row in rows)
    assert set("".join(rows[:1])) <= {*DIGITS.levels, DIGITS.gap, BORDER}
    assert bool(rows) == any(night.value is not None for stretch in stretches for night in stretch)
