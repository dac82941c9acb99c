"""Reading a sensor while something runs: what a few failing reads cost, what ends it, how often it is read."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, sleep

import pytest
from powercap_trees import AMD, counter, tree

from pytest_archbench.power.finding import find
from pytest_archbench.power.polling import TRIES, Poller
from pytest_archbench.power.sensors import Channel, Sensor, SensorLost


def sensor(read: Callable[[], float], nature: str = "gauge", period: float = 0.002) -> Sensor:
    return Sensor("sensor", "board", nature, "measured", period, (Channel("the file", read),))  # type: ignore[arg-type]


def at_times(failing: Callable[[int], bool]) -> Callable[[], float]:
    """A power of 8 W, whose n-th read fails as a busy bus does."""
    numbers = itertools.count()

    def read() -> float:
        if failing(next(numbers)):
            raise OSError(errno.EIO, "Input/output error", "/sys/the/file")
        return 8.0

    return read


def sleeping(seconds: float, passes: int = 3) -> Callable[[], int]:
    def action() -> int:
        sleep(seconds)
        return passes

    return action


def test_a_constant_power_times_the_time() -> None:
    start = perf_counter()
    found = Poller(sensor(lambda: 8.0)).window(sleeping(0.1))
    assert 0.1 <= found.seconds <= perf_counter() - start
    assert found.energy == pytest.approx(8.0 * found.seconds)
    assert found.passes == 3
    assert len(found.polls) > 5


def test_a_counter_is_read_ten_times_a_second_however_fast_it_is() -> None:
    start = perf_counter()
    found = Poller(sensor(lambda: 8 * (perf_counter() - start), "counter", 0.001)).window(sleeping(0.25))
    assert 3 <= len(found.polls) <= 3 + found.seconds / 0.1
    assert found.energy == pytest.approx(8 * found.seconds, rel=1e-3)


def test_a_few_failing_reads_are_left_out_and_counted() -> None:
    poller = Poller(sensor(at_times(lambda number: number % 20 == 7)))
    found = poller.window(sleeping(0.2))
    assert found.energy == pytest.approx(8.0 * found.seconds)
    assert poller.failed >= 1
    assert poller.reads == len(found.polls) + poller.failed
    assert poller.why == "sensor: [Errno 5] Input/output error: '/sys/the/file'"


def test_more_than_a_tenth_ends_it() -> None:
    poller = Poller(sensor(at_times(lambda number: number % 5 == 4)))
    with pytest.raises(
        SensorLost, match=r"reads failed, the last: sensor: \[Errno 5\] .*'/sys/the/file'; measure again"
    ):
        poller.window(sleeping(0.2))


def test_at_its_ends_a_window_tries_again() -> None:
    found = Poller(sensor(at_times(lambda number: number < 2), period=5.0)).window(sleeping(0.01))
    assert len(found.polls) == 2
    with pytest.raises(SensorLost, match=f"{TRIES} reads in a row failed"):
        Poller(sensor(at_times(lambda number: number >= 0))).window(sleeping(0.0))


def test_what_cannot_be_is_left_out_like_an_error() -> None:
    answers: Iterator[float] = itertools.chain([8.0, 8.0, -1.0, float("nan")], itertools.repeat(8.0))
    poller = Poller(sensor(lambda: next(answers)))
    found = poller.window(sleeping(0.1))
    assert poller.failed == 2
    assert found.energy == pytest.approx(8.0 * found.seconds)


def test_a_file_that_vanishes_in_the_middle_ends_it(tmp_path: Path) -> None:
    found = find("cpu", tree(tmp_path, AMD))

    def vanish() -> int:
        counter(tmp_path).unlink()
        sleep(0.15)
        return 1

    with pytest.raises(
        SensorLost, match=r"RAPL: .*intel-rapl:0/energy_uj is gone \(ENOENT: No such file or directory\)"
    ):
        Poller(found).window(vanish)


def test_what_was_gone_between_the_ends_is_not_trusted_again() -> None:
    answers: Iterator[Callable[[], float]] = itertools.chain([lambda: 8.0, gone], itertools.repeat(lambda: 8.0))
    poller = Poller(sensor(lambda: next(answers)()))

    def longer_than_a_poll() -> int:
        while poller.reads < 2:
            sleep(0.001)
        return 1

    with pytest.raises(SensorLost, match=r"sensor: the file is gone \(ENODEV: No such device\)"):
        poller.window(longer_than_a_poll)


def gone() -> float:
    raise OSError(errno.ENODEV, "No such device")


def test_a_counter_that_is_set_anew_ends_it(tmp_path: Path) -> None:
    found = find("cpu", tree(tmp_path, AMD))

    def reset() -> int:
        counter(tmp_path).write_text("0\n")
        return 1

    with pytest.raises(SensorLost, match="which no load explains: the counter was set anew"):
        Poller(found).window(reset)


def test_garbage_in_the_middle_is_one_failing_read(tmp_path: Path) -> None:
    poller = Poller(find("cpu", tree(tmp_path, AMD)))

    def garbled() -> int:
        counter(tmp_path).write_text("much\n")
        while not poller.failed:
            sleep(0.001)
        counter(tmp_path).write_text("1250000\n")
        return 1

    assert poller.window(garbled).energy == pytest.approx(0.25)
    assert (poller.failed, "got 'much'" in poller.why) == (1, True)


def test_what_the_passes_raise_comes_through() -> None:
    def broken() -> int:
        raise LookupError("of the network")

    with pytest.raises(LookupError, match="of the network"):
        Poller(sensor(lambda: 8.0)).window(broken)
