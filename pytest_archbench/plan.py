"""From options to cases: what a run will measure, decided before anything is built."""

from __future__ import annotations

import importlib
import itertools
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import tomli

from pytest_archbench import catalogue, devices, places
from pytest_archbench.baselines import BaselineError, Published, load
from pytest_archbench.computing import torch_device
from pytest_archbench.datasets import FINDERS
from pytest_archbench.meters import METERS, meter_of, obstacle
from pytest_archbench.meters.counts import COUNTERS
from pytest_archbench.options import OPTIONS, PLACES, OptionError, Options, Shard, as_text, parse
from pytest_archbench.places import Place
from pytest_archbench.protocols import DIGITS, IMAGENET
from pytest_archbench.records import Architecture, Case, Conditions, Device
from pytest_archbench.registry import METRICS, DuplicateName, UnknownName, near, some

TABLE = "tool.archbench"
NETWORKS = "architectures"

PACKAGED = "bench_suite"
"""The package with the suite that comes along: its ``suites`` module enters suites in the table."""

SMALL = "blocks"
"""The suite of networks small enough to be trained, where there is no other data than handwritten digits."""
NAMED = 3
"""Networks that a sentence about many names."""
ACCURACY, TRAINING = "accuracy", "training"
"""Meters that need data."""


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
    left_out: tuple[str, ...] = ()
    """Sentences about networks whose data were not given, and metrics that do not exist on a device."""

    def cases(self, metric: str) -> list[Case]:
        """The cases of one metric, by architecture, device, batch size and variant.

        A metric that no device changes is taken once per architecture, at batch size 1, under the first device's name;
        one of a training there too, at the batch size of the network's recipe: hours on a second device would teach
        nothing more.
        """
        if metric not in self.metrics:
            return []
        meter = meter_of(metric)
        trained = meter.name == TRAINING
        everywhere = METRICS[metric].per_device and not trained
        places = [place for place in self.devices if self.options.metric or not obstacle(meter, metric, place.name)]
        places = places if everywhere else places[:1]
        sizes = self.options.batch_size if everywhere else (1,)
        return [
            Case(entry, metric, conditions)
            for entry in self.architectures
            for plain in self._conditions(entry, places, _trained_with(entry) if trained else sizes)
            for conditions in (self._variants(plain) if meter.varied else [plain])
        ]

    def _variants(self, conditions: Conditions) -> list[Conditions]:
        """The same with every runtime, type and memory format that was asked for."""
        asked = self.options
        return [
            replace(conditions, runtime=runtime, dtype=dtype, memory_format=memory_format)
            for runtime, dtype, memory_format in itertools.product(asked.runtime, asked.dtype, asked.memory_format)
        ]

    @property
    def learns(self) -> bool:
        """Whether anything is evaluated or trained."""
        return any(meter_of(metric).by_request for metric in self.metrics)

    def conditions(self, architecture: Architecture, batch_size: int) -> list[Conditions]:
        """Under what a network is measured on each device, in each variant."""
        plain = self._conditions(architecture, self.devices, (batch_size,))
        return [variant for conditions in plain for variant in self._variants(conditions)]

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
    for place_of_data in PLACES:
        _require_folder(place_of_data, getattr(options, place_of_data), pyproject.parent)
    suite = importlib.import_module(PACKAGED)
    importlib.import_module(f"{PACKAGED}.suites")
    mine = [
        *catalogue.declared(declared, partial(place, f"{TABLE}.{NETWORKS}")),
        *(replace(entry, suites=(catalogue.USER,)) for entry in own),
    ]
    metrics = tuple(dict.fromkeys(metric for name in options.metric for metric in _named(name)))
    learned = [metric for metric in metrics if meter_of(metric).by_request]
    suites = options.suite or (_suites(options, bool(mine)) if learned and options.imagenet is None else ())
    selected = catalogue.select(suites, options.arch, mine)
    chosen, left_out = _able(selected, options, learned) if learned else (selected, [])
    found = _devices(options.device)
    measured = metrics or _usual_metrics(options)
    return Plan(
        options=options,
        devices=found,
        metrics=measured,
        architectures=tuple(share(chosen, options.shard)),
        package=Path(suite.__path__[0]),
        baselines=suite.BASELINES / "published",
        left_out=(*left_out, *([] if metrics else _absent(measured, found))),
    )


def share(networks: Iterable[Architecture], shard: Shard | None) -> list[Architecture]:
    """The networks of a part, by the checksum of their names: to add a network moves no other to another machine."""
    if shard is None:
        return list(networks)
    return [entry for entry in networks if zlib.crc32(entry.name.encode()) % shard.of == shard.number - 1]


