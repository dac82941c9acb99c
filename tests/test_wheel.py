"""The wheel carries the suite and its baselines: installed elsewhere, in an empty folder, the main job runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but this project as pip installs it."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(ROOT)]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)
    return target


def test_installed_wheel_runs_the_packaged_suite_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--archbench", "--archbench-arch=squeezenet1_1"]
    command += ["--archbench-metric=params,macs", "-p", "archbench"]
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (tmp_path / "reports/measurements.jsonl").read_text().splitlines()[1:]]
    # 1 235 496 parameters: torchvision's documentation of SqueezeNet1_1_Weights
    assert [(row["metric"], row["value"]) for row in rows] == [("params", 1_235_496), ("macs", 349_151_936)]
    assert any(verdict["source"] == "torchvision" for verdict in rows[0]["verdicts"])


def test_installed_wheel_brings_what_a_checkout_has(installed: Path) -> None:
    def files(folder: Path, suffix: str) -> set[str]:
        return {str(path.relative_to(folder)) for path in folder.rglob(f"*{suffix}")}

    assert files(installed / "bench_suite/baselines", ".toml") == files(ROOT / "baselines", ".toml")
    for package in ("pytest_archbench", "bench_suite"):
        for suffix in (".py", ".json", ".j2", ".css", ".js", ".txt"):
            assert files(installed / package, suffix) == files(ROOT / package, suffix)
