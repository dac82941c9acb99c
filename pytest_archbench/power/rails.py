"""Power of NVIDIA Jetson boards, from the INA3221 monitors on them: three rails a chip, by sysfs.

Standard library and Python 3.6 only: the script for old boards (``archbench device script``) carries this very file.

Layouts, with ``c`` for a channel. Linux of JetPack 4 and before: ``bus/i2c/drivers/ina3221x/<chip>/iio:device<n>`` has
``rail_name_<c>`` and ``in_power<c>_input`` (mW), channels from 0. From JetPack 5 on: ``bus/i2c/drivers/ina3221/<chip>/
hwmon/hwmon<n>`` has ``in<c>_label``, ``in<c>_input`` (mV) and ``curr<c>_input`` (mA), channels from 1, and no power;
its channel 7 is the sum of shunt voltages, which is no rail. Source: NVIDIA Jetson Linux Developer Guide, "Platform
Power and Performance"; Linux, Documentation/hwmon/ina3221.rst.
"""

import os
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple, Union

Root = Union[str, "os.PathLike[str]"]
"""Where /proc and /sys lie: ``/``, or a recorded tree."""

COMPATIBLE = "proc/device-tree/compatible"
MODEL = "proc/device-tree/model"
TEGRA = "nvidia,tegra"
"""What the device tree of every Jetson board names itself compatible with."""
UNNAMED = "jetson"
"""Key of a Jetson board that the table does not have."""
NOT_CONNECTED = "NC"
LONGEST = 20
"""Digits of a number that a kernel writes, at most."""
INPUT = "VDD_IN"
"""The rail that feeds the whole module, where a board has one."""


class NoRails(LookupError):
    """No power can be read; the message says what was looked for, where, and what was found."""


class Board(NamedTuple):
    """``signs``: any of them in the device tree names the board, in small letters with spaces for ``-`` and ``_``.
    ``total``: the rails whose sum is its power; empty where it has no sensor.
    """

    key: str
    name: str
    signs: Tuple[str, ...]
    total: Tuple[str, ...]


