"""The processor of this host."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import psutil

from pytest_archbench.devices.probes import NoDevice, probe
from pytest_archbench.records import Device

UNKNOWN = "unknown"


@probe("cpu")
def cpu(name: str, root: Path = Path("/")) -> Device:
    """The host's processor; ``root`` is where /proc and /sys lie."""
    if name != "cpu":
        raise NoDevice(
            f"device {name!r}: there is one cpu, called 'cpu'; bind cores by taskset, threads by --archbench-threads"
        )
    model = processor(root)
    return Device(name="cpu", kind="cpu", model=model, fingerprint=fingerprint(model, root))


def processor(root: Path) -> str:
    """The processor's name as /proc/cpuinfo has it, else what the platform says, else ``unknown``."""
    try:
        lines = (root / "proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return named.get("model name") or named.get("Model") or platform.processor() or UNKNOWN


def fingerprint(model: str, root: Path) -> dict[str, Any]:
    """What a time on this processor depends on and a reader can compare."""
    governor = root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "model": model,
        "machine": platform.machine() or UNKNOWN,
        "cores": psutil.cpu_count(logical=False) or UNKNOWN,
        "logical_cores": psutil.cpu_count() or UNKNOWN,
        "usable_cores": len(affinity(0)) if affinity else UNKNOWN,
        "memory_bytes": psutil.virtual_memory().total,
        "governor": governor.read_text().strip() if governor.is_file() else UNKNOWN,
    }
