"""Units: base units inside, prefixes for readers, and sizes as people write them."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.conversions import CONVERSIONS
from pytest_archbench.records import Number
from pytest_archbench.units import parse_bytes, readable, relative, relative_change


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (4089184256, "MAC", "4.089 GMAC"),
        (714188480, "MAC", "714.2 MMAC"),
        (61100840, "count", "61.10 M"),
        (314, "count", "314"),
        (1234, "count", "1.234 k"),
        (0, "MAC", "0 MAC"),
        (0, "count", "0"),
        (0.0123, "s", "12.30 ms"),
        (1.5, "s", "1.500 s"),
        (2.5e-6, "s", "2.500 µs"),
        (3e-12, "s", "0.003 ns"),
        (1023, "B", "1023 B"),
        (1024, "B", "1.000 KiB"),
        (178 * 2**20, "B", "178.0 MiB"),
        (3 * 2**30, "B", "3.000 GiB"),
        (0.76130, "fraction", "76.13 %"),
        (1500.0, "img/s", "1.500 kimg/s"),
        (-2048, "B", "-2.000 KiB"),
        (None, "s", "not measured"),
    ],
)
def test_it_is_readable(value: Number | None, unit: str, expected: str) -> None:
    assert readable(value, unit) == expected


def test_a_reader_may_ask_for_other_digits() -> None:
    assert readable(4089184256, "MAC", digits=2) == "4.1 GMAC"
    assert readable(0.76130, "fraction", digits=3) == "76.1 %"


@given(st.floats(1e-9, 1e15))
def test_what_is_readable_is_near_the_value(value: float) -> None:
    number, unit = readable(value, "s").split()
    scale = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9}[unit.removesuffix("s")]
    assert "e" not in number
    assert float(number) * scale == pytest.approx(value, rel=6e-4)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (0.082, "+8.2 %"),
        (-0.5, "-50.0 %"),
        (0.0, "+0.0 %"),
        (0.0004, "+0.040 %"),
        (-0.00001, "-0.001 %"),
        (None, "no change defined"),
    ],
)
def test_changes_carry_their_sign(change: float | None, expected: str) -> None:
    assert relative(change) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [(3, 2, 0.5), (1.0, 4, -0.75), (-3, -2, 0.5), (0, 2, -1.0), (2, 2, 0.0), (2, 0, None), (None, 2, None)],
)
def test_a_change_is_relative_to_theirs(ours: Number | None, theirs: Number, expected: float | None) -> None:
    assert relative_change(ours, theirs) == expected


def test_a_multiply_add_is_two_operations() -> None:
    """A published 3628.146688 MFLOP are 1814073344 of our MACs."""
    assert Decimal("3628.146688") * CONVERSIONS["flops", "M"].scale == 1814073344


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1GB", 1e9),
        ("700MiB", 700 * 2**20),
        ("700 MiB", 700 * 2**20),
        ("64KiB", 65536),
        ("1.5 kB", 1500),
        ("2TB", 2e12),
        ("12B", 12),
        ("12", 12),
        (4096, 4096),
        (1e9, 1e9),
        (0, 0),
    ],
)
def test_it_reads_sizes(text: float | str, expected: float) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "1 Gb", "1 XB", "one GB", "-1GB", -1, "nan", "inf", math.nan, "1GB2"])
def test_it_refuses_other_sizes(text: float | str) -> None:
    with pytest.raises(ValueError, match="expected bytes such as 700MiB or 1GB; got"):
        parse_bytes(text)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    try:
        size = parse_bytes(text)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017  either is right
    else:
        assert 0 <= size < math.inf


def test_a_loss_has_no_prefix() -> None:
    assert readable(0.01284, "nat") == "0.01284 nat"
    assert readable(2.302585, "nat") == "2.303 nat"
