"""What a network is fed: one shape, several, a mapping of names to shapes, tensors, or a callable that makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Inputs = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of a forward pass."""

DEFAULT_SHAPE = (3, 224, 224)


class InvalidInput(ValueError):
    """A description of inputs that none of the forms fits."""


def shape_of(spec: Any, model: nn.Module) -> Any:
    """``spec`` itself, or what the model says of its input where ``spec`` is None (timm's ``default_cfg``)."""
    if spec is not None:
        return spec
    said = getattr(model, "default_cfg", None)
    return tuple(said["input_size"]) if isinstance(said, Mapping) and "input_size" in said else DEFAULT_SHAPE


def make(spec: Any, batch_size: int, device: str, dtype: str = "float32", seed: int = 0) -> Inputs:
    """Tensors for ``spec`` on ``device``, the batch dimension put in front of every shape.

    ``spec`` is a shape ``(channels, height, width)``; a list of shapes (several positional tensors); a mapping
    of argument names to shapes; or a callable ``batch_size -> tensor | sequence | mapping``. Wherever a shape
    may stand a tensor may stand, which is used as it is. Values are standard normal from ``seed``.

    Raises: InvalidInput where the form is none of these.
    """
    import torch  # a second to import: only where a case runs

    generator = torch.Generator().manual_seed(seed)

    def tensor(item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            return item.to(device)
        if not is_shape(item):
            raise InvalidInput(f"input: expected a shape such as (3, 224, 224) or a tensor; got {item!r}")
        shape = (batch_size, *item)
        kind = getattr(torch, dtype)
        if device == "meta":
            return torch.empty(shape, dtype=kind, device="meta")
        return torch.randn(shape, generator=generator).to(device=device, dtype=kind)

    made = spec(batch_size) if callable(spec) else spec
    if isinstance(made, Mapping):
        return (), {name: tensor(item) for name, item in made.items()}
    if isinstance(made, torch.Tensor) or is_shape(made):
        return (tensor(made),), {}
    if isinstance(made, Sequence) and not isinstance(made, str) and made:
        return tuple(tensor(item) for item in made), {}
    raise InvalidInput(
        f"input: expected a shape, a list of shapes, a mapping of names to shapes or a callable; got {spec!r}"
    )


def fitting(model: nn.Module) -> tuple[str, str]:
    """The device and the floating-point type of a model's tensors, which its input must have; else CPU, float32."""
    tensors = [*model.parameters(), *model.buffers()]
    device = next((str(tensor.device) for tensor in tensors), "cpu")
    dtype = next((str(t.dtype) for t in tensors if t.is_floating_point() or t.is_complex()), "torch.float32")
    return device, dtype.removeprefix("torch.")


def plain(spec: Any) -> Any:
    """``spec`` as data for a journal where it is plain shapes; None where it is tensors or a callable."""
    if is_shape(spec):
        return list(map(int, spec))
    if isinstance(spec, Mapping) and all(map(is_shape, spec.values())):
        return {str(name): list(map(int, shape)) for name, shape in spec.items()}
    if isinstance(spec, Sequence) and spec and all(map(is_shape, spec)):
        return [list(map(int, shape)) for shape in spec]
    return None


def is_shape(item: Any) -> bool:
    """Whether ``item`` is one shape: a non-empty sequence of positive integers, numpy's included."""
    return (
        isinstance(item, Sequence)
        and not isinstance(item, str)
        and bool(item)
        and all(isinstance(size, Integral) and not isinstance(size, bool) and int(size) > 0 for size in item)
    )


def shapes(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The shapes of made inputs without the batch dimension, as plain data: one, a list, or a mapping by name."""
    if kwargs:
        return {name: list(tensor.shape[1:]) for name, tensor in kwargs.items()}
    each = [list(tensor.shape[1:]) for tensor in args]
    return each[0] if len(each) == 1 else each
