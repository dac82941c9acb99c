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


CLI = "from pytest_archbench.cli import main; main()"


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


def test_a_run_that_forgot_its_history_is_judged_by_it_all_the_same(nights: Nights) -> None:
    for day in range(8):
        assert nights.take(day, timed(), counted()).exit_code == 0
    journal = nights.write(8, timed(1.3), counted(11))
    header, *rows = map(json.loads, journal.read_text().splitlines())
    journal.write_text(
        "".join(json.dumps(line) + "\n" for line in (header, *({**row, "verdicts": []} for row in rows)))
    )
    found = nights.call("--night=8", f"--journal={journal}", "--no-pages")
    assert found.exit_code == 1
    assert "# Night 8: 2 alarms in 2 cases" in found.output
    assert "judged after the run, so not confirmed by a second measurement" in found.output
    assert "Not judged" not in found.output
    past = history.load(nights.history)
    assert {series[-1].alarmed for series in past.series.values()} == {True}
    again = nights.call("--night=8", f"--journal={journal}", "--no-pages")
    assert (again.exit_code, again.output) == (found.exit_code, found.output)


def test_what_was_not_judged_is_counted(nights: Nights) -> None:
    found = nights.take(0, timed(), counted())
    assert found.output == "# Night night 0: no alarm in 2 cases\n\nNot judged by the past: 2 no baseline.\n"
    other = {**HEADER["environment"], "packages": {"torch": "2.16.0"}}
    own.promote(
        [point for series in history.load(nights.history).series.values() for point in series], nights.baselines
    )
    found = nights.take(1, timed(), counted(), environment=other)
    assert "Not judged by the past: 1 incomparable.\n" in found.output


def test_a_promoted_case_that_is_out_of_memory_says_what_it_had(nights: Nights) -> None:
    nights.take(0, timed(), counted())
    own.promote(
        [point for series in history.load(nights.history).series.values() for point in series], nights.baselines
    )
    full = replace(timed(), samples=(), trials=(), status="oom", message="no memory left")
    found = nights.take(1, full, counted())
    assert found.exit_code == 1
    assert "- **oom** `net latency cpu bs1`: net latency: out of memory, where run night-0 had" in found.output


def test_a_failure_that_the_journal_does_not_tell_is_told(nights: Nights) -> None:
    nights.take(0, counted())
    place = next((nights.history / "journals").iterdir())
    (place / "night.json").write_text('{"schema": 1, "code": 1}')
    found = nights.call("--night=night 0", "--no-pages")
    assert found.exit_code == 1
    assert "The run ended with exit code 1 for another reason: see its output." in found.output


def test_a_torn_line_costs_its_case_alone(nights: Nights) -> None:
    journal = nights.write(0, timed(), counted())
    header, first, second = journal.read_text().splitlines()
    journal.write_text(f"{header}\n{first[:200]}\n{second}\n")
    found = nights.call("--night=0", f"--journal={journal}", "--no-pages")
    assert found.exit_code == 0, found.output
    assert f"left out: {journal}:2: not a JSON object" in found.stderr
    assert "no alarm in 1 case" in found.stdout
    (place,) = (nights.history / "journals").iterdir()
    assert len(store.read(place).rows) == 1


def test_a_refused_run_replaces_no_journal_and_is_not_done(nights: Nights) -> None:
    for day in range(1, 6):
        nights.take(day, counted())
    late = nights.write(1, counted(99), run="other")
    found = nights.call("--night=night 1", f"--journal={late}", "--no-pages")
    assert (found.exit_code, "set the clock" in found.output) == (2, True)
    found = nights.call("--night=night 0", f"--journal={late}", "--no-pages")
    assert (found.exit_code, "set the clock" in found.output) == (2, True)
    journals = sorted((nights.history / "journals").iterdir())
    assert [store.read(path).header["run"] for path in journals] == [f"night-{day}" for day in range(1, 6)]


