"""Everything random of a training, drawn from its seed and the epoch alone.

So it depends neither on what was drawn before, which makes a training that goes on equal to one that never stopped, nor
on how many processes prepare images or train.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor


def seed_of(*parts: object) -> int:
    """A seed of 63 bits that tells apart what it is for."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


def generator(*parts: object) -> Generator:
    import torch

    return torch.Generator().manual_seed(seed_of(*parts))


def order(seed: int, epoch: int, images: int) -> Tensor:
    """The order in which the training images of an epoch are taken: (images,) indices."""
    import torch

    return torch.randperm(images, generator=generator("order", seed, epoch))


def mirrored(seed: int, epoch: int, images: int) -> Tensor:
    """Whether each training image is mirrored in an epoch, by its index: (images,) bool, half of them true."""
    import torch

    return torch.rand(images, generator=generator("mirrored", seed, epoch)) < 0.5


def corners(seed: int, epoch: int, images: int) -> Tensor:
    """Where each training image is cut in an epoch, by its index: (images, 2) in 0..1, of the room there is."""
    import torch

    return torch.rand(images, 2, generator=generator("corners", seed, epoch))
