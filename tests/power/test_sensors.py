"""Which sensor tells a device's energy, what it covers, and why one does not serve. Trees and answers of drivers are
constructed from documentation, not recorded on a board, a host or a GPU.
"""

from __future__ import annotations

import errno
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from powercap_trees import AMD, LAPTOP, RANGE, SERVER, counter, tree

from pytest_archbench import computing, nvml
from pytest_archbench.power import finding, rapl
from pytest_archbench.power.finding import find
from pytest_archbench.power.sensors import Channel, Nature, NoSensor, Sensor, SensorLost
from pytest_archbench.power.zeus import PARTS, apple_chip

sys.path.insert(0, str(Path(__file__).parents[1] / "boards"))

from board_trees import BOARDS
from board_trees import tree as board_tree

GAUGE = Sensor("gauge", "board", "gauge", "measured", 0.1, (Channel("rail", lambda: 1.0),))


def saying(value: float, nature: Nature = "gauge") -> Sensor:
    return replace(GAUGE, nature=nature, channels=(Channel("rail", lambda: value),))


def failing(error: Exception) -> Sensor:
    def read() -> float:
        raise error

    return replace(GAUGE, channels=(Channel("the file", read),))


# What a sensor says


@pytest.mark.parametrize("value", [-0.001, math.nan, math.inf, -math.inf, 5001.0])
def test_a_power_that_cannot_be_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="gauge: rail: expected W from 0 to 5000; got"):
        saying(value).read()


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_whatever_a_channel_says_is_a_number_or_an_error(value: float) -> None:
    limits: dict[Nature, float] = {"gauge": 5000, "counter": sys.float_info.max}
    for nature, highest in limits.items():
        if 0 <= value <= highest:
            assert saying(value, nature).read() == (value,)
        else:
            with pytest.raises(ValueError, match="expected"):
                saying(value, nature).read()


def test_a_file_that_vanished_is_lost_for_good() -> None:
    for number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        with pytest.raises(SensorLost, match=rf"gauge: the file is gone \({errno.errorcode[number]}: why\)"):
            failing(OSError(number, "why")).read()
    with pytest.raises(OSError, match="busy"):
        failing(OSError(errno.EIO, "busy")).read()


# RAPL


@pytest.mark.parametrize(
    ("zones", "covers", "values"),
    [
        (SERVER, "processor packages and DRAM", (1.0, 3.0, 2.0, 4.0)),
        (LAPTOP, "processor packages and DRAM", (1.0, 4.0)),  # core, uncore and psys are contained
        (AMD, "processor packages", (1.0,)),
        ({**SERVER, "intel-rapl:1:0": "core"}, "processor packages", (1.0, 3.0)),  # one has no DRAM
    ],
)
def test_packages_are_added_up_with_their_memory(
    tmp_path: Path, zones: dict[str, str], covers: str, values: tuple[float, ...]
) -> None:
    found = find("cpu", tree(tmp_path, zones))
    assert (found.name, found.covers, found.nature) == ("RAPL", covers, "counter")
    assert found.read() == pytest.approx(values, rel=1e-12)
    assert [channel.wraps_at for channel in found.channels] == pytest.approx([RANGE / 1e6] * len(values))
    counter(tmp_path).write_text("7000000\n")
    assert found.read()[0] == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("vendor", "family", "model", "kind"),
    [
        ("GenuineIntel", 6, 63, "measured"),  # Haswell-EP
        ("GenuineIntel", 6, 143, "measured"),  # Sapphire Rapids
        ("GenuineIntel", 6, 45, "estimated"),  # Sandy Bridge-EP
        ("GenuineIntel", 6, 62, "estimated"),  # Ivy Bridge-EP
        ("GenuineIntel", 6, 77, "estimated"),  # Silvermont
        ("AuthenticAMD", 23, 49, "estimated"),  # Zen 2
        ("AuthenticAMD", 25, 97, "estimated"),
        ("HygonGenuine", 24, 1, "estimated"),
    ],
)
def test_a_model_is_no_measurement(tmp_path: Path, vendor: str, family: int, model: int, kind: str) -> None:
    root = tree(tmp_path, AMD, vendor=vendor, family=family, model=model)
    assert find("cpu", root).kind == kind
    assert f"RAPL: {kind} energy of the processor packages; difference of its energy" in find("cpu", root).convention


def test_a_processor_that_does_not_say_is_taken_to_model(tmp_path: Path) -> None:
    root = tree(tmp_path, AMD)
    (root / "proc/cpuinfo").unlink()
    assert rapl.kind(root) == "estimated"


def test_a_convention_has_no_path_in_it(tmp_path: Path) -> None:
    one, other = (tree(tmp_path / name, SERVER) for name in ("one", "other"))
    assert find("cpu", one).convention == find("cpu", other).convention
    assert "/" not in find("cpu", one).convention


