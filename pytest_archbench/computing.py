"""Where torch computes: its name of a device, waiting until that is done, and the precision it computes in."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
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


def autotuned(device: str) -> None:
    """Have cuDNN try its algorithms in the first pass of every shape and keep the fastest, as who deploys would."""
    import torch

    if torch_device(device).startswith("cuda"):
        torch.backends.cudnn.benchmark = True


def tf32(device: str) -> tuple[str, ...]:
    """What torch rounds float32 to on a device where nobody asks: a note for whoever compares, none on most devices."""
    import torch

    if not torch_device(device).startswith("cuda"):
        return ()
    ways = {"convolutions": torch.backends.cudnn.allow_tf32, "matrix products": torch.backends.cuda.matmul.allow_tf32}
    return tuple(f"float32 {what} in {'TF32' if rounded else 'full'} precision" for what, rounded in ways.items())


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


def stopwatch(device: str) -> Callable[[Callable[[], object]], float]:
    """Takes the seconds of an action on a device, to its end: on CUDA between two events on the device's own stream,
    by the clock of the GPU; elsewhere by the wall.
    """
    name = torch_device(device)
    if name.startswith("cuda"):
        return _timed_by_events(name)
    wait = synchroniser(device)

    def timed(action: Callable[[], object]) -> float:
        start = perf_counter()
        action()
        wait()
        return perf_counter() - start

    return timed


def _timed_by_events(name: str) -> Callable[[Callable[[], object]], float]:
    import torch

    begun, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    stream = torch.cuda.current_stream(name)

    def timed(action: Callable[[], object]) -> float:
        begun.record(stream)
        action()
        ended.record(stream)
        ended.synchronize()
        return float(begun.elapsed_time(ended)) / 1e3

    return timed


def precision(device: str, amp: str) -> Any:
    """A context of mixed precision of the type ``amp`` on a device by torch's name; of none where that is empty."""
    import torch

    return torch.autocast(device.split(":")[0], getattr(torch, amp or "bfloat16"), enabled=bool(amp))
