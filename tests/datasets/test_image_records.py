"""The record of images, its identity, and which output a label is."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from imagefolders import GOLDFISH, TENCH, imagenet, jpeg, touch

from pytest_archbench.datasets import FINDERS, Images, find, labels_for
from pytest_archbench.datasets.images import synsets
from pytest_archbench.datasets.reading import Files
from pytest_archbench.protocols import Learning, Unusable

TWO = Images("pets", "valid", ("cat", "dog"), ("a.png", "b.png"), (1, 0), Files("/pets", ("a.png", "b.png")))


def test_its_identity_is_the_hash_of_names_and_labels() -> None:
    content = b'["pets","valid",["a.png","b.png"],[1,0]]'
    assert TWO.identity == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        replace(TWO, name="beasts"),
        replace(TWO, split="train"),
        replace(TWO, names=("a.png", "c.png")),
        replace(TWO, labels=(0, 1)),
    ],
)
def test_its_identity_tells_other_images_apart(other: Images) -> None:
    assert other.identity != TWO.identity


def test_its_identity_tells_files_of_another_size_apart() -> None:
    known = replace(TWO, sizes=(10, None))
    content = b'["pets","valid",["a.png","b.png"],[1,0],[10,null]]'
    assert known.identity == hashlib.sha256(content).hexdigest()
    assert replace(TWO, sizes=(11, None)).identity != known.identity


def test_an_image_that_was_written_over_is_another_and_a_copy_is_not(tmp_path: Path) -> None:
    image = jpeg(tmp_path / "one" / TENCH / "a.JPEG")
    jpeg(tmp_path / "one" / GOLDFISH / "b.JPEG")
    shutil.copytree(tmp_path / "one", tmp_path / "copy", copy_function=shutil.copyfile)
    before, copy = imagenet(tmp_path / "one"), imagenet(tmp_path / "copy")
    assert copy.sizes == before.sizes == (image.stat().st_size,) * 2
    assert copy.identity == before.identity
    jpeg(image, size=(64, 64))
    assert imagenet(tmp_path / "one").names == before.names
    assert imagenet(tmp_path / "one").identity != before.identity


def test_its_identity_does_not_depend_on_where_they_lie(tmp_path: Path) -> None:
    for place in ("one", "other/val"):
        touch(tmp_path / place, [f"{TENCH}/a.JPEG", f"{GOLDFISH}/b.JPEG"])
    assert imagenet(tmp_path / "one").identity == imagenet(tmp_path / "other").identity


def test_a_name_that_is_no_text_has_an_identity() -> None:
    assert len(replace(TWO, names=("\udcff.png", "b.png")).identity) == 64


@pytest.mark.parametrize(
    ("names", "labels", "said"),
    [
        ((), (), r"pets \(valid\): expected a label for each image; got 0 and 0"),
        (("a",), (0, 1), "expected a label for each image; got 1 and 2"),
        (("a",), (2,), "expected labels 0 to 1; got 2"),
        (("a",), (-1,), "expected labels 0 to 1; got -1"),
    ],
)
def test_wrong_labels_are_refused(names: tuple[str, ...], labels: tuple[int, ...], said: str) -> None:
    with pytest.raises(Unusable, match=said):
        replace(TWO, names=names, labels=labels)


def test_it_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(TWO)) == TWO


def test_the_synsets_are_a_thousand_in_order() -> None:
    assert len(set(synsets())) == 1000
    assert list(synsets()) == sorted(synsets())


def test_labels_are_the_outputs_of_a_network_of_as_many() -> None:
    assert labels_for(TWO, 2) == (1, 0)


def test_a_thousand_and_one_outputs_begin_with_the_background(tmp_path: Path) -> None:
    images = imagenet(touch(tmp_path, [f"{TENCH}/a.JPEG", f"{GOLDFISH}/b.JPEG"]))
    assert labels_for(images, 1000) == (0, 1)
    assert labels_for(images, 1001) == (1, 2)


def test_other_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"^pets: expected 2 outputs, one for each class; got a network with 1,001"):
        labels_for(TWO, 1001)
    own = imagenet(touch(tmp_path, ["cat/a.jpg", "dog/b.jpg"]))
    with pytest.raises(Unusable, match=r"^own images \(own labels: 2 classes\): expected 2 outputs.* with 1,000: "):
        labels_for(own, 1000)


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(Unusable, match=r"'cifar': unknown; expected one of imagenet, digits, mnist, cifar10, stl10, "):
        find("cifar", "valid", Learning())
    assert list(FINDERS) == ["imagenet", "digits", "mnist", "cifar10", "stl10", "food101"]
