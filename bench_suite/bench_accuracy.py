"""Accuracy on labelled images, against what was published for these very weights and one's own earlier runs."""

from __future__ import annotations

import pytest

from pytest_archbench.checks import Archbench
from pytest_archbench.records import Case


@pytest.mark.archbench(metric="top1_accuracy")
def test_top1_accuracy(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="top5_accuracy")
def test_top5_accuracy(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)
