"""Handwritten digits, which come along with scikit-learn: 1,797 grey images of 8 x 8 pixels.

E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
"""

from __future__ import annotations

from pytest_archbench.datasets.images import Images, Split
from pytest_archbench.datasets.reading import Pixels
from pytest_archbench.protocols import DIGITS, Learning, Missing

FIFTH = 5
"""Every so many-th image, the first one included, is for validation: the set states no split of its own."""
DARKEST = 16
"""Values are the inked pixels, 0 to 16, of each square of 4 x 4."""


def find(split: Split, learning: Learning) -> Images:  # noqa: ARG001  (every data set is found with the same words)
    """360 images for validation, 1,437 for training; values are scaled to 0..255 and rounded (a half to the even one).
    Raises Missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise Missing(
            f"digits come with scikit-learn, which cannot be imported ({error}): pip install scikit-learn"
        ) from error
    values, targets = load_digits(return_X_y=True)
    chosen = [index for index in range(len(values)) if (index % FIFTH == 0) == (split == "valid")]
    pixels = (values.reshape(-1, 8, 8)[chosen] * 255 / DARKEST).round().astype("uint8")
    names = tuple(f"{DIGITS}/{index:05}" for index in chosen)
    labels = tuple(int(targets[index]) for index in chosen)
    return Images(DIGITS, split, tuple("0123456789"), names, labels, Pixels(pixels))
