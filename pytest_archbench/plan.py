"""From options to cases: what a run will measure, decided before anything is built."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import tomli

from pytest_archbench import catalogue, devices, places
from pytest_archbench.baselines import BaselineError, Published, load
from pytest_archbench.meters import METERS
from pytest_archbench.meters.counts import COUNTERS
from pytest_archbench.options import OPTIONS, OptionError, Options, as_text, parse
from pytest_archbench.places import Place
from pytest_archbench.records import Architecture, Case, Conditions, Device
from pytest_archbench.registry import METRICS, DuplicateName, UnknownName, near

TABLE = "tool.archbench"
NETWORKS = "architectures"

PACKAGED = "bench_suite"
"""The package with the suite that comes along: its ``suites`` module enters suites in the table."""


USER_MISTAKES = (OptionError, UnknownName, DuplicateName, devices.NoDevice, catalogue.CatalogueError, BaselineError)
"""What ends a run before it starts, with pytest's exit code 4 and the sentence."""


@dataclass(frozen=True)
class Plan:
    """What was asked for, checked: every name in it exists and every device is here."""

    options: Options
    devices: tuple[Device, ...]
    metrics: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    package: Path
    baselines: Path

    def cases(self, metric: str) -> list[Case]:
        """The cases of one metric, by architecture, device and batch size.

        A metric that no device changes is taken once per architecture, at batch size 1, under the first device's name.
        """
        if metric not in self.metrics:
            return []
        per_device = METRICS[metric].per_device
        places = self.devices if per_device else self.devices[:1]
        sizes = self.options.batch_size if per_device else (1,)
        return [
            Case(architecture, metric, conditions)
            for architecture in self.architectures
            for conditions in self._conditions(architecture, places, sizes)
        ]

    def conditions(self, architecture: Architecture, batch_size: int) -> list[Conditions]:
        """Under what a network is measured on each device."""
        return self._conditions(architecture, self.devices, (batch_size,))

    def _conditions(
        self, architecture: Architecture, places: Sequence[Device], sizes: Sequence[int]
    ) -> list[Conditions]:
        shape, threads = architecture.input_shape, self.options.threads
        return [Conditions(place.name, size, shape, threads=threads) for place in places for size in sizes]

    @cached_property
    def published(self) -> Published:
        """The published figures, read when the first case is judged or the run starts."""
        return load(self.baselines)


def make(given: Mapping[str, tuple[str, str]], pyproject: Path, own: Iterable[Architecture]) -> Plan:
    """The plan of a run from option texts, the project's pyproject.toml and architectures that hooks returned.

    Raises: OptionError, UnknownName, NoDevice, CatalogueError, DuplicateName, each with a sentence for the user.
    """
    text = _text(pyproject)
    place = partial(places.find, pyproject, text)
    table = _table(text, pyproject)
    declared = table.pop(NETWORKS, {})
    if not isinstance(declared, dict):
        raise OptionError(f"{place(TABLE, NETWORKS)}: expected a table; got {declared!r}")
    options = parse({**_texts(table, partial(place, TABLE)), **given})
    if options.counter not in COUNTERS:
        raise OptionError(
            f"--archbench-counter: unknown counter {options.counter!r}: {near(options.counter, COUNTERS)}"
        )
    if options.against and options.against_python:
        raise OptionError("--archbench-against and --archbench-against-python: each is a comparison; give one of them")
    suite = importlib.import_module(PACKAGED)
    importlib.import_module(f"{PACKAGED}.suites")
    mine = [
        *catalogue.declared(declared, partial(place, f"{TABLE}.{NETWORKS}")),
        *(replace(entry, suites=(catalogue.USER,)) for entry in own),
    ]
    return Plan(
        options=options,
        devices=tuple({device.name: device for device in map(devices.find, options.device)}.values()),
        metrics=tuple(dict.fromkeys(METRICS.resolve(name) for name in options.metric)) or _all_metrics(),
        architectures=tuple(catalogue.select(options.suite, options.arch, mine)),
        package=Path(suite.__path__[0]),
        baselines=suite.BASELINES / "published",
    )


def packaged_figures() -> Published:
    """The published figures alone, without a plan: no network and no device is looked for."""
    return load(importlib.import_module(PACKAGED).BASELINES / "published")


def _all_metrics() -> tuple[str, ...]:
    return tuple(metric for meter in METERS.values() for metric in meter.metrics)


def _text(pyproject: Path) -> str:
    """What stands in a pyproject.toml, nothing where there is none. Raises OptionError."""
    try:
        return pyproject.read_text(encoding="utf-8") if pyproject.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{pyproject}: cannot be read: {error}") from None


def _table(text: str, pyproject: Path) -> dict[str, Any]:
    """``[tool.archbench]``; empty where there is none. Raises OptionError."""
    try:
        table: Any = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise OptionError(f"{pyproject}: not valid TOML: {error}") from None
    for key in TABLE.split("."):
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise OptionError(f"{pyproject}:{places.line_of(text, TABLE)}: {key}: expected a table; got {table!r}")
    return dict(table)


def as_given(value: Any, place: str) -> tuple[str, str]:
    """A setting from a file as the text one would type, and where it stands. Raises OptionError."""
    try:
        return as_text(value), place
    except ValueError as error:
        raise OptionError(f"{place}: {error}") from None


def _texts(table: Mapping[str, Any], place_of: Callable[[str], Place]) -> dict[str, tuple[str, str]]:
    known = {option.name for option in OPTIONS} | {option.key for option in OPTIONS}
    texts: dict[str, tuple[str, str]] = {}
    for name, value in table.items():
        place = str(place_of(name))
        if name not in known:
            raise OptionError(f"{place}: unknown setting: {near(name, [*known, NETWORKS])}")
        key = name.replace("-", "_")
        if key in texts:
            raise OptionError(f"{place}: the same setting is given twice, as {key} and {key.replace('_', '-')}")
        texts[key] = as_given(value, place)
    return texts
