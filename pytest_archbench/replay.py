"""pytest-benchmark gets the very samples of the journal: its clock is told what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pytest_archbench.records import Measurement, Number


class Tape:
    """A clock for ``benchmark.pedantic`` with one iteration a round: each round lasts exactly one sample."""

    def __init__(self, samples: Sequence[Number]) -> None:
        self._ticks = self._play(samples)

    def __call__(self) -> float:
        return next(self._ticks, 0.0)

    @staticmethod
    def _play(samples: Sequence[Number]) -> Iterator[float]:
        for sample in samples:
            yield 0.0
            yield float(sample)


def into_benchmark(request: pytest.FixtureRequest, measurement: Measurement) -> None:
    """Enter a latency in pytest-benchmark's table and JSON, where that plugin is there and switched on.

    Other metrics have no place in it: its every number is seconds.
    """
    config = request.config
    wanted = config.pluginmanager.has_plugin("benchmark") and not config.getoption("benchmark_skip")
    if measurement.metric != "latency" or not measurement.samples or not wanted:
        return
    conditions = measurement.conditions
    group = f"latency {conditions.device} bs{conditions.batch_size}"
    request.node.add_marker(pytest.mark.benchmark(timer=Tape(measurement.samples), group=group))
    benchmark = request.getfixturevalue("benchmark")
    benchmark.extra_info.update(
        architecture=measurement.architecture,
        metric=measurement.metric,
        unit=measurement.unit,
        device=conditions.device,
        batch_size=conditions.batch_size,
        threads=conditions.threads,
        dtype=conditions.dtype,
    )
    benchmark.pedantic(_nothing, rounds=len(measurement.samples), iterations=1)


def _nothing() -> None:
    """What a round runs: the work was done, and timed, before."""
