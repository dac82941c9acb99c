"""Hooks that a user's conftest may implement."""

from __future__ import annotations

from collections.abc import Mapping
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
