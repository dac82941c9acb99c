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
        self._state = self._gpu.state() if self._gpu else None
        self._before = machine.snapshot()

    def facts(self, reference: Sequence[float] = ()) -> dict[str, float | None]:
        """What both did since (``machine.between``, ``nvml.between``). Raises: nvml.Lost."""
        host = machine.between(self._before, machine.snapshot(), reference)
        state = self._gpu.state() if self._gpu else None
        return host | nvml.between(self._state, state, os.getpid())


def _gpu(device: str) -> nvml.Gpu | None:
    """The GPU as its driver knows it; None where it is not NVIDIA's, or a board's, whose driver tells nothing."""
    uuid = gpu_uuid(device)
    try:
        return nvml.gpu(uuid) if uuid else None
    except nvml.NoNvml:
        return None
