"""Several processes that train one network, through torchrun."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from small_trainings import DIGITS, chancy, last, linear, raising, same, task, weights
from test_checkpoints import started, wait_for

from pytest_archbench import training
from pytest_archbench.protocols import Unusable
from pytest_archbench.training import Failed

pytestmark = pytest.mark.slow


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    ours, alone = (task(linear, epochs=2, ranks=ranks, keep=str(tmp_path / str(ranks))) for ranks in (2, 1))
    found, expected = last(ours), last(alone)
    for epoch, other in zip(found.epochs, expected.epochs, strict=True):
        assert epoch.train_loss == pytest.approx(other.train_loss, rel=1e-5)
        assert epoch.valid_loss == pytest.approx(other.valid_loss, rel=1e-5)
        assert (epoch.train_accuracy, epoch.valid_accuracy) == (other.train_accuracy, other.valid_accuracy)
    assert found.outcomes == expected.outcomes
    assert found.protocol["ranks"] == 2
    difference = weights(ours)["1.weight"] - weights(alone)["1.weight"]
    assert difference.abs().max().item() < 1e-5
    before = weights(ours)
    assert last(ours).epochs == found.epochs  # all is done: told at once
    assert same(weights(ours), before)


def test_the_last_words_of_a_process_are_passed_on() -> None:
    with pytest.raises(Failed, match="of those that train together failed: LookupError: this network cannot learn"):
        last(task(raising, ranks=2))


def test_what_is_unusable_in_a_process_is_so_here() -> None:
    with pytest.raises(Unusable, match="a batch of 1 images cannot be shared by 2 processes"):
        last(task(linear, replace(DIGITS, batch_size=1), ranks=2))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_was_killed_is_named(tmp_path: Path, rank: int) -> None:
    going = training.train(task(chancy, epochs=100, ranks=2, keep=str(tmp_path)))
    next(going)
    (one,) = (each for each in ranks() if each.environ()["RANK"] == str(rank))
    one.kill()
    with pytest.raises(Failed) as failed:
        list(going)
    assert str(failed.value) == (
        f"process {rank} of those that train together was ended by signal SIGKILL; run again with --archbench-resume"
    )


def ranks() -> list[psutil.Process]:
    below = psutil.Process().children(recursive=True)
    return [each for each in below if each.cmdline()[1:4] == ["-u", "-m", "pytest_archbench.training.rank"]]


def test_they_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    process = started("chancy", tmp_path, ranks=2)
    wait_for((tmp_path / "chancy-cpu.checkpoint").exists)
    below = psutil.Process(process.pid).children(recursive=True)
    assert len([each for each in below if "pytest_archbench.training.rank" in " ".join(each.cmdline())]) == 3
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert psutil.wait_procs(below, timeout=30)[1] == []
