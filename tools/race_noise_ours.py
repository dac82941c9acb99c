"""The plugin's own protocols in the noise race: pairs in one process, pairs of processes, and nightly runs."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

from race_noise_networks import SLOWED, UNCHANGED, Asked, architecture

from pytest_archbench import duel, past, store
from pytest_archbench.duel import FEWEST_PAIRS, MOST_PAIRS, Duel, Enough
from pytest_archbench.jobs import Job
from pytest_archbench.records import Case, Conditions, Settings
from pytest_archbench.registry import METRICS
from pytest_archbench.runner import Runner
from pytest_archbench.worker import Worker

Raw = dict[str, Any]
METRIC = "latency"
CONDITIONS = Conditions("cpu")
"""Batch 1, one thread."""
PROCESSES = 5
"""Of a nightly run."""


def one_process(asked: Asked, fraction: float, order: Sequence[str]) -> dict[str, Raw]:
    """Log-ratios over the plain network, both in one fresh process. Raises: duel.SideFailed."""
    with _stopped(1) as (worker,):
        return {
            kind: _raw(duel.in_one_process(worker, _job(asked, kind, fraction), _plain(asked), _enough(asked)))
            for kind in order
        }


def pairs_of_processes(asked: Asked, fraction: float, order: Sequence[str]) -> dict[str, Raw]:
    """Log-ratios over the plain network in another process, a pair of fresh processes each. Raises: duel.SideFailed.

    The first pairs are used for both kinds, one after the other: starting them is most of their time.
    """
    with ExitStack() as kept:
        held: list[tuple[Worker, Worker]] = []
        found = {}
        for kind in order:
            with closing(_pairs(kept, held)) as pairs:
                ours = _job(asked, kind, fraction)
                found[kind] = _raw(duel.between_processes(pairs, ours, _plain(asked), _enough(asked)))
        return found


def nightly(asked: Asked, fraction: float, order: Sequence[str]) -> dict[str, Raw]:
    """The journal's row of a run over fresh processes. Raises: RuntimeError where nothing was measured."""
    runner = Runner(Settings(processes=PROCESSES, time_budget=asked.nightly_seconds))
    try:
        return {kind: _row(runner, architecture(asked.network, _slower(kind, fraction))) for kind in order}
    finally:
        runner.close()


def _row(runner: Runner, network: Any) -> Raw:
    found = runner.measure(Case(network, METRIC, CONDITIONS))
    if found.status != "ok":
        raise RuntimeError(f"nightly: {network.name} was not measured ({found.status}): {found.message}")
    return store.row(found, ())


def _slower(kind: str, fraction: float) -> float:
    return fraction if kind == SLOWED else 0.0


def _job(asked: Asked, kind: str, fraction: float) -> Job:
    network = architecture(asked.network, _slower(kind, fraction))
    return Job(METRIC, network, CONDITIONS, Settings(time_budget=2 * asked.seconds))  # two sides share it


def _plain(asked: Asked) -> Job:
    return _job(asked, UNCHANGED, 0.0)


def _enough(asked: Asked) -> Enough:
    return partial(past.settled, tolerance=asked.tolerance, metric=METRICS[METRIC])


def _raw(found: Duel) -> Raw:
    sides = {"ours": found.ours, "theirs": found.theirs}
    samples = {side: [list(trial.samples) for trial in trials] for side, trials in sides.items()}
    return {"log_ratios": list(found.log_ratios), **samples}


def _pairs(kept: ExitStack, held: list[tuple[Worker, Worker]]) -> Generator[tuple[Worker, Worker], None, None]:
    """The pairs that are held, as many more as are always needed, and then pairs that end when the next is due."""
    for number in range(FEWEST_PAIRS):
        if number == len(held):
            held.append(_pair(kept))
        yield held[number]
    for _ in range(FEWEST_PAIRS, MOST_PAIRS):
        with ExitStack() as one:
            yield _pair(one)


def _pair(until: ExitStack) -> tuple[Worker, Worker]:
    ours, theirs = until.enter_context(_stopped(2))
    return ours, theirs


@contextmanager
def _stopped(number: int) -> Iterator[tuple[Worker, ...]]:
    """So many fresh processes that have imported torch, all at once; ended afterwards."""
    with ExitStack() as stack:
        workers = []
        for _ in range(number):
            workers.append(Worker())
            stack.callback(workers[-1].stop)
        with ThreadPoolExecutor(number) as threads:
            list(threads.map(lambda worker: worker.ask("versions", (), timeout=300), workers))
        yield tuple(workers)
