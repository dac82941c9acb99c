"""What a journal's header tells of board, device and software; what is not known is ``unknown``.

Facts have the names and the form that ``pytest_archbench.devices`` and ``pytest_archbench.environment`` give them.
"""

import datetime
import importlib
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from pytest_archbench.power.rails import BOARDS, COMPATIBLE, MODEL, TEGRA, board, every

UNKNOWN, NONE = "unknown", "none"
STATED = (("onednn", r"MKL-DNN v([\w.]+)"), ("parallel", r"ATen parallel backend: (\w+)"))
"""Facts that torch tells in prose only."""
PACKAGES = ("torch", "torchvision", "numpy")
RELEASE = "etc/nv_tegra_release"
PROCESSORS = "sys/devices/system/cpu"
PROCESSOR_LIMITS = PROCESSORS + "/cpu[0-9]*/cpufreq/scaling_{}_freq"
SWITCHES = (
    (PROCESSORS + "/intel_pstate/no_turbo", {"1": "off", "0": "on"}),
    (PROCESSORS + "/cpufreq/boost", {"1": "on", "0": "off"}),
)
"""Where a kernel says whether the processor may exceed its base clock, and what its 1 and 0 mean there."""
INSTRUCTIONS = (
    ("AVX512", {"avx512f", "avx512vl", "avx512bw", "avx512dq", "fma"}),
    ("AVX2", {"avx2", "fma"}),
    ("SVE", {"sve"}),
    ("NEON", {"asimd"}),
)
"""Vector instructions for which torch has kernels of their own, widest first, and their flags in /proc/cpuinfo."""
LIMITED, BASE = "ATEN_CPU_CAPABILITY", "DEFAULT"
"""The variable by which torch is told to use narrower ones; what it calls those that every processor has."""
GPU_LIMITS = "sys/class/devfreq/{}/{}_freq"
GPUS = ("*.gpu", "*.gp10b", "*.gv11b", "*.ga10b", "gpu-gpc-*")
"""What the GPU's clock is called on Tegra X1, X2, Xavier, Orin, Thor."""
SHOWN = re.compile(r"^(?:cpu[0-9]+: Online=1 .*|GPU) MinFreq=([0-9]+) MaxFreq=([0-9]+) ", re.MULTILINE)
"""A line of ``jetson_clocks --show``, which answers the superuser only."""


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
        "host": {"node": platform.node() or UNKNOWN, "processor": platform.processor(), **board_facts()},
        "environment": {
            "python": platform.python_version(),
            "system": platform.system(),
            "kernel": platform.release(),
            "machine": platform.machine(),
            "container": "docker" if os.path.exists("/.dockerenv") else _detected("--container"),
            "virtualisation": _detected("--vm"),
            "packages": {"pytest-archbench": version, **found["packages"]},
            "torch": found["torch"],
        },
        "devices": found["devices"],
    }


def look(names: Sequence[str]) -> Dict[str, Any]:
    """Versions, and each device's facts, in a process of its own: a look at CUDA takes memory. Raises: NoDevice."""
    return {
        "packages": {package: _version(package) for package in PACKAGES},
        "torch": torch_build(),
        "devices": {name: cpu_facts() if name == "cpu" else cuda_facts(name) for name in names},
    }


def torch_build() -> Dict[str, Any]:
    """How the torch that is installed was built."""
    torch = importlib.import_module("torch")
    prose = f"{torch.__config__.show()}\n{torch.__config__.parallel_info()}"
    stated = {fact: re.search(pattern, prose) for fact, pattern in STATED}
    return {
        "version": str(torch.__version__),
        "git": getattr(torch.version, "git_version", None) or UNKNOWN,
        "debug": bool(torch.version.debug),
        "cuda": torch.version.cuda or NONE,
        "hip": getattr(torch.version, "hip", None) or NONE,
        "mkl": bool(torch.backends.mkl.is_available()),
        **{fact: match.group(1).strip() if match else UNKNOWN for fact, match in stated.items()},
    }


def cpu_facts(root: str = "/") -> Dict[str, Any]:
    """Facts of the processor. Frequencies in Hz."""
    named = dict(re.findall(r"^(.*?)[ \t]*:[ \t]*(.*)$", _read(root, "proc/cpuinfo"), re.MULTILINE))
    memory = re.search(r"^MemTotal:\s+([0-9]+) kB$", _read(root, "proc/meminfo"), re.MULTILINE)
    governors = sorted({_line(path) for path in Path(root).glob(PROCESSORS + "/cpu[0-9]*/cpufreq/scaling_governor")})
    limits = _limits(root, [PROCESSOR_LIMITS])
    siblings = [_line(path) for path in Path(root).glob(PROCESSORS + "/cpu[0-9]*/topology/thread_siblings_list")]
    cores, logical = len(set(siblings)), len(siblings) or os.cpu_count()
    return {
        "kind": "cpu",
        "model": named.get("model name") or named.get("Model") or platform.processor() or UNKNOWN,
        "machine": platform.machine() or UNKNOWN,
        "cores": cores or UNKNOWN,
        "logical_cores": logical or UNKNOWN,
        "threads_per_core": logical // cores if cores and logical and logical % cores == 0 else UNKNOWN,
        "turbo": _turbo(root),
        "smt": {"0": "off", "1": "on"}.get(_read(root, PROCESSORS + "/smt/active").strip(), UNKNOWN),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else UNKNOWN,
        "memory_bytes": int(memory.group(1)) * 1024 if memory else UNKNOWN,
        "governor": "mixed: " + ", ".join(governors) if len(governors) > 1 else "".join(governors) or UNKNOWN,
        "frequency_min_hz": min((1000 * low for low, _ in limits), default=UNKNOWN),
        "frequency_max_hz": max((1000 * high for _, high in limits), default=UNKNOWN),
        "isa": os.environ.get(LIMITED, "").upper() or _instructions(named),
    }


