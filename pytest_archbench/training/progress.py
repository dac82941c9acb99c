"""What a training has found so far: plain values, which a checkpoint keeps and a process can send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_archbench.protocols import Outcomes


class Diverged(RuntimeError):
    """A loss that is no number any more: the message says of which epoch."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses in nat per image, accuracies as fractions, times in seconds.

    Those of the training are running means over the epoch, while the weights change. ``epoch_time`` is the training's,
    ``valid_time`` the validation's; ``step_time`` is the median of forward, backward and update over the steps.
    """

    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    epoch_time: float
    step_time: float
    valid_time: float


@dataclass(frozen=True, slots=True)
class Progress:
    """``epochs`` of ``total``; ``outcomes`` of the last validation; ``weights_size`` (B) of the file, once all is done.

    ``resumed`` are the numbers of epochs after which the training was begun again; ``set_aside`` is whether the files
    of a training of another kind were renamed.
    """

    total: int
    protocol: Mapping[str, Any]
    input_shape: tuple[int, ...]
    epochs: tuple[Epoch, ...] = ()
    outcomes: Outcomes | None = None
    resumed: tuple[int, ...] = ()
    set_aside: bool = False
    weights_size: int | None = None

    @property
    def whole(self) -> bool:
        return len(self.epochs) >= self.total

    @property
    def left(self) -> float:
        """Seconds that the rest may take."""
        spent = sum(epoch.epoch_time + epoch.valid_time for epoch in self.epochs)
        return spent / len(self.epochs) * (self.total - len(self.epochs))
