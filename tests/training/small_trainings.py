"""Trainings of which the outcome is known beforehand, or that take no time; another process imports them from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pytest_archbench import training
from pytest_archbench.datasets import Images
from pytest_archbench.datasets.reading import Pixels
from pytest_archbench.protocols import Learning, Preprocessing, Recipe
from pytest_archbench.records import Architecture
from pytest_archbench.training import Epoch, Progress, Task
from pytest_archbench.training.learning import learn_from

DIGITS = Recipe(Preprocessing((8, 8), None, (0.5,), (0.5,)), epochs=12)


def zeroed() -> nn.Module:
    """One pixel -> two classes, all weights 0."""
    linear = nn.Linear(1, 2)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.Flatten(), linear)


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def chancy() -> nn.Module:
    """What a training that goes on must have kept: running means, and chance in its layers."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(144, 10)
    )


def raising() -> nn.Module:
    return nn.Sequential(nn.Flatten(), Odd(), nn.Linear(64, 10))


class Odd(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise LookupError("this network cannot learn")
        return x


class Both(NamedTuple):
    logits: Tensor
    auxiliary: Tensor


class Two(nn.Module):
    """Answers with more than scores in training, as torchvision's Inception does."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.auxiliary = linear(), linear()

    def forward(self, x: Tensor) -> Any:
        return Both(self.main(x), self.auxiliary(x)) if self.training else self.main(x)


class Pair(Two):
    """Does not say which of its answers counts."""

    def forward(self, x: Tensor) -> Any:
        return self.main(x), self.auxiliary(x)


class Counting(nn.Module):
    """Keeps something beside tensors."""

    def __init__(self, kept: Any = None) -> None:
        super().__init__()
        self.body, self.kept = linear(), kept or {"batches": 0}

    def forward(self, x: Tensor) -> Any:
        if self.training and "batches" in self.kept:
            self.kept = {"batches": self.kept["batches"] + 1}
        return self.body(x)

    def get_extra_state(self) -> Any:
        return self.kept

    def set_extra_state(self, state: Any) -> None:
        self.kept = state


def task(build: Callable[[], nn.Module], recipe: Recipe | None = DIGITS, device: str = "cpu", **learning: Any) -> Task:
    architecture = Architecture(build.__name__, "test", build, (1, 8, 8), dataset="digits", recipe=recipe)
    return Task(architecture, Learning(**{"loaders": 0, **learning}), device, device)


def pictures(pixels: Any, labels: Sequence[int], classes: int = 2, name: str = "pictures") -> Images:
    """Grey images (images, height, width) 0..255 as a data set."""
    names = tuple(f"{index:05}" for index in range(len(labels)))
    read = Pixels(np.asarray(pixels, dtype="uint8"))
    return Images(name, "train", tuple(map(str, range(classes))), names, tuple(labels), read)


def last(asked: Task) -> Progress:
    *_, found = training.train(asked)
    return found


def last_of(asked: Task, images: Images) -> Progress:
    *_, found = learn_from(asked, images, images)
    return found


def timeless(epochs: Sequence[Epoch]) -> list[tuple[float, ...]]:
    """Losses and accuracies, of which every bit must come again."""
    return [astuple(epoch)[:4] for epoch in epochs]


def weights(asked: Task) -> dict[str, Tensor]:
    path = training.trained(asked.learning, asked.architecture, asked.device)
    assert path is not None
    state: dict[str, Tensor] = torch.load(path, weights_only=True)
    return state


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
