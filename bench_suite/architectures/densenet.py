"""DenseNets, and the 264 layers that no library has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_suite.providers import torchvision_entry
from pytest_archbench.registry import add_architecture, architecture

if TYPE_CHECKING:
    from torch import nn

PAPER = "arXiv:1608.06993"

for depth in (121, 161, 169, 201):
    name = f"densenet{depth}"
    add_architecture(torchvision_entry(name, "densenet", paper=PAPER))


@architecture("densenet264", family="densenet", paper=PAPER, provider="torchvision")
def densenet264() -> nn.Module:
    """DenseNet-264 (k = 32) of the paper's Table 1, from torchvision's blocks."""
    from torchvision.models import DenseNet

    model: nn.Module = DenseNet(growth_rate=32, block_config=(6, 12, 64, 48), num_init_features=64)
    return model
