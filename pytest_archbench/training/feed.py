"""Images on their way into a network: prepared once and held where they fit, else prepared by processes as they come.

Pixels travel as bytes; they are mirrored and normalised in batches on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_archbench import datasets
from pytest_archbench.machine import processors
from pytest_archbench.protocols import Preprocessing, Recipe, Unusable

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from pytest_archbench.datasets import Images

HELD = 2**30
"""Bytes of pixels that are held in memory at most."""
WHITE = 255


class Source(Protocol):
    """Where pixels come from: for each tensor of indices (batch,), and where to cut each image of all (images, 2), the
    pixels (batch, channels, height, width) uint8 on the device.
    """

    def pixels(self, batches: Sequence[Tensor], corners: Tensor | None) -> Iterator[Tensor]: ...


@dataclass(frozen=True, slots=True)
class Feed:
    """A split of a data set, ready to be taken in batches; ``labels`` (images,) are on the device."""

    source: Source
    labels: Tensor
    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self, batches: Sequence[Tensor], mirrored: Tensor | None = None, corners: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs (batch, channels, height, width) float32 and labels (batch,), both on the device."""
        for indices, pixels in zip(batches, self.source.pixels(batches, corners), strict=True):
            shown = pixels if mirrored is None else _mirror(pixels, mirrored[indices].to(pixels.device))
            yield _normalised(shown, self.mean, self.std), self.labels[indices.to(self.labels.device)]


def _mirror(pixels: Tensor, which: Tensor) -> Tensor:
    return pixels.flip(3).where(which.view(-1, 1, 1, 1), pixels)


def _normalised(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """The operations of torchvision's ``ToTensor`` and ``Normalize``, in their order."""
    return pixels.float().div_(WHITE).sub_(mean).div_(std)


def feed(images: Images, labels: Sequence[int], recipe: Recipe, place: str, loaders: int, *, learning: bool) -> Feed:
    """A split of a data set on a device; ``learning`` is whether its images may be cut at random.

    Raises: Unusable where an image cannot be read, or is smaller than what is cut out of it.
    """
    import torch

    preprocessing = recipe.preprocessing
    mean, std = (
        torch.tensor(values, device=place).view(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std)
    )
    source: Source
    if learning and recipe.random_crop is not None:
        source = Streamed(images, AnyPart(preprocessing, recipe.random_crop), place, loaders)
    elif _size(images, preprocessing) > HELD:
        source = Streamed(images, whole(preprocessing), place, loaders)
    else:
        source = Held(_all_pixels(images, preprocessing).to(place))
    return Feed(source, torch.tensor(labels, device=place), mean, std)


def _size(images: Images, preprocessing: Preprocessing) -> int:
    """Bytes of all pixels, prepared."""
    return len(images.names) * len(preprocessing.mean) * math.prod(preprocessing.crop)


def _all_pixels(images: Images, preprocessing: Preprocessing) -> Tensor:
    """(images, channels, height, width) uint8; filled one after the other, so that they are in memory once."""
    import torch

    count, prepare = len(images.names), whole(preprocessing)
    pixels = torch.empty((count, *preprocessing.input_shape), dtype=torch.uint8)
    for index in range(count):
        pixels[index] = prepare(images.read(index))
    return pixels


Prepare = Callable[..., "Tensor"]
"""``(image, *corner) -> pixels`` (channels, height, width) uint8."""


def whole(preprocessing: Preprocessing) -> Whole:
    return Whole(datasets.transform(preprocessing), preprocessing.mean, preprocessing.std)


@dataclass(frozen=True, slots=True)
class Whole:
    """An image as its protocol prepares it; rounding to bytes gives exactly what was normalised."""

    transform: Callable[[Image], Tensor]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, image: Image) -> Tensor:
        import torch

        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (self.mean, self.std))
        return self.transform(image).mul_(std).add_(mean).mul_(WHITE).round_().to(torch.uint8)


@dataclass(frozen=True, slots=True)
class AnyPart:
    """An image with its shorter side resized to ``side`` pixels, cut anywhere."""

    preprocessing: Preprocessing
    side: int

    def __post_init__(self) -> None:
        most = max(self.preprocessing.crop)
        if self.side < most:
            raise Unusable(
                f"recipe: random_crop={self.side} is smaller than the input of {most}: give it a random_crop of {most} "
                "at least, or none"
            )

    def __call__(self, image: Image, down: float, right: float) -> Tensor:
        """``down`` and ``right`` (0..1) say how much of the room is left above and to the left of the part."""
        from torchvision.transforms import InterpolationMode, functional

        height, width = self.preprocessing.crop
        mode = "L" if len(self.preprocessing.mean) == 1 else "RGB"
        smoothly = InterpolationMode(self.preprocessing.interpolation)
        resized = functional.resize(image.convert(mode), [self.side], smoothly)
        top, left = int(down * (resized.height - height + 1)), int(right * (resized.width - width + 1))
        pixels: Tensor = functional.pil_to_tensor(functional.crop(resized, top, left, height, width))
        return pixels


@dataclass(frozen=True, slots=True)
class Held:
    """All pixels in the device's memory: (images, channels, height, width) uint8."""

    held: Tensor

    def pixels(self, batches: Sequence[Tensor], corners: Tensor | None) -> Iterator[Tensor]:  # noqa: ARG002
        for indices in batches:
            yield self.held[indices.to(self.held.device)]


@dataclass(frozen=True, slots=True)
class Streamed:
    """Images that are read and prepared each time, by ``loaders`` processes, -1 for as many as there is room for."""

    images: Images
    prepare: Prepare
    place: str
    loaders: int

    def pixels(self, batches: Sequence[Tensor], corners: Tensor | None) -> Iterator[Tensor]:
        import torch
        from torch.utils.data import DataLoader

        loader: Any = DataLoader(
            Prepared(self.images, self.prepare),  # type: ignore[arg-type]  # a mapping of keys is a data set as well
            batch_sampler=[_keys(indices, corners) for indices in batches],
            num_workers=processors() - 1 if self.loaders < 0 else self.loaders,
            pin_memory=self.place.startswith("cuda"),
            generator=torch.Generator(),  # its own: reading must draw nothing from the network's
        )
        for pixels in loader:
            yield pixels.to(self.place, non_blocking=True)


def _keys(indices: Tensor, corners: Tensor | None) -> list[tuple[float, ...]]:
    """Of each image its index, and where it is cut."""
    if corners is None:
        return [(index,) for index in indices.tolist()]
    return [(index, *corners[index].tolist()) for index in indices.tolist()]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Pixels by index and corner, for torch's loader."""

    images: Images
    prepare: Prepare

    def __getitem__(self, key: tuple[int, float, float]) -> Tensor:
        index, *corner = key
        pixels: Tensor = self.prepare(self.images.read(int(index)), *corner)
        return pixels

    def __len__(self) -> int:
        return len(self.images.names)
