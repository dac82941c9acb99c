"""What accuracy is taken on: sets of labelled images, and how an image of theirs becomes a network's input."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_archbench.datasets.digits import find as find_digits
from pytest_archbench.datasets.imagenet import find as find_imagenet
from pytest_archbench.datasets.images import Images, Read, Split, labels_for
from pytest_archbench.datasets.preparing import transform
from pytest_archbench.datasets.reading import printable
from pytest_archbench.datasets.vision import FINDERS as FIND_VISION
from pytest_archbench.protocols import DIGITS, IMAGENET, Learning, Missing, Unusable

__all__ = ["FINDERS", "Images", "Read", "Split", "find", "labels_for", "transform"]

FINDERS: Mapping[str, Callable[[Split, Learning], Images]] = {
    IMAGENET: find_imagenet,
    DIGITS: find_digits,
    **FIND_VISION,
}
"""Every data set by its name."""


def find(name: str, split: Split, learning: Learning) -> Images:
    """The images of a data set's split and their labels; none is opened. Raises Missing and Unusable."""
    if name not in FINDERS:
        raise Unusable(f"data set {name!r}: unknown; expected one of {', '.join(FINDERS)}")
    try:
        return FINDERS[name](split, learning)
    except (Missing, Unusable) as error:
        error.args = (printable(str(error)),)
        raise
