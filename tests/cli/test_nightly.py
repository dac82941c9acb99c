"""``archbench nightly``: nights that are good, bad, torn, late or taken twice; the history is whole after each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from pytest_archbench import history, nightly, own, store
from pytest_archbench.cli import main
from pytest_archbench.points import row_point
from pytest_archbench.records import Conditions, Measurement, Trial
from pytest_archbench.yardsticks import Yardsticks

HEADER: dict[str, Any] = {
    "schema": 1,
    "environment": {"python": "3.11.7", "system": "Linux", "machine": "x86_64", "packages": {"torch": "2.15.0"}},
    "devices": {"cpu": {"kind": "cpu", "model": "Abacus"}},
}
CPU = Conditions("cpu")
FIVE = (0.0098, 0.0099, 0.01, 0.0101, 0.0102)


def timed(pace: float = 1.0, name: str = "net") -> Measurement:
    """A time of 10 ms times ``pace``, of five processes."""
    trials = tuple(Trial((pace * each,) * 9, (0.001,) * 9) for each in FIVE)
    samples = tuple(sample for trial in trials for sample in trial.samples)
    return Measurement(name, "latency", "s", "ok", CPU, samples, trials=trials)


def counted(count: int = 10) -> Measurement:
    return Measurement("net", "params", "count", "ok", CPU, (count,))


class Nights:
    """A project with a history: its journals are judged as a run judges."""

    def __init__(self, folder: Path) -> None:
        self.history, self.baselines = folder / "history", folder / "baselines"
        self.journal = folder / "journal.jsonl"
        self.history.mkdir(parents=True)

    def write(self, day: int, *measurements: Measurement, nights: int = 20, **facts: Any) -> Path:
        stamp = f"2026-{1 + day // 28:02}-{1 + day % 28:02}T03:00:00+00:00"
        header = {**HEADER, "run": f"night-{day}", "started": stamp, "commit": f"{day:040x}", **facts}
        yardsticks = Yardsticks.of(header, self.baselines, self.history, nights)
        rows = [store.row(each, yardsticks.verdicts(each)) for each in measurements]
        self.journal.write_text("".join(json.dumps(line) + "\n" for line in (header, *rows)))
        return self.journal

    def call(self, *arguments: str) -> Result:
        command = ["nightly", f"--history={self.history}", f"--baselines={self.baselines}", *arguments]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    def take(self, day: int, *measurements: Measurement, more: Sequence[str] = ("--no-pages",), **facts: Any) -> Result:
        judged_by = next((int(each.partition("=")[2]) for each in more if each.startswith("--nights=")), 20)
        journal = self.write(day, *measurements, nights=judged_by, **facts)
        return self.call(f"--night=night {day}", f"--journal={journal}", f"--repository={self.history}", *more)

    @property
    def runs(self) -> tuple[str, ...]:
        return history.load(self.history).runs

    @property
    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted((self.history / "nights").rglob("*.gz"))}


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def test_good_nights_are_kept_and_pass(nights: Nights) -> None:
    for day in range(7):
        found = nights.take(day, timed(1 + day / 1000), counted())
        assert found.exit_code == 0, found.output
    assert nights.runs == tuple(f"night-{day}" for day in range(7))
    assert found.output.startswith("# Night night 6: no alarm in 2 cases\n")
    assert (nights.history / "nightly.md").read_text() == "# Night night 6: no alarm in 2 cases\n"


def test_a_regression_alarms_every_night_until_it_is_promoted(nights: Nights) -> None:
    codes = []
    for day in range(12):
        found = nights.take(day, timed(1.3 if day >= 7 else 1.0), counted())
        codes.append(found.exit_code)
        if day == 7:
            assert "# Night night 7: 1 alarm in 2 cases" in found.output
            assert "- **regressed** `net latency cpu bs1`: net latency: 13.00 ms, regressed (+30.0 %)" in found.output
            assert "accepted with `archbench promote`" in found.output
            # who did it is not known here: the commits are in no repository
            assert "expected" in found.output or "not a git repository" in found.output
        if day == 9:
            run = next(path for path in (nights.history / "journals").glob("night-9*"))
            promoted = CliRunner().invoke(main, ["promote", str(run), f"--baselines={nights.baselines}"])
            assert promoted.exit_code == 0, promoted.output
    assert codes == [0] * 7 + [1] * 3 + [0] * 2


def test_a_count_that_changed_alarms(nights: Nights) -> None:
    nights.take(0, counted())
    found = nights.take(1, counted(11))
    assert found.exit_code == 1
    assert "- **regressed** `net params cpu bs1`: net params: 11" in found.output
    assert nights.take(2, counted(11)).exit_code == 1, "the graph is still another"
    assert nights.take(3, counted(10)).exit_code == 0


def test_a_step_too_small_for_one_night_alarms_once_it_has_lasted(nights: Nights) -> None:
    """The nights scatter by 1.5 %, so of a hundred series one may be 6 % off; +5 % is seen once it lasts."""
    scatter = (0, 0.02, -0.02, 0.01, -0.01, 0.02, -0.02, 0, 0.015, -0.015)
    others = [timed(name=f"other{place}") for place in range(100)]
    kinds = []
    for day in range(40):
        pace = (1.055 if day >= 20 else 1) * (1 + scatter[day % 10])
        found = nights.take(day, timed(pace), *(others if day < 39 else ()))
        kinds.append("step" if "**step** `net latency" in found.output else found.exit_code)
    assert kinds[:21] == [0] * 21
    assert kinds[-1] == "step"


def test_slow_drift_alarms_though_no_night_does(nights: Nights) -> None:
    found = [nights.take(day, timed(1.003**day)) for day in range(20)]
    codes = [each.exit_code for each in found]
    first = codes.index(1)
    # five nights tell where it began (the third of them), five are the last: 1.003 ** (first - 2 - 2) > 1.04 from 18 on
    assert first == 18
    assert "**drift** `net latency cpu bs1`: net latency of the last 5 runs is worse by +" in found[first].output


def test_a_drift_for_the_better_is_no_alarm(nights: Nights) -> None:
    assert {nights.take(day, timed(0.997**day)).exit_code for day in range(22)} == {0}


def test_who_did_it_is_told_where_the_repository_knows(nights: Nights, tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=Ada", "-c", "user.email=ada@here"]
    subprocess.run([*git, "init", "-q"], check=True)
    commits = []
    for subject in ("The network", "Wider <b>", "Unrelated"):
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", subject], check=True)
        commits.append(subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip())
    nights.take(0, counted(), commit=commits[0])
    found = nights.take(1, counted(11), commit=commits[1], more=("--no-pages", f"--repository={tmp_path}"))
    assert "  - 1 commit in " in found.output
    assert f"  {commits[1][:7]}  Ada: Wider &lt;b&gt;" in found.output
    assert "Unrelated" not in found.output


def test_the_same_night_again_changes_nothing_and_has_the_same_code(nights: Nights) -> None:
    nights.take(0, counted())
    first = nights.take(1, counted(11))
    before = nights.files
    again = nights.take(1, counted(11))
    assert (again.exit_code, again.output) == (first.exit_code, first.output)
    assert nights.files == before


def test_a_night_whose_clock_went_backwards_is_refused_and_the_history_is_whole(nights: Nights) -> None:
    nights.take(3, counted())
    before = nights.files
    found = nights.take(1, counted())
    assert found.exit_code == 2
    assert "set the clock" in found.output
    assert nights.files == before
    assert nights.take(4, counted()).exit_code == 0


def test_a_broken_kept_night_is_named_and_the_others_judge(nights: Nights) -> None:
    for day in range(7):
        nights.take(day, timed())
    path = Path(next(iter(nights.files)))
    path.write_bytes(path.read_bytes()[:50])
    found = nights.take(7, timed(1.3))
    assert found.exit_code == 1
    assert f"left out: {path}: expected a kept night; it is damaged" in found.output
    assert "from the median of 6 runs" in found.output


def test_whole_journals_go_after_their_time_and_what_judges_stays(nights: Nights) -> None:
    for day in range(5):
        found = nights.take(day, counted(), more=("--no-pages", "--keep-journals=2"))
    assert "1 whole journal taken away: night-2" in found.output
    left = sorted(path.name for path in (nights.history / "journals").iterdir())
    assert [name[:7] for name in left] == ["night-3", "night-4"]
    assert len(nights.runs) == 5


def test_a_night_without_measured_values_is_refused(nights: Nights) -> None:
    nights.take(0, counted())
    failed = replace(counted(), samples=(), status="crashed", message="it died")
    found = nights.take(1, failed)
    assert found.exit_code == 2
    assert "expected measured values; got none" in found.output
    assert nights.runs == ("night-0",)


def test_a_failure_in_the_run_gates_though_nothing_alarms(nights: Nights) -> None:
    failed = replace(timed(), samples=(), trials=(), status="crashed", message="it died")
    found = nights.take(0, counted(), failed)
    assert found.exit_code == 1
    assert found.output.split("\n\n") == [
        "# Night night 0: no alarm in 1 case",
        "Failed without an alarm: 1.",
        "- **crashed** `net latency cpu bs1`: it died",
        "Not judged by the past: 1 no baseline.\n",
    ]
    assert nights.runs == ("night-0",)


def test_two_nights_at_once_are_one_too_many(nights: Nights) -> None:
    with FileLock(nights.history / ".lock"):
        found = nights.take(0, counted())
    assert found.exit_code == 2
    assert "another night is at work here" in found.output


def test_arguments_for_pytest_beside_a_finished_run_are_a_mistake(nights: Nights) -> None:
    journal = nights.write(0, counted())
    found = nights.call(f"--journal={journal}", "--", "-x")
    assert (found.exit_code, nights.runs) == (2, ())
    assert "arguments for pytest have no meaning" in found.output


def test_the_point_of_an_alarm_says_so_wherever_it_is_read(nights: Nights) -> None:
    nights.take(0, counted())
    nights.take(1, counted(11))
    run = store.read(nights.journal)
    point = row_point(run.rows[0], run.header)
    assert point is not None
    own.promote([point], nights.baselines)
    assert [each.alarmed for each in own.read(nights.baselines).values()] == [True]
    assert [each.alarmed for each in next(iter(history.load(nights.history).series.values()))] == [False, True]


PROJECT = """
[tool.archbench]
suite = "user"
metric = "params"
[tool.archbench.architectures]
one = {factory = "nets:one", input = [3, 8, 8]}
two = {factory = "nets:two", input = [3, 8, 8]}
"""
NETS = """
import os, time
from pathlib import Path
from torch import nn

