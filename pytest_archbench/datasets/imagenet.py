"""Images in ImageNet's layout: folders of classes, or a flat folder with a file of ground truth."""

from __future__ import annotations

from pathlib import Path

from pytest_archbench.datasets import truth
from pytest_archbench.datasets.classes import Classes, classes_of
from pytest_archbench.datasets.folders import Found, folders_in, scan
from pytest_archbench.datasets.images import Images, Split, share, synsets
from pytest_archbench.datasets.reading import Files, printable, words
from pytest_archbench.protocols import IMAGENET, Learning, Missing, Unusable

SIZES: dict[Split, int] = {"train": 1_281_167, "valid": 50_000}
"""Images of ILSVRC 2012."""
PLACES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "ILSVRC/Data/CLS-LOC/train", "Data/CLS-LOC/train"),
    "valid": ("val", "validation", "ILSVRC2012_img_val", "ILSVRC/Data/CLS-LOC/val", "Data/CLS-LOC/val"),
}
"""Where a split lies in the folder that was named; for validation, that may be the images' own."""


OWN = "own images"
"""What images in ImageNet's layout with labels of their own are called."""


def find(split: Split, learning: Learning) -> Images:
    """The images of ``learning.imagenet``; raises Missing and Unusable."""
    if not learning.imagenet:
        raise Missing(
            "no ImageNet: name its folder with --archbench-imagenet DIR; --archbench-suite=blocks measures accuracy on "
            "handwritten digits, which come along"
        )
    root = Path(learning.imagenet)
    try:
        found = scan(_place(root, split))
    except OSError as error:
        raise Unusable(f"{root}: --archbench-imagenet names a folder that cannot be read: {words(error)}") from error
    return _flat(root, found, split) if _is_flat(found) else _in_folders(root, found, split)


def _place(root: Path, split: Split) -> Path:
    """The folder of a split's images."""
    if not root.exists():
        raise Missing(f"{root}: --archbench-imagenet names a folder that is not there")
    if not root.is_dir():
        raise Unusable(f"{root}: --archbench-imagenet expects a folder; got a file")
    inner = next((root / place for place in PLACES[split] if (root / place).is_dir()), None)
    if inner is not None:
        return inner
    if split == "train" or "train" in folders_in(root):
        raise Missing(f"{root}: no images of ImageNet's {split} split: looked for {', '.join(PLACES[split])} in it")
    return root


def _is_flat(found: Found) -> bool:
    """Raises Unusable where images lie both in the folder and in folders of it, or nowhere."""
    if not found.images and not found.filled:
        empty = ", ".join(list(found.classes)[:3]) or "nothing"
        raise Unusable(
            f"{found.folder}: holds no image: expected folders of classes (n01440764, ...) with images, or images and "
            f"their ground truth; got {empty}"
        )
    if found.images and found.filled:
        raise Unusable(
            f"{found.folder}: expected images in folders of classes, or all of them in one; got {found.images[0]} "
            f"beside the folder {found.filled[0]}: move the one or the other"
        )
    return bool(found.images)


def _flat(root: Path, found: Found, split: Split) -> Images:
    if split == "train":
        raise Unusable(f"{found.folder}: expected folders of classes; got {found.images[0]} in it")
    classes = classes_of(root, found.folder, ())
    labels = truth.labels(truth.file_of(root, found.folder), found.images, classes.names)
    return _images(found, split, classes, found.images, labels)


def _in_folders(root: Path, found: Found, split: Split) -> Images:
    classes = classes_of(root, found.folder, found.filled, tuple(found.classes))
    index = {name: number for number, name in enumerate(classes.names)}
    listed = sorted((f"{name}/{image}", index[name]) for name in found.filled for image in found.classes[name])
    names, labels = zip(*listed, strict=True)
    return _images(found, split, classes, names, labels)


def _images(found: Found, split: Split, classes: Classes, names: tuple[str, ...], labels: tuple[int, ...]) -> Images:
    part, random = _own(classes) if classes.own else _part(len(set(labels)), len(names), SIZES[split])
    name, read = OWN if classes.own else IMAGENET, Files(str(found.folder), names)
    shown, known = tuple(map(printable, names)), tuple(map(printable, classes.names))
    return Images(name, split, known, shown, labels, read, part, random, tuple(found.sizes[each] for each in names))


def _own(classes: Classes) -> tuple[str, bool]:
    return f"own labels: {len(classes.names):,} classes", False


def _part(classes: int, images: int, whole: int) -> tuple[str, bool]:
    """What of ImageNet so many images of so many classes are, and whether published figures speak of it."""
    if classes < len(synsets()):
        return f"{classes:,} of {len(synsets()):,} classes", False
    return share(images, whole), images <= whole
