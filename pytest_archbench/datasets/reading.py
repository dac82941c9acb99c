"""Decoding: from a file, or from pixels in memory, to an image."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_archbench.protocols import Unusable

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Files:
    """Reads the ``names`` in ``folder`` as RGB."""

    folder: str
    names: tuple[str, ...]

    def __call__(self, index: int) -> Image.Image:
        return decoded(os.path.join(self.folder, self.names[index]))  # noqa: PTH118  (once an image: as quick as it gets)


@dataclass(frozen=True, slots=True)
class Pixels:
    """Reads from ``images``: an array of bytes (image, height, width) for grey ones, (image, height, width, 3) else."""

    images: Any

    def __call__(self, index: int) -> Image.Image:
        from PIL import Image

        return Image.fromarray(self.images[index])


def decoded(path: str) -> Image.Image:
    """The image of a file, whole, as RGB; how it is turned (EXIF) is not heeded, as it is in no published evaluation.
    Raises Unusable.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd EXIF, ICC and palettes: the pixels are not touched by them
            with Image.open(path) as image:
                converted: Image.Image = image.convert("RGB")
                return converted
    except MemoryError:
        raise
    except Exception as error:  # decoders meet bytes they were not made for, and raise whatever comes of it
        said = f"{path}: not an image that can be decoded: {words(error)}: replace the file"
        raise Unusable(printable(said)) from error


def words(error: BaseException) -> str:
    """What an error says, in one line."""
    return printable(" ".join(str(error).split())) or type(error).__name__


def printable(text: str) -> str:
    """Names of files need not be text: bytes that are none are written as numbers, so that it can be sent and shown."""
    return text.encode("utf-8", "backslashreplace").decode()
