"""Reference devices: those that published figures name, under a short name, with what their source says of them.

Their figures are shown beside what is measured and never judge it: they are of other hardware and other software.
Standard library and tomli only. ``baselines/reference_devices.toml`` is read as strictly as the figures are.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

import tomli

from pytest_archbench import places
from pytest_archbench.baselines import BaselineError
from pytest_archbench.records import Baseline
from pytest_archbench.registry import near

Kind = Literal["gpu", "board", "cpu", "phone"]
Text = tuple[str, str]
"""Whose figures, and the text that stands where they name a device: ``("bianco2018", "NVIDIA Jetson TX1")``."""

FILE = "reference_devices.toml"
PACKAGED = "bench_suite"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class ReferenceDeviceError(BaselineError):
    """A file of reference devices cannot be used; the message names file, line, key, expected and got."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A device whose figures were published: ``name`` is what a user types, ``printed`` how ``source`` calls it.

    ``dtype``, ``memory_format``, ``runtime`` and ``software`` are as the source states them, empty where it does not;
    ``memory`` says how its memory was taken.
    """

    name: str
    model: str
    kind: Kind
    source: str
    printed: tuple[str, ...]
    dtype: str = ""
    memory_format: str = ""
    runtime: str = ""
    software: str = ""
    memory: str = ""

    @property
    def conditions(self) -> str:
        """What the source states in a line: ``float32, PyTorch, cuDNN 5.1, CUDA 9.0``."""
        stated = (self.dtype or "dtype not stated", self.memory_format, self.runtime, self.software)
        return ", ".join(filter(None, stated))

    @property
    def texts(self) -> tuple[Text, ...]:
        return tuple((self.source, text) for text in self.printed)


@dataclass(frozen=True, slots=True)
class References:
    """Every reference device, and the texts that name none, each with the reason."""

    devices: tuple[Reference, ...]
    left_out: Mapping[str, str]


_KEYS = {field.name: list if field.name == "printed" else str for field in fields(Reference) if field.name != "name"}
_REQUIRED = ("model", "kind", "source", "printed")


def load(path: Path, printed: Collection[Text] | None = None) -> References:
    """Read a file of reference devices; of ``printed``, the texts of all figures, each device's must be one.

    Raises: ReferenceDeviceError.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomli.loads(text)
    except (OSError, ValueError, RecursionError) as problem:  # tomli's own errors are ValueErrors and name the line
        raise ReferenceDeviceError(f"{path}: not readable as TOML: {problem}; mend the syntax there") from problem
    _known_keys(path, text, "", document, {"devices": dict, "left_out": dict})
    left_out = document.get("left_out", {})
    _known_keys(path, text, "left_out", left_out, dict.fromkeys(left_out, str))
    devices = tuple(_device(path, text, name, table) for name, table in document.get("devices", {}).items())
    _require_texts(path, text, devices, left_out, printed)
    return References(devices, left_out)


def packaged(printed: Collection[Text] | None = None) -> References:
    """The reference devices that come along. Raises: ReferenceDeviceError."""
    return load(importlib.import_module(PACKAGED).BASELINES / FILE, printed)


def texts(figures: Iterable[Baseline]) -> dict[Text, None]:
    """What figures print where they name a device, each once."""
    return dict.fromkeys((figure.source, figure.device) for figure in figures if figure.device is not None)


def find(devices: Iterable[Reference], name: str) -> Reference | None:
    """The device of that short name, in any case."""
    return next((each for each in devices if each.name == name.casefold()), None)


def spelt(devices: Iterable[Reference], name: str, present: Collection[str]) -> str:
    """``name`` as the figures at hand call that device: a short name becomes what ``present`` has of its texts."""
    found = None if name in present else find(devices, name)
    return next((text for text in found.printed if text in present), name) if found else name


def _device(path: Path, text: str, name: str, table: Any) -> Reference:
    where = f"devices.{name}"
    if not isinstance(table, dict):
        _refuse(path, text, "devices", name, "a table", table, "write [devices.NAME] and its keys below")
    if not _NAME.fullmatch(name):
        _refuse(path, text, where, "", "lower-case letters and digits with hyphens between", name, "rename it")
    _known_keys(path, text, where, table, _KEYS)
    for key in _REQUIRED:
        if key not in table:
            _refuse(path, text, where, key, "a value", None, "the key is required: add it")
    if table["kind"] not in get_args(Kind):
        _refuse(
            path, text, where, "kind", " or ".join(get_args(Kind)), table["kind"], near(table["kind"], get_args(Kind))
        )
    if not table["printed"] or not all(isinstance(each, str) and each for each in table["printed"]):
        _refuse(path, text, where, "printed", "texts in a list", table["printed"], "write those that the source prints")
    return Reference(**{**table, "name": name, "printed": tuple(table["printed"])})


def _require_texts(
    path: Path,
    text: str,
    devices: Iterable[Reference],
    left_out: Mapping[str, str],
    printed: Collection[Text] | None,
) -> None:
    """Refuse a text that is printed twice, that is left out as well, or that no figure has."""
    seen: dict[Text, str] = {}
    for device in devices:
        where = f"devices.{device.name}"
        for source, each in device.texts:
            earlier = seen.setdefault((source, each), device.name)
            if earlier != device.name or device.printed.count(each) > 1:
                _refuse(path, text, where, "printed", "a text once", each, f"{earlier} of {source} has it already")
            if each in left_out:
                _refuse(path, text, where, "printed", "a device", each, "it is left out below: take it out of one")
            if printed is not None and (source, each) not in printed:
                known = [spelling for name, spelling in printed if name == source]
                _refuse(path, text, where, "printed", f"a text of {source}", each, near(each, known, "; "))


def _known_keys(path: Path, text: str, table: str, given: Mapping[str, Any], types: Mapping[str, type]) -> None:
    """Refuse an unknown key, a wrong type and an empty text."""
    for key, value in given.items():
        if key not in types:
            _refuse(path, text, table, key, "a known key", key, f"{near(key, types)} remove or rename it")
        if not isinstance(value, types[key]):
            _refuse(path, text, table, key, types[key].__name__, value, "write it in that type")
        if value == "":
            _refuse(path, text, table, key, "text", value, "state it, or leave the key out")


def _refuse(path: Path, text: str, table: str, key: str, expected: str, got: object, advice: str) -> NoReturn:
    named = ".".join(filter(None, [table, key]))
    line = places.line_of(text, named)
    raise ReferenceDeviceError(f"{path}:{line}: {named}: expected {expected}; got {got!r}: {advice}")
