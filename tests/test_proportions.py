"""Proportions against numbers worked by hand, against simulation, and on whatever text there is."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.proportions import (
    Pairs,
    Range,
    discordant,
    evidence,
    mcnemar,
    pack,
    right,
    sequence,
    unpack,
    wilson,
)
from pytest_archbench.protocols import Outcomes


def outcomes(bits: str) -> Outcomes:
    """Those of the first images of a hundred, ``"1"`` for each that the network got right."""
    return Outcomes("set", len(bits), 100, pack([bit == "1" for bit in bits]))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # (k + z²/2 ± z sqrt(k (n - k) / n + z²/4)) / (n + z²), z = 1.959964
        (8, 10, 0.490162, 0.943318),
        (0, 10, 0.0, 0.277533),  # z² / (n + z²) = 3.841459 / 13.841459
        (10, 10, 0.722467, 1.0),
        (1, 2, 0.094531, 0.905469),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_is_that_of_the_score_test(successes: int, trials: int, low: float, high: float) -> None:
    found = wilson(successes, trials)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    assert found.confidence == 0.95
    assert found.half_width == pytest.approx((high - low) / 2, abs=1e-6)


@pytest.mark.parametrize(("successes", "trials", "confidence"), [(11, 10, 0.95), (-1, 10, 0.95), (1, 2, 1.0)])
def test_it_refuses_what_is_no_proportion(successes: int, trials: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"wilson: .*expected .* got"):
        wilson(successes, trials, confidence)


@pytest.mark.parametrize(
    ("only_ours", "only_theirs", "chance"),
    [
        (10, 2, 2 * (1 + 12 + 66) / 2**12),
        (2, 10, 2 * (1 + 12 + 66) / 2**12),
        (8, 0, 2 / 2**8),
        (0, 7, 2 / 2**7),
        (3, 4, 1.0),
        (5, 5, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_paired_test_is_that_of_a_fair_coin(only_ours: int, only_theirs: int, chance: float) -> None:
    assert mcnemar(only_ours, only_theirs) == pytest.approx(chance, rel=1e-14)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_paired_test_is_exact(only_ours: int, only_theirs: int) -> None:
    n, fewer = only_ours + only_theirs, min(only_ours, only_theirs)
    exact = Fraction(2 * sum(math.comb(n, k) for k in range(fewer + 1)), 2**n)
    assert mcnemar(only_ours, only_theirs) == pytest.approx(float(min(exact, Fraction(1))), rel=1e-12)


def test_the_paired_test_takes_all_images_of_a_large_set() -> None:
    # normal with continuity: z = (|b - c| - 1) / sqrt(b + c) = 1.78438; twice its tail is 0.07436
    assert mcnemar(25200, 24800) == pytest.approx(math.erfc(399 / math.sqrt(50000) / math.sqrt(2)), rel=1e-3)
    assert mcnemar(0, 50000) == 0.0
    with pytest.raises(ValueError, match="expected numbers of images; got -1 and 3"):
        mcnemar(-1, 3)


def test_evidence_is_worked_by_hand() -> None:
    # one success: the mixture gives it B(3/2, 1/2) / B(1/2, 1/2) = 1/2; two of two 3/8; a success and a failure 1/8
    assert evidence(0.25, 1, 1) == pytest.approx(math.log(1 / 2 / 0.25))
    assert evidence(0.5, 2, 2) == pytest.approx(math.log(3 / 8 / 0.25))
    assert evidence(0.5, 1, 2) == pytest.approx(math.log(1 / 8 / 0.25))
    assert evidence(0.0, 1, 2) == evidence(1.0, 1, 2) == math.inf
    # drawn from four of which two succeed: two successes have 2/4 × 1/3, one and a failure 2/4 × 2/3
    assert evidence(0.5, 2, 2, total=4) == pytest.approx(math.log(3 / 8 * 6))
    assert evidence(0.5, 1, 2, total=4) == pytest.approx(math.log(1 / 8 * 3))
    assert evidence(0.25, 2, 2, total=4) == math.inf


@pytest.mark.parametrize("total", [0, 2000])
@pytest.mark.parametrize(("successes", "trials"), [(3, 10), (76, 100), (700, 1000)])
def test_a_sequences_ends_are_where_the_evidence_is_one_over_the_risk(successes: int, trials: int, total: int) -> None:
    found = sequence(successes, trials, 0.05, total)
    assert found.low < successes / trials < found.high
    for end in (found.low, found.high):
        assert evidence(end, successes, trials, total) == pytest.approx(math.log(20), rel=1e-9)


def test_a_sequence_reaches_its_border_where_all_or_nothing_succeeded() -> None:
    assert sequence(0, 0, 0.05) == Range(0.0, 1.0, 0.95)
    assert sequence(0, 50, 0.05).low == 0.0
    assert sequence(50, 50, 0.05).high == 1.0


def test_images_that_are_left_bound_the_share() -> None:
    assert sequence(7, 10, 0.05, 10) == Range(0.7, 0.7, 0.95)
    nearly = sequence(69, 99, 0.05, 100)
    assert (nearly.low, nearly.high) == (0.69, 0.7)
    few, many = sequence(76, 100, 0.01, 50000), sequence(38000, 49000, 0.01, 50000)
    assert few.half_width == pytest.approx(sequence(76, 100, 0.01).half_width, rel=0.01)
    assert many.half_width < 0.2 * sequence(38000, 49000, 0.01).half_width


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 2, 0.05, 0), "expected 0 to 2 successes of 2 trials; got 3"),
        ((1, 2, 0.0, 0), "risk: expected a share between 0 and 1; got 0"),
        ((1, 20, 0.1, 10), "expected at most 10 trials"),
    ],
)
def test_a_sequence_refuses_what_cannot_be(arguments: tuple[int, int, float, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sequence(*arguments)


def tossed(generator: random.Random, share: float, images: int) -> list[bool]:
    return [generator.random() < share for _ in range(images)]


def drawn(generator: random.Random, share: float, images: int) -> list[bool]:
    return generator.sample([number < share * images for number in range(images)], images)


@pytest.mark.parametrize("share", [0.02, 0.76])
@pytest.mark.parametrize(("draw", "total"), [(tossed, 0), (drawn, 0), (drawn, 600)])
def test_looking_after_every_image_misses_the_true_share_no_more_often_than_the_risk(
    share: float, draw: Callable[[random.Random, float, int], list[bool]], total: int
) -> None:
    # 400 sets of 600 images at a risk of 0.1: at most 40 may ever be missed, and 3 sigma of that are 18
    generator, missed = random.Random(5), 0
    for _ in range(400):
        successes = 0
        for trials, success in enumerate(draw(generator, share, 600), start=1):
            successes += success
            if evidence(share, successes, trials, total) >= math.log(10):
                missed += 1
                break
    assert 0 < missed <= 40


def test_looking_after_every_image_at_the_interval_for_one_look_misses_far_more_often() -> None:
    generator, missed = random.Random(5), 0
    for _ in range(100):
        successes = 0
        for trials, success in enumerate(tossed(generator, 0.76, 600), start=1):
            successes += success
            found = wilson(successes, trials, 0.9)
            if not found.low <= 0.76 <= found.high:
                missed += 1
                break
    assert missed > 40


def test_the_first_image_is_the_highest_bit() -> None:
    assert pack([True]) == "gA=="  # 0x80
    assert pack([False] * 7 + [True, True]) == "AYA="  # 0x01 0x80
    assert pack([]) == ""
    assert unpack("gA==", 1) == [True]
    assert unpack("AYA=", 9) == [False] * 7 + [True, True]


@given(st.lists(st.booleans(), max_size=300))
def test_what_is_packed_comes_back(bits: list[bool]) -> None:
    assert unpack(pack(bits), len(bits)) == bits
    assert right(Outcomes("set", len(bits), 300, pack(bits))) == sum(bits)


@given(st.text(max_size=40), st.integers(-3, 100))
def test_whatever_text_there_is_is_refused_in_a_sentence_or_read(text: str, count: int) -> None:
    said = ""
    try:
        bits = unpack(text, count)
    except ValueError as error:
        said = str(error)
    if said:
        assert said.startswith("outcomes")
        assert "expected" in said
    else:
        assert len(bits) == count


@pytest.mark.parametrize(
    ("text", "count", "message"),
    [
        ("gA==", 9, "outcomes of 9 images: expected 2 bytes in base64; got 1"),
        ("gA==", 0, "expected 0 bytes"),
        ("gA=", 1, "expected base64"),
        ("g*A==", 1, "expected base64"),
        ("é", 1, "expected base64"),
        ("wA==", 1, "expected 0 in the last 7 bits; got 11000000"),
        ("", -1, "expected a number of images; got -1"),
    ],
)
def test_it_refuses_text_that_it_cannot_have_written(text: str, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unpack(text, count)


def test_only_common_images_are_paired() -> None:
    pairs = discordant(outcomes("1100110101"), outcomes("10101101"))
    # the first eight: both right at 1, 5, 6, 8; only ours at 2; only theirs at 3
    assert pairs == Pairs(only_ours=1, only_theirs=1, both=4, images=8)
    assert discordant(outcomes("10101101"), outcomes("1100110101")) == pairs
    assert (pairs.ours, pairs.theirs, pairs.difference) == (5 / 8, 5 / 8, 0.0)


@given(st.text("01", min_size=1, max_size=60), st.text("01", min_size=1, max_size=60))
def test_pairs_are_those_of_counting_one_by_one(ours: str, theirs: str) -> None:
    couples = list(zip(ours, theirs, strict=False))
    only_ours, only_theirs, both = (couples.count(couple) for couple in (("1", "0"), ("0", "1"), ("1", "1")))
    assert discordant(outcomes(ours), outcomes(theirs)) == Pairs(only_ours, only_theirs, both, len(couples))