BOARDS = (
    Board("nano-2gb", "Jetson Nano 2GB", ("jetson nano 2gb", "p3542", "p3448 0003"), ()),
    Board("nano", "Jetson Nano", ("jetson nano", "p3450", "p3448"), ("POM_5V_IN",)),
    Board("tx1", "Jetson TX1", ("jetson tx1", "p2371 2180", "p2180"), (INPUT,)),
    Board("tx2", "Jetson TX2", ("jetson tx2", "p2771", "p3310", "p3489", "p3636", "quill"), (INPUT,)),
    Board("xavier-nx", "Jetson Xavier NX", ("xavier nx", "p3668"), (INPUT,)),
    Board(
        "agx-xavier",
        "Jetson AGX Xavier",
        ("agx xavier", "p2888", "p2822", "p2972", "galen"),
        ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
    ),
    Board("orin-nano", "Jetson Orin Nano", ("orin nano", "p3767 0003", "p3767 0004", "p3767 0005"), (INPUT,)),
    Board("orin-nx", "Jetson Orin NX", ("orin nx", "p3767"), (INPUT,)),
    Board("agx-orin", "Jetson AGX Orin", ("agx orin", "p3701", "p3737"), ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")),
)
"""The first that a device tree names counts. AGX boards have no rail that feeds all; what is added up there are the
rails that NVIDIA gives for the module. Part numbers are those of module and carrier board in the device tree."""


class Layout(NamedTuple):
    """Where a driver puts channels: folders, the name of a rail, what to multiply to W, and the channels."""

    folders: str
    label: str
    inputs: Tuple[str, ...]
    scale: float
    channels: Tuple[int, ...]


LAYOUTS = (
    Layout("sys/bus/i2c/drivers/ina3221x/*/iio:device*", "rail_name_{}", ("in_power{}_input",), 1e-3, (0, 1, 2)),
    Layout("sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*", "in{}_label", ("in{}_input", "curr{}_input"), 1e-6, (1, 2, 3)),
)


class Rail(NamedTuple):
    """A supply line: its power is the product of what the files hold, times ``scale``, in W."""

    name: str
    inputs: Tuple[Path, ...]
    scale: float

    def read(self) -> float:
        """Power, W. Raises: OSError where a file cannot be read, ValueError where it holds no number."""
        power = self.scale
        for path in self.inputs:
            power *= _number(path)
        return power


def board(root: Root = "/") -> str:
    """The key of the board under ``root``: ``xavier-nx``; ``jetson`` for one that the table does not have, ``""`` for
    what is no Jetson board.
    """
    compatible, model = _device_tree(root, COMPATIBLE), _device_tree(root, MODEL)
    if TEGRA not in compatible:
        return ""
    said = f"{model} {compatible}".lower().replace("-", " ").replace("_", " ")
    return next((each.key for each in BOARDS if any(sign in said for sign in each.signs)), UNNAMED)


def every(root: Root = "/") -> List[Rail]:
    """All rails that can be read, by the folders they lie in."""
    return [rail for rail, reason in _found(root) if not reason]


def total(root: Root = "/") -> List[Rail]:
    """The rails whose sum is the power of the board.

    Raises: NoRails.
    """
    key = board(root)
    if not key:
        said = _device_tree(root, MODEL) or "nothing"
        where = Path(root) / COMPATIBLE
        raise NoRails(f"power rails: this is no Jetson board: expected {TEGRA!r} in {where}; its model says {said}")
    name, wanted = next(((each.name, each.total) for each in BOARDS if each.key == key), ("this Jetson", (INPUT,)))
    if not wanted:
        raise NoRails(f"power rails: the {name} has no power sensor; measure at its supply with a meter")
    found = [(rail, reason) for rail, reason in _found(root) if rail.name in wanted]
    faults = _faults(found, wanted)
    if faults:
        said = f"the power of {name} is {' + '.join(wanted)}: {'; '.join(faults)}"
        raise NoRails(f"power rails: {said}; looked in {_places(root)}, found {_names(root)}")
    return sorted((rail for rail, _ in found), key=lambda rail: wanted.index(rail.name))


def _faults(found: List[Tuple[Rail, str]], wanted: Tuple[str, ...]) -> List[str]:
    """Why the rails found do not make up the total, by rail."""
    counts = {name: sum(rail.name == name for rail, _ in found) for name in wanted}
    told = [f"{name} is not there" for name, count in counts.items() if count == 0]
    told += [f"{name} is there {count} times" for name, count in counts.items() if count > 1]
    return told + [f"{rail.name} cannot be read ({reason})" for rail, reason in found if reason]


def _found(root: Root) -> List[Tuple[Rail, str]]:
    """Every rail that has a name, and why it cannot be read."""
    rails: Dict[Tuple[Path, int], Rail] = {}
    for layout in LAYOUTS:
        for folder in sorted(Path(root).glob(layout.folders)):
            for channel in layout.channels:
                name = _text(folder / layout.label.format(channel))
                if name not in ("", NOT_CONNECTED):
                    inputs = tuple(folder / each.format(channel) for each in layout.inputs)
                    rails[folder, channel] = Rail(name, inputs, layout.scale)
    return [(rail, _reason(rail)) for rail in rails.values()]


def _reason(rail: Rail) -> str:
    """Why a rail cannot be read now; empty where it can."""
    try:
        rail.read()
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _names(root: Root) -> str:
    return ", ".join(rail.name for rail, _ in _found(root)) or "no rail"


def _places(root: Root) -> str:
    return " and ".join(str(Path(root) / layout.folders) for layout in LAYOUTS)


def _number(path: Path) -> int:
    """Raises: OSError; ValueError where it is none."""
    text = path.read_bytes().decode("ascii", "replace").strip()
    try:
        if len(text) > LONGEST:
            raise ValueError
        return int(text)
    except ValueError:
        raise ValueError(f"{path}: expected a whole number; got {text!r:.40}") from None


def _text(path: Path) -> str:
    """A label, on one line; empty where there is none that can be read."""
    try:
        return " ".join(path.read_bytes().decode("utf-8", "replace").split())
    except OSError:
        return ""


def _device_tree(root: Root, path: str) -> str:
    """A property of the device tree, whose parts end in a zero, joined by spaces."""
    return " ".join(_text(Path(root) / path).replace("\0", " ").split())
