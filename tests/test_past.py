"""Verdicts against one's own past: every outcome with its sentence, and how often they are wrong."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.alarm import alarm_factor
from pytest_archbench.past import (
    PROCESS_BIAS,
    Shift,
    accepted,
    against_baseline,
    against_history,
    against_pairs,
    settled,
)
from pytest_archbench.records import Conditions, Metric, Number, Outcome, Point

LATENCY = Metric("latency", "s", "lower", tolerance=0.1)
THROUGHPUT = Metric("throughput", "img/s", "higher", tolerance=0.1)
MEMORY = Metric("peak_memory", "B", "lower", tolerance=0.05)
MACS = Metric("macs", "MAC", "equal", per_device=False)


def run(value: Number, metric: Metric = LATENCY, **facts: object) -> Point:
    """A run's value of resnet18, the facts given put in place of the usual ones."""
    usual = Point("resnet18", metric.name, metric.unit, value, "r0", "c0", "2026-01-01", Conditions("cpu"))
    return replace(usual, **facts)  # type: ignore[arg-type]


def spread(values: Sequence[float], reference: float | None = None) -> Point:
    """A run whose processes had these medians."""
    return run(statistics.median(values), trials=tuple((value, reference) for value in values))


FIVE = (0.98, 0.99, 1.0, 1.01, 1.02)


def test_a_count_must_be_equal_to_the_unit() -> None:
    ours = run(1814073344, MACS, run="r1")
    assert against_baseline(ours, run(1814073344, MACS), MACS).reason == (
        "resnet18 macs: 1.814 GMAC, agrees with run r0 1.814 GMAC: equal"
    )
    verdict = against_baseline(ours, run(1814073343, MACS), MACS)
    assert verdict.outcome == "deviates"
    assert verdict.change == 1 / 1814073343
    assert "1814073344 instead of 1814073343, a property of the graph changed: mend it, or promote" in verdict.reason


def test_it_names_what_makes_two_runs_incomparable() -> None:
    verdict = against_baseline(run(0.04), run(0.03, conditions=Conditions("cuda:0")), LATENCY)
    assert verdict.outcome == "incomparable"
    assert verdict.change is None
    assert verdict.reason == (
        "resnet18 latency: 40.00 ms, incomparable with run r0 30.00 ms: device is cpu here and cuda:0 there"
    )


@pytest.mark.parametrize(
    ("ours", "outcome"),
    # five processes each side, so each side's interval is its whole range, ± 2 %; of the ratio ± sqrt(2) × 2 %
    [(1.09, "passed"), (1.12, "inconclusive"), (1.14, "regressed"), (0.91, "passed"), (0.89, "inconclusive"),
     (0.87, "improved")],
)  # fmt: skip
def test_five_processes_a_side_tell_what_is_beyond_the_tolerance(ours: float, outcome: Outcome) -> None:
    verdict = against_baseline(spread([ours * value for value in FIVE]), spread(FIVE), LATENCY)
    assert verdict.outcome == outcome
    assert verdict.change == pytest.approx(ours - 1)
    assert "--archbench-processes" not in verdict.reason


def test_a_rate_regresses_downwards() -> None:
    theirs = replace(spread(FIVE), metric="throughput", unit="img/s")
    slower, faster = (
        replace(theirs, value=factor, trials=tuple((value * factor, None) for value, _ in theirs.trials))
        for factor in (0.85, 1.2)
    )
    assert against_baseline(slower, theirs, THROUGHPUT).outcome == "regressed"
    assert against_baseline(faster, theirs, THROUGHPUT).outcome == "improved"


def test_the_sentence_tells_all_that_is_needed_to_doubt_it() -> None:
    ours = spread([1.12 * value for value in FIVE], reference=2.0)
    verdict = against_baseline(ours, spread(FIVE, reference=1.9), LATENCY)
    assert verdict.outcome == "passed"
    # the interval's ends: 1.064 times the limits exp(± hypot(log 0.98, log 1.02)) or so
    assert verdict.reason == (
        "resnet18 latency: 1.120 s, agrees (+6.4 %) with run r0 1.000 s: within 10.0 %; "
        "the change lies between +3.4 % and +9.5 %; a change for the worse is seen from +13.2 % on; "
        "normalised by the reference workload (raw +12.0 %)"
    )
    assert (verdict.source, verdict.baseline, verdict.unit) == ("run r0", "1.000 s", "")


