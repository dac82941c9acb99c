"""Two folders with one project each, compared case by case by real measuring processes."""

from __future__ import annotations

import itertools
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pytest_archbench.against import Opponent
from pytest_archbench.arena import Arena, Bout, race
from pytest_archbench.catalogue import Factory, Network
from pytest_archbench.places import Place
from pytest_archbench.records import Architecture, Case, Conditions, Settings
from pytest_archbench.runner import Runner
from pytest_archbench.worker import Surroundings

NETS = """
import time
import torch
from torch import nn


class Sleeping(nn.Module):
    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.head = seconds, nn.Linear(4, 2)

    def forward(self, x):
        time.sleep(self.seconds)
        return self.head(x)


class Spectral(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).real


def timed():
    return Sleeping({seconds})


def counted():
    return nn.Linear(4, {width})


def only_here():
    return nn.Linear(4, {here})


def only_there():
    return nn.Linear(4, {there})
"""
# Ours sleeps twice as long and has 4*3 + 3 = 15 parameters instead of 4*2 + 2 = 10.
OURS = NETS.format(seconds=0.006, width=3, here=2, there="None")
THEIRS = NETS.format(seconds=0.003, width=2, here="None", there=2)
QUICK = Settings(time_budget=0.05, precision=0.5, timeout=120)
HEADER = {"run": "ours", "started": "2026-01-31T03:00:00+00:00"}
LABEL = "the other folder"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Our folder; locks of these tests alone, so that they wait for nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("locks")))
        folder = tmp_path_factory.mktemp("here")
        (folder / "duelling_nets.py").write_text(OURS)
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="module")
def arena(here: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    there = tmp_path_factory.mktemp("there")
    (there / "duelling_nets.py").write_text(THEIRS)
    path = (str(there), *(entry for entry in sys.path if entry != str(here)))
    opponent = Opponent(LABEL, Surroundings(sys.executable, there, path), {"revision": "old"}, there)
    found = Arena(opponent, QUICK, 0.2, HEADER)
    yield found
    found.close()


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    found = Runner(QUICK)
    yield found
    found.close()


def case(here: Path, name: str, metric: str) -> Case:
    place = Place(here / "pyproject.toml", 1, "tool.archbench.architectures", name)
    build = Network(Factory(f"duelling_nets:{name}", place))
    entry = Architecture(name, "user", build, input_shape=(4,), provider="user", suites=("user",))
    return Case(entry, metric, Conditions("cpu", batch_size=2 if metric == "throughput" else 1, input_shape=(4,)))


@pytest.fixture(scope="module")
def slower(arena: Arena, here: Path, runner: Runner) -> Bout:
    return arena.bout(case(here, "timed", "latency"), runner)


def test_times_are_taken_in_turn_and_kept_of_both(slower: Bout) -> None:
    measurement, account = slower.measurement, slower.account
    assert (slower.verdict.outcome, slower.verdict.source) == ("regressed", LABEL)
    assert slower.verdict.change == pytest.approx(1, abs=0.2)
    assert measurement.value is not None
    assert measurement.value >= 0.006
    assert len(measurement.trials) == len(account["trials"]) == len(account["log_ratios"]) == 5
    assert measurement.notes == ("5 pairs",)
    assert measurement.conditions.input_shape == [4]
    assert (account["side"], account["revision"], account["tolerance"]) == (LABEL, "old", 0.2)
    assert all(0.003 <= min(trial["samples"]) < 0.006 for trial in account["trials"])
    assert all(ratio == pytest.approx(math.log(2), abs=0.3) for ratio in account["log_ratios"])


def test_a_rate_is_the_same_duel_upside_down(arena: Arena, here: Path, runner: Runner, slower: Bout) -> None:
    asked = case(here, "timed", "throughput")
    asked = replace(asked, conditions=replace(asked.conditions, batch_size=1))
    found = arena.bout(asked, runner)
    assert found.verdict.outcome == "regressed"
    assert found.verdict.change == pytest.approx(-0.5, abs=0.1)
    assert found.measurement.unit == "img/s"
    assert found.account["log_ratios"] == [-ratio for ratio in slower.account["log_ratios"]]
    beside = "in turn with another side; "
    assert slower.measurement.convention.startswith(f"{beside}wall time of a forward pass")
    assert found.measurement.convention == slower.measurement.convention.replace(beside, f"{beside}batch size / ")
    assert found.measurement.samples == tuple(1 / seconds for seconds in slower.measurement.samples)
    (first, *_), (theirs, *_) = slower.account["trials"], found.account["trials"]
    assert theirs["samples"] == tuple(1 / seconds for seconds in first["samples"])


def test_a_count_is_taken_once_on_each_side(arena: Arena, here: Path, runner: Runner) -> None:
    found = arena.bout(case(here, "counted", "params"), runner)
    assert (found.verdict.outcome, found.verdict.change) == ("deviates", 0.5)
    assert "15 instead of 10" in found.verdict.reason
    assert found.verdict.source == LABEL
    assert (found.measurement.value, found.account["value"], found.account["message"]) == (15, 10, "")
    assert "log_ratios" not in found.account
    assert arena.bout(case(here, "timed", "params"), runner).verdict.outcome == "passed"


def test_memory_is_taken_once_on_each_side(arena: Arena, here: Path, runner: Runner) -> None:
    found = arena.bout(case(here, "timed", "peak_memory"), runner)
    assert found.measurement.status == "ok", found.measurement.message
    assert found.account["value"] > 0
    assert found.verdict.source == LABEL
    assert found.verdict.outcome in ("passed", "improved", "regressed", "inconclusive")
    assert found.verdict.change is not None


@pytest.mark.parametrize("metric", ["params", "latency"])
def test_what_they_lack_is_theirs_and_what_we_lack_is_ours(
    arena: Arena, here: Path, runner: Runner, metric: str
) -> None:
    new = arena.bout(case(here, "only_here", metric), runner)
    assert new.verdict.outcome == "inconclusive"
    assert LABEL in new.verdict.reason
    assert "TypeError" in new.verdict.reason
    assert "TypeError" in new.account["message"]
    assert new.measurement.status == ("ok" if metric == "params" else "skipped")
    broken = arena.bout(case(here, "only_there", metric), runner)
    assert (broken.verdict.outcome, broken.measurement.status) == ("inconclusive", "failed")
    assert "TypeError" in broken.measurement.message
    assert LABEL not in broken.measurement.message


def test_an_incomplete_count_is_not_compared(arena: Arena, here: Path, runner: Runner) -> None:
    found = arena.bout(case(here, "Spectral", "macs"), runner)
    assert found.measurement.uncounted
    assert found.verdict.outcome == "inconclusive"
    assert found.verdict.reason == f"Spectral macs: not comparable with {LABEL}: operators without a formula"


def test_pairs_beyond_the_fifth_are_of_new_processes(arena: Arena, slower: Bout) -> None:
    pids = [[worker.pid for worker in pair] for pair in itertools.islice(arena._each_pair(), 7)]
    assert len({pid for pair in pids for pid in pair}) == 14
    again = [[worker.pid for worker in pair] for pair in itertools.islice(arena._each_pair(), 5)]
    assert again == [pids[5], pids[6], *pids[2:5]], "five are kept for the next case"


def test_two_networks_race_in_one_process(here: Path, runner: Runner) -> None:
    ours, theirs = case(here, "timed", "latency"), case(here, "counted", "latency")
    found = race(ours, theirs, runner, 0.2)
    assert (found.verdict.outcome, found.verdict.source) == ("regressed", "counted")
    assert found.account["side"] == "counted"
    assert race(theirs, ours, runner, 0.2).verdict.outcome == "improved"


def test_closing_ends_every_process(arena: Arena, slower: Bout) -> None:
    workers = [worker for pair in arena._pairs.values() for worker in pair]
    assert len(workers) == 10
    arena.close()
    assert not any(worker.alive for worker in workers)
    assert not any(psutil.pid_exists(worker.pid) for worker in workers)
