"""Time of a forward pass on the device."""

from __future__ import annotations

import pytest

from pytest_archbench.checks import Archbench
from pytest_archbench.records import Case


@pytest.mark.archbench(metric="latency")
def test_latency(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="throughput")
def test_throughput(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)
