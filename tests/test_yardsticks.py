"""What a run is held against beside published figures: promoted values and earlier runs, in real files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench import own, store
from pytest_archbench.own import OwnBaselineError
from pytest_archbench.points import row_point
from pytest_archbench.records import Conditions, Measurement, Trial
from pytest_archbench.store import JournalError
from pytest_archbench.yardsticks import Yardsticks

HEADER = {
    "schema": 1,
    "run": "today",
    "commit": "c0ffee",
    "started": "2026-02-01T03:00:00+00:00",
    "environment": {"python": "3.11.7", "system": "Linux", "machine": "x86_64", "packages": {"torch": "2.15.0"}},
    "devices": {"cpu": {"kind": "cpu", "model": "Abacus"}},
}
COUNT = Measurement("net", "params", "count", "ok", Conditions("cpu"), (10,))


def time_of(*medians: float, reference: float = 0.001) -> Measurement:
    """A time of as many processes as there are medians (s), each with the reference workload beside it."""
    trials = tuple(Trial((median,) * 9, (reference,) * 9) for median in medians)
    samples = tuple(sample for trial in trials for sample in trial.samples)
    return Measurement("net", "latency", "s", "ok", Conditions("cpu"), samples, trials=trials)


def journal(path: Path, run: str, started: str, measurements: Sequence[Measurement]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, Any]] = [{**HEADER, "run": run, "started": started}]
    lines += [store.row(measurement, ()) for measurement in measurements]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def nights(folder: Path, number: int, measurement: Measurement) -> None:
    for night in range(number):
        journal(folder / f"{night}.jsonl", f"night-{night}", f"2026-01-{night + 1:02d}T03:00:00+00:00", [measurement])


def promote(folder: Path, *measurements: Measurement) -> None:
    header = {**HEADER, "run": "promoted"}
    points = [row_point(store.row(each, ()), header) for each in measurements]
    own.promote([point for point in points if point is not None], folder)


FIVE = (0.0098, 0.0099, 0.01, 0.0101, 0.0102)


def test_what_no_longer_fits_into_memory_has_regressed(tmp_path: Path) -> None:
    promote(tmp_path, time_of(*FIVE))
    found = Yardsticks.of(HEADER, tmp_path, None)
    full = Measurement("net", "latency", "s", "oom", Conditions("cpu"), message="2 GiB asked")
    (said,) = found.verdicts(full)
    assert (said.outcome, said.source, said.baseline) == ("regressed", "run promoted", "0.01")
    assert said.reason == "net latency: out of memory, where run promoted had 0.01 s: 2 GiB asked"
    assert found.verdicts(replace(full, conditions=Conditions("cpu", batch_size=8))) == ()
    assert found.verdicts(replace(full, status="crashed")) == ()


def test_another_variant_has_baselines_of_its_own(tmp_path: Path) -> None:
    reduced = Conditions("cpu", dtype="bfloat16")
    promote(tmp_path, time_of(*FIVE), replace(time_of(*(0.5 * each for each in FIVE)), conditions=reduced))
    found = Yardsticks.of(HEADER, tmp_path, None)
    (plain,) = found.verdicts(time_of(*FIVE))
    (half,) = found.verdicts(replace(time_of(*(0.5 * each for each in FIVE)), conditions=reduced))
    (slow,) = found.verdicts(replace(time_of(*FIVE), conditions=reduced))
    assert [plain.outcome, half.outcome, slow.outcome] == ["passed", "passed", "regressed"]
    assert slow.reason.startswith("net latency bfloat16: 10.00 ms, regressed")


def test_without_either_nothing_is_said(tmp_path: Path) -> None:
    found = Yardsticks.of(HEADER, tmp_path / "baselines", None)
    assert found.verdicts(COUNT) == ()
    assert found.left_out == ()


def test_a_promoted_value_is_one_verdict(tmp_path: Path) -> None:
    promote(tmp_path, COUNT, time_of(*FIVE))
    found = Yardsticks.of(HEADER, tmp_path, None)
    (equal,) = found.verdicts(COUNT)
    assert (equal.outcome, equal.source) == ("passed", "run promoted")
    (more,) = found.verdicts(replace(COUNT, samples=(11,)))
    assert more.reason.startswith("net params: 11, deviates (+10.0 %) from run promoted 10: 11 instead of 10")
    (same,) = found.verdicts(time_of(*FIVE))
    (slower,) = found.verdicts(time_of(*(1.2 * median for median in FIVE)))
    (faster,) = found.verdicts(time_of(*(0.8 * median for median in FIVE)))
    assert [each.outcome for each in (same, slower, faster)] == ["passed", "regressed", "improved"]


def test_the_machines_own_speed_is_taken_out(tmp_path: Path) -> None:
    """A machine a fifth slower: the time is longer, and the reference workload's with it."""
    promote(tmp_path, time_of(*FIVE))
    slow = time_of(*(1.2 * median for median in FIVE), reference=0.0012)
    (verdict,) = Yardsticks.of(HEADER, tmp_path, None).verdicts(slow)
    assert verdict.outcome == "passed"
    assert "normalised by the reference workload (raw +20.0 %)" in verdict.reason


