"""Runs as the report takes them: the latest of each case, and several as one."""

from __future__ import annotations

from typing import Any

from pytest_archbench.outputs import latest, merged
from pytest_archbench.store import Run

LAPTOP = {"kind": "cpu", "model": "Ryzen"}
BOARD = {"kind": "cpu", "model": "Cortex"}


def run(name: str, device: dict[str, Any], *values: float, torch: str = "2.15.0") -> Run:
    header = {"run": name, "environment": {"packages": {"torch": torch}}, "devices": {"cpu": device}}
    rows = tuple(
        {"architecture": f"net{place}", "metric": "latency", "status": "ok", "value": value,
         "conditions": {"device": "cpu", "batch_size": 1}}
        for place, value in enumerate(values)
    )  # fmt: skip
    return Run(header, rows)


def seen(given: Run) -> list[tuple[str, str, float]]:
    return [(row["conditions"]["device"], row["architecture"], row["value"]) for row in latest(given).rows]


def test_of_two_runs_on_one_machine_the_later_counts() -> None:
    both = merged([run("a", LAPTOP, 1.0, 2.0), run("b", LAPTOP, 3.0)])
    assert sorted(seen(both)) == [("cpu", "net0", 3.0), ("cpu", "net1", 2.0)]
    assert both.header["run"] == "a + b"
    assert both.header["devices"] == {"cpu": LAPTOP}


def test_two_machines_are_told_apart_by_their_model() -> None:
    both = merged([run("a", LAPTOP, 1.0), run("b", BOARD, 2.0), run("c", LAPTOP, 3.0)])
    assert sorted(seen(both)) == [("cpu (Cortex)", "net0", 2.0), ("cpu (Ryzen)", "net0", 3.0)]
    assert both.header["devices"] == {"cpu (Ryzen)": LAPTOP, "cpu (Cortex)": BOARD}


def test_one_machine_with_two_versions_of_torch_is_told_apart_by_run() -> None:
    both = merged([run("a", LAPTOP, 1.0), run("b", LAPTOP, 2.0, torch="2.16.0")])
    assert seen(both) == [("cpu (a)", "net0", 1.0), ("cpu (b)", "net0", 2.0)]


def test_what_failed_in_the_later_run_has_no_value_of_the_earlier() -> None:
    failed = run("b", LAPTOP)
    row = {**run("a", LAPTOP, 1.0).rows[0], "status": "oom", "value": None}
    both = merged([run("a", LAPTOP, 1.0, 2.0), Run(failed.header, (row,))])
    assert [(each["architecture"], each["status"], each["value"]) for each in latest(both).rows] == [
        ("net1", "ok", 2.0),
        ("net0", "oom", None),
    ]


def test_one_run_stays_as_it_is() -> None:
    alone = run("a", LAPTOP, 1.0)
    assert merged([alone]) is alone


def test_a_run_that_is_given_twice_counts_once() -> None:
    twice = merged([run("a", LAPTOP, 1.0), run("a", LAPTOP, 1.0)])
    assert twice.header["run"] == "a"
    assert seen(twice) == [("cpu", "net0", 1.0)]


def test_a_row_without_conditions_is_merged_too() -> None:
    foreign = Run({"run": "x"}, ({"architecture": "a", "metric": "params", "status": "ok", "value": 1},))
    assert len(merged([foreign, run("b", LAPTOP, 1.0)]).rows) == 2


def test_what_was_measured_under_other_conditions_replaces_nothing() -> None:
    def case(status: str, value: float | None, **conditions: Any) -> dict[str, Any]:
        where = {"device": "cpu", "batch_size": 1, **conditions}
        return {"architecture": "a", "metric": "latency", "status": status, "value": value, "conditions": where}

    rows = (case("ok", 1.0, dtype="float32"), case("ok", 2.0, dtype="float16"), case("ok", 3.0, dtype="float32"))
    assert sorted(row["value"] for row in latest(Run({}, rows)).rows) == [2.0, 3.0]
    mended = (case("oom", None), case("ok", 2.0, dtype="float64"))
    assert [row["value"] for row in latest(Run({}, mended)).rows] == [2.0], "the network's own type"
    reduced = (case("oom", None, dtype="float16"), case("ok", 2.0, dtype="float32"))
    assert [row["status"] for row in latest(Run({}, reduced)).rows] == ["oom", "ok"], "a variant that was asked for"
