"""Several processes that train one network, started through torchrun and watched until they end."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_archbench.protocols import Missing, Unusable
from pytest_archbench.training.messages import LastWords, Order
from pytest_archbench.training.progress import Diverged, Progress
from pytest_archbench.training.task import Task

LOOK_AGAIN = 0.1
"""Seconds between two looks for what was found."""
PATIENCE = 10.0
"""Seconds that the processes have to end by themselves."""

OF_THEM = "of those that train together"
END = re.compile(r"^ *rank +: (\d+) .*\n *exitcode +: (-?\d+) ", re.MULTILINE)
"""How a process ended, as torchrun lists it, minus the number of a signal; the first to end comes last. The others are
sent SIGTERM.
"""


class Failed(RuntimeError):
    """A process that trains failed; the message says which, in its own words."""


RAISED: dict[str, type[Exception]] = {kind.__name__: kind for kind in (Missing, Unusable, Diverged)}
"""Errors of a process that mean the same here."""


def learn_together(task: Task) -> Iterator[Progress]:
    """``learn`` in ``task.learning.ranks`` processes. Raises what it raises, and Failed."""
    with tempfile.TemporaryDirectory(prefix="archbench-ranks-") as name:
        folder = Path(name)
        order = folder / "order"
        order.write_bytes(pickle.dumps(Order(task, os.getpid())))
        with _started(task.learning.ranks, order) as processes:
            yield from _found(folder, processes)
            if processes.returncode != 0:
                raise reason(folder, processes.returncode)


@contextmanager
def _started(ranks: int, order: Path) -> Iterator[subprocess.Popen[bytes]]:
    """torchrun with its processes; they are ended at the end, whatever they are doing."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    with (order.parent / "said").open("wb") as said:
        processes = subprocess.Popen(
            [*command, "-m", "pytest_archbench.training.rank", str(order)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
        )
    try:
        yield processes
    finally:
        _end(processes)


def _end(processes: subprocess.Popen[bytes]) -> None:
    """torchrun ends its own when it is asked to, and they end themselves when it is gone."""
    with suppress(ProcessLookupError):
        processes.send_signal(signal.SIGTERM)
    try:
        processes.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        processes.kill()
        processes.wait()


def _found(folder: Path, processes: subprocess.Popen[bytes]) -> Iterator[Progress]:
    """What the first process writes, each once, until all have ended."""
    told: set[Path] = set()
    ended = False
    while not ended:
        ended = processes.poll() is not None  # before the look: what was written last is still seen
        for path in sorted(set(folder.glob("*.found")) - told):
            told.add(path)
            yield pickle.loads(path.read_bytes())  # from our own child
        if not ended:
            time.sleep(LOOK_AGAIN)


def reason(folder: Path, code: int) -> Exception:
    """What went wrong first: the others fail because of it."""
    said = (folder / "said").read_text(errors="replace")
    ends = [(int(rank), int(end)) for rank, end in reversed(END.findall(said))]
    for at, (rank, end) in enumerate(ends):
        if end < 0 and (at == 0 or end != -signal.SIGTERM):
            return _killed(rank, -end)  # what the others say is that it is gone
    failed = sorted(folder.glob("*.failed"), key=lambda path: path.stat().st_mtime_ns)
    if failed:
        return _passed_on(pickle.loads(failed[0].read_bytes()))  # from our own child
    if ends:
        return Failed(f"process {ends[0][0]} {OF_THEM} ended with exit status {ends[0][1]}")
    last = said.strip().splitlines()[-1:]
    return Failed(f"torchrun ended with exit status {code}: {' '.join(last) or 'it said nothing'}")


def _killed(rank: int, number: int) -> Failed:
    name = {each.value: each.name for each in signal.Signals}.get(number, str(number))
    return Failed(f"process {rank} {OF_THEM} was ended by signal {name}; run again with --archbench-resume")


def _passed_on(words: LastWords) -> Exception:
    if words.error in RAISED:
        return RAISED[words.error](words.message)
    return Failed(f"process {words.rank} {OF_THEM} failed: {words.error}: {words.message}")
