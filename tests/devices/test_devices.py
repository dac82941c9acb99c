"""Devices: found ones say what they are, absent ones say what was looked for."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pytest_archbench import devices, nvml
from pytest_archbench.devices import NoDevice, find
from pytest_archbench.devices.accelerators import DRIVER
from pytest_archbench.devices.jetson import jetson
from pytest_archbench.records import Device
from pytest_archbench.registry import UnknownName


def device_tree(root: Path, model: str, compatible: str) -> Path:
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


def test_it_says_what_board_it_found_instead(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match=r"no Jetson board: looked for 'nvidia,tegra\.\.\.' in .*, it says 'Raspberry"):
        jetson("jetson", device_tree(tmp_path, "Raspberry Pi 5", "raspberrypi,5-model-b\0brcm,bcm2712\0"))


def test_it_says_that_there_is_no_device_tree(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match=r"compatible, it is not here, and for .*, it is not here; archbench device"):
        jetson("jetson", tmp_path)


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
    for name in ("cuda", "cuda:0"):  # two names of one device, which is measured once
        device = find(name)
        assert (device.name, device.kind, device.model) == ("cuda", "cuda", "Orin")
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


@pytest.mark.usefixtures("one_gpu")
def test_the_driver_tells_what_it_can_and_the_rest_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts as an H100's driver gives them. Constructed from documentation, not recorded on a GPU."""
    told = {"driver": "550.54.15", "power_limit_w": 700.0, "ecc": True, "mig": False}
    asked: list[str] = []

    def gpu(uuid: str) -> SimpleNamespace:
        asked.append(uuid)
        return SimpleNamespace(facts=lambda: told)

    monkeypatch.setattr("pytest_archbench.devices.accelerators.gpu_uuid", lambda device: f"uuid of {device}")
    monkeypatch.setattr(nvml, "gpu", gpu)
    found = find("cuda").fingerprint
    assert asked == ["uuid of cuda:0"]
    assert {fact: found[fact] for fact in told} == told
    assert found["persistence_mode"] == found["max_sm_clock_hz"] == "unknown"
    assert "uuid of cuda:0" not in found.values()


def test_the_drivers_facts_are_those_that_are_asked_for() -> None:
    """Without a driver each is unknown; with one, a handle of none gives the same."""
    assert tuple(nvml.Gpu(None, "none").facts()) == DRIVER


@pytest.mark.usefixtures("one_gpu")
def test_a_gpu_that_fell_off_the_bus_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(uuid: str) -> SimpleNamespace:
        raise nvml.Lost(f"GPU {uuid}: the driver says: GPU is lost")

    monkeypatch.setattr("pytest_archbench.devices.accelerators.gpu_uuid", lambda _device: "GPU-1")
    monkeypatch.setattr(nvml, "gpu", lost)
    with pytest.raises(NoDevice, match="device 'cuda:0': GPU GPU-1: the driver says: GPU is lost"):
        find("cuda")


def test_intels_gpus_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch as it is with two Intel GPUs. Constructed from documentation, not recorded on a GPU."""
    properties = SimpleNamespace(name="Intel(R) Arc(TM) A770", total_memory=2**34, driver_version="1.3.29735")
    monkeypatch.setattr(torch.xpu, "is_available", lambda: True)
    monkeypatch.setattr(torch.xpu, "device_count", lambda: 2)
    monkeypatch.setattr(torch.xpu, "get_device_properties", lambda _index: properties)
    assert [find(name).name for name in ("xpu", "xpu:0", "xpu:1")] == ["xpu", "xpu", "xpu:1"]
    assert find("xpu").fingerprint == {
        "model": "Intel(R) Arc(TM) A770",
        "memory_bytes": 2**34,
        "compute_units": "unknown",
        "platform": "unknown",
        "driver": "1.3.29735",
    }
    with pytest.raises(NoDevice, match=r"expected xpu:0 to xpu:1; torch finds 2 Intel GPU\(s\)"):
        find("xpu:2")


def test_apples_gpu_has_a_name_where_torch_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch as it is on an Apple M2. Constructed from documentation, not recorded on a GPU."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M2", raising=False)
    monkeypatch.delattr(torch.backends.mps, "get_core_count", raising=False)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 2**33, raising=False)
    monkeypatch.setattr("platform.mac_ver", lambda: ("14.5", ("", "", ""), "arm64"))
    device = find("mps")
    assert device.model == "Apple M2"
    assert device.fingerprint == {"model": "Apple M2", "cores": "unknown", "memory_bytes": 2**33, "macos": "14.5"}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_it_finds_this_gpu() -> None:
    device = find("cuda:0")
    assert device.name == "cuda"
    assert device.fingerprint["driver"] != "unknown"
    assert json.dumps(device.fingerprint)
    assert device == find("cuda")
