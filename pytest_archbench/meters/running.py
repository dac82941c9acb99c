"""A network ready to run on a device: built with its weights, in evaluation mode, threads pinned."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_archbench import inputs
from pytest_archbench.records import Architecture, Conditions

if TYPE_CHECKING:
    from torch import nn


TORCH_NAMES = {"jetson": "cuda:0"}
"""What torch calls a device that we call otherwise."""


def torch_device(name: str) -> str:
    return TORCH_NAMES.get(name, name)


def prepare(architecture: Architecture, conditions: Conditions) -> tuple[nn.Module, inputs.Inputs]:
    """The network and its input on the device, under the conditions; weights are the constructor's own random ones.

    Raises: whatever the constructor raises; InvalidInput.
    """
    import torch

    torch.set_num_threads(conditions.threads)
    torch.manual_seed(0)
    model = architecture.build().eval().requires_grad_(False)
    spec = inputs.shape_of(architecture.input_shape, model)
    device = torch_device(conditions.device)
    model = model.to(device=device, dtype=getattr(torch, conditions.dtype))
    return model, inputs.make(spec, conditions.batch_size, device, conditions.dtype)


def synchroniser(device: str) -> Callable[[], None]:
    """Waits until all work handed to the device is done; nothing to wait for on the CPU."""
    import torch

    device = torch_device(device)
    kind = device.split(":")[0]
    waits: dict[str, Callable[[], Any]] = {
        "cpu": lambda: None,
        "cuda": lambda: torch.cuda.synchronize(device),
        "mps": torch.mps.synchronize,
    }
    return waits[kind]
