"""``archbench merge``: journals of several hosts as one run that every command reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import latency, macs

from pytest_archbench import outputs, store
from pytest_archbench.cli import main
from pytest_archbench.points import fingerprint

TX1 = {"kind": "cuda", "model": "Jetson TX1", "cudnn": 8201}
NANO = {"kind": "cuda", "model": "Jetson Nano", "cudnn": 8201}
OLD, NEW = {"python": "3.6.9", "packages": {"torch": "1.10.0"}}, {"python": "3.12.3", "packages": {"torch": "2.15.0"}}


def journal(folder: Path, device: dict[str, Any], environment: dict[str, Any], *rows: dict[str, Any]) -> Path:
    """A host's run in ``folder``; its name is the folder's."""
    header = {"run": folder.name, "started": "2026-01-02T03:00:00+00:00", "commit": "c" * 40}
    told = {**header, "environment": {"system": "Linux", **environment}, "devices": {"cuda": device}}
    folder.mkdir(parents=True)
    lines = ({"schema": 1, **told}, *rows)
    (folder / store.JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def merge(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["merge", *map(str, arguments)])


@pytest.fixture
def boards(tmp_path: Path) -> tuple[Path, Path]:
    one = journal(tmp_path / "tx1", TX1, OLD, latency(0.2, device="cuda"), macs(100, device="cuda"))
    return one, journal(tmp_path / "nano", NANO, NEW, latency(0.1, device="cuda"))


def test_devices_of_one_name_get_their_models(boards: tuple[Path, Path], tmp_path: Path) -> None:
    done = merge(*boards, "--out", tmp_path / "all")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[:2] == ["cuda (Jetson TX1): 2 rows", "cuda (Jetson Nano): 1 row"]
    run = store.read(tmp_path / "all")
    values = {(row["conditions"]["device"], row["metric"]): row["value"] for row in run.rows}
    assert values == {
        ("cuda (Jetson TX1)", "latency"): 0.2,
        ("cuda (Jetson TX1)", "macs"): 100,
        ("cuda (Jetson Nano)", "latency"): 0.1,
    }


def test_each_device_keeps_the_environment_of_its_host(boards: tuple[Path, Path], tmp_path: Path) -> None:
    """What must be equal before two values compare is the same after merging as before."""
    merge(*boards, "--out", tmp_path / "all")
    header = store.read(tmp_path / "all").header
    assert header["environment"] == {"system": "Linux", "packages": {}}
    for folder, name in zip(boards, ("cuda (Jetson TX1)", "cuda (Jetson Nano)"), strict=True):
        alone = fingerprint(store.read(folder).header, "cuda")
        assert fingerprint(header, name) == alone
        assert alone["packages.torch"] in ("1.10.0", "2.15.0")


def test_a_merged_run_can_be_merged_again(boards: tuple[Path, Path], tmp_path: Path) -> None:
    merge(*boards, "--out", tmp_path / "two")
    third = journal(tmp_path / "orin", {"kind": "cuda", "model": "Jetson Orin Nano"}, NEW, latency(0.05, device="cuda"))
    assert merge(tmp_path / "two", third, "--out", tmp_path / "three").exit_code == 0
    header = store.read(tmp_path / "three").header
    assert fingerprint(header, "cuda (Jetson TX1)")["packages.torch"] == "1.10.0"
    assert fingerprint(header, "cuda")["packages.torch"] == "2.15.0"


def test_a_run_is_given_another_name(boards: tuple[Path, Path], tmp_path: Path) -> None:
    done = merge(*boards, "--out", tmp_path / "all", "--name", f"{boards[0]}=tx1")
    assert done.exit_code == 0, done.output
    assert set(store.read(tmp_path / "all").header["devices"]) == {"tx1", "cuda"}


def test_a_name_for_several_devices_goes_before_theirs() -> None:
    run = store.Run({"run": "r", "devices": {"cpu": {}, "cuda": {}}}, (latency(0.1, device="cuda"),))
    named = outputs.named(run, "tx2")
    assert set(named.header["devices"]) == {"tx2 cpu", "tx2 cuda"}
    assert named.rows[0]["conditions"]["device"] == "tx2 cuda"


def test_a_network_of_a_known_name_gets_its_family(boards: tuple[Path, Path], tmp_path: Path) -> None:
    """A script on a board knows names alone; what somebody's own network is called says nothing."""
    own = journal(tmp_path / "own", NANO, NEW, latency(0.1, device="cuda", architecture="my_net"))
    merge(boards[0], own, "--out", tmp_path / "all")
    families = {row["architecture"]: (row["family"], row["topology"]) for row in store.read(tmp_path / "all").rows}
    assert families == {"resnet18": ("resnet", "resnet18"), "my_net": ("", "resnet18")}


