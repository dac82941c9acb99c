"""Runs as the report takes them: the latest of each case, and several as one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.outputs import Common, common, latest, merged, named
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


def test_hosts_that_differ_in_what_no_time_depends_on_are_one_device() -> None:
    """Two runners of one kind, whose kernels and exact memory differ: their series must go on tomorrow."""
    one, other = run("a", LAPTOP | {"memory_bytes": 1}, 1.0), run("b", LAPTOP | {"memory_bytes": 2}, 2.0)
    other.header["environment"]["kernel"] = "6.18"
    assert {row["conditions"]["device"] for row in merged([one, other]).rows} == {"cpu"}


def test_a_name_that_another_run_has_already_is_not_given_again() -> None:
    """What an earlier merge called ``cpu (Ryzen)`` is another machine than the Ryzen here, by its torch."""
    before = named(run("a+b", LAPTOP, 1.0), "cpu (Ryzen)")
    all_of_them = merged([before, run("c", LAPTOP, 2.0, torch="2.16.0"), run("d", BOARD, 3.0)])
    assert sorted(seen(all_of_them)) == [
        ("cpu (Cortex)", "net0", 3.0),
        ("cpu (Ryzen)", "net0", 1.0),
        ("cpu (c)", "net0", 2.0),
    ]


def test_what_has_its_name_from_an_earlier_merge_is_the_same_device() -> None:
    two = merged([run("a", LAPTOP, 1.0), run("b", BOARD, 2.0)])
    again = merged([two, run("c", LAPTOP, 3.0), run("d", {"kind": "cpu", "model": "Xeon"}, 4.0)])
    assert sorted(seen(again)) == [
        ("cpu (Cortex)", "net0", 2.0),
        ("cpu (Ryzen)", "net0", 3.0),
        ("cpu (Xeon)", "net0", 4.0),
    ]


def test_runs_of_one_name_are_numbered() -> None:
    runs = [run("copy", LAPTOP, float(n), torch=f"2.{n}.0") for n in (1, 2, 3)]
    both = merged([*runs, run("other", LAPTOP, 4.0, torch="2.2.0")])
    assert sorted(seen(both)) == [
        ("cpu (copy)", "net0", 1.0),
        ("cpu (copy, 2)", "net0", 4.0),
        ("cpu (copy, 3)", "net0", 3.0),
    ]


NAMES = st.sampled_from(["cpu", "cpu (Ryzen)", "cpu (a)", "cpu (a, 2)", "cpu (b)"])
FACTS = st.sampled_from([LAPTOP, BOARD, {"kind": "cpu", "model": "Ryzen", "isa": "AVX2"}])
HOSTS = st.tuples(st.sampled_from("ab"), st.dictionaries(NAMES, FACTS, min_size=1))


@given(st.lists(HOSTS, min_size=2, max_size=4))
def test_no_name_mixes_devices(hosts: list[tuple[str, dict[str, Any]]]) -> None:
    """Each device's row holds its place and its name; a name has the facts of every device that it stands for."""
    runs = [
        Run(
            {"run": title, "devices": devices},
            tuple(
                {"architecture": f"{place} {device}", "metric": "latency", "conditions": {"device": device}}
                for device in devices
            ),
        )
        for place, (title, devices) in enumerate(hosts)
    ]
    both = merged(runs)
    owners = set()
    for row in both.rows:
        place, _, device = str(row["architecture"]).partition(" ")
        name = row["conditions"]["device"]
        assert both.header["devices"][name] == hosts[int(place)][1][device]
        owners.add((place, name))
    assert len(owners) == len(both.rows) == sum(len(devices) for _, devices in hosts)


def test_of_devices_that_several_runs_have_it_is_told_how_much_is_replaced() -> None:
    runs = [run("a", LAPTOP, 1.0, 2.0, 3.0), run("b", BOARD, 1.0), run("c", LAPTOP, 4.0, 5.0)]
    assert common(runs) == [Common("cpu (Ryzen)", (0, 2), 2)]
    assert common(runs[:2]) == []
    assert common(runs[:1]) == []
    failed = Run(runs[2].header, ({**runs[2].rows[0], "status": "oom", "value": None},))
    assert common([runs[0], failed]) == [Common("cpu", (0, 1), 1)]


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


def test_a_run_that_is_merged_again_is_named_once() -> None:
    both = merged([run("a", LAPTOP, 1.0), run("b", LAPTOP, 2.0, 3.0)])
    assert merged([both, run("b", LAPTOP, 4.0)]).header["run"] == "a + b"


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
