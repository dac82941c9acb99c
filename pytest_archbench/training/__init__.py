"""Training of networks by one process or several: deterministic on the CPU, begun again where it was broken off."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pytest_archbench.protocols import Learning
from pytest_archbench.records import Architecture
from pytest_archbench.training import checkpoints
from pytest_archbench.training.learning import learn
from pytest_archbench.training.progress import Diverged, Epoch, Progress
from pytest_archbench.training.task import Task
from pytest_archbench.training.together import Failed, learn_together

__all__ = ["Diverged", "Epoch", "Failed", "Progress", "Task", "train", "trained"]


def train(task: Task) -> Iterator[Progress]:
    """Train a network; what was found so far after every epoch, or once where all was done before.

    What is done is kept in ``task.learning.keep``, from which the same training, begun again, goes on. Raises: Missing,
    Unusable; Diverged; Failed; whatever the network raises.
    """
    task.recipe  # noqa: B018  a network that has none is refused before anything is started
    with _keeping(task) as kept:
        yield from (learn if kept.learning.ranks == 1 else learn_together)(kept)


@contextmanager
def _keeping(task: Task) -> Iterator[Task]:
    """The task with a folder to keep what is done in, for as long as it runs where none was named. Raises Unusable."""
    if task.learning.keep:
        checkpoints.make_folder(task.learning.keep)
        yield task
        return
    with tempfile.TemporaryDirectory(prefix="archbench-training-") as folder:
        yield replace(task, learning=replace(task.learning, keep=folder))


def trained(learning: Learning, architecture: Architecture, device: str) -> Path | None:
    """Where the weights lie that a training of the architecture on the device ended with, a plain state dict; None
    where none has. Of which training they are the checkpoint beside them tells.
    """
    if not learning.keep:
        return None
    path = checkpoints.places(learning.keep, architecture.name, device).weights
    return path if path.is_file() else None
