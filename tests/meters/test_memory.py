"""Peak memory: known allocations are found, by torch's account and by the kernel's, in the process that measures."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from measured_networks import MIB, Keeps, Raises, Takes
from torchvision.models import resnet18

from pytest_archbench import nvml
from pytest_archbench.jobs import Job
from pytest_archbench.meters import CannotMeasure, device_memory, memory
from pytest_archbench.nvml import NoNvml
from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Reading, Settings
from pytest_archbench.runner import Answered, measurement
from pytest_archbench.worker import Worker

INPUT_BYTES = 4 * 1024
WEIGHT_BYTES = 8
STEP = 32 * 4096
"""Bytes: the kernel counts in steps of so many pages for each processor."""
IN_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux with glibc")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A measuring process of these tests alone: allocations need no device to themselves."""
    working = Worker()
    yield working
    working.stop()


def measured(
    worker: Worker, build: Callable[[], Any], shape: tuple[int, ...], batch: int = 1, metric: str = "peak_memory"
) -> Measurement:
    case = Case(Architecture("net", "test", build, shape), metric, Conditions("cpu", batch, shape))
    answer = worker.ask("measure", Job("memory", case.architecture, case.conditions, Settings()), timeout=120)
    found = measurement(case, [Answered(answer)], Settings())
    assert found.status == "ok", found.message
    return found


def growth(found: Measurement) -> int:
    """The growth (B) of a later pass, as the note says it."""
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


@IN_LINUX
@pytest.mark.parametrize(
    ("sizes", "at_once", "peak"),
    [((), False, 0), ((32,), False, 32), ((8, 24, 16), True, 48), ((8, 24, 16), False, 24)],
)
def test_the_kernel_finds_what_is_known(worker: Worker, sizes: tuple[int, ...], at_once: bool, peak: int) -> None:
    found = measured(worker, Takes(sizes, at_once), (1024,), metric="peak_host_memory")
    assert growth(found) == pytest.approx(peak * MIB, abs=4 * STEP)
    assert found.value == WEIGHT_BYTES + INPUT_BYTES + growth(found)
    assert found.unit == "B"
    assert "the resident set's high-water mark" in found.convention


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


@pytest.mark.parametrize(
    ("metric", "tolerance"), [("peak_memory", 0.005), pytest.param("peak_host_memory", 0.01, marks=IN_LINUX)]
)
def test_a_fresh_process_measures_the_same(worker: Worker, metric: str, tolerance: float) -> None:
    fresh = Worker()
    try:
        value = measured(fresh, resnet18, (3, 64, 64), metric=metric).value
    finally:
        fresh.stop()
    assert measured(worker, resnet18, (3, 64, 64), metric=metric).value == pytest.approx(value, rel=tolerance)


@IN_LINUX
def test_the_kernel_and_the_profiler_agree(worker: Worker) -> None:
    by_torch = measured(worker, resnet18, (3, 224, 224), batch=4).value
    by_kernel = measured(worker, resnet18, (3, 224, 224), batch=4, metric="peak_host_memory").value
    assert by_kernel == pytest.approx(by_torch, rel=0.01)


def test_with_another_c_library_the_host_metric_alone_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace())  # it has no mallopt
    net = Architecture("net", "test", Takes((1,)), (1024,))
    found = memory.peak_memory(net, Conditions("cpu"), Settings())
    assert isinstance(found["peak_memory"], Reading)
    assert isinstance(found["peak_host_memory"], CannotMeasure)
    assert "peak_host_memory needs the device cpu on Linux with glibc; this is cpu on" in str(found["peak_host_memory"])


def test_on_another_device_there_is_no_host_metric() -> None:
    with pytest.raises(CannotMeasure, match="needs the device cpu on Linux with glibc; this is cuda:0 on"):
        memory._resident_growth(lambda: None, "cuda:0", returns_memory=False)


