"""What classes images are of: ImageNet's synsets, or labels of one's own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_archbench import registry
from pytest_archbench.datasets.images import synsets
from pytest_archbench.datasets.reading import words
from pytest_archbench.protocols import Unusable

NAMED = 3
"""So many of a list of names are named in a sentence."""


@dataclass(frozen=True, slots=True)
class Classes:
    """``names`` in the order of a network's outputs; ``own`` where they are not ImageNet's."""

    names: tuple[str, ...]
    own: bool


def classes_of(root: Path, folder: Path, filled: Sequence[str], folders: Sequence[str] = ()) -> Classes:
    """The classes of images in ``folder``, of which ``filled`` are the folders that hold some, of all ``folders``.

    A list of classes beside the images or in ``root`` says them; else they are ImageNet's where every folder is a
    synset, else the folders, sorted, as torchvision has it. Raises Unusable.
    """
    listed = _listed(root, folder)
    if listed is not None and _speaks_of(listed[1], filled):
        file, names = listed
        _require_listed(file, names, filled)
        return Classes(names, own=names != synsets())
    known = set(synsets())
    if known.issuperset(filled):
        return Classes(synsets(), own=False)
    _require_unmixed(folder, [name for name in filled if name in known], [name for name in filled if name not in known])
    return Classes(tuple(folders), own=True)


def _speaks_of(names: Sequence[str], filled: Sequence[str]) -> bool:
    """A list of which no name is a synset is of ImageNet's classes in words where all folders are synsets."""
    known = set(synsets())
    return not filled or not known.issuperset(filled) or not known.isdisjoint(names)


def _require_listed(file: Path, names: Sequence[str], filled: Sequence[str]) -> None:
    unlisted = sorted(set(filled) - set(names))
    if unlisted:
        raise Unusable(
            f"{file.parent}: folders that are no class of {file.name}: {some(unlisted)}; expected one of "
            f"{some(names)}: add a line for each, or move the folders"
        )


def _require_unmixed(folder: Path, known: Sequence[str], other: Sequence[str]) -> None:
    if known and other:
        raise Unusable(
            f"{folder}: expected folders that are ImageNet's synsets, or none that is; got {some(known)} and "
            f"{some(other)}: move the latter, or list all in classes.txt for labels of your own"
        )


def _listed(root: Path, folder: Path) -> tuple[Path, tuple[str, ...]] | None:
    """The list of classes that there is, and its file."""
    files = (place / name for place in dict.fromkeys((folder, root)) for name in READERS)
    file = next((file for file in files if file.is_file()), None)
    return None if file is None else (file, _required(file, READERS[file.name](file, text_of(file))))


def text_of(file: Path) -> str:
    """What a text file holds; raises Unusable."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{file}: cannot be read as text: {words(error)}") from error


def _lines(file: Path, text: str) -> list[str]:  # noqa: ARG001  (both readers are called alike)
    return [line.strip() for line in text.split("\n") if line.strip()]


def _numbered(file: Path, text: str) -> list[str]:
    """``{"cat": 0, "dog": 1}``"""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{file}: expected JSON; {words(error)}") from error
    if not isinstance(found, dict) or sorted(map(str, found.values())) != sorted(map(str, range(len(found)))):
        example = '{"cat": 0, "dog": 1}'
        raise Unusable(f"{file}: expected each class and its number, counted from 0, {example}; got {some([text])}")
    return sorted(found, key=lambda name: int(found[name]))


READERS: dict[str, Callable[[Path, str], list[str]]] = {"classes.txt": _lines, "class_to_idx.json": _numbered}


def _required(file: Path, names: Sequence[str]) -> tuple[str, ...]:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise Unusable(f"{file}: expected each class once; got {some(twice)} more often")
    if not names:
        raise Unusable(f"{file}: expected one class per line; got none")
    return tuple(names)


def some(names: Sequence[str]) -> str:
    """The first names of many, cut where they are long, and how many there are more."""
    return registry.some([name[:60] for name in names], NAMED)
