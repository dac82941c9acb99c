"""Root folders as they look on Jetson boards: what the probes, the rails and the thermal zones read there.

Constructed from documentation, not recorded on a board: NVIDIA's device trees, its developer guide's tables of INA3221
rails, and Linux's sysfs layout. Voltages, currents and temperatures are invented, round and different from each other.
Device folders lie under sys/devices and are linked as the kernel does it, ``driver`` and ``subsystem`` included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Channel = tuple[str, int, int]
"""A rail's name, its voltage (mV) and its current (mA)."""


@dataclass(frozen=True, slots=True)
class Board:
    """What a board says of itself. ``monitors``: per bus address of an INA3221, its channels in their order.

    ``zones``: type and reading (m°C) of each thermal zone. ``gpu``: devfreq's name, least and greatest clock (Hz).
    """

    model: str
    compatible: tuple[str, ...]
    release: str
    mode: str
    monitors: Mapping[str, tuple[Channel, ...]]
    zones: tuple[tuple[str, int], ...]
    gpu: tuple[str, int, int]
    jetpack: int
    total_w: float | None
    """What the rails that make the whole board's power give, by hand (W); None where there is no sensor."""


def _release(number: int, revision: str, board: str) -> str:
    """A line of /etc/nv_tegra_release."""
    return (
        f"# R{number} (release), REVISION: {revision}, GCID: 12345678, BOARD: {board}, EABI: aarch64, "
        "DATE: Thu Jan  1 00:00:00 UTC 1970\n"
    )


_TEGRA_X1_ZONES = (
    ("AO-therm", 41500),
    ("CPU-therm", 38000),
    ("GPU-therm", 36500),
    ("PLL-therm", 37000),
    ("PMIC-Die", 100000),
    ("thermal-fan-est", 37250),
)
_XAVIER_ZONES = (
    ("CPU-therm", 44000),
    ("GPU-therm", 45500),
    ("AUX-therm", 43500),
    ("AO-therm", 43000),
    ("PMIC-Die", 100000),
)
_ORIN_ZONES = (
    ("CPU-therm", 48000),
    ("GPU-therm", 46500),
    ("CV0-therm", -256000),  # a part that is switched off
    ("SOC0-therm", 45000),
    ("tj-therm", 48250),
)

