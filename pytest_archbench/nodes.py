"""The packaged suite as pytest nodes: virtual ids that depend on no directory, and what of them was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from pytest_archbench.records import Case

NODES = "archbench/"
"""What node ids of the packaged suite begin with: ``archbench/latency::test_latency[resnet50-cpu-bs1]``."""


class SuiteModule(pytest.Module):
    """A module of the packaged suite: its tests are collected whatever the user's own naming rules are."""

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_")

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002  pytest calls it by this name
        return False


def packaged(session: pytest.Session, folder: Path) -> Iterator[pytest.Item]:
    """Every case of the bench modules in ``folder``."""
    for path in sorted(folder.glob("bench_*.py")):
        nodeid = f"{NODES}{path.stem.removeprefix('bench_')}"
        yield from session.genitems(SuiteModule.from_parent(session, path=path, nodeid=nodeid))


def is_bench(item: pytest.Item) -> bool:
    """Whether an item uses the ``archbench`` fixture and, if it is parametrised with cases, has one.

    A metric that was not asked for leaves pytest's placeholder of an empty parameter set.
    """
    if "archbench" not in getattr(item, "fixturenames", ()):
        return False
    callspec = getattr(item, "callspec", None)
    return callspec is None or isinstance(callspec.params.get("archbench_case", _ANY_CASE), Case | _AnyCase)


class _AnyCase:
    """Stands for an item that is not parametrised with cases."""


_ANY_CASE = _AnyCase()


def chosen(items: Iterable[pytest.Item], wanted: Sequence[str]) -> list[pytest.Item]:
    """The items that node ids on the command line name: a case, a test with all its cases, or a module.

    Raises: pytest.UsageError for an id that names nothing.
    """
    pool = list(items)
    found: list[pytest.Item] = []
    for name in wanted:
        matching = [item for item in pool if item.nodeid == name or item.nodeid.startswith((f"{name}[", f"{name}::"))]
        if not matching:
            raise pytest.UsageError(f"archbench: no case is called {name}; pytest --archbench --co -q lists them")
        found += [item for item in matching if item not in found]
    return found
