"""Where to put the names of blobs: a greedy search with a few rounds of second thoughts, the same every time.

Pure geometry in points, x to the right and y upwards. A label is a box given by its centre and its (width, height).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

GAPS = (2.0, 6.0, 12.0, 20.0, 30.0, 42.0, 56.0, 74.0, 96.0, 122.0)
DIRECTIONS: Array = np.stack([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 24, endpoint=False)])
MARGIN = np.array([2.0, 1.0])
ROUNDS = 8

OVERLAP, COVER, LEADER, CROSSING, FAR = 16.0, 4.0, 2.5, 0.8, 1 / 40
"""What a candidate pays: its share that overlaps other labels, its share over blobs, the share of its leader line
that runs under labels, each other leader line that its own crosses, and its distance from the blob per point."""


def place(centres: Array, radii: Array, owners: npt.NDArray[np.int_], sizes: Array, bounds: Array) -> Array:
    """Centres (k, 2) of k labels of ``sizes`` (k, 2), label i belonging to blob ``owners[i]``.

    ``centres`` (n, 2) and ``radii`` (n,) are all blobs, labelled or not; ``bounds`` (2, 2) holds the lower left and
    the upper right corner that no label leaves where it can be helped.
    """
    padded = sizes + 2 * MARGIN
    spots: Array = centres[owners].copy()
    placed = np.zeros(len(owners), dtype=bool)
    for _ in range(ROUNDS):
        before = spots.copy()
        for label in _crowded_first(centres, owners):
            candidates, paid = _candidates(centres[owners[label]], radii[owners[label]], padded[label])
            others = placed.copy()
            others[label] = False
            taken = _boxes(spots[others], padded[others])
            least = paid + _cover(candidates, padded[label], owners[label], centres, radii, taken, bounds)
            line = partial(_line, centre=centres[owners[label]], taken=taken)
            line = partial(line, starts=centres[owners[others]], stops=spots[others])
            # A line costs something or nothing: what costs more without one than the cheapest with its own cannot win.
            cheapest = int(np.argmin(least))
            within = np.flatnonzero(least <= least[cheapest] + line(candidates[[cheapest]])[0])
            full = least[within] + line(candidates[within])
            spots[label], placed[label] = candidates[within[int(np.argmin(full))]], True
        if np.array_equal(before, spots):
            break
    return spots


def _crowded_first(centres: Array, owners: npt.NDArray[np.int_]) -> list[int]:
    distances = np.linalg.norm(centres[owners][:, None] - centres[None], axis=2)
    crowd = (distances < 60).sum(axis=1)
    return sorted(range(len(owners)), key=lambda label: (-int(crowd[label]), label))


def _candidates(centre: Array, radius: float, size: Array) -> tuple[Array, Array]:
    """Positions (m, 2) around a blob and their price (m,): beside it, then farther out; inside where it fits."""
    reach = np.clip(DIRECTIONS * np.sqrt(2), -1, 1) * size / 2
    rings = [centre + DIRECTIONS * (radius + gap) + reach for gap in GAPS]
    prices = [np.full(len(DIRECTIONS), gap * FAR) for gap in GAPS]
    if size[0] < 2 * radius:
        rings.append(centre[None])
        prices.append(np.zeros(1))
    return np.concatenate(rings), np.concatenate(prices)


def _cover(spots: Array, size: Array, owner: int, centres: Array, radii: Array, taken: Array, bounds: Array) -> Array:
    """(m,): what a label pays for lying over others and over blobs, and outside the bounds."""
    boxes, area = _boxes(spots, size), float(size[0] * size[1])
    half = radii[:, None] * 0.8  # the square of a circle's area, nearly
    blobs = np.delete(np.concatenate([centres - half, centres + half], axis=1), owner, axis=0)
    low, high = (
        np.minimum(boxes[:, :2].min(axis=0), centres[owner]),
        np.maximum(boxes[:, 2:].max(axis=0), centres[owner]),
    )
    taken, blobs = _within(taken, low, high), _within(blobs, low, high)  # what lies farther away costs nothing
    outside = np.clip(bounds[0] - boxes[:, :2], 0, None) + np.clip(boxes[:, 2:] - bounds[1], 0, None)
    cost: Array = (
        OVERLAP * _overlap(boxes, taken).sum(axis=1) / area
        + COVER * _overlap(boxes, blobs).sum(axis=1) / area
        + 100 * outside.sum(axis=1)
    )
    return cost


def _line(spots: Array, *, centre: Array, taken: Array, starts: Array, stops: Array) -> Array:
    """(m,): what the line from the blob to each spot pays for running under labels and across other lines."""
    found: Array = LEADER * _leader_under(spots, centre, taken) + CROSSING * _crossings(centre, spots, starts, stops)
    return found


def _within(boxes: Array, low: Array, high: Array) -> Array:
    """The boxes that reach into the one between the corners ``low`` and ``high``."""
    found: Array = boxes[np.all((boxes[:, :2] < high) & (boxes[:, 2:] > low), axis=1)]
    return found


def _boxes(spots: Array, sizes: Array) -> Array:
    """(k, 4): left, bottom, right, top."""
    return np.concatenate([spots - sizes / 2, spots + sizes / 2], axis=1)


def _overlap(boxes: Array, others: Array) -> Array:
    """(m, k): the area that each box shares with each other one."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared: Array = np.clip(high - low, 0, None).prod(axis=2)
    return shared


def _leader_under(spots: Array, centre: Array, taken: Array) -> Array:
    """(m,): how many twelfths of the way from the blob to each spot run under labels that are placed."""
    steps = np.linspace(0, 1, 12)[None, :, None]
    points = centre + (spots[:, None] - centre) * steps
    inside = (points[:, :, None] > taken[None, None, :, :2]) & (points[:, :, None] < taken[None, None, :, 2:])
    share: Array = np.any(np.all(inside, axis=3), axis=2).mean(axis=1)
    return share


def _crossings(start: Array, ends: Array, starts: Array, stops: Array) -> Array:
    """(m,): how many of the k segments ``starts``-``stops`` each segment ``start``-``ends`` crosses."""

    def side(a: Array, b: Array, c: Array) -> Array:
        """The sign tells on which side of the line a-b the point c lies."""
        return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])

    a, b, c, d = start[None, None], ends[:, None], starts[None], stops[None]
    apart = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    crossed: Array = apart.sum(axis=1).astype(float)
    return crossed
