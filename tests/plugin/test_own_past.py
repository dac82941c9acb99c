"""Bench runs judged by promoted values and by earlier runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from lifecycle import SLEEPING, Ran, bench, journal, only, outcomes, run, write

from pytest_archbench import own, store
from pytest_archbench.points import points_of

NETS = (
    SLEEPING
    + """

def net():
    return Sleeping({seconds}, {width})


def moody():
    if os.path.exists("slow_once"):
        with open("slow_once", "r+") as first:
            mine = str(os.getpid())
            if (first.read() or first.write(mine) and mine) == mine:  # also where a disturbed trial is taken again
                return Sleeping(0.025)
    return Sleeping({seconds})
"""
)
# Ten times as long or as short is told apart whatever else the machine does to the reference workload meanwhile.
USUAL = NETS.format(seconds=0.0025, width=2)
SLOWER = NETS.format(seconds=0.025, width=2)
FASTER = NETS.format(seconds=0.0005, width=2)
FASTER_AND_WIDER = NETS.format(seconds=0.0005, width=3)
PROJECT = """
[tool.archbench]
suite = "user"
metric = ["params", "latency", "peak_memory"]

[tool.archbench.architectures]
moody = {factory = "nets:moody", input = [4]}
net = {factory = "nets:net", input = [4]}
"""


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Temporary files, and with them locks, of these runs alone: they wait for nobody."""
    return {"TMPDIR": str(tmp_path_factory.mktemp("temporary"))}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, temporary: Mapping[str, str]) -> Ran:
    """An ordinary run, each time spread over three processes."""
    folder = tmp_path_factory.mktemp("first")
    write(folder, {"nets.py": USUAL, "pyproject.toml": PROJECT})
    return bench(folder, "--archbench-processes=3", env=temporary)


def test_a_time_is_spread_over_as_many_processes_as_asked_for(first: Ran) -> None:
    assert first.code == 0, first.output
    (row,) = only(first.rows, "net")
    assert len(row["trials"]) == 3
    assert sum(trial["samples"] for trial in row["trials"]) == len(row["samples"])
    assert all(trial["reference"] for trial in row["trials"])
    assert first.header["environment"]["processes"] == 3
    (count,) = only(first.rows, "net", "params")
    assert count["trials"] == []


@pytest.fixture
def promoted(first: Ran, tmp_path: Path) -> Path:
    """A project whose first run was promoted."""
    write(tmp_path, {"nets.py": USUAL, "pyproject.toml": PROJECT})
    own.promote(points_of(store.read(first.folder / "reports")).values(), tmp_path / "baselines/devices")
    return tmp_path


OURS = ("-k", "net-cpu and not peak")


def source(first: Ran) -> str:
    return f"run {first.header['run']}"


def test_unchanged_code_passes(promoted: Path, first: Ran, temporary: Mapping[str, str]) -> None:
    """Memory and counts: a time of one process may be some per cent off and say so."""
    ran = bench(promoted, "-k", "params or peak", env=temporary)
    assert (ran.code, ran.outcomes) == (0, {"passed": 4, "deselected": 2}), ran.output
    for row in ran.rows:
        (_, verdict) = row["verdicts"]
        assert (verdict["outcome"], verdict["source"]) == ("passed", source(first))


def test_an_alarm_that_a_second_run_confirms_fails(promoted: Path, first: Ran, temporary: Mapping[str, str]) -> None:
    write(promoted, {"nets.py": SLOWER})
    ran = bench(promoted, *OURS, env=temporary)
    assert (ran.code, ran.outcomes) == (1, {"passed": 1, "failed": 1, "deselected": 4}), ran.output
    alarm, confirmed = only(ran.rows, "net")
    assert outcomes(alarm) == ["inconclusive"]
    assert alarm["verdicts"][0]["reason"].endswith("; measured once more before this is an alarm")
    assert outcomes(confirmed)[-1] == "regressed"
    verdict = confirmed["verdicts"][1]
    assert f", regressed (+{100 * verdict['change']:.1f} %) from {source(first)} 2." in verdict["reason"]
    assert verdict["change"] > 1
    assert verdict["reason"] in ran.output
    assert alarm["samples"] != confirmed["samples"]


def test_an_alarm_that_no_second_run_confirms_passes(promoted: Path, temporary: Mapping[str, str]) -> None:
    """Only the first process that builds it is slow."""
    write(promoted, {"slow_once": "", "nets.py": FASTER})
    ran = bench(promoted, "-k", "moody and latency", env=temporary)
    assert (ran.code, ran.outcomes) == (0, {"passed": 1, "deselected": 5}), ran.output
    alarm, second = only(ran.rows, "moody")
    assert outcomes(alarm) == ["inconclusive"]
    assert alarm["value"] >= 0.025 > 0.0025 > second["value"]
    assert outcomes(second) == ["no baseline", "improved"]
    assert "regressed" not in ran.output


def test_what_is_faster_passes_and_a_changed_count_fails(
    promoted: Path, first: Ran, temporary: Mapping[str, str]
) -> None:
    write(promoted, {"nets.py": FASTER_AND_WIDER})
    ran = bench(promoted, *OURS, env=temporary)
    assert (ran.code, ran.outcomes) == (1, {"passed": 1, "failed": 1, "deselected": 4}), ran.output
    (faster,), (wider,) = only(ran.rows, "net"), only(ran.rows, "net", "params")
    assert outcomes(faster) == ["no baseline", "improved"]
    assert "promote the run to keep the gain" in faster["verdicts"][1]["reason"]
    assert outcomes(wider) == ["no baseline", "deviates"]
    assert f"net params: 15, deviates (+50.0 %) from {source(first)} 10: 15 instead of 10" in ran.output


