"""What compares between two runs, and the facts that keep it from comparing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.levels import is_normalised, level, unlike
from pytest_archbench.records import Conditions, Metric, Point

LATENCY = Metric("latency", "s", "lower", tolerance=0.1)
THROUGHPUT = Metric("throughput", "img/s", "higher", tolerance=0.1)
MEMORY = Metric("peak_memory", "B", "lower", tolerance=0.05)
MACS = Metric("macs", "MAC", "equal", per_device=False)
TIMED = Point(
    "resnet18", "latency", "s", 0.04, run="r1", commit="c1", started="2026-01-01",
    conditions=Conditions("cpu"), trials=((0.03, 0.01), (0.04, 0.02), (0.05, 0.01)),
    fingerprint={"device.model": "i7", "packages.torch": "2.15.0"},
)  # fmt: skip


def test_a_time_is_divided_by_the_reference_workloads() -> None:
    assert level(TIMED, LATENCY) == 3  # the median of 3, 2 and 5
    assert is_normalised(TIMED, LATENCY)


def test_a_rate_is_multiplied_by_the_reference_workloads_time() -> None:
    trials = ((20.0, 0.01), (25.0, 0.02), (30.0, 0.01))
    rates = replace(TIMED, metric="throughput", unit="img/s", value=25, trials=trials)
    assert level(rates, THROUGHPUT) == pytest.approx(0.3)  # of 0.2, 0.5 and 0.3


@pytest.mark.parametrize("trials", [(), ((0.03, None),), ((0.03, 0.01), (0.05, None)), ((0.03, 0.01), (0.05, 0.0))])
def test_it_is_the_value_where_a_trial_has_no_reference(trials: tuple[tuple[float, float | None], ...]) -> None:
    raw = replace(TIMED, trials=trials)
    assert level(raw, LATENCY) == 0.04
    assert unlike(TIMED, raw, LATENCY) == "reference workload is measured here and not measured there"
    assert unlike(raw, raw, LATENCY) == ""


def test_the_machines_speed_has_no_part_in_memory() -> None:
    assert level(replace(TIMED, metric="peak_memory", unit="B", value=500), MEMORY) == 500


def test_it_names_the_differing_conditions_with_both_values() -> None:
    theirs = replace(TIMED, conditions=Conditions("cuda:0", batch_size=8), convention="wall time")
    assert unlike(TIMED, theirs, LATENCY) == (
        "device is cpu here and cuda:0 there; batch_size is 1 here and 8 there; "
        "convention is not stated here and wall time there"
    )


def test_it_names_four_facts_and_counts_the_rest() -> None:
    theirs = replace(TIMED, fingerprint={f"packages.{number}": "1" for number in range(5)})
    assert unlike(TIMED, theirs, LATENCY) == (
        "device.model is i7 here and unknown there; packages.torch is 2.15.0 here and unknown there; "
        "packages.0 is unknown here and 1 there; packages.1 is unknown here and 1 there; and 3 more"
    )


@pytest.mark.parametrize("unknown", [{}, {"device.microcode": "unknown"}, {"device.microcode": None}])
def test_a_key_unknown_on_both_sides_is_equal(unknown: dict[str, str | None]) -> None:
    ours = replace(TIMED, fingerprint=dict(TIMED.fingerprint) | unknown)
    assert unlike(ours, TIMED, LATENCY) == unlike(TIMED, ours, LATENCY) == ""


def test_a_count_is_the_same_on_every_device() -> None:
    ours = Point("alexnet", "macs", "MAC", 10, "r1", "c1", "2026-01-01", Conditions("cpu"), fingerprint={"torch": "1"})
    theirs = replace(ours, conditions=Conditions("cuda:0", threads=4), fingerprint={"torch": "2"})
    assert unlike(ours, theirs, MACS) == ""
    larger = replace(theirs, conditions=Conditions("cuda:0", input_shape=(3, 299, 299)))
    assert unlike(ours, larger, MACS) == "input_shape is [3, 224, 224] here and [3, 299, 299] there"


@pytest.mark.parametrize(
    ("shape", "read_back"),
    [
        ((3, 224, 224), [3, 224, 224]),
        (((3, 4, 4), (1, 2)), [[3, 4, 4], [1, 2]]),
        ({"pixels": (3, 8, 8)}, {"pixels": [3, 8, 8]}),
    ],
)
def test_shapes_compare_as_json_gives_them_back(shape: object, read_back: object) -> None:
    ours, theirs = (replace(TIMED, conditions=Conditions("cpu", input_shape=each)) for each in (shape, read_back))
    assert unlike(ours, theirs, LATENCY) == ""


FINGERPRINTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.none() | st.text(max_size=3) | st.integers())


@given(FINGERPRINTS, FINGERPRINTS)
def test_being_unlike_is_mutual(ours: dict[str, object], theirs: dict[str, object]) -> None:
    one, other = replace(TIMED, fingerprint=ours), replace(TIMED, fingerprint=theirs)
    assert bool(unlike(one, other, LATENCY)) is bool(unlike(other, one, LATENCY))
    assert unlike(one, one, LATENCY) == ""
