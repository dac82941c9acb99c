"""How accuracy comes about: the records of weights, of how images are prepared for them, and of a training.

Standard library only.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

IMAGENET = "imagenet"
"""The data set of every network that states none."""
DIGITS = "digits"
"""The data set that comes along with a dependency, so that there always is one."""

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Fit = Literal["center", "squash", "border"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an image becomes a network's input.

    It is resized to ``resize`` pixels, an int for its shorter side, ``(height, width)`` for both, None for not at all;
    the middle of ``crop`` = (height, width) pixels is cut out; values are scaled to 0..1, ``mean`` is subtracted and
    ``std`` divided by, a number for each channel. ``fit`` is timm's crop mode: ``center`` keeps the proportions,
    ``squash`` does not, ``border`` keeps the whole image and fills up the rest. ``note`` says where it is from, if not
    from the weights.
    """

    crop: tuple[int, int]
    resize: int | tuple[int, int] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation = "bilinear"
    fit: Fit = "center"
    note: str = ""

    def __post_init__(self) -> None:
        resized = self.resize if isinstance(self.resize, tuple) else (1 if self.resize is None else self.resize,)
        _require(
            len(self.crop) == 2 and min(*self.crop, *resized) >= 1,
            "preprocessing",
            "crop and resize of at least 1 pixel",
            self,
        )
        _require(all(map(math.isfinite, (*self.mean, *self.std))), "preprocessing", "a finite mean and std", self)
        _require(0 not in self.std, "preprocessing", "a std that is not 0", self)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of an image as the network sees it."""
        return (len(self.mean), *self.crop)


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights that somebody published for a network. ``name`` is their own (``ResNet50_Weights.IMAGENET1K_V1``,
    ``resnet50.a1_in1k``), ``tag`` its part after the network's name; ``classes`` what they were trained to tell apart.

    ``file(fetch)`` is where they lie in a cache of this host, or None; with ``fetch`` it may get them from ``address``.
    ``build(state)``, where there is one, makes the network with them from what the file holds, since its parameters
    have other names there; else they are loaded into what the architecture builds.
    """

    name: str
    tag: str
    provider: str
    preprocessing: Preprocessing
    classes: int
    address: str
    file: Callable[[bool], Path | None]
    build: Callable[[Mapping[str, Any]], Any] | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained from nothing: Adam, cross entropy, the learning rate divided by 10 after half of the
    ``epochs``. ``flip`` mirrors training images at random; ``random_crop`` resizes the shorter side of a training image
    to so many pixels and cuts the input out at a random place. ``preprocessing`` is that of every image.
    """

    preprocessing: Preprocessing
    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    flip: bool = False
    random_crop: int | None = None

    def __post_init__(self) -> None:
        _require(self.epochs >= 1 and self.batch_size >= 1, "recipe", "epochs and batch_size of at least 1", self)
        _require(0 < self.learning_rate < math.inf, "recipe", "a learning_rate above 0", self)
        _require(0 <= self.weight_decay < math.inf, "recipe", "a weight_decay of at least 0", self)


ACCOUNTS = ("file", "sha256", "seconds", "loaders", "versions")
"""What of a protocol tells how a run went. All else must be equal before two accuracies compare; better weights in a
file of the same name are what one wants to compare."""


@dataclass(frozen=True, slots=True)
class Learning:
    """What evaluating and training need beside a network; texts are paths, empty ones were not given.

    ``imagenet``: images in ImageNet's layout. ``data``: folder of torchvision's data sets. ``weights``: folder of files
    of weights. ``weights_tag``: tags of published weights, the first that a network has. ``download``: whether data and
    weights may be fetched. ``loaders``: processes that prepare images, -1 for as many as there are processors to spare.
    ``evaluation_batch``: images per pass. ``images``: evaluate no more than so many, 0 for all. ``risk``: of a wrong
    verdict where an evaluation may stop early, 0 for never. ``amp``: type of mixed precision, none where empty.
    ``epochs``: train for so many, 0 for as many as the recipe says. ``seed``: of initial weights and of every order.
    ``ranks``: processes that train together. ``keep``: folder of what is half done.
    """

    imagenet: str = ""
    data: str = ""
    download: bool = False
    weights: str = ""
    weights_tag: tuple[str, ...] = ()
    loaders: int = -1
    evaluation_batch: int = 64
    images: int = 0
    risk: float = 0.0
    amp: str = ""
    epochs: int = 0
    seed: int = 0
    ranks: int = 1
    keep: str = ""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Which of a data set's images a network got right: a proportion that a paired test can compare.

    ``images`` identifies the data set: its images, their labels and the order in which they are evaluated. ``count`` is
    how many were, the first ones of that order; ``correct`` has a bit for each (``proportions.pack``). ``total`` is how
    many there are. ``part`` says what of the data set that the figures are published for this is, such as ``10 of 1,000
    classes``; empty where it is the whole. ``random`` is whether the evaluated images are a random sample of the whole.
    ``risk`` is that of a wrong verdict at which the evaluation was stopped early, 0 where it was not. ``unread`` are
    the places in the order of images that could not be read: they count as wrong, and are compared with nothing.
    """

    images: str
    count: int
    total: int
    correct: str
    part: str = ""
    random: bool = True
    risk: float = 0.0
    unread: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "unread", tuple(self.unread))  # of a list, as JSON has it
        texts = all(isinstance(text, str) for text in (self.images, self.correct, self.part))
        _require(texts and bool(self.images), "outcomes", "texts for images, correct and part", self)
        whole = all(type(number) is int for number in (self.count, self.total, *self.unread))
        _require(whole and 0 <= self.count <= self.total, "outcomes", "0 <= count <= total, whole numbers", self)
        _require(isinstance(self.random, bool), "outcomes", "true or false for random", self)
        known = isinstance(self.risk, int | float) and 0 <= self.risk < 1
        _require(known, "outcomes", "a risk from 0 to below 1", self)
        _require(all(0 <= at < self.count for at in self.unread), "outcomes", "unread from 0 to below count", self)
        size = -(-self.count // 8)
        try:
            found = len(base64.b64decode(self.correct, validate=True))
        except ValueError:
            found = -1
        _require(found == size, "outcomes", f"{size} bytes of correct in base64", self)


def _require(condition: bool, what: str, expected: str, got: object) -> None:
    if not condition:
        raise ValueError(f"{what}: expected {expected}; got {got!r:.300}")


class Missing(LookupError):
    """Data or weights that were not given, or are not where they were looked for; the message says how to give them.
    What needs them is skipped.
    """


class Unusable(ValueError):
    """Data, weights or a checkpoint that are there and wrong; the message says what, where, expected, got and what to
    do. What needs them fails.
    """
