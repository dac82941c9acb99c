"""Kept nights: what was measured comes back to the last digit, and what is damaged is named."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
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
from pytest_archbench.points import fault, key
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
    back = night(TIMED, ON_GPU, started="2026-01-30T03:00:00+00:00", run="night-2")
    with pytest.raises(JournalError, match=r"run night-2 on cpu started 2026-01-30.*before 20260131T.*set the clock"):
        keep(back, tmp_path)
    assert len(list((tmp_path / "nights").glob("*/*"))) == 1
    keep(replace(back, points={key(ON_GPU): replace(ON_GPU, run="night-2")}), tmp_path)  # that device has no later one
    assert len(list((tmp_path / "nights").glob("*/*"))) == 2


@pytest.mark.parametrize("day", ["2999-01-01", "1999-12-31", "0900-01-01"])
def test_a_clock_that_nobody_set_is_named_and_nothing_is_kept(tmp_path: Path, day: str) -> None:
    with pytest.raises(JournalError, match="expected a time from 2000 on and not in the future: set the clock"):
        keep(night(TIMED, started=f"{day}T23:59:59+00:00"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_kept_start_in_the_future_is_left_out_and_stops_no_later_night(tmp_path: Path) -> None:
    keep(night(TIMED), tmp_path)
    later = night(TIMED, started="2999-01-01T00:00:00+00:00", run="night-2")
    nights.write(tmp_path / "nights" / "cpu" / "29990101T000000Z-night-2.json.gz", later.header, later.points.values())
    keep(night(TIMED, started="2026-02-01T03:00:00+00:00", run="night-3"), tmp_path)
    past = history.load(tmp_path)
    assert past.runs == ("night-1", "night-3")
    assert len(past.broken) == 1
    assert "started 2999-01-01T00:00:00+00:00, which is in the future: set the clock" in past.broken[0]


@pytest.mark.parametrize(
    "name", ["zcopy.json.gz", "Copy of 20260131T030000Z-night-1.json.gz", "20260131T040000Z-a.json.gz"]
)
def test_the_latest_kept_night_may_be_damaged_or_none(tmp_path: Path, name: str) -> None:
    """As a power cut or a file synchroniser leaves it; later nights are kept all the same."""
    keep(night(TIMED), tmp_path)
    (tmp_path / "nights" / "cpu" / name).write_bytes(b"")
    third = night(TIMED, started="2026-02-01T03:00:00+00:00", run="night-3")
    third = replace(third, header={**third.header, "night": "third"})
    keep(third, tmp_path)
    past = history.load(tmp_path)
    assert past.runs == ("night-1", "night-3")
    assert len(past.broken) == 1


def test_a_damaged_night_is_replaced_by_the_same_run(tmp_path: Path) -> None:
    (path,) = keep(night(TIMED), tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:50])
    assert keep(night(TIMED), tmp_path) == [path]
    assert path.read_bytes() == content


def test_keeping_that_was_killed_before_the_former_file_went_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(run: str, day: int, *points: Point, name: str = "late") -> Night:
        made = night(*points, run=run, started=f"2026-02-0{day}T03:00:00+00:00")
        return replace(made, header={**made.header, "night": name})

    def killed(path: Path) -> None:
        raise KeyboardInterrupt(path)

    keep(of("part", 1, TIMED), tmp_path)
    both = of("both", 2, LEARNED, replace(TIMED, value=9.0))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            keep(both, tmp_path)
    assert history.load(tmp_path).runs == ("part", "both")
    keep(both, tmp_path)
    past = history.load(tmp_path)
    assert past.runs == ("both",)
    assert [point.value for point in past.series[key(TIMED)]] == [9.0]


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
    "unequal columns": ({"columns": {"value": {"values": [1, 2]}}}, "expected a value for each of 2 rows"),
    "a place beyond the values": (
        {"columns": {"unit": {"values": ["s"], "at": [7]}}},
        "expected places from 0 to below 1; got 7 to 7",
    ),
    "a place before the values": ({"columns": {"unit": {"values": ["s"], "at": [-1]}}}, "got -1 to -1"),
    "a place that is no number": ({"columns": {"unit": {"values": ["s"], "at": [True]}}}, "unit: expected a value for"),
    "more rows than memory": ({"columns": {"unit": {"values": ["s"], "at": 10**30}}}, "unit: expected a value for"),
    "a count that is none": ({"columns": {"unit": {"values": ["s"], "at": True}}}, "unit: expected a value for"),
    "a time that UTC has not": (
        {"columns": {"started": {"values": ["9999-12-31T23:59:59-23:59"], "at": 1}}},
        "started: expected a time such as",
    ),
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


@pytest.mark.parametrize("column", ["architecture", "unit", "started", "conditions", "fingerprint"])
def test_a_column_that_every_night_has_is_missed(tmp_path: Path, column: str) -> None:
    (path,) = keep(night(TIMED), tmp_path)
    entry = json.loads(gzip.decompress(path.read_bytes()))
    del entry["columns"][column]
    path.write_bytes(gzip.compress(json.dumps(entry).encode()))
    with pytest.raises(JournalError, match=f"got another form .KeyError: '{column}'"):
        read(path)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([10**30, 10**400, -1e308, 0.5, "", "x", "cpu\n", [], {}, [[]], [None], {"a": {}}, {"values": []}]),
    st.sampled_from(["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", {"values": [1], "at": 10**11}]),
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_night_of_junk_is_a_night_of_points_or_a_sentence(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Anything in the JSON becomes junk, or goes: what is read still has every field as a journal's point has it."""
    path, _ = keep(night(TIMED, LEARNED, ON_GPU), tmp_path_factory.mktemp("history"))
    entry = json.loads(gzip.decompress(path.read_bytes()))
    for _ in range(data.draw(st.integers(1, 2))):
        spot: Any = entry
        while isinstance(spot, dict | list) and spot:
            at = data.draw(st.sampled_from(list(spot) if isinstance(spot, dict) else list(range(len(spot)))))
            if not isinstance(spot[at], dict | list) or data.draw(st.booleans()):
                if data.draw(st.booleans()):
                    spot[at] = deepcopy(data.draw(JUNK))  # a second change would be in all later examples
                else:
                    del spot[at]
                break
            spot = spot[at]
    path.write_bytes(gzip.compress(json.dumps(entry).encode()))
    try:
        found = read(path)
    except JournalError as error:
        assert str(path) in str(error)  # noqa: PT017  either way is right
        return
    assert not [said for point in found.points.values() if (said := fault(point))]
    assert history.load(path.parents[2]).runs in ((found.run,), (found.run, "night-1"), ("night-1",))


def test_a_file_of_another_name_is_named(tmp_path: Path) -> None:
    (path,) = keep(night(TIMED), tmp_path)
    path.rename(path.with_name("copy.json.gz"))
    assert "expected a name that begins with the time of the run" in history.load(tmp_path).broken[0]
    assert kept(path.parent) == [path.with_name("copy.json.gz")]
    assert nights.FOLDER == "nights"
