"""Multi-Scale Dense Network for ImageNet, evaluated up to one of its five exits (arXiv:1703.09844).

The published points (MSDNet in the ImageNet panel of RANet's ``anytime_results.png``, five exits) are those of the
authors' released model ``msdnet-step=7-block=5``: base 7, steps of 7, 32 channels, growth 16, growth and bottleneck
factors 1-2-4-4, reduction 0.5. The settings of their README, base 4 and steps of 4, give 0.34 to 1.36 G, not the
0.50 to 3.26 G of the figure. Two further choices are decided by the figure:

* Evaluation is lazy: at exit k only the scales that some classifier up to k depends on are computed.
* Earlier classifiers are included, since anytime prediction has run them by then.

=====  ============  ===========  =================================
exit   figure, G     ours, G      not lazy (the authors' own counter)
=====  ============  ===========  =================================
1      0.50 ± 0.01   0.502        0.612 (0.616 with ReLU and pooling)
2      1.34 ± 0.02   1.335        1.431 (1.436)
3      2.22 ± 0.01   2.220        2.276 (2.283)
4      2.97 ± 0.01   2.960        2.960 (2.967)
5      3.26 ± 0.02   3.246        3.246 (3.254)
=====  ============  ===========  =================================

Not lazy, the parameters up to each exit are 8.76, 20.15, 31.73, 41.86 and 62.31 M, which the authors' code prints too
(kalviny/MSDNet-PyTorch, issue 10). Names in the state dict are those of that code, for what is kept.

``msdnet_a`` to ``msdnet_d`` have no entry: they are points that BertMoons read off another chart (1.0, 2.5, 4.2 and
6.4 G operations), and their source states no topology.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from pytest_archbench.records import Architecture
from pytest_archbench.registry import add_architecture

Features = dict[int, Tensor]  # scale -> (batch, channels, height, width); 0 is the finest


@dataclass(frozen=True)
class Settings:
    """What the authors' command line sets. ``steps`` are the layers before each exit; widths are at scale factor 1."""

    steps: tuple[int, ...] = (7, 7, 7, 7, 7)
    channels: int = 32
    growth: int = 16
    growth_factors: tuple[int, ...] = (1, 2, 4, 4)
    bottleneck_factors: tuple[int, ...] = (1, 2, 4, 4)
    reduction: float = 0.5
    classes: int = 1000

    @property
    def coarsest(self) -> int:
        return len(self.growth_factors) - 1


@dataclass(frozen=True)
class LayerPlan:
    """One layer: ``channels`` come in, ``finest`` is the finest scale it keeps, ``wanted`` the scales to compute.

    Where a layer drops the scale that was finest before it, a 1x1 convolution reduces the channels behind it.
    """

    channels: int
    finest: int
    drops: bool
    wanted: frozenset[int] = frozenset()


def plan(settings: Settings, exits: int, lazy: bool) -> list[LayerPlan]:
    """The layers up to exit number ``exits``; lazily, each computes only what a classifier up to there depends on."""
    layers = _outline(settings)[: sum(settings.steps[:exits])]
    boundaries = {sum(settings.steps[: number + 1]) for number in range(exits)}
    wanted: frozenset[int] = frozenset()
    planned: list[LayerPlan] = []
    for number in range(len(layers), 0, -1):
        layer = layers[number - 1]
        if number in boundaries:
            wanted |= {settings.coarsest}
        scales = wanted if lazy else frozenset(range(layer.finest, settings.coarsest + 1))
        planned.append(LayerPlan(layer.channels, layer.finest, layer.drops, scales))
        wanted = scales | {scale - 1 for scale in scales if _reads_finer(layer, scale)}
    return planned[::-1]


