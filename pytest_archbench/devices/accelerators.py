"""Accelerators as torch sees them: CUDA, Intel's and Apple's GPUs. The driver's own facts of NVIDIA's, by NVML."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

from pytest_archbench import nvml
from pytest_archbench.computing import gpu_uuid
from pytest_archbench.devices.probes import UNKNOWN, NoDevice, numbered, probe, refuse_number
from pytest_archbench.records import Device

DRIVER = (
    "driver",
    "power_limit_w",
    "max_sm_clock_hz",
    "max_memory_clock_hz",
    "application_sm_clock_hz",
    "persistence_mode",
    "ecc",
    "mig",
)
"""Facts of ``nvml.Gpu.facts``, which are unknown where the driver's library is not there, as on Jetson boards."""


@probe("cuda")
def cuda(name: str) -> Device:
    """``cuda``, or ``cuda:0``, is the first GPU, ``cuda:N`` the N-th after it."""
    import torch

    if not torch.cuda.is_available():
        built = torch.version.cuda or "none: this torch is built for the CPU only"
        raise NoDevice(
            f"device {name!r}: torch finds no CUDA device (torch {torch.__version__}, CUDA {built}); try --device=cpu"
        )
    own, index = numbered(name, torch.cuda.device_count(), "CUDA device")
    properties = torch.cuda.get_device_properties(index)
    return Device(
        name=own,
        kind="cuda",
        model=properties.name,
        fingerprint={
            "model": properties.name,
            "capability": f"{properties.major}.{properties.minor}",
            "memory_bytes": properties.total_memory,
            "multiprocessors": properties.multi_processor_count,
            "cuda": torch.version.cuda or UNKNOWN,
            "cudnn": torch.backends.cudnn.version() or UNKNOWN,
            **_driver(f"cuda:{index}"),
        },
    )


def _driver(device: str) -> dict[str, Any]:
    """What NVIDIA's driver tells of a GPU; no serial number and no UUID: another card of its kind is as fast.

    Raises: NoDevice for one that fell off the bus.
    """
    uuid = gpu_uuid(device)
    try:
        facts = nvml.gpu(uuid).facts() if uuid else {}
    except nvml.NoNvml:
        facts = {}
    except nvml.Lost as error:
        raise NoDevice(f"device {device!r}: {error}") from None
    return dict.fromkeys(DRIVER, UNKNOWN) | facts


@probe("xpu")
def xpu(name: str) -> Device:
    """Intel's GPUs, numbered as CUDA's are; where this torch has them."""
    import torch

    if not torch.xpu.is_available():
        raise NoDevice(f"device {name!r}: torch {torch.__version__} finds no Intel GPU; try --device=cpu")
    own, index = numbered(name, torch.xpu.device_count(), "Intel GPU")
    properties = torch.xpu.get_device_properties(index)
    return Device(
        name=own,
        kind="xpu",
        model=properties.name,
        fingerprint={
            "model": properties.name,
            "memory_bytes": properties.total_memory,
            "compute_units": getattr(properties, "max_compute_units", UNKNOWN),
            "platform": getattr(properties, "platform_name", UNKNOWN),
            "driver": getattr(properties, "driver_version", UNKNOWN),
        },
    )


@probe("mps")
def mps(name: str) -> Device:
    """Apple's GPU."""
    import torch

    refuse_number(name, "mps")
    if not torch.backends.mps.is_available():
        raise NoDevice(f"device {name!r}: torch {torch.__version__} finds no Metal device; try --device=cpu")
    model = _told(torch.backends.mps, "get_name")
    return Device(
        name=name,
        kind="mps",
        model="Apple GPU" if model == UNKNOWN else model,
        fingerprint={
            "model": model,
            "cores": _told(torch.backends.mps, "get_core_count"),
            "memory_bytes": _told(torch.mps, "recommended_max_memory"),
            "macos": platform.mac_ver()[0] or UNKNOWN,
        },
    )


def _told(module: Any, question: str) -> Any:
    """What a function of torch's says that older ones do not have."""
    asked: Callable[[], Any] | None = getattr(module, question, None)
    return UNKNOWN if asked is None else asked()
