"""Earlier runs: rows become points, folders of journals become series, and what is damaged is named and left out."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import store
from pytest_archbench.history import Past, load
from pytest_archbench.points import fault, fingerprint, key, point_of, row_point
from pytest_archbench.records import Conditions, Measurement
from pytest_archbench.store import Journal, JournalError

HEADER: dict[str, Any] = {
    "run": "night-01",
    "started": "2026-01-01T03:00:00+00:00",
    "commit": "a" * 40,
    "environment": {
        "python": "3.11.7",
        "system": "Linux",
        "kernel": "6.18.44",
        "machine": "x86_64",
        "packages": {"torch": "2.15.0", "pytest": "9.2.0"},
    },
    "devices": {
        "cpu": {"kind": "cpu", "model": "EPYC", "cores": 2, "memory_bytes": 25276510208, "caches": {"l2": 512}},
        "cuda:0": {"kind": "cuda", "model": "H200"},
    },
}
COUNTED = store.row(Measurement("alexnet", "macs", "MAC", "ok", Conditions("cpu"), (714188480,)), [])
TIMED = store.row(Measurement("alexnet", "latency", "s", "ok", Conditions("cpu"), (3.0, 1.0, 2.0, 5.0, 4.0, 9.0)), [])


def trial(samples: int, reference: list[Any]) -> dict[str, Any]:
    """A process's part of a row."""
    return {"samples": samples, "reference": reference, "machine": {}, "disturbed": []}


OF_TWO = TIMED | {"trials": [trial(3, [0.2, 0.1, 0.4]), trial(3, [])]}
FAILED = store.row(Measurement("alexnet", "latency", "s", "oom", Conditions("cpu"), message="no room"), [])


def header(night: int, **changed: Any) -> dict[str, Any]:
    return {**HEADER, "run": f"night-{night:02}", "started": f"2026-01-{night:02}T03:00:00+00:00", **changed}


def timed(value: float, **conditions: Any) -> dict[str, Any]:
    found = Measurement("alexnet", "latency", "s", "ok", Conditions(**{"device": "cpu", **conditions}), (value,))
    return store.row(found, [])


def journal(path: Path, header: dict[str, Any], *rows: dict[str, Any]) -> Path:
    """A journal as a run leaves it, moved to ``path``."""
    made = Journal(path.parent / "made", header)
    for row in rows:
        made.append(row)
    made.close()
    made.path.replace(path)
    (path.parent / "made").rmdir()
    return path


def values(past: Past, *name: Any) -> list[float]:
    return [each.value for each in past.series[name or ("alexnet", "latency", "cpu", 1, "")]]


def test_a_count_is_a_value_without_trials() -> None:
    found = row_point(COUNTED, HEADER)
    assert found is not None
    assert (found.architecture, found.metric, found.unit, found.value) == ("alexnet", "macs", "MAC", 714188480)
    assert (found.run, found.commit, found.started) == ("night-01", "a" * 40, "2026-01-01T03:00:00+00:00")
    assert (found.trials, found.uncertainty) == ((), None)
    assert key(found) == ("alexnet", "macs", "cpu", 1, "")


def test_samples_of_an_older_journal_are_one_process_without_reference() -> None:
    found = row_point(TIMED, HEADER)
    assert found is not None
    assert found.trials == ((2.25, None),)  # the lower quartile of 1, 2, 3, 4, 5 and 9
    assert found.uncertainty == (9 - 1) / 2 / 3.5  # six samples: all of them enclose the median with 1 - 2/64 > 95 %


def test_every_process_has_its_own_quartile_and_the_median_of_its_reference() -> None:
    found = row_point(OF_TWO, HEADER)
    assert found is not None
    assert found.trials == ((1.5, 0.2), (4.5, None))  # of 1, 2, 3 and of 4, 5, 9
    assert found.value == 3.5


def test_an_interval_of_too_few_samples_is_no_uncertainty() -> None:
    row = store.row(Measurement("alexnet", "latency", "s", "ok", Conditions("cpu"), (1.0, 2.0, 3.0)), [])
    found = row_point(row, HEADER)
    assert found is not None
    assert found.uncertainty is None


def test_what_was_not_measured_or_not_wholly_counted_is_no_point() -> None:
    assert row_point(FAILED, HEADER) is None
    assert row_point(COUNTED | {"uncounted": ["aten.lstm ×2"]}, HEADER) is None


@pytest.mark.parametrize("row", [COUNTED, TIMED, OF_TWO, FAILED, COUNTED | {"uncounted": ["aten.lstm ×2"]}])
def test_a_measurement_is_the_point_of_its_row(row: dict[str, Any]) -> None:
    assert point_of(store.measurement(row), HEADER) == row_point(row, HEADER)


def test_a_fingerprint_holds_what_a_time_depends_on() -> None:
    assert fingerprint(HEADER, "cpu") == {
        "device.kind": "cpu",
        "device.model": "EPYC",
        "device.cores": 2,
        "device.caches.l2": 512,
        "python": "3.11",
        "system": "Linux",
        "machine": "x86_64",
        "packages.torch": "2.15.0",
    }
    assert fingerprint(HEADER, "cuda:0")["device.model"] == "H200"


