"""Which architectures a run is about: suites, globs, and the user's own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_archbench import inputs
from pytest_archbench.places import Place
from pytest_archbench.protocols import IMAGENET
from pytest_archbench.records import Architecture
from pytest_archbench.registry import SUITES, DuplicateName, Registry, UnknownName, near

if TYPE_CHECKING:
    from torch import nn

USER = "user"
DEFAULT = "seeds"


class CatalogueError(ValueError):
    """A declaration of an architecture that cannot be used; says where, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Factory:
    """A function named ``package.module:function`` in a file's settings, imported when it is called.

    Modules that lie beside the file are found, in a measuring process too, after everything that is installed.
    """

    path: str
    place: Place

    def __call__(self, *args: Any) -> Any:
        folder = str(self.place.file.parent)
        if folder not in sys.path:
            sys.path.append(folder)
        module, _, name = self.path.partition(":")
        return getattr(importlib.import_module(module), name)(*args)


@dataclass(frozen=True, slots=True)
class Network:
    """A factory of a network. Raises: TypeError where it makes something else."""

    factory: Factory

    def __call__(self) -> nn.Module:
        from torch import nn

        made = self.factory()
        if not isinstance(made, nn.Module):
            raise TypeError(f"{self.factory.path}: expected a torch.nn.Module; got {type(made).__name__}")
        return made


def declared(table: Mapping[str, Any], place_of: Callable[[str], Place]) -> list[Architecture]:
    """The user's architectures from ``[tool.archbench.architectures]``; ``place_of`` says where a name stands.

    Each is ``name = {factory = "pkg.mod:make", input = [3, 224, 224], family = "mine", paper = "...", dataset =
    "imagenet"}``, all but the factory optional. Raises: CatalogueError.
    """
    return [_declared(name, entry, place_of(name)) for name, entry in table.items()]


def _declared(name: str, entry: Any, where: Place) -> Architecture:
    known = ("factory", "input", "family", "paper", "dataset")
    if not name:
        raise CatalogueError(f"{where}: the name is empty")
    if not isinstance(entry, Mapping) or "factory" not in entry:
        raise CatalogueError(f'{where}: expected {{factory = "pkg.mod:make", input = [3, 224, 224]}}; got {entry!r}')
    unknown = [key for key in entry if key not in known]
    if unknown:
        raise CatalogueError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(known)}")
    factory = entry["factory"]
    if not isinstance(factory, str) or not all(factory.partition(":")):
        raise CatalogueError(f"{where}: factory: expected 'package.module:function'; got {factory!r}")
    return Architecture(
        name=name,
        family=str(entry.get("family", USER)),
        build=Network(Factory(factory, where)),
        input_shape=_declared_input(entry.get("input"), where),
        paper=str(entry.get("paper", "")),
        dataset=str(entry.get("dataset", IMAGENET)),
        provider=USER,
        suites=(USER,),
    )


def _declared_input(given: Any, where: Place) -> Any:
    if given is None or inputs.is_shape(given):
        return tuple(given) if given else None
    if isinstance(given, str) and all(given.partition(":")):
        return Factory(given, where)
    many = given.values() if isinstance(given, Mapping) else given if isinstance(given, list) else ()
    if many and all(inputs.is_shape(shape) for shape in many):
        return given
    raise CatalogueError(
        f"{where}: input: expected [3, 224, 224], [[3, 224, 224], [10]], {{image = [3, 224, 224]}} "
        f"or 'package.module:function'; got {given!r}"
    )


def select(suites: Sequence[str], patterns: Sequence[str], own: Iterable[Architecture]) -> list[Architecture]:
    """The architectures asked for, sorted by name.

    Without suites: the seeds, and the user's own if there are any. A name that two suites share is kept for the first;
    the second's is prefixed by its suite (``timm.resnet50``).

    Raises: UnknownName with suggestions for a suite or pattern that finds nothing.
    """
    table = _table(suites or (DEFAULT, USER), list(own), strict=bool(suites))
    if not patterns:
        return sorted(table.values(), key=lambda entry: entry.name)
    chosen: set[str] = set()
    for pattern in patterns:
        try:
            chosen.update(table.match(pattern))
        except UnknownName as error:
            raise UnknownName(f"{error.args[0]}{_elsewhere(pattern, suites)}") from None
    return [table[name] for name in sorted(chosen)]


def _table(suites: Sequence[str], own: list[Architecture], *, strict: bool) -> Registry[Architecture]:
    table: Registry[Architecture] = Registry("architecture")
    for suite in suites:
        if suite == USER:
            entries: Iterable[Architecture] = own
            if strict and not own:
                raise UnknownName(
                    "suite 'user' is empty: declare a network under [tool.archbench.architectures] in pyproject.toml, "
                    "or return it from the hook pytest_archbench_architectures"
                )
        else:
            entries = _suite(suite)
        for entry in entries:
            _enter(table, entry, suite)
    return table


def _suite(name: str) -> Iterable[Architecture]:
    if name not in SUITES:
        raise UnknownName(f"unknown suite {name!r}: {near(name, [*SUITES, USER])}")
    return SUITES[name]()


def _enter(table: Registry[Architecture], entry: Architecture, suite: str) -> None:
    if table.owns(entry.name):
        if suite == USER:
            where = f"{entry.build.factory.place}: " if isinstance(entry.build, Network) else ""
            raise DuplicateName(
                f"{where}architecture {entry.name!r} is in the catalogue already; give your own another name"
            )
        entry = replace(entry, name=f"{suite}.{entry.name}", aliases=())
    taken = [alias for alias in entry.aliases if alias in table]
    table.add(entry.name, entry, [alias for alias in entry.aliases if alias not in taken])


def _elsewhere(pattern: str, asked: Sequence[str]) -> str:
    """Where else a name stands, for someone who forgot the suite."""
    others = [name for name in SUITES if name not in (asked or (DEFAULT,))]
    holding = [name for name in others if any(entry.name == pattern for entry in SUITES[name]())]
    return f" (it is in suite {' and '.join(holding)}: add --archbench-suite={holding[0]})" if holding else ""
