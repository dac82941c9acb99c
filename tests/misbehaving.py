"""Networks that end a measuring process, or do not end, each in its own way; a child process imports them from here."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path

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


class TakesTwo(nn.Module):
    """Has room for two images."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 2:
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory with {len(x)} images.")
        return x


class LosesItsDevice(nn.Module):
    """The error of a GPU that fell off the bus, as torch words it."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: ARG002
        raise RuntimeError("CUDA error: unspecified launch failure")


def says_out_of_memory() -> nn.Module:
    """The error of a full GPU, as torch words it."""
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def runs_out_of_memory() -> nn.Module:
    raise MemoryError


def has_little_memory() -> nn.Module:
    """Torch is refused for real what any machine has: the process may grow by 64 MiB, the weights are 256 MiB."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + 64 * 2**20, resource.RLIM_INFINITY))
    return nn.Linear(2**13, 2**13)


class Babbles(nn.Module):
    """Writes a megabyte at every pass, through Python and past it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        sys.stdout.write("epoch 1: \x00 garbage\r\n" * 20_000)
        sys.stdout.flush()
        os.write(2, os.urandom(2**19))
        out: Tensor = self.layer(x)
        return out


class NeverEnds(nn.Module):
    """Deaf to every signal that can be ignored, with a child that is too."""

    def forward(self, x: Tensor) -> Tensor:
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        os.fork()
        while True:
            x = x + 1


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