def test_a_fingerprint_knows_container_hypervisor_and_how_torch_was_built() -> None:
    build = {"version": "2.15.0+cpu", "blas": "mkl", "cuda": "none"}
    told = {**HEADER["environment"], "container": "docker", "virtualisation": "kvm", "torch": build}
    found = fingerprint({**HEADER, "environment": told}, "cpu")
    assert (found["container"], found["virtualisation"]) == ("docker", "kvm")
    assert {name: fact for name, fact in found.items() if name.startswith("torch.")} == {
        "torch.version": "2.15.0+cpu",
        "torch.blas": "mkl",
        "torch.cuda": "none",
    }


def test_another_engine_is_of_a_version_too() -> None:
    environment = {**HEADER["environment"], "packages": {"torch": "2.15.0", "onnxruntime": "1.31.1"}}
    header = {**HEADER, "environment": environment}
    under = {**TIMED["conditions"], "runtime": "onnxruntime"}
    found = row_point({**TIMED, "conditions": under}, header)
    plain = row_point(TIMED, header)
    assert found is not None
    assert plain is not None
    assert found.fingerprint["packages.onnxruntime"] == "1.31.1"
    assert "packages.onnxruntime" not in plain.fingerprint


def test_a_fingerprint_leaves_out_what_the_header_does_not_tell() -> None:
    assert fingerprint({"run": "1"}, "cpu") == {}
    assert fingerprint({"environment": {"python": "unknown"}}, "cpu") == {"python": "unknown"}


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a reference of 0 s": ({"trials": [trial(6, [0.0])]}, {}, "reference time > 0"),
    "a reference in words": ({"trials": [trial(6, ["a", "b"])]}, {}, "alexnet latency: not as a run writes it .Type"),
    "a letter for a reference": ({"trials": [trial(6, ["a"])]}, {}, "reference time > 0 or null; got ..2.25, 'a'"),
    "too few samples in the trials": ({"trials": [trial(5, [])]}, {}, "the trials' samples are not the samples"),
    "an interval without its ends": ({"interval": {"confidence": 0.95}}, {}, "as a run writes it .KeyError: 'high'"),
    "an interval without a width": (
        {"interval": {"low": 9, "high": 1, "confidence": 0.95}},
        {},
        "uncertainty: expected a fraction >= 0 or null; got -1.1",
    ),
    "a size of a half": ({"conditions": TIMED["conditions"] | {"batch_size": 1.5}}, {}, "batch_size: .* got 1.5"),
    "a list of devices": ({"conditions": TIMED["conditions"] | {"device": ["cpu"]}}, {}, r"device: .* got \['cpu'\]"),
    "a name of two lines": ({"architecture": "a\nb"}, {}, "architecture: expected a name on one line"),
    "a commit that is a number": ({}, {"commit": 7}, "commit: expected a name on one line; got 7"),
    "no time": ({}, {"started": "yesterday"}, "started: expected a time such as 2026-01-31T03:00:00"),
    "devices in a list": ({}, {"devices": []}, r"header: devices: expected an object; got \[\]"),
}