def _turbo(root: str) -> str:
    said = ((words, _read(root, path).strip()) for path, words in SWITCHES)
    return next((words[switch] for words, switch in said if switch in words), UNKNOWN)


def _instructions(named: Dict[str, str]) -> str:
    """The widest vector instructions with kernels in torch that /proc/cpuinfo lists."""
    flags = set((named.get("flags") or named.get("Features") or "").split())
    return next((name for name, needed in INSTRUCTIONS if needed <= flags), BASE if flags else UNKNOWN)


def cuda_facts(name: str, root: str = "/") -> Dict[str, Any]:
    """Facts of the GPU as torch tells them, and of the board it is on. Raises: NoDevice."""
    if name == "jetson" and not board(root):
        where, said = Path(root) / COMPATIBLE, " ".join(_read(root, COMPATIBLE).split("\0")).strip()
        tells = f"it says {said!r:.100}" if said else "it is not here"
        raise NoDevice(
            f"--device jetson: this is no Jetson board: looked for '{TEGRA}...' in {where}, {tells}; try cuda or cpu"
        )
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        built = torch.version.cuda or "none: this torch is built for the CPU only"
        raise NoDevice(f"--device {name}: torch {torch.__version__} finds no CUDA device (CUDA {built}); try cpu")
    number = int(name.partition(":")[2] or 0)
    if number >= torch.cuda.device_count():
        raise NoDevice(f"--device {name}: torch finds {torch.cuda.device_count()} CUDA device(s), counted from 0")
    properties = torch.cuda.get_device_properties(number)
    return {
        "kind": "cuda",
        "model": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "cuda": torch.version.cuda or UNKNOWN,
        "cudnn": torch.backends.cudnn.version() or UNKNOWN,
        **board_facts(root),
    }


def board_facts(root: str = "/") -> Dict[str, Any]:
    """Facts of a Jetson board; none of another computer. Frequencies in Hz."""
    key = board(root)
    if not key:
        return {}
    model, parts = (_read(root, path).split("\0") for path in (MODEL, COMPATIBLE))
    release = re.search(r"^# (R[0-9]+) \(release\), REVISION: ([0-9.]+),", _read(root, RELEASE))
    mode = re.search(r"^NV Power Mode: ?(.+)$", said(["nvpmodel", "-q"]), re.MULTILINE)
    gpu = _limits(root, [GPU_LIMITS.format(name, "{}") for name in GPUS])
    shown = [(int(low), int(high)) for low, high in SHOWN.findall(said(["jetson_clocks", "--show"]))]
    limits = shown or [*gpu, *_limits(root, [PROCESSOR_LIMITS])]
    clocks = "locked" if all(low == high for low, high in limits) else "free"
    return {
        "board": model[0] or UNKNOWN,
        "module": next((each.name for each in BOARDS if each.key == key), UNKNOWN),
        "part": parts[0].replace("nvidia,", "", 1) or UNKNOWN,
        "l4t": f"{release.group(1)}.{release.group(2)}" if release else UNKNOWN,
        "jetpack": said(["dpkg-query", "--show", "--showformat=${Version}", "nvidia-jetpack"]).strip() or UNKNOWN,
        "power_mode": mode.group(1).strip() if mode else UNKNOWN,
        "clocks": clocks if limits else UNKNOWN,
        "gpu_frequency_min_hz": min((low for low, _ in gpu), default=UNKNOWN),
        "gpu_frequency_max_hz": max((high for _, high in gpu), default=UNKNOWN),
        "rails": ", ".join(sorted(rail.name for rail in every(root))) or UNKNOWN,
    }


def said(command: Sequence[str]) -> str:
    """What a command prints; empty where it is missing or needs more than ten seconds."""
    try:
        done = subprocess.run(list(command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _detected(kind: str) -> str:
    return said(["systemd-detect-virt", kind]).strip() or UNKNOWN


def _limits(root: str, patterns: Sequence[str]) -> List[Tuple[int, int]]:
    """The least and greatest clock that each part may take, in the files' unit; what does not tell is left out."""
    found = []
    for pattern in patterns:
        for low, high in zip(*(sorted(Path(root).glob(pattern.format(end))) for end in ("min", "max"))):
            if _line(low).isdigit() and _line(high).isdigit():
                found.append((int(_line(low)), int(_line(high))))
    return found


def _read(root: str, path: str) -> str:
    return _whole(Path(root) / path)


def _line(path: Path) -> str:
    return _whole(path).strip()


def _whole(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _version(package: str) -> str:
    """Of a package that is in use; to import another takes seconds on a board. As installed, where Python tells."""
    here = getattr(sys.modules.get(package), "__version__", None)
    try:
        return str(importlib.import_module("importlib.metadata").version(package)) if here else UNKNOWN
    except ImportError:  # before Python 3.8, or it was not installed
        return str(here)
