"""MobileNet v1 at every width and resolution of the paper, and MobileNet v2 as torchvision and timm have it.

Figures of one width at several resolutions share a topology; names are ``mobilenet_v1_<width>[_<resolution>]`` with
224 pixels left out. Widths multiply every channel count by 1, 0.75, 0.5 or 0.25 (arXiv:1704.04861, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from bench_suite.providers import timm_model, timm_weights, torchvision_model, torchvision_weights
from pytest_archbench.records import Architecture
from pytest_archbench.registry import add_architecture

PAPER_V1 = "arXiv:1704.04861"
PAPER_V2 = "arXiv:1801.04381"
CLASSES = 1000
STEM = 32

# Outputs and stride of the thirteen separable convolutions (Table 1).
SEPARABLE = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)
SHALLOW = tuple(row for row in SEPARABLE if row != (512, 1))
"""Without the five layers of 14 x 14 x 512 (Table 5)."""

WIDTHS_V1 = {"100": 1.0, "075": 0.75, "050": 0.5, "025": 0.25}
RESOLUTIONS_V1 = (224, 192, 160, 128)

VARIANTS_V1: dict[str, dict[str, Any]] = {
    "mobilenet_v1_125": {"width": 1.25},
    "mobilenet_v1_shallow": {"layers": SHALLOW},
    "mobilenet_v1_fullconv": {"factorised": False},
}

# Library and constructor of each width. A library rounds channels to multiples of 8 and never narrows the last layer.
WIDTHS_V2 = {
    "100": ("torchvision", torchvision_model("mobilenet_v2")),
    "140": ("timm", timm_model("mobilenetv2_140")),
    "130": ("torchvision", torchvision_model("mobilenet_v2", width_mult=1.3)),
    "075": ("timm", timm_model("mobilenetv2_075")),
    "050": ("timm", timm_model("mobilenetv2_050")),
    "035": ("timm", timm_model("mobilenetv2_035")),
}
# Published for 224 pixels, so they belong to no entry of another size; 1.3 is no model of torchvision's own.
PUBLISHED_V2 = {
    "100": torchvision_weights("mobilenet_v2"),
    **{key: timm_weights(f"mobilenetv2_{key}") for key in ("140", "075", "050", "035")},
}
SEEDS_V2 = {"100", "140"}
NARROWED_V2 = ("100", "075", "050", "035")
"""Widths that TF-Slim publishes at ``RESOLUTIONS_V2`` as well."""
RESOLUTIONS_V2 = (192, 160, 128, 96)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Depthwise 3x3 with the stride, then 1x1, each with batch normalisation and ReLU.

    (batch, inputs, height, width) -> (batch, outputs, height / stride, width / stride).
    """
    return nn.Sequential(
        *_convolution(inputs, inputs, 3, stride, groups=inputs),
        *_convolution(inputs, outputs, 1, 1),
    )


def full(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """The 3x3 convolution that a separable one stands for; shapes as in ``separable``."""
    return nn.Sequential(*_convolution(inputs, outputs, 3, stride))


class MobileNetV1(nn.Module):
    """Names in the state dict are those of marvis/pytorch-mobilenet: ``model.<layer>.<position>.weight``, ``fc``.

    ``width`` multiplies every channel count, rounded down. ``layers`` are outputs and stride at width 1.
    """

    def __init__(self, width: float, layers: Sequence[tuple[int, int]], factorised: bool) -> None:
        super().__init__()
        layer = separable if factorised else full
        channels = [int(outputs * width) for outputs in (STEM, *(outputs for outputs, _ in layers))]
        strides = [stride for _, stride in layers]
        self.model = nn.Sequential(
            nn.Sequential(*_convolution(3, channels[0], 3, 2)),
            *(layer(*ends, stride) for ends, stride in zip(pairwise(channels), strides, strict=True)),
            nn.AdaptiveAvgPool2d(1),
        )
        self.fc = nn.Linear(channels[-1], CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, 1000); height and width are multiples of 32 in every published use."""
        logits: Tensor = self.fc(torch.flatten(self.model(image), 1))
        return logits


def mobilenet_v1(
    width: float = 1.0, layers: Sequence[tuple[int, int]] = SEPARABLE, factorised: bool = True
) -> MobileNetV1:
    """MobileNet v1; ``factorised=False`` is the paper's comparison with full convolutions (Table 4)."""
    return MobileNetV1(width, layers, factorised)


def _add_v1(name: str, **fields: Any) -> None:
    add_architecture(Architecture(name, family="mobilenet_v1", paper=PAPER_V1, **fields))


def _add_v2(key: str, resolution: int, **fields: Any) -> None:
    library, build = WIDTHS_V2[key]
    topology = f"mobilenet_v2_{key}"
    add_architecture(
        Architecture(
            name=topology if resolution == 224 else f"{topology}_{resolution}",
            family="mobilenet_v2",
            build=build,
            input_shape=(3, resolution, resolution),
            paper=PAPER_V2,
            provider=library,
            topology=topology,
            **fields,
        )
    )


for _key, _width in WIDTHS_V1.items():
    for _size in RESOLUTIONS_V1:
        _topology = f"mobilenet_v1_{_key}"
        _add_v1(
            name=_topology if _size == 224 else f"{_topology}_{_size}",
            build=partial(mobilenet_v1, _width),
            input_shape=(3, _size, _size),
            topology=_topology,
            aliases=("mobilenet_v1",) if (_key, _size) == ("100", 224) else (),
        )

for _name, _settings in VARIANTS_V1.items():
    _add_v1(name=_name, build=partial(mobilenet_v1, **_settings), suites=("variants",))

for _key in WIDTHS_V2:
    _add_v2(
        _key,
        224,
        aliases=("mobilenet_v2", "mobilenetv2_100") if _key == "100" else (f"mobilenetv2_{_key}",),
        suites=("seeds",) if _key in SEEDS_V2 else ("variants",),
        weights=PUBLISHED_V2.get(_key),
    )

for _key in NARROWED_V2:
    for _size in RESOLUTIONS_V2:
        _add_v2(_key, _size, suites=("variants",))
