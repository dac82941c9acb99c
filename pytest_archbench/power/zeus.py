"""Sensors that the zeus library knows, an optional extra, and nothing else here: Apple's chips and AMD's GPUs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_archbench.computing import torch_device
from pytest_archbench.power.sensors import Channel, Nature, NoSensor, Sensor, readable

NEEDED = "zeus is not installed ({error}); pip install 'pytest-archbench[energy]'"
PARTS = ("cpu_total_mj", "gpu_mj", "gpu_sram_mj", "ane_mj", "dram_mj")
"""Of what zeus tells of an Apple chip (zeus.device.soc.apple), those that hold no other, in mJ; None where the chip
does not tell."""
CHIP_PERIOD = 0.1
GPU_PERIOD = 0.1
"""Seconds. Neither is documented: taken to be as slow as NVIDIA's."""


def apple_chip(_device: str, _root: Path) -> Sensor:
    """Processor, GPU and memory of an Apple chip, which models their energy. Raises: NoSensor."""
    try:
        from zeus.device import get_soc
        from zeus.device.soc.apple import apple_silicon_is_available
    except ImportError as error:
        raise NoSensor(NEEDED.format(error=error)) from None
    if not apple_silicon_is_available():
        raise NoSensor("zeus: finds no Apple chip; on one it needs zeus-apple-silicon: pip install 'zeus[apple]'")
    chip = _refused(get_soc)
    parts = [name for name in PARTS if getattr(_refused(chip.get_total_energy_consumption), name) is not None]
    if not parts:
        raise NoSensor("zeus: the Apple chip tells no energy of any part: it is unknown")
    covers = f"Apple chip ({', '.join(name.removesuffix('_mj') for name in parts)})"
    channels = tuple(Channel(part, _part_of(chip, part)) for part in parts)
    return readable(Sensor("zeus, Apple", covers, "counter", "estimated", CHIP_PERIOD, channels))


def amd_gpu(device: str, _root: Path) -> Sensor:
    """The board of an AMD GPU, which torch calls cuda too. Raises: NoSensor."""
    try:
        from zeus.device import get_gpus
        from zeus.device.gpu.amd import amdsmi_is_available
    except ImportError as error:
        raise NoSensor(NEEDED.format(error=error)) from None
    if not amdsmi_is_available():
        raise NoSensor("zeus: finds no AMD GPU (it asks the amdsmi library)")
    gpus, index = _refused(get_gpus), int(torch_device(device).partition(":")[2])
    if index >= len(gpus):
        raise NoSensor(f"zeus: knows {len(gpus)} AMD GPU(s); {device} is none of them")
    if _refused(lambda: gpus.supports_get_total_energy_consumption(index)):
        counter = _asked(lambda: gpus.get_total_energy_consumption(index))
        return _amd("zeus, AMD energy counter", "counter", Channel(f"GPU {index}", counter))
    power = _asked(lambda: gpus.get_instant_power_usage(index))
    return _amd("zeus, AMD power", "gauge", Channel(f"GPU {index}", power))


def _amd(name: str, nature: Nature, channel: Channel) -> Sensor:
    return readable(Sensor(name, "GPU board", nature, "measured", GPU_PERIOD, (channel,), has_processors=False))


def _part_of(chip: Any, part: str) -> Callable[[], float]:
    return _asked(lambda: getattr(chip.get_total_energy_consumption(), part))


def _asked(question: Callable[[], Any]) -> Callable[[], float]:
    """A question to zeus that is answered in J or W: it says mJ and mW, and None for what it does not know."""

    def answered() -> float:
        try:
            said = question()
        except Exception as error:  # noqa: BLE001  zeus raises errors of its own, and those of what it asks
            raise ValueError(f"zeus: {type(error).__name__}: {error}") from None
        return math.nan if said is None else said / 1e3

    return answered


def _refused(action: Callable[[], Any]) -> Any:
    """Raises: NoSensor with zeus' own words."""
    try:
        return action()
    except Exception as error:  # noqa: BLE001  zeus raises errors of its own, and those of what it asks
        raise NoSensor(f"zeus: {type(error).__name__}: {error}") from None
