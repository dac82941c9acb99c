"""Training by a network's recipe: what it learns, how long that takes, how large the file of its weights is."""

from __future__ import annotations

import pytest

from pytest_archbench.checks import Archbench
from pytest_archbench.records import Case


@pytest.mark.archbench(metric="train_accuracy")
def test_train_accuracy(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="valid_accuracy")
def test_valid_accuracy(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="train_loss")
def test_train_loss(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="valid_loss")
def test_valid_loss(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="epoch_time")
def test_epoch_time(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="step_time")
def test_step_time(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)


@pytest.mark.archbench(metric="weights_file_size")
def test_weights_file_size(archbench: Archbench, archbench_case: Case) -> None:
    archbench.judge(archbench_case)
