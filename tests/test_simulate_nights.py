"""The simulated nights: their instrument, a small history from end to end, and the tables of constructed results."""

from __future__ import annotations

import importlib
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench import store
from pytest_archbench.levels import level
from pytest_archbench.points import point_of
from pytest_archbench.proportions import right
from pytest_archbench.records import Measurement
from pytest_archbench.registry import METRICS

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tools"))
simulate_nights = importlib.import_module("simulate_nights")
report = importlib.import_module("simulate_nights_report")

PLANTED = {change.name: change for change in simulate_nights.PLANTED}
INSTRUMENT = simulate_nights.Instrument(seed=7, noise=0.02)
BEGINS = {name: change.begins for name, change in PLANTED.items()}


def level_of(measurement: Measurement) -> float:
    """In times of the reference workload."""
    point = point_of(measurement, {"run": "tonight"})
    assert point is not None
    return level(point, METRICS["latency"])


def test_a_step_is_there_from_the_sixteenth_night_on_and_a_drift_from_the_first() -> None:
    step, drift = PLANTED["+10 %"], PLANTED["+0.3 % a night"]
    assert [step.factor(night) for night in (1, 15, 16, 30)] == [1, 1, 1.1, 1.1]
    assert [drift.factor(night) for night in (1, 2)] == pytest.approx([1.003, 1.003 * 1.003])
    assert drift.factor(30) == pytest.approx(1.094, abs=0.0005)  # e^(30 · 0.0029955)
    assert {PLANTED[name].factor(30) for name in ("unchanged", "unchanged top-1")} == {1}


def test_a_night_can_be_measured_again_and_a_second_try_differs() -> None:
    change = PLANTED["unchanged"]
    first, same = (INSTRUMENT.measured(3, change, 5) for _ in range(2))
    assert first == same
    others = [INSTRUMENT.measured(3, change, 5, attempt=1), INSTRUMENT.measured(3, change, 6)]
    others += [INSTRUMENT.measured(4, change, 5), simulate_nights.Instrument(8, 0.02).measured(3, change, 5)]
    assert len({each.samples for each in (first, *others)}) == 5


def test_the_level_is_free_of_the_machines_pace_and_scatters_as_a_median_of_five_processes_does() -> None:
    """Of five normal values the median scatters by 0.536 of one: 1.07 % of 2 %; the reference and the quartile add."""
    nights = [INSTRUMENT.measured(0, PLANTED["unchanged"], night) for night in range(400)]
    levels = [level_of(each) for each in nights]
    paces = [statistics.median(trial.reference[4] for trial in each.trials) / 0.001 for each in nights]
    assert statistics.median(levels) == pytest.approx(10, rel=0.01)  # 10 ms by 1 ms
    assert statistics.stdev(levels) / 10 == pytest.approx(0.0110, abs=0.001)
    assert min(paces) == pytest.approx(0.9, abs=0.03)
    assert max(paces) == pytest.approx(1.1, abs=0.03)


