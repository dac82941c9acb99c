"""Two networks timed in turn by real measuring processes; a network that sleeps has a time that is known."""

from __future__ import annotations

import itertools
import math
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from torch import Tensor, nn

from pytest_archbench import duel
from pytest_archbench.duel import FEWEST_PAIRS, FEWEST_ROUNDS, MOST_PAIRS, SideFailed
from pytest_archbench.jobs import Failure, Job
from pytest_archbench.meters import timing
from pytest_archbench.records import Architecture, Conditions, Settings
from pytest_archbench.worker import Worker


class Sleeping(nn.Module):
    """A linear layer after a nap (s)."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.head = seconds, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.seconds)
        found: Tensor = self.head(x)
        return found


class Weary(nn.Module):
    """Gives up after so many passes: an error, or the end of its process."""

    def __init__(self, passes: int, *, dies: bool) -> None:
        super().__init__()
        self.left, self.dies = passes, dies

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        if self.left < 0:
            if self.dies:
                os._exit(3)
            raise RuntimeError("not once more")
        time.sleep(0.002)
        return x


@dataclass(frozen=True, slots=True)
class Made:
    """A constructor that can be sent to another process."""

    kind: type[nn.Module]
    given: tuple[Any, ...]
    dies: bool | None = None

    def __call__(self) -> nn.Module:
        return self.kind(*self.given, **({} if self.dies is None else {"dies": self.dies}))


QUICK = Settings(time_budget=0.05, precision=0.5, timeout=120)


def job(build: Made) -> Job:
    return Job("latency", Architecture("net", "test", build, input_shape=(4,)), Conditions("cpu"), QUICK)


FAST, SLOW = job(Made(Sleeping, (0.002,))), job(Made(Sleeping, (0.004,)))
RAISES, DIES = job(Made(Weary, (8,), dies=False)), job(Made(Weary, (8,), dies=True))
UNBUILDABLE = job(Made(Sleeping, ()))


def at_once(_ratios: Sequence[float]) -> bool:
    return True


def never(_ratios: Sequence[float]) -> bool:
    return False


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Worker, Worker]]:
    """Two measuring processes for all, as a run keeps them."""
    found = Worker(), Worker()
    yield found
    for worker in found:
        worker.stop()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bursts of one pass: how many pairs there are is asked, not how exact they are."""
    monkeypatch.setattr(timing, "BURST", 0.001)


def test_one_process_finds_the_ratio_of_two_networks(pair: tuple[Worker, Worker]) -> None:
    found = duel.in_one_process(pair[0], SLOW, FAST, at_once)
    assert len(found.log_ratios) == FEWEST_PAIRS == 5
    assert statistics.median(found.log_ratios) == pytest.approx(math.log(2), abs=0.15)
    assert len(found.ours) == len(found.theirs) == 5
    for ours, theirs, ratio in zip(found.ours, found.theirs, found.log_ratios, strict=True):
        assert len(ours.samples) == len(theirs.samples)
        assert statistics.median(ours.samples) >= 0.004
        assert 0.002 <= statistics.median(theirs.samples) < 0.004
        assert ratio == timing.Round(ours.samples, theirs.samples).log_ratio
    assert (found.fed, found.dtype) == ([4], "float32")


def test_two_processes_find_it_too(pair: tuple[Worker, Worker]) -> None:
    asked = 0

    def enough(ratios: Sequence[float]) -> bool:
        nonlocal asked
        asked += 1
        return len(ratios) >= 6

    found = duel.between_processes(itertools.repeat(pair), SLOW, FAST, enough)
    assert (len(found.log_ratios), asked) == (6, 2), "it is asked from the fifth pair on"
    assert statistics.median(found.log_ratios) == pytest.approx(math.log(2), abs=0.15)
    assert len(found.ours) == len(found.theirs) == 6
    per_round = timing.BURSTS_PER_PLACE * timing.burst_size(0.0045)
    assert all(len(trial.samples) >= FEWEST_ROUNDS * per_round // 2 for trial in (*found.ours, *found.theirs))


def test_a_pair_is_the_median_of_its_rounds(pair: tuple[Worker, Worker], short: None) -> None:
    found = duel.between_processes(itertools.repeat(pair), FAST, SLOW, at_once)
    size = timing.BURSTS_PER_PLACE
    for ours, theirs, ratio in zip(found.ours, found.theirs, found.log_ratios, strict=True):
        rounds = [
            timing.Round(ours.samples[start : start + size], theirs.samples[start : start + size]).log_ratio
            for start in range(0, len(ours.samples), size)
        ]
        assert len(rounds) >= FEWEST_ROUNDS
        assert ratio == statistics.median(rounds)


def test_it_gives_up_after_twenty_pairs(pair: tuple[Worker, Worker], short: None) -> None:
    found = duel.between_processes(itertools.repeat(pair), FAST, FAST, never)
    assert len(found.log_ratios) == MOST_PAIRS == 20


def test_it_takes_no_more_pairs_than_there_are(pair: tuple[Worker, Worker], short: None) -> None:
    assert len(duel.between_processes([pair] * 2, FAST, FAST, never).log_ratios) == 2


def holds_nothing(worker: Worker) -> bool:
    """Whether a process has let go of its networks: what it does not hold it cannot time."""
    told = [worker.ask("burst", name, 1, timeout=60) for name in (duel.OURS, duel.THEIRS)]
    return all(isinstance(each, Failure) and each.message.startswith("KeyError") for each in told)


@pytest.mark.parametrize("ours", [True, False])
def test_it_says_which_side_failed(pair: tuple[Worker, Worker], short: None, ours: bool) -> None:
    for bad, words in ((UNBUILDABLE, "missing 1 required positional argument"), (RAISES, "not once more")):
        jobs = (bad, FAST) if ours else (FAST, bad)
        with pytest.raises(SideFailed, match=words) as told:
            duel.between_processes(itertools.repeat(pair), *jobs, never)
        assert (told.value.ours, told.value.failure.status) == (ours, "failed")
        assert str(told.value) == told.value.failure.message
        assert all(map(holds_nothing, pair)), "the next case is timed alone"
    with pytest.raises(SideFailed) as told:
        duel.in_one_process(pair[0], *((UNBUILDABLE, FAST) if ours else (FAST, UNBUILDABLE)), never)
    assert told.value.ours is ours
    assert holds_nothing(pair[0])


@pytest.mark.parametrize("ours", [True, False])
def test_a_process_that_dies_is_its_own_sides(short: None, ours: bool) -> None:
    pair = Worker(), Worker()
    try:
        with pytest.raises(SideFailed, match="the measuring process ended with exit status 3") as told:
            duel.between_processes(itertools.repeat(pair), *((DIES, FAST) if ours else (FAST, DIES)), never)
        assert (told.value.ours, told.value.failure.status) == (ours, "crashed")
        assert [worker.alive for worker in pair] == [not ours, ours]
    finally:
        for worker in pair:
            worker.stop()
    assert not any(worker.alive for worker in pair)