@IN_LINUX
def test_a_kernel_without_a_mark_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "CLEAR_REFS", tmp_path / "no/clear_refs")
    with pytest.raises(CannotMeasure, match=r"no high-water mark of memory that can be reset: .*clear_refs"):
        memory._resident_growth(lambda: None, "cpu", returns_memory=True)
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t    2164 kB\n")  # constructed from proc_pid_status(5)
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    assert memory._status("VmHWM") == 2164 * 1024
    with pytest.raises(LookupError, match="expected a line VmRSS; got none"):
        memory._status("VmRSS")


def test_where_torch_keeps_no_account_it_cannot_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROWTH", {"cuda": memory._allocated_growth})
    with pytest.raises(CannotMeasure, match="torch keeps no account of peak memory on cpu; it does on cuda"):
        memory.peak_memory(Architecture("net", "test", Keeps, (4,)), Conditions("cpu"), Settings())


def test_what_an_allocator_reserves_exists_where_there_is_memory_of_its_own(worker: Worker) -> None:
    case = Case(Architecture("net", "test", Keeps, (4,)), "peak_reserved_memory", Conditions("cpu", 1, (4,)))
    answer = worker.ask("measure", Job("memory", case.architecture, case.conditions, Settings()), timeout=120)
    found = measurement(case, [Answered(answer)], Settings())
    reason = "peak_reserved_memory exists on cuda, xpu alone; this is cpu"
    assert (found.status, found.value, found.message) == ("skipped", None, reason)


def test_memory_that_another_engine_holds_is_not_torchs_to_tell() -> None:
    with pytest.raises(CannotMeasure, match="torch keeps no account of the memory of onnxruntime"):
        memory.peak_memory(
            Architecture("net", "test", Keeps, (4,)), Conditions("cpu", runtime="onnxruntime"), Settings()
        )


def test_whole_device_memory_exists_on_cuda_alone() -> None:
    with pytest.raises(CannotMeasure, match="it exists on cuda alone"):
        device_memory.device_memory(Architecture("net", "test", Keeps, (4,)), Conditions("cpu"), Settings())


GPU = "GPU-1"


class Driver:
    """A GPU of whose 5 GiB in use this process holds ``own`` bytes. Constructed, not recorded on a GPU."""

    uuid = GPU

    def __init__(self, own: int | None) -> None:
        self.own = own

    def memory_of(self, pid: int) -> int | None:
        assert pid == os.getpid()
        return self.own

    def used_memory(self) -> int:
        return 5 * 2**30


@pytest.mark.parametrize(
    ("own", "held", "account"),
    [(2**30, 2**30, device_memory.BY_PROCESS), (None, 3 * 2**30, device_memory.BY_GROWTH)],
    ids=["as the driver tells", "as it grew from 2 to 5 GiB"],
)
def test_a_processs_share_of_a_gpu(monkeypatch: pytest.MonkeyPatch, own: int | None, held: int, account: str) -> None:
    monkeypatch.setattr(device_memory, "gpu_uuid", lambda _device: GPU)
    monkeypatch.setattr(nvml, "gpu", lambda _uuid: Driver(own))
    assert device_memory._held("cuda", {GPU: 2 * 2**30}) == (held, account)


def test_a_gpu_that_tells_no_memory_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Driver):
        uuid = "GPU-2"

        def used_memory(self) -> int:
            raise NoNvml("GPU GPU-2: memory: the driver says: Not Supported")

    monkeypatch.setattr(nvml, "every", lambda: (Silent(None), Driver(None)))
    assert dict(device_memory._used()) == {GPU: 5 * 2**30}


def test_without_the_driver_nobody_knows_a_processs_share(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_uuid: str) -> Any:
        raise NoNvml("no NVIDIA driver is here")

    monkeypatch.setattr(device_memory, "gpu_uuid", lambda _device: GPU)
    monkeypatch.setattr(nvml, "gpu", absent)
    with pytest.raises(CannotMeasure, match="device_memory: NVIDIA's driver does not tell: no NVIDIA driver is here"):
        device_memory._held("cuda", {})


def test_standard_error_is_open_again_after_a_network_raised(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LookupError, match=r"no memory of \(4,\)"):
        memory._cpu_growth(lambda: Raises()(torch.zeros(4)), "cpu")
    os.write(2, b"still heard\n")
    assert "still heard" in capfd.readouterr().err
