"""Files of ground truth: the labels of a flat folder of images, in the formats that they come in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_archbench.datasets.classes import some, text_of
from pytest_archbench.datasets.reading import words
from pytest_archbench.protocols import Unusable

NAMES = (
    "val.txt",
    "val_map.txt",
    "val_labels.txt",
    "imagenet_2012_validation_synset_labels.txt",
    "synset_labels.txt",
    "LOC_val_solution.csv",
    "ground_truth.txt",
    "labels.txt",
    "ILSVRC2012_validation_ground_truth.txt",
)
"""Files that are taken for ground truth, the first one that is there."""
LIKELY = re.compile(r"(?=.*(?:val|truth|label))(?!.*(?:train|black|\btest)).*\.(?:txt|csv)", re.IGNORECASE)
"""Any other name that says the same."""
DEVKIT = ("", "data", "ILSVRC2012_devkit_t12/data")
META = "meta.mat"
HEADER = "ImageId,PredictionString"


def file_of(root: Path, folder: Path) -> Path:
    """The file of ground truth: in the images' ``folder`` or beside it, in ``root`` or beside it. Raises Unusable."""
    around = dict.fromkeys((folder, root, folder.parent, root.absolute().parent))
    for place in (place / inner for place in around for inner in DEVKIT):
        candidates = _candidates(place)
        if len(candidates) > 1:
            raise Unusable(f"{place}: expected one file of ground truth; got {some(candidates)}: name it {NAMES[0]}")
        if candidates:
            return place / candidates[0]
    raise Unusable(
        f"{folder}: images without classes: expected folders of classes, or a file of ground truth in it or beside it, "
        f"such as {NAMES[0]} (lines 'ILSVRC2012_val_00000001.JPEG 65'), {NAMES[5]} or {NAMES[-1]}"
    )


def _candidates(place: Path) -> list[str]:
    known = next((name for name in NAMES if (place / name).is_file()), None)
    if known is not None:
        return [known]
    try:
        names = [path.name for path in place.iterdir() if LIKELY.fullmatch(path.name) and path.is_file()]
    except OSError:  # no such place, or none that may be looked into
        return []
    return sorted(names)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, and its number in the file."""

    file: Path
    number: int
    text: str

    def wrong(self, expected: str) -> Unusable:
        return Unusable(f"{self.file}:{self.number}: expected {expected}; got {self.text[:80]!r}")


Label = Callable[[Line, str], int]
"""The index of the class that a line names."""


def labels(file: Path, images: Sequence[str], classes: Sequence[str]) -> tuple[int, ...]:
    """The label of each of ``images``, which are sorted, as an index into ``classes``. Raises Unusable."""
    lines = [
        Line(file, number, text.strip()) for number, text in enumerate(text_of(file).split("\n"), 1) if text.strip()
    ]
    if not lines:
        raise Unusable(f"{file}: expected the label of each of {len(images):,} images; the file is empty")
    read = next(read for recognises, read in FORMATS if recognises(lines[0].text))
    return tuple(read(lines, images, classes))


def _by_order(lines: Sequence[Line], images: Sequence[str], classes: Sequence[str]) -> Iterator[int]:
    """One class per line, in the order of the sorted images."""
    _require_as_many(lines, images)
    index = _index(classes)
    return (_label(line, line.text, index) for line in lines)


def _by_name(lines: Sequence[Line], images: Sequence[str], classes: Sequence[str]) -> Iterator[int]:
    """``file.JPEG 65`` or ``file.JPEG n01751748``; folders before the file's name are left out."""
    index = _index(classes)
    found: dict[str, tuple[Line, int]] = {}
    for line in lines:
        name, *label = line.text.rsplit(maxsplit=1)
        if not label:
            raise line.wrong("an image and its class, 'ILSVRC2012_val_00000001.JPEG 65'")
        _put(found, PurePosixPath(name).name, line, _label(line, label[0], index))
    return _matched(found, {name: name for name in images})


