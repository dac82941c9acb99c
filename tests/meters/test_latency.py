"""The time of a forward pass: networks really timed, under the conditions asked for."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest
import torch
from measured_networks import Sleeps
from torch import Tensor, nn

from pytest_archbench.meters.latency import Side, Stopwatch, latency
from pytest_archbench.meters.timing import BURST, FEWEST, FEWEST_PLACES, SHORTEST_WARM_UP
from pytest_archbench.records import Architecture, Conditions, Reading, Settings


def timed(architecture: Architecture, conditions: Conditions, asked: Settings) -> tuple[Reading, Reading]:
    """Latency and throughput, both measured."""
    readings = latency(architecture, conditions, asked)
    times, rates = readings["latency"], readings["throughput"]
    assert isinstance(times, Reading)
    assert isinstance(rates, Reading)
    return times, rates


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_it_times_a_network_that_sleeps() -> None:
    times, rates = timed(
        Architecture("sleeps", "test", Sleeps, (3, 4, 4)), Conditions("cpu", batch_size=8), Settings(time_budget=0.2)
    )
    assert 0.005 <= statistics.median(times.samples) < 0.015
    assert rates.samples == tuple(8 / seconds for seconds in times.samples)
    assert times.input_shape == [3, 4, 4]
    assert times.notes[0].endswith(" warm-up passes, steady")
    assert times.notes[1].startswith("median known to ±")


@pytest.mark.usefixtures("one_thread")
def test_it_knows_what_the_machine_did_meanwhile() -> None:
    times, rates = timed(
        Architecture("sleeps", "test", Sleeps, (3, 4, 4)), Conditions("cpu"), Settings(time_budget=0.6)
    )
    # A burst of 5 ms passes is of ten at most; the reference runs after each.
    assert len(times.reference) >= max(FEWEST_PLACES, len(times.samples) / (BURST / 0.005))
    assert all(seconds > 0 for seconds in times.reference)
    assert times.machine["wall"] == pytest.approx(sum(times.samples) + 2 * sum(times.reference), rel=0.5)
    assert (rates.reference, rates.machine, rates.disturbed) == (times.reference, times.machine, times.disturbed)


@pytest.mark.usefixtures("one_thread")
def test_processes_share_the_time_budget() -> None:
    asked = Architecture("sleeps", "test", Sleeps, (3, 4, 4)), Conditions("cpu")
    walls = []
    for processes in (1, 10):
        settings = Settings(time_budget=1.0, precision=1e-9, processes=processes)
        walls.append(timed(*asked, settings)[0].machine["wall"])
    alone, shared = walls
    assert alone is not None
    assert shared is not None
    assert shared < alone / 2


class Places(nn.Module):
    """Tells where its tensors lie."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4096, 1, bias=False)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(4096))
        self.tied = self.layer.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x - self.mean)
        return out

    def places(self) -> tuple[int, int]:
        return self.layer.weight.data_ptr(), self.mean.data_ptr()


@pytest.mark.usefixtures("one_thread")
def test_a_side_moves_without_changing_what_it_computes() -> None:
    watch = Stopwatch(Architecture("places", "test", Places, (4096,)), Conditions("cpu"))
    with torch.inference_mode():
        side = Side(watch, 0.05)
        model = watch.ready.model
        assert isinstance(model, Places)
        before, answer, fed = model.places(), watch.ready.forward(), watch.ready.args[0].data_ptr()
        side.move()
        after = model.places()
        assert torch.equal(watch.ready.forward(), answer)
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert watch.ready.args[0].data_ptr() != fed
    assert watch.ready.model is model
    assert model.tied is model.layer.weight
    assert 0 < side.pace < 1
    taken = side.burst(7)
    assert len(taken) == 7
    assert all(seconds > 0 for seconds in taken)


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
    readings = timed(Architecture("witness", "test", Witness, (4,)), conditions, Settings(time_budget=0.01))
    assert {reading.dtype for reading in readings} == {"float64"}  # the network's own
    assert set(seen) == {(True, False, 2, torch.Size([3, 4]), torch.float64)}
    assert len(seen) >= SHORTEST_WARM_UP + FEWEST


def test_weights_are_the_same_each_time() -> None:
    from pytest_archbench.meters.running import prepare

    architecture = Architecture("net", "test", lambda: nn.Linear(4, 2), (4,))
    first, second = (prepare(architecture, Conditions("cpu")).model for _ in range(2))
    assert torch.equal(first.state_dict()["weight"], second.state_dict()["weight"])
    assert not any(parameter.requires_grad for parameter in first.parameters())


def test_lazy_layers_learn_their_shapes_first() -> None:
    architecture = Architecture("lazy", "test", lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(2)), (3, 4))
    assert timed(architecture, Conditions("cpu"), Settings(time_budget=0.01))[0].input_shape == [3, 4]
