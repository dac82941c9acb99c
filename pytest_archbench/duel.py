"""Two networks timed against each other, in turn: in one process that holds both, or in pairs of processes.

What else the machine does meets both sides alike, and shows in the spread of the ratios: then more of them are taken.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_archbench.jobs import Failure, Job
from pytest_archbench.meters import timing
from pytest_archbench.meters.timing import Round
from pytest_archbench.records import Trial
from pytest_archbench.worker import Worker

FEWEST_PAIRS, MOST_PAIRS = 5, 20
"""Between these the number of pairs is as large as the verdict needs."""
MOST_ROUNDS = 60
"""Pairs in one process at most: they cost no start of a process."""
FEWEST_ROUNDS = 2
"""Rounds of one pair of processes, whatever the budget."""

Enough = Callable[[Sequence[float]], bool]
"""Whether log-ratios suffice for a verdict."""


class SideFailed(RuntimeError):
    """One side has no time to give; ``failure`` says why, ``ours`` whose it is."""

    def __init__(self, failure: Failure, *, ours: bool) -> None:
        super().__init__(failure.message)
        self.failure, self.ours = failure, ours


@dataclass(frozen=True, slots=True)
class Duel:
    """What two sides came to: one log-ratio of ours over theirs a pair, and the samples (s) of both.

    ``fed`` and ``dtype`` are the input that our network got and the type it computed in.
    """

    log_ratios: tuple[float, ...]
    ours: tuple[Trial, ...]
    theirs: tuple[Trial, ...]
    fed: Any
    dtype: str


@dataclass(slots=True)
class Held:
    """A network that a worker holds ready: ``timing.Contender``."""

    worker: Worker
    name: str
    pace: float
    timeout: float
    fed: Any = None
    dtype: str = ""

    @classmethod
    def open(cls, worker: Worker, name: str, job: Job) -> Held:
        """Have a worker build and warm up a network. Raises: SideFailed."""
        timeout = job.settings.timeout
        pace, fed, dtype = _ask(worker, name, timeout, "open", name, job)
        return cls(worker, name, pace, timeout, fed, dtype)

    def move(self) -> None:
        _ask(self.worker, self.name, self.timeout, "move", self.name)

    def burst(self, size: int) -> Sequence[float]:
        samples: Sequence[float] = _ask(self.worker, self.name, self.timeout, "burst", self.name, size)
        return samples


OURS, THEIRS = "ours", "theirs"


def in_one_process(worker: Worker, ours: Job, theirs: Job, enough: Enough) -> Duel:
    """Both networks in one process; a pair is a round, each at another place in memory. Raises: SideFailed."""
    ratios: list[float] = []
    trials: list[tuple[Trial, Trial]] = []
    with _let_go(worker, timeout=ours.settings.timeout):
        mine = Held.open(worker, OURS, ours)
        Held.open(worker, THEIRS, theirs)
        while not _settled(ratios, enough, MOST_ROUNDS):
            found: Round = _ask(worker, OURS, ours.settings.timeout, "round", OURS, THEIRS)
            ratios.append(found.log_ratio)
            trials.append(_trials([found]))
    return _duel(ratios, trials, mine)


def between_processes(pairs: Iterable[tuple[Worker, Worker]], ours: Job, theirs: Job, enough: Enough) -> Duel:
    """One network in each of two processes, for as many pairs of processes as it takes. Raises: SideFailed."""
    ratios: list[float] = []
    trials: list[tuple[Trial, Trial]] = []
    for mine, other in pairs:
        with _let_go(mine, other, timeout=ours.settings.timeout):
            here = Held.open(mine, OURS, ours)
            there = Held.open(other, THEIRS, theirs)
            rounds = _rounds(here, there, ours.settings.time_budget)
        ratios.append(statistics.median(each.log_ratio for each in rounds))
        trials.append(_trials(rounds))
        if _settled(ratios, enough, MOST_PAIRS):
            break
    return _duel(ratios, trials, here)


@contextmanager
def _let_go(*workers: Worker, timeout: float) -> Iterator[None]:
    """Have workers let go of what they hold, whatever happens to one of them."""
    try:
        yield
    finally:
        for worker in workers:
            if worker.alive:
                worker.ask("close", timeout=timeout)


def _rounds(ours: Held, theirs: Held, budget: float) -> list[Round]:
    start = time.perf_counter()
    rounds: list[Round] = []
    while len(rounds) < FEWEST_ROUNDS or time.perf_counter() - start < budget:
        rounds.append(timing.round_of(ours, theirs))
    return rounds


def _settled(ratios: Sequence[float], enough: Enough, most: int) -> bool:
    return len(ratios) >= most or (len(ratios) >= FEWEST_PAIRS and enough(ratios))


def _trials(rounds: Sequence[Round]) -> tuple[Trial, Trial]:
    ours = Trial(tuple(sample for each in rounds for sample in each.ours))
    return ours, Trial(tuple(sample for each in rounds for sample in each.theirs))


def _duel(ratios: Sequence[float], trials: Sequence[tuple[Trial, Trial]], ours: Held) -> Duel:
    mine, other = zip(*trials, strict=True)
    return Duel(tuple(ratios), mine, other, ours.fed, ours.dtype)


def _ask(worker: Worker, side: str, timeout: float, verb: str, *arguments: Any) -> Any:
    answer = worker.ask(verb, *arguments, timeout=timeout)
    if isinstance(answer, Failure):
        raise SideFailed(answer, ours=side == OURS)
    return answer