def test_what_nobody_promoted_has_no_verdict_of_it(tmp_path: Path) -> None:
    promote(tmp_path, COUNT)
    found = Yardsticks.of(HEADER, tmp_path, None)
    for other in (
        replace(COUNT, architecture="another"),
        replace(COUNT, metric="macs", unit="MAC"),
        replace(COUNT, conditions=Conditions("cpu", batch_size=8)),
    ):
        assert found.verdicts(other) == ()


def test_what_was_not_measured_has_none(tmp_path: Path) -> None:
    promote(tmp_path / "own", COUNT)
    nights(tmp_path / "nights", 6, COUNT)
    found = Yardsticks.of(HEADER, tmp_path / "own", tmp_path / "nights")
    assert len(found.verdicts(COUNT)) == 2
    assert found.verdicts(replace(COUNT, status="crashed", samples=(), message="signal SIGSEGV")) == ()
    assert found.verdicts(replace(COUNT, uncounted=("aten._fft_c2c",))) == ()


def test_a_history_is_one_verdict_more(tmp_path: Path) -> None:
    nights(tmp_path, 6, time_of(*FIVE))
    found = Yardsticks.of(HEADER, tmp_path / "none", tmp_path)
    (same,) = found.verdicts(time_of(*FIVE))
    assert (same.outcome, same.source) == ("passed", "the median of 6 runs")
    (slower,) = found.verdicts(time_of(*(1.2 * median for median in FIVE)))
    assert slower.outcome == "regressed"
    (unknown,) = found.verdicts(replace(COUNT, architecture="another"))
    assert unknown.outcome == "no baseline"
    assert "5 comparable earlier runs are needed and there are 0: run 5 more" in unknown.reason


def test_this_very_run_is_not_its_own_past(tmp_path: Path) -> None:
    nights(tmp_path, 4, time_of(*FIVE))
    journal(tmp_path / "now.jsonl", "today", "2026-02-01T03:00:00+00:00", [time_of(*FIVE)])
    (with_it,) = Yardsticks.of(HEADER, tmp_path / "none", tmp_path).verdicts(time_of(*FIVE))
    (without,) = Yardsticks.of(HEADER, tmp_path / "none", tmp_path, without="today").verdicts(time_of(*FIVE))
    assert (with_it.outcome, without.outcome) == ("passed", "no baseline")


def test_it_says_which_journals_are_left_out(tmp_path: Path) -> None:
    nights(tmp_path, 5, COUNT)
    (tmp_path / "torn.jsonl").write_text('{"run": \n{}\n')
    (tmp_path / "copy.jsonl").write_text((tmp_path / "0.jsonl").read_text())
    found = Yardsticks.of(HEADER, tmp_path / "none", tmp_path)
    broken, repeated = found.left_out
    assert broken.startswith(f"{tmp_path / 'torn.jsonl'}:1: not a JSON object")
    assert repeated == f"{tmp_path / 'copy.jsonl'}: the run night-0 is in {tmp_path / '0.jsonl'} too"
    (verdict,) = found.verdicts(COUNT)
    assert verdict.outcome == "passed"


def test_it_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "cpu.jsonl").write_text("{\n")
    with pytest.raises(OwnBaselineError, match=r"cpu\.jsonl:1: expected a JSON object"):
        Yardsticks.of(HEADER, tmp_path, None)
    with pytest.raises(JournalError, match="expected a folder of journals; got nothing"):
        Yardsticks.of(HEADER, tmp_path / "none", tmp_path / "nowhere")


def test_a_lasting_regression_stays_one_until_a_run_of_it_is_promoted(tmp_path: Path) -> None:
    """Nights 6 to 11 are 50 % slower; each is judged by what the nights before have left in their journals."""
    seen = []
    for night in range(14):
        slow = time_of(*(value * (1.5 if night >= 6 else 1 + night / 1000) for value in FIVE))
        header = {**HEADER, "run": f"night-{night}", "started": f"2026-01-{night + 1:02d}T03:00:00+00:00"}
        found = Yardsticks.of(header, tmp_path / "devices", tmp_path).verdicts(slow)
        seen.append(found[-1].outcome)
        row = store.row(slow, found)
        (tmp_path / f"{night}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (header, row)))
        if night == 11:
            point = row_point(row, header)
            assert point is not None
            assert point.alarmed
            own.promote([point], tmp_path / "devices")
    assert seen == ["no baseline"] * 5 + ["passed"] + ["regressed"] * 6 + ["passed"] * 2