def test_another_device_is_named_and_nothing_judged(promoted: Path, temporary: Mapping[str, str]) -> None:
    path = promoted / "baselines/devices/cpu.jsonl"
    head, *lines = path.read_text().splitlines()
    points = [json.loads(line) for line in lines]
    model = points[0]["fingerprint"]["device.model"]
    for point in points:
        point["fingerprint"]["device.model"] = "Abacus 9000"
    path.write_text("\n".join([head, *map(json.dumps, points)]) + "\n")
    ran = bench(promoted, *OURS, "-rs", env=temporary)
    assert (ran.code, ran.outcomes) == (0, {"passed": 1, "skipped": 1, "deselected": 4}), ran.output
    assert f"device.model is {model} here and Abacus 9000 there" in ran.output
    (row,) = only(ran.rows, "net")
    assert outcomes(row) == ["no baseline", "incomparable"]
    (count,) = only(ran.rows, "net", "params")
    assert outcomes(count) == ["no baseline", "passed"], "a count compares whatever the device"


def test_a_damaged_file_is_refused_with_its_line(promoted: Path, temporary: Mapping[str, str]) -> None:
    path = promoted / "baselines/devices/cpu.jsonl"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace('"value"', '"valeu"')
    path.write_text("\n".join(lines) + "\n")
    said = run(promoted, "--archbench", env=temporary).refuses()
    assert f"archbench: {path}:2: 'valeu': unknown key: did you mean value?" in said
    assert not (promoted / "reports").exists()


def nights(first: Ran, folder: Path, number: int, spread: float = 1.01) -> None:
    """Earlier runs: the first one's journal under other names and days, its times longer or shorter by a factor."""
    header, *rows = journal(first.folder)
    for night in range(number):
        factor = spread ** (night % 3 - 1)
        facts = {"run": f"night-{night}", "started": f"2026-01-{night + 1:02d}T03:00:00+00:00"}
        varied = [
            {**row, "samples": [factor * value for value in row["samples"]], "value": factor * row["value"]}
            if row["metric"] == "latency"
            else row
            for row in rows
        ]
        text = "".join(json.dumps(entry) + "\n" for entry in ({**header, **facts}, *varied))
        write(folder, {f"nights/{night}.jsonl": text})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, {"nets.py": USUAL, "pyproject.toml": PROJECT})


HISTORY = ("--archbench-history=nights", *OURS)


def test_it_is_judged_by_its_history(project: Path, first: Ran, temporary: Mapping[str, str]) -> None:
    nights(first, project, 6)
    write(project, {"nights/torn.jsonl": '{"schema": 1, "run": "torn"\n{}\n', "nets.py": SLOWER})
    ran = bench(project, *HISTORY, env=temporary)
    assert (ran.code, ran.outcomes) == (1, {"passed": 1, "failed": 1, "deselected": 4}), ran.output
    alarm, confirmed = only(ran.rows, "net")
    assert outcomes(alarm) == ["inconclusive"]
    assert outcomes(confirmed)[-1] == "regressed"
    assert "from the median of 6 runs 2." in confirmed["verdicts"][1]["reason"]
    (count,) = only(ran.rows, "net", "params")
    assert outcomes(count) == ["no baseline", "passed"]
    assert count["verdicts"][1]["source"] == "run night-5"
    # The damaged journal is said to be missing, once.
    (line,) = [line for line in ran.output.splitlines() if "torn.jsonl" in line]
    assert line.startswith(f"left out of the history: {project / 'nights/torn.jsonl'}:1: not a JSON object (")


def test_unchanged_code_passes_by_its_history(project: Path, first: Ran, temporary: Mapping[str, str]) -> None:
    """Nights that differ threefold, so that what this machine does now is nothing unusual."""
    nights(first, project, 5, spread=3.0)
    ran = bench(project, *HISTORY, env=temporary)
    assert (ran.code, ran.outcomes) == (0, {"passed": 2, "deselected": 4}), ran.output
    (row,) = only(ran.rows, "net")
    assert outcomes(row) == ["no baseline", "passed"]
    assert "left out" not in ran.output


def test_a_short_history_is_no_baseline(project: Path, first: Ran, temporary: Mapping[str, str]) -> None:
    nights(first, project, 4)
    ran = bench(project, *HISTORY, env=temporary)
    assert (ran.code, ran.outcomes) == (0, {"passed": 1, "skipped": 1, "deselected": 4}), ran.output
    (row,) = only(ran.rows, "net")
    assert outcomes(row) == ["no baseline", "no baseline"]
    assert "5 comparable earlier runs are needed and there are 4: run 1 more" in row["verdicts"][1]["reason"]


def test_a_history_that_is_not_there_is_refused(project: Path, temporary: Mapping[str, str]) -> None:
    said = run(project, "--archbench", *HISTORY, env=temporary).refuses()
    assert (
        f"archbench: {project / 'nights'}: expected a folder of journals; got nothing; name one that is there" in said
    )
    write(project, {"nights": "a file"})
    assert "expected a folder of journals; got a file" in run(project, "--archbench", *HISTORY, env=temporary).refuses()
