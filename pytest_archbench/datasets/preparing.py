"""Preprocessing as a callable: from an image to a network's input, bit for bit as torchvision and timm prepare it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_archbench.protocols import Preprocessing, Unusable

if TYPE_CHECKING:
    import torch
    from PIL import Image

MODES = {1: "L", 3: "RGB"}
"""Of an image with so many channels."""

Size = tuple[int, int]
"""(height, width) in pixels."""


def transform(preprocessing: Preprocessing) -> Callable[[Image.Image], torch.Tensor]:
    """What makes an input of an image: ``(channels, height, width)``, float32. It can be pickled. Raises Unusable."""
    return Prepare(preprocessing)


@dataclass(frozen=True, slots=True)
class Prepare:
    """Resize, cut, scale. Where ``resize`` is ``(height, width)``, ``center`` covers it, in proportion, ``squash`` is
    exactly it, and ``border`` stays within; an int is ``(int, int)`` to the latter two.
    """

    preprocessing: Preprocessing

    def __post_init__(self) -> None:
        asked = self.preprocessing
        if len(asked.mean) not in MODES or len(asked.mean) != len(asked.std):
            raise Unusable(f"preprocessing: expected mean and std of 1 or 3 channels; got {asked.mean} and {asked.std}")

    def __call__(self, image: Image.Image) -> torch.Tensor:
        mode = MODES[len(self.preprocessing.mean)]
        image = image if image.mode == mode else image.convert(mode)
        return _scaled(_cut(_resized(image, self.preprocessing), self.preprocessing), self.preprocessing)


def _resized(image: Image.Image, asked: Preprocessing) -> Image.Image:
    if asked.resize is None:
        return image
    from torchvision.transforms.functional import InterpolationMode, resize

    size = _target((image.height, image.width), asked.resize, asked.fit)
    resized: Image.Image = resize(image, size, InterpolationMode(asked.interpolation))
    return resized


def _target(size: Size, resize: int | Size, fit: str) -> int | list[int]:
    """What an image of a size is resized to: an int for its shorter side, or height and width."""
    height, width = (resize, resize) if isinstance(resize, int) else resize
    if fit == "squash":
        return [height, width]
    if fit == "center" and height == width:  # the longer side is cut off to a whole number, and rounded everywhere else
        return height
    ratios = (size[0] / height, size[1] / width)
    ratio = max(ratios) if fit == "border" else min(ratios)
    return [round(side / ratio) for side in size]


def _cut(image: Image.Image, asked: Preprocessing) -> Image.Image:
    """The middle; where the image is too small, it is filled up with black, with the mean for ``border``."""
    from torchvision.transforms.functional import center_crop

    whole = _filled(image, asked) if asked.fit == "border" else image
    cut: Image.Image = center_crop(whole, list(asked.crop))
    return cut


def _filled(image: Image.Image, asked: Preprocessing) -> Image.Image:
    """At least as large as the crop, the odd pixel to the right and below."""
    from torchvision.transforms.functional import pad

    lacking = [max(0, wanted - side) for wanted, side in zip(asked.crop, (image.height, image.width), strict=True)]
    above, left = (each // 2 for each in lacking)
    fill = tuple(round(255 * value) for value in asked.mean)
    filled: Image.Image = pad(image, [left, above, lacking[1] - left, lacking[0] - above], fill)
    return filled


def _scaled(image: Image.Image, asked: Preprocessing) -> torch.Tensor:
    """Values 0..255 -> (value / 255 - mean) / std, in this order of operations, so that no bit differs."""
    import numpy
    import torch

    pixels = torch.from_numpy(numpy.array(image)).view(image.height, image.width, len(asked.mean))
    values = pixels.permute(2, 0, 1).contiguous().to(torch.float32).div_(255)
    mean, std = (torch.tensor(each, dtype=torch.float32).view(-1, 1, 1) for each in (asked.mean, asked.std))
    return values.sub_(mean).div_(std)
