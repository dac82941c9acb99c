"""A network ready to run on a device: built with its weights, in evaluation mode, threads pinned."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_archbench import inputs
from pytest_archbench.computing import torch_device
from pytest_archbench.meters import allocator
from pytest_archbench.records import Architecture, Conditions

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Ready:
    """A network on its device, what it is fed, and the type it computes in."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dtype: str

    def forward(self) -> Any:
        return self.model(*self.args, **self.kwargs)

    @property
    def fed(self) -> Any:
        """The shape of one image, as plain data."""
        return inputs.shapes(self.args, self.kwargs)


def prepare(architecture: Architecture, conditions: Conditions) -> Ready:
    """The network and its input on the device, in its own type, with the random weights of its own constructor.

    Raises: whatever the constructor raises; InvalidInput.
    """
    import torch
    from torch.nn.parameter import is_lazy

    torch.set_num_threads(conditions.threads)
    torch.manual_seed(0)
    device = torch_device(conditions.device)
    model = architecture.build().eval().to(device)
    _, dtype = inputs.fitting(model)
    spec = inputs.shape_of(architecture.input_shape, model)
    ready = Ready(model, *inputs.make(spec, conditions.batch_size, device, dtype), dtype)
    if any(is_lazy(parameter) for parameter in model.parameters()):
        with torch.no_grad():  # the first pass tells lazy layers their shapes
            ready.forward()
    model.requires_grad_(False)
    return ready


def moved(ready: Ready) -> Ready:
    """The same network and input at other addresses, one tensor after the other so that memory grows by one alone.

    Where weights lie decides which of them share lines of a cache and pages: some per cent of a time.
    """
    import torch

    with torch.no_grad():
        for tensor in (*ready.model.parameters(), *ready.model.buffers()):
            kept = tensor.data  # until its copy is made, so that the copy cannot take its place
            tensor.data = kept.clone()
        args = tuple(_copy(value) for value in ready.args)
        return replace(ready, args=args, kwargs={name: _copy(value) for name, value in ready.kwargs.items()})


def _copy(value: Any) -> Any:
    import torch

    return value.clone() if isinstance(value, torch.Tensor) else value


def release() -> None:
    """Give back what a network that is gone leaves: a process that waits must not take the next one's memory."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch is not None and torch.backends.mps.is_available():
        torch.mps.empty_cache()
    allocator.trim()
