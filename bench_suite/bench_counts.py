"""Properties of the graph, against every published figure of the architecture."""

from __future__ import annotations

import pytest

from pytest_archbench.checks import Archbench
from pytest_archbench.records import Case


@pytest.mark.archbench(metric="params")
def test_params(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="macs")
def test_macs(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="activations")
def test_activations(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="model_size")
def test_model_size(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)
