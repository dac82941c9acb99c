"""torchvision and timm as providers: what each lists, read from its source files, and how one of its models is built.

Listing imports neither library (nor torch): a run that only collects must not pay for them.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[], Any]
Shape = tuple[int, int, int]

TORCHVISION_SETTINGS: dict[str, dict[str, Any]] = {
    # Both warn unless told whether to draw their slow initial weights. GoogLeNet's auxiliary heads are dropped as soon
    # as its weights are loaded, and its published parameter count has none; Inception-v3 keeps its head in both.
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"init_weights": True},
    # The size is part of the network, and the first of its weights are for 518 pixels.
    "vit_h_14": {"image_size": 518},
}
"""Arguments without which torchvision does not build the network it publishes figures of."""

TORCHVISION_CROPS = {
    "efficientnet_b1": 240,
    "efficientnet_b2": 288,
    "efficientnet_b3": 300,
    "efficientnet_b4": 380,
    "efficientnet_b5": 456,
    "efficientnet_b6": 528,
    "efficientnet_b7": 600,
    "efficientnet_v2_l": 480,
    "efficientnet_v2_m": 480,
    "efficientnet_v2_s": 384,
    "inception_v3": 299,
    "regnet_y_128gf": 384,
    "swin_v2_b": 256,
    "swin_v2_s": 256,
    "swin_v2_t": 256,
    "vit_h_14": 518,
}
"""Crop in pixels of each model's first weights, at which its operations are published, where it is not 224."""

# torchvision writes `@register_model()` or `@register_model(name="vit_b_16")`, timm `@register_model`.
_REGISTRATION = re.compile(r'^@register_model(?:\((?:name="(\w+)")?\))?\n(?:@.+\n)*def (\w+)\(', re.MULTILINE)


class MissingLibrary(ModuleNotFoundError):
    """A provider is not installed."""


class Listed(NamedTuple):
    """A model in a provider's registry: its ``name`` there, and the stem of the ``file`` that defines it."""

    name: str
    file: str


def torchvision_model(name: str, **settings: Any) -> Build:
    """A picklable constructor of torchvision's ``name`` without weights; torchvision is imported when it is called."""
    return partial(_build_torchvision, name, **(TORCHVISION_SETTINGS.get(name, {}) | settings))


def timm_model(name: str, **settings: Any) -> Build:
    """A picklable constructor of timm's ``name`` without weights; timm is imported when it is called."""
    return partial(_build_timm, name, **settings)


def torchvision_input(name: str) -> Shape:
    """``(channels, height, width)`` at which torchvision publishes the operations of ``name``."""
    crop = TORCHVISION_CROPS.get(name, 224)
    return (3, crop, crop)


def torchvision_models() -> list[Listed]:
    """Every classification model that torchvision registers, by name; raises MissingLibrary."""
    return sorted(_registered("torchvision"))


def timm_models() -> list[Listed]:
    """Every model that timm registers, deprecated names left out, by name; raises MissingLibrary."""
    return sorted(_registered("timm"))


def _build_torchvision(name: str, **settings: Any) -> nn.Module:
    from torchvision.models import get_model

    model: nn.Module = get_model(name, weights=None, **settings)
    return model


def _build_timm(name: str, **settings: Any) -> nn.Module:
    from timm import create_model

    model: nn.Module = create_model(name, pretrained=False, **settings)
    return model


def _registered(library: str) -> Iterator[Listed]:
    """Registrations in the files of ``library/models``; detection, video and quantised models lie in folders below."""
    for file in (_root(library) / "models").glob("*.py"):
        for given, function in _REGISTRATION.findall(file.read_text(encoding="utf-8")):
            yield Listed(given or function, file.stem)


def _root(library: str) -> Path:
    """Where a library is installed; finding a top-level package does not import it."""
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise MissingLibrary(f"suite {library!r} needs the package {library}: pip install {library}", name=library)
    return Path(spec.submodule_search_locations[0])
