"""Energy and power of forward passes on the device."""

from __future__ import annotations

import pytest

from pytest_archbench.checks import Archbench
from pytest_archbench.records import Case


@pytest.mark.archbench(metric="energy")
def test_energy(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="energy_above_idle")
def test_energy_above_idle(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="power")
def test_power(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)
