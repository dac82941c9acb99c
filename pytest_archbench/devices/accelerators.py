"""CUDA devices and Apple's GPU, as torch sees them."""

from __future__ import annotations

from pytest_archbench.devices.probes import NoDevice, probe, refuse_number
from pytest_archbench.records import Device


@probe("cuda")
def cuda(name: str) -> Device:
    """``cuda`` is the first GPU, ``cuda:N`` the N-th."""
    import torch

    if not torch.cuda.is_available():
        built = torch.version.cuda or "none: this torch is built for the CPU only"
        raise NoDevice(
            f"device {name!r}: torch finds no CUDA device (torch {torch.__version__}, CUDA {built}); try --device=cpu"
        )
    _, colon, text = name.partition(":")
    found = torch.cuda.device_count()
    if colon and text not in map(str, range(found)):
        raise NoDevice(f"device {name!r}: expected cuda:0 to cuda:{found - 1}; torch finds {found} CUDA device(s)")
    properties = torch.cuda.get_device_properties(int(text or 0))
    return Device(
        name=name,
        kind="cuda",
        model=properties.name,
        fingerprint={
            "model": properties.name,
            "capability": f"{properties.major}.{properties.minor}",
            "memory_bytes": properties.total_memory,
            "multiprocessors": properties.multi_processor_count,
            "cuda": torch.version.cuda or "unknown",
            "cudnn": torch.backends.cudnn.version() or "unknown",
        },
    )


@probe("mps")
def mps(name: str) -> Device:
    """Apple's GPU."""
    import torch

    refuse_number(name, "mps")
    if not torch.backends.mps.is_available():
        raise NoDevice(f"device {name!r}: torch {torch.__version__} finds no Metal device; try --device=cpu")
    return Device(name=name, kind="mps", model="Apple GPU", fingerprint={"model": "Apple GPU"})
