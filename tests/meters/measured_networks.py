"""Networks of which time and memory are known beforehand; a measuring process imports them from here."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MIB = 2**20


class Sleeps(nn.Module):
    """Takes 5 ms, wherever it runs."""

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(0.005)
        return x


class Shifts(nn.Module):
    """Answers its input in float32, and 1 more in any other type."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + (self.weight.dtype != torch.float32)


@dataclass(frozen=True)
class Takes:
    """A constructor of a network that makes temporaries of some MiB, one after the other or all at once."""

    sizes: tuple[int, ...]
    at_once: bool = False

    def __call__(self) -> nn.Module:
        return Taking(self.sizes, self.at_once)


class Taking(nn.Module):
    """Two weights of 8 bytes together, and temporaries that live until the pass or their own step ends."""

    def __init__(self, sizes: tuple[int, ...], at_once: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.sizes, self.at_once = sizes, at_once

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for size in self.sizes:
            kept.append(torch.ones(size * MIB // 4))
            if not self.at_once:
                kept.clear()
        return x


class Keeps(nn.Module):
    """Takes 16 MiB in its first pass and keeps them: a cache that a running network has full."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.cache is None:
            self.cache = torch.ones(16 * MIB // 4)
        return x


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise LookupError(f"no memory of {tuple(x.shape)}")
