"""ENet as an ImageNet classifier, the one that Canziani et al. measured.

Published: 68.40 % top-1, 5.86 M parameters, 1.57 G operations (arXiv:1605.07678); no layer table. ENet's own paper
(arXiv:1606.02147) describes a segmentation network, whose encoder has only 0.35 M parameters. The topology is that of
"ENet V12" in one of its authors' log of training ENet on ImageNet (culurciello.github.io,
``_posts/2016-06-20-training-enet.markdown``): it "reached 68.4 % accuracy" with "1.6 G-ops". The blocks are those of
e-lab/ENet-training's ``train/models/encoder.lua``; that V12's first block does not narrow (``ibottleneck``, internal
scale 1), and the one linear layer behind global pooling, come from the model file of V14, V12 without dilation.

The result has 5 861 508 parameters and 779 341 568 multiply-adds, 1.559 G operations; the counter of Canziani et al.
adds one operation per output of a convolution, activation and addition, which makes it 1.57 G.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pytest_archbench.registry import architecture

CLASSES = 1000
EPSILON = 1e-3

# Inputs, outputs, internal scale, stride, dilation: 112 -> 56, 28, 14, 7 pixels.
BOTTLENECKS = (
    (16, 64, 1, 2, 1),
    (64, 128, 4, 1, 1),
    (128, 128, 4, 1, 1),
    (128, 256, 4, 2, 1),
    (256, 256, 4, 1, 1),
    (256, 256, 4, 1, 2),
    (256, 512, 4, 2, 1),
    (512, 512, 4, 1, 1),
    (512, 512, 4, 1, 4),
    (512, 1024, 4, 2, 1),
    (1024, 1024, 4, 1, 1),
    (1024, 1024, 4, 1, 8),
)

_norm = partial(nn.BatchNorm2d, eps=EPSILON)


class InitialBlock(nn.Module):
    """Thirteen filters beside the pooled image itself. (batch, 3, 224, 224) -> (batch, 16, 112, 112)."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv2d(3, 13, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.after = nn.Sequential(_norm(16), nn.PReLU(16))

    def forward(self, image: Tensor) -> Tensor:
        joined: Tensor = self.after(torch.cat([self.filters(image), self.pool(image)], dim=1))
        return joined


class Bottleneck(nn.Module):
    """Project, convolve, expand; added to the input, which is pooled and padded with zero channels where it must be.

    (batch, inputs, height, width) -> (batch, outputs, height / stride, width / stride).
    """

    def __init__(self, inputs: int, outputs: int, scale: int, stride: int, dilation: int, dropout: float) -> None:
        super().__init__()
        internal = outputs // scale
        self.main = nn.Sequential(
            nn.Conv2d(inputs, internal, stride, stride=stride, bias=False),
            _norm(internal),
            nn.PReLU(internal),
            nn.Conv2d(internal, internal, 3, padding=dilation, dilation=dilation),
            _norm(internal),
            nn.PReLU(internal),
            nn.Conv2d(internal, outputs, 1, bias=False),
            _norm(outputs),
            nn.Dropout2d(dropout),
        )
        self.pool = nn.MaxPool2d(2) if stride == 2 else nn.Identity()
        self.new_channels = outputs - inputs
        self.after = nn.PReLU(outputs)

    def forward(self, features: Tensor) -> Tensor:
        other = self.pool(features)
        if self.new_channels:
            other = F.pad(other, (0, 0, 0, 0, 0, self.new_channels))
        total: Tensor = self.after(self.main(features) + other)
        return total


@architecture("enet", family="enet", paper="arXiv:1606.02147")
def enet() -> nn.Sequential:
    """ENet V12. (batch, 3, 224, 224) -> (batch, 1000)."""
    bottlenecks = [
        Bottleneck(*row, dropout=0.01 if position < 5 else 0.1)  # the first five regularise less
        for position, row in enumerate(BOTTLENECKS)
    ]
    return nn.Sequential(
        InitialBlock(),
        *bottlenecks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1024, CLASSES),
    )
