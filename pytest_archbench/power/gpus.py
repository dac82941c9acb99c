"""Energy of an NVIDIA GPU's board, as its driver tells it: a counter since Volta, before that the power alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_archbench import computing, nvml
from pytest_archbench.power.sensors import Channel, Nature, NoSensor, Sensor, SensorLost, readable

PERIOD = 0.1
"""Seconds from one value to the next, of the slowest. On some GPUs a part of that time alone is looked at, so that one
short window says little. Source: Yang, Adamek and Armour, Part-time Power Measurements, 2023 (arXiv 2312.02741)."""


class GpuLost(SensorLost, nvml.Lost):
    """The sensor is lost because its GPU is."""


def board(device: str, _root: Path) -> Sensor:
    """The GPU that torch calls by this name. Raises: NoSensor."""
    try:
        gpu = nvml.gpu(computing.gpu_uuid(device))
    except (nvml.NoNvml, nvml.Lost) as reason:
        raise NoSensor(f"NVML: {reason}") from None
    except (AssertionError, RuntimeError) as error:  # torch has no such GPU: built without CUDA, or without a driver
        raise NoSensor(f"NVML: torch names no GPU {device}: {str(error).partition('. ')[0]}") from None
    reasons = []
    told: tuple[tuple[Nature, str, Callable[[], float]], ...] = (
        ("counter", "NVML energy counter", gpu.energy),
        ("gauge", "NVML power", gpu.power),
    )
    for nature, name, read in told:
        try:
            read()
        except (nvml.NoNvml, nvml.Lost) as reason:
            reasons.append(f"{name}: {reason}")
            continue
        channels = (Channel(f"GPU of {device}", _told(name, read)),)
        return readable(Sensor(name, "GPU board", nature, "measured", PERIOD, channels, has_processors=False))
    raise NoSensor("; ".join(reasons))


def _told(name: str, read: Callable[[], float]) -> Callable[[], float]:
    """The same read, which ends a measurement where the driver has lost the GPU or its sensor."""

    def told() -> float:
        try:
            return read()
        except nvml.NoNvml as reason:
            raise SensorLost(f"{name}: {reason}") from None
        except nvml.Lost as reason:
            raise GpuLost(f"{name}: {reason}") from None

    return told
