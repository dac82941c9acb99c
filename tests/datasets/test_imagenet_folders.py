"""Folders of classes in ImageNet's layout: what is found, what of ImageNet it is, and what is refused."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from imagefolders import GOLDFISH, SHARK, TENCH, TOILET_TISSUE, imagenet, jpeg, touch

from pytest_archbench.datasets import find
from pytest_archbench.datasets.images import synsets
from pytest_archbench.protocols import Learning, Missing, Unusable


@pytest.mark.parametrize("place", ["", "val", "validation", "ILSVRC2012_img_val", "ILSVRC/Data/CLS-LOC/val"])
def test_synset_folders_are_found(tmp_path: Path, place: str) -> None:
    jpeg(tmp_path / place / GOLDFISH / "b.JPEG", (0, 0, 255))
    jpeg(tmp_path / place / TENCH / "c.JPEG", (255, 0, 0))
    jpeg(tmp_path / place / TOILET_TISSUE / "a.JPEG")
    images = imagenet(tmp_path)
    assert images.names == (f"{TENCH}/c.JPEG", f"{GOLDFISH}/b.JPEG", f"{TOILET_TISSUE}/a.JPEG")
    assert images.labels == (0, 1, 999)
    assert images.classes == synsets()
    assert (images.name, images.split) == ("imagenet", "valid")
    assert images.read(1).getpixel((3, 3)) == (0, 0, 254)  # JPEG's blue
    assert (images.read(0).mode, images.read(0).size) == ("RGB", (16, 12))


def test_training_images_are_found_beside(tmp_path: Path) -> None:
    touch(tmp_path, [f"train/{TENCH}/t.JPEG", f"val/{TENCH}/v.JPEG"])
    assert imagenet(tmp_path, "train").names == (f"{TENCH}/t.JPEG",)
    assert imagenet(tmp_path).names == (f"{TENCH}/v.JPEG",)


def test_extensions_are_of_any_case_and_the_rest_is_no_image(tmp_path: Path) -> None:
    images = ["a.JPEG", "b.jpg", "c.Png", "d.bmp", "e.WEBP"]
    touch(tmp_path / TENCH, [*images, "notes.txt", ".hidden.jpg", "._a.JPEG", "f.gif", "jpg"])
    touch(tmp_path / ".cache" / "thumbs", ["x.jpg"])
    touch(tmp_path, ["README.md"])
    assert imagenet(tmp_path).names == tuple(f"{TENCH}/{name}" for name in images)


def test_links_are_followed(tmp_path: Path) -> None:
    elsewhere = jpeg(tmp_path / "elsewhere" / "a.JPEG")
    (tmp_path / "set" / "val").mkdir(parents=True)
    (tmp_path / "set" / "val" / SHARK).symlink_to(elsewhere.parent)
    images = imagenet(tmp_path / "set")
    assert (images.names, images.labels) == ((f"{SHARK}/a.JPEG",), (2,))
    assert images.read(0).size == (16, 12)


def test_a_link_to_nothing_is_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    touch(tmp_path, [f"{TENCH}/a.JPEG"])
    (tmp_path / TENCH / "b.JPEG").symlink_to(tmp_path / "gone.JPEG")
    images = imagenet(tmp_path)
    assert len(images.names) == 2
    with pytest.raises(Unusable, match=r"b\.JPEG: not an image that can be decoded: .*No such file"):
        images.read(1)


def test_a_name_that_is_no_text_is_read_and_shown(tmp_path: Path) -> None:
    strange = os.fsdecode(b"\xff")
    jpeg(tmp_path / f"cat{strange}" / f"a{strange}.jpg")
    touch(tmp_path, [f"cat{strange}/b{strange}.jpg"])
    images = imagenet(tmp_path)
    assert images.names == (r"cat\udcff/a\udcff.jpg", r"cat\udcff/b\udcff.jpg")
    assert images.classes == (r"cat\udcff",)
    assert images.read(0).size == (16, 12)
    with pytest.raises(Unusable, match=r"b\\udcff\.jpg: not an image") as error:
        images.read(1)
    assert str(error.value).isprintable()


def test_what_is_said_of_a_folder_whose_name_is_no_text_can_be_shown(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    with pytest.raises(Missing, match=r"udcff: --archbench-imagenet names a folder that is not there") as error:
        imagenet(folder)
    assert str(error.value).isprintable()


def test_fewer_classes_are_named_and_no_sample_of_the_whole(tmp_path: Path) -> None:
    touch(tmp_path, [f"{name}/a.JPEG" for name in synsets()[:37]])
    (tmp_path / synsets()[37]).mkdir()  # a folder without an image is a class that is not there
    images = imagenet(tmp_path)
    assert (images.part, images.random) == ("37 of 1,000 classes", False)


def test_fewer_images_of_all_classes_are_named_and_a_sample(tmp_path: Path) -> None:
    touch(tmp_path, [f"{name}/{number}.JPEG" for name in synsets() for number in "ab"])
    images = imagenet(tmp_path)
    assert (images.part, images.random) == ("2,000 of 50,000 images", True)
    assert images.labels[:4] == (0, 0, 1, 1)


@pytest.mark.slow
def test_all_of_it_is_the_whole_and_found_in_a_second(tmp_path: Path) -> None:
    touch(tmp_path, [f"val/{name}/{number}.JPEG" for name in synsets() for number in range(50)])
    began = time.monotonic()
    images = imagenet(tmp_path)
    assert (len(images.names), images.part, images.random) == (50_000, "", True)
    assert time.monotonic() - began < 2
    touch(tmp_path, [f"val/{TENCH}/more.JPEG"])
    assert (imagenet(tmp_path).part, imagenet(tmp_path).random) == ("50,001 of 50,000 images", False)


def test_other_folders_are_labels_of_ones_own(tmp_path: Path) -> None:
    touch(tmp_path, ["dog/2.png", "cat/1.png", "cat/0.png"])
    (tmp_path / "bird").mkdir()  # torchvision's ImageFolder counts it as well
    images = imagenet(tmp_path)
    assert images.classes == ("bird", "cat", "dog")
    assert (images.names, images.labels) == (("cat/0.png", "cat/1.png", "dog/2.png"), (1, 1, 2))
    assert (images.part, images.random) == ("own labels: 3 classes", False)


@pytest.mark.parametrize("place", ["", "val"])
@pytest.mark.parametrize(
    ("name", "content"),
    [("classes.txt", "dog\r\n\r\ncat\nbird\n"), ("class_to_idx.json", json.dumps({"cat": 1, "dog": 0, "bird": 2}))],
)
def test_a_list_of_classes_says_their_order(tmp_path: Path, place: str, name: str, content: str) -> None:
    touch(tmp_path / "val", ["dog/2.png", "cat/1.png"])
    (tmp_path / place / name).write_text(content)
    images = imagenet(tmp_path)
    assert images.classes == ("dog", "cat", "bird")
    assert images.labels == (1, 0)
    assert images.part == "own labels: 3 classes"


def test_a_list_of_synsets_makes_labels_of_ones_own(tmp_path: Path) -> None:
    touch(tmp_path, [f"{TENCH}/a.JPEG", f"{SHARK}/b.JPEG"])
    (tmp_path / "classes.txt").write_text(f"{SHARK}\n{TENCH}\n")
    images = imagenet(tmp_path)
    assert (images.classes, images.labels, images.random) == ((SHARK, TENCH), (1, 0), False)


def test_a_list_of_all_synsets_is_imagenet(tmp_path: Path) -> None:
    touch(tmp_path, [f"{SHARK}/b.JPEG"])
    (tmp_path / "classes.txt").write_text("\n".join(synsets()))
    assert (imagenet(tmp_path).labels, imagenet(tmp_path).part) == ((2,), "1 of 1,000 classes")


def test_a_list_of_words_leaves_synsets_alone(tmp_path: Path) -> None:
    touch(tmp_path, [f"{SHARK}/b.JPEG"])
    (tmp_path / "classes.txt").write_text("tench\ngoldfish\ngreat white shark\n")
    assert imagenet(tmp_path).classes == synsets()


def refused(folder: Path, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        imagenet(folder)


def test_synsets_among_other_folders_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, [f"{TENCH}/a.jpg", *(f"{name}/a.jpg" for name in ("ape", "bee", "cat", "dog"))])
    refused(tmp_path, rf"synsets, or none that is; got {TENCH} and ape, bee, cat and 1 more: move the latter")


def test_an_unlisted_folder_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/a.jpg", "dog/a.jpg"])
    (tmp_path / "classes.txt").write_text("cat\nbird\n")
    refused(tmp_path, r"no class of classes.txt: dog; expected one of cat, bird: add a line for each")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("classes.txt", b"\n \n", "classes.txt: expected one class per line; got none"),
        ("classes.txt", b"cat\ndog\ncat\n", "classes.txt: expected each class once; got cat more often"),
        ("classes.txt", b"cat\n\xff\n", "classes.txt: cannot be read as text: 'utf-8' codec"),
        ("class_to_idx.json", b"{", "class_to_idx.json: expected JSON; Expecting property name"),
        ("class_to_idx.json", b"[" * 100_000, "class_to_idx.json: expected JSON; "),
        ("class_to_idx.json", b'["cat"]', 'its number, counted from 0, {"cat": 0, "dog": 1}; got \\["cat"'),
        ("class_to_idx.json", b'{"cat": 1, "dog": 2}', 'counted from 0, {"cat": 0, "dog": 1}; got {"cat": 1'),
        ("class_to_idx.json", b'{"cat": 0, "dog": 0}', "counted from 0"),
        ("class_to_idx.json", b'{"cat": false}', "counted from 0"),
    ],
)
def test_a_damaged_list_of_classes_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    touch(tmp_path, ["cat/a.jpg"])
    (tmp_path / name).write_bytes(content)
    refused(tmp_path, said)


def test_a_folder_without_an_image_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "holds no image: expected folders of classes .* got nothing$")
    touch(tmp_path, ["cat/readme.md", "notes.txt"])
    refused(tmp_path, "holds no image: .* got cat$")


def test_images_beside_folders_of_images_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, [f"{TENCH}/a.JPEG", "stray.jpg"])
    refused(tmp_path, f"or all of them in one; got stray.jpg beside the folder {TENCH}: move the one")


def test_images_in_folders_of_folders_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, [f"{TENCH}/a.JPEG", f"{TENCH}/more/b.JPEG"])
    refused(tmp_path, f"{TENCH}/more: expected images in the folders of classes; got some a floor deeper")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    refused(touch(tmp_path, ["imagenet.tar"]) / "imagenet.tar", "imagenet.tar: --archbench-imagenet expects a folder")


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / TENCH).symlink_to(TENCH)  # to itself
    refused(tmp_path, f"{TENCH}: cannot be listed: Too many levels of symbolic links")
    refused(tmp_path / ("a" * 300), "a: --archbench-imagenet names a folder that cannot be read: .*File name too long")


@pytest.mark.parametrize(
    ("made", "asked", "split", "said"),
    [
        ("", "", "valid", "--archbench-imagenet DIR; --archbench-suite=blocks measures accuracy on handwritten digits"),
        ("", "gone", "valid", "gone: --archbench-imagenet names a folder that is not there"),
        ("set/train/cat/a.jpg", "set", "valid", "set: no images of ImageNet's valid split: looked for val, validation"),
        ("set/val/cat/a.jpg", "set", "train", "set: no images of ImageNet's train split: looked for train, ILSVRC"),
    ],
)
def test_what_is_not_there_is_missing(tmp_path: Path, made: str, asked: str, split: str, said: str) -> None:
    touch(tmp_path, [made] if made else [])
    folder = str(tmp_path / asked) if asked else ""
    with pytest.raises(Missing, match=said):
        find("imagenet", "train" if split == "train" else "valid", Learning(imagenet=folder))


def test_training_images_without_classes_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, ["train/a.JPEG"])
    with pytest.raises(Unusable, match=r"train: expected folders of classes; got a\.JPEG in it"):
        imagenet(tmp_path, "train")
