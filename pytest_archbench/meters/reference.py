"""The fixed reference workload: the same work in every run, so that its time shows the pace of the machine."""

from __future__ import annotations

from collections.abc import Callable

from pytest_archbench.computing import synchroniser, torch_device

NAME = "4 x (conv 3x3 32-32 on 56x56, matmul 256); on a GPU 8 x matmul 1024"
"""What it computes. A change makes every time that was divided by it incomparable, so the name is journalled."""


def workload(device: str) -> Callable[[], None]:
    """The workload on a device, in float32: some milliseconds on one core, and as long on a small GPU.

    A convolution and a matrix product, since networks are made of both; small enough for the caches of any core, so
    that it shows the core's pace and not its neighbours' use of memory.
    """
    import torch
    from torch.nn import functional as F

    name, wait = torch_device(device), synchroniser(device)
    generator = torch.Generator().manual_seed(0)

    def tensor(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(name)

    image, kernel, square, large = tensor(1, 32, 56, 56), tensor(32, 32, 3, 3), tensor(256, 256), tensor(1024, 1024)

    def on_cpu() -> None:
        for _ in range(4):
            F.conv2d(image, kernel, padding=1)
            square @ square

    def on_gpu() -> None:
        for _ in range(8):
            large @ large
        wait()

    return on_cpu if name == "cpu" else on_gpu
