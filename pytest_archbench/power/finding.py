"""Which sensor tells a device's energy: a table by kind of device, the best first."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from pytest_archbench.power import boards, gpus, rapl, zeus
from pytest_archbench.power.sensors import NoSensor, Sensor

Candidate = Callable[[str, Path], Sensor]
"""``(device's name, where /proc and /sys lie) -> Sensor``; raises NoSensor."""

CANDIDATES: dict[str, tuple[Candidate, ...]] = {
    "cpu": (rapl.packages, boards.module, zeus.apple_chip),
    "cuda": (gpus.board, boards.module, zeus.amd_gpu),
    "jetson": (boards.module, gpus.board),
    "mps": (zeus.apple_chip,),
}
"""A Jetson is asked for as a whole, and its rails tell that; its driver tells of the GPU alone, where it tells any."""


def _on_a_mac() -> bool:
    return sys.platform == "darwin"


def _calls_amd_cuda() -> bool:
    import torch

    return getattr(torch.version, "hip", None) is not None


ONLY: dict[Candidate, Callable[[], bool]] = {zeus.apple_chip: _on_a_mac, zeus.amd_gpu: _calls_amd_cuda}
"""Where alone a candidate can be: elsewhere it is not tried, since no advice about it would help."""


def find(device: str, root: Path = Path("/")) -> Sensor:
    """The sensor of a device such as ``cuda:1``, read once. Raises: NoSensor with every candidate's reason."""
    candidates = CANDIDATES.get(device.partition(":")[0], ())
    reasons = []
    for candidate in candidates:
        if candidate in ONLY and not ONLY[candidate]():
            continue
        try:
            return candidate(device, root)
        except NoSensor as reason:
            reasons.append(str(reason))
    why = "; ".join(reasons) or f"none is known here; there are some for {', '.join(CANDIDATES)}"
    raise NoSensor(f"nothing tells the energy of {device}: {why}")
