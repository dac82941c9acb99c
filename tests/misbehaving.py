"""Networks that end a measuring process, or do not end, each in its own way; a child process imports them from here."""

from __future__ import annotations

import os
import signal
import time

import torch
from torch import Tensor, nn


def well_behaved() -> nn.Module:
    return nn.Linear(4, 2)


def another() -> nn.Module:
    return nn.Linear(4, 3, bias=False)


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise LookupError(f"no head\nfor {tuple(x.shape)}")


def kills_itself() -> nn.Module:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is dead")


def dies_of_a_real_time_signal() -> nn.Module:
    os.kill(os.getpid(), signal.SIGRTMIN + 1)
    raise AssertionError("it is dead")


def exits() -> nn.Module:
    os._exit(3)


def leaves() -> nn.Module:
    raise SystemExit(5)


def sleeps() -> nn.Module:
    time.sleep(3600)
    raise AssertionError("an hour has passed")


def asks_for_a_petabyte() -> nn.Module:
    """Torch's allocator refuses for real."""
    return nn.Linear(2**25, 2**25)


def says_out_of_memory() -> nn.Module:
    """The error of a full GPU, as torch words it."""
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def runs_out_of_memory() -> nn.Module:
    raise MemoryError


class OnlyAtHome:
    """A constructor that can be sent, and not unpacked where it arrives."""

    def __init__(self) -> None:
        self.home = os.getpid()

    def __call__(self) -> nn.Module:
        return well_behaved()

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return (only_in, (self.home,))


def only_in(home: int) -> OnlyAtHome:
    if os.getpid() != home:
        raise ImportError("the network's library is not installed here")
    return OnlyAtHome()
