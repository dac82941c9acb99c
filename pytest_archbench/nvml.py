"""What NVIDIA's driver tells of a GPU through its management library, NVML: identity, state, energy, memory, processes.

Nothing here touches CUDA, so that asking makes no context. Units are turned into ours: W, J, Hz, B, °C.
Source of the calls and their units: NVML API reference guide, "Device Queries".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")
UNKNOWN = "unknown"


class NoNvml(LookupError):
    """The driver's library, the GPU or the sensor that was asked for is not here; the message says which."""


class Lost(RuntimeError):
    """The GPU fell off the bus, or has to be reset; the message says which."""


@dataclass(frozen=True, slots=True)
class State:
    """A GPU at a moment, None where it does not tell: °C, Hz, W, and the reasons for which its clocks are held back.

    ``processes`` are the pids that have a compute context on it. ``held_for_heat``, ``held_for_power``: s for which its
    clocks were held back since the driver was loaded; ``time``: s of a monotonic clock.
    """

    temperature: float | None
    sm_clock: float | None
    memory_clock: float | None
    power: float | None
    reasons: tuple[str, ...] | None
    processes: tuple[int, ...] | None
    held_for_heat: float | None = None
    held_for_power: float | None = None
    time: float = 0.0


REASONS = {
    "nvmlClocksThrottleReasonSwPowerCap": "power cap",
    "nvmlClocksThrottleReasonHwPowerBrakeSlowdown": "power brake",
    "nvmlClocksThrottleReasonSwThermalSlowdown": "heat",
    "nvmlClocksThrottleReasonHwThermalSlowdown": "heat",
    "nvmlClocksThrottleReasonHwSlowdown": "hardware slowdown",
    "nvmlClocksThrottleReasonSyncBoost": "sync boost",
    "nvmlClocksThrottleReasonApplicationsClocksSetting": "clocks set by the owner",
}
"""The driver's bits, under the names that old and new libraries share, and what each means. Being idle is none."""
HEAT = {"heat", "hardware slowdown"}
POWER = {"power cap", "power brake"}


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, by the handle of the library."""

    handle: Any
    uuid: str

    def energy(self) -> float:
        """J since the driver was loaded (Volta and later; counted in mJ). Raises: NoNvml, Lost."""
        counted = self._said("total energy", lambda nvml: nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle))
        return float(counted) / 1e3

    def power(self) -> float:
        """W of the whole board. Raises: NoNvml, Lost."""
        return float(self._said("power", lambda nvml: nvml.nvmlDeviceGetPowerUsage(self.handle))) / 1e3

    def used_memory(self) -> int:
        """Bytes of the device in use, by whomever. Raises: NoNvml, Lost."""
        return int(self._said("memory", lambda nvml: nvml.nvmlDeviceGetMemoryInfo(self.handle).used))

    def memory_of(self, pid: int) -> int | None:
        """Bytes of the device that a process holds, its context included; None where the driver does not tell, as in
        a container that has process numbers of its own.
        """
        held = [each.usedGpuMemory for each in self._processes() or () if each.pid == pid]
        return sum(held) if held and None not in held else None

    def facts(self) -> dict[str, Any]:
        """What a time on this GPU depends on and does not change while it runs; ``unknown`` where it does not tell."""
        asked: dict[str, Callable[[ModuleType], Any]] = {
            "driver": lambda nvml: nvml.nvmlSystemGetDriverVersion(),
            "power_limit_w": lambda nvml: nvml.nvmlDeviceGetEnforcedPowerLimit(self.handle) / 1e3,
            "max_sm_clock_hz": lambda nvml: nvml.nvmlDeviceGetMaxClockInfo(self.handle, nvml.NVML_CLOCK_SM) * 1e6,
            "max_memory_clock_hz": lambda nvml: nvml.nvmlDeviceGetMaxClockInfo(self.handle, nvml.NVML_CLOCK_MEM) * 1e6,
            "application_sm_clock_hz": lambda nvml: (
                nvml.nvmlDeviceGetApplicationsClock(self.handle, nvml.NVML_CLOCK_SM) * 1e6
            ),
            "persistence_mode": lambda nvml: bool(nvml.nvmlDeviceGetPersistenceMode(self.handle)),
            "ecc": lambda nvml: bool(nvml.nvmlDeviceGetEccMode(self.handle)[0]),
            "mig": lambda nvml: bool(nvml.nvmlDeviceGetMigMode(self.handle)[0]),
        }
        answers = {name: self._perhaps(question) for name, question in asked.items()}
        return {name: UNKNOWN if answer is None else answer for name, answer in answers.items()}

    def state(self) -> State:
        """The reasons first, which are gone soon after the work. Raises: Lost."""
        reasons = self._perhaps(
            lambda nvml: _reasons(nvml, nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self.handle))
        )
        heat = self._number(lambda nvml: self._held(nvml, nvml.NVML_PERF_POLICY_THERMAL))
        power = self._number(lambda nvml: self._held(nvml, nvml.NVML_PERF_POLICY_POWER))
        time = perf_counter()
        running = self._processes()
        return State(
            self._number(lambda nvml: nvml.nvmlDeviceGetTemperature(self.handle, nvml.NVML_TEMPERATURE_GPU)),
            self._number(lambda nvml: nvml.nvmlDeviceGetClockInfo(self.handle, nvml.NVML_CLOCK_SM) * 1e6),
            self._number(lambda nvml: nvml.nvmlDeviceGetClockInfo(self.handle, nvml.NVML_CLOCK_MEM) * 1e6),
            self._number(lambda nvml: nvml.nvmlDeviceGetPowerUsage(self.handle) / 1e3),
            reasons,
            None if running is None else tuple(each.pid for each in running),
            heat,
            power,
            time,
        )

    def _held(self, nvml: ModuleType, policy: int) -> float:
        """s; the driver counts ns."""
        return float(nvml.nvmlDeviceGetViolationStatus(self.handle, policy).violationTime) / 1e9

    def _processes(self) -> list[Any] | None:
        found: list[Any] | None = self._perhaps(lambda nvml: nvml.nvmlDeviceGetComputeRunningProcesses(self.handle))
        return found

    def _number(self, question: Callable[[ModuleType], float]) -> float | None:
        answer = self._perhaps(question)
        return None if answer is None else float(answer)

    def _perhaps(self, question: Callable[[ModuleType], T]) -> T | None:
        """An answer, None where this GPU or driver has none. Raises: Lost."""
        try:
            return self._said("it", question)
        except NoNvml:
            return None

    def _said(self, what: str, question: Callable[[ModuleType], T]) -> T:
        with _answering(f"GPU {self.uuid}: {what}") as nvml:
            return question(nvml)


PREFIXES = ("GPU-", "MIG-")
"""Of a GPU's name, and of an instance's: a part of a GPU that is used as one (MIG)."""


def gpu(uuid: str) -> Gpu:
    """The GPU, or the part of one, that torch calls so: torch leaves away the prefix that the driver's names have.

    Raises: NoNvml with what the driver says of each name, Lost.
    """
    names = [uuid] if uuid.startswith(PREFIXES) else [f"{prefix}{uuid}" for prefix in PREFIXES]
    reasons = []
    for name in names:
        try:
            with _answering(f"GPU {name}") as nvml:
                return Gpu(nvml.nvmlDeviceGetHandleByUUID(name), name)
        except NoNvml as reason:
            reasons.append(str(reason))
    raise NoNvml("; ".join(dict.fromkeys(reasons)))


def every() -> tuple[Gpu, ...]:
    """All GPUs of the host, CUDA_VISIBLE_DEVICES or not; none where there is no driver. Raises: Lost."""
    try:
        with _answering("the GPUs of this host") as nvml:
            handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            return tuple(Gpu(handle, _text(nvml.nvmlDeviceGetUUID(handle))) for handle in handles)
    except NoNvml:
        return ()


def between(
    before: State | None, after: State | None, pid: int, family: Collection[int] = ()
) -> dict[str, float | None]:
    """What a GPU did between two moments, for ``machine.disturbed``; nothing where there is no GPU to ask.

    ``gpu_temperature_before``, ``_after``: °C. ``gpu_clock_before``, ``_after``: Hz of the multiprocessors.
    ``gpu_slowed_for_heat``, ``gpu_power_capped``: the share of the time; 1 where the driver counted none, or does not
    count, and yet gives it as a reason at the second moment, which should be right after the work. Source: NVML API
    reference, nvmlDeviceGetViolationStatus; of heat some drivers count nothing. ``gpu_processes``: how many others have
    a context there, without the pids of ``family``; None where ``pid``, this process, is not among them, since then
    they go by other numbers.
    """
    if before is None or after is None:
        return {}
    states, wall = (before, after), after.time - before.time
    return {
        "gpu_temperature_before": before.temperature,
        "gpu_temperature_after": after.temperature,
        "gpu_clock_before": before.sm_clock,
        "gpu_clock_after": after.sm_clock,
        "gpu_slowed_for_heat": _share([state.held_for_heat for state in states], wall, HEAT, after.reasons),
        "gpu_power_capped": _share([state.held_for_power for state in states], wall, POWER, after.reasons),
        "gpu_processes": _others(states, pid, family),
    }


def _share(held: Sequence[float | None], wall: float, reasons: set[str], found: tuple[str, ...] | None) -> float | None:
    """Of ``wall`` s, in how much clocks were held back; where none was counted whether ``found`` has the reason."""
    before, after = held
    counted = None
    if before is not None and after is not None and wall > 0:
        counted = min(1.0, max(0.0, after - before) / wall)  # a driver counts in steps
    return counted if counted or found is None else float(not reasons.isdisjoint(found))


def _others(states: tuple[State, ...], pid: int, family: Collection[int]) -> float | None:
    seen = {each for state in states for each in state.processes or ()}
    return float(len(seen - {pid, *family})) if pid in seen else None


def _reasons(nvml: ModuleType, bits: int) -> tuple[str, ...]:
    told = (word for name, word in REASONS.items() if bits & getattr(nvml, name, 0))
    return tuple(dict.fromkeys(told))


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


@contextmanager
def _answering(what: str) -> Iterator[ModuleType]:
    """The library, begun; its errors become ours."""
    nvml = _library()
    try:
        yield nvml
    except (nvml.NVMLError_GpuIsLost, nvml.NVMLError_ResetRequired) as error:
        raise Lost(f"{what}: the driver says: {error}") from None
    except nvml.NVMLError as error:
        raise NoNvml(f"{what}: the driver says: {error}") from None


def _library() -> ModuleType:
    """Raises: NoNvml where the driver is not installed, or, in an environment of somebody else's, its interface."""
    try:
        import pynvml
    except ImportError as error:
        raise NoNvml(f"nvidia-ml-py is not installed ({error})") from None

    library: ModuleType = pynvml
    try:
        _begun(library)
    except library.NVMLError as error:
        raise NoNvml(f"no NVIDIA driver is here: {error}") from None
    return library


@functools.lru_cache(maxsize=1)
def _begun(nvml: ModuleType) -> None:
    """Once a process; what fails is asked anew."""
    nvml.nvmlInit()
