"""An interrupted run goes on with what it has, under the same facts only."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench.records import Architecture, Case, Conditions, Measurement, Number, Trial
from pytest_archbench.resume import Recorded
from pytest_archbench.store import JOURNAL, Journal, JournalError, row

HEADER: dict[str, Any] = {
    "run": "now",
    "environment": {"python": "3.11.7", "packages": {"torch": "2.15.0"}},
    "devices": {"cpu": {"kind": "cpu", "model": "EPYC"}},
}
NET = Architecture("net", "nets", build=dict, input_shape=(3, 8, 8))


def measured(metric: str, *samples: Number, threads: int = 1, batch_size: int = 1) -> Measurement:
    conditions = Conditions("cpu", batch_size, [3, 8, 8], threads=threads)
    return Measurement("net", metric, "s", "ok" if samples else "failed", conditions, samples, message="it raised")


def recorded(folder: Path, *measurements: Measurement, now: dict[str, Any] = HEADER) -> Recorded:
    journal = Journal(folder, HEADER)
    for each in measurements:
        journal.append(row(each, []))
    journal.close()
    return Recorded.of(folder, now)


def case(metric: str = "latency", device: str = "cpu", batch_size: int = 1, threads: int = 1) -> Case:
    return Case(NET, metric, Conditions(device, batch_size, NET.input_shape, threads=threads))


def test_it_gives_back_what_was_measured(tmp_path: Path) -> None:
    found = recorded(tmp_path, measured("latency", 1.0, 2.0), measured("latency", 8.0, batch_size=8))
    assert found.get(case()) == measured("latency", 1.0, 2.0)
    assert found.get(case(batch_size=8)) == measured("latency", 8.0, batch_size=8)


def test_a_timed_measurement_comes_back_with_its_trials(tmp_path: Path) -> None:
    trials = (
        Trial((1.0, 2.0), (0.5,), {"wall": 1.5, "pace": None}, ()),
        Trial((3.0,), (0.6, 0.7), {"wall": 0.1 + 0.2}, ("the heat",)),
    )
    timed = replace(
        measured("latency", 1.0, 2.0, 3.0),
        message="",
        trials=trials,
        left_out=(Trial((9.0,), (1.0,), {}, ("a neighbour",)),),
        imprecise="the median is known to ±7%",
        notes=("disturbed all the same: the heat",),
    )
    found = recorded(tmp_path, timed).get(case())
    assert found == timed
    assert found is not None
    assert found.value == 2.25, "the median of 1.5 and 3"


def test_a_row_of_an_earlier_version_comes_back_without_trials(tmp_path: Path) -> None:
    recorded(tmp_path, measured("latency", 1.0, 2.0))
    path = tmp_path / JOURNAL
    header, line = map(json.loads, path.read_text().splitlines())
    for key in ("trials", "left_out", "imprecise", "percentiles"):
        del line[key]
    path.write_text(json.dumps(header) + "\n" + json.dumps(line) + "\n")
    assert Recorded.of(tmp_path, HEADER).get(case()) == measured("latency", 1.0, 2.0)


def test_a_journal_may_end_at_any_byte(tmp_path: Path) -> None:
    """What was recorded up to there counts; cut within its header it holds nothing, not even other facts."""
    recorded(tmp_path, measured("latency", 1.0, 2.0), measured("params", 7))
    path = tmp_path / JOURNAL
    content = path.read_bytes()
    _, _, second, _ = content.split(b"\n")
    for cut in reversed(range(len(content) + 1)):
        os.truncate(path, cut)
        found = Recorded.of(tmp_path, HEADER)
        assert (found.get(case()) is not None) is (cut >= len(content) - len(second) - 2), cut
        assert (found.get(case("params")) is not None) is (cut >= len(content) - 1), cut


def test_it_knows_nothing_of_other_cases(tmp_path: Path) -> None:
    found = recorded(tmp_path, measured("latency", 1.0))
    assert found.get(case("params")) is None
    assert found.get(case(device="cuda")) is None
    assert found.get(case(batch_size=2)) is None


def test_another_number_of_threads_is_another_case(tmp_path: Path) -> None:
    found = recorded(tmp_path, measured("latency", 1.0, threads=2))
    assert found.get(case(threads=1)) is None
    assert found.get(case(threads=2)) == measured("latency", 1.0, threads=2)


def test_another_input_is_another_case(tmp_path: Path) -> None:
    found = recorded(tmp_path, measured("latency", 1.0))
    assert found.get(replace(case(), conditions=replace(case().conditions, input_shape=(3, 9, 9)))) is None
    # Tensors and what the built network says cannot be compared before it is built: the name stands for them.
    assert found.get(replace(case(), conditions=replace(case().conditions, input_shape=None))) is not None


def test_another_network_of_the_name_is_another_case(tmp_path: Path) -> None:
    found = recorded(tmp_path, measured("latency", 1.0))
    assert found.get(replace(case(), architecture=replace(NET, topology="other"))) is None
    assert found.get(replace(case(), architecture=replace(NET, provider="timm", suites=("timm",)))) is None


@pytest.mark.parametrize(
    ("before", "now", "reused"),
    [
        ({"commit": "abc"}, {"commit": "abc"}, True),
        ({"commit": "unknown"}, {"commit": "unknown"}, True),
        ({"commit": "abc"}, {"commit": "abd"}, False),
        ({"commit": "unknown"}, {"commit": "abc"}, False),
        ({}, {"commit": "abc"}, False),
    ],
)
def test_a_users_own_network_is_the_same_under_the_same_commit_only(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], reused: bool
) -> None:
    mine = replace(NET, provider="user", suites=("user",))
    journal = Journal(tmp_path, HEADER | before)
    for each in (row(measured("latency", 1.0), [], "mine", topology) for topology in ("net", "user:net")):
        journal.append(each)
    journal.close()
    found = Recorded.of(tmp_path, HEADER | now)
    assert (found.get(replace(case(), architecture=mine)) is not None) is reused
    assert found.get(case()) is not None


def test_what_failed_is_measured_again(tmp_path: Path) -> None:
    found = recorded(tmp_path, measured("latency"), measured("params", 7))
    assert found.get(case()) is None
    assert found.get(case("params")) == measured("params", 7)


def test_the_latest_of_two_counts(tmp_path: Path) -> None:
    assert recorded(tmp_path, measured("latency", 1.0), measured("latency", 2.0)).get(case()) == measured(
        "latency", 2.0
    )


def test_without_a_journal_nothing_is_recorded(tmp_path: Path) -> None:
    assert Recorded.of(tmp_path, HEADER).get(case()) is None
    assert Recorded().get(case()) is None


def test_it_tells_whose_journal_it_is(tmp_path: Path) -> None:
    assert Recorded.of(tmp_path, HEADER).run == ""
    assert recorded(tmp_path, now=HEADER | {"run": "later"}).run == "now"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"environment": {"python": "3.12.1", "packages": {"torch": "2.15.0"}}},
            r"environment\.python was '3.11.7' and",
        ),
        (
            {"environment": {"python": "3.11.7", "packages": {"torch": "2.16.0"}}},
            r"environment\.packages\.torch was '2.15.0' and is '2.16.0' now; one journal holds one environment",
        ),
        ({"environment": {"python": "3.11.7"}}, r"environment\.packages was .* and is None now"),
        ({"devices": {}}, r"devices\.cpu was .* and is None now"),
        ({"devices": {"cpu": {"kind": "cpu", "model": "Xeon"}}}, r"devices\.cpu\.model was 'EPYC' and is 'Xeon' now"),
    ],
)
def test_it_refuses_other_facts(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(JournalError, match=rf"{JOURNAL}: {sentence}") as error:
        recorded(tmp_path, now=HEADER | changes)
    assert "start afresh without --archbench-resume, or in another --archbench-out" in str(error.value)


def test_another_run_or_commit_is_no_other_fact(tmp_path: Path) -> None:
    assert recorded(tmp_path, measured("params", 7), now=HEADER | {"run": "later", "commit": "abc"}).get(case("params"))


@pytest.mark.parametrize("damage", ["{}\n", "not json\n", '{"status": "ok"}\n'])
def test_a_damaged_journal_is_refused_with_its_line(tmp_path: Path, damage: str) -> None:
    recorded(tmp_path)
    with (tmp_path / JOURNAL).open("a") as file:
        file.write(damage)
    with pytest.raises(JournalError, match=rf"{JOURNAL}:2: "):
        Recorded.of(tmp_path, HEADER)