def test_only_root_may_read_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The permission itself cannot be taken away from a test that runs as root."""
    root, read = tree(tmp_path, AMD), Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path.name == "energy_uj":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refusing)
    with pytest.raises(
        NoSensor, match=r"intel-rapl:0/energy_uj must not be read: .*root alone .*as root, run chmod a\+r"
    ):
        find("cpu", root)


@pytest.mark.parametrize("text", ["", "much\n", "-5\n", "1.5\n", "\xff\n", "1_0\n", "nan\n"])
@pytest.mark.parametrize("file", ["energy_uj", "max_energy_range_uj"])
def test_garbage_in_a_file_is_named(tmp_path: Path, text: str, file: str) -> None:
    root = tree(tmp_path, AMD)
    counter(root).with_name(file).write_text(text, encoding="latin-1")
    with pytest.raises(NoSensor, match=rf"RAPL: .*intel-rapl:0/{file}: expected a whole number of µJ; got"):
        find("cpu", root)


@given(st.binary(max_size=40) | st.integers(0, 10**500).map(lambda number: str(number).encode()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_is_a_number_or_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "energy_uj"
    file.write_bytes(content)
    try:
        assert rapl._joules(file) == pytest.approx(int(content) / 1e6, rel=1e-12)
    except ValueError:
        assert not content.strip().isdigit() or len(content.strip()) > 20


def test_a_counter_that_begins_anew_too_soon_is_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, AMD)
    counter(root).with_name("max_energy_range_uj").write_text("499000000\n")
    with pytest.raises(NoSensor, match=r"expected 500 J or more, so that it is not passed twice unseen; got 499 J"):
        find("cpu", root)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_an_error_of_the_hardware_is_said(tmp_path: Path) -> None:
    root = tree(tmp_path, AMD)
    counter(root).unlink()
    counter(root).symlink_to("/proc/self/mem")  # nothing is mapped at 0: EIO
    with pytest.raises(NoSensor, match=r"RAPL: \[Errno 5\] Input/output error"):
        find("cpu", root)


def test_every_place_that_was_looked_at_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoSensor) as said:
        find("cpu", tmp_path)
    assert str(said.value) == (
        f"nothing tells the energy of cpu: RAPL: {tmp_path}/sys/class/powercap/intel-rapl:* is not there "
        "(a virtual machine or container hides it, or the kernel has no driver); INA3221: this is no Jetson board"
    )
    root = tree(tmp_path, {"intel-rapl:0": "psys", "intel-rapl:0:0": "package-0"})
    with pytest.raises(NoSensor, match=r"expected a zone called package-0 in .*; got intel-rapl:0 \(psys\), intel-rap"):
        find("cpu", root)


def test_of_a_kind_without_a_sensor_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        NoSensor, match="energy of xpu:1: none is known here; there are some for cpu, cuda, jetson, mps"
    ):
        find("xpu:1", tmp_path)


# Boards


@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if board.total_w is not None])
def test_a_board_tells_the_power_of_the_module(tmp_path: Path, name: str) -> None:
    root = board_tree(tmp_path, name)
    for device in ("cpu", "jetson"):
        found = find(device, root)
        assert (found.covers, found.nature, found.kind) == ("whole module", "gauge", "measured")
        assert sum(found.read()) == pytest.approx(BOARDS[name].total_w)
        assert found.has_processors
    if name == "agx-orin":
        assert found.name == "INA3221, VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0"


def test_a_board_without_a_sensor_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoSensor, match="the Jetson Nano 2GB has no power sensor; measure at its supply"):
        find("cpu", board_tree(tmp_path, "nano-2gb"))


# NVML: the driver is pretended


def gpu(monkeypatch: pytest.MonkeyPatch, energy: Callable[[], float], power: Callable[[], float]) -> None:
    monkeypatch.setattr(computing, "gpu_uuid", lambda device: f"uuid of {device}")
    monkeypatch.setattr(nvml, "gpu", lambda uuid: SimpleNamespace(energy=energy, power=power, uuid=uuid))


def never() -> float:
    raise nvml.NoNvml("total energy: the driver says: Not Supported")


def test_a_gpu_counts_or_tells_its_power(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpu(monkeypatch, lambda: 123.0, lambda: 45.0)
    found = find("cuda:1", tmp_path)
    assert (found.name, found.covers, found.nature, found.read()) == (
        "NVML energy counter", "GPU board", "counter", (123.0,)
    )  # fmt: skip
    assert not found.has_processors
    gpu(monkeypatch, never, lambda: 45.0)
    older = find("cuda:1", tmp_path)
    assert (older.name, older.nature, older.read()) == ("NVML power", "gauge", (45.0,))
    assert older.convention != found.convention
    gpu(monkeypatch, never, never)
    with pytest.raises(
        NoSensor, match=r"NVML energy counter: total energy: the driver says: Not Supported; NVML power:"
    ):
        find("cuda:1", tmp_path)


def test_a_gpu_that_falls_off_the_bus_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = [1.0, 1.0, 1.0]

    def energy() -> float:
        if not answers:
            raise nvml.Lost("GPU x: fell off the bus")
        return answers.pop()

    gpu(monkeypatch, energy, lambda: 45.0)
    found = find("cuda", tmp_path)
    assert found.read() == (1.0,)
    with pytest.raises(SensorLost, match="NVML energy counter: GPU x: fell off the bus"):
        found.read()


def test_a_gpu_that_torch_does_not_have_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_such(device: str) -> str:
        raise RuntimeError("Found no NVIDIA driver on your system. Please check")

    monkeypatch.setattr(computing, "gpu_uuid", no_such)
    with pytest.raises(NoSensor, match="NVML: torch names no GPU cuda: Found no NVIDIA driver on your system; INA3221"):
        find("cuda", tmp_path)


# zeus: the library is pretended, by the names and units that its 0.16 has


def library(monkeypatch: pytest.MonkeyPatch, soc: Any = None, gpus: Any = None) -> None:
    modules = {name: ModuleType(name) for name in ("zeus", "zeus.device", "zeus.device.soc", "zeus.device.gpu")}
    device, apple, amd = modules["zeus.device"], ModuleType("zeus.device.soc.apple"), ModuleType("zeus.device.gpu.amd")
    device.get_soc, device.get_gpus = lambda: soc, lambda: gpus  # type: ignore[attr-defined]
    apple.apple_silicon_is_available = lambda: soc is not None  # type: ignore[attr-defined]
    amd.amdsmi_is_available = lambda: gpus is not None  # type: ignore[attr-defined]
    for name, module in {**modules, apple.__name__: apple, amd.__name__: amd}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(finding, "ONLY", {})


def chip(**told: int | None) -> SimpleNamespace:
    parts = {"cpu_total_mj": None, "gpu_mj": None, "gpu_sram_mj": None, "ane_mj": None, "dram_mj": None, **told}
    return SimpleNamespace(get_total_energy_consumption=lambda: SimpleNamespace(**parts))


def test_an_apple_chip_is_the_sum_of_what_it_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library(monkeypatch, chip(cpu_total_mj=2000, gpu_mj=500, dram_mj=0))
    for device in ("mps", "cpu"):
        found = find(device, tmp_path)
        assert (found.covers, found.kind) == ("Apple chip (cpu_total, gpu, dram)", "estimated")
        assert sum(found.read()) == pytest.approx(2.5)


def test_the_extra_is_asked_where_it_can_know_something_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    conditions = dict(finding.ONLY)
    gpu(monkeypatch, never, never)
    library(monkeypatch)  # it finds neither
    monkeypatch.setattr(finding, "ONLY", conditions)

    def reason(device: str) -> str:
        with pytest.raises(NoSensor) as said:
            find(device, tmp_path)
        return str(said.value)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(torch.version, "hip", None)
    assert "zeus" not in reason("cpu") + reason("cuda") + reason("mps")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert reason("cpu").endswith(
        "zeus: finds no Apple chip; on one it needs zeus-apple-silicon: pip install 'zeus[apple]'"
    )
    assert reason("cuda").endswith("zeus: finds no AMD GPU (it asks the amdsmi library)")
    assert reason("mps").startswith("nothing tells the energy of mps: zeus: finds no Apple chip")


def test_an_empty_answer_is_unknown_and_not_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library(monkeypatch, chip())
    with pytest.raises(NoSensor, match="zeus: the Apple chip tells no energy of any part: it is unknown"):
        find("mps", tmp_path)
    told = [SimpleNamespace(**dict.fromkeys(PARTS, 1000))]
    soc = SimpleNamespace(get_total_energy_consumption=lambda: told[-1])
    library(monkeypatch, soc)
    found = find("mps", tmp_path)
    told.append(SimpleNamespace(**{**vars(told[0]), "gpu_mj": None}))
    with pytest.raises(ValueError, match="zeus, Apple: gpu_mj: expected J from 0 to inf; got nan"):
        found.read()


def test_an_amd_gpu_counts_or_tells_its_power(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Gpus:
        counts = True

        def __len__(self) -> int:
            return 2

        def supports_get_total_energy_consumption(self, index: int) -> bool:
            return self.counts and index in (0, 1)

        def get_total_energy_consumption(self, index: int) -> int:
            return 1000 * (index + 1)

        def get_instant_power_usage(self, index: int) -> int:
            raise RuntimeError(f"GPU {index}: AMDSMI_STATUS_NOT_SUPPORTED")

    gpu(monkeypatch, never, never)
    library(monkeypatch, gpus=Gpus())
    assert find("cuda:1", tmp_path).read() == (2.0,)
    assert find("cuda", tmp_path).read() == (1.0,)
    with pytest.raises(NoSensor, match=r"zeus: knows 2 AMD GPU\(s\); cuda:2 is none of them"):
        find("cuda:2", tmp_path)
    Gpus.counts = False
    with pytest.raises(NoSensor, match="zeus, AMD power: zeus: RuntimeError: GPU 0: AMDSMI_STATUS_NOT_SUPPORTED"):
        find("cuda", tmp_path)


def test_the_library_that_is_installed_has_what_is_asked_of_it(tmp_path: Path) -> None:
    apple = pytest.importorskip("zeus.device.soc.apple", reason="needs pytest-archbench[energy]")
    assert set(PARTS) <= set(apple.AppleSiliconMeasurement.__dataclass_fields__)
    if sys.platform != "darwin":
        with pytest.raises(NoSensor, match="zeus: finds no Apple chip"):
            apple_chip("mps", tmp_path)
