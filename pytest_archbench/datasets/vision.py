"""Data sets that torchvision knows to read and to fetch: MNIST, CIFAR-10, STL-10 and Food-101."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pytest_archbench.datasets.images import Images, Read, Split, share
from pytest_archbench.datasets.reading import Files, Pixels, words
from pytest_archbench.protocols import Learning, Missing, Unusable

Content = tuple[tuple[str, ...], Iterable[Any], Read]
"""Names of the images, their labels, and how one is read."""


@dataclass(frozen=True, slots=True)
class Vision:
    """A data set of torchvision's: its class there, where it lies below the folder of data, what that class calls the
    two splits and how many images they have, and what a loaded one holds. What is for validation is the test split:
    there is no other that figures are published for.
    """

    kind: str
    folder: str
    splits: Mapping[Split, Mapping[str, Any]]
    sizes: Mapping[Split, int]
    content: Callable[[str, Any], Content]


def numbered(name: str, pixels: Any, labels: Iterable[Any]) -> Content:
    """Images without files, ``pixels``: (image, height, width) or (image, height, width, 3)."""
    return tuple(f"{name}/{index:05}" for index in range(len(pixels))), labels, Pixels(pixels)


def files(folder: str, names: list[str], labels: Iterable[Any]) -> Content:
    """Images in files, sorted by their names."""
    return tuple(names), labels, Files(folder, tuple(names))


def _mnist(name: str, loaded: Any) -> Content:
    return numbered(name, loaded.data.numpy(), loaded.targets)


def _cifar(name: str, loaded: Any) -> Content:
    return numbered(name, loaded.data, loaded.targets)


def _stl(name: str, loaded: Any) -> Content:
    """Its pixels lie as (image, 3, height, width)."""
    return numbered(name, loaded.data.transpose(0, 2, 3, 1), loaded.labels)


def _food(name: str, loaded: Any) -> Content:  # noqa: ARG001  (its files have names)
    folder = os.path.join(loaded.root, FOOD, "images")  # noqa: PTH118
    listed = sorted(zip((os.path.relpath(path, folder) for path in loaded._image_files), loaded._labels, strict=True))
    return files(folder, [path for path, _ in listed], [label for _, label in listed])


FOOD = "food-101"
BY_FLAG: Mapping[Split, Mapping[str, Any]] = {"train": {"train": True}, "valid": {"train": False}}
BY_NAME: Mapping[Split, Mapping[str, Any]] = {"train": {"split": "train"}, "valid": {"split": "test"}}

SETS = {
    "mnist": Vision("MNIST", "MNIST/raw", BY_FLAG, {"train": 60_000, "valid": 10_000}, _mnist),
    "cifar10": Vision("CIFAR10", "cifar-10-batches-py", BY_FLAG, {"train": 50_000, "valid": 10_000}, _cifar),
    "stl10": Vision("STL10", "stl10_binary", BY_NAME, {"train": 5_000, "valid": 8_000}, _stl),
    "food101": Vision("Food101", FOOD, BY_NAME, {"train": 75_750, "valid": 25_250}, _food),
}


def find(name: str, split: Split, learning: Learning) -> Images:
    """The images of one of ``SETS``; raises Missing and Unusable."""
    if not learning.data:
        raise Missing(f"{name}: name the folder of torchvision's data sets with --archbench-data DIR")
    vision = SETS[name]
    loaded = _loaded(name, split, learning)
    folder = Path(learning.data) / vision.folder
    try:
        names, targets, read = vision.content(name, loaded)
        labels = tuple(int(target) for target in targets)
    except (AttributeError, TypeError, ValueError) as error:
        raise Unusable(f"{folder}: not {name} as torchvision keeps it: {words(error)}: get it anew") from error
    part = share(len(names), vision.sizes[split])
    return Images(name, split, tuple(loaded.classes), names, labels, read, part)


FINDERS: Mapping[str, Callable[[Split, Learning], Images]] = {name: partial(find, name) for name in SETS}
"""Every one of ``SETS`` by its name."""


def _loaded(name: str, split: Split, learning: Learning) -> Any:
    """torchvision's object; fetched where it is not there and may be."""
    folder = Path(learning.data) / SETS[name].folder
    there = _is_there(folder)
    try:
        return _opened(SETS[name], split, learning)
    except ImportError as error:
        raise Missing(f"{name}: torchvision cannot be imported ({error}): pip install torchvision") from error
    except Exception as error:  # of files that are not what they should be, of the network, of the disk
        raise _refusal(name, folder, there, learning.download, words(error)) from error


def _is_there(folder: Path) -> bool:
    """An empty folder is what torchvision leaves when it could not fetch; one that may not be looked into is there."""
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _opened(vision: Vision, split: Split, learning: Learning) -> Any:
    """torchvision's object; where fetching is allowed and needed, one process at a time fetches."""
    from torchvision import datasets

    kind = partial(getattr(datasets, vision.kind), learning.data, **vision.splits[split])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, of how arrays were pickled when these sets were published
        try:
            return kind(download=False)
        except Exception:
            if not learning.download:
                raise
        with _alone(Path(learning.data), vision.kind):
            return kind(download=True)


def _alone(root: Path, kind: str) -> AbstractContextManager[Any]:
    from filelock import FileLock

    root.mkdir(parents=True, exist_ok=True)
    return FileLock(root / f".{kind}.lock")


def _refusal(name: str, folder: Path, there: bool, fetch: bool, said: str) -> Missing | Unusable:
    said = said.partition(" You can use download")[0].rstrip(".")  # torchvision's advice speaks of its own argument
    if there:
        return Unusable(
            f"{folder}: {name} is there, and cannot be read or lacks a part: {said}: remove the folder, and "
            "--archbench-download fetches it anew"
        )
    if fetch:
        return Missing(f"{name}: not in {folder}, and it could not be fetched: {said}: put it there")
    return Missing(f"{name}: looked for {folder}, which is not there: --archbench-download fetches it")
