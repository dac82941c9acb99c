"""Thirty simulated nights with planted changes: which are reported, by what, after how many nights, and what else is.

Only the instrument is simulated. Its measurements are judged, journalled, kept and searched by the rooms that
``archbench nightly`` uses, a first alarm about a time being measured once more, and published as asv's pages. A
finished history is a line of the file and is not run again; all of them take about 25 minutes on two cores.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from simulate_nights_report import PAGE, UNCHANGED, tables

from pytest_archbench import history, nightly, pages, store
from pytest_archbench.files import Lines
from pytest_archbench.history import Past
from pytest_archbench.levels import level
from pytest_archbench.nights import JOURNALS
from pytest_archbench.past import PROCESS_BIAS
from pytest_archbench.proportions import pack
from pytest_archbench.protocols import Outcomes
from pytest_archbench.records import Conditions, Measurement, Trial, Verdict
from pytest_archbench.registry import METRICS
from pytest_archbench.yardsticks import Yardsticks

NIGHTS = 30
BEFORE = 15
"""Nights before a step."""
LOOKS = tuple(BEFORE + nights for nights in (1, 3, 7, 15))
"""After which nights asv's pages are published and looked at."""
FIRST_NIGHT = datetime(2020, 1, 1, 3, tzinfo=timezone.utc)
PROCESSES, SAMPLES = 5, 9
WITHIN, PACE, REFERENCE = 0.01, 0.1, 0.001
"""One sigma between the samples of a process; how far the machine's pace strays; seconds of the reference workload."""
IMAGES, CHANCE, LOST, GAINED = 50_000, 20, 1500, 500
"""Of a top-1 accuracy: how many are right or wrong by chance every night; which a planted fall of 2 points touches."""
CPU = Conditions("cpu")


@dataclass(frozen=True, slots=True)
class Planted:
    """A change as the tables call it: of the metric, first seen in night ``begins`` (1 is the first). ``step`` is
    relative, ``slope`` relative per night; of an accuracy ``step`` says only that it falls.
    """

    name: str
    metric: str = "latency"
    begins: int = 1
    step: float = 0.0
    slope: float = 0.0

    def factor(self, night: int) -> float:
        """The true value of a night relative to that before any change."""
        changed = night - self.begins + 1
        return (1 + self.step) * (1 + self.slope) ** changed if changed > 0 else 1.0


PLANTED = (
    Planted(UNCHANGED),
    *(Planted(f"+{percent} %", begins=BEFORE + 1, step=percent / 100) for percent in (3, 5, 10, 20)),
    Planted("+0.3 % a night", slope=0.003),
    Planted(f"{UNCHANGED} top-1", "top1_accuracy"),
    Planted("top-1 −2 points", "top1_accuracy", BEFORE + 1, -0.02),
)


@dataclass(frozen=True, slots=True)
class Zoo:
    """How many series of each of ``PLANTED`` one history has, beside ``counts``; how many histories are simulated, and
    by how much the processes of one network scatter in them (one sigma, relative).
    """

    name: str
    series: tuple[int, ...]
    counts: int
    histories: int
    noises: tuple[float, ...]

    @property
    def noisy(self) -> int:
        return sum(self.series)


