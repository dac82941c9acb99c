"""Building a network that weighs nothing: on the meta device, without initialisation, without garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import torch
from torch import nn

NEEDS_VALUES = (RuntimeError, TypeError)
"""What torch raises where code asks a meta tensor for its values: to copy it, for ``item()``, for ``numpy()``."""


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """``build()`` with every parameter and buffer on the meta device, in evaluation mode.

    A constructor that computes with tensors (torchvision's RegNet reads its widths off one) cannot run
    on the meta device; it is built on the CPU, where memory that is never written to is never taken, and moved.

    Raises: whatever ``build`` raises on the CPU.
    """
    with _collection_paused(), _initialisation_off():
        try:
            with torch.device("meta"):
                model = build()
        except NEEDS_VALUES:
            model = build().to("meta")
    return model.eval()


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Modules are long chains of small objects: collecting them half-built costs a third of building them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _initialisation_off() -> Iterator[None]:
    """``torch.nn.init`` leaves tensors as they are, and so do the layers that would call it when made."""
    with ExitStack() as stack:
        for name in INITIALISERS:
            stack.enter_context(patch.object(nn.init, name, _leave))
        for layer in SELF_INITIALISING:
            stack.enter_context(patch.object(layer, "reset_parameters", _leave_layer))
        yield


INITIALISERS = tuple(name for name in vars(nn.init) if name.endswith("_") and not name.startswith("_"))
SELF_INITIALISING = (nn.Linear, nn.modules.conv._ConvNd, nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)


def _leave(tensor: torch.Tensor, *_args: object, **_kwargs: object) -> torch.Tensor:
    return tensor


def _leave_layer(_layer: nn.Module) -> None:
    return None
