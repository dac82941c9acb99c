"""The noise race: what it makes of constructed results, and one real turn of it."""

from __future__ import annotations

import importlib
import json
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pytest_benchmark.utils import parse_compare_fail
from torch import nn

from pytest_archbench.records import Conditions, Measurement, Point, Trial
from pytest_archbench.registry import METRICS
from pytest_archbench.store import row as journalled

TOOLS = Path(__file__).parent.parent / "tools"
sys.path.append(str(TOOLS))
findings = importlib.import_module("race_noise_findings")
networks = importlib.import_module("race_noise_networks")
race_noise = importlib.import_module("race_noise")
report = importlib.import_module("race_noise_report")

LATENCY = METRICS["latency"]
ASKED = {"network": "resnet18", "seconds": 2.0, "nightly_seconds": 10.0, "tolerance": 0.02}
WHERE = {"environment": {"packages": {"torch": "2.15.0"}}, "model": "a processor", "processors": 2}


def alarms(judged: Any) -> list[bool]:
    return [each.alarm for each in judged]


def judged(change: float, beyond: float = -1.0, outcome: str = "passed") -> Any:
    return findings.Judged(change, beyond, outcome)


def verdicts(unchanged: list[Any], slowed: list[Any]) -> Any:
    return findings.Verdicts(tuple(unchanged), tuple(slowed), tuple(unchanged))


def point(level: float) -> Point:
    """A nightly run of five processes, the machine at another pace in each."""
    trials = tuple((level * pace, pace) for pace in (1.0, 2.0, 1.0, 0.5, 1.0))
    return Point("resnet18", "latency", "s", level, "a run", "unknown", "", Conditions("cpu"), trials=trials)


def test_two_single_numbers_are_an_alarm_where_the_second_is_more_than_5_percent_longer() -> None:
    found = findings.single_numbers([1.0, 1.0, 1.1], [1.04, 1.06, 1.0])
    assert alarms(found.unchanged) == [False, True, False, True, False, False]  # 1 to 1.1, twice, of six
    assert alarms(found.slowed) == [True, False, False, False, False, False]  # 1 to 1.06; 1.1 to 1.06 is less
    assert alarms(found.apart) == [False]
    assert found.unchanged[1].change == pytest.approx(math.log(1.1))
    assert found.unchanged[1].beyond == pytest.approx(math.log(1.1) - math.log(1.05))


def test_medians_of_several_runs_are_compared_where_they_share_none() -> None:
    found = findings.single_numbers([1.0, 1.0, 1.0, 9.0, 2.0, 2.0], [3.0] * 6, size=3)
    # the medians of three: 1, 1, 2, 2; only the first and the last have no run in common
    assert [round(math.exp(each.change), 9) for each in found.unchanged] == [2, 0.5]
    assert [round(math.exp(each.change), 9) for each in found.slowed] == [3, 1.5]
    assert alarms(found.apart) == [True]


@pytest.mark.parametrize("longer", [0.5, 0.99, 1.0, 1.049, 1.051, 2.0])
def test_the_rule_of_single_numbers_is_that_of_compare_fail(longer: float) -> None:
    theirs = parse_compare_fail("median:5%")  # type: ignore[no-untyped-call]
    failed = bool(theirs.fails({"median": 0.03 * longer}, {"median": 0.03}))
    found = findings.single_numbers([0.03, 0.03], [0.03 * longer] * 2)
    assert alarms(found.slowed) == [failed] * 2


def test_pairs_are_judged_run_by_run() -> None:
    slow = [math.log(1.03)] * 5
    found = findings.side_by_side([[0.0] * 5, [-0.5, *slow[1:]]], [slow, [math.log(1.015)] * 5], 0.02, LATENCY)
    assert [each.outcome for each in found.unchanged] == ["passed", "inconclusive"]
    assert [each.outcome for each in found.slowed] == ["regressed", "passed"]
    assert found.slowed[0].beyond == pytest.approx(math.log(1.03 / 1.02))
    assert found.apart == found.unchanged


