"""Images on their way: the same values as their protocol's, cut and mirrored where chance says, in order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_trainings import pictures

from pytest_archbench import datasets
from pytest_archbench.protocols import Preprocessing, Recipe, Unusable
from pytest_archbench.training import chance, feed
from pytest_archbench.training.course import batches

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 9, 7))
IMAGES = pictures(PIXELS, [0, 1, 0, 1, 1])
RECIPE = Recipe(Preprocessing((6, 5), 8, (0.45,), (0.23,)), 1)
ALL = [torch.tensor([4, 0]), torch.tensor([2])]


@pytest.mark.parametrize("held", [2**30, 0])
def test_inputs_are_what_the_protocol_prepares(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "HELD", held)
    fed = feed.feed(IMAGES, IMAGES.labels, RECIPE, "cpu", 0, learning=True)
    assert isinstance(fed.source, feed.Held if held else feed.Streamed)
    prepare = datasets.transform(RECIPE.preprocessing)
    found = list(fed.batches(ALL))
    assert [labels.tolist() for _, labels in found] == [[1, 0], [0]]
    for indices, (inputs, _) in zip(ALL, found, strict=True):
        expected = torch.stack([prepare(IMAGES.read(index)) for index in indices.tolist()])
        assert torch.equal(inputs, expected)


@pytest.mark.parametrize("fit", ["squash", "border"])
def test_bytes_keep_what_is_normalised(fit: str) -> None:
    preprocessing = Preprocessing((8, 8), (8, 8), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bicubic", fit)  # type: ignore[arg-type]
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (11, 13, 3), dtype="uint8"))
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    pixels = feed.whole(preprocessing)(image)
    assert pixels.dtype == torch.uint8
    assert torch.equal(pixels.float().div(255).sub(mean).div(std), datasets.transform(preprocessing)(image))


def test_mirroring_turns_the_images_that_chance_says() -> None:
    fed = feed.feed(IMAGES, IMAGES.labels, RECIPE, "cpu", 0, learning=True)
    which = torch.tensor([True, False, False, False, False])
    (plain, _), (mirrored, _) = next(fed.batches(ALL)), next(fed.batches(ALL, mirrored=which))
    assert torch.equal(mirrored[0], plain[0])  # the fifth image
    assert torch.equal(mirrored[1], plain[1].flip(2))  # the first one, left and right exchanged


@pytest.mark.parametrize(
    ("corner", "expected"),
    [((0.0, 0.0), [[0, 1], [4, 5]]), ((0.99, 0.99), [[10, 11], [14, 15]]), ((0.4, 0.7), [[6, 7], [10, 11]])],
)
def test_a_part_is_cut_where_chance_says(corner: tuple[float, float], expected: list[list[int]]) -> None:
    image = Image.fromarray(np.arange(16, dtype="uint8").reshape(4, 4))
    cut = feed.AnyPart(Preprocessing((2, 2), 4, (0.5,), (0.5,)), 4)
    assert cut(image, *corner).tolist() == [expected]


def test_validation_images_are_not_cut_at_random() -> None:
    recipe = Recipe(Preprocessing((6, 5), 8, (0.5,), (0.5,)), 1, random_crop=8)
    assert isinstance(feed.feed(IMAGES, IMAGES.labels, recipe, "cpu", 0, learning=True).source, feed.Streamed)
    assert isinstance(feed.feed(IMAGES, IMAGES.labels, recipe, "cpu", 0, learning=False).source, feed.Held)


def test_the_number_of_loaders_changes_nothing() -> None:
    recipe = Recipe(Preprocessing((6, 5), 8, (0.5,), (0.5,)), 1, random_crop=8)
    corners = chance.corners(0, 0, len(IMAGES.names))
    alone, many = (
        list(feed.feed(IMAGES, IMAGES.labels, recipe, "cpu", loaders, learning=True).batches(ALL, corners=corners))
        for loaders in (0, 2)
    )
    for (ours, our_labels), (theirs, their_labels) in zip(alone, many, strict=True):
        assert torch.equal(ours, theirs)
        assert torch.equal(our_labels, their_labels)


def test_chance_depends_on_seed_and_epoch_alone() -> None:
    assert torch.equal(chance.order(1, 2, 50), chance.order(1, 2, 50))
    assert not torch.equal(chance.order(1, 2, 50), chance.order(1, 3, 50))
    assert not torch.equal(chance.order(1, 2, 50), chance.order(2, 2, 50))
    assert sorted(chance.order(0, 0, 50).tolist()) == list(range(50))
    assert chance.mirrored(0, 0, 10_000).float().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("images", "size", "processes", "sizes"),
    [
        (69, 32, 1, [32, 32, 5]),
        (65, 32, 1, [32, 32]),  # one image has no variance
        (69, 32, 3, [32, 32]),  # a process would have one image
        (70, 32, 3, [32, 32, 6]),
        (3, 1, 1, [1, 1, 1]),
        (1, 32, 1, [1]),
    ],
)
def test_batches_leave_no_process_with_less_than_two(images: int, size: int, processes: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in batches(torch.arange(images), size, processes)] == sizes


@given(st.integers(1, 200), st.integers(1, 40))
def test_batches_hold_every_image_once_but_for_a_last_one(images: int, size: int) -> None:
    taken = [index for batch in batches(torch.arange(images), size, 1) for index in batch.tolist()]
    assert taken == list(range(len(taken)))
    assert images - len(taken) in (0, 1)


def test_more_processes_than_images_in_a_batch_are_refused() -> None:
    with pytest.raises(Unusable, match="a batch of 2 images cannot be shared by 3 processes; take --archbench-ranks=2"):
        batches(torch.arange(8), 2, 3)