BOARDS: dict[str, Board] = {
    "tx1": Board(
        "jetson_tx1",
        ("nvidia,p2371-2180", "nvidia,tegra210"),
        _release(32, "7.4", "t210ref"),
        "",
        {"1-0040": (("VDD_IN", 19000, 200), ("VDD_GPU", 19000, 40), ("VDD_CPU", 19000, 60))},
        _TEGRA_X1_ZONES,
        ("57000000.gpu", 76_800_000, 998_400_000),
        4,
        3.8,
    ),
    "nano": Board(
        "NVIDIA Jetson Nano Developer Kit",
        ("nvidia,p3450-0000", "nvidia,tegra210"),
        _release(32, "7.4", "t210ref"),
        "MAXN",
        {"6-0040": (("POM_5V_IN", 5000, 420), ("POM_5V_GPU", 5000, 80), ("POM_5V_CPU", 5000, 120))},
        _TEGRA_X1_ZONES,
        ("57000000.gpu", 76_800_000, 921_600_000),
        4,
        2.1,
    ),
    "nano-2gb": Board(
        "NVIDIA Jetson Nano 2GB Developer Kit",
        ("nvidia,p3542-0000", "nvidia,tegra210"),
        _release(32, "7.4", "t210ref"),
        "MAXN",
        {},
        _TEGRA_X1_ZONES,
        ("57000000.gpu", 76_800_000, 921_600_000),
        4,
        None,
    ),
    "tx2": Board(
        "quill",
        ("nvidia,p2597-0000+p3310-1000", "nvidia,quill", "nvidia,tegra186"),
        _release(32, "7.4", "t186ref"),
        "MAXP_CORE_ARM",
        {
            "0-0040": (("VDD_SYS_GPU", 19000, 50), ("VDD_SYS_SOC", 19000, 30), ("VDD_4V0_WIFI", 4000, 10)),
            "0-0041": (("VDD_IN", 19000, 300), ("VDD_SYS_CPU", 19000, 70), ("VDD_SYS_DDR", 19000, 20)),
        },
        (("BCPU-therm", 39500), ("MCPU-therm", 39000), ("GPU-therm", 40500), ("PMIC-Die", 100000)),
        ("17000000.gp10b", 114_750_000, 1_300_500_000),
        4,
        5.7,
    ),
    "xavier-nx": Board(
        "NVIDIA Jetson Xavier NX Developer Kit",
        ("nvidia,p3449-0000+p3668-0000", "nvidia,tegra194"),
        _release(32, "7.4", "t186ref"),
        "MODE_15W_6CORE",
        {"7-0040": (("VDD_IN", 5000, 900), ("VDD_CPU_GPU_CV", 5000, 200), ("VDD_SOC", 5000, 250))},
        _XAVIER_ZONES,
        ("17000000.gv11b", 114_750_000, 1_109_250_000),
        4,
        4.5,
    ),
    "agx-xavier": Board(
        "Jetson-AGX",
        ("nvidia,p2972-0000", "nvidia,tegra194"),
        _release(32, "7.4", "t186ref"),
        "MAXN",
        {
            "1-0040": (("GPU", 19000, 100), ("CPU", 19000, 60), ("SOC", 19000, 80)),
            "1-0041": (("CV", 19000, 10), ("VDDRQ", 19000, 20), ("SYS5V", 19000, 130)),
        },
        _XAVIER_ZONES,
        ("17000000.gv11b", 114_750_000, 1_377_000_000),
        4,
        7.6,
    ),
    "orin-nano": Board(
        "NVIDIA Orin Nano Developer Kit",
        ("nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"),
        _release(35, "4.1", "t186ref"),
        "15W",
        {"1-0040": (("VDD_IN", 5000, 1100), ("VDD_CPU_GPU_CV", 5000, 260), ("VDD_SOC", 5000, 310))},
        _ORIN_ZONES,
        ("17000000.ga10b", 306_000_000, 624_750_000),
        5,
        5.5,
    ),
    "orin-nx": Board(
        "NVIDIA Orin NX Developer Kit",
        ("nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"),
        _release(36, "3.0", "generic"),
        "25W",
        {"1-0040": (("VDD_IN", 5000, 1300), ("VDD_CPU_GPU_CV", 5000, 300), ("VDD_SOC", 5000, 340))},
        _ORIN_ZONES,
        ("17000000.ga10b", 306_000_000, 918_000_000),
        6,
        6.5,
    ),
    "agx-orin": Board(
        "NVIDIA Jetson AGX Orin Developer Kit",
        ("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"),
        _release(35, "4.1", "t186ref"),
        "MODE_30W",
        {
            "1-0040": (("VDD_GPU_SOC", 19000, 240), ("VDD_CPU_CV", 19000, 60), ("VIN_SYS_5V0", 5000, 700)),
            "1-0041": (("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 5000, 90), ("NC", 0, 0)),
        },
        _ORIN_ZONES,
        ("17000000.ga10b", 306_000_000, 1_300_500_000),
        5,
        9.2,
    ),
}
"""Board -> what it says of itself. Constructed from documentation, not recorded on a board."""

HWMON_FROM = 5
"""From this JetPack on the rails are hwmon's (mV, mA, numbered from 1); before they are iio's (mW, numbered from 0)."""


def tree(root: Path, board: str) -> Path:
    """Build ``board`` (a key of BOARDS) under ``root`` and return ``root``."""
    made = BOARDS[board]
    base = root / "sys/firmware/devicetree/base"
    _write(base / "model", made.model + "\0")
    _write(base / "compatible", "".join(f"{part}\0" for part in made.compatible))
    _write(base / "serial-number", "1234567890123\0")  # is there on a board, and nobody's business
    _link(root / "proc/device-tree", base)
    _write(root / "etc/nv_tegra_release", made.release)
    _write(root / "proc/cpuinfo", _CPUINFO)
    _write(root / "proc/meminfo", "MemTotal:        4059712 kB\nMemFree:          123456 kB\n")
    for number, (kind, reading) in enumerate(made.zones):
        zone = root / f"sys/devices/virtual/thermal/thermal_zone{number}"
        _write(zone / "type", f"{kind}\n")
        _write(zone / "temp", f"{reading}\n")
        _link(root / f"sys/class/thermal/thermal_zone{number}", zone)
    _gpu(root, *made.gpu)
    _processor(root)
    for number, (bus, channels) in enumerate(made.monitors.items()):
        (_hwmon if made.jetpack >= HWMON_FROM else _iio)(root, bus, number, channels)
    _said(root, made)
    return root


_CPUINFO = """processor\t: 0
model name\t: ARMv8 Processor rev 1 (v8l)
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32
CPU part\t: 0xd07

Serial\t\t: 1234567890123456
"""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def _link(link: Path, target: Path) -> None:
    """A relative link, so that the tree can be moved."""
    link.parent.mkdir(parents=True, exist_ok=True)
    up = len(link.parent.relative_to(_common(link, target)).parts)
    link.symlink_to(Path(*[".."] * up) / target.relative_to(_common(link, target)))


def _common(one: Path, other: Path) -> Path:
    return next(folder for folder in one.parents if folder in other.parents)


def _gpu(root: Path, name: str, least: int, most: int) -> None:
    device = root / f"sys/devices/{name}"
    governor = device / "devfreq" / name
    for file, text in (("min_freq", least), ("max_freq", most), ("cur_freq", least), ("governor", "nvhost_podgov")):
        _write(governor / file, f"{text}\n")
    _link(governor / "device", device)
    _link(root / "sys/class/devfreq" / name, governor)


def _processor(root: Path) -> None:
    for number in range(4):
        folder = root / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        _write(folder / "scaling_governor", "schedutil\n")
        _write(folder / "scaling_min_freq", "102000\n")
        _write(folder / "scaling_max_freq", "1479000\n")
        _write(folder / "cpuinfo_max_freq", "1479000\n")
        _write(folder.parent / "topology/thread_siblings_list", f"{number}\n")


def _iio(root: Path, bus: str, number: int, channels: tuple[Channel, ...]) -> None:
    """JetPack 4 and before: NVIDIA's own driver, mW, channels numbered from 0."""
    device = _monitor(root, bus, "ina3221x")
    for channel, (name, millivolts, milliamperes) in enumerate(channels):
        folder = device / f"iio:device{number}"
        _write(folder / f"rail_name_{channel}", f"{name}\n")
        _write(folder / f"in_voltage{channel}_input", f"{millivolts}\n")
        _write(folder / f"in_current{channel}_input", f"{milliamperes}\n")
        _write(folder / f"in_power{channel}_input", f"{millivolts * milliamperes // 1000}\n")
    _write(device / f"iio:device{number}/name", "ina3221x\n")


def _hwmon(root: Path, bus: str, number: int, channels: tuple[Channel, ...]) -> None:
    """JetPack 5 on: Linux's driver, mV and mA, channels numbered from 1, no power; channel 7 adds the shunts up."""
    device = _monitor(root, bus, "ina3221")
    folder = device / f"hwmon/hwmon{number + 3}"
    _write(folder / "name", "ina3221\n")
    for channel, (name, millivolts, milliamperes) in enumerate(channels, start=1):
        _write(folder / f"in{channel}_label", f"{name}\n")
        _write(folder / f"in{channel}_input", f"{millivolts}\n")
        _write(folder / f"curr{channel}_input", f"{milliamperes}\n")
        _write(folder / f"in{channel + 3}_input", f"{milliamperes}\n")  # the shunt's voltage
    _write(folder / "in7_label", "sum of shunt voltages\n")
    _write(folder / "in7_input", "12345\n")
    _write(folder / "curr4_input", "12345\n")
    _link(folder / "device", device)


def _monitor(root: Path, bus: str, driver: str) -> Path:
    """An INA3221's folder, linked from its driver's and back."""
    device = root / f"sys/devices/platform/i2c-{bus[0]}/{bus}"
    device.mkdir(parents=True)
    home = root / "sys/bus/i2c/drivers" / driver
    _link(home / bus, device)
    _link(device / "driver", home)
    _link(device / "subsystem", root / "sys/bus/i2c")
    return device


def _said(root: Path, board: Board) -> None:
    """What the board's commands print; the TX1 has no power modes."""
    _write(root / "commands/uname_m.txt", "aarch64\n")
    if board.mode:
        _write(root / "commands/nvpmodel_q.txt", f"NVPM WARN: fan mode is not set!\nNV Power Mode: {board.mode}\n0\n")
    _, least, most = board.gpu
    _write(
        root / "commands/jetson_clocks_show.txt",
        f"SOC family:tegra  Machine:{board.model}\nOnline CPUs: 0-3\n"
        + "".join(
            f"cpu{number}: Online=1 Governor=schedutil MinFreq=102000 MaxFreq=1479000 CurrentFreq=1479000 "
            "IdleStates: WFI=1 c7=1 \n"
            for number in range(4)
        )
        + f"GPU MinFreq={least} MaxFreq={most} CurrentFreq={least}\n"
        "EMC MinFreq=204000000 MaxFreq=1600000000 CurrentFreq=1600000000 FreqOverride=0\n"
        + (f"NV Power Mode: {board.mode}\n" if board.mode else ""),
    )