def one():
    return nn.Linear(8, 8)

def two():
    if Path("slow").exists():
        Path("reached").touch()
        time.sleep(600)
    return nn.Linear(8, 8)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path


CLI = "from pytest_archbench.cli import main; main()"
COMMAND = [sys.executable, "-c", CLI, "nightly", "--no-pages", "--night=2026-01-31"]


def test_a_night_that_is_killed_goes_on_and_leaves_the_history_whole(project: Path) -> None:
    """A real run, killed with all it started in its second case; then the same command again, and again."""
    (project / "slow").touch()
    process = subprocess.Popen(COMMAND, cwd=project, start_new_session=True, stdout=subprocess.DEVNULL)
    while not (project / "reached").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (project / "history" / "nights").exists()
    (project / "slow").unlink()
    done = subprocess.run(COMMAND, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = history.load(project / "history").runs
    journal = project / "history" / "journals" / "2026-01-31" / store.JOURNAL
    assert [row["architecture"] for row in store.read(journal).rows] == ["one", "two"]
    again = subprocess.run(COMMAND, cwd=project, capture_output=True, text=True)
    assert again.returncode == 0
    assert "test session starts" not in again.stdout, "it was measured already"
    assert history.load(project / "history").runs == (run,)


def test_a_night_that_ends_early_has_pytests_code_and_adds_nothing(project: Path) -> None:
    found = subprocess.run([*COMMAND, "--", "--archbench-arch=thre"], cwd=project, capture_output=True, text=True)
    assert found.returncode == 4
    assert "the run ended early (exit code 4): the history is as it was" in found.stderr
    assert not (project / "history" / "nights").exists()
    assert nightly.DONE == (0, 1)


def test_an_alarm_of_months_ends_when_it_is_mended_and_not_before(nights: Nights) -> None:
    """With the last ten nights read at once: what was before the alarm is read on."""
    codes = []
    for day in range(8):
        nights.take(day, timed(), counted())
    for day in range(8, 30):
        codes.append(nights.take(day, timed(1.042), counted(11), more=FEW).exit_code)
    assert codes == [1] * 22
    assert nights.take(30, timed(), counted(12), more=FEW).exit_code == 1, "the count is worse yet"
    last = [nights.take(day, timed(), counted(10), more=FEW) for day in range(31, 36)]
    assert [found.exit_code for found in last][-1] == 0
    assert "regressed" not in "".join(found.output for found in last)


FEW = ("--no-pages", "--nights=5")


def test_what_is_measured_now_and_then_is_judged_by_all_that_was(nights: Nights) -> None:
    for day in range(72):
        if day % 12:
            nights.take(day, counted(), more=FEW)
        else:
            found = nights.take(day, counted(), timed(), more=FEW)
    assert found.exit_code == 0
    assert nights.take(72, counted(), timed(1.3), more=FEW).exit_code == 1


def test_drift_of_a_network_that_came_later_and_steps_within_the_tolerance_add_up(nights: Nights) -> None:
    kinds = []
    for day in range(75):
        pace = 1 if day < 30 else 1.039 if day < 50 else 1.079
        late = [timed(1.0008 ** (day - 8), name="late")] if day >= 8 else []
        found = nights.take(day, timed(pace), *late)
        kinds.append({name for name in ("net", "late") if f"**drift** `{name} latency" in found.output})
    first = {name: next(day for day, found in enumerate(kinds) if name in found) for name in ("net", "late")}
    assert 50 <= first["net"] <= 55
    assert first["late"] < 75
    assert all("net" in found for found in kinds[first["net"] :])
