"""Files of ground truth beside a flat folder of images."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imagefolders import GOLDFISH, SHARK, TENCH, TOILET_TISSUE, imagenet, jpeg, touch
from scipy.io import savemat

from pytest_archbench.datasets import Images
from pytest_archbench.protocols import Missing, Unusable

NAMES = ("ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG", "ILSVRC2012_val_00000003.JPEG")
FIRST, SECOND, THIRD = (name.removesuffix(".JPEG") for name in NAMES)

BY_INDEX = f"{NAMES[2]} 2\n{NAMES[0]} 999\n{NAMES[1]} 0\n"
BY_SYNSET = f"val/{NAMES[2]} {SHARK}\nval/{NAMES[0]}  {TOILET_TISSUE}\nval/{NAMES[1]}\t{TENCH}\n"
BY_ORDER = f"{TOILET_TISSUE}\r\n{TENCH}\r\n{SHARK}\r\n\r\n"
SOLUTION = (
    "ImageId,PredictionString\n"
    f"{THIRD},{SHARK} 85 1 499 272 \n"
    f"{SECOND},{TENCH} 111 108 230 170 {TENCH} 1 2 3 4 \n"
    f"{FIRST},{TOILET_TISSUE} 0 0 9 9\n"
)
DEVKIT = "2\n3\n1\n"


def flat(folder: Path) -> Path:
    return touch(folder, NAMES)


def meta(path: Path, children: int = 0) -> None:
    """The devkit's table, in which the shark is 1, toilet tissue 2, the tench 3; 4 is above them in the tree."""
    rows = [(1, SHARK, 0), (2, TOILET_TISSUE, 0), (3, TENCH, children), (4, "n00001740", 3)]
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    table = numpy.array([(number, name, "a, b", below) for number, name, below in rows], dtype=fields)
    savemat(path, {"synsets": table.reshape(-1, 1)})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("val.txt", BY_INDEX),
        ("val.txt", BY_SYNSET),
        ("imagenet_2012_validation_synset_labels.txt", BY_ORDER),
        ("my_validation_truth.txt", BY_ORDER),
        ("LOC_val_solution.csv", SOLUTION),
        ("ILSVRC2012_validation_ground_truth.txt", DEVKIT),
    ],
)
@pytest.mark.parametrize("place", ["images", "."])
def test_a_ground_truth_labels_the_images(tmp_path: Path, name: str, content: str, place: str) -> None:
    folder = flat(tmp_path / "images")
    (tmp_path / place / name).write_bytes(content.encode())
    meta(tmp_path / place / "meta.mat")
    images = imagenet(folder)
    assert (images.names, images.labels) == (NAMES, (999, 0, 2))
    assert (images.part, images.random) == ("3 of 1,000 classes", False)


@pytest.mark.parametrize(
    ("images", "truth"),
    [
        ("ILSVRC/Data/CLS-LOC/val", "LOC_val_solution.csv"),
        ("val", "LOC_val_solution.csv"),
        ("val", "ILSVRC2012_devkit_t12/data/val.txt"),
    ],
)
def test_it_is_found_in_the_folder_that_was_named(tmp_path: Path, images: str, truth: str) -> None:
    flat(tmp_path / images)
    touch(tmp_path, [truth])
    (tmp_path / truth).write_text(SOLUTION)
    assert imagenet(tmp_path).labels == (999, 0, 2)


def test_the_devkit_may_lie_in_the_folder_of_the_images(tmp_path: Path) -> None:
    devkit = flat(tmp_path) / "ILSVRC2012_devkit_t12" / "data"
    touch(devkit, ["ILSVRC2012_validation_blacklist.txt", "ILSVRC2012_validation_ground_truth.txt"])
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text(DEVKIT)
    meta(devkit / "meta.mat")
    assert imagenet(tmp_path).labels == (999, 0, 2)


def test_the_ground_truth_of_the_whole_labels_a_part(tmp_path: Path) -> None:
    (flat(tmp_path) / "val.txt").write_text(BY_INDEX + "ILSVRC2012_val_00000004.JPEG 5\n")
    images = imagenet(tmp_path)
    assert (images.names, images.labels, images.part) == (NAMES, (999, 0, 2), "3 of 1,000 classes")


def test_the_same_images_flat_and_in_folders_are_read_alike(tmp_path: Path) -> None:
    jpeg(tmp_path / "flat" / NAMES[0], (0, 200, 0))
    jpeg(tmp_path / "folders" / TENCH / NAMES[0], (0, 200, 0))
    (tmp_path / "flat" / "val.txt").write_text(f"{NAMES[0]} 0")
    one, other = imagenet(tmp_path / "flat"), imagenet(tmp_path / "folders")
    assert one.labels == other.labels == (0,)
    assert one.read(0).tobytes() == other.read(0).tobytes()


def test_labels_of_ones_own_are_named_or_counted(tmp_path: Path) -> None:
    touch(tmp_path, ["a.png", "b.png"])
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    (tmp_path / "labels.txt").write_text("a.png dog\nb.png 0\n")
    images = imagenet(tmp_path)
    assert (images.classes, images.labels, images.part) == (("cat", "dog"), (1, 0), "own labels: 2 classes")


def test_a_name_may_hold_blanks(tmp_path: Path) -> None:
    touch(tmp_path, ["a cat.png"])
    (tmp_path / "val.txt").write_text("a cat.png 7\n")
    assert imagenet(tmp_path).labels == (7,)


