"""The processor of this host."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from pytest_archbench.devices.probes import UNKNOWN, NoDevice, probe
from pytest_archbench.environment.reading import ROOT, line, name, number, said, text
from pytest_archbench.records import Device

DESCRIPTION = "proc/cpuinfo"
MEMORY = "proc/meminfo"
PROCESSORS = "sys/devices/system/cpu"
SIBLINGS = f"{PROCESSORS}/cpu[0-9]*/topology/thread_siblings_list"
GOVERNORS = f"{PROCESSORS}/cpu[0-9]*/cpufreq/scaling_governor"
LOWEST = f"{PROCESSORS}/cpu[0-9]*/cpufreq/scaling_min_freq"
HIGHEST = f"{PROCESSORS}/cpu[0-9]*/cpufreq/scaling_max_freq"
THREADING = f"{PROCESSORS}/smt/active"
INTEL_TURBO = f"{PROCESSORS}/intel_pstate/no_turbo"
TURBO = f"{PROCESSORS}/cpufreq/boost"
"""Linux: admin-guide/cputopology.rst, admin-guide/pm/{cpufreq,intel_pstate}.rst, ABI/testing/sysfs-devices-system-cpu.
Frequencies are in kHz there."""
FILES = (DESCRIPTION, MEMORY, SIBLINGS, GOVERNORS, LOWEST, HIGHEST, THREADING, INTEL_TURBO, TURBO)
MACHINE = ("uname", "-m")
SWITCHES = ((INTEL_TURBO, {1: "off", 0: "on"}), (TURBO, {1: "on", 0: "off"}))
"""Where a kernel says whether the processor may exceed its base clock, and what its 1 and 0 mean there."""

INSTRUCTIONS = (
    ("AVX512", {"avx512f", "avx512vl", "avx512bw", "avx512dq", "fma"}),
    ("AVX2", {"avx2", "fma"}),
    ("SVE", {"sve"}),
    ("NEON", {"asimd"}),
)
"""Vector instructions for which torch has kernels of their own, widest first, and the flags in /proc/cpuinfo that it
asks for (x86: aten/src/ATen/native/DispatchStub.cpp). Torch itself is not asked: importing it takes a second."""
LIMITED = "ATEN_CPU_CAPABILITY"
"""The variable by which torch is told to use narrower ones."""
BASE = "DEFAULT"
"""What torch calls those that every processor of a kind has."""


@probe("cpu")
def cpu(asked: str, root: Path = ROOT) -> Device:
    """The host's processor; ``root`` is where /proc and /sys lie."""
    if asked != "cpu":
        raise NoDevice(
            f"device {asked!r}: there is one cpu, called 'cpu'; bind cores by taskset, threads by --archbench-threads"
        )
    model = processor(root)
    return Device(name="cpu", kind="cpu", model=model, fingerprint=fingerprint(model, root))


def processor(root: Path) -> str:
    """The processor's name as /proc/cpuinfo has it, else what this host's platform says, else ``unknown``."""
    named = _pairs(text(root / DESCRIPTION))
    found = name(named.get("model name") or named.get("Model") or "")
    return found or (platform.processor() if root == ROOT else "") or UNKNOWN


def fingerprint(model: str, root: Path) -> dict[str, Any]:
    """What a time on this processor depends on and a reader can compare. Frequencies in Hz, memory in B.

    What concerns this process is known of this host alone, of no recording.
    """
    here = root == ROOT
    cores, logical = _cores(root)
    return {
        "model": model,
        "machine": (platform.machine() if here else name(said(root, *MACHINE) or "")) or UNKNOWN,
        "cores": cores or UNKNOWN,
        "logical_cores": logical or UNKNOWN,
        "threads_per_core": logical // cores if cores and logical and logical % cores == 0 else UNKNOWN,
        "usable_cores": (_usable() if here else None) or UNKNOWN,
        "memory_bytes": _memory(root) or UNKNOWN,
        "governor": _governor(root),
        "turbo": _turbo(root),
        "smt": {0: "off", 1: "on"}.get(_of(root, THREADING), UNKNOWN),
        "frequency_min_hz": min(_frequencies(root, LOWEST), default=UNKNOWN),
        "frequency_max_hz": max(_frequencies(root, HIGHEST), default=UNKNOWN),
        "isa": (os.environ.get(LIMITED, "").upper() if here else "") or _instructions(root) or UNKNOWN,
    }


def _cores(root: Path) -> tuple[int | None, int | None]:
    """Cores and the threads they run at once; a core is what shares one list of siblings."""
    siblings = [found for path in root.glob(SIBLINGS) if (found := line(path))]
    if siblings or root != ROOT:
        return len(set(siblings)) or None, len(siblings) or None
    return psutil.cpu_count(logical=False), psutil.cpu_count()


def _usable() -> int | None:
    """Processors that this process may use; None where the system does not tell."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else None


def _memory(root: Path) -> int | None:
    """Bytes, from ``MemTotal: <number> kB``."""
    found = re.search(r"^MemTotal:\s+([0-9]{1,15}) kB$", text(root / MEMORY) or "", re.MULTILINE | re.ASCII)
    if found:
        return int(found[1]) * 1024
    return psutil.virtual_memory().total if root == ROOT else None


def _governor(root: Path) -> str:
    """The rule by which all processors choose their clock, or ``mixed: ...``."""
    found = sorted({governor for path in root.glob(GOVERNORS) if (governor := line(path))})
    return (f"mixed: {', '.join(found)}" if len(found) > 1 else "".join(found)) or UNKNOWN


def _turbo(root: Path) -> str:
    known = (words[value] for path, words in SWITCHES if (value := _of(root, path)) in words)
    return next(known, UNKNOWN)


def _of(root: Path, path: str) -> int:
    """A number under a root; -1 where there is none."""
    found = number(root / path)
    return -1 if found is None else found


def _frequencies(root: Path, pattern: str) -> Iterable[int]:
    return [1000 * found for path in root.glob(pattern) if (found := number(path))]


def _instructions(root: Path) -> str | None:
    """The widest vector instructions with kernels in torch that the processor has; None where it lists none."""
    named = _pairs(text(root / DESCRIPTION))
    flags = set((named.get("flags") or named.get("Features") or "").split())
    return next((name for name, needed in INSTRUCTIONS if needed <= flags), BASE if flags else None)


def _pairs(listed: str | None) -> dict[str, str]:
    """``key : value`` lines; of several with one key the last counts."""
    split = (each.partition(":") for each in (listed or "").splitlines())
    return {key.strip(): value.strip() for key, _, value in split}
