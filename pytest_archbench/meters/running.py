"""A network ready to run on a device: built with its weights, in evaluation mode, threads pinned."""

from __future__ import annotations

import copy
import gc
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_archbench import inputs
from pytest_archbench.computing import torch_device
from pytest_archbench.meters import allocator
from pytest_archbench.meters.agreement import agreeing
from pytest_archbench.meters.runtimes import RUNTIMES, Run, holds_weights
from pytest_archbench.records import REDUCED, Architecture, Conditions

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Ready:
    """A network on its device, what runs it and what it is fed, and the type it computes in.

    ``notes`` say how far a variant's outputs are off the network's own.
    """

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dtype: str
    run: Run
    notes: tuple[str, ...] = ()

    def forward(self) -> Any:
        return self.run(*self.args, **self.kwargs)

    @property
    def fed(self) -> Any:
        """The shape of one image, as plain data."""
        return inputs.shapes(self.args, self.kwargs)


def prepare(architecture: Architecture, conditions: Conditions, *, check: bool = True) -> Ready:
    """The network and its input on the device, with the random weights of its own constructor, in the variant that is
    asked for: of any but the network as it is, outputs for one image are held first against those of the network.

    ``check``: whether they are; a process that must hold nothing but the variant has them checked elsewhere.

    Raises: whatever the constructor or a runtime raises; InvalidInput, WrongOutput, CannotMeasure.
    """
    import torch

    torch.set_num_threads(conditions.threads)
    torch.manual_seed(0)
    model = architecture.build()
    if not conditions.variant:
        return _as_it_is(model, architecture, conditions)
    model = copy.deepcopy(model)  # a constructor may hand out one network again and again
    if not check:
        return _let_go(_varied(_as_it_is(model, architecture, conditions), conditions), conditions)
    ready = _as_it_is(model, architecture, replace(conditions, batch_size=1))
    variant, note = agreeing(ready, lambda: _varied(ready, conditions), conditions)
    if conditions.batch_size > 1:
        run = None if holds_weights(conditions.runtime) else variant.run  # an engine is made for one shape
        variant = _run_by(_fed(variant.model, architecture, conditions), conditions, run)
    return _let_go(replace(variant, notes=(note,)), conditions)


def _let_go(ready: Ready, conditions: Conditions) -> Ready:
    """Without torch's copy of the weights where an engine has one of its own."""
    import torch

    return replace(ready, model=torch.nn.Identity()) if holds_weights(conditions.runtime) else ready


def _as_it_is(model: nn.Module, architecture: Architecture, conditions: Conditions) -> Ready:
    import torch
    from torch.nn.parameter import is_lazy

    ready = _fed(model.eval().to(torch_device(conditions.device)), architecture, conditions)
    if any(is_lazy(parameter) for parameter in model.parameters()):
        with torch.no_grad():  # the first pass tells lazy layers their shapes
            ready.forward()
    model.requires_grad_(False)
    return ready


def _fed(model: nn.Module, architecture: Architecture, conditions: Conditions) -> Ready:
    """A network on its device with an input of the batch that is asked for, in the network's own type."""
    _, dtype = inputs.fitting(model)
    spec = inputs.shape_of(architecture.input_shape, model)
    return Ready(model, *inputs.make(spec, conditions.batch_size, torch_device(conditions.device), dtype), dtype, model)


def _varied(ready: Ready, conditions: Conditions) -> Ready:
    """The network turned into the variant, in place: there need not be room for two."""
    import torch

    as_asked = {"dtype": getattr(torch, conditions.dtype)} if conditions.dtype in REDUCED else {}
    model = ready.model.to(**as_asked, memory_format=_layout(conditions))
    dtype = conditions.dtype if as_asked else ready.dtype
    return _run_by(replace(ready, model=model, run=model, dtype=dtype), conditions)


def _run_by(ready: Ready, conditions: Conditions, run: Run | None = None) -> Ready:
    """A network that is in its type and layout already, with its input in them too, and what runs it."""
    args = tuple(_as_variant(value, ready.dtype, _layout(conditions)) for value in ready.args)
    kwargs = {name: _as_variant(value, ready.dtype, _layout(conditions)) for name, value in ready.kwargs.items()}
    engine = RUNTIMES.get(conditions.runtime)
    if run is None:
        computed = replace(conditions, dtype=ready.dtype)
        run = engine(ready.model, args, kwargs, computed) if engine else ready.model
    return replace(ready, args=args, kwargs=kwargs, run=run)


def _layout(conditions: Conditions) -> Any:
    import torch

    return getattr(torch, conditions.memory_format.replace("contiguous", "contiguous_format"))


def _as_variant(value: Any, dtype: str, layout: Any) -> Any:
    """An input in the type and the layout of the variant; whole numbers stay what they are, and so do rows."""
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    value = value.to(getattr(torch, dtype)) if value.is_floating_point() else value
    return value.contiguous(memory_format=layout) if value.ndim == 4 else value


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
