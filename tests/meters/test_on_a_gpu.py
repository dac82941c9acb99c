"""What only a real GPU can show: event times, memory's four accounts, variants there, and a batch too large."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torchvision.models import resnet18

from pytest_archbench import nvml
from pytest_archbench.computing import gpu_uuid, stopwatch, synchroniser
from pytest_archbench.devices import find
from pytest_archbench.meters.latency import latency
from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Reading, Settings
from pytest_archbench.runner import Runner

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU that torch can use"),
]
RESNET = Architecture("resnet18", "resnet", resnet18)
PLAIN = Conditions("cuda:0", 8)
QUICK = Settings(time_budget=0.5, precision=0.05)
GIB = 2**30


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    running = Runner(QUICK)
    yield running
    running.close()


def measured(runner: Runner, metric: str, conditions: Conditions = PLAIN) -> Measurement:
    return runner.measure(Case(RESNET, metric, conditions))


def test_events_and_the_wall_agree_where_the_gpu_is_busy() -> None:
    a, wait = torch.randn(4096, 4096, device="cuda:0"), synchroniser("cuda:0")
    timed = stopwatch("cuda:0")

    def work() -> None:
        for _ in range(4):
            torch.matmul(a, a)

    def wall() -> float:
        start = time.perf_counter()
        work()
        wait()
        return time.perf_counter() - start

    timed(work)
    events = statistics.median(timed(work) for _ in range(20))
    assert 0.8 < events / statistics.median(wall() for _ in range(20)) <= 1.05


def test_a_time_says_that_it_is_from_events_and_what_the_gpu_did() -> None:
    found = latency(RESNET, PLAIN, QUICK)["latency"]
    assert isinstance(found, Reading)
    assert found.convention.startswith("time between two device events")
    assert "gpu_temperature_after" in found.machine
    assert torch.backends.cudnn.benchmark


@pytest.mark.parametrize(
    "asked",
    [
        {"dtype": "float16"},
        {"dtype": "bfloat16"},
        {"dtype": "float16", "memory_format": "channels_last"},
        {"runtime": "compile"},
    ],
    ids=lambda asked: "-".join(asked.values()),
)
def test_variants_agree_with_the_network_there(runner: Runner, asked: dict[str, str]) -> None:
    found = measured(runner, "latency", replace(PLAIN, **asked))  # type: ignore[arg-type]
    assert found.status == "ok", found.message
    assert any(note.startswith("outputs ") for note in found.notes)


def test_the_four_accounts_of_memory_contain_each_other(runner: Runner) -> None:
    """Given out <= reserved <= all of the process, whose context alone takes more than 100 MB."""
    names = ("peak_memory", "peak_reserved_memory", "device_memory")
    found = {name: measured(runner, name) for name in names}
    assert {each.status for each in found.values()} == {"ok"}, [each.message for each in found.values()]
    given, reserved, whole = (each.value or 0 for each in found.values())
    assert 4 * 11_689_512 < given <= reserved
    assert reserved + 100e6 < whole < reserved + 3 * GIB
    assert measured(runner, "peak_host_memory").status == "skipped"


def test_a_batch_too_large_is_out_of_memory_and_the_next_case_runs(runner: Runner) -> None:
    room = torch.cuda.mem_get_info(0)[1]
    huge = room // (3 * 224 * 224 * 4)
    found = measured(runner, "latency", replace(PLAIN, batch_size=huge))
    assert found.status == "oom", found.message
    assert "not tried" in measured(runner, "latency", replace(PLAIN, batch_size=2 * huge)).message
    assert measured(runner, "latency", replace(PLAIN, batch_size=4)).status == "ok"


def test_the_driver_knows_torchs_gpu() -> None:
    gpu = nvml.gpu(gpu_uuid("cuda"))
    assert gpu.facts()["driver"] != "unknown"
    assert gpu.used_memory() > 0
    assert find("cuda:0").fingerprint["driver"] == gpu.facts()["driver"]
