"""A colour for each family: apart from each other, and the same in every run."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from pytest_archbench.report.palette import CAPACITY, HUES, OTHER, strokes, styles


def test_hues_stand_apart_from_each_other() -> None:
    pairs = itertools.combinations([np.array(to_rgb(hue)) for hue in HUES], 2)
    assert min(float(np.abs(one - other).max()) for one, other in pairs) > 0.12


def test_families_keep_their_colour_when_another_is_added() -> None:
    before = styles(["resnet", "vgg", "densenet", "alexnet"])
    after = styles(["resnet", "vgg", "densenet", "alexnet", "zfnet"])
    assert {name: after[name] for name in before} == before


def test_no_two_families_look_alike_up_to_the_capacity() -> None:
    found = styles(f"family{index}" for index in range(CAPACITY + 5))
    distinct = list(found.values())[:CAPACITY]
    assert len(set(distinct)) == CAPACITY == 48
    assert list(found.values())[CAPACITY:] == [OTHER] * 5
    assert len({style.fill for style in distinct[: len(HUES)]}) == len(HUES) >= 20


def test_lines_take_the_colours_in_turn_and_edges_when_these_are_spent() -> None:
    found = strokes(pd.DataFrame({"topology": ["b", "a", "a", *(f"c{place:03}" for place in range(CAPACITY))]}))
    assert (found["a"].fill, found["b"].fill) == HUES[:2]
    assert len({*found.values()} - {OTHER}) == CAPACITY
    assert [name for name, style in found.items() if style == OTHER] == ["c046", "c047"]
