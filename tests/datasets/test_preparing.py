"""Preparing an image equals, bit for bit, what torchvision and timm do for their own weights."""

from __future__ import annotations

import pickle
from typing import Any, cast

import numpy
import pytest
import timm
import torch
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform
from torchvision.models import get_weight

from pytest_archbench.datasets import transform
from pytest_archbench.protocols import Fit, Interpolation, Preprocessing, Unusable

SIZES = [(500, 375), (333, 501), (97, 61), (224, 224), (31, 400)]
"""(width, height); the smallest are smaller than every crop."""
HALF, IDENTITY = (0.5,) * 3, (1.0,) * 3


def noise(size: tuple[int, int], channels: int = 3) -> Image.Image:
    shape = (size[1], size[0], channels) if channels > 1 else (size[1], size[0])
    return Image.fromarray(numpy.random.default_rng(size).integers(0, 256, shape, dtype=numpy.uint8))


def of_torchvision(preset: Any) -> Preprocessing:
    (crop,), (resize,) = preset.crop_size, preset.resize_size
    return Preprocessing((crop, crop), resize, tuple(preset.mean), tuple(preset.std), preset.interpolation.value)


def of_timm(config: dict[str, Any]) -> Preprocessing:
    crop = cast("tuple[int, int]", config["input_size"][1:])
    resize = (int(crop[0] / config["crop_pct"]), int(crop[1] / config["crop_pct"]))
    interpolation, fit = cast("Interpolation", config["interpolation"]), cast("Fit", config["crop_mode"])
    return Preprocessing(crop, resize, config["mean"], config["std"], interpolation, fit)


@pytest.mark.parametrize(
    "weights",
    [
        "ResNet50_Weights.IMAGENET1K_V1",
        "ResNet50_Weights.IMAGENET1K_V2",
        "ViT_B_16_Weights.IMAGENET1K_V1",
        "Inception_V3_Weights.IMAGENET1K_V1",
        "EfficientNet_B0_Weights.IMAGENET1K_V1",
    ],
)
def test_it_prepares_as_torchvision(weights: str) -> None:
    theirs = get_weight(weights).transforms()
    ours = transform(of_torchvision(theirs))
    for size in SIZES:
        assert torch.equal(ours(noise(size)), theirs(noise(size))), size


@pytest.mark.parametrize("fit", ["center", "squash", "border"])
@pytest.mark.parametrize("shape", [(3, 64, 64), (3, 64, 96)])
@pytest.mark.parametrize("portion", [0.875, 0.95, 1.0])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest", "lanczos"])
def test_it_prepares_as_timm(fit: str, shape: tuple[int, int, int], portion: float, interpolation: str) -> None:
    config: dict[str, Any] = {
        "input_size": shape,
        "crop_pct": portion,
        "crop_mode": fit,
        "interpolation": interpolation,
    }
    config |= {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    ours, theirs = transform(of_timm(config)), cast(Any, create_transform(**config))
    for size in SIZES:
        assert torch.equal(ours(noise(size)), theirs(noise(size))), size


@pytest.mark.parametrize(
    "name", ["resnet18.a1_in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "mobilenetv3_small_050"]
)
def test_it_prepares_as_timm_does_for_a_model(name: str) -> None:
    config: dict[str, Any] = cast(Any, resolve_model_data_config)(timm.create_model(name, pretrained=False))
    ours, theirs = transform(of_timm(config)), cast(Any, create_transform(**config))
    for size in SIZES:
        assert torch.equal(ours(noise(size)), theirs(noise(size))), size


def test_a_grey_network_sees_one_channel() -> None:
    image = Image.new("L", (2, 2), 51)
    image.putpixel((1, 0), 255)
    ours = transform(Preprocessing((2, 2), None, (0.2,), (0.5,)))(image)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, torch.tensor([[[0.0, 1.6], [0.0, 0.0]]]))  # (1 - 0.2) / 0.5


def test_grey_and_colour_become_what_the_network_sees() -> None:
    colour, grey = Preprocessing((4, 4), 4, HALF, HALF), Preprocessing((4, 4), 4, (0.0,), (1.0,))
    assert transform(colour)(noise((4, 4), 1)).shape == (3, 4, 4)
    assert transform(grey)(noise((4, 4))).shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("resize", "fit", "columns"),
    [
        # An image of 8 columns and 4 rows whose left half is white.
        (None, "center", [1, 1, 0, 0]),
        ((4, 4), "squash", [1, 1, 0, 0]),
        (4, "squash", [1, 1, 0, 0]),
        (8, "center", [1, 1, 0, 0]),
    ],
)
def test_the_middle_is_cut_out(resize: int | tuple[int, int] | None, fit: Fit, columns: list[int]) -> None:
    image = Image.new("RGB", (8, 4))
    image.paste((255, 255, 255), (0, 0, 4, 4))
    asked = Preprocessing((4, 4), resize, (0.0,) * 3, IDENTITY, "nearest", fit)
    assert transform(asked)(image)[0, 0].tolist() == columns


def test_a_border_is_filled_with_the_mean() -> None:
    image = Image.new("RGB", (4, 2), (255, 255, 255))
    asked = Preprocessing((4, 4), 4, (0.2, 0.4, 0.6), IDENTITY, "nearest", "border")
    ours = transform(asked)(image)
    torch.testing.assert_close(ours[:, :, 0], torch.tensor([[0, 0.8, 0.8, 0], [0, 0.6, 0.6, 0], [0, 0.4, 0.4, 0]]))
    grey = Preprocessing((4, 4), 4, (0.2,), (1.0,), "nearest", "border")
    torch.testing.assert_close(transform(grey)(image.convert("L"))[0, :, 0], torch.tensor([0, 0.8, 0.8, 0]))


def test_it_can_be_sent_to_another_process() -> None:
    ours = transform(Preprocessing((8, 8), 9, HALF, HALF))
    sent = pickle.loads(pickle.dumps(ours))
    assert torch.equal(sent(noise((20, 10))), ours(noise((20, 10))))


@pytest.mark.parametrize(("mean", "std"), [((), ()), ((0.5,), HALF), ((0.5, 0.5), (1.0, 1.0))])
def test_channels_that_do_not_fit_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(Unusable, match=r"expected mean and std of 1 or 3 channels; got \("):
        transform(Preprocessing((8, 8), 8, mean, std))
