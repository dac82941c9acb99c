"""``archbench history show``: what a terminal prints of a network's nights, and who changed them and when."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import journal, latency, macs, row

from pytest_archbench import nights, store
from pytest_archbench.cli import main
from pytest_archbench.records import Conditions, Measurement, Trial

AUTHORS = ("Ada Miller", "Bo Chen", "Chiara Rossi")


def show(folder: Path, *arguments: str, columns: int = 120, charset: str = "utf-8") -> Result:
    command = ["history", "show", f"--history={folder}", f"--repository={folder}", *arguments]
    return CliRunner(charset=charset).invoke(main, command, env={"COLUMNS": str(columns)})


def lines(result: Result) -> list[str]:
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


def git(folder: Path, *arguments: str, **environment: str) -> str:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def headed(path: Path, **changed: Any) -> Path:
    """A journal with other facts in its header."""
    first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text(json.dumps({**json.loads(first), **changed}) + "\n" + "".join(rest))
    return path


@pytest.fixture
def project(tmp_path: Path) -> tuple[Path, list[str]]:
    """A repository with eight nights of a commit each: a count changes in the fifth, in which timm changed as well."""
    git(tmp_path, "init", "-q")
    commits = []
    for night in range(1, 9):
        who = {"GIT_AUTHOR_NAME": AUTHORS[night % 3], "GIT_AUTHOR_DATE": f"2026-01-{night:02}T01:00:00+00:00"}
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", f"Change {night}", **who)
        commits.append(git(tmp_path, "rev-parse", "HEAD"))
        path = journal(tmp_path / f"{night}.jsonl", night, macs(1000 if night < 5 else 1250))
        packages = {"torch": "2.14.0", "timm": "1.0.30" if night < 5 else "1.0.31"}
        headed(path, commit=commits[-1], dirty=night == 5, environment={"packages": packages})
    return tmp_path, commits


def test_it_shows_the_nights_the_step_the_author_and_what_else_changed(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    assert lines(show(folder, "resnet18")) == [
        "resnet18",
        "  macs cpu bs1: 1.250 kMAC",
        "    ▁▁▁▁████",
        "    8 nights, 2026-01-01 to 2026-01-08; 1.000 kMAC to 1.250 kMAC",
        "    step 1.000 kMAC -> 1.250 kMAC (+25.0 %) from run night-04 of 2026-01-04 to run night-05 of 2026-01-05",
        f"      1 commit in {commits[3][:7]}..{commits[4][:7]}:",
        f"        2026-01-05  {commits[4][:7]}  Chiara Rossi: Change 5",
        "      and uncommitted changes in night-05",
        "      packages.timm 1.0.30 -> 1.0.31",
    ]


def test_it_tells_five_commits_and_counts_the_others(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    for night in range(2, 8):  # of the nights 1 and 8 alone a series is left
        (folder / f"{night}.jsonl").unlink()
    told = lines(show(folder, "resnet*", "macs"))
    assert told[5] == f"      7 commits in {commits[0][:7]}..{commits[7][:7]}:"
    assert [line.split(": ")[1] for line in told[6:11]] == [f"Change {night}" for night in (8, 7, 6, 5, 4)]
    assert told[11:13] == ["        and 2 before", "      packages.timm 1.0.30 -> 1.0.31"]


def test_without_the_commits_it_says_why(project: tuple[Path, list[str]]) -> None:
    folder, commits = project
    git(folder, "clone", "-q", "--depth=1", f"file://{folder}", "shallow")
    told = lines(show(folder, "resnet18", f"--repository={folder / 'shallow'}", columns=200))
    why = f"commit {commits[3][:7]} is not here: this clone is shallow: `git fetch --unshallow` brings the rest"
    assert f"      {folder / 'shallow'}: {why}" in told


def test_gaps_borders_and_marks_are_seen(tmp_path: Path) -> None:
    """Eight nights of times: the third without, another torch from the sixth on, an alarm and one in doubt."""
    alarm = {"verdicts": [{"outcome": "regressed", "reason": "worse", "source": "run x"}]}
    for night in range(1, 9):
        seconds = {3: (), 4: (latency(0.2, **alarm),), 7: (latency(0.1, imprecise="a neighbour"),)}
        rows = (macs(7), *seconds.get(night, (latency(0.1),)))
        journal(tmp_path / f"{night}.jsonl", night, *rows, torch="2.14.0" if night < 6 else "2.15.0")
    assert lines(show(tmp_path, "resnet18", "latency"))[1:] == [
        "  latency cpu bs1: 100.0 ms",
        "    ▁▁·█▁|▁▁▁",
        "       !   ?",
        "    7 nights, 2026-01-01 to 2026-01-08; 100.0 ms to 200.0 ms",
        "    begins anew on 2026-01-06: packages.torch 2.14.0 -> 2.15.0",
        "    too few nights that compare for a step: 4 of 6",
    ]
    assert lines(show(tmp_path, "resnet18", "latency", charset="ascii"))[2] == "    11.81|111"


def test_a_night_less_is_no_gap_for_another_device(tmp_path: Path) -> None:
    journal(tmp_path / "1.jsonl", 1, latency(0.1), latency(0.01, device="cuda:0"))
    journal(tmp_path / "2.jsonl", 2, latency(0.01, device="cuda:0"))
    journal(tmp_path / "3.jsonl", 3, latency(0.1), latency(0.01, device="cuda:0"))
    told = lines(show(tmp_path, "resnet18", "--variant=eager"))
    assert told[1:3] == ["  latency cpu bs1: 100.0 ms", "    ▅▅"]
    assert told[5:7] == ["  latency cuda:0 bs1: 10.00 ms", "    ▅▅▅"]


def test_it_keeps_within_a_narrow_terminal(tmp_path: Path) -> None:
    for night in range(1, 29):
        journal(tmp_path / f"{night}.jsonl", night, latency(0.1 * (1 + night % 3 / 1000) * (1.2 if night > 14 else 1)))
    told = lines(show(tmp_path, "resnet18", columns=24))
    assert "    ▁▁▁▁▁▁▁▁▁▁██████████" in told
    assert max(map(len, told)) <= 24
    assert "step worse by +20.0 % from run night-14 of 2026-01-14 to run night-15 of 2026-01-15" in " ".join(
        word for line in told for word in line.split()
    )


def test_drift_is_measured_from_the_promoted_run(tmp_path: Path) -> None:
    for night in range(1, 9):
        journal(tmp_path / f"{night}.jsonl", night, latency(0.05 + night % 3 * 1e-5))
    journal(tmp_path / "old" / "run" / "measurements.jsonl", 1, latency(0.04))
    made = CliRunner().invoke(main, ["promote", f"{tmp_path}/old/run", f"--baselines={tmp_path}/own/devices"])
    assert made.exit_code == 0
    told = lines(show(tmp_path, "resnet18", f"--baselines={tmp_path}/own/devices"))
    assert told[4] == "    drift worse by +25.0 % from run night-01 of 2026-01-01 to run night-04 of 2026-01-04"


def test_kept_nights_are_shown_as_journals_are(project: tuple[Path, list[str]]) -> None:
    folder, _ = project
    before = lines(show(folder, "resnet18"))
    for path in sorted(folder.glob("*.jsonl")):
        nights.keep(nights.read(path), folder)
        path.unlink()
    assert lines(show(folder, "resnet18")) == before
    assert lines(show(folder, "resnet18", "--last=2"))[2:4] == [
        "    ▅▅",
        "    2 nights, 2026-01-07 to 2026-01-08; always the same",
    ]


@pytest.mark.parametrize(
    ("seconds", "reference", "said", "is_the_reference"),
    [
        (0.4, 0.05, "worse by +100.0 % from run", False),
        (0.4, 0.1 / 3, "worse by +200.0 % (normalised by the reference workload; raw +100.0 %) from run", False),
        (0.2, 0.025, "worse by +100.0 % (normalised by the reference workload; raw +0.0 %) from run", True),
    ],
)
def test_a_step_says_where_the_reference_workload_moved(
    tmp_path: Path, seconds: float, reference: float, said: str, is_the_reference: bool
) -> None:
    """0.2 s are four times the reference's 0.05 s, 0.4 s eight times, or twelve times what it takes faster."""
    for night in range(1, 9):
        took, beside = (0.2, 0.05) if night < 5 else (seconds, reference)
        trials = tuple(Trial((took,) * 3, (beside,)) for _ in range(3))
        found = Measurement("net", "latency", "s", "ok", Conditions("cpu"), (took,) * 9, trials=trials)
        journal(tmp_path / f"{night}.jsonl", night, store.row(found, []))
    step, then = lines(show(tmp_path, "net", columns=300))[4:6]
    assert step.startswith(f"    step {said}")
    assert ("the network takes what it took" in then) == is_the_reference


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet81"], "MODEL: no series of a network 'resnet81': did you mean resnet18?"),
        (["resnet18", "latncy"], "METRIC: no series with 'latncy': did you mean latency? known: latency, macs"),
        (["*", "--device=cdua"], "--device: no series with 'cdua': known: cpu"),
        (["*", "--batch-size=8"], "--batch-size: no series with '8': known: 1"),
        (["*", "--variant=compile"], "--variant: no series with 'compile': known: eager"),
        (["*", "--last=x"], "'x' is not a valid integer"),
        (["*", "--last=-1"], "-1 is not in the range x>=0"),
    ],
)
def test_a_mistake_is_a_sentence_with_what_is_there(tmp_path: Path, arguments: list[str], said: str) -> None:
    journal(tmp_path / "1.jsonl", 1, macs(7), latency(0.1))
    result = show(tmp_path, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_it_names_what_it_leaves_out_and_goes_on(tmp_path: Path) -> None:
    journal(tmp_path / "1.jsonl", 1, macs(7), row("warmth", "K", 300.0), row("latency", "s"))
    (tmp_path / "2.jsonl").write_text("[]\n")
    result = show(tmp_path, "resnet18")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "  macs cpu bs1: 7 MAC"
    assert result.stderr.splitlines() == [
        "left out: series of the unknown metric warmth",
        f"left out: {tmp_path}/2.jsonl:1: expected a JSON object; got list",
    ]


def test_an_empty_history_says_so(tmp_path: Path) -> None:
    assert lines(show(tmp_path, "resnet18")) == [f"{tmp_path}: 0 runs with no series"]


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(TEXT, TEXT, st.integers(1, 10**18))
def test_no_name_from_a_journal_reaches_the_terminal_raw(
    tmp_path_factory: pytest.TempPathFactory, name: str, version: str, count: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    journal(folder / "1.jsonl", 1, macs(count, architecture=name))
    changed = journal(folder / "2.jsonl", 2, macs(count + 1, architecture=name))
    headed(changed, environment={"packages": {"torch": version}})
    result = show(folder, "*")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert all(line.isprintable() for line in result.output.splitlines())
