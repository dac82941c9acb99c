"""What processes that train together are told, and what a failing one leaves: files between them and their launcher."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_archbench.training.task import Task


@dataclass(frozen=True, slots=True)
class Order:
    """What the processes are asked; ``launcher`` is the number of the process that waits for them."""

    task: Task
    launcher: int


@dataclass(frozen=True, slots=True)
class LastWords:
    """Why the process ``rank`` failed: the name of an exception and its message."""

    rank: int
    error: str
    message: str
