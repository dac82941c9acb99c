"""Where torch computes: its name of a device, waiting until that is done, and the precision it computes in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TORCH_NAMES = {"cuda": "cuda:0", "jetson": "cuda:0"}
"""What torch calls a device that we call otherwise, or that has two names."""


def torch_device(name: str) -> str:
    return TORCH_NAMES.get(name, name)


def gpu_uuid(device: str) -> str:
    """What NVIDIA's driver calls the GPU that torch calls ``device``; an empty text for any other device."""
    import torch

    name = torch_device(device)
    if not name.startswith("cuda"):
        return ""
    return str(getattr(torch.cuda.get_device_properties(name), "uuid", ""))


def synchroniser(device: str) -> Callable[[], None]:
    """Waits until all work handed to the device is done; nothing to wait for on the CPU."""
    import torch

    device = torch_device(device)
    kind = device.split(":")[0]
    waits: dict[str, Callable[[], Any]] = {
        "cpu": lambda: None,
        "cuda": lambda: torch.cuda.synchronize(device),
        "mps": torch.mps.synchronize,
        "xpu": lambda: torch.xpu.synchronize(device),
    }
    return waits[kind]


def precision(device: str, amp: str) -> Any:
    """A context of mixed precision of the type ``amp`` on a device by torch's name; of none where that is empty."""
    import torch

    return torch.autocast(device.split(":")[0], getattr(torch, amp or "bfloat16"), enabled=bool(amp))
