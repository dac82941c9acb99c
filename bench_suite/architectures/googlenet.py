"""GoogLeNet: torchvision's with batch normalisation, and the Caffe model zoo's without."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench_suite.providers import torchvision_entry
from pytest_archbench.registry import add_architecture, architecture

PAPER = "arXiv:1409.4842"

add_architecture(torchvision_entry("googlenet", "googlenet", paper=PAPER))


class Inception(NamedTuple):
    """Channels out of each convolution of an Inception module, and the stride of the max pooling before it."""

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int
    stride: int = 1


MODULES = {
    "3a": Inception(64, 96, 128, 16, 32, 32),
    "3b": Inception(128, 128, 192, 32, 96, 64),
    "4a": Inception(192, 96, 208, 16, 48, 64, stride=2),
    "4b": Inception(160, 112, 224, 24, 64, 64),
    "4c": Inception(128, 128, 256, 24, 64, 64),
    "4d": Inception(112, 144, 288, 32, 64, 64),
    "4e": Inception(256, 160, 320, 32, 128, 128),
    "5a": Inception(256, 160, 320, 32, 128, 128, stride=2),
    "5b": Inception(384, 192, 384, 48, 128, 128),
}


class CaffeGoogLeNet(nn.Module):
    """The network of BVLC's model zoo, parameters named after its layers with ``_`` for ``/``.

    Input ``(batch, 3, 224, 224)``, output ``(batch, 1000)``. The auxiliary classifiers serve training only and are
    left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1_7x7_s2 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.conv2_3x3_reduce = nn.Conv2d(64, 64, 1)
        self.conv2_3x3 = nn.Conv2d(64, 192, 3, padding=1)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        channels = 192
        for name, width in MODULES.items():
            self._add(f"inception_{name}_1x1", channels, width.one, 1)
            self._add(f"inception_{name}_3x3_reduce", channels, width.three_reduce, 1)
            self._add(f"inception_{name}_3x3", width.three_reduce, width.three, 3)
            self._add(f"inception_{name}_5x5_reduce", channels, width.five_reduce, 1)
            self._add(f"inception_{name}_5x5", width.five_reduce, width.five, 5)
            self._add(f"inception_{name}_pool_proj", channels, width.pool, 1)
            channels = width.one + width.three + width.five + width.pool
        self.drop = nn.Dropout(0.4)
        self.loss3_classifier_1 = nn.Linear(channels, 1000)

    def _add(self, name: str, channels_in: int, channels_out: int, kernel: int) -> None:
        self.add_module(name, nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(shrink(self._convolve(x, "conv1_7x7_s2")))
        x = shrink(self.norm(self._convolve(x, "conv2_3x3_reduce", "conv2_3x3")))
        for name, width in MODULES.items():
            x = self._inception(f"inception_{name}", shrink(x) if width.stride == 2 else x)
        scores: Tensor = self.loss3_classifier_1(self.drop(x.mean((2, 3))))
        return scores

    def _inception(self, name: str, x: Tensor) -> Tensor:
        branches = (
            self._convolve(x, f"{name}_1x1"),
            self._convolve(x, f"{name}_3x3_reduce", f"{name}_3x3"),
            self._convolve(x, f"{name}_5x5_reduce", f"{name}_5x5"),
            self._convolve(F.max_pool2d(x, 3, stride=1, padding=1), f"{name}_pool_proj"),
        )
        return torch.cat(branches, 1)

    def _convolve(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = F.relu(getattr(self, name)(x))
        return x


def shrink(x: Tensor) -> Tensor:
    """Max pooling 3x3, stride 2, unpadded, the size rounded up as Caffe does."""
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)


@architecture("googlenet_caffe", family="googlenet", paper=PAPER, aliases=("bvlc_googlenet",))
def googlenet_caffe() -> nn.Module:
    """BVLC GoogLeNet: no batch normalisation, local response normalisation in the stem."""
    return CaffeGoogLeNet()
