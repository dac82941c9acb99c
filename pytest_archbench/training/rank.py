"""One of several processes that train together: torchrun starts ``python -m pytest_archbench.training.rank FILE``.

The first process writes what was found after each epoch beside FILE; one that fails writes its last words there.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

from pytest_archbench.files import write_atomically
from pytest_archbench.protocols import Unusable
from pytest_archbench.training.group import Group
from pytest_archbench.training.learning import learn
from pytest_archbench.training.messages import LastWords, Order
from pytest_archbench.training.progress import Progress
from pytest_archbench.training.task import Task

LOOK_AGAIN = 0.5
"""Seconds between two looks whether the processes above still live."""
BACKENDS = {"cuda": "nccl"}
"""How processes exchange gradients, by kind of device; gloo on every other."""


def main(file: Path) -> int:
    rank, size, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    try:
        order: Order = pickle.loads(file.read_bytes())  # from our own launcher
        _end_with(order.launcher)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what libraries will deprecate is no finding about a network
            _train(placed(order.task, local), Group(rank, size), file.parent)
    except Exception as error:  # noqa: BLE001  a network may raise anything, and the launcher is to be told
        words = LastWords(rank, type(error).__name__, " ".join(str(error).split()))
        write_atomically(file.parent / f"{rank}.failed", pickle.dumps(words))
        return 1
    return 0


def placed(task: Task, local: int) -> Task:
    """The task on this process's own GPU. Raises Unusable where there are fewer than processes."""
    import torch

    if task.kind != "cuda":
        return task
    if local >= torch.cuda.device_count():
        raise Unusable(
            f"--archbench-ranks={task.learning.ranks} on {task.device}: expected a GPU for each process; "
            f"got {torch.cuda.device_count()}"
        )
    torch.cuda.set_device(local)
    return replace(task, place=f"cuda:{local}")


def _train(task: Task, group: Group, folder: Path) -> None:
    from torch import distributed

    distributed.init_process_group(BACKENDS.get(task.kind, "gloo"))
    try:
        for found in learn(task, group):
            if group.leads:
                tell(folder, found)
    finally:
        distributed.destroy_process_group()


def tell(folder: Path, found: Progress) -> None:
    write_atomically(folder / f"{len(found.epochs):06}.found", pickle.dumps(found))


def _end_with(launcher: int) -> None:
    """End this process when torchrun, its parent, or the launcher is gone: it leads a session of its own, so that a
    signal to theirs does not reach it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and _lives(launcher):
            time.sleep(LOOK_AGAIN)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
