"""Peak memory of a forward pass on the device."""

from __future__ import annotations

import pytest

from pytest_archbench.checks import Archbench
from pytest_archbench.records import Case


@pytest.mark.archbench(metric="peak_memory")
def test_peak_memory(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="peak_host_memory")
def test_peak_host_memory(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="peak_reserved_memory")
def test_peak_reserved_memory(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="device_memory")
def test_device_memory(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)
