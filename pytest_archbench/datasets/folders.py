"""What a folder of images holds: images in it, images in folders of classes. Names only; no image is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_archbench.protocols import Unusable

EXTENSIONS = (".jpeg", ".jpg", ".png", ".bmp", ".webp")
"""Of files that are images, in any case; all else in a folder is none, and what is hidden is not there."""


@dataclass(frozen=True, slots=True)
class Found:
    """``images`` lie in the folder itself, ``classes`` are its folders and the images in each; all sorted. ``sizes``
    are the bytes of every image by its name, ``class/image`` where it lies in a folder; None of a link to nothing.
    """

    folder: Path
    images: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int | None]

    @property
    def filled(self) -> tuple[str, ...]:
        """The folders that hold an image."""
        return tuple(name for name, images in self.classes.items() if images)


def scan(folder: Path) -> Found:
    """What ``folder`` holds; raises Unusable where it cannot be listed."""
    images, folders = _listed(folder)
    inside = {name: _listed(folder / name) for name in folders}
    sizes = images | {f"{name}/{image}": size for name, (found, _) in inside.items() for image, size in found.items()}
    _require_shallow(folder, [f"{name}/{inner}" for name, (_, inners) in inside.items() for inner in inners])
    return Found(folder, tuple(images), {name: tuple(found) for name, (found, _) in inside.items()}, sizes)


def folders_in(folder: Path) -> tuple[str, ...]:
    """The folders in a folder; raises Unusable."""
    return _listed(folder)[1]


def _require_shallow(folder: Path, inner: Sequence[str]) -> None:
    """Images that nobody looks for would be left out without a word."""
    deep = next((name for name in inner if _listed(folder / name)[0]), None)
    if deep is not None:
        raise Unusable(
            f"{folder / deep}: expected images in the folders of classes; got some a floor deeper: name the folder "
            "whose folders are the classes"
        )


def _listed(folder: Path) -> tuple[dict[str, int | None], tuple[str, ...]]:
    """Images, with their bytes, and folders of a folder; a link to nothing with an image's name is one, which reading
    it will say.
    """
    images: dict[str, int | None] = {}
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.name.lower().endswith(EXTENSIONS) and not entry.is_dir():
                    images[entry.name] = _size(entry)
                elif entry.is_dir():
                    folders.append(entry.name)
    except OSError as error:
        raise Unusable(
            f"{error.filename or folder}: cannot be listed: {error.strerror}: expected a folder of images"
        ) from error
    return dict(sorted(images.items())), tuple(sorted(folders))


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size
    except OSError:  # a link to nothing, or to itself
        return None
