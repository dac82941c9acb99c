"""NVIDIA Jetson boards: CUDA on a board that names itself in the device tree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_archbench.devices.accelerators import cuda
from pytest_archbench.devices.cpu import HIGHEST, LOWEST
from pytest_archbench.devices.probes import UNKNOWN, NoDevice, probe, refuse_number
from pytest_archbench.environment.reading import ROOT, is_there, name, number, said, text
from pytest_archbench.power import rails
from pytest_archbench.records import Device

RELEASE = "etc/nv_tegra_release"
"""``# R35 (release), REVISION: 4.1, ..., BOARD: t186ref, ...``: the BOARD there is one name for several boards."""
GOVERNED = "sys/class/devfreq"
GPU_LOWEST, GPU_HIGHEST = "min_freq", "max_freq"
CLOCKED = tuple(f"{GOVERNED}/{gpu}" for gpu in ("*.gpu", "*.gp10b", "*.gv11b", "*.ga10b", "gpu-gpc-*"))
"""What the GPU's clock is called on Tegra X1 (and on Orin from JetPack 6 on), X2, Xavier, Orin, Thor."""
GPUS = tuple(f"{gpu}/{GPU_HIGHEST}" for gpu in CLOCKED)
FILES = (rails.MODEL, rails.COMPATIBLE, RELEASE, *GPUS, *(f"{gpu}/{GPU_LOWEST}" for gpu in CLOCKED))
MODE = ("nvpmodel", "-q")
CLOCKS = ("jetson_clocks", "--show")
JETPACK = ("dpkg-query", "--show", "--showformat=${Version}", "nvidia-jetpack")
COMMANDS = (MODE, CLOCKS, JETPACK)
"""NVIDIA's tools; ``jetson_clocks`` answers the superuser only. JetPack is a package without files of its own."""
Limit = tuple[int, int]
"""The least and the greatest clock that a part may take."""
LIMITS = re.compile(r"^(?:cpu[0-9]+: Online=1 .*|GPU) MinFreq=([0-9]+) MaxFreq=([0-9]+) ", re.MULTILINE | re.ASCII)
"""A line of ``jetson_clocks --show``: kHz of a processor, Hz of the GPU."""


@probe("jetson")
def jetson(asked: str, root: Path = ROOT) -> Device:
    """The board under ``root``, and its GPU as torch's first CUDA device."""
    refuse_number(asked, "jetson")
    facts = board(root)
    model = facts["board"]
    try:
        gpu = cuda("cuda:0")
    except NoDevice as error:
        raise NoDevice(f"device 'jetson': the board is here ({model}), its GPU is not: {error.args[0]}") from None
    return Device(asked, "cuda", gpu.model if model == UNKNOWN else model, {**gpu.fingerprint, **facts})


def recorded(asked: str, root: Path) -> Device:
    """The board that a recording under ``root`` was made on, without its GPU, of which torch alone knows."""
    facts = board(root)
    return Device(asked, "cuda", facts["board"], facts)


def board(root: Path = ROOT) -> dict[str, Any]:
    """What a time on a board depends on besides its GPU, which needs no torch. Frequencies in Hz.

    ``part``: the part numbers of carrier and module. ``clocks``: ``locked`` by jetson_clocks, or ``free``.
    Raises: NoDevice where ``root`` is no Jetson board's.
    """
    model, compatible = _strings(root / rails.MODEL), _strings(root / rails.COMPATIBLE)
    key = rails.board(root)
    if not key:
        raise NoDevice(_no_board(root, " ".join(model or compatible)))
    gpu = _limits(root, GPUS, GPU_LOWEST)
    return {
        "board": _known(name(" ".join(model))),
        "module": next((each.name for each in rails.BOARDS if each.key == key), UNKNOWN),
        "part": _known(name(next(iter(compatible), "").removeprefix("nvidia,"))),
        "l4t": _l4t(root),
        "jetpack": _known(name(said(root, *JETPACK) or "")),
        "power_mode": _mode(said(root, *MODE) or ""),
        "clocks": _shown(said(root, *CLOCKS) or "") or _held(root, gpu) or UNKNOWN,
        "gpu_frequency_min_hz": min((low for low, _ in gpu), default=UNKNOWN),
        "gpu_frequency_max_hz": max((high for _, high in gpu), default=UNKNOWN),
        "rails": _known(name(", ".join(sorted(each.name for each in rails.every(root))))),
    }


def _no_board(root: Path, found: str) -> str:
    """What was looked for and where, and what was there."""
    tells = f"it says {found!r:.100}" if found else "it is not here"
    release = "it is here" if is_there(root / RELEASE) else "it is not here"
    return (
        f"device 'jetson': this is no Jetson board: looked for '{rails.TEGRA}...' in {root / rails.COMPATIBLE}, {tells}"
        f", and for {root / RELEASE}, {release}; archbench device says what is here"
    )


def _strings(path: Path) -> list[str]:
    """The parts of a device-tree property, each closed by a zero byte."""
    return [part for part in (text(path) or "").split("\0") if part]


def _known(found: str | None) -> str:
    return found or UNKNOWN


def _l4t(root: Path) -> str:
    """``R35.4.1``, from NVIDIA's file on the release of its Linux."""
    found = re.search(r"^# (R[0-9]{1,3}) \(release\), REVISION: ([0-9.]{1,20}),", text(root / RELEASE) or "", re.ASCII)
    return f"{found[1]}.{found[2]}" if found else UNKNOWN


def _mode(printed: str) -> str:
    """``MAXN``, from ``NV Power Mode: MAXN``."""
    found = re.search(r"^NV Power Mode: ?(.*)$", printed, re.MULTILINE)
    return _known(name(found[1])) if found else UNKNOWN


def _shown(printed: str) -> str | None:
    """Whether every processor and the GPU are held at one clock, by what ``jetson_clocks --show`` printed."""
    return _state([(int(low), int(high)) for low, high in LIMITS.findall(printed)])


def _held(root: Path, gpu: list[Limit]) -> str | None:
    """The same from the kernel's limits, for who is not the superuser; None where GPU or processors do not tell."""
    processors = _limits(root, (HIGHEST,), Path(LOWEST).name)
    return _state([*processors, *gpu]) if processors and gpu else None


def _state(limits: list[Limit]) -> str | None:
    if not limits:
        return None
    return "locked" if all(low == high for low, high in limits) else "free"


def _limits(root: Path, highs: Iterable[str], low: str) -> list[Limit]:
    """The least and greatest clock of every file that the patterns name, in the files' unit; ``low`` lies beside."""
    paths = [path for pattern in highs for path in sorted(root.glob(pattern))]
    pairs = ((number(path.with_name(low)), number(path)) for path in paths)
    return [(least, most) for least, most in pairs if least is not None and most is not None]
