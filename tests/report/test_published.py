"""Published figures as the frame that a run gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_data import published

from pytest_archbench import baselines
from pytest_archbench.records import Baseline
from pytest_archbench.report.published import published as frame_of

DATA = Path(__file__).parents[2] / "baselines/published"


def figure(metric: str, value: float, precision: float = 0.1, **more: object) -> Baseline:
    given = replace(published("net", value, metric=metric), precision=precision)
    return replace(given, **more)  # type: ignore[arg-type]


def test_a_row_for_each_device_and_batch_size_with_what_they_share() -> None:
    frame = frame_of(
        [
            figure("macs", 2e9),
            figure("params", 5e6),
            figure("top1_accuracy", 0.6),
            figure("latency", 0.01, device="board", batch_size=1),
            figure("latency", 0.03, device="board", batch_size=4),
            figure("peak_memory", 7e8, device="card", batch_size=1),
        ],
        {"net": "nets"},
    )
    assert list(frame["origin"].unique()) == ["bianco2018"]
    assert list(frame["family"].unique()) == ["nets"]
    rows = frame[["device", "batch_size", "latency", "peak_memory", "macs", "top1"]].fillna(-1).to_numpy().tolist()
    assert rows == [
        ["board", 1, 0.01, -1, 2e9, 0.6],
        ["board", 4, 0.03, -1, 2e9, 0.6],
        ["card", 1, -1, 7e8, 2e9, 0.6],
    ]
    assert frame["image_rate"].iloc[1] == pytest.approx(4 / 0.03)
    assert frame["accuracy_density"].iloc[0] == pytest.approx(12.0)  # 60 % of 5 M


def test_sizes_of_the_input_are_networks_of_their_own() -> None:
    frame = frame_of(
        [
            figure("macs", 1e9, input_size=128),
            figure("macs", 3e9, input_size=224),
            figure("top1_accuracy", 0.7, input_size=224),
            figure("params", 4e6, input_size=224),
        ]
    )
    assert frame[["input_shape", "macs", "params"]].to_numpy().tolist() == [
        ["[128, 128]", 1e9, 4e6],
        ["[224, 224]", 3e9, 4e6],
    ]
    assert frame["top1"].isna().tolist() == [True, False]


def test_of_a_figure_that_is_printed_twice_the_one_with_more_places_counts() -> None:
    frame = frame_of([figure("top1_accuracy", 0.76, 0.005), figure("top1_accuracy", 0.7595, 0.00005)])
    assert list(frame["top1"]) == [0.7595]


def test_parameters_follow_from_accuracy_and_density_where_none_are_printed() -> None:
    frame = frame_of([figure("top1_accuracy", 0.6), figure("accuracy_density", 12.0)])
    assert list(frame["params"]) == [5e6]
    printed = frame_of([figure("top1_accuracy", 0.6), figure("accuracy_density", 12.0), figure("params", 4.9e6)])
    assert list(printed["params"]) == [4.9e6]
    assert list(printed["accuracy_density"]) == [12.0]


def test_accuracy_that_a_source_does_not_print_is_another_sources_and_says_whose() -> None:
    others = [published("net", 0.71, "keras"), published("net", 0.72, "torchvision")]
    frame = frame_of([figure("macs", 1e9)], others=others)
    assert frame[["top1", "top1_source"]].to_numpy().tolist() == [[0.72, "torchvision"]]
    own = frame_of([figure("top1_accuracy", 0.6)], others=others)
    assert own[["top1", "top1_source"]].to_numpy().tolist() == [[0.6, "bianco2018"]]


def test_what_is_no_property_of_a_network_makes_no_row() -> None:
    assert frame_of([figure("constrained_rank", 1.0)]).empty


@pytest.fixture(scope="module")
def figures() -> list[Baseline]:
    return list(baselines.load(DATA).figures)


def test_the_numbers_of_the_papers_arrive(figures: list[Baseline]) -> None:
    bianco = frame_of([each for each in figures if each.source == "bianco2018"])
    assert bianco["architecture"].nunique() == 44
    (row,) = bianco[
        (bianco["architecture"] == "resnet50") & (bianco["batch_size"] == 64) & bianco["peak_memory"].notna()
    ].to_dict("records")
    # Table 1 (a): 1.34 ms an image at batch 64, Table 2: 1.86 GB, Fig. 1: 4.09 G multiply-adds.
    assert row["image_latency"] == pytest.approx(1.34e-3)
    assert row["peak_memory"] == pytest.approx(1.86 * 2**30)
    assert (row["macs"], row["top1"]) == pytest.approx((4.09e9, 0.7601))
    canziani = frame_of([each for each in figures if each.source == "canziani2016"])
    vgg = canziani[canziani["architecture"] == "vgg16"].iloc[0]
    assert vgg["macs"] == pytest.approx(30.98e9 / 2, rel=0.01)  # the chart counts multiply and add apart
    hei4 = frame_of([each for each in figures if each.source == "hei4"])
    best = hei4[hei4["architecture"] == "hei4_cifar10_mobile_v2"].iloc[0]
    assert (best["train_accuracy"], best["valid_accuracy"]) == (0.9996, 0.8718)
