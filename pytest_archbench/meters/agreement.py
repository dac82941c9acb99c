"""Whether a variant of a network answers what the network answers, to the rounding of its type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_archbench.computing import torch_device
from pytest_archbench.meters import CannotMeasure
from pytest_archbench.records import Conditions

if TYPE_CHECKING:
    import torch

    from pytest_archbench.meters.running import Ready


class WrongOutput(ValueError):
    """A variant of a network answers something else than the network; the message says how far off it is."""


TOLERANCES = {"float32": 1e-3, "tf32": 2e-2, "float16": 5e-2, "bfloat16": 1e-1}
"""Relative distance of outputs that is allowed, by the type that is computed in; ``tf32`` is float32 on CUDA, which the
network and its variant may round to TF32 in different places."""

NOISE, CHAOTIC = 2.0**-8, 0.01
"""Relative noise in an input, as large as bfloat16 rounds, and the relative change of the outputs from which on they
say nothing of a variant. Of the seeds with random weights two change by 0.05 and 0.5, the others by 0.006 at most."""
TINY, HUGE = 1e-3, 1e3
"""Outputs outside hang on activations that float16 cannot hold; a few of the seeds answer up to 1e13, one 1e-8."""


def agreeing(ready: Ready, varied: Callable[[], Ready], conditions: Conditions) -> tuple[Ready, str]:
    """The variant that ``varied`` turns ``ready`` into, and a note of how far its outputs are off the network's own,
    which are computed first, for the same weights and input.

    The distance is that of all outputs together, ||variant - own|| / ||own||.

    Raises: WrongOutput; CannotMeasure where there is nothing to compare.
    """
    import torch

    with torch.inference_mode():
        expected = _numbers(_answer(ready))
    if _is_wild(ready, expected, conditions.dtype):
        _settle(ready)
        with torch.inference_mode():
            expected = _numbers(_answer(ready))
    if not expected.numel():
        raise CannotMeasure("the network answers no numbers, so that no variant can be held against it")
    if not bool(expected.isfinite().all()):
        raise CannotMeasure("the network's own outputs are not finite, so that no variant can be held against them")
    with torch.inference_mode():
        variant = varied()
        got = _numbers(_answered(variant))
    limit = _limit(variant.dtype, conditions.device)
    off = _distance(got, expected, conditions.variant)
    if not off <= limit:
        distance = f"{off:.2%} off" if math.isfinite(off) else "not finite, unlike"
        wrong = f"its outputs are {distance} the network's own in {ready.dtype}, where {limit:.2%} is allowed"
        raise WrongOutput(f"{conditions.variant}: {wrong}: nothing of it is measured")
    return variant, f"outputs {off:.2g} off the network's own (relative norm of all outputs; {limit:g} is allowed)"


def _limit(dtype: str, device: str) -> float:
    is_rounded = dtype == "float32" and torch_device(device).startswith("cuda")
    return TOLERANCES["tf32" if is_rounded else dtype] if dtype in TOLERANCES else TOLERANCES["float32"]


def _distance(got: torch.Tensor, expected: torch.Tensor, variant: str) -> float:
    """||got - expected|| / ||expected||; 0 for two that are 0. Raises: WrongOutput for another number of values."""
    if got.shape != expected.shape:
        raise WrongOutput(f"{variant}: expected {expected.numel()} output values; got {got.numel()}")
    size, difference = float(expected.norm()), float((got - expected).norm())
    return difference / size if size else difference


def _answer(ready: Ready, changed: Callable[[torch.Tensor], torch.Tensor] = lambda value: value) -> Any:
    """What a network answers to a copy of its input: one that computes in place would change the next pass's."""
    import torch

    def copied(value: Any) -> Any:
        return changed(value.clone()) if isinstance(value, torch.Tensor) else value

    return ready.run(*map(copied, ready.args), **{name: copied(value) for name, value in ready.kwargs.items()})


def _answered(ready: Ready) -> Any:
    """What a variant answers. Raises: CannotMeasure where torch has an operator of it in no such type."""
    try:
        return _answer(ready)
    except RuntimeError as error:
        if any(sign in str(error) for sign in UNWRITTEN):
            raise CannotMeasure(f"torch cannot compute it in {ready.dtype}: {error}") from None
        raise


UNWRITTEN = ("not implemented for 'Half'", "not implemented for 'BFloat16'")


def _is_wild(ready: Ready, plain: torch.Tensor, dtype: str) -> bool:
    """Whether a little noise in the input makes other outputs than ``plain``, or these are of no size for float16."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def noisy(value: torch.Tensor) -> torch.Tensor:
        if not value.is_floating_point() or value.numel() < 2:
            return value
        return value + NOISE * value.std() * torch.randn(value.shape, generator=generator).to(value)

    if not plain.numel():
        return False
    with torch.inference_mode():
        other = _numbers(_answer(ready, noisy))
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
        _answer(ready)
    for hook in hooks:
        hook.remove()


def _numbers(output: Any) -> torch.Tensor:
    """Every number of a network's output, in float32 and one row; tensors, or lists, tuples and mappings of them."""
    import torch

    def real(tensor: torch.Tensor) -> torch.Tensor:
        return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor

    found = [real(each.detach()).float().flatten() for each in _tensors(output)]
    return torch.cat(found) if found else torch.zeros(0)


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    import torch

    if isinstance(output, torch.Tensor):
        yield output
    inner = output.values() if isinstance(output, Mapping) else output
    if isinstance(output, Mapping | list | tuple):
        for each in inner:
            yield from _tensors(each)
