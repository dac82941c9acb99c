"""What is kept: a training that was killed ends with the same bits, and files that are wrong are refused."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_trainings import Counting, chancy, last, linear, same, task, timeless, weights
from torch import nn

from pytest_archbench import training
from pytest_archbench.protocols import Unusable
from pytest_archbench.training import checkpoints

HERE = Path(__file__).parent


def started(network: str, keep: Path, ranks: int = 1) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    program = f"import small_trainings as s; s.last(s.task(s.{network}, keep={str(keep)!r}, ranks={ranks}))"
    return subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path})


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def kept(path: Path) -> checkpoints.Checkpoint:
    found = checkpoints.load(path)
    assert found is not None
    return found


def test_a_training_that_is_killed_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = task(chancy, keep=str(tmp_path / "whole"))
    broken = task(chancy, keep=str(tmp_path / "broken"))
    checkpoint = tmp_path / "broken" / "chancy-cpu.checkpoint"
    process = started("chancy", tmp_path / "broken")
    wait_for(checkpoint.exists)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = len(kept(checkpoint).epochs)
    assert 1 <= done < 12

    found = list(training.train(broken))
    expected = last(whole)
    assert [len(each.epochs) for each in found] == list(range(done + 1, 13))
    assert found[-1].resumed == (done,)
    assert timeless(found[-1].epochs) == timeless(expected.epochs)
    assert found[-1].outcomes == expected.outcomes
    assert same(weights(broken), weights(whole))


def test_what_is_done_is_told_at_once(tmp_path: Path) -> None:
    asked = task(chancy, epochs=2, keep=str(tmp_path))
    first = last(asked)
    (again,) = training.train(asked)
    assert again == first
    assert kept(tmp_path / "chancy-cpu.checkpoint").optimizer is None


def test_lost_weights_are_written_again(tmp_path: Path) -> None:
    asked = task(linear, epochs=1, keep=str(tmp_path))
    last(asked)
    before = weights(asked)
    (tmp_path / "linear-cpu.pth").unlink()
    assert last(asked).weights_size
    assert same(weights(asked), before)


def test_files_of_another_training_are_set_aside(tmp_path: Path) -> None:
    asked = task(linear, epochs=1, keep=str(tmp_path))
    last(asked)
    before = weights(asked)
    found = last(task(linear, epochs=1, seed=1, keep=str(tmp_path)))
    assert (found.set_aside, found.resumed) == (True, ())
    aside = list(tmp_path.glob("linear-cpu.*.pth"))
    assert len(aside) == len(list(tmp_path.glob("linear-cpu.*.checkpoint"))) == 1
    assert same(torch.load(aside[0], weights_only=True), before)
    assert not same(weights(asked), before)


def test_networks_of_one_file_name_do_not_go_on_from_each_other(tmp_path: Path) -> None:
    first = task(linear, epochs=1, keep=str(tmp_path))
    other = replace(first, architecture=replace(first.architecture, name="other"))
    identities = set()
    for asked in (first, other):
        last(asked)
        identities.add(kept(tmp_path / f"{asked.architecture.name}-cpu.checkpoint").identity)
    assert len(identities) == 2
    (tmp_path / "linear-cpu.checkpoint").replace(tmp_path / "other-cpu.checkpoint")
    assert last(other).set_aside


def test_what_layers_keep_beside_tensors_is_kept(tmp_path: Path) -> None:
    asked = task(Counting, epochs=2, keep=str(tmp_path))
    first = next(training.train(asked))
    path = tmp_path / "Counting-cpu.checkpoint"
    # 1437 images in batches of 32: 44 of them and a rest of 29
    assert kept(path).model["_extra_state"] == {"batches": 45}
    found = last(asked)
    assert (len(first.epochs), found.resumed) == (1, (1,))
    assert kept(path).model["_extra_state"] == {"batches": 90}


def unkept() -> nn.Module:
    return Counting({"opens": Opens(Path("any"))})


def test_what_cannot_be_read_back_is_refused_before_the_first_epoch(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"^_extra_state of Counting: expected plain data .*have get_extra_state return"):
        last(task(unkept, keep=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` (B), as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_epoch_before_whole(tmp_path: Path) -> None:
    asked = task(chancy, epochs=3, keep=str(tmp_path))
    going = training.train(asked)
    next(going)
    path = tmp_path / "chancy-cpu.checkpoint"
    size = path.stat().st_size
    with files_of_at_most(size // 2), pytest.raises(Unusable) as refused:
        next(going)
    assert str(refused.value) == (
        f"{path}: cannot be written: File too large; that of epoch 1 is whole: "
        "make room and run again, the training goes on from there"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["chancy-cpu.checkpoint"]
    assert len(kept(path).epochs) == 1
    found = last(asked)
    assert found.resumed == (1,)
    assert timeless(found.epochs) == timeless(last(task(chancy, epochs=3)).epochs)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unusable, match=r"file: no folder that trainings can be kept in: File exists"):
        last(task(linear, epochs=1, keep=str(tmp_path / "file")))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"PK\x03\x04" + tail))
def test_bytes_that_are_no_checkpoint_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.checkpoint"
    path.write_bytes(content)
    with pytest.raises(Unusable, match=r"any.checkpoint: expected the checkpoint of a training; got .*: remove it to"):
        checkpoints.load(path)


def test_a_checkpoint_cut_short_is_refused(tmp_path: Path) -> None:
    asked = task(linear, epochs=1, keep=str(tmp_path))
    last(asked)
    path = tmp_path / "linear-cpu.checkpoint"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Unusable, match="remove it to train afresh"):
        last(asked)


class Opens:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.path), "w")


def test_no_code_of_a_file_is_run(tmp_path: Path) -> None:
    (tmp_path / "a.checkpoint").write_bytes(pickle.dumps(Opens(tmp_path / "run")))
    torch.save({"model": Opens(tmp_path / "run")}, tmp_path / "b.checkpoint")
    for name in ("a", "b"):
        with pytest.raises(Unusable):
            checkpoints.load(tmp_path / f"{name}.checkpoint")
    assert not (tmp_path / "run").exists()
