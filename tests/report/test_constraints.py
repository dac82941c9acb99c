"""Best networks under limits: by hand, and Table 3 of Bianco et al. from their Tables 1 and 2, rank by rank."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pytest_archbench.baselines import load
from pytest_archbench.report.constraints import (
    GIB,
    MEMORY_LIMITS,
    RATE_LIMITS,
    Place,
    best_under,
    differences,
    lent,
    note,
    printed,
    under_limits,
)
from pytest_archbench.report.frames import framed
from pytest_archbench.report.published import published

PUBLISHED = load(Path(__file__).parents[2] / "baselines" / "published")
FIGURES = [each for each in PUBLISHED.figures if each.source == "bianco2018"]
TABLES_1_AND_2 = [each for each in FIGURES if each.metric != "peak_memory" or "Table 2" in each.reference]
RANKS = tuple(printed(FIGURES))
TITAN, JETSON = "NVIDIA Titan X Pascal (Titan Xp), 3840 CUDA cores", "NVIDIA Jetson TX1"
SE_RESNEXT, INCEPTION_RESNET = "se_resnext101_32x4d", "inception_resnet_v2"

EXPLAINED = {
    # (device, GiB, img/s, rank): (printed, found, why)
    (TITAN, 1.4, 15, 3): (INCEPTION_RESNET, SE_RESNEXT, "both 80.28 %: which is first rests on places not printed"),
    (TITAN, 1.4, 15, 4): (SE_RESNEXT, INCEPTION_RESNET, "the same tie"),
    (TITAN, 1.4, 30, 2): (INCEPTION_RESNET, SE_RESNEXT, "the same tie; ours gives the faster first, 40.06 to 38.55"),
    (TITAN, 1.4, 30, 3): (SE_RESNEXT, INCEPTION_RESNET, "the same tie"),
}
"""Every rank of Table 3 at which another network is found, and why."""


BIANCO = published(TABLES_1_AND_2)


def row(name: str, **given: Any) -> dict[str, Any]:
    """A network on the processor: 70 % right, 50 images a second, half a GiB."""
    network = {"origin": "measured", "architecture": name, "family": "a", "topology": name, "top1_source": "measured"}
    place = {"top1_data": "imagenet", "device": "cpu", "batch_size": 1, "input_shape": "[3, 224, 224]"}
    return {**network, **place, "top1": 0.7, "throughput": 50.0, "peak_memory": 0.5 * GIB, **given}


def names(frame: pd.DataFrame, memory: float = GIB, rate: float = 30.0, **given: Any) -> list[str]:
    return list(best_under(frame, given.pop("device", "cpu"), 1, memory, rate, **given)["architecture"])


def test_the_most_accurate_comes_first_then_the_faster_then_the_name() -> None:
    frame = framed(
        [
            row("b", throughput=40.0),
            row("a", throughput=40.0),
            row("fast", throughput=60.0),
            row("best", top1=0.8, throughput=30.0),
            row("last", top1=0.6),
        ]
    )
    assert names(frame) == ["best", "fast", "a", "b", "last"]
    assert names(frame, count=2) == ["best", "fast"]


def test_limits_are_inclusive() -> None:
    frame = framed([row("on", peak_memory=1.0 * GIB, throughput=30.0)])
    assert names(frame) == ["on"]
    assert names(frame, memory=GIB - 1) == []
    assert names(frame, rate=30.01) == []


def test_a_network_of_which_a_number_is_absent_has_no_place() -> None:
    frame = framed(
        [
            row("whole"),
            row("unknown", top1=None),
            row("untimed", throughput=None),
            row("unweighed", peak_memory=None),
            row("nan", top1=math.nan),
            row("elsewhere", device="cuda:0"),
            row("other_batch", batch_size=8),
        ]
    )
    assert names(frame) == ["whole"]


def test_a_network_measured_in_two_settings_is_listed_once_with_its_best() -> None:
    frame = framed([row("a", threads=1, throughput=40.0), row("a", threads=4, throughput=90.0)])
    assert list(best_under(frame, "cpu", 1, GIB, 30.0)["image_rate"]) == [90.0]


def test_a_device_without_figures_of_memory_is_lent_those_of_another_at_that_batch() -> None:
    frame = framed(
        [
            row("a", device="big", peak_memory=2.0 * GIB),
            row("a", device="small", peak_memory=None),
            row("a", device="small", batch_size=8, peak_memory=None),
            row("b", device="small", peak_memory=None),
        ]
    )
    assert list(lent(frame)["peak_memory"] / GIB)[:2] == [2.0, 2.0]
    assert lent(frame)["peak_memory"].isna().tolist() == [False, False, True, True]
    assert frame["peak_memory"].isna().tolist() == [False, True, True, True], "what was given stays as it was"
    assert note(frame) == "small has no figures of memory: those of big count."


def test_a_device_with_some_figures_of_memory_is_lent_none_nor_is_a_run_by_a_paper() -> None:
    frame = framed(
        [
            row("a", device="big", peak_memory=2.0 * GIB),
            row("a", device="half", peak_memory=None),
            row("b", device="half"),
            row("a", device="titan", origin="paper", peak_memory=1.0 * GIB),
            row("c", device="cpu", peak_memory=None),
            row("c", device="titan", origin="paper"),
        ]
    )
    assert lent(frame)["peak_memory"].isna().tolist() == [False, True, False, False, True, False]
    assert note(frame) == ""


def test_the_table_has_a_row_for_each_rank_and_none_for_limits_that_no_network_keeps_to() -> None:
    frame = framed([row("a"), row("b", top1=0.6, throughput=20.0), row("c", device="gpu", top1=0.9, throughput=10.0)])
    table = under_limits(frame, memory=(0.4 * GIB, GIB), rates=(15.0, 30.0))
    assert list(table.columns) == [
        *("origin", "device", "max_memory", "min_rate", "rank", "architecture", "input_shape"),
        *("top1_data", "top1", "image_rate", "peak_memory"),
    ]
    assert table[["device", "max_memory", "min_rate", "rank", "architecture"]].values.tolist() == [
        ["cpu", GIB, 15.0, 1, "a"],
        ["cpu", GIB, 15.0, 2, "b"],
        ["cpu", GIB, 30.0, 1, "a"],
    ]


def test_the_table_of_an_empty_frame_is_empty_with_its_columns() -> None:
    table = under_limits(framed([]))
    assert table.empty
    assert list(table.columns)[:4] == ["origin", "device", "max_memory", "min_rate"]
    assert note(framed([])) == ""


def test_a_rank_whose_note_says_no_limits_is_refused_with_the_expected_form() -> None:
    figure = next(each for each in FIGURES if each.metric == "constrained_rank")
    with pytest.raises(ValueError, match=r"expected the note 'memory <=0.7GB; speed >=15FPS; listed top-1"):
        list(printed([replace(figure, note="speed >=15FPS")]))


def test_a_difference_is_what_is_printed_and_not_found_or_found_and_not_printed() -> None:
    frame = framed([row("a", top1=0.9), row("b", top1=0.8), row("c")])
    assert differences(frame, []) == []
    place = Place("cpu", GIB, 30.0, 1)
    ranks = [
        replace(RANKS[0], place=place, architecture="a"),
        replace(RANKS[0], place=replace(place, rank=2), architecture="gone"),
        replace(RANKS[0], place=replace(place, device="another device"), architecture="a"),
        replace(RANKS[0], place=replace(place, min_rate=60.0), architecture="also_gone"),
    ]
    found = differences(frame, ranks)
    assert [(each.printed, each.found, each.tied) for each in found] == [
        ("gone", "b", False),
        ("also_gone", None, False),
    ]
    assert str(found[0]) == "on cpu, up to 1 GiB and at 30 img/s, rank 2: gone is printed, b is found"
    surplus = differences(frame, [ranks[0], replace(ranks[1], architecture="b"), replace(ranks[3], architecture="a")])
    assert [(each.printed, each.found) for each in surplus] == [("a", None)]


def test_equal_accuracies_are_a_tie() -> None:
    place = Place("cpu", GIB, 30.0, 1)
    ranks = [
        replace(RANKS[0], place=place, architecture="slow"),
        replace(RANKS[0], place=replace(place, rank=2), architecture="fast"),
    ]
    frame = framed([row("slow", throughput=31.0), row("fast")])
    assert [each.tied for each in differences(frame, ranks)] == [True, True]


@pytest.mark.parametrize(
    "rank",
    RANKS,
    ids=lambda rank: (
        f"{rank.place.device[7:12]}-{rank.place.max_memory / GIB:g}-{rank.place.min_rate:g}-{rank.place.rank}"
    ),
)
def test_table_3_of_bianco_follows_from_tables_1_and_2(rank: Any) -> None:
    place = rank.place
    best = best_under(BIANCO, place.device, 1, place.max_memory, place.min_rate)
    found = best.iloc[place.rank - 1]
    key = (place.device, place.max_memory / GIB, place.min_rate, place.rank)
    expected, other, _ = EXPLAINED.get(key, (rank.architecture, rank.architecture, ""))
    assert (rank.architecture, found["architecture"]) == (expected, other)
    assert found["top1"] == pytest.approx(rank.top1, abs=1e-12), "at a tie too: the accuracy at each rank is as printed"


def test_table_3_is_whole_and_nothing_is_found_that_it_does_not_print() -> None:
    assert len(RANKS) == 79
    limits = {(rank.place.device, rank.place.max_memory, rank.place.min_rate) for rank in RANKS}
    assert limits == {
        (device, memory, rate) for device in (TITAN, JETSON) for memory in MEMORY_LIMITS for rate in RATE_LIMITS
    }
    assert len(under_limits(BIANCO)) == 79
    found = {
        (each.place.device, each.place.max_memory / GIB, each.place.min_rate, each.place.rank): (
            each.printed,
            each.found,
        )
        for each in differences(BIANCO, RANKS)
    }
    assert found == {key: value[:2] for key, value in EXPLAINED.items()}
    assert all(each.tied for each in differences(BIANCO, RANKS))
    assert note(BIANCO) == f"{JETSON} has no figures of memory: those of {TITAN} count."
    assert note(BIANCO, JETSON) == note(BIANCO)
    assert note(BIANCO, TITAN) == ""


def test_table_3_is_the_same_by_the_memory_of_figure_4_and_with_the_densenets_put_right() -> None:
    """Nothing in it rests on the rounding of Table 2, nor on the permuted rows of DenseNet-169, -201 and -161."""
    by_chart = {(each.place, each.found) for each in differences(published(FIGURES), RANKS)}
    assert by_chart == {(each.place, each.found) for each in differences(BIANCO, RANKS)}
    right = {"densenet169": "densenet161", "densenet201": "densenet169", "densenet161": "densenet201"}
    shifted = [
        replace(each, architecture=right.get(each.architecture, each.architecture))
        if each.metric == "peak_memory" or (each.metric == "latency" and each.device == JETSON)
        else each
        for each in TABLES_1_AND_2
    ]
    assert {(each.place, each.found) for each in differences(published(shifted), RANKS)} == by_chart


def test_a_gigabyte_of_the_paper_is_1024_megabytes() -> None:
    """With limits of 10^9 bytes the networks listed at 0.67 under 0.7 GB, and at 0.95 under 1.0 GB, drop out."""
    decimal = [replace(rank, place=replace(rank.place, max_memory=rank.place.max_memory / GIB * 1e9)) for rank in RANKS]
    lost = {each.printed for each in differences(BIANCO, decimal) if not each.tied and each.found != each.printed}
    assert {"densenet121", "bn_inception", "resnet18", "se_resnext50_32x4d", "dpn131"} <= lost
    assert len([each for each in differences(BIANCO, decimal) if not each.tied]) == 34


def test_the_network_that_the_text_calls_super_real_time_is_not_listed_as_such() -> None:
    """NASNet-A-Large makes 30.96 images a second: Table 3 has it up to 30 FPS, as its own Section V.G has the word."""
    fast = [rank for rank in RANKS if rank.architecture == "nasnet_a_large"]
    assert sorted(rank.place.min_rate for rank in fast) == [15.0, 30.0]
