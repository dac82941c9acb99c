"""What of a night is published, under which names."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest
from asv.util import sanitize_filename
from hypothesis import given
from hypothesis import strategies as st
from pages_data import EVIL, header, point

from pytest_archbench.pages.series import LARGEST, TURNED, Sheet, benchmark, machine, model, sheet, shown
from pytest_archbench.points import key
from pytest_archbench.records import Metric, Point
from pytest_archbench.registry import METRICS

NIGHT = header(1)


def of(*points: Point) -> Sheet:
    return sheet({key(each): each for each in points}, {})


@pytest.fixture
def own_metric() -> Iterator[Metric]:
    metric = Metric("recall", "fraction", "higher", tolerance=0.02, description="found <of all>")
    METRICS.add(metric.name, metric)
    yield metric
    del METRICS._entries["recall"]


def test_a_case_is_a_network_of_a_benchmark_on_a_machine() -> None:
    found = of(
        point("alexnet", "latency", 0.25, NIGHT),
        point("resnet18", "latency", 0.5, NIGHT),
        point("alexnet", "latency", 0.75, NIGHT, device="cuda:0", batch_size=8, runtime="compile"),
        point("alexnet", "macs", 714188480, NIGHT),
    )
    assert found.values == {
        "cpu": {"latency.bs1": {"alexnet": 0.25, "resnet18": 0.5}, "macs.bs1": {"alexnet": 714188480}},
        "cuda:0": {"latency.bs8.compile": {"alexnet": 0.75}},
    }
    assert (found.count, found.left_out) == (4, {})


def test_what_is_better_when_higher_is_published_as_its_opposite() -> None:
    found = of(point("alexnet", "top1_accuracy", 0.5625, NIGHT), point("alexnet", "throughput", 8.0, NIGHT))
    assert found.values["cpu"] == {"top1_error.bs1": {"alexnet": 0.4375}, "time_per_image.bs1": {"alexnet": 0.125}}
    assert found.shown["time_per_image.bs1"].unit == "seconds"


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_published_metric_is_better_when_higher(name: str) -> None:
    found = shown(METRICS[name])
    assert not isinstance(found, str)
    lower, higher = found.value(0.25), found.value(0.5)
    assert (lower > higher) == (METRICS[name].better == "higher")


def test_a_metric_of_ones_own_is_turned_round_by_its_unit(own_metric: Metric) -> None:
    found = of(point("alexnet", "recall", 0.75, NIGHT, unit="fraction"))
    assert found.values["cpu"] == {"recall_error.bs1": {"alexnet": 0.25}}
    assert found.shown["recall_error.bs1"].tolerance == 0.02


def test_a_metric_of_ones_own_that_cannot_be_turned_round_is_named() -> None:
    said = shown(Metric("density", "1/M", "higher"))
    assert (
        said == "density: more is better, which asv cannot show; only what is in fraction or img/s can be turned round"
    )


def test_a_turned_metric_never_joins_another(own_metric: Metric) -> None:
    METRICS.add("recall_error", Metric("recall_error", "fraction", "lower"))
    try:
        assert shown(own_metric) == "recall: it would be published as recall_error, which is another metric"
    finally:
        del METRICS._entries["recall_error"]


def test_what_cannot_be_shown_is_counted_by_its_reason() -> None:
    found = of(
        point("a", "latency", 1.0, NIGHT, doubt="the machine was busy"),
        point("b", "latency", 1.0, NIGHT, unit="ms"),
        point("c", "latency", 2 * LARGEST, NIGHT),
        point("d", "throughput", 0, NIGHT),
        point("e", "speediness", 1.0, NIGHT),
        point("f", "speediness", 1.0, NIGHT),
    )
    assert found.values == {}
    assert found.left_out == {
        "measured on a disturbed machine": 1,
        "latency: expected s; got ms": 1,
        "latency: beyond ±1e+100": 1,
        "throughput: a rate of 0 has no time": 1,
        "speediness: a metric that this version does not know": 2,
    }


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cpu", True),
        ("cuda:0", True),
        ("cuda (Jetson TX1)", True),
        ("../up", False),
        ("a/b", False),
        ("..", False),
        ("benchmarks.json", False),
        (EVIL, False),
        ("x" * 101, False),
    ],
)
def test_a_machine_is_called_as_the_device_where_that_can_be_a_folder(name: str, kept: bool) -> None:
    assert (machine(name) == name) is kept


@given(st.text(min_size=1))
def test_any_device_is_a_folder_of_its_own(name: str) -> None:
    found = machine(name)
    assert PurePosixPath(found).name == found
    assert found not in ("..", ".", "benchmarks.json")
    assert html.escape(found) == found
    assert len(sanitize_filename(f"machine-{found}").encode()) < 255


@given(st.text(min_size=1))
def test_any_network_can_stand_in_a_legend(name: str) -> None:
    found = model(name)
    assert html.escape(found) == found
    assert re.fullmatch("'(.+)'", repr(found)), "asv's pages take the quotes away"
    assert repr(found)[1:-1] == found


def test_networks_that_differ_in_a_sign_alone_stay_two() -> None:
    assert len({model("a<b"), model("a>b"), model("a-b")}) == 3


@given(st.text(min_size=1))
def test_a_variant_is_one_part_of_a_benchmarks_name(runtime: str) -> None:
    names = of(point("alexnet", "latency", 1.0, NIGHT, runtime=runtime)).shown
    (name,) = names
    assert name.startswith("latency.bs1")
    assert name.count(".") == (runtime != "eager") + 1
    assert html.escape(name) == name
    assert not {"(", "/"} & {*name}


def test_a_description_is_html_for_asv(own_metric: Metric) -> None:
    found = shown(own_metric)
    assert not isinstance(found, str)
    assert benchmark("recall_error.bs1", found, ["b", "a"]) == {
        "name": "recall_error.bs1",
        "code": "found &lt;of all&gt; (from recall; less is better)",
        "param_names": ["model"],
        "params": [["'a'", "'b'"]],
        "timeout": 0,
        "type": "track",
        "unit": "fraction",
        "version": "fraction",
    }


def test_only_two_units_can_be_turned_round() -> None:
    assert {unit: turned.value(0.25) for unit, turned in TURNED.items()} == {"fraction": 0.75, "img/s": 4}
