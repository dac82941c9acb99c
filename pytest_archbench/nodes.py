"""The packaged suite as pytest nodes: virtual ids that depend on no directory, and what of them was asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest

NODES = "archbench/"
"""What node ids of the packaged suite begin with: ``archbench/latency::test_latency[resnet50-cpu-bs1]``."""
CLAIMS = "claims"
"""The module that judges what all the others measured, and so runs after them."""
CASE = "archbench_case"
"""The parameter that holds a case; None stands in where none was asked for."""


class SuiteModule(pytest.Module):
    """A module of the packaged suite: its tests are collected whatever the user's own naming rules are."""

    def _getobj(self) -> ModuleType:
        """The module by its name: pytest's way puts its folder on ``sys.path``, before modules of the user's."""
        return importlib.import_module(f"{self.path.parent.name}.{self.path.stem}")

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_")

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002  pytest calls it by this name
        return False

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        """The cases of the metrics that were asked for; stand-ins for the others are not counted as collected."""
        return [node for node in super().collect() if is_bench(node)]


def packaged(session: pytest.Session, folder: Path, *, claims: bool) -> Iterator[pytest.Item]:
    """Every case of the bench modules in ``folder``, and where they are wanted the ``claims``, last."""
    modules = {path.stem.removeprefix("bench_"): path for path in sorted(folder.glob("bench_*.py"))}
    names = [name for name in modules if name != CLAIMS] + [CLAIMS] * (claims and CLAIMS in modules)
    for name in names:
        yield from session.genitems(SuiteModule.from_parent(session, path=modules[name], nodeid=f"{NODES}{name}"))


def module(nodeid: str) -> str:
    """``latency`` of ``archbench/latency::test_latency[resnet50-cpu-bs1]``."""
    return nodeid.removeprefix(NODES).partition("::")[0]


def is_bench(node: pytest.Item | pytest.Collector) -> bool:
    """Whether a test uses the ``archbench`` fixture and, if it is parametrised with cases, has one."""
    if "archbench" not in getattr(node, "fixturenames", ()):
        return False
    callspec = getattr(node, "callspec", None)
    return callspec is None or callspec.params.get(CASE, True) is not None


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
