"""One small network with each kind of block on four data sets (hei4/pytorch-efficient-architecture), and on digits.

Stem: convolution 7x7, stride 2, batch normalisation, ReLU. Stages: four blocks each, the first with stride 2 and the
new width. Global average pooling, one linear layer. ``block_network`` is the builder; the entries are its defaults.

Of that project's logs, those of Food-101 come from older code with two blocks per stage, and those of ``clc`` belong
to a block that it withdrew, so neither describes a network that is here. It has no networks for digits: those are its
networks for MNIST with a stem that sees 8 x 8 pixels, and the number of epochs is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from torch import nn

from bench_suite.architectures.blocks import BLOCKS, Choices, convolution
from pytest_archbench.protocols import Preprocessing, Recipe
from pytest_archbench.records import Architecture
from pytest_archbench.registry import Registry, add_architecture


@dataclass(frozen=True)
class Dataset:
    """``input_shape`` is (channels, height, width); ``widths`` are the stem's and every stage's channels.

    ``epochs``, ``flip``, ``resize`` and ``random_crop`` (pixels of the shorter side) are of the training.
    """

    input_shape: tuple[int, int, int]
    widths: tuple[int, ...]
    classes: int
    epochs: int
    flip: bool = False
    resize: int | None = None
    random_crop: int | None = None

    @property
    def recipe(self) -> Recipe:
        channels, height, width = self.input_shape
        halves = (0.5,) * channels
        preprocessing = Preprocessing((height, width), self.resize, mean=halves, std=halves)
        return Recipe(preprocessing, self.epochs, flip=self.flip, random_crop=self.random_crop)


DATASETS: Registry[Dataset] = Registry("data set")
DATASETS.add("digits", Dataset((1, 8, 8), (64, 128), 10, epochs=20))
DATASETS.add("mnist", Dataset((1, 28, 28), (64, 128), 10, epochs=40))
DATASETS.add("cifar10", Dataset((3, 32, 32), (64, 128, 256), 10, epochs=60, flip=True))
DATASETS.add("stl10", Dataset((3, 96, 96), (64, 128, 256, 512), 10, epochs=80, flip=True))
DATASETS.add(
    "food101",
    Dataset((3, 224, 224), (64, 128, 256, 512, 1024), 101, epochs=100, flip=True, resize=256, random_crop=256),
)


def block_network(
    kind: str,
    dataset: str = "cifar10",
    *,
    widths: Sequence[int] | None = None,
    groups: int | None = None,
    growth: int | None = None,
) -> nn.Sequential:
    """The network of one kind of block. (batch, channels, height, width) of the data set -> (batch, classes).

    ``widths`` are the channels of the stem and of every stage (at least one), the data set's own where None; a stage
    halves height and width, and so does the stem. Raises UnknownName for a kind or a data set that is not known,
    ValueError where widths, groups and growth do not divide each other.
    """
    data = DATASETS[dataset]
    channels = tuple(widths or data.widths)
    choices = Choices(groups, growth)
    network = nn.Sequential(
        nn.Sequential(*convolution(data.input_shape[0], channels[0], 7, 2), nn.ReLU()),
        *(nn.Sequential(*BLOCKS[kind](inputs, outputs, choices)) for inputs, outputs in pairwise(channels)),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], data.classes)),
    )
    return network.apply(_initialise)


def _initialise(layer: nn.Module) -> None:
    """Weights from N(0, 0.02), those of batch normalisation from N(1, 0.02)."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    if isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
    if isinstance(layer, nn.Linear):
        nn.init.zeros_(layer.bias)


for _dataset in DATASETS:
    for _kind in BLOCKS:
        add_architecture(
            Architecture(
                name=f"{_dataset}_{_kind}",
                family="blocks",
                build=partial(block_network, _kind, _dataset),
                input_shape=DATASETS[_dataset].input_shape,
                topology=f"hei4_{_dataset}_{_kind}",
                suites=("blocks",),
                dataset=_dataset,
                recipe=DATASETS[_dataset].recipe,
            )
        )
