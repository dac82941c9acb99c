"""A real run of one network, compared with itself and chosen from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from shell import archbench


@pytest.mark.slow
def test_a_real_run_agrees_with_itself_and_can_be_chosen_from(tmp_path: Path) -> None:
    options = ("--archbench-arch=squeezenet1_1", "--archbench-metric=params,latency", "--archbench-time-budget=200ms")
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--archbench", *options]
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    ran = archbench(tmp_path, "compare", "reports", "reports", "--exit-code")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "2 cases: 2 passed (2 cases without change: --all lists them)"
    found = json.loads(archbench(tmp_path, "recommend", "--max-latency=1h", "--format=json").stdout)
    assert [(each["network"], each["params"]) for each in found["ranked"]] == [("squeezenet1_1", 1_235_496)]
    assert found["ranked"][0]["latency"] > 0
