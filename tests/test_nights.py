"""Kept nights: what was measured comes back to the last digit, and what is damaged is named."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import history, nights
from pytest_archbench.files import as_file
from pytest_archbench.nights import Night, keep, kept, read, without_outcomes
from pytest_archbench.points import key
from pytest_archbench.protocols import Outcomes
from pytest_archbench.records import Conditions, Point
from pytest_archbench.store import JournalError

STARTED = "2026-01-31T03:00:00+00:00"
# as a journal is read: JSON knows no tuples
CPU, GPU = (Conditions(**json.loads(json.dumps(asdict(each)))) for each in (Conditions("cpu", 8), Conditions("cuda:0")))
FACTS = {"device.model": "Abacus", "device.caches.l2": 512, "packages.torch": None}
USUAL = Point("net", "latency", "s", 0.1, "night-1", "c0ffee", STARTED, CPU, "wall time", fingerprint=FACTS)
TIMED = replace(USUAL, trials=((0.1, 0.001), (1 / 3, None)), uncertainty=0.1, doubt="disturbed")
ON_GPU = replace(USUAL, conditions=GPU, value=2**53 + 1, unit="B", metric="peak_memory", alarmed=True, fingerprint={})
RIGHT = Outcomes(images="f00", count=3, total=3, correct="oA==", part="", random=False, risk=0.0)
LEARNED = replace(USUAL, metric="top1_accuracy", unit="fraction", value=2 / 3, outcomes=RIGHT)


def night(*points: Point, started: str = STARTED, run: str = "night-1") -> Night:
    facts: dict[str, Any] = {"schema": 1, "run": run, "started": started, "environment": {"python": "3.11"}}
    own = [replace(point, run=run, started=started) for point in points]
    return Night(Path("a.jsonl"), facts, datetime.fromisoformat(started), {key(point): point for point in own})


def test_a_night_comes_back_to_the_last_digit_a_file_for_each_device(tmp_path: Path) -> None:
    whole = night(TIMED, ON_GPU, LEARNED, replace(USUAL, architecture="other"))
    written = keep(whole, tmp_path)
    name = "20260131T030000Z-night-1.json.gz"
    assert written == [tmp_path / "nights" / device / name for device in ("cpu", as_file("cuda:0"))]
    (found,) = history.opened(tmp_path).nights()
    assert found.points == whole.points
    assert found.header == whole.header
    assert found.devices == ["cpu", "cuda:0"]
    assert isinstance(found.points[key(ON_GPU)].value, int)


def test_the_same_night_is_the_same_file_and_a_run_that_went_on_adds_to_it(tmp_path: Path) -> None:
    (first,) = keep(night(TIMED), tmp_path)
    content = first.read_bytes()
    assert keep(night(TIMED), tmp_path) == [first]
    assert first.read_bytes() == content
    (again,) = keep(night(LEARNED, replace(TIMED, value=9.0)), tmp_path)
    assert again == first
    assert {point.value for point in read(first).points.values()} == {9.0, 2 / 3}


def test_another_run_of_the_same_night_takes_the_place_of_the_first_with_the_cases_of_both(tmp_path: Path) -> None:
    def of(run: str, hour: int, *points: Point, name: str = "2026-01-31") -> Night:
        made = night(*points, run=run, started=f"2026-01-31T0{hour}:00:00+00:00")
        return replace(made, header={**made.header, "night": name})

    keep(of("part", 4, TIMED, ON_GPU), tmp_path)
    keep(of("both parts", 3, LEARNED, replace(TIMED, value=9.0)), tmp_path)  # its first part began earlier
    past = history.load(tmp_path)
    assert past.runs == ("both parts", "part")  # of the second device there is the first run alone
    assert [(point.run, point.value) for point in past.series[key(TIMED)]] == [("both parts", 9.0)]
    assert len(past.series) == 3
    keep(of("next", 5, TIMED, name="2026-02-01"), tmp_path)
    assert len(history.load(tmp_path).series[key(TIMED)]) == 2


def test_a_clock_that_went_backwards_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    keep(night(TIMED), tmp_path)
    back = night(TIMED, ON_GPU, started="1970-01-01T00:00:09+00:00", run="night-2")
    with pytest.raises(JournalError, match=r"run night-2 on cpu started 1970-01-01.*before 20260131T.*set the clock"):
        keep(back, tmp_path)
    assert len(list((tmp_path / "nights").glob("*/*"))) == 1
    keep(replace(back, points={key(ON_GPU): replace(ON_GPU, run="night-2")}), tmp_path)  # that device has no later one
    assert len(list((tmp_path / "nights").glob("*/*"))) == 2


def test_a_start_in_the_future_is_named_and_left_out(tmp_path: Path) -> None:
    keep(night(TIMED), tmp_path)
    keep(night(TIMED, started="2999-01-01T00:00:00+00:00", run="night-2"), tmp_path)
    past = history.load(tmp_path)
    assert past.runs == ("night-1",)
    assert len(past.broken) == 1
    assert "started 2999-01-01T00:00:00+00:00, which is in the future: set the clock" in past.broken[0]


def test_only_the_latest_of_each_device_are_read_where_so_many_are_asked_for(tmp_path: Path) -> None:
    for day in range(1, 8):
        stamp = f"2026-01-0{day}T03:00:00+00:00"
        keep(night(*([TIMED, ON_GPU] if day < 3 else [TIMED]), started=stamp, run=f"n{day}"), tmp_path)
    past = history.load(tmp_path, last=2)
    assert past.runs == ("n1", "n2", "n6", "n7")
    assert [point.run for point in past.series[key(TIMED)]] == ["n6", "n7"]
    assert [point.run for point in past.series[key(ON_GPU)]] == ["n1", "n2"]


def test_a_device_by_another_name_goes_on_with_its_series(tmp_path: Path) -> None:
    keep(night(TIMED), tmp_path)
    moved = replace(TIMED, conditions=replace(CPU, device="laptop"))
    keep(night(moved, started="2026-02-01T03:00:00+00:00", run="night-2"), tmp_path)
    assert len(history.load(tmp_path).series) == 2
    (series,) = history.load(tmp_path, renamed={"cpu": "laptop"}).series.values()
    assert [(point.run, point.conditions.device) for point in series] == [("night-1", "laptop"), ("night-2", "laptop")]


def test_outcomes_can_be_taken_from_an_old_night_and_nothing_else_goes(tmp_path: Path) -> None:
    (path,) = keep(night(TIMED, LEARNED), tmp_path)
    assert without_outcomes(path)
    assert read(path).points == night(TIMED, replace(LEARNED, outcomes=None)).points
    assert not without_outcomes(path)


WRONG = {
    "no night": ({"schema": 1}, "got another form (KeyError: 'columns'"),
    "another schema": ({"schema": 2}, "schema: expected 1; got 2"),
    "a list": ([], "got another form"),
    "a value in words": ({"columns": {"value": {"values": ["much"]}}}, "value: expected a finite number; got 'much'"),
    "a batch of none": (
        {"columns": {"conditions": {"values": [{"device": "cpu", "batch_size": 0}], "at": 1}}},
        "batch_size",
    ),
    "unequal columns": ({"columns": {"value": {"values": [1, 2]}}}, "zip"),
    "a place beyond the values": ({"columns": {"unit": {"values": ["s"], "at": [7]}}}, "IndexError"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_a_damaged_night_is_named_and_the_others_are_read(tmp_path: Path, change: Any, said: str) -> None:
    keep(night(TIMED), tmp_path)
    (path,) = keep(night(TIMED, started="2026-02-01T03:00:00+00:00", run="night-2"), tmp_path)
    entry = json.loads(gzip.decompress(path.read_bytes()))
    if isinstance(change, dict) and "columns" in change:
        entry["columns"] |= change["columns"]
    else:
        entry = change
    path.write_bytes(gzip.compress(json.dumps(entry).encode()))
    past = history.load(tmp_path)
    assert past.runs == ("night-1",)
    assert len(past.broken) == 1
    assert str(path) in past.broken[0]
    assert said in past.broken[0]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_bytes_that_were_damaged_are_a_night_or_a_sentence(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (path,) = keep(night(TIMED, LEARNED), tmp_path_factory.mktemp("history"))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = read(path)
    except JournalError as error:
        assert str(path) in str(error)  # noqa: PT017  either way is right
    else:
        assert found.points == night(TIMED, LEARNED).points


def test_a_file_of_another_name_is_named(tmp_path: Path) -> None:
    (path,) = keep(night(TIMED), tmp_path)
    path.rename(path.with_name("copy.json.gz"))
    assert "expected a name that begins with the time of the run" in history.load(tmp_path).broken[0]
    assert kept(path.parent) == [path.with_name("copy.json.gz")]
    assert nights.FOLDER == "nights"
