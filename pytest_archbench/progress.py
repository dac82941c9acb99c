"""What a waiting person wants to know: which case runs, how many are left, how long that may take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench.files import places
from pytest_archbench.meters import Part
from pytest_archbench.store import Run
from pytest_archbench.tally import doubtful, duels, tally
from pytest_archbench.units import readable

EVERY = 15.0
"""Seconds between two lines where the output is a file; on a terminal each case shows its text."""
ASSUMED = "preprocessing assumed"
"""How the note of an evaluation begins whose weights do not say how images are prepared for them."""
MOST_LEARNED = 20
"""Accuracies that the terminal lists."""
MOST_COMPARED = 20
"""Comparisons with another side that the terminal lists."""
BELOW = "\033D\033M\0337\033D\r\033[K{text}\0338"
"""What shows a text on the terminal's next line and returns: room is made by going down (scrolling) and up again."""


class Progress:
    """A text about the run: on a terminal below pytest's own line and taken away again, elsewhere a line now and then.

    ``guess`` is how long (s) a case may take before one of its kind has been seen.
    """

    def __init__(self, config: pytest.Config, guess: float) -> None:
        self._config = config
        self._guess = guess
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
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self._config.get_verbosity() >= 0 and self._total:
            self._say(reporter, f"[{self._done + 1}/{self._total}] {_about(self.remaining())}: {nodeid}")

    def within(self, nodeid: str, part: Part) -> None:
        """A long case has got so far."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self._config.get_verbosity() >= 0:
            there = f"{part.done:,} of {part.total:,} {part.unit}, {_about(part.left)}"
            self._say(reporter, f"[{self._done + 1}/{self._total}] {nodeid}: {there}")

    def end(self, nodeid: str) -> None:
        """A case has ended."""
        kind = _kind(nodeid)
        self._spent[kind] = self._spent.get(kind, 0.0) + time.monotonic() - self._began.pop(nodeid, time.monotonic())
        self._finished[kind] += 1
        self._left[kind] -= 1
        self._done += 1

    def clear(self) -> None:
        """Take the text away before pytest writes on."""
        if self._shown:
            self._write("")
            self._shown = False

    def remaining(self) -> float:
        """Seconds left, by the mean of each kind of case so far and by how many run side by side."""
        left = sum(count * self._mean(kind) for kind, count in self._left.items())
        return left / max(len(self._began), 1)

    def _mean(self, kind: str) -> float:
        return self._spent[kind] / self._finished[kind] if self._finished[kind] else self._guess

    def _say(self, reporter: pytest.TerminalReporter, text: str) -> None:
        if self._config.get_terminal_writer()._file.isatty():
            self._write(text)
            self._shown = True
        elif time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            reporter.ensure_newline()
            reporter.write_line(text)

    def _write(self, text: str) -> None:
        """Write past pytest's account of how full its line is, cut so that it cannot wrap."""
        writer = self._config.get_terminal_writer()
        writer._file.write(BELOW.format(text=text[: writer.fullwidth - 1]))
        writer.flush()


def _kind(nodeid: str) -> str:
    """The test without its parameters: cases of one test take about as long."""
    return nodeid.partition("[")[0]


def _about(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes} min {rest:02d} s left" if minutes else f"about {rest} s left"


def summarise(reporter: pytest.TerminalReporter, run: Run, written: Sequence[Path]) -> None:
    """Counts of verdicts, and where everything lies."""
    reporter.ensure_newline()
    reporter.section("archbench")
    measured = Counter(row["status"] for row in run.rows)
    reporter.write_line("measured: " + ", ".join(f"{count} {status}" for status, count in sorted(measured.items())))
    said = [f"{count} {word}" for word, count in tally(run.rows).items()]
    reporter.write_line("verdicts: " + (", ".join(said) or "none"))
    if doubt := doubtful(run.rows):
        reporter.write_line(f"doubtful: {doubt}")
    for line in (*learned(run), *compared(run)):
        reporter.write_line(line)
    for line in places(written):
        reporter.write_line(f"  {line}")


def learned(run: Run) -> list[str]:
    """The accuracies that were measured, the highest first."""
    rows = [row for row in run.rows if row.get("outcomes") and row.get("value") is not None]
    rows.sort(key=lambda row: (row["metric"], -row["value"]))
    said = [_accuracy(row) for row in rows[:MOST_LEARNED]]
    left = len(rows) - MOST_LEARNED
    return [*said, *([f"and {left} more accuracies in the journal"] if left > 0 else [])]


def _accuracy(row: Mapping[str, Any]) -> str:
    """``digits_plain valid_accuracy: 98.33 % (96.41 % to 99.23 %), 360 images (digits)``"""
    outcomes, protocol, interval = row["outcomes"], row.get("protocol") or {}, row.get("interval") or {}
    ends = [readable(interval[end], "fraction") for end in ("low", "high") if end in interval]
    known = f" ({' to '.join(ends)})" if ends else ""
    of = f" of {outcomes['total']:,}" if outcomes["count"] < outcomes["total"] else ""
    early = f"stopped early at a risk of {outcomes['risk']:.3g}" if outcomes.get("risk") else ""
    what = ", ".join(filter(None, [protocol.get("data", "unknown data"), outcomes.get("part"), early]))
    images = f"{outcomes['count']:,}{of} images ({what})"
    weights = f", weights {protocol['weights']}" if "weights" in protocol else ""
    said = f"{row['architecture']} {row['metric']}: {readable(row['value'], 'fraction')}{known}, {images}{weights}"
    return "; ".join([said, *(note for note in row.get("notes", ()) if note.startswith(ASSUMED))])


def compared(run: Run) -> list[str]:
    """What was timed against another side, the largest change first."""
    said = [verdict["reason"] for _, verdict in duels(run.rows)]
    left = len(said) - MOST_COMPARED
    return [*said[:MOST_COMPARED], *([f"and {left} more in the journal"] if left > 0 else [])]
