"""What a folder of images holds: images in it, images in folders of classes. Names only; no image is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_archbench.protocols import Unusable

EXTENSIONS = (".jpeg", ".jpg", ".png", ".bmp", ".webp")
"""Of files that are images, in any case; all else in a folder is none, and what is hidden is not there."""


@dataclass(frozen=True, slots=True)
class Found:
    """``images`` lie in the folder itself, ``classes`` are its folders and the images in each; all sorted."""

    folder: Path
    images: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]

    @property
    def filled(self) -> tuple[str, ...]:
        """The folders that hold an image."""
        return tuple(name for name, images in self.classes.items() if images)


def scan(folder: Path) -> Found:
    """What ``folder`` holds; raises Unusable where it cannot be listed."""
    images, folders = _listed(folder)
    return Found(folder, images, {name: _listed(folder / name)[0] for name in folders})


def has_folders(folder: Path) -> tuple[str, ...]:
    """The folders in a folder; raises Unusable."""
    return _listed(folder)[1]


def _listed(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Images and folders of a folder; a link to nothing with an image's name is one, which reading it will say."""
    images: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.name.lower().endswith(EXTENSIONS) and not entry.is_dir():
                    images.append(entry.name)
                elif entry.is_dir():
                    folders.append(entry.name)
    except OSError as error:
        raise Unusable(f"{folder}: cannot be listed: {error.strerror}: expected a folder of images") from error
    return tuple(sorted(images)), tuple(sorted(folders))
