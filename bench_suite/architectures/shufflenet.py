"""ShuffleNet v1: grouped 1x1 convolutions, and a shuffle of the channels between them."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pytest_archbench.records import Architecture
from pytest_archbench.registry import add_architecture

PAPER = "arXiv:1707.01083"

UNITS = (4, 8, 4)
"""Units in each of the three stages; the first of a stage halves the size."""

CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
"""Channels out of the first stage at width 1, by number of groups; each later stage doubles them."""

STEMS = {0.25: 6, 0.5: 12, 0.75: 18, 1.0: 24, 1.5: 24, 2.0: 48}
"""Channels out of the first convolution, by width; the authors' code does not widen it at 1.5."""


def divisible(channels: int, groups: int) -> int:
    """The next multiple of ``groups``.

    The paper does not say what it does where a narrow network's channels do not divide into its groups; the authors'
    code takes 16 for 12 in eight groups.
    """
    return -(-channels // groups) * groups


class Unit(nn.Module):
    """1x1, depthwise 3x3, 1x1 at a quarter of the width, beside the input itself (added) or its average (joined)."""

    def __init__(self, channels_in: int, channels_out: int, groups: int, first_groups: int, halve: bool) -> None:
        super().__init__()
        self.groups, self.halve = groups, halve
        inner = divisible(channels_out // 4, groups)
        channels_added = channels_out - channels_in if halve else channels_out
        self.compress_conv1 = nn.Conv2d(channels_in, inner, 1, groups=first_groups, bias=False)
        self.compress_bn1 = nn.BatchNorm2d(inner)
        self.dw_conv2 = nn.Conv2d(inner, inner, 3, 2 if halve else 1, padding=1, groups=inner, bias=False)
        self.dw_bn2 = nn.BatchNorm2d(inner)
        self.expand_conv3 = nn.Conv2d(inner, channels_added, 1, groups=groups, bias=False)
        self.expand_bn3 = nn.BatchNorm2d(channels_added)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.compress_bn1(self.compress_conv1(x)))
        y = F.channel_shuffle(y, self.groups)
        y = self.dw_bn2(self.dw_conv2(y))
        y = self.expand_bn3(self.expand_conv3(y))
        if self.halve:
            return F.relu(torch.cat((y, F.avg_pool2d(x, 3, stride=2, padding=1)), 1))
        return F.relu(y + x)


class ShuffleNet(nn.Module):
    """ShuffleNet v1 with parameters named as in osmr's published weights.

    Input ``(batch, 3, 224, 224)``, output ``(batch, 1000)``. ``stem`` and ``channels``, those out of the first
    convolution and of the first stage, must be multiples of ``groups``.
    """

    def __init__(self, groups: int, stem: int, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(OrderedDict(init_block=self._init_block(stem)))
        channels_in = stem
        for stage, units in enumerate(UNITS, start=1):
            # The first 1x1 convolution of all sees too few channels to be grouped.
            first_groups = 1 if stage == 1 else groups
            self.features.add_module(f"stage{stage}", self._stage(channels_in, channels, groups, first_groups, units))
            channels_in, channels = channels, 2 * channels
        self.output = nn.Linear(channels_in, 1000)

    @staticmethod
    def _init_block(stem: int) -> nn.Sequential:
        convolution = nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False)
        pool = nn.MaxPool2d(3, stride=2, padding=1)
        return nn.Sequential(OrderedDict(conv=convolution, bn=nn.BatchNorm2d(stem), activ=nn.ReLU(), pool=pool))

    @staticmethod
    def _stage(channels_in: int, channels_out: int, groups: int, first_groups: int, units: int) -> nn.Sequential:
        stage = nn.Sequential(OrderedDict(unit1=Unit(channels_in, channels_out, groups, first_groups, halve=True)))
        for index in range(2, units + 1):
            stage.add_module(f"unit{index}", Unit(channels_out, channels_out, groups, groups, halve=False))
        return stage

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.output(self.features(x).mean((2, 3)))
        return scores


def shufflenet(groups: int, width: float) -> nn.Module:
    """ShuffleNet v1 with ``groups`` (1, 2, 3, 4 or 8), its channels scaled by ``width`` (0.25 to 2)."""
    return ShuffleNet(groups, divisible(STEMS[width], groups), int(CHANNELS[groups] * width))


# Width: our key's ending, and osmr's.
ENDINGS = {
    0.25: ("_x025", "_wd4"),
    0.5: ("_x050", "_wd2"),
    0.75: ("_x075", "_w3d4"),
    1.0: ("", "_w1"),
    1.5: ("_x150", "_w3d2"),
    2.0: ("_x200", "_w2"),
}
# Width: the numbers of groups that the paper, the authors or osmr publish figures of.
PUBLISHED = {0.25: CHANNELS, 0.5: CHANNELS, 0.75: (1, 3), 1.0: CHANNELS, 1.5: (3, 8), 2.0: (3, 8)}

for width, published in PUBLISHED.items():
    for groups in published:
        key, theirs = (f"shufflenet_g{groups}{ending}" for ending in ENDINGS[width])
        add_architecture(
            Architecture(
                name=key,
                family="shufflenet",
                build=partial(shufflenet, groups, width),
                paper=PAPER,
                aliases=(theirs,),
                suites=("seeds",) if key == "shufflenet_g8" else ("variants",),
            )
        )