@given(some.lists(some.floats(-0.2, 0.2), min_size=5, max_size=20))
def test_pairs_are_an_alarm_exactly_where_they_lie_beyond(ratios: list[float]) -> None:
    found = findings.side_by_side([ratios], [ratios], 0.02, LATENCY).slowed[0]
    assert found.alarm is (found.beyond > 0)


def test_nights_are_judged_by_the_others() -> None:
    """Levels that are all equal leave the metric's tolerance of 4 %."""
    unchanged, slowed = [point(1.0)] * 7, [point(1.05)] * 6 + [point(1.03)]
    once = findings.nightly(unchanged, slowed, LATENCY)
    assert (alarms(once.unchanged), alarms(once.slowed)) == ([False] * 7, [True] * 6 + [False])
    assert once.slowed[0].beyond == pytest.approx(math.log(1.05 / 1.04))
    twice = findings.nightly_confirmed(unchanged, slowed, LATENCY)
    assert (sum(alarms(twice.slowed)), len(twice.slowed)) == (15, 21)  # two of six, of two of seven
    assert (len(twice.unchanged), len(twice.apart)) == (21, 3)
    assert sorted({round(math.exp(each.change), 9) for each in twice.slowed}) == [1.03, 1.05]  # the lesser of both


@given(some.lists(some.floats(0.8, 1.2), min_size=7, max_size=24))
def test_a_night_is_an_alarm_exactly_where_it_lies_beyond(levels: list[float]) -> None:
    newest, *history = map(point, levels)
    found = findings.night(newest, history, LATENCY)
    assert found.alarm is (found.beyond > 0)


BOUNDS = ((0, 20, 1 - 0.05 ** (1 / 20)), (0, 1, 0.95), (1, 1, 1.0), (1, 2, math.sqrt(0.95)), (1, 20, 0.2161))


@pytest.mark.parametrize(("number", "of", "bound"), BOUNDS)
def test_the_bound_is_that_of_clopper_and_pearson(number: int, of: int, bound: float) -> None:
    """One of twenty: 21.6 %, from their tables; one of two: 1 - p² = 5 %."""
    each = [judged(0.0, outcome="regressed")] * number + [judged(0.0)] * (of - number)
    assert findings.upper_bound(each) == pytest.approx(bound, abs=5e-5)


def test_the_smallest_change_found_lies_as_far_beyond_the_threshold_as_the_noise_may_hide() -> None:
    unchanged = [judged(percent / 100) for percent in range(101)]
    slowed = [judged(math.log(1.05) + (percent - 50) / 100) for percent in range(101)]
    found = verdicts(unchanged, slowed)
    assert findings.threshold(found, 0.01) == pytest.approx(0.99)
    assert findings.smallest_found(found, 0.05, 0.01) == pytest.approx(math.expm1(0.99 + 0.45))


def test_by_its_own_rule_a_slowdown_must_be_larger_by_what_it_lacks() -> None:
    lacking = [judged(0.0, math.log(1.05 / 1.10))] * 20
    assert findings.smallest_by_own_rule(verdicts([], lacking), 0.05) == pytest.approx(0.10)


def test_an_unchanged_run_uses_up_a_share_of_what_an_alarm_takes() -> None:
    assert findings.used_up(verdicts([judged(0.01, -0.03), judged(-0.02, -0.06)], [])) == pytest.approx(0.25)


def test_the_expected_share_of_alarms_is_a_normal_tail() -> None:
    """Of mean -1 and standard deviation √2, and Q(1 / √2) = 0.23975."""
    assert findings.expected_alarms(verdicts([judged(0.0, -2.0), judged(0.0, 0.0)], [])) == pytest.approx(0.23975, 1e-4)
    assert findings.expected_alarms(verdicts([judged(0.0, -2.0)] * 2, [])) == 0


