"""NVIDIA Jetson boards: CUDA on a board that names itself in the device tree."""

from __future__ import annotations

from pathlib import Path

from pytest_archbench.devices.accelerators import cuda
from pytest_archbench.devices.probes import NoDevice, probe, refuse_number
from pytest_archbench.records import Device

MODEL = "proc/device-tree/model"
COMPATIBLE = "proc/device-tree/compatible"


@probe("jetson")
def jetson(name: str, root: Path = Path("/")) -> Device:
    """The board under ``root``, and its GPU as torch's first CUDA device."""
    refuse_number(name, "jetson")
    model, compatible = _text(root / MODEL), _text(root / COMPATIBLE)
    if "nvidia,tegra" not in compatible:
        said = f"it says {model or compatible!r}" if model or compatible else "it is not here"
        raise NoDevice(
            f"device {name!r}: this is no Jetson board: looked for 'nvidia,tegra...' in {root / COMPATIBLE}, {said}; "
            "try --device=cpu or --device=cuda"
        )
    gpu = cuda("cuda:0")
    return Device(name=name, kind="cuda", model=model or gpu.model, fingerprint={**gpu.fingerprint, "board": model})


def _text(path: Path) -> str:
    """A device-tree string: zero-terminated parts, joined by spaces; empty where there is none."""
    try:
        return " ".join(part for part in path.read_bytes().decode(errors="replace").split("\0") if part)
    except OSError:
        return ""
