"""Folders of real JPEG files in ImageNet's layouts, as small as they can be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pytest_archbench.datasets import Images, Split, find
from pytest_archbench.protocols import Learning

TENCH, GOLDFISH, SHARK = "n01440764", "n01443537", "n01484850"
"""The first three synsets: labels 0, 1 and 2."""
TOILET_TISSUE = "n15075141"
"""The last one: label 999."""


def jpeg(path: Path, color: tuple[int, int, int] = (255, 0, 0), size: tuple[int, int] = (16, 12)) -> Path:
    """A JPEG file of one colour, ``size`` = (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, "JPEG")
    return path


def touch(folder: Path, names: Sequence[str]) -> Path:
    """Empty files: finding opens no image."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def imagenet(folder: Path, split: Split = "valid") -> Images:
    return find("imagenet", split, Learning(imagenet=str(folder)))
