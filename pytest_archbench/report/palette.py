"""A colour for each family: distinct, the same in every figure, and as far as possible the same in every run."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

INK = "#1c2230"
PAPER = "#ffffff"
FAINT = "#d9dde3"
MUTED = "#5b6472"

HUES = (
    *("#2078b8", "#f8a000", "#b00000", "#f080f8", "#20a010", "#48c8d0", "#9028a0", "#306030"),
    *("#b07878", "#9868f0", "#90c830", "#d8a8b8", "#785060", "#d048a8", "#509888", "#f86028"),
    *("#a89000", "#48a0f8", "#5040c0", "#986000", "#f870a0", "#b0a0f8", "#d04058", "#a8b888"),
)
"""Farthest-point sample in OKLab (no two nearer than 0.116) of the colours that stand out from white (contrast 2)
as well as from the page's dark paper (contrast 2.4), without the most saturated."""
EDGES = (PAPER, INK)


@dataclass(frozen=True, slots=True)
class Style:
    """How the marks of one family are drawn; two families share a ``fill`` only where their ``edge`` differs."""

    fill: str
    edge: str


OTHER = Style("#9aa1ab", PAPER)
"""Families beyond what colours and edges can tell apart."""
CAPACITY = len(HUES) * len(EDGES)


def styles(families: Iterable[str]) -> dict[str, Style]:
    """A style for each family, given in order of importance; those beyond ``CAPACITY`` share ``OTHER``.

    A family starts at the place its name hashes to and takes the next free one: whether another family is in the
    run seldom changes its colour, and two families never have the same.
    """
    names = list(dict.fromkeys(families))
    taken: dict[int, str] = {}
    for layer in range(len(EDGES)):
        for name in sorted(names[layer * len(HUES) : (layer + 1) * len(HUES)]):
            start = zlib.crc32(name.encode("utf-8", "replace"))
            places = (layer * len(HUES) + (start + step) % len(HUES) for step in range(len(HUES)))
            taken[next(place for place in places if place not in taken)] = name
    found = {name: Style(HUES[place % len(HUES)], EDGES[place // len(HUES)]) for place, name in taken.items()}
    return {name: found.get(name, OTHER) for name in names}


def looks(frame: pd.DataFrame) -> dict[str, Style]:
    """The style of each family of a frame of networks, the largest family first."""
    sizes = frame.drop_duplicates("architecture").groupby("family").size()
    return styles(sorted(sizes.index, key=lambda family: (-sizes[family], family)))


def strokes(frame: pd.DataFrame) -> dict[str, Style]:
    """A style for each topology of a frame, where networks and not families are told apart.

    By name along ``HUES``, each of which is as far as can be from those before it: few lines are well apart.
    """
    found = [Style(hue, edge) for edge in EDGES for hue in HUES]
    names = sorted(frame["topology"].unique())
    return {name: found[place] if place < CAPACITY else OTHER for place, name in enumerate(names)}
