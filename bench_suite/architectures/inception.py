"""The Inception family after GoogLeNet: BN-Inception (v2), v3, v4 and Inception-ResNet-v2."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench_suite.architectures.googlenet import shrink
from bench_suite.providers import timm_entry, torchvision_entry
from pytest_archbench.registry import add_architecture, architecture

INPUT = (3, 299, 299)
PAPER_V2 = "arXiv:1502.03167"
PAPER_V3 = "arXiv:1512.00567"
PAPER_V4 = "arXiv:1602.07261"

add_architecture(
    torchvision_entry(
        "inception_v3",
        "inception",
        # Without the auxiliary classifier: no prediction passes through it, and the seeds give 23.8 M parameters.
        settings={"aux_logits": False},
        input_shape=INPUT,
        paper=PAPER_V3,
        aliases=("inceptionv3",),
    )
)

for name, theirs in {"inception_v4": "inceptionv4", "inception_resnet_v2": "inceptionresnetv2"}.items():
    add_architecture(timm_entry(name, "inception", input_shape=INPUT, paper=PAPER_V4, aliases=(theirs,)))


class Inception(NamedTuple):
    """Channels out of each convolution of a BN-Inception module; 0 where the module has no such branch.

    ``pool`` is the kind of pooling; with ``stride`` 2 the pooled input joins the output unprojected.
    """

    one: int
    three_reduce: int
    three: int
    double_reduce: int
    double: int
    pool: str
    pool_proj: int
    stride: int = 1


MODULES = {
    "3a": Inception(64, 64, 64, 64, 96, "avg", 32),
    "3b": Inception(64, 64, 96, 64, 96, "avg", 64),
    "3c": Inception(0, 128, 160, 64, 96, "max", 0, stride=2),
    "4a": Inception(224, 64, 96, 96, 128, "avg", 128),
    "4b": Inception(192, 96, 128, 96, 128, "avg", 128),
    "4c": Inception(160, 128, 160, 128, 160, "avg", 128),
    "4d": Inception(96, 128, 192, 160, 192, "avg", 128),
    "4e": Inception(0, 128, 192, 192, 256, "max", 0, stride=2),
    "5a": Inception(352, 192, 320, 160, 224, "avg", 128),
    "5b": Inception(352, 192, 320, 192, 224, "max", 128),
}


POOLS: dict[str, Callable[..., Tensor]] = {"avg": F.avg_pool2d, "max": F.max_pool2d}


class BNInception(nn.Module):
    """Inception with batch normalisation, its 5x5 convolutions split into two 3x3.

    Input ``(batch, 3, 224, 224)``, output ``(batch, 1000)``. Parameters are named as in the Caffe port that the public
    weights come from, biases before batch normalisation included.
    """

    def __init__(self) -> None:
        super().__init__()
        self._add("conv1_7x7_s2", 3, 64, 7, stride=2)
        self._add("conv2_3x3_reduce", 64, 64, 1)
        self._add("conv2_3x3", 64, 192, 3)
        channels = 192
        for module, width in MODULES.items():
            name = f"inception_{module}"
            if width.one:
                self._add(f"{name}_1x1", channels, width.one, 1)
            self._add(f"{name}_3x3_reduce", channels, width.three_reduce, 1)
            self._add(f"{name}_3x3", width.three_reduce, width.three, 3, width.stride)
            self._add(f"{name}_double_3x3_reduce", channels, width.double_reduce, 1)
            self._add(f"{name}_double_3x3_1", width.double_reduce, width.double, 3)
            self._add(f"{name}_double_3x3_2", width.double, width.double, 3, width.stride)
            if width.pool_proj:
                self._add(f"{name}_pool_proj", channels, width.pool_proj, 1)
            channels = width.one + width.three + width.double + (width.pool_proj or channels)
        self.last_linear = nn.Linear(channels, 1000)

    def _add(self, name: str, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        self.add_module(name, nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        x = shrink(self._convolve(x, "conv1_7x7_s2"))
        x = shrink(self._convolve(x, "conv2_3x3_reduce", "conv2_3x3"))
        for module, width in MODULES.items():
            x = self._inception(f"inception_{module}", width, x)
        scores: Tensor = self.last_linear(x.mean((2, 3)))
        return scores

    def _inception(self, name: str, width: Inception, x: Tensor) -> Tensor:
        branches = [self._convolve(x, f"{name}_1x1")] if width.one else []
        branches += [
            self._convolve(x, f"{name}_3x3_reduce", f"{name}_3x3"),
            self._convolve(x, f"{name}_double_3x3_reduce", f"{name}_double_3x3_1", f"{name}_double_3x3_2"),
        ]
        pooled = shrink(x) if width.stride == 2 else POOLS[width.pool](x, 3, stride=1, padding=1)
        branches.append(self._convolve(pooled, f"{name}_pool_proj") if width.pool_proj else pooled)
        return torch.cat(branches, 1)

    def _convolve(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = F.relu(getattr(self, f"{name}_bn")(getattr(self, name)(x)))
        return x


@architecture("bn_inception", family="inception", paper=PAPER_V2, aliases=("bninception",))
def bn_inception() -> nn.Module:
    """BN-Inception, also called Inception v2."""
    return BNInception()
