"""What else the host and the GPU did while something was measured."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pytest_archbench import machine, nvml
from pytest_archbench.computing import gpu_uuid


class Witness:
    """Looks at the machine, and at the GPU that is measured on, when it is made and again when it is asked."""

    def __init__(self, device: str) -> None:
        self._gpu = _gpu(device)
        self._state = self._look()
        self._at_the_end: nvml.State | None = None
        self._before = machine.snapshot()

    def work_ends(self) -> None:
        """To be told right after the last pass where something else follows before ``facts``. Raises: nvml.Lost."""
        self._at_the_end = self._look()

    def facts(self, reference: Sequence[float] = ()) -> dict[str, float | None]:
        """What both did since (``machine.between``), the GPU until the work ended (``nvml.between``): it is looked at
        first, since it cools and clocks down at once. Raises: nvml.Lost.
        """
        state = self._at_the_end or self._look()
        host = machine.between(self._before, machine.snapshot(), reference)
        return host | nvml.between(self._state, state, os.getpid(), _family() if state else ())

    def _look(self) -> nvml.State | None:
        return self._gpu.state() if self._gpu else None


def _gpu(device: str) -> nvml.Gpu | None:
    """The GPU as its driver knows it; None where it is not NVIDIA's, or a board's, whose driver tells nothing."""
    uuid = gpu_uuid(device)
    try:
        return nvml.gpu(uuid) if uuid else None
    except nvml.NoNvml:
        return None


def _family() -> set[int]:
    """The pids of this run: of the process that asked this one, and of all that it or they have started. Their workers
    keep a context on the GPU and do nothing while another measures.
    """
    import psutil  # an environment that is measured against need not have it, nor a GPU

    try:
        parent = psutil.Process(os.getppid())
        return {parent.pid, *(child.pid for child in parent.children(recursive=True))}
    except psutil.Error:  # it ended: this process will too
        return set()
