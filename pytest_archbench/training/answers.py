"""What a network answers, in training as in evaluation: one rule for both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_archbench.protocols import Unusable

if TYPE_CHECKING:
    from torch import Tensor


def scores(said: Any, name: str) -> Tensor:
    """(batch, classes) of what the network ``name`` said: itself, or the ``logits`` of a mapping or an object.

    Raises Unusable for anything else; which of several answers counts is not guessed.
    """
    import torch

    found = said["logits"] if isinstance(said, Mapping) and "logits" in said else getattr(said, "logits", said)
    if not isinstance(found, torch.Tensor) or found.ndim != 2:
        got = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
        raise Unusable(
            f"{name}: expected values of shape (batch, classes); got {got}; "
            "have it return those alone, or name them logits"
        )
    return found