def test_a_network_by_a_library_s_name_gets_the_package_s(boards: tuple[Path, Path], tmp_path: Path) -> None:
    """What torchvision calls mobilenet_v2 is the seeds' mobilenet_v2_100, and a seed's own name stays."""
    names = ("mobilenet_v2", "squeezenet1_1", "mnasnet1_0")
    rows = [{**latency(0.1, device="cuda", architecture=name), "topology": name, "notes": ["a note"]} for name in names]
    script = journal(tmp_path / "script", NANO, NEW, *rows)
    assert merge(boards[0], script, "--out", tmp_path / "all").exit_code == 0
    found = {row["architecture"]: row for row in store.read(tmp_path / "all").rows if row["architecture"] != "resnet18"}
    assert set(found) == {"mobilenet_v2_100", "squeezenet1_1", "mnasnet1_0"}
    renamed = found["mobilenet_v2_100"]
    assert (renamed["family"], renamed["topology"]) == ("mobilenet_v2", "mobilenet_v2_100")
    assert renamed["notes"] == ["a note", "measured as mobilenet_v2, which is mobilenet_v2_100 here"]
    assert found["squeezenet1_1"]["notes"] == ["a note"]


def test_a_name_that_the_run_has_already_is_given_to_no_other_network(tmp_path: Path) -> None:
    names = ("mobilenet_v2", "mobilenet_v2_100")
    rows = [latency(0.1 + n, device="cuda", architecture=name) for n, name in enumerate(names)]
    script = journal(tmp_path / "script", NANO, NEW, *rows)
    merge(script, "--out", tmp_path / "all")
    found = store.read(tmp_path / "all").rows
    assert [(row["architecture"], row["topology"]) for row in found] == [(name, names[1]) for name in names]


def test_runs_on_one_device_are_said_to_be(tmp_path: Path) -> None:
    first = journal(tmp_path / "a", NANO, NEW, latency(0.2, device="cuda"), macs(100, device="cuda"))
    later = journal(tmp_path / "c", NANO, NEW, latency(0.1, device="cuda"))
    other = journal(tmp_path / "d", NANO, NEW, latency(0.3, device="cuda", architecture="my_net"))
    said = merge(first, later, "--out", tmp_path / "two").stdout.splitlines()
    assert said[:2] == [
        "cuda: 3 rows",
        f"cuda: the same device in {first} and {later}; of 1 case that both have, {later}'s count",
    ]
    said = merge(first, later, other, "--out", tmp_path / "three").stdout.splitlines()
    assert said[1] == (
        f"cuda: the same device in {first}, {later} and {other}; of 1 case that a later one has too, the later count"
    )
    said = merge(first, other, "--out", tmp_path / "none").stdout.splitlines()
    assert said[1] == f"cuda: the same device in {first} and {other}; no case that both have"


def test_no_run_is_overwritten(boards: tuple[Path, Path], tmp_path: Path) -> None:
    before = (boards[0] / store.JOURNAL).read_bytes()
    done = merge(*boards, "--out", boards[0])
    assert done.exit_code == 2
    assert "expected a folder without a run" in done.stderr
    assert (boards[0] / store.JOURNAL).read_bytes() == before


def test_of_a_damaged_journal_the_rest_is_taken(boards: tuple[Path, Path], tmp_path: Path) -> None:
    path = boards[0] / store.JOURNAL
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{broken", *lines[1:]]) + "\n")
    done = merge(*boards, "--out", tmp_path / "all")
    assert done.exit_code == 1
    assert f"left out: {path}:2: not a JSON object" in done.stderr
    assert len(store.read(tmp_path / "all").rows) == 3


def test_a_run_without_measurements_is_named(boards: tuple[Path, Path], tmp_path: Path) -> None:
    empty = journal(tmp_path / "empty", NANO, NEW)
    done = merge(boards[0], empty, "--out", tmp_path / "all")
    assert done.exit_code == 1
    assert f"{empty}: no measurements: left out" in done.stderr
    assert merge(empty, "--out", tmp_path / "none").exit_code == 2
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing", "--out", "x"), "no journal can be read here"),
        (("tx1", "--out", "x", "--name", "elsewhere=a"), "expected RUN=LABEL with one of the runs given"),
        (("tx1", "--out", "x", "--name", "tx1="), "expected RUN=LABEL"),
        (("tx1", "--out", "tx1/measurements.jsonl"), "cannot be written"),
    ],
)
def test_a_mistake_is_one_sentence(
    boards: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = merge(*arguments)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert not (tmp_path / "x").exists()


PACKAGES = st.dictionaries(st.sampled_from("ab"), st.integers(0, 2))
ENVIRONMENTS = st.dictionaries(st.sampled_from("ab"), st.integers(0, 2) | PACKAGES)


@settings(max_examples=50, deadline=None)
@given(ENVIRONMENTS, ENVIRONMENTS)
def test_whatever_environments_say_each_device_keeps_its_own(one: dict[str, Any], other: dict[str, Any]) -> None:
    runs = [
        store.Run({"run": name, "environment": told, "devices": {name: {"model": name}}}, (latency(1.0, device=name),))
        for name, told in (("a", one), ("b", other))
    ]
    header = outputs.merged(runs).header
    for name, told in (("a", one), ("b", other)):
        assert header["devices"][name].get("environment", header["environment"]) == told
