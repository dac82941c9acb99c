"""A bench run in this checkout is about networks: the project's own tests are not collected for it."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "tests"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave ``tests/`` alone with ``--archbench``; otherwise have no opinion."""
    benching = config.getoption("archbench", default=False)
    return True if benching and collection_path.is_relative_to(TESTS) else None
