"""What else the machine did while something was timed, as ``pytest_archbench.machine`` tells it; unknown is None."""

import os
import resource
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from pytest_archbench.old_boards.rows import pace

Facts = Dict[str, Optional[float]]
LIMITS = (
    ("pressure", 0.05, "tasks waited for a processor {value:.0%} of the time (limit {limit:.0%})"),
    ("stolen", 0.02, "the hypervisor took {value:.1%} of the processors' time (limit {limit:.0%})"),
    ("taken", 0.25, "other processes kept {value:.0%} of the processors busy (limit {limit:.0%})"),
    ("switches", 50, "it was put aside for other tasks {value:.0f} times a second (limit {limit:.0f})"),
    ("pace", 0.05, "the reference workload's time changed by {value:+.1%} meanwhile (limit {limit:.0%})"),
)
"""How far a fact of ``between`` may go before the times beside it are doubtful, and the words for it."""


def snapshot(root: str = "/") -> Facts:
    """The counters of a moment, s: of the clock, of tasks that waited, of all processors, and this process's own."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "wall": time.monotonic(),
        "pressure": _pressure(root),
        "own": used.ru_utime + used.ru_stime,
        "switches": float(used.ru_nivcsw),
        **_ticks(root),
    }


def between(before: Facts, after: Facts, reference: Sequence[float]) -> Facts:
    """What the machine did between two snapshots; keys and units are those of ``pytest_archbench.machine.between``."""
    grown = {name: _growth(before[name], after[name]) for name in before}
    wall, busy, own = grown["wall"], grown["busy"], grown["own"]
    others = None if busy is None or own is None else max(0.0, busy - own)
    return {
        "wall": wall,
        "pressure": _share(grown["pressure"], wall),
        "stolen": _share(grown["stolen"], grown["total"]),
        "others": _share(others, wall),
        "taken": _share(others, grown["total"]),
        "switches": _share(grown["switches"], wall),
        "pace": pace(reference),
    }


def disturbed(facts: Facts) -> List[str]:
    """A sentence for each fact beyond its limit. What is not known disturbs nothing."""
    known = [(facts.get(fact), limit, words) for fact, limit, words in LIMITS]
    return [
        words.format(value=value, limit=limit)
        for value, limit, words in known
        if value is not None and abs(value) > limit
    ]


def _growth(before: Optional[float], after: Optional[float]) -> Optional[float]:
    return None if before is None or after is None or after < before else after - before


def _share(amount: Optional[float], whole: Optional[float]) -> Optional[float]:
    return amount / whole if amount is not None and whole else None


def _pressure(root: str) -> Optional[float]:
    """s, from ``some avg10=0.00 avg60=0.00 avg300=0.00 total=<microseconds>``; kernels before 4.20 have none."""
    try:
        text = (Path(root) / "proc/pressure/cpu").read_text()
        return int(text.splitlines()[0].rpartition(" total=")[2]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def _ticks(root: str) -> Facts:
    """s of all processors, from ``cpu user nice system idle iowait irq softirq steal ...`` in clock ticks."""
    try:
        line = (Path(root) / "proc/stat").read_text().splitlines()[0].split()
        user, nice, system, idle, iowait, irq, softirq, steal = map(int, line[1:9])
    except (OSError, ValueError, IndexError):
        return {"busy": None, "stolen": None, "total": None}
    busy, tick = user + nice + system + irq + softirq, os.sysconf("SC_CLK_TCK")
    return {"busy": busy / tick, "stolen": steal / tick, "total": (busy + steal + idle + iowait) / tick}
