"""pytest-benchmark gets the very samples of the journal: its clock is told what was measured, its JSON on what.

Only what it publishes is touched: its fixture, its marker and its hooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_archbench import benchmark_json, store
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
    """Enter a time, or what took a time to learn, in pytest-benchmark's table and JSON, where that plugin is there and
    switched on. An accuracy stands in ``extra_info``, beside the seconds it took: its every number is seconds.
    """
    config = request.config
    wanted = config.pluginmanager.has_plugin("benchmark") and not config.getoption("benchmark_skip")
    row = store.row(measurement, ())
    seconds = benchmark_json.seconds(row) if wanted else ()
    if not seconds:
        return
    conditions = measurement.conditions
    group = benchmark_json.group(row)
    request.node.add_marker(pytest.mark.benchmark(timer=Tape(seconds), group=group))
    benchmark = request.getfixturevalue("benchmark")
    benchmark.extra_info.update(
        architecture=measurement.architecture,
        metric=measurement.metric,
        unit=measurement.unit,
        device=conditions.device,
        batch_size=conditions.batch_size,
        threads=conditions.threads,
        dtype=conditions.dtype,
        **benchmark_json.learned(row),
    )
    benchmark.pedantic(_nothing, rounds=len(seconds), iterations=1)


def _nothing() -> None:
    """What a round runs: the work was done, and timed, before."""


WRITES = {
    "benchmark_json": "--benchmark-json",
    "benchmark_save": "--benchmark-save",
    "benchmark_autosave": "--benchmark-autosave",
    "benchmark_compare": "--benchmark-compare",
    "benchmark_compare_fail": "--benchmark-compare-fail",
    "benchmark_histogram": "--benchmark-histogram",
}
"""What asks pytest-benchmark for more than its table, which it leaves out where it is disabled."""


class Beside:
    """The hooks of a run beside pytest-benchmark. Registered under a name, it does nothing where that plugin is not.

    ``header`` is the journal's, ``own`` the file that holds every sample in pytest-benchmark's format.
    """

    def __init__(self, config: pytest.Config, header: Mapping[str, Any], own: Path) -> None:
        self._config = config
        self._header = header
        self._own = own
        self._before = _version(own)
        self._lent: list[tuple[pytest.Function, list[str]]] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """Name the devices and the libraries: by default it knows the processor alone."""
        machine_info["devices"] = self._header["devices"]
        machine_info["packages"] = self._header["environment"]["packages"]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Under ``--benchmark-only`` have cases with a place in its table taken for benchmarks.

        Those are known by a fixture's name, which is lent until collection has ended: the fixture itself is asked for
        once there are samples.
        """
        if not self._config.getoption("benchmark_only", False):
            return
        for item in items:
            if isinstance(item, pytest.Function) and _takes_time(item) and "benchmark" not in item.fixturenames:
                self._lent.append((item, item.fixturenames))
                item.fixturenames = [*item.fixturenames, "benchmark"]

    def pytest_collection_finish(self) -> None:
        for item, names in self._lent:
            item.fixturenames = names
        self._lent.clear()

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        reason = unwritten(self._config)
        if reason and _version(self._own) != self._before:
            terminalreporter.write_line(f"{reason}; {self._own} has every sample in its format", yellow=True)


def _version(path: Path) -> tuple[int, int] | None:
    """What tells a file from the one that was there before."""
    try:
        found = path.stat()
    except OSError:  # it is not there, or its folder is none
        return None
    return found.st_ino, found.st_mtime_ns


def _takes_time(item: pytest.Item) -> bool:
    return any(marker.kwargs.get("metric") in benchmark_json.MODULES for marker in item.iter_markers("archbench"))


def unwritten(config: pytest.Config) -> str:
    """What was asked of pytest-benchmark that it did not do, and why; empty where nothing was, or it is not there."""
    if not config.pluginmanager.has_plugin("benchmark"):
        return ""
    asked = [flag for option, flag in WRITES.items() if config.getoption(option, None)]
    why = {
        "under xdist": config.getoption("dist", "no") != "no",
        "with --benchmark-disable": config.getoption("benchmark_disable") and not config.getoption("benchmark_enable"),
        "with --benchmark-skip": config.getoption("benchmark_skip"),
    }
    reasons = [reason for reason, holds in why.items() if holds]
    if not asked or not reasons:
        return ""
    return f"pytest-benchmark is switched off {reasons[0]}: {', '.join(asked)} wrote and compared nothing"
