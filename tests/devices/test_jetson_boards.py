"""Jetson boards by their files: what each says, on trees constructed from documentation, not recorded on a board."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import (
    devices,
    meters,  # noqa: F401  (enters the metrics)
)
from pytest_archbench.devices import NoDevice, jetson
from pytest_archbench.levels import unlike
from pytest_archbench.points import fingerprint
from pytest_archbench.records import Conditions, Point
from pytest_archbench.registry import METRICS

sys.path.append(str(Path(__file__).parents[1] / "boards"))

from board_trees import BOARDS, tree

EXPECTED: dict[str, dict[str, Any]] = {
    "tx1": {"module": "Jetson TX1", "l4t": "R32.7.4", "power_mode": "unknown", "gpu_frequency_max_hz": 998_400_000},
    "nano": {"module": "Jetson Nano", "l4t": "R32.7.4", "power_mode": "MAXN", "gpu_frequency_max_hz": 921_600_000},
    "nano-2gb": {"module": "Jetson Nano 2GB", "part": "p3542-0000", "power_mode": "MAXN", "rails": "unknown"},
    "tx2": {"board": "quill", "module": "Jetson TX2", "part": "p2597-0000+p3310-1000", "power_mode": "MAXP_CORE_ARM"},
    "xavier-nx": {"module": "Jetson Xavier NX", "rails": "VDD_CPU_GPU_CV, VDD_IN, VDD_SOC"},
    "agx-xavier": {"board": "Jetson-AGX", "module": "Jetson AGX Xavier", "rails": "CPU, CV, GPU, SOC, SYS5V, VDDRQ"},
    "orin-nano": {"module": "Jetson Orin Nano", "l4t": "R35.4.1", "power_mode": "15W"},
    "orin-nx": {"module": "Jetson Orin NX", "l4t": "R36.3.0", "power_mode": "25W"},
    "agx-orin": {
        "module": "Jetson AGX Orin",
        "power_mode": "MODE_30W",
        "gpu_frequency_min_hz": 306_000_000,
        "gpu_frequency_max_hz": 1_300_500_000,
        "rails": "VDDQ_VDD2_1V8AO, VDD_CPU_CV, VDD_GPU_SOC, VIN_SYS_5V0",
    },
}
FACTS = {
    *("board", "module", "part", "l4t", "jetpack", "power_mode", "clocks"),
    *("gpu_frequency_min_hz", "gpu_frequency_max_hz", "rails"),
}
CLOCKS = "commands/jetson_clocks_show.txt"


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch as it is with one CUDA device. Constructed from documentation, not recorded on a board."""
    properties = SimpleNamespace(name="Orin", major=8, minor=7, total_memory=2**35, multi_processor_count=16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: properties)


def test_every_board_of_the_helper_is_expected() -> None:
    assert EXPECTED.keys() == BOARDS.keys()


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("name", BOARDS)
def test_a_board_says_what_it_is(name: str, tmp_path: Path) -> None:
    device = jetson.jetson("jetson", tree(tmp_path, name))
    assert (device.name, device.kind, device.model) == ("jetson", "cuda", BOARDS[name].model)
    found = device.fingerprint
    assert found.keys() >= FACTS
    assert {fact: found[fact] for fact in EXPECTED[name]} == EXPECTED[name]
    assert (found["capability"], found["clocks"], found["driver"]) == ("8.7", "free", "unknown")


def test_the_boards_that_share_a_name_in_their_release_are_told_apart(tmp_path: Path) -> None:
    one, other = (jetson.board(tree(tmp_path / name, name)) for name in ("tx1", "nano"))
    assert "BOARD: t210ref" in BOARDS["tx1"].release
    assert BOARDS["tx1"].release == BOARDS["nano"].release
    assert (one["module"], other["module"]) == ("Jetson TX1", "Jetson Nano")


def test_a_jetson_board_without_cuda_says_which_board_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        NoDevice, match=r"the board is here \(jetson_tx1\), its GPU is not: .*torch finds no CUDA device"
    ):
        jetson.jetson("jetson", tree(tmp_path, "tx1"))


def test_jetson_elsewhere_names_the_files_looked_at(tmp_path: Path) -> None:
    tree(tmp_path, "nano")
    (tmp_path / "sys/firmware/devicetree/base/compatible").write_bytes(b"raspberrypi,4-model-b\0brcm,bcm2711\0")
    (tmp_path / "sys/firmware/devicetree/base/model").write_bytes(b"Raspberry Pi 4\0")
    with pytest.raises(NoDevice) as error:
        jetson.board(tmp_path)
    assert str(error.value.args[0]) == (
        "device 'jetson': this is no Jetson board: looked for 'nvidia,tegra...' in "
        f"{tmp_path}/proc/device-tree/compatible, it says 'Raspberry Pi 4', and for {tmp_path}/etc/nv_tegra_release, "
        "it is here; archbench device says what is here"
    )


def lock(root: Path) -> None:
    """All clocks held, as jetson_clocks does it: a limit below equals the limit above."""
    for low, high in (("scaling_min_freq", "scaling_max_freq"), ("min_freq", "max_freq")):
        for path in root.glob(f"sys/devices/**/{low}"):
            path.write_text(path.with_name(high).read_text())


