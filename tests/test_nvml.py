"""NVIDIA's driver as its own library answers. Answers constructed from NVML's API reference, not recorded on a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from pytest_archbench import nvml
from pytest_archbench.machine import disturbed
from pytest_archbench.nvml import Gpu, Lost, NoNvml, State, between

UUID = "GPU-8a6f4b1e-0c2d-4e5f-9a7b-1c3d5e7f9a0b"
PIDS = (100, 200)
GIB = 2**30
HELD = {pynvml.NVML_PERF_POLICY_POWER: 1_500_000_000, pynvml.NVML_PERF_POLICY_THERMAL: 250_000_000}  # ns
ANSWERS: dict[str, Any] = {
    "nvmlInit": None,
    "nvmlDeviceGetHandleByUUID": "handle",
    "nvmlDeviceGetHandleByIndex": "handle",
    "nvmlDeviceGetCount": 1,
    "nvmlDeviceGetUUID": UUID,
    "nvmlDeviceGetTotalEnergyConsumption": 5_000_250,  # mJ
    "nvmlDeviceGetPowerUsage": 71_500,  # mW
    "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=8 * GIB, used=3 * GIB, free=5 * GIB),
    "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=pid, usedGpuMemory=GIB) for pid in PIDS],
    "nvmlSystemGetDriverVersion": "570.86.10",
    "nvmlDeviceGetEnforcedPowerLimit": 250_000,  # mW
    "nvmlDeviceGetMaxClockInfo": 1980,  # MHz
    "nvmlDeviceGetApplicationsClock": 1755,
    "nvmlDeviceGetPersistenceMode": 1,
    "nvmlDeviceGetEccMode": [0, 0],
    "nvmlDeviceGetMigMode": pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED),
    "nvmlDeviceGetTemperature": 61,
    "nvmlDeviceGetClockInfo": 1410,
    "nvmlDeviceGetCurrentClocksThrottleReasons": 0x4 | 0x20,
    "nvmlDeviceGetViolationStatus": lambda _gpu, policy: SimpleNamespace(referenceTime=1, violationTime=HELD[policy]),
}
"""Function -> what it answers, answers with or raises. 0x4 is the software's power cap, 0x20 its thermal slowdown."""


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A driver with these answers; a test may change them."""
    answers = dict(ANSWERS)

    def asked(name: str) -> Any:
        def answer(*arguments: Any) -> Any:
            if isinstance(answers[name], Exception):
                raise answers[name]
            return answers[name](*arguments) if callable(answers[name]) else answers[name]

        return answer

    for name in answers:
        monkeypatch.setattr(pynvml, name, asked(name))
    nvml._begun.cache_clear()
    yield answers
    nvml._begun.cache_clear()


def failing(code: int) -> pynvml.NVMLError:
    error: pynvml.NVMLError = pynvml.NVMLError(code)
    return error


def test_units_are_ours(driver: dict[str, Any]) -> None:
    gpu = nvml.gpu(UUID.removeprefix("GPU-"))
    assert (gpu.uuid, gpu.energy(), gpu.power(), gpu.used_memory()) == (UUID, 5000.25, 71.5, 3 * GIB)


def test_facts_are_what_does_not_change_while_it_runs(driver: dict[str, Any]) -> None:
    assert nvml.gpu(UUID).facts() == {
        "driver": "570.86.10",
        "power_limit_w": 250.0,
        "max_sm_clock_hz": 1.98e9,
        "max_memory_clock_hz": 1.98e9,
        "application_sm_clock_hz": 1.755e9,
        "persistence_mode": True,
        "ecc": False,
        "mig": "unknown",
    }


def test_a_state_has_the_words_of_its_reasons(driver: dict[str, Any]) -> None:
    state = nvml.gpu(UUID).state()
    assert replace(state, time=0.0) == State(61.0, 1.41e9, 1.41e9, 71.5, ("power cap", "heat"), PIDS, 0.25, 1.5)
    assert state.time <= perf_counter()


def test_the_reasons_are_asked_before_anything_else(driver: dict[str, Any]) -> None:
    """A GPU that is done clocks up again, or down, within milliseconds."""
    gpu, asked = nvml.gpu(UUID), []

    def noting(name: str, answer: Any) -> Any:
        def noted(*arguments: Any) -> Any:
            asked.append(name)
            return answer(*arguments) if callable(answer) else answer

        return noted

    driver.update({name: noting(name, answer) for name, answer in driver.items()})
    gpu.state()
    assert asked[0] == "nvmlDeviceGetCurrentClocksThrottleReasons"
    assert len(asked) > 5


def test_an_instance_of_a_gpu_goes_by_another_prefix(driver: dict[str, Any]) -> None:
    """torch tells neither; the driver knows one of the two."""
    instance = f"MIG-{UUID.removeprefix('GPU-')}"

    def handle(name: str) -> str:
        if name == instance:
            return "part"
        raise failing(pynvml.NVML_ERROR_NOT_FOUND)

    driver["nvmlDeviceGetHandleByUUID"] = handle
    assert nvml.gpu(instance.removeprefix("MIG-")) == nvml.gpu(instance) == Gpu("part", instance)
    with pytest.raises(NoNvml, match=r"^GPU GPU-none: the driver says: Not Found; GPU MIG-none: .* Not Found$"):
        nvml.gpu("none")
    with pytest.raises(NoNvml, match=r"^GPU GPU-none: the driver says: Not Found$"):
        nvml.gpu("GPU-none")


def test_what_a_gpu_does_not_tell_is_none(driver: dict[str, Any]) -> None:
    driver.update(
        {name: failing(pynvml.NVML_ERROR_NOT_SUPPORTED) for name in driver if name.startswith("nvmlDeviceGet")}
    )
    gpu = Gpu("handle", UUID)
    assert replace(gpu.state(), time=0.0) == State(None, None, None, None, None, None, None, None)
    assert gpu.memory_of(100) is None
    for question in (gpu.energy, gpu.power, gpu.used_memory):
        with pytest.raises(NoNvml, match=f"GPU {UUID}: .*: the driver says: Not Supported"):
            question()


def test_memory_of_a_process_is_that_of_its_pid(driver: dict[str, Any]) -> None:
    gpu = nvml.gpu(UUID)
    assert (gpu.memory_of(200), gpu.memory_of(300)) == (GIB, None)
    driver["nvmlDeviceGetComputeRunningProcesses"] = [SimpleNamespace(pid=200, usedGpuMemory=None)]
    assert gpu.memory_of(200) is None, "in use, though not how much"


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED])
def test_a_lost_gpu_is_not_one_without_a_sensor(driver: dict[str, Any], code: int) -> None:
    gpu = nvml.gpu(UUID)
    driver["nvmlDeviceGetTemperature"] = driver["nvmlDeviceGetPowerUsage"] = failing(code)
    for question in (gpu.state, gpu.power):
        with pytest.raises(Lost, match=f"GPU {UUID}"):
            question()


def test_without_a_driver_there_is_none(driver: dict[str, Any]) -> None:
    driver["nvmlInit"] = failing(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    assert nvml.every() == ()
    with pytest.raises(NoNvml, match="no NVIDIA driver is here"):
        nvml.gpu(UUID)


def test_every_gpu_of_the_host(driver: dict[str, Any]) -> None:
    driver["nvmlDeviceGetUUID"] = UUID.encode()  # as an older library has it
    assert nvml.every() == (Gpu("handle", UUID),)


COOL = State(50.0, 1.4e9, 1e9, 70.0, (), (7,), held_for_heat=3.0, held_for_power=10.0, time=100.0)
HOT = State(90.0, 1.2e9, 1e9, 250.0, (), (7, 8, 9), held_for_heat=3.5, held_for_power=15.0, time=110.0)
"""Of ten seconds it was held back for half a one by heat, and for five by its power limit; at the end by nothing."""


def test_what_happened_meanwhile_is_counted_and_flagged() -> None:
    facts = between(COOL, HOT, pid=7)
    assert facts == {
        "gpu_temperature_before": 50.0,
        "gpu_temperature_after": 90.0,
        "gpu_clock_before": 1.4e9,
        "gpu_clock_after": 1.2e9,
        "gpu_slowed_for_heat": 0.05,
        "gpu_power_capped": 0.5,
        "gpu_processes": 2.0,
    }
    assert disturbed(facts) == (
        "2 other processes were on the GPU",
        "the GPU slowed down for heat (limit 1% of the time)",
    )


@pytest.mark.parametrize(
    ("before", "after", "reasons", "share"),
    [
        (3.0, 3.05, (), 0.005),
        (3.0, 3.05, ("heat",), 0.005),  # what was counted counts
        (3.0, 99.0, (), 1.0),
        (3.0, 3.0, ("heat",), 1.0),  # a driver that counts no heat
        (3.0, 3.0, ("power cap",), 0.0),
        (3.0, 3.0, None, 0.0),
        (3.0, 1.0, None, 0.0),
        (None, None, ("heat",), 1.0),
        (None, None, (), 0.0),
        (3.0, None, None, None),
    ],
)
def test_heat_is_a_share_of_the_time_or_a_reason_at_its_end(
    before: float | None, after: float | None, reasons: tuple[str, ...] | None, share: float | None
) -> None:
    facts = between(replace(COOL, held_for_heat=before), replace(HOT, held_for_heat=after, reasons=reasons), pid=7)
    assert facts["gpu_slowed_for_heat"] == pytest.approx(share)
    hot = any("heat" in said for said in disturbed(facts))
    assert hot == (share is not None and share > 0.01)


def test_a_reason_before_the_work_is_none_of_it() -> None:
    assert between(replace(COOL, reasons=("heat",)), COOL, pid=7)["gpu_slowed_for_heat"] == 0.0


def test_a_runs_own_processes_are_no_neighbours() -> None:
    assert between(COOL, HOT, pid=7, family={6, 7, 8})["gpu_processes"] == 1.0
    assert between(COOL, HOT, pid=7, family={8, 9})["gpu_processes"] == 0.0
    assert between(COOL, HOT, pid=12, family={7, 8})["gpu_processes"] is None, "numbers that are others here"


def test_the_family_is_whoever_asked_and_all_it_started() -> None:
    """Two workers of one parent, of which the second started another; and this process, which is none of them."""
    program = (
        "import subprocess, sys, time\n"
        "told = 'from pytest_archbench.meters import witness; print(sorted(witness._family()), flush=True)'\n"
        "idle = subprocess.Popen(['sleep', '60'])\n"
        "asked = subprocess.run([sys.executable, '-c', told], capture_output=True, text=True, check=True)\n"
        "idle.kill(); import os; print(os.getpid(), idle.pid, asked.stdout)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    parent, idle, family = said.split(maxsplit=2)
    pids = json.loads(family)
    assert {int(parent), int(idle)} < set(pids)
    assert len(pids) == 3, "and the one that was asked"
    assert os.getpid() not in pids


def test_alone_and_cool_is_not_disturbed() -> None:
    assert disturbed(between(COOL, replace(COOL, time=110.0), pid=7)) == ()


def test_in_a_container_others_cannot_be_told_from_oneself() -> None:
    assert between(COOL, HOT, pid=12)["gpu_processes"] is None


def test_no_gpu_has_no_facts() -> None:
    assert between(None, HOT, pid=7) == {}