def test_the_expected_share_of_confirmed_alarms_is_what_the_factor_is_made_for() -> None:
    """Without a tolerance, 0.05 a night in 50 series, however large the noise."""
    logs = [(-1.0) ** number * number for number in range(19)]
    assert findings.expected_confirmed_alarms(logs, 0.0) == pytest.approx(0.05 / 50, rel=0.2)
    assert findings.expected_confirmed_alarms([0.1] * 19, 0.0) == 0
    assert findings.expected_confirmed_alarms([0.001 * each for each in logs], 0.5) < 1e-9


def raw(level: float) -> dict[str, Any]:
    """What any protocol measures of a run, ``level`` times as slow as the network is."""
    trials = tuple(Trial((level, level), (1.0, 1.0)) for _ in range(5))
    run = Measurement("resnet18", "latency", "s", "ok", Conditions("cpu"), (level,) * 10, trials=trials)
    return {"log_ratios": [math.log(level)] * 5, **journalled(run, ())}


def rows(levels: list[float], slowed: Callable[[float], float]) -> list[dict[str, Any]]:
    def row(protocol: Any, turn: int, level: float) -> dict[str, Any]:
        about = {"protocol": protocol.name, "turn": turn, "fraction": protocol.fraction, "wall": 8.0}
        measured = {"unchanged": raw(level), "slowed": raw(level * slowed(protocol.fraction))}
        return {**about, "asked": ASKED, "where": WHERE, **measured}

    return [row(protocol, turn, level) for turn, level in enumerate(levels) for protocol in race_noise.PROTOCOLS]


QUIET = [1.0] * 20


def test_a_machine_without_noise_keeps_every_promise() -> None:
    found = rows(QUIET, lambda fraction: 1 + fraction)
    assert list(report.failures(found, 0.02)) == []
    nightly = next(line for line in report.table(found, 0.02) if "confirmed by" in line)
    assert nightly.split("run |")[1] == (
        " 20 | 0.0% (0 of 190) | 25.9% (0 of 10) | 7% | 100.0% (190 of 190) | 0.0% (at 0.1%) | 4.0% | 4.0 |"
    )


def test_each_promise_that_is_not_kept_is_named() -> None:
    """Of the nights any two longer ones are false alarms, 45 of 190: they leave ten short and eight long, and so a
    median absolute deviation of 0.
    """
    wild = rows([1.0, 1.2] * 10, lambda fraction: 1 + fraction)
    of_pairs = "(interval of the pairs beyond the tolerance): false alarms in 50.0% of cases, expected at most 1.0%"
    assert list(report.failures(wild, 0.02)) == [
        f"ours, one process {of_pairs}",
        f"ours, pairs of processes {of_pairs}",
        "ours, nightly (the same, confirmed by a second run): false alarms in 23.7% of cases, expected at most 0.1%",
        "ours, nightly (the same, confirmed by a second run): +7.0 % found in 23.7% of cases, expected 95%",
    ]
    unseen = report.failures(rows(QUIET, lambda _: 1.0), 0.02)
    assert sum("found in 0.0%" in sentence for sentence in unseen) == 3


def test_too_few_runs_are_not_judged() -> None:
    few = rows(QUIET[:3], lambda fraction: 1 + fraction)
    assert list(report.failures(few, 0.02)) == [
        "ours, nightly (the same, confirmed by a second run): 3 runs, 7 are needed to judge it"
    ]
    assert sum(": 0 runs, " in sentence for sentence in report.failures([], 0.02)) == 3


def test_runs_that_were_slowed_differently_are_not_mixed() -> None:
    first, *others = rows(QUIET[:2], lambda fraction: 1 + fraction)
    with pytest.raises(ValueError, match=r"pytest-benchmark: expected one slowdown; got \[0.05, 0.5\]"):
        report.found([{**first, "fraction": 0.5}, *others], 0.02)


