"""Promoted baselines: written so that a diff is readable, read back as they were, and refused wherever damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import own
from pytest_archbench.own import ADVICE, Difference, OwnBaselineError, differences, file_name, promote, read
from pytest_archbench.points import key
from pytest_archbench.records import Conditions, Point

TIMED = Point(
    architecture="resnet18",
    metric="latency",
    unit="s",
    value=0.1 + 0.2,
    run="night-01",
    commit="a" * 40,
    started="2026-01-01T03:00:00+00:00",
    conditions=Conditions("cpu", batch_size=8, input_shape=[3, 224, 224]),
    convention="wall time of a forward pass",
    trials=((0.3, 0.1), (0.4, None)),
    uncertainty=0.012345678901234567,
    fingerprint={"device.model": "EPYC", "device.cores": 2, "packages.torch": "2.14.0"},
)
COUNTED = replace(TIMED, metric="macs", unit="MAC", value=2**70 + 1, trials=(), uncertainty=None)
OF_GPU = replace(TIMED, conditions=replace(TIMED.conditions, device="cuda:0"))
LATER: dict[str, Any] = {"run": "night-02", "commit": "b" * 40, "started": "2026-01-02T03:00:00+00:00"}


def kinds(found: list[Difference]) -> list[tuple[str, str]]:
    return [(each.kind, each.after.metric) for each in found]


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_was_promoted_is_read_back_to_the_last_digit(tmp_path: Path) -> None:
    promote([TIMED, COUNTED, OF_GPU], tmp_path / "baselines" / "devices")
    found = read(tmp_path / "baselines" / "devices")
    assert found == {key(point): point for point in (TIMED, COUNTED, OF_GPU)}
    assert found[key(COUNTED)].value == 1180591620717411303425


def test_no_folder_is_no_baseline(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == {}


def test_every_device_has_a_file_with_a_header_and_sorted_lines(tmp_path: Path) -> None:
    others = [replace(TIMED, architecture=name) for name in ("vgg16", "alexnet")]
    promote([TIMED, *others, COUNTED, OF_GPU], tmp_path)
    assert sorted(texts(tmp_path)) == ["cpu.jsonl", "cuda-0.jsonl"]
    header, *lines = map(json.loads, texts(tmp_path)["cpu.jsonl"].splitlines())
    assert header == {"schema": 1, "device": "cpu", "promoted": "night-01"}
    assert [(line["architecture"], line["metric"]) for line in lines] == [
        ("alexnet", "latency"),
        ("resnet18", "latency"),
        ("resnet18", "macs"),
        ("vgg16", "latency"),
    ]
    assert list(lines[1])[:4] == ["architecture", "metric", "unit", "value"]


def test_a_file_depends_on_what_is_promoted_not_on_its_order(tmp_path: Path) -> None:
    promote([TIMED, COUNTED], tmp_path / "a")
    promote([COUNTED, TIMED], tmp_path / "b")
    assert texts(tmp_path / "a") == texts(tmp_path / "b")


def test_a_run_replaces_its_own_cases_and_keeps_the_others(tmp_path: Path) -> None:
    promote([TIMED, COUNTED, OF_GPU], tmp_path)
    of_gpu = texts(tmp_path)["cuda-0.jsonl"]
    faster = replace(TIMED, value=0.2, **LATER)
    small = replace(TIMED, conditions=replace(TIMED.conditions, batch_size=1), **LATER)
    found = promote([faster, small], tmp_path)
    assert kinds(found) == [("new", "latency"), ("changed", "latency"), ("kept", "macs")]
    assert (found[1].before, found[1].after) == (TIMED, faster)
    assert read(tmp_path) == {key(point): point for point in (faster, small, COUNTED, OF_GPU)}
    assert json.loads(texts(tmp_path)["cpu.jsonl"].splitlines()[0])["promoted"] == "night-02"
    assert texts(tmp_path)["cuda-0.jsonl"] == of_gpu


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    promote([TIMED], tmp_path)
    before, points = texts(tmp_path), [replace(TIMED, value=0.2), COUNTED]
    said = promote(points, tmp_path, dry_run=True)
    assert texts(tmp_path) == before
    assert said == promote(points, tmp_path)
    assert texts(tmp_path) != before


def test_a_count_that_ran_again_on_another_machine_is_no_change(tmp_path: Path) -> None:
    promote([TIMED, COUNTED], tmp_path)
    before = texts(tmp_path)
    conditions = replace(COUNTED.conditions, threads=2)
    again = replace(COUNTED, fingerprint={"packages.torch": "2.15.0"}, conditions=conditions, **LATER)
    found = promote([again], tmp_path)
    assert kinds(found) == [("kept", "latency"), ("unchanged", "macs")]
    assert found[1].after == COUNTED
    assert texts(tmp_path) == before


def test_a_time_under_another_torch_is_a_change_even_where_it_is_the_same(tmp_path: Path) -> None:
    again = replace(TIMED, fingerprint={**TIMED.fingerprint, "packages.torch": "2.15.0", "python": "3.11"}, **LATER)
    (found,) = differences({key(TIMED): TIMED}, [again])
    assert found.kind == "changed"
    assert found.facts == [("packages.torch", "2.14.0", "2.15.0"), ("python", "unknown", "3.11")]


@pytest.mark.parametrize(
    "changed",
    [
        {"value": 0.31},
        {"trials": ((0.3, 0.1),)},
        {"uncertainty": None},
        {"convention": "CPU time"},
        {"conditions": replace(TIMED.conditions, threads=2)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_judging_uses_is_a_change(changed: dict[str, Any]) -> None:
    (found,) = differences({key(TIMED): TIMED}, [replace(TIMED, **changed)])
    assert found.kind == "changed"


def test_a_new_case_has_no_facts_to_differ_in() -> None:
    (found,) = differences({}, [TIMED])
    assert (found.kind, found.facts) == ("new", [])


@pytest.mark.parametrize("name", ["", "cpu\n"])
def test_a_device_has_a_name_on_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(OwnBaselineError, match="device"):
        promote([replace(TIMED, conditions=replace(TIMED.conditions, device=name))], tmp_path / "devices")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".", "..", "../cpu", "a/b", "a\\b", "cuda (Jetson TX1)"])
def test_a_device_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    there = replace(TIMED, conditions=replace(TIMED.conditions, device=name))
    promote([there], tmp_path / "devices")
    assert [path.name for path in tmp_path.iterdir()] == ["devices"]
    (path,) = (tmp_path / "devices").iterdir()
    assert path.suffix == ".jsonl"
    assert list(read(tmp_path / "devices").values()) == [there]


def test_two_devices_do_not_share_a_file(tmp_path: Path) -> None:
    assert file_name("cuda:0") == "cuda-0.jsonl"
    promote([OF_GPU], tmp_path)
    before = texts(tmp_path)
    with pytest.raises(OwnBaselineError, match="devices 'cuda-0' and 'cuda:0' share a file"):
        promote([replace(TIMED, conditions=replace(TIMED.conditions, device="cuda-0"))], tmp_path)
    assert texts(tmp_path) == before


def test_nothing_is_written_over_a_damaged_file(tmp_path: Path) -> None:
    promote([TIMED], tmp_path)
    (tmp_path / "mps.jsonl").write_text("damaged\n")
    before = texts(tmp_path)
    with pytest.raises(OwnBaselineError, match=r"mps\.jsonl:1"):
        promote([replace(TIMED, value=1.0)], tmp_path)
    assert texts(tmp_path) == before


def test_a_point_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    for wrong, said in (
        ({"value": float("nan")}, "resnet18 latency: cannot be kept as JSON"),
        ({"fingerprint": {"device": object()}}, "resnet18 latency: cannot be kept as JSON"),
        ({"started": "yesterday"}, "resnet18 latency: started: expected a time"),
    ):
        with pytest.raises(OwnBaselineError, match=said):
            promote([replace(TIMED, **wrong)], tmp_path / "devices")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "devices").write_text("")
    with pytest.raises(OwnBaselineError, match="expected a folder of promoted baselines; got a file"):
        promote([TIMED], tmp_path / "devices")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OwnBaselineError, match=r"cpu\.jsonl: cannot be written: Not a directory"):
        promote([TIMED], tmp_path / "file" / "devices")


def lines(folder: Path) -> list[Any]:
    """Header and points of a good file, to be damaged."""
    promote([TIMED, COUNTED], folder)
    return [json.loads(line) for line in texts(folder)["cpu.jsonl"].splitlines()]


def damaged(folder: Path, number: int, **changed: Any) -> Path:
    """A file in whose line ``number`` keys are changed, or removed where None."""
    objects = lines(folder)
    objects[number - 1] = {name: fact for name, fact in {**objects[number - 1], **changed}.items() if fact != "removed"}
    return write(folder, [json.dumps(entry) for entry in objects])


def write(folder: Path, entries: list[str]) -> Path:
    path = folder / "cpu.jsonl"
    path.write_text("\n".join([*entries, ""]))
    return path


CONDITIONS = {**json.loads(json.dumps({"device": "cpu", "batch_size": 8, "input_shape": [3], "dtype": "float32"})),
              "threads": 1, "memory_format": "contiguous", "runtime": "eager"}  # fmt: skip
BAD: dict[str, tuple[int, dict[str, Any], str]] = {
    "another schema": (1, {"schema": 2}, "schema: expected 1, or the version that wrote it; got 2"),
    "no schema": (1, {"schema": "removed"}, "schema: the key is missing"),
    "another file": (1, {"device": "mps"}, "device: expected the device whose file is called cpu.jsonl; got 'mps'"),
    "a run that is a number": (1, {"promoted": 3}, "promoted: expected a str; got 3"),
    "a key misspelt": (2, {"vlaue": 1}, "'vlaue': unknown key: did you mean value?"),
    "a key removed": (3, {"uncertainty": "removed"}, "uncertainty: the key is missing"),
    "a value in words": (2, {"value": "fast"}, "value: expected a finite number; got 'fast'"),
    "no value": (2, {"value": None}, "value: expected a finite number; got None"),
    "yes for a value": (2, {"value": True}, "value: expected a finite number; got True"),
    "no number": (2, {"value": float("nan")}, "value: expected a finite number; got nan"),
    "a time in words": (2, {"started": "last night"}, "started: expected a time such as"),
    "conditions in words": (2, {"conditions": "quiet"}, "conditions: expected an object; got 'quiet'"),
    "an unknown condition": (
        2,
        {"conditions": {**CONDITIONS, "thread": 1}},
        "conditions.'thread': unknown key",
    ),
    "no batch": (
        2,
        {"conditions": {**CONDITIONS, "batch_size": 0}},
        "conditions: batch_size must be at least 1; got 0",
    ),
    "half a batch": (2, {"conditions": {**CONDITIONS, "batch_size": 1.5}}, "conditions.batch_size: expected a whole"),
    "a device elsewhere": (2, {"conditions": {**CONDITIONS, "device": "mps"}}, "device: expected 'cpu'; got 'mps'"),
    "trials in words": (2, {"trials": "two"}, "trials: expected pairs"),
    "a trial of three": (2, {"trials": [[1, 2, 3]]}, "trials: expected pairs of a number and a reference time"),
    "a reference of 0 s": (2, {"trials": [[1, 0]]}, "trials: expected pairs of a number and a reference time > 0"),
    "less than nothing": (2, {"uncertainty": -0.1}, "uncertainty: expected a fraction >= 0 or null; got -0.1"),
    "a case twice": (3, {"metric": "latency"}, "a case that is not in {path}:2 already"),
    "a fingerprint in a list": (2, {"fingerprint": []}, "fingerprint: expected an object of facts; got []"),
    "an endless fact": (2, {"fingerprint": {"device.clock": float("inf")}}, "fingerprint: expected an object of facts"),
    "a shape of no number": (2, {"conditions": {**CONDITIONS, "input_shape": [float("nan")]}}, "expected a shape, or"),
    "a bottomless fact": (2, {"fingerprint": {"device": [[[[[1]]]]]}}, "fingerprint: expected an object of facts"),
}


@pytest.mark.parametrize(("number", "changed", "message"), BAD.values(), ids=BAD)
def test_a_mistake_is_named_with_file_line_and_advice(
    tmp_path: Path, number: int, changed: dict[str, Any], message: str
) -> None:
    path = damaged(tmp_path, number, **changed)
    with pytest.raises(OwnBaselineError) as raised:
        read(tmp_path)
    assert str(raised.value).startswith(f"{path}:{number}: ")
    assert message.format(path=path) in str(raised.value)
    assert str(raised.value).endswith(ADVICE)


@pytest.mark.parametrize("content", [b"", b"\n", b"<<<<<<< HEAD\n", b"[]\n", b"7", b"\xff\xfe", b"[" * 10**5])
def test_what_is_no_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cpu.jsonl").write_bytes(content)
    with pytest.raises(OwnBaselineError, match=r"cpu\.jsonl"):
        read(tmp_path)


def test_a_file_may_end_without_newline_and_lines_with_a_carriage_return(tmp_path: Path) -> None:
    expected = {key(point): point for point in (TIMED, COUNTED)}
    objects = [json.dumps(entry) for entry in lines(tmp_path)]
    (tmp_path / "cpu.jsonl").write_bytes("\r\n".join(objects).encode())
    assert read(tmp_path) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_line_is_refused_or_a_point_that_can_be_promoted(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("devices")
    objects = lines(folder)
    place = data.draw(st.sampled_from([*objects, objects[1]["conditions"], objects[1]["fingerprint"]]))
    place[data.draw(st.sampled_from([*place, "another"]))] = data.draw(JSON)
    write(folder, [json.dumps(entry) for entry in objects])
    try:
        found = read(folder)
    except OwnBaselineError as error:
        assert ADVICE in str(error)  # noqa: PT017  whether it is raised depends on the damage
        return
    assert {each.kind for each in promote(found.values(), folder)} == {"unchanged"}


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 1500), garbage=st.binary(min_size=1, max_size=6))
def test_garbage_in_a_file_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, place: int, garbage: bytes
) -> None:
    folder = tmp_path_factory.mktemp("devices")
    lines(folder)
    whole = (folder / "cpu.jsonl").read_bytes()
    (folder / "cpu.jsonl").write_bytes(whole[:place] + garbage + whole[place + len(garbage) :])
    try:
        found = read(folder)
    except OwnBaselineError:
        return
    assert all(own.file_name(point.conditions.device) == "cpu.jsonl" for point in found.values())
