"""What is odd about a history: each remark is one sentence with dates, and a regular history has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench.chronicle import Case, Entry, Seen, entry, remarks
from pytest_archbench.nights import Night
from pytest_archbench.points import key
from pytest_archbench.records import Conditions, Point

START = datetime(2026, 1, 1, 3, tzinfo=timezone.utc)
EPYC = {"device.model": "EPYC"}
LATENCY: Case = ("alexnet", "latency", 1, "")
MACS: Case = ("alexnet", "macs", 1, "")


def seen(*cases: Case, facts: Mapping[str, str] = EPYC) -> Seen:
    return Seen(facts, frozenset(cases or (LATENCY,)))


def night(day: float, run: str = "", **devices: Seen) -> Entry:
    """The night of a day of January."""
    return Entry(run or f"night-{day:g}", START + timedelta(days=day - 1), devices or {"cpu": seen()})


def nights(days: Iterable[float], **devices: Seen) -> list[Entry]:
    return [night(day, "", **devices) for day in days]


def test_a_regular_history_needs_no_remark() -> None:
    assert remarks(nights(range(1, 30))) == []
    assert remarks(nights(range(1, 30, 7))) == []
    assert remarks([]) == []


def test_nights_that_are_missing_are_told_with_their_dates() -> None:
    assert remarks(nights([1, 2, 3, 6, 7, 9])) == [
        "cpu: 3 nights missing between 2026-01-03 and 2026-01-06, between 2026-01-07 and 2026-01-09 "
        "(usual interval: 1 d)"
    ]


def test_a_week_is_missing_where_weeks_are_usual() -> None:
    assert remarks(nights([1, 8, 15, 29])) == [
        "cpu: 1 night missing between 2026-01-15 and 2026-01-29 (usual interval: 7 d)"
    ]
    assert remarks(nights([1, 8, 15, 23])) == []


def test_three_nights_have_no_usual_interval() -> None:
    assert remarks(nights([1, 2, 9])) == []


def test_a_night_of_one_device_is_not_one_of_another() -> None:
    both = {"cpu": seen(), "cuda": seen(facts={"device.model": "H200"})}
    history = [*nights([1, 2, 3], **both), night(4, cpu=seen()), *nights([5, 6], **both)]
    assert remarks(history) == ["cuda: 1 night missing between 2026-01-03 and 2026-01-05 (usual interval: 1 d)"]


def test_many_gaps_are_counted() -> None:
    days = [*range(1, 12), 13, 15, 17, 19, 21]
    assert remarks(nights(days)) == [
        "cpu: 5 nights missing between 2026-01-11 and 2026-01-13, between 2026-01-13 and 2026-01-15, "
        "between 2026-01-15 and 2026-01-17 and 2 more (usual interval: 1 d)"
    ]


def test_a_renamed_device_is_named_with_what_to_do() -> None:
    history = nights([1, 2], old=seen(LATENCY, MACS)) + nights([3, 4], new=seen(LATENCY))
    assert remarks(history) == [
        "old: its series end on 2026-01-02, and those of new, the same device by its facts, begin on 2026-01-03 "
        "(1 shared): if it was renamed, give --renamed 'old=new'"
    ]
    kept = [replace(each, folder=Path("my history")) for each in history]
    assert remarks(kept)[0].endswith("if it was renamed, run archbench history rename 'my history' old new")


def test_another_device_is_not_a_renamed_one() -> None:
    before = nights([1, 2], old=seen())
    assert remarks(before + nights([3, 4], new=seen(facts={"device.model": "Ryzen"}))) == []
    assert remarks(before + nights([3, 4], new=seen(MACS))) == []
    assert remarks([*before, *nights([3, 4], old=seen(), new=seen())]) == []
    unknown = seen(facts={})
    assert remarks(nights([1, 2], old=unknown) + nights([3, 4], new=unknown)) == []


def test_metrics_that_come_and_go_are_told() -> None:
    history = nights([1, 2], cpu=seen(MACS)) + nights([3, 4], cpu=seen(LATENCY))
    assert remarks(history) == [
        "cpu: latency is measured since 2026-01-03 (run night-3), not before",
        "cpu: macs was measured last on 2026-01-02 (run night-2), not since",
    ]


def test_a_metric_that_is_left_out_for_a_night_is_no_change() -> None:
    assert remarks([*nights([1], cpu=seen(LATENCY, MACS)), night(2), *nights([3], cpu=seen(LATENCY, MACS))]) == []


def test_two_runs_of_a_date_are_told_where_they_measured_the_same() -> None:
    assert remarks([night(1, "first"), night(1.5, "second"), night(2)]) == [
        "cpu: more than one run of the same cases on 2026-01-01 (first, second): each counts"
    ]
    other = night(1.5, "second", cpu=seen(("resnet18", "latency", 1, "")))
    assert remarks([night(1, "first"), other]) == []


def test_many_runs_of_a_date_are_counted() -> None:
    (said,) = remarks([night(1 + number / 100, f"run-{number}") for number in range(13)])
    assert "on 2026-01-01 (run-0, run-1 and 11 more): each counts" in said


def test_nights_of_a_date_that_have_names_of_their_own_are_no_doubles() -> None:
    named = [replace(night(1 + number / 100), name=name) for number, name in enumerate(("a", "b", "b"))]
    assert remarks(named[:2]) == []
    assert len(remarks(named)) == 1


def test_an_entry_has_what_a_night_measured_where() -> None:
    under = Conditions("cpu", 8, runtime="compile")
    header = {"night": "of January", "run": "night-1", "commit": "a" * 40, "started": START.isoformat()}
    facts = {"device.model": "EPYC", "packages.torch": "2.15.0"}
    points = [
        Point("alexnet", "params", "count", 1, "night-1", "a" * 40, START.isoformat(), Conditions("cpu")),
        Point("alexnet", "latency", "s", 1.0, "night-1", "a" * 40, START.isoformat(), under, fingerprint=facts),
    ]
    night = Night(Path("x.jsonl"), header, START, {key(each): each for each in points})
    cases = frozenset({("alexnet", "params", 1, ""), ("alexnet", "latency", 8, "compile")})
    expected = Entry("night-1", START, {"cpu": Seen(EPYC, cases)}, "of January")
    assert entry(night, {}) == expected
    kept = replace(night, path=Path("history/nights/cpu/20260101T030000Z-night-1.json.gz"))
    assert entry(kept, {}) == replace(expected, folder=Path("history"))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 400),
            st.dictionaries(
                st.sampled_from(["a", "b"]),
                st.builds(
                    Seen,
                    st.just(EPYC),
                    st.frozensets(st.sampled_from([LATENCY, MACS]), min_size=1),
                ),
                min_size=1,
            ),
        ),
        max_size=12,
    )
)
def test_any_history_is_told_in_sentences(told: list[tuple[float, dict[str, Seen]]]) -> None:
    history = [
        night(day, f"run-{number}", **devices) for number, (day, devices) in enumerate(sorted(told, key=lambda t: t[0]))
    ]
    for line in remarks(history):
        assert line.startswith(("a: ", "b: "))
        assert "\n" not in line
