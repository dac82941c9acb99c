"""What a count can be made of: elements and multiply-adds by kind of operator, for one network at one input size.

A published count that differs from ours usually differs by its recipe: biases, batch normalisation, activations or
pooling counted too, linear layers left out. With the ingredients at hand a recipe can be proved on the figure itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pytest_archbench.counting import count
from pytest_archbench.counting.formulas import MACS

Recipe = Callable[..., Mapping[str, int]]


def _elements(name: str) -> Recipe:
    """``name`` = elements written."""
    return lambda out, *_: {name: out.numel()}


def _pooling(name: str) -> Recipe:
    """``name_in``, ``name_out`` = elements read and written; ``name_window`` = elements written times the window."""

    def recipe(out: Any, x: Tensor, window: Sequence[int], *_: Any) -> Mapping[str, int]:
        written = _first(out).numel()
        return {f"{name}_in": x.numel(), f"{name}_out": written, f"{name}_window": written * prod(window)}

    return recipe


def _first(out: Any) -> Tensor:
    return out if isinstance(out, Tensor) else out[0]


def _convolution(out: Tensor, x: Tensor, w: Tensor, bias: Tensor | None, *rest: Any) -> Mapping[str, int]:
    groups = rest[-1]
    macs = MACS["aten.convolution"](out, x, w, bias, *rest)
    return {
        "conv": macs,
        "conv_ungrouped_extra": macs * (groups - 1),
        "conv_depthwise": macs if groups == x.shape[1] > 1 else 0,
        "conv_out": out.numel(),
        "conv_bias": 0 if bias is None else out.numel(),
        "conv_pairs": 0 if bias is not None else prod(w.shape[:2]),
    }


def _linear(out: Tensor, bias: Tensor, a: Tensor, b: Tensor, *_: Any) -> Mapping[str, int]:
    return {"linear": MACS["aten.addmm"](out, bias, a, b), "linear_out": out.numel(), "linear_bias": out.numel()}


def _linear_without_bias(out: Tensor, a: Tensor, b: Tensor, *_: Any) -> Mapping[str, int]:
    return {"linear": MACS["aten.mm"](out, a, b), "linear_out": out.numel()}


def _mean(out: Tensor, x: Tensor, *_: Any) -> Mapping[str, int]:
    return {"gap_in": x.numel(), "gap_out": out.numel()}


def _batch_norm(_out: Any, x: Tensor, *_: Any) -> Mapping[str, int]:
    return {"bn": x.numel()}


def _layer_norm(_out: Any, x: Tensor, *_: Any) -> Mapping[str, int]:
    return {"ln": x.numel()}


def _group_norm(_out: Any, x: Tensor, *_: Any) -> Mapping[str, int]:
    return {"gn": x.numel()}


RECIPES: dict[str, Recipe] = {
    "aten.convolution": _convolution,
    "aten.addmm": _linear,
    "aten.mm": _linear_without_bias,
    "aten.bmm": lambda out, a, b: {"matmul": MACS["aten.bmm"](out, a, b), "matmul_out": out.numel()},
    "aten.baddbmm": lambda out, c, a, b, *_: {"matmul": MACS["aten.baddbmm"](out, c, a, b), "matmul_out": out.numel()},
    "aten.native_batch_norm": _batch_norm,
    "aten._native_batch_norm_legit_no_training": _batch_norm,
    "aten.native_layer_norm": _layer_norm,
    "aten.native_group_norm": _group_norm,
    "aten.relu": _elements("relu"),
    "aten.relu_": _elements("relu"),
    "aten.hardtanh": _elements("relu6"),
    "aten.hardtanh_": _elements("relu6"),
    "aten.sigmoid": _elements("sigmoid"),
    "aten.max_pool2d_with_indices": _pooling("maxpool"),
    "aten.avg_pool2d": _pooling("avgpool"),
    "aten._adaptive_avg_pool2d": _mean,
    "aten.mean": _mean,
    "aten.add": lambda out, *_: {"add": out.numel()},
    "aten.add_": lambda out, *_: {"add": out.numel()},
    "aten.mul": lambda out, *_: {"mul": out.numel()},
    "aten.cat": _elements("cat"),
    "aten.native_dropout": _elements("dropout"),
}


class NotCounted(RuntimeError):
    """The counter has no formula for an operator, or the ingredients do not add up to its count."""


class _Gathering(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operator: Any, _types: Any, arguments: tuple[Any, ...] = (), keywords: Mapping[str, Any] | None = None
    ) -> Any:
        out = operator(*arguments, **(keywords or {}))
        name = str(operator.overloadpacket)
        if name in RECIPES:
            self.found.update(RECIPES[name](out, *arguments))
        elif name in MACS:  # fused attention and other products; shapes alone tell their share
            self.found["attention"] += MACS[name](out, *arguments)
        return out


def ingredients(model: nn.Module, shape: tuple[int, ...]) -> dict[str, int]:
    """Counts of ``model`` on the meta device for one input of shape ``(channels, height, width)``.

    Beside the ingredients stand our own ``macs``, ``params``, ``activations`` and ``model_size``, and of the batch
    normalisation layers the number of channels (``bn_channels``: one running mean and one variance each).
    """
    inputs = torch.empty(1, *shape, device="meta")
    gathering = _Gathering()
    with torch.no_grad(), gathering:
        model(inputs)
    ours = count(model, (inputs,))
    if ours.uncounted:
        raise NotCounted(f"operators without a formula: {', '.join(ours.uncounted)}")
    products = sum(gathering.found[name] for name in ("conv", "linear", "matmul", "attention"))
    if products != ours.macs:
        raise NotCounted(f"ingredients add up to {products}, the counter says {ours.macs}")
    norms = [
        m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.running_mean is not None
    ]
    return dict(gathering.found) | {
        "macs": ours.macs,
        "params": ours.params,
        "activations": ours.activations,
        "model_size": ours.model_size,
        "bn_channels": sum(norm.num_features for norm in norms),
        "conv_bias_params": sum(_bias(m) for m in model.modules() if isinstance(m, nn.Conv2d)),
        "linear_bias_params": sum(_bias(m) for m in model.modules() if isinstance(m, nn.Linear)),
        "linear_params": sum(prod(m.weight.shape) for m in model.modules() if isinstance(m, nn.Linear)),
        "bias_params": sum(_bias(m) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))),
        "bn_params": sum(2 * norm.num_features for norm in norms if norm.affine),
    }


def _bias(layer: nn.Module) -> int:
    bias = getattr(layer, "bias", None)
    return bias.numel() if isinstance(bias, Tensor) else 0