def _devices(names: Iterable[str]) -> tuple[Device, ...]:
    """The devices of these names, each once: ``cuda`` and ``cuda:0`` are one, which goes by the name asked for first.

    Raises: NoDevice, UnknownName.
    """
    found: dict[str, Device] = {}
    for device in map(devices.find, names):
        found.setdefault(torch_device(device.name), device)
    return tuple(found.values())


def _trained_with(entry: Architecture) -> tuple[int, ...]:
    """The batch size of a network's recipe; none where it has none."""
    return () if entry.recipe is None else (entry.recipe.batch_size,)


def _require_folder(option: str, path: Path | None, root: Path) -> None:
    if path is not None and not (root / path).is_dir():
        got = "a file" if (root / path).exists() else "nothing"
        raise OptionError(f"--archbench-{option}: {root / path}: expected a folder; got {got}; name one that is there")


def _named(name: str) -> tuple[str, ...]:
    """The metric of that name, or all of the instrument's of that name. Raises: UnknownName."""
    if name not in METRICS and name in METERS:
        return (*METERS[name].metrics, *METERS[name].beside)
    if name not in METRICS:
        known = {*METRICS, *METERS}
        raise UnknownName(f"unknown metric {name!r}: {near(name, known)}")
    return (METRICS.resolve(name),)


def _suites(options: Options, has_own: bool) -> tuple[str, ...]:
    """Where networks are looked for that learn from the data that come along: the small ones, and what was named."""
    return (*((catalogue.DEFAULT,) if options.arch else ()), SMALL, *((catalogue.USER,) if has_own else ()))


def _able(
    selected: Sequence[Architecture], options: Options, learned: Sequence[str]
) -> tuple[list[Architecture], list[str]]:
    """The networks that can be evaluated or trained, and what to say of the others.

    Raises: OptionError where none is left; CatalogueError for a data set that nobody knows.
    """
    trained = all(meter_of(metric).name == TRAINING for metric in learned)
    reasons = {entry.name: _obstacle(entry, options, trained=trained) for entry in selected}
    chosen = [entry for entry in selected if not reasons[entry.name]]
    others = dict.fromkeys(filter(None, reasons.values()))
    said = [f"{some([name for name in reasons if reasons[name] == reason], NAMED)}: {reason}" for reason in others]
    if not chosen:
        small = f"--archbench-suite={SMALL} takes handwritten digits, which come along"
        raise OptionError(f"--archbench-metric={learned[0]}: {'; '.join(said)}; {small}")
    return chosen, said


def _obstacle(entry: Architecture, options: Options, *, trained: bool) -> str:
    """Why a network can be neither evaluated nor trained, or an empty text. Raises: CatalogueError."""
    if entry.dataset not in FINDERS:
        known = near(entry.dataset, FINDERS)
        raise catalogue.CatalogueError(f"architecture {entry.name!r}: unknown data set {entry.dataset!r}: {known}")
    if trained and entry.recipe is None:
        return "no recipe says how to train it"
    place = "imagenet" if entry.dataset == IMAGENET else "data"
    if entry.dataset == DIGITS or getattr(options, place) is not None:
        return ""
    return f"the folder of {entry.dataset} was not given (--archbench-{place} DIR)"


def packaged_figures() -> Published:
    """The published figures alone, without a plan: no network and no device is looked for."""
    return load(importlib.import_module(PACKAGED).BASELINES / "published")


def _usual_metrics(options: Options) -> tuple[str, ...]:
    """What is measured where nothing is asked for: all that needs no data, and what is there data for."""
    given = {ACCURACY} if options.imagenet is not None else set()
    meters = [meter for meter in METERS.values() if not meter.by_request or meter.name in given]
    return tuple(metric for meter in meters for metric in meter.metrics)


def _absent(metrics: Iterable[str], places: Iterable[Device]) -> list[str]:
    """A sentence for each device about metrics that nobody asked for by name and that do not exist there."""
    found = [(place.name, _reasons(metrics, place)) for place in places]
    return [f"on {device}: {'; '.join(reasons)}" for device, reasons in found if reasons]


def _reasons(metrics: Iterable[str], place: Device) -> list[str]:
    """``energy, power (nothing tells the energy of cpu)`` for each reason why metrics do not exist on a device.

    What was looked for is said where they are asked for by name.
    """
    found: dict[str, list[str]] = {}
    for metric in metrics:
        if reason := obstacle(meter_of(metric), metric, place.name).partition(": ")[0]:
            found.setdefault(reason, []).append(metric)
    return [f"{', '.join(names)} ({reason})" for reason, names in found.items()]


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