def test_one_process_a_side_cannot_tell_and_says_what_could() -> None:
    verdict = against_baseline(run(0.046), run(0.04), LATENCY)
    assert verdict.outcome == "inconclusive"
    # 1.96 × 0.05 × sqrt(2) of the logarithm: exp(0.1386) = 1.1487, and 1.1 × 1.1487 = 1.264
    assert verdict.reason == (
        "resnet18 latency: 46.00 ms, inconclusive (+15.0 %) against run r0 40.00 ms: "
        "more than 10.0 %, though not with its whole interval; the change lies between +0.1 % and +32.1 %; "
        "a change for the worse is seen from +26.4 % on; not normalised by a reference workload; "
        "measure with --archbench-processes=5 or more"
    )
    assert against_baseline(run(0.051), run(0.04), LATENCY).outcome == "regressed"
    assert "--archbench-processes" not in against_baseline(run(0.041), run(0.04), LATENCY).reason


def test_three_processes_and_an_uncertain_median_widen_as_they_should() -> None:
    exact = run(1.0, trials=((1.0, None),) * 3)
    vague = replace(exact, uncertainty=0.2)
    half_width = math.hypot(1.959964 * 0.05 / math.sqrt(3), 0.2)
    of_the_ratio = math.hypot(half_width, 1.959964 * 0.05 / math.sqrt(3))
    seen = 1.1 * math.exp(of_the_ratio) - 1
    assert f"seen from +{seen:.1%} on".replace("%", " %") in against_baseline(vague, exact, LATENCY).reason


def test_what_repeats_from_process_to_process_has_no_bias() -> None:
    assert MEMORY.unit not in PROCESS_BIAS
    verdict = against_baseline(run(106, MEMORY), run(100, MEMORY), MEMORY)
    assert verdict.outcome == "regressed"
    assert verdict.reason.endswith(
        "worse by more than 5.0 %: find what changed; a change for the worse is seen from +5.0 % on"
    )


