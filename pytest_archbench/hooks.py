"""Hooks that a user's conftest may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_archbench.records import Architecture


@pytest.hookspec
def pytest_archbench_architectures(config: pytest.Config) -> list[Architecture]:  # type: ignore[empty-body]
    """Return architectures of your own; they form the suite ``user`` together with those of pyproject.toml."""