def test_the_report_needs_the_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "race-noise.jsonl"
    for row in rows(QUIET[:8], lambda fraction: 1 + fraction):
        race_noise.append(file, row)
    assert race_noise.report(file) == []  # no promise that is not kept
    assert "resnet18, batch 1, one thread, on 2 processors (a processor), torch 2.15.0" in capsys.readouterr().out
    assert race_noise.report(file, {**ASKED, "network": "mobilenet_v2"}) == [
        f"{file}: no runs of this race in it; run it without --report first"
    ]


def test_a_row_that_was_left_unfinished_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "race-noise.jsonl"
    first, second, *_ = json.loads(json.dumps(rows(QUIET[:1], lambda fraction: 1 + fraction)))
    race_noise.append(file, first)
    with file.open("a") as torn:
        torn.write(json.dumps(second)[:40])
    assert race_noise.read(file) == [first]
    race_noise.append(file, second)
    assert race_noise.read(file) == [first, second]


@pytest.mark.parametrize("line", ["nonsense", "[]", "{}", '{"protocol": "ours, nightly"}', "3"])
def test_a_file_of_something_else_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "race-noise.jsonl"
    file.write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"race-noise\.jsonl:1: expected a run of this race; got .*; remove the line"):
        race_noise.read(file)


def test_every_protocol_begins_as_often_and_takes_either_kind_first() -> None:
    number = len(race_noise.PROTOCOLS)
    each = list(race_noise.turns(2 * number))
    assert [each[turn * number][1] for turn in range(2 * number)] == 2 * list(race_noise.PROTOCOLS)
    for protocol in race_noise.PROTOCOLS:
        first = [order[0] for _, other, order in each if other is protocol]
        assert first == ["unchanged", "slowed"] * number


class Waits(nn.Module):
    """Takes eight seconds of a pretended clock, each look at which takes a sixteenth."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def clock(self) -> float:
        self.now += 1 / 16
        return self.now

    def forward(self, answer: str) -> str:
        self.now += 8
        return answer


def test_a_slowed_network_takes_its_fraction_more(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Waits()
    monkeypatch.setattr(networks, "perf_counter", waits.clock)
    assert networks.Slowed(waits, 0.25)("the answer") == "the answer"
    # 8 + 1/16 until the first look after it, a quarter of which is 2 + 1/64: 33 sixteenths, and a first look before
    assert waits.now == 100 + 1 / 16 + 8 + 1 / 16 + 33 / 16


def test_a_slowed_network_is_no_faster() -> None:
    with pytest.raises(ValueError, match=r"slowed: expected a fraction of at least 0; got -0.1"):
        networks.Slowed(nn.Identity(), -0.1)


def test_a_raced_network_can_be_sent_to_another_process() -> None:
    sent = pickle.loads(pickle.dumps(networks.architecture("mobilenet_v2", 0.07)))
    assert (sent.name, sent.build().fraction) == ("mobilenet_v2", 0.07)
    assert not isinstance(networks.architecture("mobilenet_v2").build(), networks.Slowed)


@pytest.mark.slow
def test_a_real_turn_is_written_and_not_run_again(tmp_path: Path) -> None:
    file = tmp_path / "race-noise.jsonl"
    asked = ("--network=mobilenet_v2", "--runs=1", "--seconds=0.1", "--tolerance=0.9", f"--out={file}")
    command = [sys.executable, str(TOOLS / "race_noise.py"), *asked]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2))
    assert (first.returncode, second.returncode) == (1, 1)
    assert "7 are needed to judge it" in second.stderr
    assert (first.stderr.count("turn 1 of 1"), second.stderr.count("turn 1 of 1")) == (6, 0)
    found = {row["protocol"]: row for row in race_noise.read(file)}
    assert set(found) == {protocol.name for protocol in race_noise.PROTOCOLS}
    assert all(row[kind] and row["wall"] > 0 for row in found.values() for kind in ("unchanged", "slowed"))
    assert len(found["ours, pairs of processes"]["slowed"]["log_ratios"]) == 5
    assert len(found["ours, nightly"]["slowed"]["trials"]) == 5
