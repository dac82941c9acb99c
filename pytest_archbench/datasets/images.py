"""The record of a data set's images, and which output of a network each label is."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_archbench.protocols import Missing, Unusable

if TYPE_CHECKING:
    from PIL import Image

Split = Literal["train", "valid"]
Read = Callable[[int], "Image.Image"]

BACKGROUND_FIRST = 1001
"""Outputs of a network whose first stands for none of ImageNet's classes, as TensorFlow's have it."""


@dataclass(frozen=True, slots=True)
class Images:
    """The images of one ``split`` of the data set ``name``, sorted by their ``names``.

    ``names`` are files relative to their folder, ``digits/00005`` where there are none; ``labels`` are indices into
    ``classes``. ``read(index)`` decodes an image (RGB, or L where the set is grey), can be pickled, and raises Unusable
    with the file's name. ``part`` says what of the set that figures are published for this is; empty where it is the
    whole. ``random`` is False where published figures do not speak of it: other classes, or other images. ``sizes`` are
    the bytes of each file, where the set is one of files that anybody may change; None of one that is not there.
    """

    name: str
    split: Split
    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[int, ...]
    read: Read
    part: str = ""
    random: bool = True
    sizes: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        what = f"{self.name} ({self.split})"
        if not self.names or len(self.names) != len(self.labels):
            raise Unusable(f"{what}: expected a label for each image; got {len(self.names)} and {len(self.labels)}")
        strange = next((label for label in self.labels if not 0 <= label < len(self.classes)), None)
        if strange is not None:
            raise Unusable(f"{what}: expected labels 0 to {len(self.classes) - 1}; got {strange}: get the set anew")

    @property
    def identity(self) -> str:
        """SHA-256 in hexadecimal, equal for equal images with equal labels: of the names, the labels and, where they
        are known, the files' sizes, which differ between almost any two images. What else files hold is not looked at,
        for it takes minutes, nor is when they were written, which differs between copies.
        """
        facts = [self.name, self.split, self.names, self.labels, *([self.sizes] if self.sizes else [])]
        content = json.dumps(facts, separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()


@cache
def synsets() -> tuple[str, ...]:
    """The 1,000 synsets of ImageNet (ILSVRC 2012) in the order of a network's outputs, read from timm's list without
    importing it; raises Missing.
    """
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        raise Missing("the list of ImageNet's synsets is timm's, which is not installed: pip install timm")
    file = Path(spec.origin).parent / "data" / "_info" / "imagenet_synsets.txt"
    try:
        return tuple(file.read_text(encoding="utf-8").split())
    except OSError as error:
        raise Missing(f"{file}: no list of ImageNet's synsets ({error.strerror}): pip install 'timm>=1.0.9'") from error


def share(count: int, whole: int) -> str:
    """What ``count`` images are of a set that has ``whole``: empty for all of them."""
    return "" if count == whole else f"{count:,} of {whole:,} images"


def labels_for(images: Images, outputs: int) -> tuple[int, ...]:
    """The index that the label of each image has among a network's outputs; raises Unusable."""
    if outputs == len(images.classes):
        return images.labels
    if outputs == BACKGROUND_FIRST and images.classes == synsets():
        return tuple(label + 1 for label in images.labels)
    what = f"{images.name} ({images.part})" if images.part else images.name
    raise Unusable(
        f"{what}: expected {len(images.classes):,} outputs, one for each class; got a network with {outputs:,}: "
        "take weights for these classes, or list the classes of its outputs in classes.txt beside the images"
    )
