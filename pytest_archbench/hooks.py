"""Hooks that a user's conftest may implement, and how the one for the report is asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import pandas as pd

    from pytest_archbench.records import Architecture


@pytest.hookspec
def pytest_archbench_architectures(config: pytest.Config) -> list[Architecture]:  # type: ignore[empty-body]
    """Return architectures of your own; they form the suite ``user`` together with those of pyproject.toml."""


@pytest.hookspec
def pytest_archbench_report(networks: pd.DataFrame) -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Return figures and tables of your own by title: they stand on the page, and as files beside ours.

    ``networks`` has one row per network, device and batch size, in base units, NaN where nothing was measured
    (``docs/report.md`` lists the columns). A value is a matplotlib ``Figure``, a pandas ``DataFrame`` or ``Series``, or
    a drawing of ``pytest_archbench.report`` (``balls``, ``dots``, ``bars``, ``lines``): the page draws it like its own.
    """


def given(config: pytest.Config, networks: pd.DataFrame) -> dict[str, Any]:
    """What every ``pytest_archbench_report`` gives, by title; an exception in place of what one failed to give.

    Each is asked alone and of a frame of its own, so that one that fails, or changes its frame, costs no other.
    """
    hook, manager = config.hook.pytest_archbench_report, config.pluginmanager
    plugins = [implementation.plugin for implementation in hook.get_hookimpls()]
    found: dict[str, Any] = {}
    for plugin in plugins:
        alone = manager.subset_hook_caller(hook.name, [other for other in plugins if other is not plugin])
        try:
            for answer in alone(networks=networks.copy()):
                if not isinstance(answer, Mapping):
                    raise TypeError(f"expected figures and tables by title; got {type(answer).__name__}")
                found |= {_own_title(str(title), found): each for title, each in answer.items()}
        except Exception as error:  # noqa: BLE001  their function may raise anything, and the report is not lost for it
            found[f"{hook.name} of {manager.get_name(plugin)}"] = error
    return found


def _own_title(title: str, taken: Collection[str]) -> str:
    """``title``, numbered where another function gave something of that title."""
    alike = [title, *(f"{title} ({number})" for number in range(2, len(taken) + 3))]
    return next(each for each in alike if each not in taken)