def _outline(settings: Settings) -> list[LayerPlan]:
    """All layers of the whole network: one scale fewer after each of as many equal parts as there are scales."""
    total, scales = sum(settings.steps), len(settings.growth_factors)
    interval = -(-total // scales)
    channels, layers = settings.channels, []
    for number in range(total):
        finest = number // interval
        drops = finest > max(0, number - 1) // interval
        layers.append(LayerPlan(channels, finest, drops))
        channels = _channels_after(layers[-1], settings)
    return layers


def _channels_after(layer: LayerPlan, settings: Settings) -> int:
    grown = layer.channels + settings.growth
    return int(settings.reduction * grown) if layer.drops else grown


def _reads_finer(layer: LayerPlan, scale: int) -> bool:
    return scale > layer.finest or layer.drops


class ConvBasic(nn.Module):
    """Convolution without bias, batch normalisation, ReLU; padded to keep the size at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.net = nn.Sequential(*_conv_norm_relu(inputs, outputs, kernel, stride))

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.net(features)
        return result


class ConvBN(nn.Module):
    """A 1x1 bottleneck of at most ``factor * outputs`` channels, then 3x3."""

    def __init__(self, inputs: int, outputs: int, factor: int, stride: int) -> None:
        super().__init__()
        inner = min(inputs, factor * outputs)
        self.net = nn.Sequential(
            *_conv_norm_relu(inputs, inner, 1, 1),
            *_conv_norm_relu(inner, outputs, 3, stride),
        )

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.net(features)
        return result


def _conv_norm_relu(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class Growth(nn.Module):
    """One scale of one layer: what is there, concatenated with new channels from it and, where there is one, from the
    next finer scale, half from each."""

    def __init__(self, layer: LayerPlan, scale: int, settings: Settings) -> None:
        super().__init__()
        self.scale = scale
        growth, factors = settings.growth_factors, settings.bottleneck_factors
        outputs = settings.growth * growth[scale]
        self.conv_down: ConvBN | None = None
        if _reads_finer(layer, scale):
            outputs //= 2
            self.conv_down = ConvBN(layer.channels * growth[scale - 1], outputs, factors[scale - 1], stride=2)
        self.conv_normal = ConvBN(layer.channels * growth[scale], outputs, factors[scale], stride=1)

    def forward(self, features: Features) -> Tensor:
        here = features[self.scale]
        from_finer = [] if self.conv_down is None else [self.conv_down(features[self.scale - 1])]
        return torch.cat([here, *from_finer, self.conv_normal(here)], dim=1)


class Layer(nn.Module):
    """Growth at every wanted scale. Keys count from the finest scale that the whole network keeps here."""

    def __init__(self, layer: LayerPlan, settings: Settings) -> None:
        super().__init__()
        self.finest = layer.finest
        self.layers = nn.ModuleDict(
            {str(scale - layer.finest): Growth(layer, scale, settings) for scale in sorted(layer.wanted)}
        )

    def forward(self, features: Features) -> Features:
        return {int(key) + self.finest: growth(features) for key, growth in self.layers.items()}


class Transition(nn.Module):
    """A 1x1 convolution per wanted scale that reduces the channels after a scale was dropped."""

    def __init__(self, layer: LayerPlan, settings: Settings) -> None:
        super().__init__()
        self.finest = layer.finest
        before, after = layer.channels + settings.growth, _channels_after(layer, settings)
        self.m = nn.ModuleDict()
        for scale in sorted(layer.wanted):
            factor = settings.growth_factors[scale]
            self.m[str(scale - layer.finest)] = ConvBasic(before * factor, after * factor, kernel=1)

    def forward(self, features: Features) -> Features:
        return {int(key) + self.finest: reduce(features[int(key) + self.finest]) for key, reduce in self.m.items()}


class FirstLayer(nn.Module):
    """(batch, 3, 224, 224) -> features of 56, 28, 14 and 7 pixels."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = [settings.channels * factor for factor in settings.growth_factors]
        self.layers = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(3, widths[0], 7, stride=2, padding=3),
                    nn.BatchNorm2d(widths[0]),
                    nn.ReLU(inplace=True),
                    nn.MaxPool2d(3, stride=2, padding=1),
                ),
                *(ConvBasic(finer, here, 3, stride=2) for finer, here in pairwise(widths)),
            ]
        )

    def forward(self, image: Tensor) -> Features:
        features: Features = {}
        for scale, layer in enumerate(self.layers):
            image = features[scale] = layer(image)
        return features


class Classifier(nn.Module):
    """(batch, channels, 7, 7) -> (batch, classes)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.m = nn.Sequential(
            ConvBasic(channels, channels, 3, stride=2),
            ConvBasic(channels, channels, 3, stride=2),
            nn.AvgPool2d(2),
            nn.Flatten(),
        )
        self.linear = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.m(features))
        return logits


class MSDNet(nn.Module):
    """The network up to one exit; every classifier up to there is evaluated and the last one's answer returned."""

    def __init__(self, settings: Settings, exits: int, lazy: bool) -> None:
        super().__init__()
        if not 1 <= exits <= len(settings.steps):
            raise ValueError(f"msdnet: exits must be 1 to {len(settings.steps)}; got {exits}")
        self.coarsest = settings.coarsest
        self.blocks, self.classifier = nn.ModuleList(), nn.ModuleList()
        layers = iter(plan(settings, exits, lazy))
        for number in range(exits):
            modules: list[nn.Module] = [FirstLayer(settings)] if number == 0 else []
            for _ in range(settings.steps[number]):
                layer = next(layers)
                modules.append(Layer(layer, settings))
                if layer.drops:
                    modules.append(Transition(layer, settings))
            self.blocks.append(nn.Sequential(*modules))
            channels = _channels_after(layer, settings) * settings.growth_factors[-1]
            self.classifier.append(Classifier(channels, settings.classes))

    def answers(self, image: Tensor) -> list[Tensor]:
        """Every exit's logits, earliest first. (batch, 3, 224, 224) -> [(batch, classes), ...]."""
        logits, state = [], image
        for block, classifier in zip(self.blocks, self.classifier, strict=True):
            state = block(state)
            logits.append(classifier(state[self.coarsest]))
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, 224, 224) -> (batch, classes)."""
        return self.answers(image)[-1]


def msdnet(exits: int = 5, lazy: bool = True, settings: Settings | None = None) -> MSDNet:
    """MSDNet up to exit ``exits``, the ImageNet one unless ``settings`` say otherwise; raises ValueError for an exit
    that the settings do not have. Without ``lazy``, all scales of every layer are computed."""
    return MSDNet(settings or Settings(), exits, lazy)


for _exit in range(1, 6):
    add_architecture(
        Architecture(
            name=f"msdnet_imagenet_exit{_exit}",
            family="msdnet",
            build=partial(msdnet, exits=_exit),
            paper="arXiv:1703.09844",
        )
    )