def said_of(folder: Path, content: str, name: str = "val.txt") -> str:
    (flat(folder) / name).write_text(content)
    with pytest.raises(Unusable) as refusal:
        imagenet(folder)
    assert "\n" not in str(refusal.value)
    return str(refusal.value).removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "val.txt: expected the label of each of 3 images; the file is empty"),
        ("\n  \n", "val.txt: expected the label of each of 3 images; the file is empty"),
        (
            f"{TENCH}\n{TENCH}\n",
            "val.txt:2: expected 3 labels, one for each image in the order of their names; got 2: complete the images, "
            "or take a ground truth that names them",
        ),
        (f"{TENCH}\n" * 4, "val.txt:4: expected 3 labels, one for each image in the order of their names; got 4: "),
        ("1\n2\n", "val.txt:2: expected 3 labels, one for each image in the order of their names; got 2: "),
        (
            f"{TENCH}\n\nn00000001\n{TENCH}",
            "val.txt:3: expected a class such as n01440764, or its number from 0 to 999; got 'n00000001'",
        ),
        (
            f"{NAMES[0]} 0\n{NAMES[1]} 1000\n",
            f"val.txt:2: expected a class such as n01440764, or its number from 0 to 999; got '{NAMES[1]} 1000'",
        ),
        (f"{NAMES[0]} -1\n", "val.txt:1: expected a class such as"),
        (f"{NAMES[0]} ²\n", "val.txt:1: expected a class such as"),
        (
            f"{NAMES[0]} 0\n{NAMES[1]}\n",
            f"val.txt:2: expected an image and its class, 'ILSVRC2012_val_00000001.JPEG 65'; got '{NAMES[1]}'",
        ),
        (
            f"{NAMES[0]} 0\n{NAMES[1]} 1\n",
            f"val.txt: expected a label for each image; got none for {NAMES[2]}: add their lines",
        ),
        (BY_INDEX + f"{NAMES[1]} 0\n", f"val.txt:4: expected each image once, and {NAMES[1]} is in line 3; got "),
        (
            "ImageId,PredictionString\n" + f"{FIRST},\n",
            "val.txt:2: expected an image and the boxes of one class, 'ILSVRC2012_val_00000001,n01751748 111 108 230",
        ),
        ("ImageId,PredictionString\n" + f"{FIRST},{TENCH} 1 2 3 4 {SHARK} 1 2 3 4\n", "val.txt:2: expected an image"),
        ("ImageId,PredictionString\n", f"the ground truth: expected a label for each image; got none for {NAMES[0]}, "),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: str, said: str) -> None:
    assert said_of(tmp_path, content).startswith(said)


def test_numbers_of_the_devkit_need_its_table(tmp_path: Path) -> None:
    assert said_of(tmp_path, DEVKIT) == (
        f"{tmp_path}: the ground truth is in numbers of the devkit, whose order is not that of synsets: expected the "
        "devkit's meta.mat beside it; got none: copy it there, or take one that names classes"
    )


@pytest.mark.parametrize("content", ["2\n3\n4\n", "2\n0\n1\n", "2\n9999\n1\n", "2\nx\n1\n"])
def test_a_number_that_the_devkit_does_not_list_is_named(tmp_path: Path, content: str) -> None:
    meta(tmp_path / "meta.mat")
    wrong = "3" if content.endswith("4\n") else "2"
    assert said_of(tmp_path, content).startswith(
        f"val.txt:{wrong}: expected the number of a class that meta.mat lists, from 1 to 3; got "
    )


@pytest.mark.filterwarnings("ignore::scipy.io.matlab.MatReadWarning")
@pytest.mark.parametrize("damage", [b"", b"MATLAB 5.0 MAT-file" + b"\0" * 200, b"\xff" * 300])
def test_a_damaged_table_of_the_devkit_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "meta.mat").write_bytes(damage)
    assert said_of(tmp_path, DEVKIT).startswith("meta.mat: not the devkit's table of synsets: ")


def test_a_table_without_synsets_is_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "meta.mat", {"other": 1})
    assert said_of(tmp_path, DEVKIT).startswith("meta.mat: not the devkit's table of synsets: 'synsets': copy it anew")


def test_images_without_a_ground_truth_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"images without classes: expected folders of classes, or a file of .*val"):
        imagenet(flat(tmp_path / "a" / "b"))


def test_two_files_that_may_be_it_are_refused(tmp_path: Path) -> None:
    touch(flat(tmp_path), ["new_labels.txt", "old_labels.txt", "train_labels.txt"])
    with pytest.raises(Unusable, match=r"of ground truth; got new_labels.txt, old_labels.txt: name it val.txt"):
        imagenet(tmp_path)


LINE = st.one_of(
    st.sampled_from(
        [*BY_INDEX.splitlines(), *BY_SYNSET.splitlines(), *SOLUTION.splitlines(), TENCH, GOLDFISH, "1", "²"]
    ),
    st.text(max_size=20),
)
CONTENT = st.one_of(
    st.binary(max_size=80), st.lists(LINE, max_size=5).map(lambda lines: "\n".join(lines).encode(errors="replace"))
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENT, classes=st.one_of(st.none(), CONTENT), devkit=st.booleans())
def test_no_bytes_give_anything_but_images_or_a_sentence(
    tmp_path: Path, content: bytes, classes: bytes | None, devkit: bool
) -> None:
    (flat(tmp_path) / "val.txt").write_bytes(content)
    (tmp_path / "classes.txt").unlink(missing_ok=True)
    (tmp_path / "meta.mat").unlink(missing_ok=True)
    if classes is not None:
        (tmp_path / "classes.txt").write_bytes(classes)
    if devkit:
        meta(tmp_path / "meta.mat")
    try:
        images = imagenet(tmp_path)
    except (Missing, Unusable):
        return
    assert isinstance(images, Images)
    assert images.names == NAMES
    assert len(images.labels) == 3
