"""How images are prepared for weights, by what says it: timm's configs, or what is usual for ImageNet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pytest_archbench import inputs
from pytest_archbench.protocols import Fit, Interpolation, Preprocessing

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
USUAL_CROP = 0.875
"""Share of the resized shorter side that is usually cut out: 224 of 256 pixels."""


def of_timm(config: Mapping[str, Any], note: str = "") -> Preprocessing:
    """How timm evaluates by a ``pretrained_cfg`` or a data config: the size and crop for tests where they differ from
    those for training, resized to the crop divided by its share, rounded down. Raises: TypeError, ValueError,
    ArithmeticError for a config that does not say it.
    """
    _, height, width = config.get("test_input_size") or config.get("input_size") or inputs.DEFAULT_SHAPE
    share = config.get("test_crop_pct") or config.get("crop_pct") or USUAL_CROP
    fit: Fit = _one_of(get_args(Fit), "crop_mode", config.get("crop_mode") or "center")
    resize = (math.floor(height / share), math.floor(width / share))
    asked = config.get("interpolation") or "bicubic"
    interpolation: Interpolation = _one_of(get_args(Interpolation), "interpolation", asked)
    return Preprocessing(
        crop=(height, width),
        resize=resize[0] if fit == "center" and height == width else resize,
        mean=tuple(config.get("mean") or IMAGENET_MEAN),
        std=tuple(config.get("std") or IMAGENET_STD),
        interpolation=interpolation,
        fit=fit,
        note=note,
    )


def _one_of(known: Sequence[str], what: str, got: Any) -> Any:
    if got not in known:
        raise ValueError(f"{what}: expected one of {', '.join(known)}; got {got!r}")
    return got


def usual(shape: Any) -> Preprocessing:
    """How images are usually prepared for ImageNet, at the input ``shape`` = (channels, height, width); 3 x 224 x 224
    where it is none. Channels that are not three have the means of the three.
    """
    is_image = inputs.is_shape(shape) and len(shape) == 3
    channels, height, width = map(int, shape if is_image else inputs.DEFAULT_SHAPE)
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.449,) * channels, (0.226,) * channels)
    resize = (math.floor(height / USUAL_CROP), math.floor(width / USUAL_CROP))
    return Preprocessing((height, width), resize[0] if height == width else resize, mean, std, note="assumed")