@pytest.mark.parametrize(("ours", "theirs"), [(0.0, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_what_is_not_above_zero_has_no_relative_change(ours: float, theirs: float) -> None:
    assert against_baseline(run(ours), run(theirs), LATENCY).outcome == "inconclusive"
    verdict = against_history(run(ours), [run(theirs)] * 5, LATENCY, 1)
    assert verdict.outcome == "inconclusive"
    assert "a value is not above 0" in verdict.reason


def test_the_uncertainties_of_both_sides_add_in_squares() -> None:
    # Zou and Donner (2008): estimate ± the root of the squared distances of the facing ends
    difference = Shift(5, 2, 9) - Shift(1, -3, 4)
    assert difference == Shift(4, 4 - math.hypot(3, 3), 4 + math.hypot(4, 4))


def test_unchanged_code_on_noisy_processes_is_seldom_called_changed() -> None:
    # processes that scatter by 5 %, five a side, tolerance 5 %: 0 of 1000 regressed; a real +25 % is found in over 95 %
    generator = random.Random(1)
    metric = replace(LATENCY, tolerance=0.05)

    def processes(level: float) -> Point:
        return spread([level * math.exp(generator.gauss(0, 0.05)) for _ in range(5)])

    called = [against_baseline(processes(1), processes(1), metric).outcome for _ in range(1000)]
    found = [against_baseline(processes(1.25), processes(1), metric).outcome for _ in range(300)]
    assert called.count("regressed") + called.count("improved") <= 3
    assert found.count("regressed") > 0.95 * 300


NIGHTS = [run(0.038 * (1 + 0.01 * step), run=f"n{step}") for step in (-2, -1, 0, 1, 2)]


def test_history_judges_by_its_own_noise() -> None:
    # logs of 0.98 ... 1.02: their median absolute deviation is that of 1 %, about 0.00995
    factor = alarm_factor(5, 1)
    noise = math.exp(factor * 1.4826 * math.log(1.01 / 1.0)) - 1
    metric = replace(LATENCY, tolerance=0.0)
    verdict = against_history(run(0.0412), NIGHTS, metric, series=1)
    assert verdict.outcome == "regressed"
    assert verdict.change == pytest.approx(0.0412 / 0.038 - 1)
    assert 0.026 < noise < 0.028
    assert verdict.reason == (
        "resnet18 latency: 41.20 ms, regressed (+8.4 %) from the median of 5 runs 38.00 ms: "
        "worse by more than 2.7 %: find what changed; a change for the worse is seen from +2.7 % on; "
        "1.8 sigma of these runs are 2.7 %; not normalised by a reference workload"
    )
    assert against_history(run(0.0362), NIGHTS, metric, series=1).outcome == "improved"
    assert against_history(run(0.0388), NIGHTS, metric, series=1).outcome == "passed"


def test_more_series_or_a_wider_tolerance_ask_for_more() -> None:
    metric = replace(LATENCY, tolerance=0.0)
    assert against_history(run(0.0412), NIGHTS, metric, series=100).outcome == "inconclusive", "five nights tell little"
    assert against_history(run(0.0412), NIGHTS, LATENCY, series=1).outcome == "passed"
    assert "seen from +10.0 % on" in against_history(run(0.0412), NIGHTS, LATENCY, series=1).reason


def test_a_value_of_fewer_processes_may_scatter_more() -> None:
    metric = replace(LATENCY, tolerance=0.0)
    nights = [replace(night, trials=((night.value, None),) * 9) for night in NIGHTS]
    single = replace(run(0.0400), trials=((0.0400, None),))
    assert against_history(replace(single, trials=single.trials * 9), nights, metric, 1).outcome == "regressed"
    verdict = against_history(single, nights, metric, 1)
    assert verdict.outcome == "passed"
    assert "5.41 sigma of these runs" in verdict.reason  # three times 1.802: the root of nine


def test_history_leaves_out_and_counts_what_does_not_compare() -> None:
    other = run(5.0, fingerprint={"packages.torch": "2.14.0"}, run="old")
    verdict = against_history(run(0.038), [other, *NIGHTS, other], LATENCY, 1)
    assert verdict.outcome == "passed"
    assert verdict.reason.endswith("; 2 incomparable runs left out")
    assert verdict.source == "the median of 5 runs"


def test_history_says_what_differs_where_nothing_compares() -> None:
    old, older = (run(5.0, fingerprint={"packages.torch": v}, run=v) for v in ("2.14.0", "2.13.0"))
    verdict = against_history(run(0.038), [older, old], LATENCY, 1)
    assert verdict.outcome == "incomparable"
    assert verdict.reason == (
        "resnet18 latency: 38.00 ms, incomparable with run 2.14.0 5.000 s: "
        "packages.torch is unknown here and 2.14.0 there; 2 incomparable runs left out"
    )


@pytest.mark.parametrize("number", [0, 4])
def test_too_few_nights_are_no_baseline(number: int) -> None:
    verdict = against_history(run(0.038), NIGHTS[:number], LATENCY, 1)
    assert verdict.outcome == "no baseline"
    assert verdict.reason == (
        "resnet18 latency: 38.00 ms, no baseline: "
        f"5 comparable earlier runs are needed and there are {number}: run {5 - number} more"
    )
    assert against_history(run(10, MACS), [], MACS, 1).outcome == "no baseline"


def test_history_forgets_what_is_older_than_its_nights() -> None:
    old = [run(0.076, run=f"o{number}") for number in range(20)]
    assert against_history(run(0.038), [*old, *NIGHTS], LATENCY, 1, nights=5).outcome == "passed"
    assert against_history(run(0.038), [*old, *NIGHTS], LATENCY, 1).outcome == "improved"
    with pytest.raises(ValueError, match="expected at least 5 nights; got 4"):
        against_history(run(0.038), NIGHTS, LATENCY, 1, nights=4)


def test_a_night_that_raised_an_alarm_is_no_measure_of_later_ones() -> None:
    before = [run(value) for value in (0.99, 1.0, 1.01, 1.0, 1.0)]
    alarms = [run(1.5, alarmed=True)] * 30
    verdict = against_history(run(1.5), [*before, *alarms], LATENCY, series=1)
    assert verdict.outcome == "regressed"
    assert "from the median of 5 runs 1.000 s" in verdict.reason
    assert "30 alarming runs left out" in verdict.reason
    counted = [run(7, MACS), run(8, MACS, alarmed=True)]
    assert against_history(run(8, MACS), counted, MACS, series=1).outcome == "deviates"


def test_a_change_that_hides_in_coarse_noise_is_not_said_to_agree() -> None:
    scattered = [run(value) for value in (0.4, 1.0, 2.5, 0.5, 1.0, 2.0)]
    assert against_history(run(1.05), scattered, LATENCY, series=1).outcome == "passed", "within the tolerance"
    hidden = against_history(run(2.6), scattered, LATENCY, series=1)
    assert hidden.outcome == "inconclusive"
    assert "(+160.0 %)" in hidden.reason
    assert "beyond the tolerance, in runs that scatter too much to tell" in hidden.reason
    assert "sigma of these runs are" in hidden.reason


def test_promoting_a_night_of_an_alarm_accepts_its_level_from_the_first_such_night_on() -> None:
    nights = [run(1.0 + place / 100, run=f"r{place}", alarmed=place in (1, 4, 5, 6, 8)) for place in range(9)]
    kept = accepted(nights, run(1.05, run="r5"))
    assert [(point.run, point.alarmed) for point in kept] == [
        ("r4", False),
        ("r5", False),
        ("r6", True),  # not known to be at that level
        ("r7", False),
        ("r8", True),
    ]
    for promoted in (None, run(1.0, run="r0"), run(1.0, run="elsewhere")):
        assert accepted(nights, promoted) is nights
    merged = [replace(point, run=f"a{point.run} + {point.run}") for point in nights]
    assert [point.run for point in accepted(merged, run(1.05, run="r5"))] == [
        f"ar{place} + r{place}" for place in range(4, 9)
    ]


def test_a_count_is_compared_with_the_latest_run_alone() -> None:
    earlier = [run(11, MACS), run(10, MACS, run="r9", conditions=Conditions("cuda:0"))]
    assert against_history(run(10, MACS), earlier, MACS, 1000).outcome == "passed"
    assert "from run r9 10 MAC: 11 instead of 10" in against_history(run(11, MACS), earlier, MACS, 1000).reason


def test_normalised_nights_follow_the_reference_not_the_machine() -> None:
    # the machine's speed wanders by a third and the network with it
    speeds = (1.0, 1.3, 0.9, 1.1, 1.2, 1.0, 0.8)
    nights = [run(0.04 * v, trials=((0.04 * v, 0.01 * v),), run=str(n)) for n, v in enumerate(speeds)]
    slower = replace(nights[0], value=0.05, trials=((0.05, 0.011),))
    verdict = against_history(slower, nights, LATENCY, 1)
    assert verdict.outcome == "regressed"
    assert verdict.change == pytest.approx(0.05 / 0.011 / 4 - 1)
    assert "normalised by the reference workload (raw +25.0 %)" in verdict.reason


@pytest.mark.parametrize(("pace", "outcome"), [(0.0124, "passed"), (0.0126, "inconclusive"), (0.0079, "inconclusive")])
def test_a_machine_of_quite_another_pace_gives_no_verdict(pace: float, outcome: Outcome) -> None:
    """A network that waits takes as long on it; divided by the reference it would seem faster or slower."""
    before = run(0.04, trials=((0.04, 0.01),))
    ours = run(0.04 * pace / 0.01, trials=((0.04 * pace / 0.01, pace),))
    for verdict in (against_baseline(ours, before, LATENCY), against_history(ours, [before] * 5, LATENCY, 1)):
        assert verdict.outcome == outcome
        told = f"the reference workload took {pace * 1e3:.3g} ms here and 10 ms there"
        assert (told in verdict.reason) is (outcome == "inconclusive")


@pytest.mark.parametrize(
    ("value", "pace", "outcome"),
    # of 0.04 s at a pace of 0.01 s; divided by the reference: +54 %, -33 % and -23 %
    [(0.08, 0.013, "regressed"), (0.02, 0.0075, "improved"), (0.04, 0.013, "inconclusive")],
)
def test_a_verdict_that_raw_and_normalised_values_share_stands_at_any_pace(
    value: float, pace: float, outcome: Outcome
) -> None:
    before, ours = run(0.04, trials=((0.04, 0.01),)), run(value, trials=((value, pace),))
    for verdict in (against_baseline(ours, before, LATENCY), against_history(ours, [before] * 5, LATENCY, 1)):
        assert verdict.outcome == outcome
        told = f"the reference workload took {pace * 1e3:.3g} ms here and 10 ms there"
        assert told in verdict.reason
        shared = f"; {told}, and the raw value has the same verdict"
        assert verdict.reason.endswith(shared) is (outcome != "inconclusive")
        assert (verdict.change is None) is (outcome == "inconclusive")
    assert against_baseline(ours, before, LATENCY).reason.startswith(
        f"resnet18 latency: {value * 1e3:.2f} ms, {outcome} "
    )


PAIRS = (0.04, 0.05, 0.06, 0.07, 0.08)


@pytest.mark.parametrize(
    ("tolerance", "metric", "outcome"),
    [
        (0.03, LATENCY, "regressed"),
        (0.03, THROUGHPUT, "improved"),
        (0.05, LATENCY, "inconclusive"),
        (0.07, LATENCY, "passed"),
    ],
)
def test_pairs_are_judged_by_their_whole_range_when_five(tolerance: float, metric: Metric, outcome: Outcome) -> None:
    verdict = against_pairs(PAIRS, tolerance, metric, "resnet18 latency", "main")
    assert verdict.outcome == outcome
    assert verdict.change == math.expm1(0.06)
    assert (verdict.source, verdict.baseline) == ("main", "")


def test_pairs_say_their_interval_and_its_confidence() -> None:
    # exp of 0.04, 0.06 and 0.08; seen from 1.05 × exp(0.06 - 0.04) on
    assert against_pairs(PAIRS, 0.05, LATENCY, "resnet18 latency", "main").reason == (
        "resnet18 latency, inconclusive (+6.2 %) against main: more than 5.0 %, though not with its whole interval; "
        "the change lies between +4.1 % and +8.3 %; a change for the worse is seen from +7.1 % on; "
        "5 pairs, 93.75 % confidence"
    )


def test_without_tolerance_one_signing_of_five_pairs_in_32_regresses() -> None:
    signings = [
        [sign * size for sign, size in zip(signs, PAIRS, strict=True)] for signs in itertools.product((1, -1), repeat=5)
    ]
    outcomes = [against_pairs(each, 0.0, LATENCY, "ours", "theirs").outcome for each in signings]
    assert (outcomes.count("regressed"), outcomes.count("improved"), len(outcomes)) == (1, 1, 32)


@pytest.mark.parametrize("pairs", [[], [0.1] * 4])
def test_it_refuses_fewer_than_five_pairs(pairs: list[float]) -> None:
    with pytest.raises(ValueError, match=f"ours: expected at least 5 pairs; got {len(pairs)}: measure more"):
        against_pairs(pairs, 0.05, LATENCY, "ours", "theirs")
    assert not settled(pairs, 0.05, LATENCY)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_it_refuses_a_ratio_that_is_not_finite(wrong: float) -> None:
    with pytest.raises(ValueError, match="expected finite logarithms"):
        against_pairs([wrong] * 5, 0.05, LATENCY, "ours", "theirs")


@pytest.mark.parametrize(
    ("tolerance", "is_settled"), [(0.03, True), (0.05, False), (0.07, False), (0.08, False), (0.09, True)]
)
def test_pairs_are_settled_when_their_interval_is_on_one_side(tolerance: float, is_settled: bool) -> None:
    assert settled(PAIRS, tolerance, LATENCY) is is_settled
    assert settled([-ratio for ratio in PAIRS], tolerance, THROUGHPUT) is (is_settled or tolerance == 0.08)
    assert settled([-ratio for ratio in PAIRS], tolerance, LATENCY), "whether it is better is not asked"
    assert settled(PAIRS, tolerance, THROUGHPUT)


def test_a_count_needs_no_pairs_to_be_settled() -> None:
    assert settled([], 0.0, MACS)


def test_stopping_when_settled_does_not_call_unchanged_code_changed() -> None:
    # pairs that scatter by 4 %, looked at after each from the fifth to the thirtieth, tolerance 5 %
    generator = random.Random(5)
    wrong = 0
    for _ in range(300):
        pairs = [generator.gauss(0, 0.04) for _ in range(5)]
        while len(pairs) < 30 and not settled(pairs, 0.05, LATENCY):
            pairs.append(generator.gauss(0, 0.04))
        wrong += against_pairs(pairs, 0.05, LATENCY, "ours", "theirs").outcome != "passed"
    assert wrong <= 3


@given(st.lists(st.floats(-5, 5), min_size=5, max_size=12), st.sampled_from([LATENCY, THROUGHPUT]))
def test_swapping_the_sides_swaps_the_direction(pairs: list[float], metric: Metric) -> None:
    there = against_pairs(pairs, 0.0, metric, "ours", "theirs")
    back = against_pairs([-ratio for ratio in pairs], 0.0, metric, "theirs", "ours")
    assert {"regressed": "improved", "improved": "regressed"}.get(there.outcome, there.outcome) == back.outcome
    assert there.change is not None
    assert back.change is not None
    assert (1 + there.change) * (1 + back.change) == pytest.approx(1)


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=30), st.integers(1, 5000))
def test_whatever_the_history_there_is_a_sentence(values: list[float], series: int) -> None:
    ours, *earlier = [run(value, run=str(number)) for number, value in enumerate(values)]
    for verdict in (against_history(ours, earlier, LATENCY, series), against_baseline(ours, run(values[-1]), LATENCY)):
        assert verdict.reason.startswith("resnet18 latency: ")
        assert verdict.change is None or math.isfinite(verdict.change)
