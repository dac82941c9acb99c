"""Real pytest processes in folders of their own, and what they leave behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUICK = ("--archbench-time-budget=100ms", "--archbench-precision=20%")
"""Options under which a timing takes no time; how precise it is is not asked here."""

COUNTS = ("params", "macs", "activations", "model_size")
ANYWHERE = (*COUNTS, "latency", "throughput", "peak_memory", "peak_host_memory")
"""Metrics that need no GPU and no sensor."""

NETS = '''
import torch
from torch import nn


def tiny() -> nn.Module:
    """Conv 3*4*3*3 + 4 = 112 parameters, linear 4*10 + 10 = 50; on 32 x 32: 32*32*4*27 + 40 = 110632 MACs."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    )


def tiny_input(batch_size: int) -> torch.Tensor:
    return torch.zeros(batch_size, 3, 16, 16)


class Two(nn.Module):
    """Two inputs, added."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(5, 2), nn.Linear(7, 2)

    def forward(self, left, right):
        return self.left(left) + self.right(right)


class Spectral(nn.Module):
    """Half of its work is a Fourier transform, which no counter knows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.fft.fft2(self.conv(x)).real


def unbuildable() -> nn.Module:
    raise ValueError("seven is no even number")


class Unrunnable(nn.Module):
    def forward(self, x):
        raise KeyError("no such head")
'''
"""A user's module of networks, ``mynets.py``."""

SLEEPING = """
import os
import time

from torch import nn


class Sleeping(nn.Module):
    def __init__(self, seconds, width=2):
        super().__init__()
        self.seconds, self.head = seconds, nn.Linear(4, width)

    def forward(self, x):
        time.sleep(self.seconds)
        return self.head(x)
"""
"""How a user's module begins whose networks take known times, with 4*2 + 2 = 10 parameters unless told otherwise."""

TINY = '[tool.archbench.architectures]\ntiny = {factory = "mynets:tiny", input = [3, 32, 32]}\n'
"""A user's ``pyproject.toml``; ``tiny`` is the whole of suite ``user``."""

_RESULT = re.compile(r"(\d+) (passed|failed|skipped|deselected|error|errors)\b")


@dataclass(frozen=True, slots=True)
class Ran:
    """A pytest process that has ended: exit code, output and error together, and the folder it ran in."""

    code: int
    output: str
    folder: Path

    @property
    def outcomes(self) -> dict[str, int]:
        """Counts of pytest's closing line: ``{"passed": 2, "skipped": 1}``."""
        return {name: int(count) for count, name in _RESULT.findall(self.output.rstrip().rpartition("\n")[2])}

    @property
    def ids(self) -> list[str]:
        """What ``--co -q`` lists."""
        return [line for line in self.output.splitlines() if "::" in line]

    @property
    def header(self) -> dict[str, Any]:
        return journal(self.folder)[0]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return journal(self.folder)[1:]

    @property
    def cases(self) -> Counter[tuple[str, str]]:
        """How often the journal holds each (architecture, metric)."""
        return Counter((row["architecture"], row["metric"]) for row in self.rows)

    def refuses(self) -> str:
        """The one sentence of a run that was refused: exit code 4, no traceback."""
        assert self.code == 4, self.output
        assert "Traceback" not in self.output
        assert "INTERNALERROR" not in self.output
        said = [line for line in self.output.splitlines() if line.startswith("ERROR: ")]
        assert len(said) == 1, self.output
        return said[0]


def journal(folder: Path) -> list[dict[str, Any]]:
    """Every line of the journal in ``folder/reports``, each of which must be whole."""
    return [json.loads(line) for line in (folder / "reports/measurements.jsonl").read_text().splitlines()]


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables without those that pytest sets for its own children."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**own, "OMP_NUM_THREADS": "1", "COLUMNS": "240", **(given or {})}


def command(*arguments: str) -> list[str]:
    """pytest without two plugins that are slow to start and have no part in this."""
    return [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:anyio", *arguments]


def _hears_ctrl_c() -> None:
    """A shell starts what shall run in the background with SIGINT ignored, which is inherited: Python then installs no
    handler of its own, and Ctrl-C would be tested on a process that is deaf to it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """A pytest process in a session of its own, as a shell starts one, that still runs."""
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_hears_ctrl_c,
    )


def run(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 240.0) -> Ran:
    """Run pytest in ``folder`` to its end."""
    process = start(folder, *arguments, env=env)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"no end within {timeout} s; it said:\n{process.communicate()[0]}") from None
    return Ran(process.returncode, output, folder)


def bench(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Ran:
    """``pytest --archbench`` with quick timings."""
    return run(folder, "--archbench", *QUICK, *arguments, env=env)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Put ``files`` into ``folder``."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def lines_of(output: str, start: str) -> Iterator[str]:
    return (line for line in output.splitlines() if line.startswith(start))


def only(rows: list[dict[str, Any]], name: str, metric: str = "latency") -> list[dict[str, Any]]:
    """Rows of one network and metric."""
    return [row for row in rows if (row["architecture"], row["metric"]) == (name, metric)]


def outcomes(row: Mapping[str, Any]) -> list[str]:
    """A row's verdicts in a word each."""
    return [verdict["outcome"] for verdict in row["verdicts"]]
