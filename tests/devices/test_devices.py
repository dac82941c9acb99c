"""Devices: found ones say what they are, absent ones say what was looked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pytest_archbench import devices
from pytest_archbench.devices import NoDevice, find
from pytest_archbench.devices.cpu import cpu, processor
from pytest_archbench.devices.jetson import jetson
from pytest_archbench.records import Device
from pytest_archbench.registry import UnknownName

BOARDS = {
    "jetson-tx1": ("jetson_tx1", "nvidia,p2371-2180\0nvidia,tegra210\0"),
    "jetson-nano": ("NVIDIA Jetson Nano Developer Kit", "nvidia,p3450-0000\0nvidia,tegra210\0"),
    "agx-orin": ("NVIDIA Jetson AGX Orin", "nvidia,p3737-0000+p3701-0000\0nvidia,tegra234\0"),
}
"""Board -> device-tree model and compatible. Constructed from documentation, not recorded on a board."""


def tree(root: Path, model: str, compatible: str) -> Path:
    """A root folder with the device tree of a board, each text closed by a zero byte as the kernel does it."""
    folder = root / "proc/device-tree"
    folder.mkdir(parents=True)
    (folder / "model").write_bytes(model.encode() + b"\0")
    (folder / "compatible").write_bytes(compatible.encode())
    return root


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch as it is with one CUDA device. Constructed from documentation, not recorded on a board."""
    properties = SimpleNamespace(name="Orin", major=8, minor=7, total_memory=2**35, multi_processor_count=16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: properties)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("board", BOARDS)
def test_it_knows_a_jetson_board_by_its_device_tree(board: str, tmp_path: Path) -> None:
    model, compatible = BOARDS[board]
    device = jetson("jetson", tree(tmp_path, model, compatible))
    assert (device.name, device.kind, device.model) == ("jetson", "cuda", model)
    assert device.fingerprint["board"] == model
    assert device.fingerprint["capability"] == "8.7"


def test_it_says_what_board_it_found_instead(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match=r"no Jetson board: looked for 'nvidia,tegra\.\.\.' in .*, it says 'Raspberry"):
        jetson("jetson", tree(tmp_path, "Raspberry Pi 5", "raspberrypi,5-model-b\0brcm,bcm2712\0"))


def test_it_says_that_there_is_no_device_tree(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match=r"compatible, it is not here; try --device=cpu or --device=cuda"):
        jetson("jetson", tmp_path)


@pytest.mark.usefixtures("no_gpu")
def test_a_jetson_board_without_cuda_is_no_device(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match="torch finds no CUDA device"):
        jetson("jetson", tree(tmp_path, *BOARDS["agx-orin"]))


@pytest.mark.usefixtures("no_gpu")
def test_an_absent_gpu_says_what_torch_is_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(NoDevice) as error:
        find("cuda")
    assert error.value.args[0] == (
        f"device 'cuda': torch finds no CUDA device (torch {torch.__version__}, CUDA none: this torch is built "
        "for the CPU only); try --device=cpu"
    )
    with pytest.raises(NoDevice, match=f"torch {torch.__version__} finds no Metal device".replace("+", r"\+")):
        find("mps")


@pytest.mark.usefixtures("one_gpu")
def test_it_finds_a_gpu_and_what_a_time_on_it_depends_on() -> None:
    for name in ("cuda", "cuda:0"):
        device = find(name)
        assert (device.name, device.kind, device.model) == (name, "cuda", "Orin")
        assert device.fingerprint["memory_bytes"] == 2**35
        assert device.fingerprint["multiprocessors"] == 16


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("name", ["cuda:1", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "cuda:00"])
def test_it_refuses_a_gpu_that_is_not_there(name: str) -> None:
    with pytest.raises(NoDevice, match=r"expected cuda:0 to cuda:0; torch finds 1 CUDA device\(s\)"):
        find(name)


@pytest.mark.parametrize("name", ["cpu:0", "mps:1", "jetson:0", "auto:2"])
def test_it_refuses_numbers_where_there_is_one(name: str) -> None:
    kind = name.partition(":")[0]
    with pytest.raises(NoDevice, match=f"device '{name}': there is one {kind}, called '{kind}'"):
        find(name)


def test_an_unknown_kind_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match=r"unknown device 'cdua': did you mean cuda\?"):
        find("cdua")


@pytest.mark.usefixtures("no_gpu")
def test_auto_falls_back_to_the_processor() -> None:
    assert find("auto").name == "cpu"


@pytest.mark.usefixtures("one_gpu")
def test_auto_prefers_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Device:
        raise NoDevice(name)

    monkeypatch.setitem(devices.PROBES._entries, "jetson", absent)
    assert find("auto").name == "cuda"


def host(root: Path, cpuinfo: str, governor: str | None = None) -> Path:
    """A root folder with a processor. Constructed from documentation, not recorded on a host."""
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(cpuinfo)
    if governor is not None:
        folder = root / "sys/devices/system/cpu/cpu0/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
    return root


def test_it_reads_the_processor_from_a_root(tmp_path: Path) -> None:
    root = host(tmp_path, "processor\t: 0\nmodel name\t: AMD EPYC 9B45 64-Core\nflags\t\t: fpu vme\n", "performance")
    device = cpu("cpu", root)
    assert (device.name, device.kind, device.model) == ("cpu", "cpu", "AMD EPYC 9B45 64-Core")
    assert device.fingerprint["governor"] == "performance"
    assert device.fingerprint["memory_bytes"] > 0
    assert device.fingerprint["usable_cores"] >= 1


def test_it_reads_an_arm_board(tmp_path: Path) -> None:
    said = "processor\t: 0\nCPU part\t: 0xd03\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 3 Model B\n"
    assert processor(host(tmp_path, said)) == "Raspberry Pi 3 Model B"


def test_what_the_host_does_not_say_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.processor", str)
    monkeypatch.setattr("psutil.cpu_count", lambda **_: None)
    device = cpu("cpu", tmp_path)
    assert device.model == "unknown"
    assert {device.fingerprint[key] for key in ("governor", "cores", "logical_cores")} == {"unknown"}


def test_it_finds_this_host() -> None:
    device = find("cpu")
    assert device.kind == "cpu"
    assert device.fingerprint["model"] == device.model
