"""/sys/class/powercap and /proc/cpuinfo as Linux lays them out: constructed from documentation, not recorded on a host.

Sources: Linux, Documentation/power/powercap/powercap.rst; the zones of each kind of processor as its driver names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

RANGE = 262_143_328_850
"""µJ at which a counter begins anew."""
SERVER = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram", "intel-rapl:1": "package-1", "intel-rapl:1:0": "dram"}
LAPTOP = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "uncore",
    "intel-rapl:0:2": "dram",
    "intel-rapl:1": "psys",
    "intel-rapl-mmio:0": "package-0",
    "intel-rapl-mmio:0:0": "dram",
}
AMD = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core"}


def tree(
    root: Path, zones: Mapping[str, str], *, vendor: str = "GenuineIntel", family: int = 6, model: int = 85
) -> Path:
    """Zones by their folders' names, counters at 1 J, 2 J, ... in that order; returns ``root``."""
    for number, (zone, name) in enumerate(zones.items(), start=1):
        folder = root / "sys/class/powercap" / zone
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "energy_uj").write_text(f"{number * 1_000_000}\n")
        (folder / "max_energy_range_uj").write_text(f"{RANGE}\n")
    (root / "proc").mkdir()
    said = {"processor": 0, "vendor_id": vendor, "cpu family": family, "model": model, "model name": "A Processor"}
    (root / "proc/cpuinfo").write_text("".join(f"{key}\t: {value}\n" for key, value in said.items()))
    return root


def counter(root: Path, zone: str = "intel-rapl:0") -> Path:
    return root / "sys/class/powercap" / zone / "energy_uj"
