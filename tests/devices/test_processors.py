"""The processor by its files: hosts constructed from Linux's documentation, not recorded; and this one."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
import torch

from pytest_archbench.devices import find
from pytest_archbench.devices.cpu import cpu, processor

CPUINFO = "processor\t: 0\nmodel name\t: AMD EPYC 9B45 64-Core\nflags\t\t: fpu vme\n"
CPU = "sys/devices/system/cpu"


def host(root: Path, files: Mapping[str, str]) -> Path:
    for path, said in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(said)
    return root


def clocks(number: int, governor: str, least: int, most: int) -> dict[str, str]:
    """A processor's rule and limits (kHz)."""
    folder = f"{CPU}/cpu{number}/cpufreq"
    said = {"scaling_governor": governor, "scaling_min_freq": least, "scaling_max_freq": most}
    return {f"{folder}/{file}": f"{text}\n" for file, text in said.items()}


def test_it_reads_the_processor_from_a_root(tmp_path: Path) -> None:
    """Two cores of two threads each; a third thread's clock may go higher."""
    files = {
        "proc/cpuinfo": CPUINFO,
        "proc/meminfo": "MemTotal:       16384 kB\nMemFree:        1024 kB\n",
        "commands/uname_m.txt": "x86_64\n",
        f"{CPU}/smt/active": "1\n",
        f"{CPU}/cpufreq/boost": "0\n",
        **{f"{CPU}/cpu{n}/topology/thread_siblings_list": f"{n % 2},{n % 2 + 2}\n" for n in range(4)},
        **clocks(0, "performance", 800_000, 2_600_000),
        **clocks(2, "performance", 400_000, 3_500_000),
    }
    device = cpu("cpu", host(tmp_path, files))
    assert (device.name, device.kind, device.model) == ("cpu", "cpu", "AMD EPYC 9B45 64-Core")
    assert device.fingerprint == {
        "model": "AMD EPYC 9B45 64-Core",
        "machine": "x86_64",
        "cores": 2,
        "logical_cores": 4,
        "threads_per_core": 2,
        "usable_cores": "unknown",
        "memory_bytes": 16 * 2**20,
        "governor": "performance",
        "turbo": "off",
        "smt": "on",
        "frequency_min_hz": 400_000_000,
        "frequency_max_hz": 3_500_000_000,
        "isa": "DEFAULT",
    }


def test_processors_under_different_rules_are_mixed(tmp_path: Path) -> None:
    rules = {**clocks(0, "powersave", 1, 2), **clocks(1, "performance", 1, 2), **clocks(2, "powersave", 1, 2)}
    assert cpu("cpu", host(tmp_path, rules)).fingerprint["governor"] == "mixed: performance, powersave"


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({f"{CPU}/intel_pstate/no_turbo": "0\n"}, "on"),
        ({f"{CPU}/intel_pstate/no_turbo": "1\n"}, "off"),
        ({f"{CPU}/cpufreq/boost": "1\n"}, "on"),
        ({f"{CPU}/cpufreq/boost": "0\n"}, "off"),
        ({f"{CPU}/cpufreq/boost": "2\n"}, "unknown"),
        ({f"{CPU}/cpufreq/boost": ""}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_whether_it_may_exceed_its_base_clock(files: Mapping[str, str], turbo: str, tmp_path: Path) -> None:
    assert cpu("cpu", host(tmp_path, files)).fingerprint["turbo"] == turbo


@pytest.mark.parametrize(
    ("line", "isa"),
    [
        ("flags : fpu avx avx2 fma avx512f avx512dq avx512bw avx512vl", "AVX512"),
        ("flags : fpu avx avx2 fma avx512f", "AVX2"),
        ("flags : fpu avx avx2", "DEFAULT"),
        ("Features : fp asimd evtstrm crc32", "NEON"),
        ("Features : fp asimd sve", "SVE"),
        ("flags :", "unknown"),
        ("vendor_id : AuthenticAMD", "unknown"),
    ],
)
def test_which_vector_instructions_it_has(line: str, isa: str, tmp_path: Path) -> None:
    assert cpu("cpu", host(tmp_path, {"proc/cpuinfo": f"{line}\n"})).fingerprint["isa"] == isa


def test_torch_can_be_told_to_use_narrower_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert find("cpu").fingerprint["isa"] == "AVX2"
    assert cpu("cpu", tmp_path).fingerprint["isa"] == "unknown"  # a recording is of another process


def test_cores_of_different_kinds_have_no_one_number_of_threads(tmp_path: Path) -> None:
    siblings = {0: "0-1", 1: "0-1", 2: "2"}
    files = {f"{CPU}/cpu{n}/topology/thread_siblings_list": f"{them}\n" for n, them in siblings.items()}
    found = cpu("cpu", host(tmp_path, files)).fingerprint
    assert (found["cores"], found["logical_cores"], found["threads_per_core"]) == (2, 3, "unknown")


def test_it_reads_an_arm_board(tmp_path: Path) -> None:
    said = "processor\t: 0\nCPU part\t: 0xd03\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 3 Model B\n"
    assert processor(host(tmp_path, {"proc/cpuinfo": said})) == "Raspberry Pi 3 Model B"


def test_what_a_host_does_not_say_is_unknown(tmp_path: Path) -> None:
    device = cpu("cpu", tmp_path)
    assert device.model == "unknown"
    assert set(device.fingerprint.values()) == {"unknown"}


def test_it_finds_this_host() -> None:
    device = find("cpu")
    found = device.fingerprint
    assert device.kind == "cpu"
    assert found["model"] == device.model
    assert found["machine"] == platform.machine()
    assert found["usable_cores"] >= 1
    if platform.machine() == "x86_64":
        assert found["isa"] == torch.backends.cpu.get_cpu_capability()
    assert found["memory_bytes"] == psutil.virtual_memory().total
    assert found["logical_cores"] == psutil.cpu_count()
    assert found["cores"] == psutil.cpu_count(logical=False)
    assert not [fact for fact, value in found.items() if value is None or value == 0]