ZOOS = (
    Zoo("1,000 series", (600, 60, 60, 60, 60, 60, 60, 40), 100, 4, (0.02, 0.04)),
    Zoo("20 series", (8, 2, 2, 2, 2, 2, 1, 1), 4, 20, (0.02, 0.04)),
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """Measures networks whose truth is known: by ``seed``, night, network and try always the same."""

    seed: int
    noise: float

    def measured(self, number: int, change: Planted, night: int, attempt: int = 0) -> Measurement:
        """A network under a change in a night, the network and its change by ``number``."""
        generator = np.random.default_rng([self.seed, number, night, attempt])
        name = f"net{number:04}"
        if change.metric == "latency":
            return _timed(name, 0.01 * change.factor(night), self.noise, generator)
        right = self._right(number, has_fallen=change.factor(night) < 1)
        right[:CHANCE] = generator.random(CHANCE) < 0.5
        outcomes = Outcomes("simulated", IMAGES, IMAGES, pack(right.tolist()))
        return Measurement(name, change.metric, "fraction", "ok", CPU, (float(right.mean()),), outcomes=outcomes)

    def _right(self, number: int, has_fallen: bool) -> Any:
        """Which images a network gets right: (IMAGES,) of bool."""
        right = np.random.default_rng([self.seed, number]).random(IMAGES) < 0.76
        lost, gained = slice(CHANCE, CHANCE + LOST), slice(CHANCE + LOST, CHANCE + LOST + GAINED)
        right[lost], right[gained] = not has_fallen, has_fallen
        return right


def _timed(name: str, seconds: float, noise: float, generator: np.random.Generator) -> Measurement:
    """A time of five processes, each with a bias of its own; network and reference meet the machine at one pace."""
    pace = 1 + PACE * generator.uniform(-1, 1)
    bias = generator.normal(0, noise, (PROCESSES, 1))
    scatter = generator.normal(0, WITHIN, (2, PROCESSES, SAMPLES))
    samples = (pace * seconds * np.exp(bias + scatter[0])).tolist()
    references = (pace * REFERENCE * np.exp(scatter[1])).tolist()
    trials = tuple(Trial(tuple(ours), tuple(theirs)) for ours, theirs in zip(samples, references, strict=True))
    return Measurement(name, "latency", "s", "ok", CPU, tuple(chain.from_iterable(samples)), trials=trials)


def rows(zoo: Zoo, instrument: Instrument, night: int, yardsticks: Yardsticks) -> Iterator[dict[str, Any]]:
    """A night's journal as a run writes it: a first alarm about a time is measured once more."""
    for number in range(zoo.counts):
        count = Measurement(f"count{number:04}", "params", "count", "ok", CPU, (1_000_000 + number,))
        yield store.row(count, yardsticks.verdicts(count))
    for number, change in enumerate(planted(zoo)):
        found = instrument.measured(number, change, night)
        own = yardsticks.verdicts(found)
        if found.unit in PROCESS_BIAS and any(verdict.outcome == "regressed" for verdict in own):
            yield store.row(found, map(_unconfirmed, own))
            found = instrument.measured(number, change, night, attempt=1)
            own = yardsticks.verdicts(found)
        yield store.row(found, own)


def _unconfirmed(verdict: Verdict) -> Verdict:
    return replace(verdict, outcome="inconclusive") if verdict.outcome == "regressed" else verdict


def planted(zoo: Zoo) -> list[Planted]:
    """The change of each noisy series, by its number."""
    return [change for change, number in zip(PLANTED, zoo.series, strict=True) for _ in range(number)]


def simulate(zoo: Zoo, noise: float, seed: int, folder: Path, nights: int = NIGHTS) -> dict[str, Any]:
    """A history from its first night to its last: of each change the number of series, and what was reported of them:
    ``[series, kind, nights in which it began, number of nights]``. ``scatter`` is from night to night, that of the
    unchanged times' levels (one sigma, relative).
    """
    reported: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    instrument = Instrument(seed, noise)
    for night in range(1, nights + 1):
        name = f"night-{night:02}"
        header = {"schema": 1, "run": name, "commit": f"{night:040x}", "started": _started(night)}
        place = folder / JOURNALS / name
        place.mkdir(parents=True)
        yardsticks = Yardsticks.of(header, folder / "none", folder)
        lines = [header, *rows(zoo, instrument, night, yardsticks)]
        (place / store.JOURNAL).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        run = store.read(place)
        kept = nightly.keep(place, name, folder, run)
        past = history.load(folder, last=nightly.WINDOW, spaced=True)
        for alarm in nightly.alarms(run, kept, past, {}):
            reported[alarm.case[0], alarm.kind].append(night)
        if night in LOOKS:
            for network in on_page(folder):
                reported[network, PAGE].append(night)
    about = {"zoo": zoo.name, "noise": noise, "seed": seed, "nights": nights, "scatter": scatter(past, zoo)}
    return {**about, "changes": _by_change(zoo, reported)}


def _started(night: int) -> str:
    return (FIRST_NIGHT + timedelta(days=night - 1)).isoformat()


def on_page(folder: Path) -> list[str]:
    """The networks on asv's page of regressions."""
    with tempfile.TemporaryDirectory() as out:
        made = pages.publish(history.opened(folder), Path(out) / "pages", pages.Project("networks", folder))
        told = json.loads((made.html / "regressions.json").read_text(encoding="utf-8"))["regressions"]
    return sorted({ast.literal_eval(entry[0].partition("(")[2].rpartition(")")[0]) for entry in told})


def scatter(past: Past, zoo: Zoo) -> float:
    """Of the times that nothing was planted in: one sigma of the logarithm of their level from night to night."""
    unchanged = {f"net{number:04}" for number in range(zoo.series[0])}
    metric = METRICS["latency"]
    series = [points for case, points in past.series.items() if case[0] in unchanged and case[1] == metric.name]
    return math.sqrt(
        statistics.fmean(statistics.variance(math.log(level(point, metric)) for point in each) for each in series)
    )


def _by_change(zoo: Zoo, reported: Mapping[tuple[str, str], list[int]]) -> dict[str, Any]:
    groups: dict[str, dict[str, int]] = {"counts": {f"count{number:04}": number for number in range(zoo.counts)}}
    begins = {change.name: change.begins for change in PLANTED}
    for number, change in enumerate(planted(zoo)):
        group = groups.setdefault(change.name, {})
        group[f"net{number:04}"] = len(group)
    return {
        change: {
            "series": len(group),
            "reported": [
                [group[name], kind, began(nights, begins.get(change, 1)), len(nights)]
                for (name, kind), nights in sorted(reported.items())
                if name in group
            ],
        }
        for change, group in groups.items()
    }


def began(nights: Sequence[int], begins: int) -> list[int]:
    """Of the nights with an alarm those without one the night before; and the first changed one, of which an alarm that
    was a false one until then is told as well.
    """
    return [night for night in nights if night - 1 not in nights or night == begins]


def read(path: Path) -> list[dict[str, Any]]:
    """The histories in a file, in an order that does not depend on which was finished first."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = [json.loads(line) for line in text.split("\n")[:-1]]
    order = [zoo.name for zoo in ZOOS]
    return sorted(found, key=lambda row: (order.index(row["zoo"]), row["noise"], row["seed"]))


def _one(zoo: Zoo, noise: float, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return simulate(zoo, noise, seed, Path(folder))


def simulate_missing(path: Path, jobs: int) -> None:
    """Simulate what is missing in the file."""
    known = {(row["zoo"], row["noise"], row["seed"]) for row in read(path)}
    asked = [(zoo, noise, seed) for zoo in ZOOS for noise in zoo.noises for seed in range(zoo.histories)]
    missing = [each for each in asked if (each[0].name, *each[1:]) not in known]
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = Lines(path)
    with ProcessPoolExecutor(jobs) as pool:
        for at, done in enumerate(as_completed([pool.submit(_one, *each) for each in missing]), 1):
            lines.append(done.result())
            print(f"{at} of {len(missing)} histories", file=sys.stderr, flush=True)
    lines.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes at work (default: 2)")
    parser.add_argument("--out", type=Path, default=Path("reports/nights-found.jsonl"), help="where the results go")
    parser.add_argument("--report", type=Path, metavar="FILE", help="simulate nothing; print the tables of this file")
    given = parser.parse_args()
    if not given.report:
        simulate_missing(given.out, given.jobs)
    found = read(given.report or given.out)
    begins = {change.name: change.begins for change in PLANTED}
    print("\n".join(tables(found, begins)))


if __name__ == "__main__":
    main()
