"""What a waiting person sees: on a terminal, in a file, and under -q and -v."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lifecycle import Ran, bench, command, environment

from pytest_archbench import progress

SUITE = ("--archbench-suite=user", "--archbench-metric=params,macs")
FIRST = "archbench/counts::test_params[tiny-cpu-bs1]"
SECOND = "archbench/counts::test_macs[tiny-cpu-bs1]"


def on_a_terminal(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and raw output of pytest on a pseudo-terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("--archbench", *arguments), cwd=folder, env=environment({"TERM": "xterm"}), stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux's way of saying that nobody writes any more
            break
        if not chunk:
            break
        output += chunk
    os.close(ours)
    return process.wait(timeout=60), output.decode()


def screen(output: str) -> list[str]:
    """The lines that a terminal shows in the end, by the few controls that are used."""
    lines, row, column, saved = [""], 0, 0, (0, 0)
    for token in re.findall(r"\033\[[0-9;]*[A-Za-z]|\033.|[\r\n]|[^\033\r\n]+", output):
        if token == "\033D" or token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token == "\033M":
            row -= 1
        elif token == "\033" + "7":
            saved = row, column
        elif token == "\033" + "8":
            row, column = saved
        elif token == "\r":
            column = 0
        elif token == "\033[K":
            lines[row] = lines[row][:column]
        elif not token.startswith("\033"):
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + len(token) :]
            column += len(token)
    return lines


def test_it_shows_case_count_and_time_left_on_a_terminal(project: Path) -> None:
    code, output = on_a_terminal(project, *SUITE)
    assert code == 0, output
    shown = re.findall(r"\[(\d)/(\d)\] about (\d+) s left: (\S+?)\033", output)
    assert [(now, of, name) for now, of, _, name in shown] == [("1", "2", FIRST), ("2", "2", SECOND)]
    # What stays is pytest's own: every letter of the line of results, and no trace of the text below it.
    left = screen(output)
    assert any(re.fullmatch(r"archbench/counts ss +\[100%\]", line.rstrip()) for line in left), left
    assert not any("s left" in line for line in left)


def test_it_is_sparing_in_a_file(packaged: Ran) -> None:
    """A line every fifteen seconds at most."""
    (seconds,) = re.findall(r" in ([0-9.]+)s", packaged.output)
    assert len(re.findall(r"^\[\d+/14\] about ", packaged.output, re.MULTILINE)) <= float(seconds) / 15


def test_it_writes_lines_of_their_own_to_a_file(project: Path) -> None:
    (project / "conftest.py").write_text("from pytest_archbench import progress\n\nprogress.EVERY = 0.0\n")
    lines = bench(project, *SUITE).output.splitlines()
    said = [line.partition(" about ")[0] + " " + line.rpartition(" ")[2] for line in lines if " s left: " in line]
    assert said == [f"[1/2] {FIRST}", f"[2/2] {SECOND}"]


def test_it_lists_cases_with_v(project: Path) -> None:
    _, said = on_a_terminal(project, *SUITE, "-v")
    assert re.search(rf"{re.escape(FIRST)} .*SKIPPED.*tiny params: 162, no baseline", said)
    assert "[2/2] about" in said


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_it_reckons_by_the_mean_of_each_kind_and_guesses_before(clock: Clock) -> None:
    said: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda _name: None))
    run = progress.Progress(said, guess=2.0)
    run.expect(["a::count[x]", "a::count[y]", "a::time[x]", "a::time[y]", "a::time[z]"])
    assert run.remaining() == 5 * 2.0
    run.begin("a::count[x]")
    clock.now += 0.5
    run.end("a::count[x]")
    assert run.remaining() == 1 * 0.5 + 3 * 2.0
    run.begin("a::time[x]")
    clock.now += 10
    run.end("a::time[x]")
    assert run.remaining() == 1 * 0.5 + 2 * 10
    run.begin("a::time[y]")
    run.begin("a::time[z]")  # side by side, under xdist
    assert run.remaining() == (1 * 0.5 + 2 * 10) / 2
