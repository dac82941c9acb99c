"""How a time is taken: warm-up until steady, then bursts of passes with the reference workload between them.

Knows no torch and no real clock: a test drives it with both pretended.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from pytest_archbench import stats

FEWEST = 10
"""Samples below this number are never enough, whatever the budget."""
FEWEST_SLOW = 5
"""The same where ten passes take longer than three budgets."""
MOST = 10_000
SHORTEST_WARM_UP = 3
"""Passes, whatever the budget: the first compiles, allocates and fills caches, and says nothing of the next."""
LONGEST_WARM_UP = 50
BURST = 0.05
"""Seconds of passes between two runs of the reference workload: the machine's pace changes more slowly."""
LARGEST_BURST = 100
BURSTS_PER_PLACE = 4
"""After so many bursts the network moves to other memory, whose place makes a time some per cent longer or shorter."""
FEWEST_PLACES = 3
"""Places below this number are never precise enough: more samples of one place repeat its bias."""

Clock = Callable[[], float]


class Work(Protocol):
    """What is timed."""

    def lap(self) -> float:
        """One pass, finished when it returns; the seconds it took by the device's own clock."""

    def reference(self) -> object:
        """The fixed reference workload."""

    def move(self) -> None:
        """Put the network and its input to other memory."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Samples (s) in the order taken, those of the reference workload and of the warm-up apart.

    ``error``: half the width of the 95 % interval of the median, relative to it; infinite with too few samples.
    """

    samples: tuple[float, ...]
    reference: tuple[float, ...]
    warm_up: tuple[float, ...]
    steady: bool
    error: float


def sample(work: Work, budget: float, precision: float, clock: Clock = perf_counter) -> Timed:
    """Run ``work`` until its time is steady, then until its median is precise or the budget is spent.

    ``precision`` is relative; ``budget`` (s) holds for the sampling; the warm-up may take as long again.
    """
    warm = warm_up(work, budget, clock)
    pace = statistics.median(warm[-SHORTEST_WARM_UP:])
    fewest = due = FEWEST if pace * FEWEST <= 3 * budget else FEWEST_SLOW
    size = burst_size(pace)
    samples: list[float] = []
    reference: list[float] = []
    start = clock()
    while len(samples) < fewest or (len(samples) < MOST and clock() - start < budget):
        place, step = divmod(len(reference), BURSTS_PER_PLACE)
        if place and not step:
            move(work)
        samples += burst(work, size)
        reference.append(reference_time(work, clock))
        if len(samples) >= due and place >= FEWEST_PLACES - 1:
            if stats.relative_error(samples) <= precision:
                break
            due = len(samples) * 11 // 10 + 1  # looking takes time too
    return Timed(tuple(samples), tuple(reference), tuple(warm), stats.is_steady(warm), stats.relative_error(samples))


def warm_up(work: Work, budget: float, clock: Clock = perf_counter) -> list[float]:
    """Times (s) of passes until they are steady, or the budget (s) is spent."""
    start = clock()
    times = [work.lap()]
    while len(times) < SHORTEST_WARM_UP or (
        len(times) < LONGEST_WARM_UP and not stats.is_steady(times) and clock() - start < budget
    ):
        times.append(work.lap())
    return times


def burst_size(pace: float) -> int:
    """How many passes of ``pace`` seconds a burst has."""
    return max(1, min(LARGEST_BURST, math.ceil(BURST / pace))) if pace > 0 else LARGEST_BURST


def burst(work: Work, size: int) -> list[float]:
    """Times (s) of passes one after the other. Short passes begin with one that is left out and fills the caches."""
    laps = [work.lap() for _ in range(size + (size > 1))]
    return laps[-size:]


def move(work: Work) -> None:
    """Go to other memory; the first pass there, which touches it for the first time, is not timed."""
    work.move()
    work.lap()


def reference_time(work: Work, clock: Clock = perf_counter) -> float:
    """Time (s) of the reference workload, its caches filled."""
    work.reference()
    start = clock()
    work.reference()
    return clock() - start


class Contender(Protocol):
    """One side of a comparison, here or in another process."""

    pace: float
    """Seconds of one pass, roughly."""

    def move(self) -> None:
        """Put the network and its input to other memory, and warm up there."""

    def burst(self, size: int) -> Sequence[float]:
        """Times (s) of ``size`` passes."""


@dataclass(frozen=True, slots=True)
class Round:
    """Samples (s) of both sides, taken in turn while neither moved."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def log_ratio(self) -> float:
        """The logarithm of our lower quartile over theirs: what else the machine does only ever adds time."""
        return math.log(stats.percentile(self.ours, 25) / stats.percentile(self.theirs, 25))


def round_of(ours: Contender, theirs: Contender) -> Round:
    """Both sides at a new place, in bursts that follow one another: ours, theirs, theirs, ours, ..."""
    ours.move()
    theirs.move()
    size = burst_size(max(ours.pace, theirs.pace))
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(BURSTS_PER_PLACE):
        for side in ((0, 1), (1, 0))[turn % 2]:
            taken[side].extend((ours, theirs)[side].burst(size))
    return Round(tuple(taken[0]), tuple(taken[1]))
