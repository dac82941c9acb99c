"""Energy counters of the processor packages: RAPL, as Linux shows it under /sys/class/powercap, of Intel and of AMD.

Layout: ``intel-rapl:<n>`` are zones and ``intel-rapl:<n>:<m>`` parts of them, each with ``name``, ``energy_uj`` and
``max_energy_range_uj``, at which the counter begins anew. Source: Linux, Documentation/power/powercap/powercap.rst and
drivers/powercap/intel_rapl_common.c.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pytest_archbench.power.sensors import HIGHEST, SLOWEST_POLL, Channel, Kind, NoSensor, Sensor, readable

NAME = "RAPL"
ZONES = "sys/class/powercap"
ZONE = "intel-rapl:*"
"""The driver's name on AMD too. ``intel-rapl-mmio:*`` are the same packages, seen another way."""
PACKAGE, DRAM = "package-", "dram"
"""Names of what is added up. ``core`` and ``uncore`` are parts of a package, ``psys`` holds the packages."""
PERIOD = 1e-3
"""Seconds. Source: Hackenberg et al., An Energy Efficiency Feature Survey of the Intel Haswell Processor, 2015."""
SHORTEST_RANGE = HIGHEST * SLOWEST_POLL
"""J between two wrap-arounds. Real counters go to tens of thousands and more."""
DIGITS = 20
"""Of a count that is 64 bits wide."""
PROCESSOR = "proc/cpuinfo"
MODELLED = (
    *(0x2A, 0x2D, 0x3A, 0x3E),  # Sandy Bridge and Ivy Bridge
    *(0x37, 0x4A, 0x4C, 0x4D, 0x5A, 0x5D),  # Silvermont and Airmont
)
"""Intel's models (family 6) before Haswell, or of its time without its voltage regulators. Source of the numbers:
Linux, arch/x86/include/asm/intel-family.h."""


def packages(_device: str, root: Path) -> Sensor:
    """The counters of all packages under ``root``, with those of their DRAM where every package has one.

    Raises: NoSensor.
    """
    zones = {path.name: path for path in sorted((root / ZONES).glob(ZONE))}
    if not zones:
        why = "a virtual machine or container hides it, or the kernel has no driver"
        raise NoSensor(f"{NAME}: {root / ZONES / ZONE} is not there ({why})")
    names = {zone: _name(path) for zone, path in zones.items()}
    found = [zone for zone, name in names.items() if name.startswith(PACKAGE) and zone.count(":") == 1]
    if not found:
        said = ", ".join(f"{zone} ({name or 'no name'})" for zone, name in names.items())
        raise NoSensor(f"{NAME}: expected a zone called {PACKAGE}0 in {root / ZONES}; got {said}")
    memories = {zone.rpartition(":")[0]: zone for zone, name in names.items() if name == DRAM}
    complete = memories.keys() >= set(found)
    wanted = [*found, *(memories[zone] for zone in found)] if complete else found
    covers = "processor packages and DRAM" if complete else "processor packages"
    channels = tuple(_channel(zones[zone]) for zone in wanted)
    return readable(Sensor(NAME, covers, "counter", kind(root), PERIOD, channels))


def kind(root: Path) -> Kind:
    """Whether this processor's counters are measured: on Intel since Haswell (Hackenberg et al. 2015). On AMD they are
    modelled (Schöne et al., Energy Efficiency Aspects of the AMD Zen 2 Architecture, 2021), as on older ones; what is
    not known is taken to be.
    """
    try:
        lines = (root / PROCESSOR).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "estimated"
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if said.get("vendor_id") != "GenuineIntel":
        return "estimated"
    old = said.get("cpu family") == "6" and said.get("model") in {str(model) for model in MODELLED}
    return "estimated" if old else "measured"


def _name(zone: Path) -> str:
    """What a zone is called; empty where it does not say."""
    try:
        return (zone / "name").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _channel(zone: Path) -> Channel:
    """Raises: NoSensor."""
    energy = zone / "energy_uj"
    try:
        wraps_at = _joules(zone / "max_energy_range_uj")
        _joules(energy)
    except PermissionError:
        way = f"as root, run chmod a+r {zone.parent / ZONE / 'energy_uj'}: every user of this host can watch it then"
        why = "Linux lets root alone read it since 5.10 (CVE-2020-8694)"
        raise NoSensor(f"{NAME}: {energy} must not be read: {why}; {way}") from None
    except (OSError, ValueError) as error:
        raise NoSensor(f"{NAME}: {error}") from None
    if wraps_at < SHORTEST_RANGE:
        expected = f"expected {SHORTEST_RANGE:g} J or more, so that it is not passed twice unseen"
        raise NoSensor(f"{NAME}: {zone / 'max_energy_range_uj'}: {expected}; got {wraps_at:g} J")
    return Channel(str(energy), partial(_joules, energy), wraps_at)


def _joules(path: Path) -> float:
    """Raises: OSError; ValueError where the file holds no count of µJ."""
    text = path.read_bytes().decode("ascii", "replace").strip()
    if not text.isdecimal() or len(text) > DIGITS:
        raise ValueError(f"{path}: expected a whole number of µJ; got {text!r:.40}")
    return int(text) * 1e-6
