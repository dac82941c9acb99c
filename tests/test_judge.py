"""Verdicts: every outcome with the sentence a reader gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench_suite import BASELINES
from pytest_archbench import meters  # noqa: F401  (enters the metrics)
from pytest_archbench.baselines import load
from pytest_archbench.judge import judge, judge_own, speaking, verdicts
from pytest_archbench.outcomes import RESULTS, worst
from pytest_archbench.proportions import pack
from pytest_archbench.protocols import Outcomes
from pytest_archbench.records import (
    Architecture,
    Baseline,
    Conditions,
    KnownDeviation,
    Measurement,
    Metric,
    Outcome,
    Verdict,
)
from pytest_archbench.registry import METRICS

MACS = Metric("macs", "MAC", "equal", per_device=False)
LATENCY = Metric("latency", "s", "lower", tolerance=0.05)
TOP1 = Metric("top1_accuracy", "fraction", "higher", tolerance=0.001, per_device=False)
OURS = Measurement("alexnet", "macs", "MAC", "ok", Conditions("cpu"), (714188480,))
FIGURE = Baseline(
    architecture="alexnet", metric="macs", value=0.714e9, precision=0.0005e9, unit="MAC", printed="0.714",
    printed_unit="G", source="torchvision", reference="AlexNet_Weights", input_size=224,
)  # fmt: skip
SHORT = replace(FIGURE, value=0.66e9, precision=0.005e9, printed="0.66", source="bianco2018", reference="Fig. 1")
KNOWN = replace(SHORT, known=KnownDeviation("only convolutions are counted", 714188480))


def timed(*samples: float, device: str = "cpu", batch_size: int = 1) -> Measurement:
    return Measurement("alexnet", "latency", "s", "ok", Conditions(device, batch_size), samples)


def test_it_passes_within_what_the_figure_prints() -> None:
    verdict = judge(OURS, FIGURE, MACS)
    assert verdict.outcome == "passed"
    assert verdict.change == pytest.approx((714188480 - 0.714e9) / 0.714e9)
    assert verdict.reason == (
        "alexnet macs: 714.2 MMAC, agrees (+0.026 %) with torchvision 0.714 G (AlexNet_Weights): "
        "within the precision it prints"
    )


@pytest.mark.parametrize(
    ("value", "outcome"), [(714500000, "passed"), (714500001, "deviates"), (713499999, "deviates")]
)
def test_it_judges_the_last_printed_place_to_the_unit(value: int, outcome: Outcome) -> None:
    assert judge(replace(OURS, samples=(value,)), FIGURE, MACS).outcome == outcome


def test_it_deviates_with_what_to_do() -> None:
    verdict = judge(OURS, SHORT, MACS)
    assert verdict.outcome == "deviates"
    assert verdict.reason.startswith(
        "alexnet macs: 714.2 MMAC, deviates (+8.2 %) from bianco2018 0.66 G (Fig. 1): mend"
    )
    assert (verdict.source, verdict.baseline, verdict.unit) == ("bianco2018", "0.66", "G")


def test_it_accepts_a_known_deviation_for_the_documented_value_only() -> None:
    assert judge(OURS, KNOWN, MACS).outcome == "known deviation"
    assert judge(OURS, KNOWN, MACS).reason.endswith("only convolutions are counted")
    moved = judge(replace(OURS, samples=(714188481,)), KNOWN, MACS)
    assert moved.outcome == "deviates"
    assert "the documented deviation was for 714.2 MMAC (714188480), we now have 714188481" in moved.reason


def test_it_is_inconclusive_when_operators_were_not_counted() -> None:
    verdict = judge(replace(OURS, uncounted=("aten.lstm",)), FIGURE, MACS)
    assert verdict.outcome == "inconclusive"
    assert verdict.change is None
    assert "aten.lstm" in verdict.reason


@pytest.mark.parametrize("figures", [[FIGURE], []])
def test_it_is_inconclusive_when_nothing_was_measured(figures: list[Baseline]) -> None:
    (verdict,) = verdicts(replace(OURS, status="timeout", samples=(), message="no result after 60 s"), figures, MACS)
    assert verdict.outcome == "inconclusive"
    assert "not measured" in verdict.reason
    assert "timeout: no result after 60 s" in verdict.reason


@pytest.mark.parametrize(
    ("measurement", "metric", "users_own", "advice"),
    [
        (OURS, MACS, False, "no published figure speaks of it; add one under baselines/published"),
        (OURS, MACS, True, "nobody has published it; assert what you know in a test (archbench.check)"),
        (timed(1.0), LATENCY, True, "nothing was published for this device; promote a run (archbench promote), or"),
        (timed(1.0), LATENCY, False, "nothing was published for this device; promote a run (archbench promote), or"),
    ],
)
def test_it_says_what_to_do_when_no_figure_exists(
    measurement: Measurement, metric: Metric, users_own: bool, advice: str
) -> None:
    (verdict,) = verdicts(measurement, [], metric, users_own=users_own)
    assert verdict.outcome == "no baseline"
    assert verdict.source == ""
    assert f", no baseline: {advice}" in verdict.reason


def test_it_gives_one_verdict_per_figure() -> None:
    assert [v.outcome for v in verdicts(OURS, [FIGURE, SHORT, KNOWN], MACS)] == [
        "passed",
        "deviates",
        "known deviation",
    ]


def test_it_refuses_a_time_of_another_device_and_batch_with_both_values() -> None:
    figure = replace(FIGURE, metric="latency", unit="s", value=0.001, device="NVIDIA Jetson TX1", batch_size=8)
    verdict = judge(timed(0.001), figure, LATENCY)
    assert verdict.outcome == "incomparable"
    assert "device is cpu here and NVIDIA Jetson TX1 there; batch_size is 1 here and 8 there" in verdict.reason
    unstated = judge(timed(0.001), replace(figure, device=None, batch_size=1), LATENCY)
    assert "device is cpu here and not stated there" in unstated.reason
    same = replace(figure, device="cpu", batch_size=1, input_size=None)
    assert judge(timed(0.001), same, LATENCY).outcome == "passed"


def test_it_refuses_a_count_at_another_input_size_but_not_parameters() -> None:
    larger = replace(OURS, conditions=Conditions("cpu", input_shape=(3, 299, 299)))
    assert "input_size is 299 here and 224 there" in judge(larger, FIGURE, MACS).reason
    params = replace(larger, metric="params", unit="count")
    assert judge(params, replace(FIGURE, metric="params"), Metric("params", "count", "equal")).outcome == "incomparable"
    free = Metric("params", "count", "equal", per_device=False)
    assert judge(params, replace(FIGURE, metric="params"), free).outcome == "passed"


def test_it_adds_the_metrics_own_tolerance_where_it_has_one() -> None:
    figure = replace(FIGURE, metric="top1_accuracy", value=0.565, precision=0.00005, unit="fraction")
    ours = replace(OURS, metric="top1_accuracy", unit="fraction", samples=(0.566,))
    assert judge(ours, figure, TOP1).outcome == "deviates"
    assert judge(ours, figure, replace(TOP1, tolerance=0.002)).outcome == "passed"


@pytest.mark.parametrize(
    ("metric", "ours", "baseline", "outcome"),
    [
        (LATENCY, 1.04, 1.0, "passed"),
        (LATENCY, 1.06, 1.0, "regressed"),
        (LATENCY, 0.94, 1.0, "improved"),
        (TOP1, 0.70, 0.71, "regressed"),
        (TOP1, 0.72, 0.71, "improved"),
        (MACS, 10, 10, "passed"),
        (MACS, 9, 10, "deviates"),
        (MACS, 9, 0, "deviates"),
        (replace(LATENCY, tolerance=0.0), 0.0, 0.0, "passed"),
    ],
)
def test_it_judges_against_an_own_value_by_direction_and_tolerance(
    metric: Metric, ours: float, baseline: float, outcome: Outcome
) -> None:
    measurement = Measurement("alexnet", metric.name, metric.unit, "ok", Conditions("cpu"), (ours,))
    verdict = judge_own(measurement, baseline, metric)
    assert verdict.outcome == outcome
    assert "own baseline" in verdict.reason


def test_it_judges_an_own_value_inconclusive_without_a_measurement() -> None:
    crashed = replace(OURS, status="crashed", samples=(), message="signal 9")
    assert judge_own(crashed, 1, MACS).outcome == "inconclusive"
    assert judge_own(replace(OURS, uncounted=("aten.x",)), 714188480, MACS).outcome == "inconclusive"


def test_the_worst_verdict_decides() -> None:
    found = [Verdict(outcome, "because") for outcome in reversed(RESULTS)]
    assert worst(found).outcome == "regressed"
    assert worst(found[:-2]).outcome == "known deviation"
    assert RESULTS[worst(found[:3]).outcome] == "skip"
    with pytest.raises(ValueError, match="empty"):
        worst([])


def test_every_outcome_has_one_result() -> None:
    assert {outcome: RESULTS[outcome] for outcome in ("regressed", "deviates", "known deviation", "no baseline")} == {
        "regressed": "fail", "deviates": "fail", "known deviation": "pass", "no baseline": "skip",
    }  # fmt: skip


PUBLISHED = load(BASELINES / "published")


def evaluated(weights: str, right: int, side: int = 224) -> Measurement:
    """Fifty thousand images of which so many are right."""
    outcomes = Outcomes("ilsvrc", 50_000, 50_000, pack([number < right for number in range(50_000)]))
    conditions = Conditions("cpu", input_shape=[3, side, side])
    return Measurement(
        *("resnet50", "top1_accuracy", "fraction", "ok", conditions, (right / 50_000,)),
        outcomes=outcomes,
        protocol={"weights": weights},
    )


@pytest.mark.parametrize(
    ("weights", "right", "side", "printed", "outcome"),
    [
        ("ResNet50_Weights.IMAGENET1K_V1", 38_065, 224, ["76.13"], "passed"),  # 76.130 %
        ("ResNet50_Weights.IMAGENET1K_V1", 38_115, 224, ["76.13"], "passed"),  # +0.1 points, as decoders differ
        ("ResNet50_Weights.IMAGENET1K_V1", 38_118, 224, ["76.13"], "deviates"),  # +0.106 points
        ("ResNet50_Weights.IMAGENET1K_V2", 40_429, 224, ["80.858"], "passed"),
        ("resnet50.a1_in1k", 40_191, 224, ["80.382"], "passed"),
        ("resnet50.pth", 38_065, 224, [], "no baseline"),
    ],
)
def test_an_accuracy_is_judged_by_the_figures_of_its_weights_alone(
    weights: str, right: int, side: int, printed: list[str], outcome: Outcome
) -> None:
    network = Architecture("resnet50", "resnet", dict, provider="torchvision")
    found = evaluated(weights, right, side)
    figures = speaking(PUBLISHED, network, found)
    assert [figure.printed for figure in figures] == printed
    assert {each.outcome for each in verdicts(found, figures, METRICS["top1_accuracy"])} == {outcome}


def test_a_training_of_fewer_epochs_is_not_compared() -> None:
    network = Architecture("mnist_plain", "blocks", dict, topology="hei4_mnist_plain")
    trained = Measurement(
        *("mnist_plain", "train_accuracy", "fraction", "ok", Conditions("cpu", 32, [1, 28, 28]), (0.99,)),
        epochs=(0.98, 0.99),
        protocol={"data": "mnist", "epochs": 2},
    )
    (figure,) = speaking(PUBLISHED, network, trained)
    verdict = judge(trained, figure, METRICS["train_accuracy"])
    assert (verdict.outcome, verdict.source) == ("incomparable", "hei4")
    assert verdict.reason.endswith("epochs is 2 here and 40 there")
