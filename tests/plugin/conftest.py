"""One run of the packaged suite that many tests look at, and a user's project."""

from __future__ import annotations

from pathlib import Path

import pytest
from lifecycle import ANYWHERE, NETS, TINY, Ran, bench, write


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Every metric of two small networks that any host can take, run in an empty folder."""
    folder = tmp_path_factory.mktemp("packaged")
    return bench(
        folder,
        "--archbench-arch=alexnet,squeezenet1_1",
        f"--archbench-metric={','.join(ANYWHERE)}",
        "--benchmark-json=theirs.json",
        "--junitxml=junit.xml",
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder with one network of their own."""
    return write(tmp_path, {"mynets.py": NETS, "pyproject.toml": TINY})