def test_a_run_with_what_no_run_writes_is_refused_before_it_is_judged(nights: Nights) -> None:
    nights.take(0, counted())
    journal = nights.write(1, counted())
    journal.write_text(journal.read_text().replace('"threads": 1', '"threads": 0.5'))
    found = nights.call("--night=1", f"--journal={journal}", "--no-pages")
    assert found.exit_code == 2
    assert str(journal) in found.output
    assert nights.runs == ("night-0",)


@pytest.mark.parametrize("in_the_way", ["journals", "nights", "nightly.md", ".lock"])
def test_what_cannot_be_written_is_a_sentence_with_its_path(nights: Nights, in_the_way: str) -> None:
    path = nights.history / in_the_way
    if in_the_way in ("journals", "nights"):
        path.write_text("a file")
    else:
        path.mkdir()
    found = nights.take(0, counted())
    assert found.exit_code == 2
    assert f"Error: {path}" in found.output
    assert "cannot be read or written: " in found.output


def test_a_full_disk_is_a_sentence_with_the_path_and_leaves_the_history_whole(nights: Nights) -> None:
    nights.take(0, counted())
    before, journal = nights.files, nights.write(1, counted())
    program = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); {CLI}"
    where = [f"--history={nights.history}", f"--baselines={nights.baselines}", "--no-pages"]
    command = [sys.executable, "-c", program, "nightly", "--night=1", f"--journal={journal}", *where]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 2
    path = nights.history / "nights" / "cpu" / "20260102T030000Z-night-1.json.gz"
    assert found.stderr.endswith(f"Error: {path}: cannot be read or written: File too large; see to it\n")
    assert nights.files == before
    assert nights.take(1, counted()).exit_code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, a file as full as a disk")
@pytest.mark.parametrize("command", [["export"], ["show", "net", "--history"], ["publish"], ["changes"]])
def test_no_command_ends_in_a_traceback_where_its_output_is_full(nights: Nights, command: list[str]) -> None:
    nights.take(0, counted())
    full = os.open("/dev/full", os.O_WRONLY)
    call = [sys.executable, "-c", CLI, "history", *command, str(nights.history)]
    found = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, cwd=nights.history)
    os.close(full)
    assert found.returncode in (1, 2, 120)
    assert "Traceback" not in found.stderr
    assert "No space left on device" in found.stderr


@pytest.mark.parametrize("argument", ["-x", "-vx", "--exitfirst", "--maxfail=1", "--maxfail", "--sw"])
def test_a_run_that_stops_at_a_failure_is_refused(nights: Nights, argument: str) -> None:
    found = nights.call("--", "-k", "x", argument)
    assert found.exit_code == 2
    assert f"Error: {argument}: expected arguments with which a run goes on to its end" in found.output
    assert not nightly.stopping(["-k", "x", "-rx", "--exclude=x", "-p", "no:x"])


def test_the_address_and_the_promoted_runs_are_looked_at_before_the_night(nights: Nights) -> None:
    journal = nights.write(0, counted())
    found = nights.call("--night=0", f"--journal={journal}", "--project-url=here")
    assert (found.exit_code, "--project-url: expected an address" in found.output) == (2, True)
    nights.baselines.mkdir()
    (nights.baselines / "cpu.jsonl").write_text("{}\n")
    found = nights.call("--night=0", f"--journal={journal}", "--no-pages")
    assert (found.exit_code, "cpu.jsonl:1" in found.output) == (2, True)
    assert not nights.files


def test_journals_go_by_their_start_and_never_tonights(nights: Nights) -> None:
    more = ("--no-pages", "--keep-journals=2")
    for day in range(98, 102):
        journal = nights.write(day, counted())
        found = nights.call(f"--night=build-{day}", f"--journal={journal}", *more)
    assert "1 whole journal taken away: build-99" in found.output
    assert sorted(path.name for path in (nights.history / "journals").iterdir()) == ["build-100", "build-101"]
    found = nights.call("--night=a", f"--journal={nights.write(102, counted())}", "--no-pages", "--keep-journals=1")
    assert "2 whole journals taken away: build-100, build-101" in found.output


