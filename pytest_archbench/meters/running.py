"""A network ready to run on a device: built with its weights, in evaluation mode, threads pinned."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_archbench import inputs
from pytest_archbench.computing import torch_device
from pytest_archbench.meters import CannotMeasure, allocator
from pytest_archbench.meters.runtimes import RUNTIMES, Run, holds_weights
from pytest_archbench.records import REDUCED, Architecture, Conditions

if TYPE_CHECKING:
    import torch
    from torch import nn


class WrongOutput(ValueError):
    """A variant of a network answers something else than the network; the message says how far off it is."""


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


def prepare(architecture: Architecture, conditions: Conditions) -> Ready:
    """The network and its input on the device, with the random weights of its own constructor, in the variant that is
    asked for: outputs of any but the network as it is are held against its own, for the same weights and input.

    Raises: whatever the constructor or a runtime raises; InvalidInput, WrongOutput, CannotMeasure.
    """
    ready = _as_it_is(architecture, conditions)
    return _checked(ready, _varied(ready, conditions), conditions) if conditions.variant else ready


def _as_it_is(architecture: Architecture, conditions: Conditions) -> Ready:
    import torch
    from torch.nn.parameter import is_lazy

    torch.set_num_threads(conditions.threads)
    torch.manual_seed(0)
    device = torch_device(conditions.device)
    model = architecture.build().eval().to(device)
    _, dtype = inputs.fitting(model)
    spec = inputs.shape_of(architecture.input_shape, model)
    ready = Ready(model, *inputs.make(spec, conditions.batch_size, device, dtype), dtype, run=model)
    if any(is_lazy(parameter) for parameter in model.parameters()):
        with torch.no_grad():  # the first pass tells lazy layers their shapes
            ready.forward()
    model.requires_grad_(False)
    return ready


def _checked(ready: Ready, varied: Callable[[], Ready], conditions: Conditions) -> Ready:
    """A variant whose outputs agree with the network's own, which are computed first: it takes the weights over.

    The distance is that of all outputs together, ||variant - own|| / ||own||. Raises: WrongOutput, CannotMeasure.
    """
    import torch

    if _is_wild(ready, conditions.dtype):
        _settle(ready)
    with torch.inference_mode():
        expected = _numbers(ready.forward())
        if not bool(expected.isfinite().all()):
            raise CannotMeasure("the network's own outputs are not finite, so that no variant can be held against them")
        variant = varied()
        got = _numbers(_answered(variant))
    limit = TOLERANCES.get(conditions.dtype, TOLERANCES["float32"])
    if got.shape != expected.shape:
        raise WrongOutput(f"{conditions.variant}: expected {expected.numel()} output values; got {got.numel()}")
    off = float((got - expected).norm() / expected.norm())
    if not off <= limit:
        distance = f"{off:.2%} off" if math.isfinite(off) else "not finite, unlike"
        wrong = f"its outputs are {distance} the network's own in {ready.dtype}, where {limit:.2%} is allowed"
        raise WrongOutput(f"{conditions.variant}: {wrong}: nothing of it is measured")
    said = f"outputs {off:.2g} off the network's own (relative norm of all outputs; {limit:g} is allowed)"
    return replace(variant, notes=(said,))


def _answered(ready: Ready) -> Any:
    """What a variant answers. Raises: CannotMeasure where torch has an operator of it in no such type."""
    try:
        return ready.forward()
    except RuntimeError as error:
        if any(sign in str(error) for sign in UNWRITTEN):
            raise CannotMeasure(f"torch cannot compute it in {ready.dtype}: {error}") from None
        raise


UNWRITTEN = ("not implemented for 'Half'", "not implemented for 'BFloat16'")

NOISE, CHAOTIC = 2.0**-8, 0.01
"""Relative noise in an input, as large as bfloat16 rounds, and the relative change of the outputs from which on they
say nothing of a variant. Of the seeds with random weights two change by 0.05 and 0.5, the others by 0.006 at most."""
TINY, HUGE = 1e-3, 1e3
"""Outputs outside hang on activations that float16 cannot hold; a few of the seeds answer up to 1e13, one 1e-8."""


def _is_wild(ready: Ready, dtype: str) -> bool:
    """Whether a little noise in the input makes other outputs, or these are of no size for float16."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def noisy(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        noise = torch.randn(value.shape, generator=generator).to(value)
        return value + NOISE * value.std() * noise if value.numel() > 1 else value

    kwargs = {name: noisy(value) for name, value in ready.kwargs.items()}
    with torch.inference_mode():
        plain = _numbers(ready.forward())
        other = _numbers(ready.run(*map(noisy, ready.args), **kwargs))
    is_chaotic = bool((other - plain).norm() > CHAOTIC * plain.norm())
    return is_chaotic or (dtype == "float16" and not TINY < float(plain.abs().max()) < HUGE)


def _settle(ready: Ready) -> None:
    """Have batch normalisation bring what it gets to the size that trained weights would give it.

    With the statistics of its constructor random weights may let activations grow from layer to layer, until a deep
    network's output hangs on the last bit: the very same one in another order of sums answers half as much. The mean is
    left in: for random weights and noise most of an activation is mean, and without it rounding errors would grow.
    """
    import torch

    def to_size(norm: Any, given: tuple[torch.Tensor, ...]) -> None:
        others = [axis for axis in range(given[0].ndim) if axis != 1]
        norm.running_mean.zero_()
        norm.running_var.copy_(given[0].square().mean(others))

    norms = (each for each in ready.model.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm))
    hooks = [each.register_forward_pre_hook(to_size) for each in norms if each.running_var is not None]
    with torch.no_grad():
        ready.forward()
    for hook in hooks:
        hook.remove()


TOLERANCES = {"float32": 1e-3, "float16": 5e-2, "bfloat16": 1e-1}
"""Relative distance of outputs that is allowed, by the type that is computed in."""


def _varied(ready: Ready, conditions: Conditions) -> Callable[[], Ready]:
    """Turns the network into the variant, in place: there need not be room for two."""
    import torch

    def made() -> Ready:
        as_asked = {"dtype": getattr(torch, conditions.dtype)} if conditions.dtype in REDUCED else {}
        layout = getattr(torch, conditions.memory_format.replace("contiguous", "contiguous_format"))
        model = ready.model.to(**as_asked, memory_format=layout)
        args = tuple(_as_variant(value, as_asked, layout) for value in ready.args)
        kwargs = {name: _as_variant(value, as_asked, layout) for name, value in ready.kwargs.items()}
        run = RUNTIMES[conditions.runtime](model, args, kwargs, conditions) if conditions.runtime in RUNTIMES else model
        kept = torch.nn.Identity() if holds_weights(conditions.runtime) else model
        return Ready(kept, args, kwargs, conditions.dtype if as_asked else ready.dtype, run)

    return made


def _as_variant(value: Any, as_asked: Mapping[str, Any], layout: Any) -> Any:
    """An input in the type and the layout of the variant; whole numbers stay what they are, and so do rows."""
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    value = value.to(**as_asked) if value.is_floating_point() else value
    return value.contiguous(memory_format=layout) if value.ndim == 4 else value


def _numbers(output: Any) -> torch.Tensor:
    """Every number of a network's output, in float32 and one row; tensors, or lists, tuples and mappings of them."""
    import torch

    return torch.cat([each.detach().float().flatten() for each in _tensors(output)] or [torch.zeros(0)])


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    import torch

    if isinstance(output, torch.Tensor):
        yield output
    inner = output.values() if isinstance(output, Mapping) else output
    if isinstance(output, Mapping | list | tuple):
        for each in inner:
            yield from _tensors(each)


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