def test_a_fall_of_two_points_is_a_thousand_images_and_twenty_are_chance() -> None:
    change = PLANTED["top-1 −2 points"]
    before, other, after = (INSTRUMENT.measured(9, change, night).outcomes for night in (14, 15, 16))
    assert before.count == 50_000
    assert right(before) / 50_000 == pytest.approx(0.77, abs=0.01)  # of 48,000 images 76 %, and 1,500 of 2,000
    assert 0 < abs(right(before) - right(other)) <= 20
    assert right(before) - right(after) == pytest.approx(1000, abs=20)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Seventeen nights of two unchanged times, one that becomes longer by 20 %, an accuracy that falls and a count."""
    folder = tmp_path_factory.mktemp("nights")
    zoo = simulate_nights.Zoo("tiny", (2, 0, 0, 0, 1, 0, 0, 1), counts=1, histories=1, noises=(0.01,))
    return folder, simulate_nights.simulate(zoo, noise=0.01, seed=0, folder=folder, nights=17)


def test_planted_changes_are_reported_and_others_are_not(simulated: tuple[Path, dict[str, Any]]) -> None:
    changes = simulated[1]["changes"]
    assert {name: each["series"] for name, each in changes.items() if each["series"]} == {
        "counts": 1,
        "unchanged": 2,
        "+20 %": 1,
        "top-1 −2 points": 1,
    }
    assert [changes[name]["reported"] for name in ("counts", "unchanged")] == [[], []]
    assert [0, "regressed", [16], 2] in changes["+20 %"]["reported"]
    assert [0, "regressed", [16], 2] in changes["top-1 −2 points"]["reported"]
    assert simulated[1]["scatter"] == pytest.approx(0.0065, abs=0.003)


def test_a_first_alarm_is_in_the_journal_as_unconfirmed(simulated: tuple[Path, dict[str, Any]]) -> None:
    journalled = store.read(simulated[0] / "journals" / "night-16").rows
    outcomes = [(row["architecture"], row["verdicts"][0]["outcome"]) for row in journalled]
    assert outcomes == [
        ("count0000", "passed"),
        ("net0000", "passed"),
        ("net0001", "passed"),
        ("net0002", "inconclusive"),
        ("net0002", "regressed"),
        ("net0003", "regressed"),
    ]


def row(changes: dict[str, tuple[int, list[list[Any]]]], seed: int = 0) -> dict[str, Any]:
    """A history of thirty nights, in which nothing of anything else was reported."""
    known = {name: {"series": 0, "reported": []} for name in ("counts", *PLANTED)}
    told = {name: {"series": series, "reported": reported} for name, (series, reported) in changes.items()}
    about = {"zoo": "20 series", "noise": 0.02, "seed": seed, "nights": 30, "scatter": 0.0107}
    return {**about, "changes": known | told}


def test_what_was_found_is_counted_from_the_first_changed_night() -> None:
    """Four series of two histories: after one night, after three by a step that began again, before the change and so
    by nothing, and on asv's page alone.
    """
    first = row({"+5 %": (2, [[0, "regressed", [16, 18], 3], [1, "step", [18, 25], 9]])})
    second = row({"+5 %": (2, [[0, "step", [12], 2], [1, "page", [22, 30], 2]])})
    told = report.told([first, second], "+5 %")
    assert sorted(told.first(["regressed", "step", "drift"], 16)) == [1, 3]
    assert told.first(["page"], 16) == [7]
    line = next(line for line in report.found([first, second], {"+5 %": 16}) if line.startswith("| +5 %"))
    assert line == "| +5 % | 4 | 25 % | 50 % | 50 % | 50 % | 50 % | 3 | 25 % | 25 % | 0 % | 25 % |"


def test_an_alarm_begins_where_there_was_none_and_with_the_change() -> None:
    assert simulate_nights.began([12, 13, 15, 16, 17, 30], begins=16) == [12, 15, 16, 30]
    assert simulate_nights.began([], begins=16) == []


def test_half_of_the_series_must_be_reported_before_there_is_a_median() -> None:
    some = row({"+3 %": (3, [[0, "regressed", [17], 1]])})
    line = next(line for line in report.found([some], {"+3 %": 16}) if line.startswith("| +3 %"))
    assert line == "| +3 % | 3 | 0 % | 33 % | 33 % | 33 % | 33 % | – | 33 % | 0 % | 0 % | 0 % |"


def test_false_alarms_are_told_by_the_night_and_the_thousand() -> None:
    """500 series over the 25 nights from the sixth on are 12,500: two alarms of one of them are 0.16 of a thousand."""
    rows = [row({"unchanged": (500, [[7, "regressed", [9, 20], 2], [8, "page", [30], 1]])})]
    (line,) = [line for line in report.false_alarms([rows]) if ": unchanged |" in line]
    assert line == "| 20 series, 1.1 % between nights: unchanged | 500 | 0.16 (2) | 0 (0) | 0 (0) | 1 | 1 |"


def test_a_file_is_read_in_one_order(tmp_path: Path) -> None:
    file = tmp_path / "found.jsonl"
    large = {**row({}, seed=1), "zoo": "1,000 series"}
    file.write_text("".join(json.dumps(each) + "\n" for each in (row({}, seed=1), row({}), large)) + '{"torn')
    assert [(each["zoo"], each["seed"]) for each in simulate_nights.read(file)] == [
        ("1,000 series", 1),
        ("20 series", 0),
        ("20 series", 1),
    ]
    assert simulate_nights.read(tmp_path / "none.jsonl") == []


def test_the_documented_tables_are_those_of_the_results() -> None:
    page = (ROOT / "docs" / "found.md").read_text(encoding="utf-8").splitlines()
    lines = [line for line in report.tables(simulate_nights.read(ROOT / "docs" / "found.jsonl"), BEGINS) if line]
    assert len(lines) > 30
    assert [line for line in page if line in lines] == lines


@pytest.mark.slow
def test_the_results_are_those_of_this_version(tmp_path: Path) -> None:
    """Where this fails what is found has changed: simulate anew, and put results and tables into the documentation."""
    zoo = simulate_nights.ZOOS[1]
    known = simulate_nights.read(ROOT / "docs" / "found.jsonl")
    (kept,) = [row for row in known if (row["zoo"], row["noise"], row["seed"]) == (zoo.name, 0.04, 1)]
    again = simulate_nights.simulate(zoo, noise=0.04, seed=1, folder=tmp_path)
    assert json.loads(json.dumps(again["changes"])) == kept["changes"]
