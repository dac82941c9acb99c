"""NVIDIA's driver as its own library answers. Answers constructed from NVML's API reference, not recorded on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
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
}
"""Function -> what it answers or raises. 0x4 is the software's power cap, 0x20 its thermal slowdown."""


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A driver with these answers; a test may change them."""
    answers = dict(ANSWERS)

    def asked(name: str) -> Any:
        def answer(*_arguments: Any) -> Any:
            if isinstance(answers[name], Exception):
                raise answers[name]
            return answers[name]

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
    assert nvml.gpu(UUID).state() == State(61.0, 1.41e9, 1.41e9, 71.5, ("power cap", "heat"), PIDS)


def test_what_a_gpu_does_not_tell_is_none(driver: dict[str, Any]) -> None:
    driver.update(
        {name: failing(pynvml.NVML_ERROR_NOT_SUPPORTED) for name in driver if name.startswith("nvmlDeviceGet")}
    )
    gpu = Gpu("handle", UUID)
    assert gpu.state() == State(None, None, None, None, None, None)
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


COOL = State(50.0, 1.4e9, 1e9, 70.0, (), (7,))
HOT = State(90.0, 1.2e9, 1e9, 250.0, ("heat", "power cap"), (7, 8, 9))


def test_what_happened_meanwhile_is_counted_and_flagged() -> None:
    facts = between(COOL, HOT, pid=7)
    assert facts == {
        "gpu_temperature_before": 50.0,
        "gpu_temperature_after": 90.0,
        "gpu_clock_before": 1.4e9,
        "gpu_clock_after": 1.2e9,
        "gpu_slowed_for_heat": 1.0,
        "gpu_power_capped": 1.0,
        "gpu_processes": 2.0,
    }
    assert disturbed(facts) == ("2 other processes were on the GPU", "the GPU slowed down for heat")


def test_alone_and_cool_is_not_disturbed() -> None:
    assert disturbed(between(COOL, COOL, pid=7)) == ()


def test_in_a_container_others_cannot_be_told_from_oneself() -> None:
    assert between(COOL, HOT, pid=12)["gpu_processes"] is None


def test_no_gpu_has_no_facts() -> None:
    assert between(None, HOT, pid=7) == {}
