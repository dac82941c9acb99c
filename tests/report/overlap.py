"""How much the names of a figure lie over one another, computed apart from the search that places them."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def overlapping_share(spots: Array, sizes: Array) -> float:
    """The area that boxes share with one another, as a fraction of the area of all of them.

    ``spots`` (k, 2) are their centres, ``sizes`` (k, 2) their widths and heights.
    """
    shared = 0.0
    for one, other in itertools.combinations(range(len(sizes)), 2):
        sides = (sizes[one] + sizes[other]) / 2 - np.abs(spots[one] - spots[other])
        shared += float(np.clip(sides, 0, np.minimum(sizes[one], sizes[other])).prod())
    return shared / float(sizes.prod(axis=1).sum()) if len(sizes) else 0.0
