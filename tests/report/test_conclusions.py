"""Each conclusion on networks made up by hand: where it holds, where it does not, where nothing can be said."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from report_data import EVIL, HEADER, Run, row

from pytest_archbench.baselines import load
from pytest_archbench.claims import CLAIMS, FEWEST
from pytest_archbench.records import Baseline
from pytest_archbench.report import conclusions, frames
from pytest_archbench.report.conclusions import JUDGES, Conclusion, conclude
from pytest_archbench.report.evidence import networks
from pytest_archbench.report.published import published

MIB, GIB = 2.0**20, 2.0**30
PUBLISHED = load(Path(__file__).parents[2] / "baselines" / "published")
LETTERS = "abcdefgh"


def network(name: str, **given: Any) -> dict[str, Any]:
    """A row of the frame: 1 GMAC, 10 M parameters, 70 %, 10 ms at batch 1 on the processor, 1 GiB."""
    own = {"origin": "measured", "architecture": name, "family": "a", "topology": name, "top1_source": "measured"}
    place = {"top1_data": "imagenet", "device": "cpu", "batch_size": 1, "input_shape": "[3, 224, 224]"}
    found = {"macs": 1e9, "params": 1e7, "top1": 0.7, "latency": 0.01, "peak_memory": GIB, "model_size": 40 * MIB}
    return {**own, **place, **found, **given}


def eight(**series: Iterable[Any]) -> pd.DataFrame:
    """Networks a to h, each quantity in ``series`` one after the other."""
    values = {key: list(each) for key, each in series.items()}
    return frames.framed(
        network(name, **{key: each[place] for key, each in values.items()}) for place, name in enumerate(LETTERS)
    )


def figures(source: str) -> list[Baseline]:
    return [each for each in PUBLISHED.figures if each.source == source]


def on(source: str, name: str) -> Conclusion:
    return conclude(name, published(figures(source)), figures(source))


RISING = [0.60, 0.62, 0.64, 0.66, 0.68, 0.70, 0.72, 0.74]
DOUBLING = [1e9 * 2**place for place in range(8)]


# More operations, more accuracy?


def test_operations_give_accuracy_where_every_pair_is_in_order() -> None:
    found = conclude("operations_do_not_give_accuracy", eight(macs=DOUBLING, top1=RISING))
    assert found.holds is False
    assert found.sentence == (
        "8 networks of this run: in 0 of 28 pairs (0%) the network of more operations has the lower top-1, by more than"
        " 0.5 points; Spearman's rank correlation is 1.00."
    )


@pytest.mark.parametrize(("last", "wrong", "holds"), [(0.685, 2, False), (0.67, 3, True)])
def test_an_order_does_not_hold_from_one_pair_in_ten_in_the_wrong_order(last: float, wrong: int, holds: bool) -> None:
    """Beside the largest, f and g are better, then e too: 2 and 3 of 28 pairs are 7 % and 11 %."""
    found = conclude("operations_do_not_give_accuracy", eight(macs=DOUBLING, top1=[*RISING[:7], last]))
    assert found.holds is holds
    assert f"in {wrong} of 28 pairs" in found.sentence


def test_a_reversed_pair_is_told_with_its_numbers() -> None:
    """The largest is a point less accurate than the second smallest: in the wrong order beside it and all between."""
    found = conclude("operations_do_not_give_accuracy", eight(macs=DOUBLING, top1=[*RISING[:7], 0.61]))
    assert found.holds is True
    assert "in 6 of 28 pairs (21%)" in found.sentence
    # ranks of top-1: 1 3 4 5 6 7 8 2: sum of squared differences 6 + 36 = 42, 1 - 6 * 42 / (8 * 63) = 0.5
    assert "rank correlation is 0.50" in found.sentence
    assert found.sentence.endswith("h does 64 times the operations of b for 1.00 points less.")


def test_examples_are_the_pairs_furthest_apart_with_no_larger_network_twice() -> None:
    falling = eight(macs=DOUBLING, top1=RISING[::-1])
    said = conclude("operations_do_not_give_accuracy", falling).sentence
    assert said.endswith(
        "h does 128 times the operations of a for 14.00 points less. "
        "g does 64 times the operations of a for 12.00 points less. "
        "f does 32 times the operations of a for 10.00 points less."
    )


def test_accuracies_within_the_margin_of_evaluation_are_no_reversal() -> None:
    nearly = [0.7 - 0.0005 * place for place in range(8)]
    assert "in 0 of 28 pairs" in conclude("operations_do_not_give_accuracy", eight(macs=DOUBLING, top1=nearly)).sentence
    equal = conclude("operations_do_not_give_accuracy", eight(macs=DOUBLING))
    assert equal.holds is False
    assert equal.sentence.endswith("by more than 0.5 points.")


def test_networks_of_as_many_operations_say_nothing() -> None:
    found = conclude("operations_do_not_give_accuracy", eight(top1=RISING))
    assert found.holds is None
    assert found.sentence == "8 networks of this run: all do as many operations, which says nothing of more of them."


def test_a_network_on_two_devices_is_one() -> None:
    once = eight(macs=DOUBLING, top1=RISING)
    twice = pd.concat([once, once.assign(device="cuda:0")], ignore_index=True)
    name = "operations_do_not_give_accuracy"
    assert conclude(name, twice) == conclude(name, once)


# Accuracy per parameter


@pytest.mark.parametrize(
    ("most", "least", "factor", "holds"), [(99e6, "0.707", "9.9", False), (100e6, "0.700", "10", True)]
)
def test_parameters_are_used_unequally_from_a_factor_of_ten(most: float, least: str, factor: str, holds: bool) -> None:
    found = conclude("parameters_are_used_unequally", eight(params=[most, *[1e7] * 5, 2e7, 3e7]))
    assert found.holds is holds
    assert found.sentence == (
        "8 networks of this run: the most top-1 per parameter have b (7.00 % per M), c (7.00 % per M) and"
        f" d (7.00 % per M), the least g (3.50 % per M), h (2.33 % per M) and a ({least} % per M): a factor of"
        f" {factor}."
    )


# Operations and time


def test_operations_predict_a_time_that_is_their_power() -> None:
    """Time as the square root of operations: r² 1 and no network off."""
    frame = eight(macs=DOUBLING, latency=[0.01 * 2 ** (place / 2) for place in range(8)])
    found = conclude("operations_predict_time", frame)
    assert found.holds is True
    assert found.sentence == (
        "8 networks of this run: r² of time per image as a power of operations is 1.00 (batch 1) on cpu. The typical"
        " network is off by a factor of 1.00."
    )


def test_the_spread_is_the_standard_deviation_about_the_law_as_a_factor() -> None:
    """Pairs of equal operations, one at twice and one at half the time of the law: each is off by a factor of two."""
    pairs = [1e9, 1e9, 1e10, 1e10, 1e11, 1e11, 1e12, 1e12]
    times = [0.001 * macs / 1e9 * off for macs, off in zip(pairs, [2, 0.5] * 4, strict=True)]
    assert "off by a factor of 2.00" in conclude("operations_predict_time", eight(macs=pairs, latency=times)).sentence


def test_operations_do_not_predict_a_time_that_falls_with_them_or_has_nothing_to_do_with_them() -> None:
    falling = eight(macs=DOUBLING, latency=[0.01 / 2**place for place in range(8)])
    assert conclude("operations_predict_time", falling).holds is False
    unrelated = eight(macs=DOUBLING, latency=[0.01, 0.02, 0.02, 0.01, 0.01, 0.02, 0.02, 0.01])
    found = conclude("operations_predict_time", unrelated)
    assert found.holds is False
    assert found.sentence.endswith("No estimate, for which r² of 0.5 is asked: cpu, batch 1.")


def test_every_device_and_batch_size_is_judged_and_the_range_of_each_device_told() -> None:
    alone = eight(macs=DOUBLING, latency=[0.01, 0.02, 0.02, 0.01, 0.01, 0.02, 0.02, 0.01])
    full = eight(macs=DOUBLING, latency=[0.08 * 2**place for place in range(8)]).assign(batch_size=8)
    few = eight(macs=DOUBLING).head(7).assign(device="jetson")
    other = full.assign(device="cuda:0")
    found = conclude("operations_predict_time", pd.concat([full, alone, few, other], ignore_index=True))
    assert found.holds is False
    assert "is 0.00 (batch 1) to 1.00 (batch 8) on cpu; 1.00 (batch 8) on cuda:0." in found.sentence
    assert found.sentence.endswith("asked: cpu, batch 1.")


# Accuracy and throughput


def test_throughput_bounds_accuracy_where_the_fastest_is_not_the_most_accurate() -> None:
    """a is slow and right, h fast and wrong; b to g are slower than h and less right than it."""
    frame = eight(top1=[0.8, *[0.5] * 6, 0.6], latency=[0.1, *[0.05] * 6, 0.01])
    found = conclude("throughput_bounds_accuracy", frame)
    assert found.holds is True
    assert found.sentence == (
        "8 networks of this run. On cpu, batch 1, the Pareto front of 2 networks is a (80.00 %, 10.0 img/s) and"
        " h (60.00 %, 100.0 img/s)."
    )


def test_throughput_costs_nothing_where_one_network_is_best_in_both() -> None:
    found = conclude("throughput_bounds_accuracy", eight(top1=[0.8, *[0.5] * 7], latency=[0.001, *[0.05] * 7]))
    assert found.holds is False
    assert found.sentence.endswith("On cpu, batch 1, a is both the fastest and the most accurate.")


def test_a_front_that_is_flat_within_the_margin_bounds_nothing() -> None:
    frame = eight(top1=[0.804, 0.8, *[0.5] * 6], latency=[0.01, 0.005, *[0.05] * 6])
    assert conclude("throughput_bounds_accuracy", frame).holds is False


def test_a_device_is_judged_at_the_batch_size_of_most_networks_and_the_smallest_of_these() -> None:
    bound = eight(top1=[0.8, *[0.5] * 6, 0.6], latency=[0.1, *[0.05] * 6, 0.01])
    frame = pd.concat([bound.assign(batch_size=16), bound.assign(batch_size=4)], ignore_index=True)
    assert "On cpu, batch 4, " in conclude("throughput_bounds_accuracy", frame).sentence
    assert "batch 16" not in conclude("throughput_bounds_accuracy", frame).sentence


# Limits


def test_limits_choose_the_network_where_the_best_is_another_under_other_limits() -> None:
    """The best takes more than 1 GiB, the second best is slower than 30 img/s, nothing takes less than 0.7 GiB."""
    frame = eight(
        top1=[0.9, 0.8, *[0.5] * 6], latency=[0.02, 0.05, *[0.01] * 6], peak_memory=[1.2 * GIB, *[0.9 * GIB] * 7]
    )
    found = conclude("limits_choose_the_network", frame)
    assert found.holds is True
    assert found.sentence == (
        "8 networks of this run. Best on cpu: up to 0.7 GiB none, none, none; up to 1 GiB b, c, c;"
        " up to 1.4 GiB a, a, c (at 15, 30, 60 img/s)."
    )


def test_limits_choose_nothing_where_one_network_is_best_under_all() -> None:
    found = conclude("limits_choose_the_network", eight(top1=[0.9, *[0.5] * 7], peak_memory=[0.5 * GIB] * 8))
    assert found.holds is False
    assert "up to 0.7 GiB a, a, a; up to 1 GiB a, a, a; up to 1.4 GiB a, a, a" in found.sentence


def test_of_limits_that_no_network_keeps_to_nothing_is_concluded() -> None:
    found = conclude("limits_choose_the_network", eight(latency=[1.0] * 8))
    assert found.holds is None
    assert "none, none, none" in found.sentence


def test_limits_choose_nothing_where_only_the_device_does() -> None:
    """On either device one network is best under all limits, on the other another."""
    here = eight(top1=[0.9, *[0.5] * 7], peak_memory=[0.5 * GIB] * 8)
    there = eight(top1=[*[0.5] * 7, 0.9], peak_memory=[0.5 * GIB] * 8).assign(device="board")
    found = conclude("limits_choose_the_network", pd.concat([here, there], ignore_index=True))
    assert "Best on cpu: up to 0.7 GiB a, a, a;" in found.sentence
    assert "Best on board: up to 0.7 GiB h, h, h;" in found.sentence
    assert found.holds is False


def test_printed_ranks_that_differ_for_another_reason_than_a_tie_refute_the_data() -> None:
    """The best network of Table 3 under 1.4 GB, NASNet-A-Large, loses a point and its place."""
    damaged = published(figures("bianco2018"))
    damaged.loc[damaged["architecture"] == "nasnet_a_large", "top1"] = 0.8
    found = conclude("limits_choose_the_network", damaged, figures("bianco2018"))
    assert found.holds is False
    assert "Of 79 printed ranks" in found.sentence
    assert "rank 1: nasnet_a_large is printed, senet154 is found." in found.sentence


def test_only_batch_one_is_held_against_limits() -> None:
    found = conclude("limits_choose_the_network", eight(top1=RISING).assign(batch_size=8))
    assert found.holds is None
    assert "on one device at batch size 1 and has 0." in found.sentence


# Memory and model size


def test_model_size_predicts_a_memory_on_a_line() -> None:
    frame = eight(
        model_size=[place * 10 * MIB for place in range(1, 9)],
        peak_memory=[(600 + 20 * place) * MIB for place in range(1, 9)],
    )
    found = conclude("model_size_predicts_memory", frame)
    assert found.holds is True
    assert found.sentence == (
        "8 networks of this run. On cpu, batch 1, peak memory is 600.0 MiB + 2.00 × model size with r² 1.00;"
        " the least is 620.0 MiB (a)."
    )


def test_model_size_does_not_predict_a_memory_that_falls_or_scatters() -> None:
    sizes = [place * 10 * MIB for place in range(1, 9)]
    for memory in ([GIB - size for size in sizes], [GIB, 2 * GIB, 2 * GIB, GIB, GIB, 2 * GIB, 2 * GIB, GIB]):
        assert conclude("model_size_predicts_memory", eight(model_size=sizes, peak_memory=memory)).holds is False


# Too few, and strange


@pytest.mark.parametrize("name", CLAIMS)
def test_of_fewer_than_eight_networks_nothing_is_concluded(name: str) -> None:
    latency = [each / 20 for each in RISING]
    frame = eight(
        macs=DOUBLING, top1=RISING, params=DOUBLING, latency=latency, model_size=DOUBLING, peak_memory=DOUBLING
    )
    assert conclude(name, frame).holds is not None
    found = conclude(name, frame.head(FEWEST - 1))
    assert found.holds is None
    assert found.sentence.startswith("Needs 8 networks with ")
    assert found.sentence.endswith(" and has 7. Measure more of them, without `--archbench-arch`.")


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("operations_do_not_give_accuracy", "macs,top1_accuracy"),
        ("parameters_are_used_unequally", "top1_accuracy,params"),
        ("operations_predict_time", "macs,latency"),
        ("throughput_bounds_accuracy", "latency,top1_accuracy"),
        ("limits_choose_the_network", "top1_accuracy,latency,peak_memory"),
        ("model_size_predicts_memory", "model_size,peak_memory"),
    ],
)
def test_what_is_lacking_comes_with_the_command_for_all_of_it(name: str, metrics: str) -> None:
    found = conclude(name, frames.framed([]))
    assert found.sentence.endswith(
        f"and has 0. To measure: the same `pytest --archbench` with `--archbench-metric={metrics}`."
    )


def test_accuracies_that_nobody_published_are_said_to_be_lacking() -> None:
    found = conclude("throughput_bounds_accuracy", eight(top1=[None] * 8))
    assert found.sentence.endswith(
        "To measure: the same `pytest --archbench` with `--archbench-metric=latency,top1_accuracy`."
    )


def test_accuracies_of_several_data_sets_are_not_concluded_from_together() -> None:
    data = ["digits"] * 4 + ["imagenet"] * 4
    assert " and has 4." in conclude("operations_do_not_give_accuracy", eight(top1_data=data, macs=DOUBLING)).sentence
    digits = eight(top1_data=["digits"] * 8, macs=DOUBLING, top1=RISING)
    found = conclude("operations_do_not_give_accuracy", digits)
    assert found.sentence.startswith("8 networks of this run, whose accuracy is of digits: in 0 of 28 pairs (0%)")


@pytest.mark.parametrize("absent", [None, math.nan, math.inf, 0.0])
def test_a_network_without_a_number_does_not_count(absent: float | None) -> None:
    frame = eight(macs=[absent, *DOUBLING[1:]], top1=RISING, latency=[0.01, *RISING[1:]])
    assert " and has 7." in conclude("operations_do_not_give_accuracy", frame).sentence
    assert " and has 7." in conclude("operations_predict_time", frame).sentence


def test_times_that_are_all_the_same_are_no_law() -> None:
    assert conclude("operations_predict_time", eight(macs=DOUBLING)).holds is None


def test_a_network_at_two_input_sizes_is_two_and_named_by_its_side() -> None:
    frame = eight(macs=DOUBLING, top1=RISING[::-1])
    small = frame.assign(architecture="net", input_shape=[f"[3, {32 * place}, {32 * place}]" for place in range(1, 9)])
    assert (
        "net at 256 does 128 times the operations of net at 32"
        in conclude("operations_do_not_give_accuracy", small).sentence
    )


def test_a_run_says_whose_accuracies_it_stands_on_where_it_stands_on_any() -> None:
    frame = eight(macs=DOUBLING, top1=RISING, latency=RISING).assign(top1_source=["torchvision", *["bianco2018"] * 7])
    said = {name: conclude(name, frame).sentence for name in CLAIMS}
    assert (
        "8 networks of this run with the top-1 of torchvision and bianco2018: in 0 of"
        in said["operations_do_not_give_accuracy"]
    )
    assert said["operations_predict_time"].startswith("8 networks of this run: r² ")


def test_names_from_a_journal_are_one_line_and_as_they_are() -> None:
    names = [f"{EVIL}\n{letter}\x1b[31m" for letter in LETTERS]
    rows = [
        row(name, metric, value)
        for name, macs, top1 in zip(names, DOUBLING, RISING[::-1], strict=True)
        for metric, value in (("macs", macs), ("top1_accuracy", top1), ("latency", 0.01), ("params", macs))
    ]
    for found in conclusions.of(frames.networks(Run(HEADER, tuple(rows)))):
        assert found.sentence.isprintable()
    said = conclude("operations_do_not_give_accuracy", frames.networks(Run(HEADER, tuple(rows)))).sentence
    assert EVIL in said, "what writes it into a document escapes it"


def test_a_device_of_any_name_is_judged() -> None:
    frame = eight(macs=DOUBLING, latency=RISING).assign(device="a\nb\x1b")
    assert "on a b\ufffd." in conclude("operations_predict_time", frame).sentence


def test_every_claim_has_its_judge_statement_and_source() -> None:
    assert list(JUDGES) == list(CLAIMS)
    found = conclusions.of(frames.framed([]))
    assert [(each.name, each.statement, each.source) for each in found] == [
        (claim.name, claim.statement, claim.source) for claim in CLAIMS.values()
    ]
    with pytest.raises(KeyError, match="no_such_claim"):
        conclude("no_such_claim", frames.framed([]))


# What was published


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("bianco2018", "44 networks of bianco2018: in 219 of 938 pairs (23%)"),
        ("canziani2016", "14 networks of canziani2016: in 18 of 91 pairs (20%)"),
        ("bertmoons", "25 networks of bertmoons: in 59 of 299 pairs (20%)"),
    ],
)
def test_in_every_published_comparison_operations_do_not_give_accuracy(source: str, said: str) -> None:
    found = on(source, "operations_do_not_give_accuracy")
    assert found.holds is True
    assert found.sentence.startswith(said)


@pytest.mark.parametrize(
    ("source", "most", "least", "factor"),
    [
        ("bianco2018", "squeezenet1_1 (47.20 % per M)", "vgg19 (0.502 % per M)", "94"),
        ("canziani2016", "enet (11.67 % per M)", "vgg19 (0.492 % per M)", "23.7"),
        # 0.2 M parameters of the 0.5 MobileNet are an evident error of the source (1.3 M).
        ("bertmoons", "mobilenet_v1_050 (320.00 % per M)", "vgg16 (0.514 % per M)", "622"),
    ],
)
def test_in_every_published_comparison_parameters_are_used_unequally(
    source: str, most: str, least: str, factor: str
) -> None:
    found = on(source, "parameters_are_used_unequally")
    assert found.holds is True
    assert f"have {most}, " in found.sentence
    assert found.sentence.endswith(f" and {least}: a factor of {factor}.")


def test_operations_predict_time_on_the_jetson_and_not_on_the_titan_at_one_image() -> None:
    """Canziani et al. concluded it on the Jetson TX1, of which it holds at every batch size in Bianco et al. too."""
    found = on("bianco2018", "operations_predict_time")
    assert found.holds is False
    assert "0.30 (batch 1) to 0.65 (batch 64) on NVIDIA Titan X Pascal" in found.sentence
    assert "0.71 (batch 1) to 0.87 (batch 4) on NVIDIA Jetson TX1" in found.sentence
    assert found.sentence.endswith("asked: NVIDIA Titan X Pascal (Titan Xp), 3840 CUDA cores, batch 1.")
    jetson = [each for each in figures("bianco2018") if each.device in (None, "NVIDIA Jetson TX1")]
    assert conclude("operations_predict_time", published(jetson)).holds is True


def test_the_pareto_networks_of_bianco_are_named() -> None:
    found = on("bianco2018", "throughput_bounds_accuracy")
    assert found.holds is True
    assert (
        "front of 12 networks is nasnet_a_large (82.50 %, 31.0 img/s), se_resnext101_32x4d, inception_v4,"
        " se_resnext50_32x4d, xception, resnet50, vgg16_bn, resnet34, resnet18, squeezenet1_1, squeezenet1_0 and"
        " alexnet (56.62 %, 781.2 img/s)."
    ) in found.sentence
    assert "front of 10 networks is nasnet_a_large (82.50 %, 2.29 img/s), senet154, " in found.sentence


def test_limits_choose_the_network_as_table_3_prints_it() -> None:
    found = on("bianco2018", "limits_choose_the_network")
    assert found.holds is True
    assert "Best on NVIDIA Jetson TX1: up to 0.7 GiB densenet121, mobilenet_v2_100, mobilenet_v1_100;" in found.sentence
    assert found.sentence.endswith("Of 79 printed ranks 4 differ, 4 of them as ties.")


def test_model_size_predicts_memory_on_the_titan() -> None:
    found = on("bianco2018", "model_size_predicts_memory")
    assert found.holds is True
    assert found.sentence.endswith(
        "peak memory is 692.3 MiB + 1.38 × model size with r² 0.75; the least is 647.0 MiB (nasnet_a_mobile)."
    )


def test_a_share_of_nothing_is_evidence_and_a_quotient_of_nothing_is_not() -> None:
    frame = eight(top1=[0.0] + [0.7] * 7)
    assert len(networks(frame, ("macs", "top1"))) == 8
    assert len(networks(frame, ("accuracy_density",))) == 7
