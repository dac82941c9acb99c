"""Nine kinds of building block, as hei4/pytorch-efficient-architecture compares them; ``block_networks`` uses them.

Each takes (batch, inputs, height, width) to (batch, outputs, height / stride, width / stride). Convolutions have no
bias unless said. That project states no licence: facts about its layers are used here, none of its code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pytest_archbench.registry import Registry

BLOCKS_PER_STAGE = 4
DENSE_LAYERS = 8
EXPANSION = 6
NARROWING = 4  # outputs per channel in the middle of bottleneck, resnext and shuffle
RESNEXT_GROUPS = 32
SHUFFLE_GROUPS = 4


@dataclass(frozen=True)
class Choices:
    """What a kind of block may be told: ``groups`` of resnext and shuffle, ``growth`` of a layer of dense, in channels.

    None takes the original's: 32 and 4 groups, an eighth of the channels that a stage adds.
    """

    groups: int | None = None
    growth: int | None = None


Stage = Callable[[int, int, Choices], list[nn.Module]]
Block = Callable[[int, int, int, Choices], nn.Module]

BLOCKS: Registry[Stage] = Registry("block")
"""Name -> the modules of one stage, given its inputs, outputs and the choices."""


def block(name: str) -> Callable[[Block], Block]:
    """Register a block ``(inputs, outputs, stride, choices) -> module``: a stage is four, the first with stride 2."""

    def register(build: Block) -> Block:
        def stage(inputs: int, outputs: int, choices: Choices) -> list[nn.Module]:
            same = [build(outputs, outputs, 1, choices) for _ in range(BLOCKS_PER_STAGE - 1)]
            return [build(inputs, outputs, 2, choices), *same]

        BLOCKS.add(name, stage)
        return build

    return register


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution without bias that keeps the size at stride 1, and batch normalisation."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs)]


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else nn.Sequential(*convolution(inputs, outputs, 1, stride))


class Merged(nn.Module):
    """``activation(merge(branch(x), shortcut(x)))``; ``merge`` is ``torch.add`` or joins channels."""

    def __init__(
        self,
        branch: Sequence[nn.Module],
        shortcut: nn.Module,
        activation: nn.Module,
        merge: Callable[[Tensor, Tensor], Tensor] = torch.add,
    ) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)
        self.shortcut = shortcut
        self.activation = activation
        self.merge = merge

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.activation(self.merge(self.branch(features), self.shortcut(features)))
        return result


def branch_first(branch: Tensor, other: Tensor) -> Tensor:
    """The channels of both, the new ones in front."""
    return torch.cat([branch, other], dim=1)


def branch_last(branch: Tensor, other: Tensor) -> Tensor:
    """The channels of both, the new ones behind."""
    return torch.cat([other, branch], dim=1)


class ChannelShuffle(nn.Module):
    """Channel ``i * groups + g`` becomes channel ``g * (channels / groups) + i``: each group then reads from all.

    The original's order, the inverse of the permutation of ShuffleNet's authors.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, features: Tensor) -> Tensor:
        batch, channels, height, width = features.shape
        grouped = features.view(batch, channels // self.groups, self.groups, height, width)
        return grouped.transpose(1, 2).flatten(1, 2)


@block("plain")
def plain(inputs: int, outputs: int, stride: int, _: Choices) -> nn.Module:
    """Two 3x3 convolutions."""
    return nn.Sequential(
        *convolution(inputs, outputs, 3, stride),
        nn.ReLU(),
        *convolution(outputs, outputs, 3),
        nn.ReLU(),
    )


@block("residual")
def residual(inputs: int, outputs: int, stride: int, _: Choices) -> nn.Module:
    """Two 3x3 convolutions and a shortcut (arXiv:1512.03385)."""
    branch = [*convolution(inputs, outputs, 3, stride), nn.ReLU(), *convolution(outputs, outputs, 3)]
    return Merged(branch, _shortcut(inputs, outputs, stride), nn.ReLU())


def _bottleneck(inputs: int, outputs: int, stride: int, groups: int) -> nn.Module:
    middle = outputs // NARROWING
    branch = [
        *convolution(inputs, middle, 1, stride),
        nn.ReLU(),
        *convolution(middle, middle, 3, groups=groups),
        nn.ReLU(),
        *convolution(middle, outputs, 1),
    ]
    return Merged(branch, _shortcut(inputs, outputs, stride), nn.ReLU())


@block("bottleneck")
def bottleneck(inputs: int, outputs: int, stride: int, _: Choices) -> nn.Module:
    """1x1 to a quarter, with the stride; 3x3; 1x1 (arXiv:1512.03385)."""
    return _bottleneck(inputs, outputs, stride, groups=1)


@block("resnext")
def resnext(inputs: int, outputs: int, stride: int, choices: Choices) -> nn.Module:
    """The bottleneck with a grouped 3x3 (arXiv:1611.05431)."""
    return _bottleneck(inputs, outputs, stride, groups=choices.groups or RESNEXT_GROUPS)


@block("xception")
def xception(inputs: int, outputs: int, stride: int, _: Choices) -> nn.Module:
    """Two separable convolutions, the 1x1 first and with a bias; max-pooling has the stride (arXiv:1610.02357)."""
    branch = [
        nn.Conv2d(inputs, outputs, 1),
        *convolution(outputs, outputs, 3, groups=outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 1),
        *convolution(outputs, outputs, 3, groups=outputs),
    ]
    pool = [] if stride == 1 else [nn.MaxPool2d(stride)]
    return Merged([*branch, *pool], _shortcut(inputs, outputs, stride), nn.ReLU())


@block("mobile_v1")
def mobile_v1(inputs: int, outputs: int, stride: int, _: Choices) -> nn.Module:
    """Two separable convolutions, the 3x3 first; it is the one that widens, in ``inputs`` groups (arXiv:1704.04861)."""
    layers = []
    for before, step in ((inputs, stride), (outputs, 1)):
        layers += [*convolution(before, outputs, 3, step, groups=before), nn.ReLU()]
        layers += [*convolution(outputs, outputs, 1), nn.ReLU()]
    return nn.Sequential(*layers)


@block("mobile_v2")
def mobile_v2(inputs: int, outputs: int, stride: int, _: Choices) -> nn.Module:
    """Two inverted residuals; ReLU6 also after the addition, unlike the paper's (arXiv:1801.04381).

    The one with the stride has no shortcut.
    """

    def inverted(before: int, step: int) -> list[nn.Module]:
        middle = before * EXPANSION
        return [
            *convolution(before, middle, 1),
            nn.ReLU6(),
            *convolution(middle, middle, 3, step, groups=middle),
            nn.ReLU6(),
            *convolution(middle, outputs, 1),
        ]

    def added(before: int) -> nn.Module:
        return Merged(inverted(before, 1), nn.Identity(), nn.ReLU6())

    first = added(inputs) if stride == 1 else nn.Sequential(*inverted(inputs, stride), nn.ReLU6())
    return nn.Sequential(first, added(outputs))


@block("shuffle")
def shuffle(inputs: int, outputs: int, stride: int, choices: Choices) -> nn.Module:
    """Two ShuffleNet units; the one with the stride is joined to the pooled input (arXiv:1707.01083)."""
    groups, middle = choices.groups or SHUFFLE_GROUPS, outputs // NARROWING

    def unit(before: int, after: int, step: int) -> list[nn.Module]:
        return [
            *convolution(before, middle, 1, groups=groups),
            nn.ReLU(),
            ChannelShuffle(groups),
            *convolution(middle, middle, 3, step, groups=middle),
            nn.ReLU(),
            *convolution(middle, after, 1, groups=groups),
        ]

    second = Merged(unit(outputs, outputs, 1), nn.Identity(), nn.ReLU())
    if stride == 1:
        return nn.Sequential(Merged(unit(inputs, outputs, 1), nn.Identity(), nn.ReLU()), second)
    pooled = nn.AvgPool2d(3, stride, padding=1)
    first = Merged(unit(inputs, outputs - inputs, stride), pooled, nn.ReLU(), branch_first)
    return nn.Sequential(first, second)


def dense(inputs: int, outputs: int, choices: Choices) -> list[nn.Module]:
    """A whole stage: layers that each add ``growth`` channels, then 1x1 and max-pooling (arXiv:1608.06993).

    Raises ValueError where ``growth`` does not divide what the stage adds.
    """
    added = outputs - inputs
    growth = choices.growth or added // DENSE_LAYERS
    if growth < 1 or added % growth:
        raise ValueError(
            f"block dense: growth {growth} does not divide the {added} channels from {inputs} to {outputs}"
        )

    def layer(width: int) -> nn.Module:
        new = [*convolution(width, growth, 1), nn.ReLU(), *convolution(growth, growth, 3), nn.ReLU()]
        return Merged(new, nn.Identity(), nn.Identity(), branch_last)

    layers = [layer(width) for width in range(inputs, outputs, growth)]
    return [*layers, *convolution(outputs, outputs, 1), nn.ReLU(), nn.MaxPool2d(2)]


BLOCKS.add("dense", dense)
