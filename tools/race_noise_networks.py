"""What the noise race times: a network as it is, and the same network slowed by a known share of its own time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import nn

from pytest_archbench.records import Architecture

NETWORKS = ("resnet18", "mobilenet_v2")
UNCHANGED, SLOWED = "unchanged", "slowed"
WARM_UP = 5
"""Passes of both networks of a process before either is timed, so that neither has the cold start alone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How to race. ``seconds``: for how long a process samples one network; ``nightly_seconds``: for how long all the
    processes of a nightly run do together; ``tolerance``: relative, that of the verdicts on pairs.
    """

    network: str
    seconds: float
    nightly_seconds: float
    tolerance: float


class Slowed(nn.Module):
    """A network that takes ``fraction`` more of its own time, whatever the machine's pace: it spins when it is done."""

    def __init__(self, network: nn.Module, fraction: float) -> None:
        super().__init__()
        if not fraction >= 0:
            raise ValueError(f"slowed: expected a fraction of at least 0; got {fraction!r}")
        self.network, self.fraction = network, fraction

    def forward(self, *args: Any) -> Any:
        start = perf_counter()
        answer = self.network(*args)
        now = perf_counter()
        end = now + (now - start) * self.fraction
        while now < end:
            now = perf_counter()
        return answer


def build(name: str, fraction: float) -> nn.Module:
    """A torchvision network with random weights; it can be built in any process that finds this file."""
    import torchvision.models

    network: nn.Module = getattr(torchvision.models, name)()
    return Slowed(network, fraction) if fraction else network


def architecture(name: str, fraction: float = 0.0) -> Architecture:
    """The network as the plugin is given it, of one name whether slowed or not: they are to be compared."""
    return Architecture(name, name, partial(build, name, fraction))


def passes(name: str, fraction: float) -> dict[str, Callable[[], Any]]:
    """A forward pass of either kind in this process, on one thread, warmed up."""
    torch.set_num_threads(1)
    found = {kind: _forward(build(name, each)) for kind, each in ((UNCHANGED, 0.0), (SLOWED, fraction))}
    for forward in found.values():
        for _ in range(WARM_UP):
            forward()
    return found


def _forward(network: nn.Module) -> Callable[[], Any]:
    network.eval().requires_grad_(False)
    image = torch.randn(1, 3, 224, 224)

    def forward() -> Any:
        with torch.inference_mode():
            return network(image)

    return forward
