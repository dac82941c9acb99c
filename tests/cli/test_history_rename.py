"""``archbench history rename`` as it is called: what it prints, what it refuses, and that judging goes on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_archbench import history, nights, own
from pytest_archbench.cli import main
from pytest_archbench.nights import Night
from pytest_archbench.points import key
from pytest_archbench.records import Conditions, Point


def points(days: range, device: str) -> list[Point]:
    return [
        Point("net", "macs", "MAC", 5, f"night-{day}", "c0ffee", f"2026-01-{day:02}T03:00:00+00:00", Conditions(device))
        for day in days
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three nights of ``cpu``, the first of which is promoted."""
    for each in points(range(1, 4), "cpu"):
        header = {"schema": 1, "run": each.run, "started": each.started, "devices": {"cpu": {"kind": "cpu"}}}
        nights.keep(Night(Path("x"), header, datetime.fromisoformat(each.started), {key(each): each}), tmp_path / "h")
    own.promote(points(range(1, 2), "cpu"), tmp_path / own.FOLDER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rename(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["history", "rename", "h", *arguments])


def test_it_says_how_many_and_what_is_left_to_do(folder: Path) -> None:
    done = rename("cpu", "laptop")
    assert (done.exit_code, done.stdout) == (0, "h: 3 nights of cpu under laptop now\n")
    assert done.stderr == (
        "baselines/devices: 1 promoted value of cpu still: rename them with --baselines=baselines/devices, "
        "or promote a run on laptop\n"
    )
    assert [case[2] for case in history.load(folder / "h").series] == ["laptop"]
    again = rename("cpu", "laptop", "--baselines=baselines/devices")
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.splitlines()[1] == "baselines/devices: 1 promoted value of cpu under laptop now"
    assert [case[2] for case in own.read(folder / own.FOLDER)] == ["laptop"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cqu", "laptop"], "OLD: h has no kept nights of a device 'cqu': did you mean cpu? known: cpu; journals are"),
        (["cpu", "cpu"], "NEW: expected another name for cpu on one line; got 'cpu'"),
        (["cpu", "a\nb"], r"NEW: expected another name for cpu on one line; got 'a\nb'"),
    ],
)
def test_a_mistake_is_a_sentence(folder: Path, arguments: list[str], said: str) -> None:
    done = rename(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert [case[2] for case in history.load(folder / "h").series] == ["cpu"]