def _by_solution(lines: Sequence[Line], images: Sequence[str], classes: Sequence[str]) -> Iterator[int]:
    """Kaggle's: ``ILSVRC2012_val_00048981,n03995372 85 1 499 272``, four numbers after the class for each box."""
    index = _index(classes)
    found: dict[str, tuple[Line, int]] = {}
    for line in lines[1:]:
        name, _, boxes = line.text.partition(",")
        named = set(boxes.split()[::5])
        if len(named) != 1:
            raise line.wrong("an image and the boxes of one class, 'ILSVRC2012_val_00000001,n01751748 111 108 230 170'")
        _put(found, name, line, _label(line, named.pop(), index))
    return _matched(found, {name: PurePosixPath(name).stem for name in images})


def _by_devkit(lines: Sequence[Line], images: Sequence[str], classes: Sequence[str]) -> Iterator[int]:
    """The devkit's: one number per line, from 1 on, in the order of the sorted images. What numbers mean is in its
    ``meta.mat``: they are not in the order of synsets.
    """
    _require_as_many(lines, images)
    index = _index(classes)
    synset = _numbers(lines[0].file.parent / META)
    return (_devkit_label(line, synset, index) for line in lines)


FORMATS: tuple[tuple[Callable[[str], object], Callable[..., Iterator[int]]], ...] = (
    (lambda first: first.replace(" ", "") == HEADER, _by_solution),
    (re.compile(r"\d+", re.ASCII).fullmatch, _by_devkit),
    (re.compile(r"\S+").fullmatch, _by_order),
    (lambda _: True, _by_name),
)
"""What the first line of a format looks like, and how its lines are read; the first that fits."""


def _index(classes: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(classes)}


def _label(line: Line, text: str, index: Mapping[str, int]) -> int:
    """The class that is named, or the one of that number, counted from 0."""
    if text in index:
        return index[text]
    if re.fullmatch(r"[0-9]{1,9}", text) and int(text) < len(index):
        return int(text)
    raise line.wrong(f"a class such as {next(iter(index))}, or its number from 0 to {len(index) - 1}")


def _devkit_label(line: Line, synset: Mapping[int, str], index: Mapping[str, int]) -> int:
    number = int(line.text) if re.fullmatch(r"[0-9]{1,9}", line.text) else 0
    if synset.get(number) not in index:
        raise line.wrong(f"the number of a class that {META} lists, from 1 to {len(synset)}")
    return index[synset[number]]


def _numbers(meta: Path) -> dict[int, str]:
    """The synset of each number, from the devkit's ``meta.mat``; raises Unusable."""
    if not meta.is_file():
        raise Unusable(
            f"{meta.parent}: the ground truth is in numbers of the devkit, whose order is not that of synsets: "
            f"expected the devkit's {META} beside it; got none: copy it there, or take one that names classes"
        )
    from scipy.io import loadmat

    try:
        entries = loadmat(str(meta), squeeze_me=True)["synsets"]
        return {int(entry["ILSVRC2012_ID"]): str(entry["WNID"]) for entry in entries if not int(entry["num_children"])}
    except Exception as error:  # a format of many parts, each of which may be damaged in its own way
        raise Unusable(f"{meta}: not the devkit's table of synsets: {words(error)}: copy it anew") from error


def _require_as_many(lines: Sequence[Line], images: Sequence[str]) -> None:
    if len(lines) != len(images):
        raise Unusable(
            f"{lines[-1].file}:{lines[-1].number}: expected {len(images):,} labels, one for each image in the order of "
            f"their names; got {len(lines):,}: complete the images, or take a ground truth that names them"
        )


def _put(found: dict[str, tuple[Line, int]], name: str, line: Line, label: int) -> None:
    if name in found:
        raise line.wrong(f"each image once, and {name} is in line {found[name][0].number}")
    found[name] = (line, label)


def _matched(found: Mapping[str, tuple[Line, int]], keys: Mapping[str, str]) -> Iterator[int]:
    """The label of each image, by its key in the file, which may speak of more images than there are: of a part of the
    set, the whole ground truth is at hand.
    """
    file = next((line.file for line, _ in found.values()), "the ground truth")
    unlabelled = [name for name, key in keys.items() if key not in found]
    if unlabelled:
        raise Unusable(f"{file}: expected a label for each image; got none for {some(unlabelled)}: add their lines")
    return (found[key][1] for key in keys.values())
