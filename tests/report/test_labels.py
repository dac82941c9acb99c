"""Label geometry, checked on boxes whose overlap is known."""

from __future__ import annotations

import numpy as np
import pytest
from overlap import overlapping_share

from pytest_archbench.report.labels import place

BOUNDS = np.array([[0.0, 0.0], [400.0, 300.0]])


def test_the_overlapping_share_of_two_boxes() -> None:
    # Two 4 x 2 boxes, one moved by 2: they share 2 x 2 = 4 of 16.
    spots, sizes = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[4.0, 2.0], [4.0, 2.0]])
    assert overlapping_share(spots, sizes) == pytest.approx(0.25)


def test_boxes_apart_share_nothing_and_no_boxes_share_nothing() -> None:
    assert overlapping_share(np.array([[0.0, 0.0], [9.0, 0.0]]), np.array([[4.0, 2.0], [4.0, 2.0]])) == 0.0
    assert overlapping_share(np.zeros((0, 2)), np.zeros((0, 2))) == 0.0


def test_a_box_within_another_shares_its_own_area() -> None:
    # 1 x 1 within 4 x 3: 1 of 13.
    assert overlapping_share(np.array([[0.0, 0.0], [0.5, 0.5]]), np.array([[4.0, 3.0], [1.0, 1.0]])) == 1 / 13


def test_a_label_alone_stands_beside_its_blob_without_covering_it() -> None:
    (spot,) = place(np.array([[200.0, 150.0]]), np.array([5.0]), np.array([0]), np.array([[40.0, 8.0]]), BOUNDS)
    away = np.abs(spot - (200.0, 150.0)) - (20.0, 4.0)
    assert 5.0 <= np.linalg.norm(np.clip(away, 0, None)) < 12.0


def test_a_label_that_fits_stands_inside_its_ball() -> None:
    (spot,) = place(np.array([[200.0, 150.0]]), np.array([40.0]), np.array([0]), np.array([[40.0, 8.0]]), BOUNDS)
    assert spot.tolist() == [200.0, 150.0]


def test_twenty_labels_of_one_heap_do_not_overlap_and_stay_inside() -> None:
    centres = np.random.default_rng(3).normal((200, 150), 12, (20, 2))
    sizes = np.full((20, 2), (50.0, 8.0))
    spots = place(centres, np.full(20, 6.0), np.arange(20), sizes, BOUNDS)
    assert overlapping_share(spots, sizes) < 0.01
    assert (spots - sizes / 2 >= BOUNDS[0]).all()
    assert (spots + sizes / 2 <= BOUNDS[1]).all()


def test_the_same_blobs_get_the_same_labels() -> None:
    centres = np.random.default_rng(3).normal((200, 150), 12, (20, 2))
    arguments = (centres, np.full(20, 6.0), np.arange(20), np.full((20, 2), (50.0, 8.0)), BOUNDS)
    assert np.array_equal(place(*arguments), place(*arguments))


def test_no_labels_are_no_places() -> None:
    nothing = place(np.zeros((1, 2)), np.ones(1), np.zeros(0, dtype=int), np.zeros((0, 2)), BOUNDS)
    assert nothing.shape == (0, 2)
