"""What the tests of architectures count: networks without memory behind them, their layers and multiply-adds."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

ModuleFilter = type[nn.Module] | tuple[type[nn.Module], ...]


def built(build: Callable[[], nn.Module]) -> nn.Module:
    """A network without memory behind it, ready to count."""
    with torch.device("meta"):
        return build().eval().requires_grad_(False)


def macs(network: nn.Module, shape: tuple[int, ...]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, *shape, device="meta"))
    return int(counter.get_total_flops()) // 2


def params(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def outputs_of(network: nn.Module, kinds: ModuleFilter, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """What every layer of some kinds gives for one image, by the layer's name."""
    seen: dict[str, Tensor] = {}
    for name, layer in network.named_modules():
        if isinstance(layer, kinds):
            layer.register_forward_hook(lambda _m, _i, out, name=name: seen.setdefault(name, out))
    with torch.no_grad():
        network(torch.empty(1, *shape, device="meta"))
    return seen


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
