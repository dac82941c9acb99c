"""What may be demanded of a network: how it is written, and what keeps to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_archbench.bounds import BOUNDS, Bound
from pytest_archbench.report.columns import COLUMNS


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_latency", "20ms", 0.02),
        ("max_latency", "2 s", 2.0),
        ("min_throughput", "30", 30.0),
        ("min_throughput", "0.5", 0.5),
        ("max_memory", "1GB", 1e9),
        ("max_memory", "700MiB", 700 * 2**20),
        ("max_energy", "0.35", 0.35),
        ("min_top1", "0.75", 0.75),
        ("min_top1", "75%", 0.75),
        ("min_top5", "100%", 1.0),
        ("max_params", "5M", 5e6),
        ("max_params", "61_100_840", 61_100_840),
        ("max_params", "1.235496M", 1_235_496),
        ("max_macs", "600M", 6e8),
        ("max_macs", "4.1 G", 4.1e9),
        ("max_model_size", "20MB", 2e7),
    ],
)
def test_a_bound_is_read_into_base_units(key: str, text: str, value: float) -> None:
    assert BOUNDS[key].parse(text) == value


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("max_latency", "20x", "expected a time above 0 such as"),
        ("max_latency", "0ms", "expected a time above 0 such as"),
        ("max_latency", "20", "expected a number with its unit, such as 20ms"),
        ("max_memory", "1.5", "expected a number with its unit, such as 700MiB"),
        ("max_model_size", "20", "expected a number with its unit, such as 700MiB"),
        ("min_throughput", "-30", "expected a number above 0 such as 30, 5M or 1.8G"),
        ("min_throughput", "nan", "expected a number above 0"),
        ("max_params", "0", "expected a number above 0"),
        ("max_params", "5MB", "expected a number above 0"),
        ("max_params", "9" * 400, "expected a number above 0"),
        ("max_memory", "1GBit", "expected bytes such as 700MiB or 1GB"),
        ("min_top1", "75", "expected a fraction such as 0.75 or 75%"),
        ("min_top1", "0", "expected a fraction such as 0.75 or 75%"),
        ("min_top5", "many", "expected a fraction such as 0.75 or 75%"),
    ],
)
def test_what_is_no_bound_is_refused(key: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BOUNDS[key].parse(text)


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=lambda bound: bound.key)
def test_a_bound_refuses_the_worse_side_of_a_column(bound: Bound) -> None:
    worse = {"lower": "max", "higher": "min"}[COLUMNS[bound.column].better]
    assert (bound.side, bound.option.startswith(f"--{worse}-")) == (worse, True)


def test_a_bound_is_inclusive_in_decimals_too() -> None:
    latency, top1 = BOUNDS["max_latency"], BOUNDS["min_top1"]
    # 0.14 * 1e-3 is 0.00014000000000000001 as a float, and 0.14 ms from a table is 0.00014.
    assert latency.parse("0.14ms") != 0.00014
    assert latency.admits(latency.parse("0.14ms"), 0.00014)
    assert latency.admits(0.00014, latency.parse("0.14ms"))
    assert not latency.admits(0.00014001, 0.00014)
    assert top1.admits(0.75, 0.75)
    assert not top1.admits(0.7499, 0.75)


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=lambda bound: bound.key)
def test_the_page_on_choosing_says_how_a_bound_is_written(bound: Bound) -> None:
    page = (Path(__file__).parents[1] / "docs" / "choosing.md").read_text(encoding="utf-8")
    what, _, examples = bound.form.partition(", such as ")
    written = " or ".join(f"`{example}`" for example in examples.split(" or "))
    assert f"| `{bound.option}` | {what}, at {'most' if bound.side == 'max' else 'least'} | {written} |" in page