def test_pruning_that_was_killed_is_ended_by_the_next(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(folder: Path) -> None:
        raise KeyboardInterrupt(folder)

    more = ("--no-pages", "--keep-journals=2")
    nights.take(0, counted(), more=more)
    nights.take(1, counted(), more=more)
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        nights.take(2, counted(), more=more)
    journals = nights.history / "journals"
    assert sorted(path.name[:7] for path in journals.iterdir()) == ["night-1", "night-2", "~night-"]
    nights.take(3, counted(), more=more)
    assert sorted(path.name[:7] for path in journals.iterdir()) == ["night-2", "night-3"]


def test_a_damaged_night_where_pruning_ends_is_named(nights: Nights) -> None:
    more = ("--no-pages", "--keep-journals=3")
    for day in range(6):
        nights.take(day, counted(), more=more)
    path = Path(sorted(nights.files)[3])
    path.write_bytes(path.read_bytes()[:50])
    found = nights.take(6, counted(), more=more)
    assert found.exit_code == 0, found.output
    assert found.stderr.count(f"left out: {path}: expected a kept night; it is damaged") == 1
    assert "1 whole journal taken away" in found.output


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
    for day in range(8):
        nights.take(day, timed(), counted())
    assert {nights.take(day, timed(1.042), counted(11), more=FEW).exit_code for day in range(8, 30)} == {1}
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


@pytest.mark.slow
def test_a_night_in_which_all_failed_is_not_done_and_one_in_which_some_did_is(project: Path) -> None:
    """Real runs of a project whose settings say to stop at the first failure."""
    settings = project / "pyproject.toml"
    settings.write_text(f'{settings.read_text()}[tool.pytest.ini_options]\naddopts = "-x"\n')
    good = (project / "nets.py").read_text()
    (project / "nets.py").write_text("def one():\n    raise ValueError('of itself')\ntwo = one\n")
    found = subprocess.run(COMMAND, cwd=project, capture_output=True, text=True)
    assert found.returncode == 2, found.stdout + found.stderr
    assert "expected measured values; got none" in found.stderr
    assert not (project / "history" / "nights").exists()
    (project / "nets.py").write_text(good.replace("return nn.Linear(8, 8)", "raise ValueError('of itself')", 1))
    found = subprocess.run(COMMAND, cwd=project, capture_output=True, text=True)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "# Night 2026-01-31: no alarm in 1 case" in found.stdout
    assert (
        "- **crashed** `one params cpu bs1`: " in found.stdout or "- **failed** `one params cpu bs1`: " in found.stdout
    )
    assert len(history.load(project / "history").runs) == 1


def test_parts_of_a_night_are_one_night_with_the_alarms_of_all(nights: Nights) -> None:
    for day in range(7):
        nights.take(day, timed(), timed(name="other"), counted())
    first = nights.take(7, timed(1.3), run="part-1")
    second = nights.take(7, counted(), timed(name="other"), run="part-2")
    again = nights.take(7, counted(), timed(name="other"), run="part-2")
    for found in (first, second, again):
        assert found.exit_code == 1
        assert "**regressed** `net latency cpu bs1`" in found.output
    assert first.output.startswith("# Night night 7: 1 alarm in 1 case\n")
    assert second.output == again.output
    assert second.output.startswith("# Night night 7: 1 alarm in 3 cases\n")
    assert len(history.load(nights.history).series[("net", "latency", "cpu", 1, "")]) == 8
    promoted = CliRunner().invoke(
        main, ["promote", str(next((nights.history / "journals").glob("night-7*"))), f"--baselines={nights.baselines}"]
    )
    assert promoted.exit_code == 0
    assert nights.take(8, timed(1.3), timed(name="other"), counted()).exit_code == 0
