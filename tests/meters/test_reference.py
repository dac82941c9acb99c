"""The reference workload: the same work every time, of a few milliseconds."""

from __future__ import annotations

import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pytest_archbench.meters import latency, reference


def test_it_is_the_work_that_its_name_says() -> None:
    work = reference.workload("cpu")
    with FlopCounterMode(display=False) as counter:
        work()
    conv, square = 56 * 56 * 32 * 32 * 3 * 3, 256**3
    assert counter.get_total_flops() == 2 * 4 * (conv + square)
    assert reference.NAME.startswith("4 x (conv 3x3 32-32 on 56x56, matmul 256)")


def test_its_name_is_journalled() -> None:
    assert latency.convention("latency", "cpu").endswith(f"reference: {reference.NAME}")


def test_it_leaves_no_trace_in_the_random_numbers_of_a_network() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    reference.workload("cpu")()
    assert torch.equal(torch.rand(3), expected)


def test_it_is_short_against_a_burst_on_any_core_of_today() -> None:
    work = reference.workload("cpu")
    times = []
    for _ in range(10):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    assert 1e-4 < min(times) < 0.1


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_it_runs_on_a_gpu_and_waits_for_it() -> None:
    work = reference.workload("cuda")
    work()
    event = torch.cuda.Event()
    event.record()
    assert event.query(), "nothing is left to do"