def test_clocks_are_locked_where_no_part_may_change_its_own(tmp_path: Path) -> None:
    root = tree(tmp_path, "agx-orin")
    lock(root)
    assert jetson.board(root)["clocks"] == "free"  # what the tool shows comes first
    (root / CLOCKS).unlink()  # as it is for a user who is not the superuser
    assert jetson.board(root)["clocks"] == "locked"
    for path in root.glob("sys/devices/*ga10b/devfreq/*/m*_freq"):
        path.unlink()
    assert jetson.board(root)["clocks"] == "unknown"


def test_the_tool_tells_locked_clocks_and_leaves_out_processors_that_are_off(tmp_path: Path) -> None:
    root = tree(tmp_path, "xavier-nx")
    said = (root / CLOCKS).read_text()
    held = re.sub(r"MinFreq=\d+ MaxFreq=(\d+)", r"MinFreq=\1 MaxFreq=\1", said)
    off = "cpu4: Online=0 Governor=schedutil MinFreq=1190400 MaxFreq=1907200 CurrentFreq=1190400 IdleStates: C1=1 \n"
    (root / CLOCKS).write_text(held + off)
    assert jetson.board(root)["clocks"] == "locked"
    (root / CLOCKS).write_text(held.replace("MinFreq=1479000", "MinFreq=102000", 1))
    assert jetson.board(root)["clocks"] == "free"


def test_a_recording_tells_of_processor_and_board(tmp_path: Path) -> None:
    found = devices.survey(tree(tmp_path, "nano"))
    assert list(found) == ["cpu", "jetson"]
    processor, board = found.values()
    assert not isinstance(processor, NoDevice)
    assert not isinstance(board, NoDevice)
    assert board.model == "NVIDIA Jetson Nano Developer Kit"
    assert processor.fingerprint == {
        "model": "ARMv8 Processor rev 1 (v8l)",
        "machine": "aarch64",
        "cores": 4,
        "logical_cores": 4,
        "threads_per_core": 1,
        "usable_cores": "unknown",
        "memory_bytes": 4_059_712 * 1024,
        "governor": "schedutil",
        "turbo": "unknown",
        "smt": "unknown",
        "frequency_min_hz": 102_000_000,
        "frequency_max_hz": 1_479_000_000,
        "isa": "NEON",
    }


def test_auto_prefers_a_board_to_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def absent(kind: str) -> Any:
        def probe(name: str) -> Any:
            asked.append(kind)
            raise NoDevice(name)

        return probe

    for kind in ("jetson", "cuda", "xpu", "mps"):
        monkeypatch.setitem(devices.PROBES._entries, kind, absent(kind))
    assert devices.find("auto").name == "cpu"
    assert asked == ["jetson", "cuda", "xpu", "mps"]


def point(root: Path) -> Point:
    """A latency as a run on the board under ``root`` stores it."""
    board = jetson.recorded("jetson", root)
    facts = fingerprint({"devices": {"jetson": board.fingerprint}}, "jetson")
    return Point("resnet18", "latency", "s", 0.02, "run", "commit", "", Conditions("jetson"), fingerprint=facts)


def test_a_board_in_another_mode_or_of_another_release_is_not_compared(tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, "agx-orin") for name in ("one", "same", "other")]
    (roots[2] / "commands/nvpmodel_q.txt").write_text("NV Power Mode: MAXN\n0\n")
    (roots[2] / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n")
    one, same, other = map(point, roots)
    assert unlike(one, same, METRICS["latency"]) == ""
    assert unlike(one, other, METRICS["latency"]) == (
        "device.l4t is R35.4.1 here and R36.4.3 there; device.power_mode is MODE_30W here and MAXN there"
    )


GARBAGE = st.binary(max_size=60) | st.sampled_from(
    [
        b"",
        b"\0",
        b"\n",
        b"\xff\xfe",
        b"-1\n",
        b"9" * 400,
        b"nan",
        "١٢".encode(),
        b"# R (release), REVISION: ,",
        b"a" * 999,
    ]
)


@settings(deadline=None, max_examples=40)
@given(garbage=GARBAGE, number=st.integers(0, 60))
def test_garbage_in_any_file_is_unknown_and_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, garbage: bytes, number: int
) -> None:
    """One file of a board after another holds something else; a board that is none any more says so."""
    root = tree(tmp_path_factory.mktemp("board"), "orin-nano")
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    files[number % len(files)].write_bytes(garbage)
    for found in devices.survey(root).values():
        if isinstance(found, NoDevice):
            assert "no Jetson board" in found.args[0]
            continue
        for fact, value in found.fingerprint.items():
            assert isinstance(value, str | int), fact
            assert value not in ("", None), fact
            assert not isinstance(value, str) or (value.isprintable() and len(value) <= 300), fact
            assert not isinstance(value, int) or value >= 0, fact


def test_garbage_in_every_file_is_unknown(tmp_path: Path) -> None:
    root = tree(tmp_path, "orin-nano")
    kept = {"compatible"}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name not in kept:
            path.write_bytes(b"\xff\x00\x01 \xfe")
    found = jetson.board(root)
    known = {"module": "Jetson Orin Nano", "part": "p3768-0000+p3767-0005"}
    assert found == dict.fromkeys(FACTS, "unknown") | known
