"""What a waiting person wants to know: which case runs, how many are left, how long that may take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_archbench.judge import RESULTS
from pytest_archbench.store import Run

EVERY = 15.0
"""Seconds between two lines where the output is a file; a terminal's line is rewritten all the time."""


class Progress:
    """A line about the run, rewritten in place on a terminal, now and then a new one elsewhere."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._left: Counter[str] = Counter()
        self._total = 0
        self._done = 0
        self._spent: dict[str, float] = {}
        self._finished: Counter[str] = Counter()
        self._began: dict[str, float] = {}
        self._said = time.monotonic()
        self._shown = False

    def expect(self, nodeids: Sequence[str]) -> None:
        """The cases that will run."""
        self._left = Counter(map(_kind, nodeids))
        self._total = len(nodeids)

    def begin(self, nodeid: str) -> None:
        """A case starts."""
        self._began[nodeid] = time.monotonic()
        self._say(nodeid)

    def end(self, nodeid: str) -> None:
        """A case has ended."""
        kind = _kind(nodeid)
        self._spent[kind] = self._spent.get(kind, 0.0) + time.monotonic() - self._began.pop(nodeid, time.monotonic())
        self._finished[kind] += 1
        self._left[kind] -= 1
        self._done += 1

    def clear(self) -> None:
        """Take the line away."""
        reporter = self._reporter()
        if self._shown and reporter is not None:
            reporter.write("\r\033[K")
            self._shown = False

    def remaining(self) -> float | None:
        """Seconds left by the mean of each kind of case so far; None before a kind has been seen."""
        if any(left > 0 and not self._finished[kind] for kind, left in self._left.items()):
            return None
        return sum(left * self._spent[kind] / self._finished[kind] for kind, left in self._left.items() if left > 0)

    def _say(self, nodeid: str) -> None:
        reporter = self._reporter()
        now = time.monotonic()
        if reporter is None or self._config.get_verbosity() != 0 or self._total == 0:
            return
        line = f"[{self._done + 1}/{self._total}] {nodeid}{_about(self.remaining())}"
        if reporter.isatty:
            reporter.write(f"\r\033[K{line}"[: reporter._tw.fullwidth])
            self._shown = True
        elif now - self._said >= EVERY:
            self._said = now
            reporter.ensure_newline()
            reporter.write_line(line)

    def _reporter(self) -> pytest.TerminalReporter | None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        return reporter if isinstance(reporter, pytest.TerminalReporter) else None


def _kind(nodeid: str) -> str:
    """The test without its parameters: cases of one test take about as long."""
    return nodeid.partition("[")[0]


def _about(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f", about {minutes} min {rest:02d} s left" if minutes else f", about {rest} s left"


def summarise(reporter: pytest.TerminalReporter, run: Run, written: Sequence[Path]) -> None:
    """Counts of verdicts, and where everything lies."""
    reporter.section("archbench")
    measured = Counter(row["status"] for row in run.rows)
    reporter.write_line("measured: " + ", ".join(f"{count} {status}" for status, count in sorted(measured.items())))
    outcomes = Counter(verdict["outcome"] for row in run.rows for verdict in row["verdicts"])
    said = [f"{outcomes[outcome]} {outcome}" for outcome in RESULTS if outcomes[outcome]]
    reporter.write_line("verdicts: " + (", ".join(said) or "none"))
    for path in written:
        reporter.write_line(f"  {_short(path)}")


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
