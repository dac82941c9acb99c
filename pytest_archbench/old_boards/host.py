"""What a journal's header tells of board, device and software; what is not known is ``unknown``."""

import datetime
import importlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Dict, Sequence

from pytest_archbench.power.rails import BOARDS, MODEL, _device_tree, board, every

UNKNOWN = "unknown"
PACKAGES = ("torch", "torchvision", "numpy")
RELEASE = "etc/nv_tegra_release"


class NoDevice(LookupError):
    """The device asked for is not here; the message says what is."""


def header(version: str, found: Dict[str, Any]) -> Dict[str, Any]:
    """The journal's first line. ``found`` is what ``look`` answered; ``version`` that of the script's package."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "schema": 1,
        "run": f"{now:%Y%m%dT%H%M%S}-{os.getpid()}",
        "started": now.isoformat(),
        "commit": UNKNOWN,
        "dirty": UNKNOWN,
        "host": {"node": platform.node() or UNKNOWN, "processor": platform.processor()},
        "environment": {
            "python": platform.python_version(),
            "system": platform.system(),
            "kernel": platform.release(),
            "machine": platform.machine(),
            "packages": {"pytest-archbench": version, **found["packages"]},
        },
        "devices": found["devices"],
    }


def look(names: Sequence[str]) -> Dict[str, Any]:
    """Versions, and each device's facts, in a process of its own: a look at CUDA takes memory. Raises: NoDevice."""
    facts = {name: cpu_facts() if name == "cpu" else cuda_facts(name) for name in names}
    devices = {name: {"kind": "cpu" if name == "cpu" else "cuda", **facts[name]} for name in names}
    return {"packages": {package: _version(package) for package in PACKAGES}, "devices": devices}


def cpu_facts(root: str = "/") -> Dict[str, Any]:
    """Facts of the processor, and of the board it is on."""
    lines = _read(root, "proc/cpuinfo").splitlines()
    named = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    memory = [line.split()[1] for line in _read(root, "proc/meminfo").splitlines() if line.startswith("MemTotal:")]
    return {
        "model": named.get("model name") or named.get("Model") or platform.processor() or UNKNOWN,
        "machine": platform.machine() or UNKNOWN,
        "logical_cores": os.cpu_count() or UNKNOWN,
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else UNKNOWN,
        "memory_bytes": int(memory[0]) * 1024 if memory else UNKNOWN,
        "governor": _read(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or UNKNOWN,
        **board_facts(root),
    }


def cuda_facts(name: str, root: str = "/") -> Dict[str, Any]:
    """Facts of the GPU as torch tells them, and of the board it is on. Raises: NoDevice."""
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        built = torch.version.cuda or "none: this torch is built for the CPU only"
        raise NoDevice(f"--device {name}: torch {torch.__version__} finds no CUDA device (CUDA {built}); try cpu")
    number = int(name.partition(":")[2] or 0)
    if number >= torch.cuda.device_count():
        raise NoDevice(f"--device {name}: torch finds {torch.cuda.device_count()} CUDA device(s), counted from 0")
    properties = torch.cuda.get_device_properties(number)
    facts = board_facts(root)
    return {
        "model": facts.get("board") or properties.name,
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "cuda": torch.version.cuda or UNKNOWN,
        "cudnn": torch.backends.cudnn.version() or UNKNOWN,
        **facts,
    }


def board_facts(root: str) -> Dict[str, Any]:
    """Facts of a Jetson board; none of another computer."""
    key = board(root)
    if not key:
        return {}
    names = {each.key: each.name for each in BOARDS}
    return {
        "board": _device_tree(root, MODEL) or names.get(key, UNKNOWN),
        "module": names.get(key, UNKNOWN),
        "l4t": l4t(_read(root, RELEASE)),
        "power_mode": power_mode(said(["nvpmodel", "-q"])),
        "rails": [rail.name for rail in every(root)],
    }


def l4t(release: str) -> str:
    """``32.7.4``, from ``# R32 (release), REVISION: 7.4, GCID: ...``."""
    words = release.replace(",", " ").split()
    if len(words) < 2 or "REVISION:" not in words[:-1] or not words[1].startswith("R"):
        return UNKNOWN
    return f"{words[1][1:]}.{words[words.index('REVISION:') + 1]}"


def power_mode(text: str) -> str:
    """``MAXN``, from ``NV Power Mode: MAXN``."""
    modes = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("NV Power Mode:")]
    return modes[0] if modes and modes[0] else UNKNOWN


def said(command: Sequence[str]) -> str:
    """What a command prints; empty where it is missing or fails."""
    try:
        done = subprocess.run(list(command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _read(root: str, path: str) -> str:
    try:
        return (Path(root) / path).read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _version(package: str) -> str:
    try:
        return str(importlib.import_module(package).__version__)
    except (ImportError, AttributeError):
        return UNKNOWN
