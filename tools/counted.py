"""Our own counts of the networks that published figures speak of, by name and input size."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deviations import Ingredients, Lookup
from ingredients import ingredients

import bench_suite.architectures
from bench_suite import suites as _suites  # noqa: F401  entering the suites is what the import is for
from pytest_archbench.counting import on_meta
from pytest_archbench.records import Architecture
from pytest_archbench.registry import ARCHITECTURES, SUITES


@functools.cache
def topologies() -> Mapping[str, Architecture]:
    """Every topology of the catalogue with the entry that bears its name, else the first of it."""
    for module in pkgutil.iter_modules(bench_suite.architectures.__path__, f"{bench_suite.architectures.__name__}."):
        importlib.import_module(module.name)
    found: dict[str, Architecture] = {}
    for entry in ARCHITECTURES.values():
        if entry.name == entry.topology:
            found[entry.topology] = entry
    for entry in ARCHITECTURES.values():
        found.setdefault(entry.topology, entry)
    return found


def catalogue_lookup() -> Lookup:
    """Counts of catalogued topologies; size 0 is the network's default size."""

    @functools.cache
    def lookup(name: str, size: int) -> Ingredients | None:
        entry = topologies()[name]
        channels, _, default = entry.input_shape
        return _count(entry.build, (channels, size or default, size or default))

    return lookup


def suite_lookup(suite: str, cache: Path | None) -> Lookup:
    """Counts of a library's own models by its own names; ``cache`` keeps them for the next run."""
    entries = {entry.name: entry for entry in SUITES[suite]()}
    kept: dict[str, Any] = json.loads(cache.read_text(encoding="utf-8")) if cache and cache.exists() else {}

    def lookup(name: str, size: int) -> Ingredients | None:
        key = f"{suite}/{name}@{size}"
        if key not in kept:
            kept[key] = _count(entries[name].build, (3, size, size)) if name in entries else None
            if cache:
                _keep(cache, kept)
        found: Ingredients | None = kept[key]
        return found

    return lookup


def _keep(cache: Path, kept: Mapping[str, Any]) -> None:
    """Write the whole file beside and put it in place, so that an interrupted run leaves the last whole one."""
    beside = cache.with_suffix(".part")
    beside.write_text(json.dumps(kept), encoding="utf-8")
    beside.replace(cache)


def _count(build: Callable[[], Any], shape: tuple[int, int, int]) -> Ingredients | None:
    """None where the network does not take that input: AlexNet's linear layers fix its size."""
    try:
        return ingredients(on_meta(build), shape)
    except (RuntimeError, AssertionError) as problem:
        print(f"not counted at {shape}: {problem}")
        return None
