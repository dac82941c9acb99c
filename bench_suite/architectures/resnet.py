"""ResNets: stride in the 3x3 convolution (Torch7, torchvision) or in the first 1x1 (Caffe, as published)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench_suite.providers import torchvision_entry, torchvision_model
from pytest_archbench.records import Architecture
from pytest_archbench.registry import add_architecture, architecture

if TYPE_CHECKING:
    from torch import nn

PAPER = "arXiv:1512.03385"


def caffe_resnet(depth: int) -> nn.Module:
    """He et al.'s own ResNet of ``depth`` 50, 101 or 152, with torchvision's parameter names.

    Where a block halves the size its first 1x1 convolution has the stride, so its 3x3 works on a quarter of the
    positions. Caffe pools without padding and rounds the size up.
    """
    from torch import nn
    from torchvision.models.resnet import Bottleneck

    model: nn.Module = torchvision_model(f"resnet{depth}")()
    model.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
    for block in model.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


@architecture("fb_resnet152", family="resnet", paper=PAPER, provider="torchvision", aliases=("fbresnet152",))
def fb_resnet152() -> nn.Module:
    """ResNet-152 of fb.resnet.torch: in its released weights each convolution has a bias before batch normalisation."""
    import torch
    from torch import nn

    model: nn.Module = torchvision_model("resnet152")()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
    return model


for depth in (18, 34, 50, 101, 152):
    name = f"resnet{depth}"
    add_architecture(torchvision_entry(name, "resnet", paper=PAPER))

for depth in (50, 101, 152):
    add_architecture(
        Architecture(
            name=f"caffe_resnet{depth}",
            family="resnet",
            build=partial(caffe_resnet, depth),
            paper=PAPER,
            provider="torchvision",
            aliases=(f"cafferesnet{depth}",),
        )
    )
