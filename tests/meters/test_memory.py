"""Peak memory: known allocations are found to the byte, in the process that measures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from measured_networks import MIB, Keeps, Raises, Takes
from torchvision.models import resnet18

from pytest_archbench.meters import CannotMeasure, memory
from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Settings
from pytest_archbench.runner import Job, Worker, measurement

INPUT_BYTES = 4 * 1024
WEIGHT_BYTES = 8


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A measuring process of these tests alone: allocations need no device to themselves."""
    working = Worker()
    yield working
    working.stop()


def measured(worker: Worker, build: Callable[[], Any], shape: tuple[int, ...], batch: int = 1) -> Measurement:
    case = Case(Architecture("net", "test", build, shape), "peak_memory", Conditions("cpu", batch, shape))
    answer = worker.ask(Job("memory", case.architecture, case.conditions, Settings()), timeout=120)
    found = measurement(case, answer)
    assert found.status == "ok", found.message
    return found


def growth(found: Measurement) -> int:
    """The growth (B) of the second pass, as the note says it."""
    return int(found.notes[1].removesuffix(" B growth"))


@pytest.mark.parametrize(
    ("sizes", "at_once", "peak"),
    [((), False, 0), ((32,), False, 32), ((8, 24, 16), True, 48), ((8, 24, 16), False, 24), ((1,), False, 1)],
)
def test_it_finds_what_is_known(worker: Worker, sizes: tuple[int, ...], at_once: bool, peak: int) -> None:
    found = measured(worker, Takes(sizes, at_once), (1024,))
    standing = WEIGHT_BYTES + INPUT_BYTES
    assert found.notes[0] == f"{standing} B weights, buffers and input"
    assert growth(found) == pytest.approx(peak * MIB, rel=0.02)
    assert found.value == standing + growth(found)
    assert (found.unit, found.conditions.input_shape) == ("B", [1024])


def test_a_cache_of_the_first_pass_is_no_growth(worker: Worker) -> None:
    assert growth(measured(worker, Keeps, (4,))) < 4096


def test_a_real_network_needs_at_least_its_largest_pair_of_tensors(worker: Worker) -> None:
    one = measured(worker, resnet18, (3, 224, 224))
    pair = 2 * 64 * 112 * 112 * 4  # what the first convolution writes, and its normalisation
    assert pair <= growth(one) < 2 * pair  # and what a kernel keeps beside it
    weights_and_buffers, image = 4 * (11689512 + 9600) + 20 * 8, 4 * 3 * 224 * 224
    assert one.notes[0] == f"{weights_and_buffers + image} B weights, buffers and input"
    four = measured(worker, resnet18, (3, 224, 224), batch=4)
    assert 4 * pair <= growth(four) < 1.2 * 4 * pair


def test_a_fresh_process_measures_the_same(worker: Worker) -> None:
    fresh = Worker()
    try:
        value = measured(fresh, resnet18, (3, 64, 64)).value
    finally:
        fresh.stop()
    assert measured(worker, resnet18, (3, 64, 64)).value == pytest.approx(value, rel=0.005)


def test_where_torch_keeps_no_account_it_cannot_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROWTH", {"cuda": memory._cuda_growth})
    with pytest.raises(CannotMeasure, match="torch keeps no account of peak memory on cpu; it does on cuda"):
        memory.peak_memory(Architecture("net", "test", Keeps, (4,)), Conditions("cpu"), Settings())


def test_standard_error_is_open_again_after_a_network_raised(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LookupError, match=r"no memory of \(4,\)"):
        memory._cpu_growth(lambda: Raises()(torch.zeros(4)), "cpu")
    os.write(2, b"still heard\n")
    assert "still heard" in capfd.readouterr().err
