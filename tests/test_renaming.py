"""A device by another name: its nights and promoted values go on under it, and two devices do not become one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench import history, nights, own
from pytest_archbench.nights import Night
from pytest_archbench.points import key
from pytest_archbench.records import Conditions, Point
from pytest_archbench.renaming import devices, rename, rename_promoted
from pytest_archbench.store import JournalError

CPU = {"kind": "cpu", "model": "EPYC"}


def point(day: int, metric: str, device: str) -> Point:
    started = f"2026-01-{day:02}T03:00:00+00:00"
    return Point("net", metric, "s", day / 10, f"night-{day}", "c0ffee", started, Conditions(device))


def keep(folder: Path, days: Iterable[int], device: str, *metrics: str, beside: str = "") -> None:
    """Nights of a device, and of another one in the same runs."""
    for day in days:
        points = [point(day, metric, each) for each in filter(None, (device, beside)) for metric in metrics]
        facts: dict[str, Any] = {"schema": 1, "run": f"night-{day}", "started": points[0].started, "devices": {}}
        facts["devices"] = {device: CPU} | ({beside: {"kind": "cuda"}} if beside else {})
        made = Night(
            Path("run"), facts, datetime.fromisoformat(points[0].started), {key(each): each for each in points}
        )
        nights.keep(made, folder)


def values(folder: Path, device: str, metric: str = "latency") -> list[float]:
    return [each.value for each in history.load(folder).series.get(("net", metric, device, 1, ""), ())]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nights_go_on_under_the_new_name(tmp_path: Path) -> None:
    keep(tmp_path, (1, 2), "cpu", "latency", beside="gpu")
    keep(tmp_path, (3,), "laptop", "latency")
    assert rename(tmp_path, "cpu", "laptop") == 2
    assert values(tmp_path, "laptop") == [0.1, 0.2, 0.3]
    assert sorted(devices(tmp_path)) == ["gpu", "laptop"]
    read = list(history.opened(tmp_path).nights())
    assert [night.header["devices"].get("laptop") for night in read] == [CPU] * 3
    assert values(tmp_path, "gpu") == [0.1, 0.2]
    other = nights.read(nights.kept(tmp_path / "nights/gpu")[0])
    assert other.header["devices"] == {"laptop": CPU, "gpu": {"kind": "cuda"}}


def test_a_name_that_measured_meanwhile_is_another_device_and_nothing_is_written(tmp_path: Path) -> None:
    keep(tmp_path, (1, 4), "cpu", "latency", "macs")
    keep(tmp_path, (2,), "laptop", "macs", "energy")
    before = files(tmp_path)
    said = (
        r"laptop: .* net macs was not measured while it was under cpu, 2026-01-01 to 2026-01-04; got nights of 2026-01"
    )
    with pytest.raises(JournalError, match=said):
        rename(tmp_path, "cpu", "laptop")
    assert files(tmp_path) == before


def test_cases_that_only_one_name_has_are_no_conflict(tmp_path: Path) -> None:
    keep(tmp_path, (1, 2, 4), "cpu", "latency")
    keep(tmp_path, (2, 3), "laptop", "energy")
    rename(tmp_path, "cpu", "laptop")
    assert values(tmp_path, "laptop") == [0.1, 0.2, 0.4]
    assert values(tmp_path, "laptop", "energy") == [0.2, 0.3]


@pytest.mark.parametrize("after", range(9), ids="step {}".format)
def test_one_that_was_killed_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Three nights are two files each to write, and one to take away."""
    keep(tmp_path / "whole", (1, 2, 3), "cpu", "latency", beside="gpu")
    keep(tmp_path / "killed", (1, 2, 3), "cpu", "latency", beside="gpu")
    rename(tmp_path / "whole", "cpu", "laptop")
    left = [after]

    def dying(does: Any) -> Any:
        def done(*arguments: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            does(*arguments)

        return done

    with monkeypatch.context() as patch:
        patch.setattr(nights, "write", dying(nights.write))
        patch.setattr(Path, "unlink", dying(Path.unlink))
        with pytest.raises(KeyboardInterrupt):
            rename(tmp_path / "killed", "cpu", "laptop")
    rename(tmp_path / "killed", "cpu", "laptop")
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert values(tmp_path / "killed", "laptop") == [0.1, 0.2, 0.3]


def test_promoted_values_go_along_but_for_cases_that_the_new_name_has(tmp_path: Path) -> None:
    newer = replace(point(3, "latency", "laptop"), value=7.0)
    own.promote([point(1, "latency", "cpu"), point(1, "energy", "cpu"), newer, point(1, "energy", "gpu")], tmp_path)
    assert rename_promoted(tmp_path, "cpu", "laptop") == 1
    found = {(device, metric): each.value for (_, metric, device, *_), each in own.read(tmp_path).items()}
    assert found == {("laptop", "latency"): 7.0, ("laptop", "energy"): 0.1, ("gpu", "energy"): 0.1}
    assert rename_promoted(tmp_path, "cpu", "laptop") == 0