@pytest.mark.parametrize(("row", "facts", "message"), WRONG.values(), ids=WRONG)
def test_it_refuses_what_no_run_writes(row: dict[str, Any], facts: dict[str, Any], message: str) -> None:
    with pytest.raises(JournalError, match=message):
        row_point(TIMED | row, HEADER | facts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_row_is_refused_or_a_whole_point(data: st.DataObject) -> None:
    row, facts = copy.deepcopy(OF_TWO), copy.deepcopy(HEADER)
    choices: list[tuple[Any, Any]] = [
        (row, name) for name in ("value", "interval", "trials", "samples", "unit", "convention")
    ]
    choices += [(row["conditions"], name) for name in row["conditions"]]
    choices += [(row["trials"][0], name) for name in row["trials"][0]] + [(row["interval"], "low")]
    choices += [(facts, name) for name in facts] + [(facts["environment"], "packages")]
    place, name = data.draw(st.sampled_from(choices))
    place[name] = data.draw(JSON)
    try:
        found = row_point(row, facts)
    except JournalError:
        return
    assert found is not None
    assert fault(found) == ""


def test_series_are_in_the_order_of_their_runs(tmp_path: Path) -> None:
    journal(tmp_path / "b.jsonl", header(1), timed(1.0), COUNTED)
    journal(tmp_path / "a.jsonl", header(3), timed(3.0))
    (tmp_path / "previous").mkdir()
    journal(tmp_path / "previous" / "c.jsonl", header(2), timed(2.0))
    past = load(tmp_path)
    assert past.runs == ("night-01", "night-02", "night-03")
    assert values(past) == [1.0, 2.0, 3.0]
    assert values(past, "alexnet", "macs", "cpu", 1, "") == [714188480]
    assert (past.broken, past.repeated) == ((), ())


def test_times_of_other_zones_are_ordered_too(tmp_path: Path) -> None:
    journal(tmp_path / "a.jsonl", header(1, started="2026-01-01T03:00:00+05:00"), timed(1.0))
    journal(tmp_path / "b.jsonl", header(2, started="2026-01-01T01:00:00+00:00"), timed(2.0))
    journal(tmp_path / "c.jsonl", header(3, started="2025-12-31T23:00:00"), timed(0.0))
    assert values(load(tmp_path)) == [1.0, 0.0, 2.0]


def test_nightly_folders_are_read_and_deeper_ones_are_not(tmp_path: Path) -> None:
    for night in (1, 2):
        (tmp_path / f"{night}").mkdir()
        journal(tmp_path / f"{night}" / store.JOURNAL, header(night), timed(float(night)))
    (tmp_path / "2" / "previous").mkdir()
    journal(tmp_path / "2" / "previous" / "x.jsonl", header(3), timed(3.0))
    assert values(load(tmp_path)) == [1.0, 2.0]


def test_the_present_run_can_be_left_out(tmp_path: Path) -> None:
    journal(tmp_path / "a.jsonl", header(1), timed(1.0))
    journal(tmp_path / "b.jsonl", header(2), timed(2.0))
    past = load(tmp_path, without="night-02")
    assert (past.runs, values(past)) == (("night-01",), [1.0])


def test_a_run_in_two_files_counts_once_with_all_it_has(tmp_path: Path) -> None:
    journal(tmp_path / "a.jsonl", header(1), timed(1.0))
    journal(tmp_path / "b.jsonl", header(1), timed(1.0), COUNTED)
    past = load(tmp_path)
    assert (past.runs, values(past)) == (("night-01",), [1.0])
    assert values(past, "alexnet", "macs", "cpu", 1, "") == [714188480]
    assert past.repeated == (f"{tmp_path / 'b.jsonl'}: the run night-01 is in {tmp_path / 'a.jsonl'} too",)


def test_of_several_rows_of_a_case_the_last_that_was_measured_counts(tmp_path: Path) -> None:
    journal(tmp_path / "a.jsonl", header(1), timed(1.0), timed(2.0), FAILED, timed(8.0, batch_size=8))
    past = load(tmp_path)
    assert values(past) == [2.0]
    assert values(past, "alexnet", "latency", "cpu", 8, "") == [8.0]


def test_a_damaged_journal_is_named_and_left_out(tmp_path: Path) -> None:
    journal(tmp_path / "a.jsonl", header(1), timed(1.0))
    (tmp_path / "b.jsonl").write_text("{}\n")
    (tmp_path / "c.jsonl").write_bytes(b"\xff\n\x00\n")
    journal(tmp_path / "d.jsonl", header(4, started=7), timed(4.0))
    journal(tmp_path / "e.jsonl", header(5), timed(5.0) | {"architecture": "a\nb"})
    past = load(tmp_path)
    assert (past.runs, values(past)) == (("night-01",), [1.0])
    reasons = (
        f"{tmp_path / 'b.jsonl'}:1: expected a header with the key 'run'",
        f"{tmp_path / 'c.jsonl'}:1: not a JSON object",
        f"{tmp_path / 'd.jsonl'}:1: expected a run's name and the time it started; got 'night-04' and 7",
        f"{tmp_path / 'e.jsonl'}: a\nb latency: architecture: expected a name on one line; got 'a\\nb'",
    )
    assert len(past.broken) == len(reasons)
    assert [said[: len(reason)] for said, reason in zip(past.broken, reasons, strict=True)] == list(reasons)


def test_a_torn_last_line_costs_one_case(tmp_path: Path) -> None:
    path = journal(tmp_path / "a.jsonl", header(1), timed(1.0), COUNTED)
    path.write_bytes(path.read_bytes()[:-20])
    past = load(tmp_path)
    assert (list(past.series), past.broken) == ([("alexnet", "latency", "cpu", 1, "")], ())


def test_a_folder_without_journals_is_an_empty_past_and_no_folder_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    assert load(tmp_path) == Past({})
    for wrong, what in ((tmp_path / "nowhere", "nothing"), (tmp_path / "notes.txt", "a file")):
        with pytest.raises(JournalError, match=f"expected a folder of journals; got {what}"):
            load(wrong)


def test_a_hundred_nights_are_read_in_seconds(tmp_path: Path) -> None:
    rows = [OF_TWO | {"architecture": f"net{number:03}", "samples": [0.1] * 50 + [0.2] * 50} for number in range(300)]
    lines = [json.dumps(row | {"trials": [trial(50, [0.1] * 20)] * 2}) for row in rows]
    for night in range(100):
        facts = HEADER | {
            "schema": 1,
            "run": f"night-{night}",
            "started": f"2026-01-01T00:{night // 60:02}:{night % 60:02}",
        }
        (tmp_path / f"{night}.jsonl").write_text("\n".join([json.dumps(facts), *lines, ""]))
    began = time.process_time()
    past = load(tmp_path)
    assert (len(past.series), len(past.runs)) == (300, 100)
    assert {len(series) for series in past.series.values()} == {100}
    assert time.process_time() - began < 15
