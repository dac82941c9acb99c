"""Shapes without kernels: what common operators would return on the meta device, answered in Python.

Only shapes, dtypes and device are kept, which is all that counting reads. An answer is given only where
the arguments are plainly valid and simple; anything else returns NotImplemented and goes to torch's own meta kernel,
which also raises torch's own errors for a network that would not run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

Answer = Callable[..., Any]

ANSWERS: dict[Any, Answer] = {}
"""Operator overload -> ``answer(*arguments)``: the output, or NotImplemented."""


def _answers(*overloads: Any) -> Callable[[Answer], Answer]:
    def register(answer: Answer) -> Answer:
        ANSWERS.update(dict.fromkeys(overloads, answer))
        return answer

    return register


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device="meta")


@_answers(aten.convolution.default)
def convolution(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    _output_padding: Sequence[int],
    groups: int,
) -> Any:
    if x.dim() < 3 or w.dim() < 3:
        return NotImplemented
    n, channels, *size = x.shape
    out_channels, in_per_group, *kernel = w.shape
    if (
        transposed
        or not len(size) == len(kernel) == len(stride) == len(padding) == len(dilation)
        or channels != in_per_group * groups
        or groups < 1
        or out_channels % groups
        or min(stride) < 1
        or (bias is not None and bias.shape != (out_channels,))
        or x.dtype != w.dtype
    ):
        return NotImplemented
    out = [
        (s + 2 * p - d * (k - 1) - 1) // step + 1
        for s, k, step, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    ]
    return _empty([n, out_channels, *out], x) if min(out) > 0 else NotImplemented


@_answers(aten.native_batch_norm.default)
def batch_norm(
    x: Tensor, w: Tensor | None, b: Tensor | None, mean: Tensor | None, var: Tensor | None, training: bool, *_: float
) -> Any:
    channels = x.shape[1:2]
    if (
        x.dim() < 2
        or x.dtype != torch.float32
        or training
        or any(t is None or t.shape != channels for t in (w, b, mean, var))
    ):
        return NotImplemented
    unused = _empty(channels, x)
    return x.detach(), unused, unused


@_answers(aten.addmm.default)
def addmm(bias: Tensor, a: Tensor, b: Tensor, **_: float) -> Any:
    if a.dim() != 2 or b.dim() != 2:
        return NotImplemented
    n, m = a.shape
    if b.shape[0] != m or bias.shape != b.shape[1:] or not a.dtype == b.dtype == bias.dtype:
        return NotImplemented
    return _empty((n, b.shape[1]), a)


@_answers(
    aten.relu_.default, aten.silu_.default, aten.hardtanh_.default, aten.hardswish_.default, aten.leaky_relu_.default
)
def in_place(x: Tensor, *_: float) -> Any:
    return x if x.is_floating_point() else NotImplemented


@_answers(
    aten.relu.default,
    aten.silu.default,
    aten.sigmoid.default,
    aten.hardtanh.default,
    aten.hardswish.default,
    aten.hardsigmoid.default,
)
def same_shape(x: Tensor, *_: float) -> Any:
    return x.detach() if x.is_floating_point() else NotImplemented


@_answers(aten.gelu.default)
def gelu(x: Tensor, *, approximate: str = "none") -> Any:
    return same_shape(x) if approximate in ("none", "tanh") else NotImplemented


@_answers(aten.add.Tensor, aten.mul.Tensor, aten.sub.Tensor, aten.div.Tensor)
def binary(x: Tensor, other: Any, **_: float) -> Any:
    if isinstance(other, Tensor) and other.shape == x.shape and other.dtype == x.dtype and x.is_floating_point():
        return x.detach()
    return NotImplemented


@_answers(aten.add_.Tensor, aten.mul_.Tensor)
def binary_in_place(x: Tensor, other: Any, **_: float) -> Any:
    if isinstance(other, Tensor) and other.shape == x.shape and other.dtype == x.dtype and x.is_floating_point():
        return x
    return NotImplemented


@_answers(aten.cat.default)
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Any:
    if not tensors or not -tensors[0].dim() <= dim < tensors[0].dim():
        return NotImplemented
    first = tensors[0]
    shape = list(first.shape)
    dim %= len(shape)
    total = 0
    for tensor in tensors:
        size = list(tensor.shape)
        if tensor.dtype != first.dtype or len(size) != len(shape):
            return NotImplemented
        total += size[dim]
        size[dim] = shape[dim]
        if size != shape:
            return NotImplemented
    shape[dim] = total
    return _empty(shape, first)
