"""Recordings of boards and hosts: the same answers elsewhere, nobody's serial number, and no way out of the folder.

The boards are constructed from documentation, not recorded on a board; the last host is this one.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import machine
from pytest_archbench.cli import main
from pytest_archbench.devices import NoDevice, plain, recording, survey
from pytest_archbench.devices.recording import NotRecorded, record
from pytest_archbench.environment import reading
from pytest_archbench.power import rails

sys.path.append(str(Path(__file__).parents[1] / "boards"))

from board_trees import BOARDS, tree


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return tree(tmp_path / "board", "nano")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "recorded"


def told(root: Path) -> dict[str, Any]:
    return {kind: plain(found) for kind, found in survey(root).items()}


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "recorded.json").read_text())
    return found


@pytest.mark.parametrize("name", BOARDS)
def test_every_probe_says_the_same_of_a_recording(name: str, tmp_path: Path, into: Path) -> None:
    root = tree(tmp_path / "board", name)
    record(into, root)
    assert told(into) == told(root)
    assert machine.temperature(into) == machine.temperature(root)
    assert [(rail.name, rail.read()) for rail in rails.every(into)] == [
        (rail.name, rail.read()) for rail in rails.every(root)
    ]
    wanted = BOARDS[name].total_w
    if wanted is not None:
        assert sum(rail.read() for rail in rails.total(into)) == pytest.approx(wanted)


def test_it_holds_plain_files_as_they_were_and_no_serial_number(board: Path, into: Path) -> None:
    found = record(into, board)
    files = [path for path in into.rglob("*") if path.is_file()]
    assert not [path for path in into.rglob("*") if path.is_symlink()]
    assert len(files) == found.files + 1  # and the summary
    assert (into / "etc/nv_tegra_release").read_bytes() == (board / "etc/nv_tegra_release").read_bytes()
    assert (into / "proc/device-tree/model").read_bytes() == b"NVIDIA Jetson Nano Developer Kit\0"
    assert b"1234567890123" in (board / "proc/device-tree/serial-number").read_bytes()
    assert b"1234567890123" in (board / "proc/cpuinfo").read_bytes()
    assert not [path for path in files if b"1234567890123" in path.read_bytes()]
    said = summary(into)
    assert said["devices"]["jetson"]["model"] == "NVIDIA Jetson Nano Developer Kit"
    assert said["unread"].keys() == {"dpkg-query --show --showformat=${Version} nvidia-jetpack"}
    assert "sys/class/powercap/intel-rapl:*/energy_uj" in said["absent"]
    assert (said["cut"], said["files"]) == ([], found.files)


def test_links_that_lead_nowhere_or_out_are_left_out_and_named(board: Path, into: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("1\n")
    cpus = board / "sys/devices/system/cpu"
    (cpus / "smt").mkdir()
    (cpus / "smt/active").symlink_to(outside)
    (cpus / "cpu9").symlink_to(cpus)  # a circle, which is walked once
    (board / "sys/class/thermal/thermal_zone9").mkdir()
    (board / "sys/class/thermal/thermal_zone9/temp").symlink_to("temp")
    found = record(into, board)
    assert found.unread["sys/devices/system/cpu/smt/active"] == "a link leads out of the folder that is recorded"
    assert not (into / "sys/devices/system/cpu/smt").exists()
    assert "sys/class/thermal/thermal_zone9/temp" not in {str(path.relative_to(into)) for path in into.rglob("*")}
    assert told(into)["jetson"] == told(board)["jetson"]


def test_what_cannot_be_read_is_named_with_the_reason(board: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a pipe where files should be, which could keep a reader waiting for ever; and an input error."""
    governor = board / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    governor.unlink()
    governor.mkdir()
    pipe = board / "proc/meminfo"
    pipe.unlink()
    os.mkfifo(pipe)
    opened = Path.open

    def failing(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "in_power0_input" and path.is_relative_to(board):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", failing)
    found = record(into, board)
    assert found.unread["sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"] == "it is no regular file"
    assert found.unread["proc/meminfo"] == "it is no regular file"
    assert found.unread["sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"] == "Input/output error"


def test_a_large_file_is_cut_at_the_end_of_a_line(board: Path, into: Path) -> None:
    one = "processor\t: 0\nmodel name\t: Large\n\n"
    (board / "proc/cpuinfo").write_text(one * 5000)
    found = record(into, board)
    said = (into / "proc/cpuinfo").read_text()
    assert found.cut == ("proc/cpuinfo",)
    assert len(said) <= recording.LARGEST < len(said) + len(one)
    assert said.endswith("\n")
    (board / "proc/cpuinfo").write_text("x" * 100_000)  # one line
    record(into.with_name("other"), board)
    assert (into.with_name("other") / "proc/cpuinfo").stat().st_size == recording.LARGEST


def test_there_is_an_end_to_how_many_files_are_kept(board: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST", 3)
    found = record(into, board)
    assert found.files == 3 + 3  # and what the commands said
    assert "3 files are kept, no more" in found.unread.values()


def test_it_needs_a_new_or_an_empty_folder(board: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine\n")
    with pytest.raises(NotRecorded, match="expected a new or an empty folder; got one that holds files"):
        record(tmp_path, board)
    with pytest.raises(NotRecorded, match="file: cannot record there: File exists"):
        record(tmp_path / "file", board)
    with pytest.raises(NotRecorded, match="nowhere: expected a folder that holds proc and sys; got none"):
        record(tmp_path / "new", tmp_path / "nowhere")
    assert (tmp_path / "file").read_text() == "mine\n"
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    assert record(tmp_path / "empty", board).files > 0


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the files are Linux's")
def test_this_host_is_recorded(into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For real, but for NVIDIA's tools, which are scripts here: one answers, one refuses, one is stuck."""
    tools = tmp_path / "tools"
    program(tools, "nvpmodel", 'test "$1" = -q && echo "NV Power Mode: MAXN"; cat')  # cat would wait for a terminal
    program(tools, "jetson_clocks", 'echo "Error: Run this script as a root user" >&2; exit 1')
    program(tools, "dpkg-query", "exec sleep 60")
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    monkeypatch.setattr(reading, "PATIENCE", 0.2)
    found = record(into)
    assert (into / "commands/nvpmodel_q.txt").read_text() == "NV Power Mode: MAXN\n"
    assert found.unread["jetson_clocks --show"] == "exit status 1: Error: Run this script as a root user"
    assert found.unread["dpkg-query --show --showformat=${Version} nvidia-jetpack"] == "it took longer than 0.2 s"
    here, there = survey()["cpu"], survey(into)["cpu"]
    assert not isinstance(here, NoDevice)
    assert not isinstance(there, NoDevice)
    assert there.fingerprint == here.fingerprint | {"usable_cores": "unknown"}  # which a process alone can tell
    assert summary(into)["devices"]["cpu"]["fingerprint"] == here.fingerprint


GARBAGE = st.binary(max_size=60) | st.sampled_from([b"", b"\0", b"\xff\xfe", b"-1\n", b"9" * 400, b"Serial : 1"])


@settings(deadline=None, max_examples=25)
@given(garbage=GARBAGE, number=st.integers(0, 60))
def test_garbage_is_recorded_as_it_is(tmp_path_factory: pytest.TempPathFactory, garbage: bytes, number: int) -> None:
    folder = tmp_path_factory.mktemp("board")
    root = tree(folder / "board", "agx-xavier")
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    files[number % len(files)].write_bytes(garbage)
    record(folder / "recorded", root)

    def without_paths(found: dict[str, Any]) -> dict[str, Any]:
        return {kind: device for kind, device in found.items() if "absent" not in device}

    assert without_paths(told(folder / "recorded")) == without_paths(told(root))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["device", *map(str, arguments)])


def test_the_command_records_and_shows_a_board(board: Path, into: Path) -> None:
    ran = run("record", into, "--root", board)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[0].startswith("not recorded: dpkg-query --show")
    assert ran.stdout.splitlines()[-1].endswith(f" files; archbench device --root {into} reads them")
    shown = run("--root", into).stdout
    lines = shown.splitlines()
    assert lines[0] == "cpu      ARMv8 Processor rev 1 (v8l)"
    assert "           memory            3.872 GiB" in lines
    assert "           unknown: usable_cores, turbo, smt" in lines
    assert "jetson   NVIDIA Jetson Nano Developer Kit" in lines
    assert "           gpu_frequency_max  921.6 MHz" in lines
    found = json.loads(run("--json", "--root", into).stdout)
    assert found == {"host": {}, "devices": told(into)}


def test_the_command_refuses_in_one_sentence(board: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine\n")
    ran = run("record", tmp_path, "--root", board)
    assert ran.exit_code == 2
    assert ran.stderr.splitlines()[-1] == (
        f"Error: {tmp_path}: expected a new or an empty folder; got one that holds files: name another"
    )
    ran = run("--json", "record", tmp_path / "new")
    assert ran.exit_code == 2
    assert "--json and --root here are of archbench device alone: write options behind record" in ran.stderr
    assert not (tmp_path / "new").exists()


def test_the_command_shows_this_host() -> None:
    ran = run()
    assert ran.exit_code == 0
    kinds = [line.split()[0] for line in ran.stdout.splitlines() if not line.startswith(" ")]
    assert kinds == [*survey(), "host"]
    assert any(line.split()[:1] == ["virtualisation"] for line in ran.stdout.splitlines())
    found = json.loads(run("--json").stdout)
    assert found["host"].keys() == {"container", "virtualisation", "torch"}
    assert found["devices"]["cpu"]["fingerprint"]["logical_cores"] >= 1
    assert found["devices"]["auto"]["name"] in found["devices"]
