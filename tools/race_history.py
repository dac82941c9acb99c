"""How long a year of nights takes: 365 nights of 1,400 networks by four metrics, of which two are noisy.

Prints, for what a night adds and what is made of all, the wall time, the processor time of this process and the size.
Steps are searched for by other processes.
Exits with 1 where publishing takes more than 60 s of wall time (so on a quiet machine), or the pages more than 50 MB.
The step that is planted half-way in one network in a hundred must be found.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pytest_archbench import history, meters, nights, pages, past  # noqa: F401  (meters enter the metrics)
from pytest_archbench.nights import Night
from pytest_archbench.points import flat, key
from pytest_archbench.records import Conditions, Point
from pytest_archbench.registry import METRICS

LONGEST, LARGEST = 60.0, 50e6
"""Seconds that publishing may take, and bytes of the pages."""
FIRST = datetime(2025, 1, 1, 3, tzinfo=timezone.utc)
NOISE = {"latency": 0.02, "peak_memory": 0.0003}
STEP, STEPPED = 1.2, 100
"""How much slower, and one network in how many."""
DEVICE = {"kind": "cpu", "model": "EPYC", "cores": 2}
ENVIRONMENT = {
    "python": "3.11.7",
    "system": "Linux",
    "machine": "x86_64",
    "packages": {"torch": "2.15.0", "timm": "1.0.31"},
    "torch": {f"fact{number}": number for number in range(20)},
}
FINGERPRINT = flat({"device": DEVICE, "python": "3.11", "packages": {"torch": "2.15.0"}, "torch": ENVIRONMENT["torch"]})


def night(number: int, count: int, seconds: list[float], chance: random.Random) -> Night:
    """A night of networks whose times (s) without noise are given; from the middle of ``count`` on some are slower."""
    started = FIRST + timedelta(days=number)
    told = {
        "schema": 1,
        "run": f"{started:%Y%m%dT%H%M%S}-1",
        "started": started.isoformat(),
        "commit": f"{number:040x}",
    }
    found = [
        each
        for place, usual in enumerate(seconds)
        for each in _points(
            told, place, usual * (STEP if place % STEPPED == 0 and number >= count // 2 else 1), usual, chance
        )
    ]
    header = told | {"dirty": False, "environment": ENVIRONMENT, "devices": {"cpu": DEVICE}}
    return Night(Path("made"), header, started, {key(point): point for point in found})


def _points(told: Mapping[str, Any], place: int, taken: float, usual: float, chance: random.Random) -> Iterator[Point]:
    trials = tuple(
        (taken * chance.gauss(1, NOISE["latency"]), 0.01 * chance.gauss(1, NOISE["latency"])) for _ in range(5)
    )
    memory = int(usual * 1e10 * chance.gauss(1, NOISE["peak_memory"]))
    for metric, unit, value, tried in (
        ("latency", "s", statistics.median(each for each, _ in trials), trials),
        ("params", "count", int(usual * 1e9), ()),
        ("macs", "MAC", int(usual * 1e11), ()),
        ("peak_memory", "B", memory, ()),
    ):
        yield Point(
            architecture=f"network_{place:04}",
            metric=metric,
            unit=unit,
            value=value,
            run=told["run"],
            commit=told["commit"],
            started=told["started"],
            conditions=Conditions("cpu"),
            trials=tried,
            fingerprint=FINGERPRINT,
        )


@contextmanager
def timed(what: str, per: int = 1) -> Iterator[list[float]]:
    """Print how long something takes, divided by ``per``; gives the whole wall time (s)."""
    wall, used = time.perf_counter(), time.process_time()
    taken: list[float] = []
    yield taken
    taken.append(time.perf_counter() - wall)
    print(f"{what:44} {taken[0] / per:8.3f} s {(time.process_time() - used) / per:8.3f} s of this process", flush=True)


def size(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def race(folder: Path, count: int, networks: int) -> tuple[float, int]:
    """Make a history in ``folder`` and publish it: seconds, and bytes of the pages. Raises: SystemExit."""
    chance = random.Random(0)
    seconds = [chance.lognormvariate(-4, 1) for _ in range(networks)]
    made = (night(number, count, seconds, chance) for number in range(count))
    with timed("making and keeping a night", count):
        for each in made:
            nights.keep(each, folder)
    print(f"{'a kept night':44} {size(folder) / count / 1e3:8.0f} kB")
    with timed("reading a night", count):
        for _ in history.opened(folder).nights():
            pass
    with timed("judging a night by the 40 before, all series"):
        series = history.load(folder, last=41).series
        judged = Counter(
            past.against_history(points[-1], points[:-1], METRICS[case[1]], 2 * networks).outcome
            for case, points in series.items()
        )
    print(f"{'':44} {dict(judged)}")
    with timed("publishing all") as taken:
        published = pages.publish(history.opened(folder), folder / "pages", pages.Project("networks", folder))
    html = size(published.html)
    print(f"{'pages':44} {html / 1e6:8.1f} MB of {published.nights} nights, {published.series:,} series")
    print(f"{'results and repository':44} {(size(folder / 'pages') - html) / 1e6:8.1f} MB")
    print(f"{'memory at the most':44} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:8.2f} GB")
    found = {
        each[0].split("'")[1] for each in json.loads((published.html / "regressions.json").read_text())["regressions"]
    }
    planted = {f"network_{place:04}" for place in range(0, networks, STEPPED)}
    if lost := planted - found:
        raise SystemExit(f"planted steps that are no regressions: {', '.join(sorted(lost))}")
    print(f"{'planted steps found':44} {len(planted):8} and {len(found - planted)} more")
    return taken[0], html


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--networks", type=int, default=1400)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds, html = race(Path(folder) / "history", given.nights, given.networks)
    if seconds > LONGEST or html > LARGEST:
        sys.exit(
            f"expected at most {LONGEST:.0f} s and {LARGEST / 1e6:.0f} MB; got {seconds:.0f} s and {html / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
