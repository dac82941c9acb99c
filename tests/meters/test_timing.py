"""Sampling under a clock that is only pretended: what is run, in which order, and when it is enough."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench.meters.timing import (
    BURST,
    BURSTS_PER_PLACE,
    FEWEST,
    FEWEST_PLACES,
    FEWEST_SLOW,
    LARGEST_BURST,
    LONGEST_WARM_UP,
    MOST,
    SHORTEST_WARM_UP,
    Round,
    Timed,
    burst,
    burst_size,
    round_of,
    sample,
    warm_up,
)
from pytest_archbench.stats import relative_error

WINDOWS = 6
"""Passes that warm-up takes at least where it has the time: two windows of three."""
TICK = 2.0**-7
"""Seconds that sums of floats keep exactly."""
FEWEST_BURSTS = (FEWEST_PLACES - 1) * BURSTS_PER_PLACE + 1


@dataclass
class Machine:
    """A pretended machine: each pass takes what ``duration(pass number)`` says, a move and the reference what is said.

    ``events`` are what was asked of it, with the time when each had ended.
    """

    duration: Callable[[int], float]
    reference_takes: float = 0.0
    move_takes: float = 0.0
    now: float = 1024.0
    passes: int = 0
    events: list[tuple[str, float]] = field(default_factory=list)

    def _spend(self, kind: str, seconds: float) -> None:
        self.now += seconds
        self.events.append((kind, self.now))

    def lap(self) -> float:
        start = self.now
        self._spend("pass", self.duration(self.passes))
        self.passes += 1
        return self.now - start

    def reference(self) -> None:
        self._spend("reference", self.reference_takes)

    def move(self) -> None:
        self._spend("move", self.move_takes)

    def clock(self) -> float:
        return self.now

    def sample(self, budget: float, precision: float) -> Timed:
        return sample(self, budget, precision, self.clock)

    @property
    def story(self) -> list[tuple[str, int]]:
        """What was asked of it, with how often in a row."""
        return [(kind, len(list(group))) for kind, group in itertools.groupby(kind for kind, _ in self.events)]


def noisy(seed: int, spread: float, middle: float = 0.01) -> Callable[[int], float]:
    generator = random.Random(seed)
    return lambda _pass: middle * generator.lognormvariate(0, spread)


def test_a_constant_time_needs_the_fewest_places() -> None:
    machine = Machine(lambda _pass: TICK)
    timed = machine.sample(budget=10, precision=0.01)
    assert timed == Timed((TICK,) * 7 * 9, (0.0,) * 9, (TICK,) * WINDOWS, steady=True, error=0)
    place = [("pass", 8), ("reference", 2)] * 4  # 7 passes of 2^-7 s are the first to last 0.05 s
    there = [("move", 1), ("pass", 9), ("reference", 2), *place[2:]]  # a move is followed by a pass of its own
    assert machine.story == [("pass", 6 + 8), *place[1:], *there, *there[:3]]


def test_passes_as_long_as_a_burst_are_taken_one_by_one() -> None:
    machine = Machine(lambda _pass: 0.0625, reference_takes=TICK)
    timed = machine.sample(budget=10, precision=0.01)
    assert (len(timed.samples), timed.reference) == (FEWEST, (TICK,) * FEWEST)
    assert machine.story == [
        *[("pass", 6 + 1), ("reference", 2), *[("pass", 1), ("reference", 2)] * 3],
        *[("move", 1), ("pass", 2), ("reference", 2), *[("pass", 1), ("reference", 2)] * 3],
        *[("move", 1), ("pass", 2), ("reference", 2), ("pass", 1), ("reference", 2)],
    ]


@pytest.mark.parametrize(
    ("pace", "size"), [(0.0, LARGEST_BURST), (1e-9, LARGEST_BURST), (0.0005, 100), (0.02, 3), (BURST, 1), (60.0, 1)]
)
def test_a_burst_is_as_long_as_the_machine_keeps_its_pace(pace: float, size: int) -> None:
    assert burst_size(pace) == size


def test_short_passes_fill_the_caches_first() -> None:
    machine = Machine(lambda number: [4.0, 2.0, 1.0][number])
    assert burst(machine, 2) == [2.0, 1.0]
    machine = Machine(lambda number: [4.0, 2.0][number])
    assert burst(machine, 1) == [4.0], "a long pass fills its own"


def test_warm_up_lasts_until_the_time_is_steady() -> None:
    machine = Machine(lambda number: [8, 4, 2][number] if number < 3 else 1)
    timed = machine.sample(budget=100, precision=0.01)
    assert timed.warm_up == (8, 4, 2, 1, 1, 1, 1, 1)
    assert timed.steady
    assert set(timed.samples) == {1}


def test_warm_up_ends_with_its_budget_and_says_that_it_was_not_steady() -> None:
    machine = Machine(lambda number: 0.01 * 2 ** (min(number, 12) / 2))
    timed = machine.sample(budget=1, precision=0.01)
    assert not timed.steady
    assert sum(timed.warm_up[:-1]) < 1 <= sum(timed.warm_up)


def test_warm_up_has_an_end_even_without_time() -> None:
    machine = Machine(lambda number: 1e-6 * 2 ** (number % 20))
    assert len(warm_up(machine, math.inf, machine.clock)) == LONGEST_WARM_UP


@pytest.mark.parametrize("seed", range(5))
def test_it_stops_when_the_median_is_precise(seed: int) -> None:
    machine = Machine(noisy(seed, spread=0.05))
    timed = machine.sample(budget=100, precision=0.01)
    assert timed.error == relative_error(timed.samples) <= 0.01
    assert FEWEST < len(timed.samples) < 500
    assert statistics.median(timed.samples) == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_a_better_precision_takes_more_samples(seed: int) -> None:
    taken = [
        len(Machine(noisy(seed, spread=0.1)).sample(budget=1000, precision=precision).samples)
        for precision in (0.05, 0.02, 0.005)
    ]
    assert taken == sorted(taken)
    assert taken[0] < taken[-1]


@pytest.mark.parametrize("seed", range(5))
def test_it_stops_when_the_budget_is_spent(seed: int) -> None:
    machine = Machine(noisy(seed, spread=0.5), reference_takes=0.005)
    timed = machine.sample(budget=2, precision=1e-6)
    start = 1024 + sum(timed.warm_up)
    ends = [time for kind, time in machine.events if kind == "reference"][1::2]
    assert ends[-2] - start < 2 <= ends[-1] - start
    assert timed.error > 1e-6


def test_a_slow_pass_gets_the_fewest_slow_samples() -> None:
    machine = Machine(noisy(1, spread=0.01, middle=5.0))
    timed = machine.sample(budget=2, precision=0.01)
    assert (len(timed.warm_up), len(timed.samples), len(timed.reference)) == (SHORTEST_WARM_UP, *[FEWEST_SLOW] * 2)
    assert timed.error == math.inf  # five samples say too little


def test_a_pass_of_a_fraction_of_the_budget_gets_the_fewest_all_the_same() -> None:
    timed = Machine(noisy(1, spread=0.1, middle=0.4)).sample(budget=2, precision=0.001)
    assert len(timed.samples) == FEWEST


def test_there_is_a_most() -> None:
    timed = Machine(noisy(1, spread=0.5, middle=1e-6)).sample(budget=math.inf, precision=1e-9)
    assert MOST <= len(timed.samples) < MOST + LARGEST_BURST


def test_no_precision_is_believed_before_the_fewest_places() -> None:
    """Every place has its own bias, and within one the times are the same."""
    machine = Machine(lambda _pass: 0.0)
    machine.duration = lambda _pass: 2.0**-4 * (1 + [each for each, _ in machine.events].count("move") / 8)
    timed = machine.sample(budget=100, precision=0.5)
    assert set(timed.samples) == {2.0**-4, 2.0**-4 * 1.125, 2.0**-4 * 1.25}


def test_the_reference_goes_with_a_pace_that_drifts() -> None:
    """A machine that grows ten times slower meanwhile: each burst keeps its ratio to the reference after it."""
    machine = Machine(lambda _pass: 0.0)

    def slowed(seconds: float) -> float:
        return seconds * (1 + (machine.now - 1024) / 2)

    machine.duration = lambda _pass: slowed(0.01)
    machine.reference = lambda: machine._spend("reference", slowed(0.005))  # type: ignore[method-assign]
    timed = machine.sample(budget=18, precision=1e-9)
    size = len(timed.samples) // len(timed.reference)
    bursts = [timed.samples[at : at + size] for at in range(0, len(timed.samples), size)]
    ratios = [statistics.median(each) / then for each, then in zip(bursts, timed.reference, strict=True)]
    assert timed.reference[-1] > 5 * timed.reference[0]
    assert all(1.85 < ratio < 2 for ratio in ratios)


def test_what_a_network_raises_is_not_hidden() -> None:
    def broken(_pass: int) -> float:
        raise LookupError("no such head")

    with pytest.raises(LookupError, match="no such head"):
        Machine(broken).sample(1, 0.01)


UNIT, NUMBERS = 2.0**-30, 2**14
"""A duration is a whole number of units, which floats add exactly; its remainder is the number of its pass."""


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 2**13), min_size=1, max_size=40),
    reference=st.integers(0, 2**12),
    moving=st.integers(0, 2**14),
    budget=st.integers(0, 2**8),
    precision=st.floats(1e-6, 0.9),
)
def test_whatever_passes_take_it_ends_soon_after_its_budget(
    lengths: list[int], reference: int, moving: int, budget: int, precision: float
) -> None:
    """Up to half a second a pass, and four for all."""
    machine = Machine(
        lambda number: (lengths[number % len(lengths)] * NUMBERS // 16 + number % NUMBERS) * UNIT,
        reference * NUMBERS * UNIT,
        moving * NUMBERS * UNIT,
        now=0.0,
    )
    seconds = budget / 64
    timed = machine.sample(seconds, precision)

    bursts, kinds = len(timed.reference), Counter(kind for kind, _ in machine.events)
    size = len(timed.samples) // bursts
    assert len(timed.samples) == size * bursts
    assert kinds["reference"] == 2 * bursts, "one to fill the caches, one timed, after each burst"
    assert kinds["move"] == (bursts - 1) // BURSTS_PER_PLACE
    assert kinds["pass"] == len(timed.warm_up) + bursts * (size + (size > 1)) + kinds["move"]

    taken = [*timed.warm_up, *timed.samples]
    numbers = [int(each / UNIT) for each in taken]
    expected = [lengths[number % len(lengths)] * NUMBERS // 16 + number for number in range(machine.passes)]
    position = iter(expected)
    assert all(number in position for number in numbers), "a subsequence: every sample is a pass, in the order taken"

    fewest = FEWEST if statistics.median(timed.warm_up[-3:]) * FEWEST <= 3 * seconds else FEWEST_SLOW
    ends = [sum(timed.warm_up), *[time for kind, time in machine.events if kind == "reference"][1::2]]
    began_last = ends[-2] - ends[0]
    assert began_last < seconds or size * (bursts - 1) < fewest, (
        "after its budget it begins a burst for the fewest alone"
    )
    assert len(timed.samples) >= fewest
    if ends[-1] - ends[0] < seconds and len(timed.samples) < MOST:
        assert timed.error <= precision
        assert bursts >= FEWEST_BURSTS


@dataclass
class Pretended:
    """A side of a comparison whose bursts take what the place in the common order says."""

    name: str
    pace: float
    said: list[str]
    time_at: Callable[[int], float] = lambda _turn: 1.0

    def move(self) -> None:
        self.said.append(f"{self.name} moves")

    def burst(self, size: int) -> Sequence[float]:
        turn = sum("moves" not in each for each in self.said)
        self.said.append(f"{self.name} {size}")
        return [self.time_at(turn)] * size


def test_a_round_takes_both_sides_in_turn_at_new_places() -> None:
    said: list[str] = []
    found = round_of(Pretended("a", 0.01, said), Pretended("b", 0.02, said))
    # The slower side fills a burst with three passes of 20 ms, and both run as often.
    assert said == ["a moves", "b moves", "a 3", "b 3", "b 3", "a 3", "a 3", "b 3", "b 3", "a 3"]
    assert (len(found.ours), len(found.theirs)) == (12, 12)


@given(st.floats(-0.1, 0.1))
def test_a_steady_drift_meets_both_sides_nearly_alike(slope: float) -> None:
    said: list[str] = []

    def drifting(turn: int) -> float:
        return 1 + slope * turn

    found = round_of(Pretended("a", 1.0, said, drifting), Pretended("b", 1.0, said, drifting))
    # Ours at turns 0, 3, 4, 7 and theirs at 1, 2, 5, 6: the means agree, the lower quartiles differ by half a turn.
    assert statistics.mean(found.ours) == pytest.approx(statistics.mean(found.theirs), rel=1e-12)
    half_a_turn = abs(slope) / 2 / min(found.ours + found.theirs)
    assert abs(found.log_ratio) <= half_a_turn + 1e-12


def test_the_ratio_of_a_round_is_that_of_the_lower_quartiles() -> None:
    assert Round((2.0, 4.0, 90.0), (1.0, 2.0, 2.0)).log_ratio == pytest.approx(math.log(3 / 1.5))
    assert Round((1.0,), (4.0,)).log_ratio == pytest.approx(-2 * math.log(2))
    assert Round((3.0, 1.0), (1.0, 3.0)).log_ratio == 0
    calm, with_a_neighbour = (1.0,) * 8, (1.0,) * 4 + (9.0,) * 4
    assert Round(calm, with_a_neighbour).log_ratio == 0, "what only adds time to half of the passes moves nothing"
