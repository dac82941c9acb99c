"""Timing: the sampling under a clock that is only pretended, and one network really timed."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterator

import pytest
import torch
from measured_networks import Sleeps
from torch import Tensor, nn

from pytest_archbench.meters.latency import (
    FEWEST,
    FEWEST_SLOW,
    LONGEST_WARM_UP,
    MOST,
    SHORTEST_WARM_UP,
    latency,
    sample,
)
from pytest_archbench.records import Architecture, Conditions, Settings
from pytest_archbench.stats import relative_error

WINDOWS = 6
"""Passes that warm-up takes at least: two windows of three."""


class Machine:
    """A pretended machine: each pass takes what ``duration(pass number)`` says, and nothing else takes time."""

    def __init__(self, duration: Callable[[int], float]) -> None:
        self.duration = duration
        self.now = 1000.0
        self.passes = 0

    def forward(self) -> None:
        self.now += self.duration(self.passes)
        self.passes += 1

    def clock(self) -> float:
        return self.now


def noisy(seed: int, spread: float, middle: float = 0.01) -> Callable[[int], float]:
    generator = random.Random(seed)
    return lambda _pass: middle * generator.lognormvariate(0, spread)


def test_a_constant_time_needs_the_fewest_samples() -> None:
    machine = Machine(lambda _pass: 2**-7)
    timed = sample(machine.forward, budget=10, precision=0.01, clock=machine.clock)
    assert (timed.samples, timed.warm_up) == ((2**-7,) * FEWEST, (2**-7,) * WINDOWS)
    assert (timed.steady, timed.error) == (True, 0)


def test_warm_up_lasts_until_the_time_is_steady() -> None:
    machine = Machine(lambda number: [8, 4, 2][number] if number < 3 else 1)
    timed = sample(machine.forward, budget=100, precision=0.01, clock=machine.clock)
    assert timed.warm_up == (8, 4, 2, 1, 1, 1, 1, 1)
    assert timed.steady
    assert set(timed.samples) == {1}


def test_warm_up_ends_with_its_budget_and_says_that_it_was_not_steady() -> None:
    machine = Machine(lambda number: 0.01 * 2 ** (number / 2))
    timed = sample(machine.forward, budget=1, precision=0.01, clock=machine.clock)
    assert not timed.steady
    assert sum(timed.warm_up[:-1]) < 1 <= sum(timed.warm_up)


def test_warm_up_has_an_end_even_without_time() -> None:
    machine = Machine(lambda number: 1e-6 * 2 ** (number % 20))
    timed = sample(machine.forward, budget=math.inf, precision=0.9, clock=machine.clock)
    assert (len(timed.warm_up), timed.steady) == (LONGEST_WARM_UP, False)


@pytest.mark.parametrize("seed", range(5))
def test_it_stops_when_the_median_is_precise(seed: int) -> None:
    machine = Machine(noisy(seed, spread=0.05))
    timed = sample(machine.forward, budget=100, precision=0.01, clock=machine.clock)
    assert timed.error == relative_error(timed.samples) <= 0.01
    assert FEWEST < len(timed.samples) < 500
    assert statistics.median(timed.samples) == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_a_better_precision_takes_more_samples(seed: int) -> None:
    taken = []
    for precision in (0.05, 0.02, 0.005):
        machine = Machine(noisy(seed, spread=0.1))
        taken.append(len(sample(machine.forward, 1000, precision, machine.clock).samples))
    assert taken == sorted(taken)
    assert taken[0] < taken[-1]


@pytest.mark.parametrize("seed", range(5))
def test_it_stops_when_the_budget_is_spent(seed: int) -> None:
    machine = Machine(noisy(seed, spread=0.5))
    timed = sample(machine.forward, budget=2, precision=1e-6, clock=machine.clock)
    assert sum(timed.samples[:-1]) < 2 <= sum(timed.samples) + 1e-9
    assert timed.error > 1e-6


def test_a_slow_pass_gets_the_fewest_slow_samples() -> None:
    machine = Machine(noisy(1, spread=0.01, middle=5.0))
    timed = sample(machine.forward, budget=2, precision=0.01, clock=machine.clock)
    assert (len(timed.warm_up), len(timed.samples)) == (SHORTEST_WARM_UP, FEWEST_SLOW)
    assert timed.error == math.inf  # five samples say too little


def test_a_pass_of_a_fraction_of_the_budget_gets_the_fewest_all_the_same() -> None:
    machine = Machine(noisy(1, spread=0.1, middle=0.4))
    assert len(sample(machine.forward, 2, 0.001, machine.clock).samples) == FEWEST


def test_there_is_a_most() -> None:
    machine = Machine(noisy(1, spread=0.5, middle=1e-6))
    assert len(sample(machine.forward, math.inf, 1e-9, machine.clock).samples) == MOST


def test_samples_stand_in_the_order_taken() -> None:
    machine = Machine(lambda number: 1 + number / 1000)
    timed = sample(machine.forward, budget=15, precision=1e-9, clock=machine.clock)
    taken = [*timed.warm_up, *timed.samples]
    assert taken == pytest.approx([1 + number / 1000 for number in range(len(taken))])


def test_what_a_network_raises_is_not_hidden() -> None:
    def broken() -> None:
        raise LookupError("no such head")

    with pytest.raises(LookupError, match="no such head"):
        sample(broken, 1, 0.01)


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_it_times_a_network_that_sleeps() -> None:
    readings = latency(
        Architecture("sleeps", "test", Sleeps, (3, 4, 4)), Conditions("cpu", batch_size=8), Settings(time_budget=0.2)
    )
    times, rates = readings["latency"], readings["throughput"]
    assert 0.005 <= statistics.median(times.samples) < 0.015
    assert rates.samples == tuple(8 / seconds for seconds in times.samples)
    assert times.input_shape == [3, 4, 4]
    assert times.notes[0].endswith(" warm-up passes, steady")
    assert times.notes[1].startswith("median known to ±")


@pytest.mark.usefixtures("one_thread")
def test_it_times_under_the_conditions_asked_for() -> None:
    seen = []

    class Witness(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2, dtype=torch.float64)

        def forward(self, x: Tensor) -> Tensor:
            seen.append((torch.is_inference_mode_enabled(), self.training, torch.get_num_threads(), x.shape, x.dtype))
            out: Tensor = self.layer(x)
            return out

    conditions = Conditions("cpu", batch_size=3, threads=2)
    readings = latency(Architecture("witness", "test", Witness, (4,)), conditions, Settings(time_budget=0.01))
    assert {reading.dtype for reading in readings.values()} == {"float64"}  # the network's own
    assert set(seen) == {(True, False, 2, torch.Size([3, 4]), torch.float64)}
    assert len(seen) >= WINDOWS + FEWEST_SLOW


def test_weights_are_the_same_each_time() -> None:
    from pytest_archbench.meters.running import prepare

    architecture = Architecture("net", "test", lambda: nn.Linear(4, 2), (4,))
    first, second = (prepare(architecture, Conditions("cpu")).model for _ in range(2))
    assert torch.equal(first.state_dict()["weight"], second.state_dict()["weight"])
    assert not any(parameter.requires_grad for parameter in first.parameters())


def test_lazy_layers_learn_their_shapes_first() -> None:
    architecture = Architecture("lazy", "test", lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(2)), (3, 4))
    assert latency(architecture, Conditions("cpu"), Settings(time_budget=0.01))["latency"].input_shape == [3, 4]
