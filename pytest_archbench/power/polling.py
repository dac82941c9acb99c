"""Reading a sensor while something else runs: at both ends of a window, and between them in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter, sleep

from pytest_archbench.power.sensors import Sensor, SensorLost
from pytest_archbench.power.window import Poll, Window, joules

LOST_SHARE = 0.1
"""Of all reads, those that may fail: they are left out, and a window is known from the others."""
LOST_FEW = 2
"""So many failing reads end nothing, however few there were in all."""
TRIES = 5
"""Reads at an end of a window, of which one must not fail."""
AGAIN = 0.005
"""Seconds between them."""

Clock = Callable[[], float]


class Poller:
    """Takes windows with a sensor. ``reads`` and ``failed`` count over all of them; ``why`` is the last failure."""

    def __init__(self, sensor: Sensor, clock: Clock = perf_counter) -> None:
        self.sensor = sensor
        self.reads = self.failed = 0
        self.why = ""
        self._clock = clock

    def window(self, action: Callable[[], int]) -> Window:
        """The window in which ``action`` runs, which answers how many passes it did.

        Raises: what ``action`` raises; SensorLost where more than a tenth of all reads failed, or a file is gone.
        """
        log = [self._end()]
        with self._polled(log):
            passes = action()
        log.append(self._end())
        if self.failed > max(LOST_FEW, LOST_SHARE * self.reads):
            raise SensorLost(f"{self.failed} of {self.reads} reads failed, the last: {self.why}; measure again")
        return Window(tuple(log), joules(self.sensor, log), passes)

    def rest(self, seconds: float) -> Window:
        """A window in which this process does nothing."""

        def nothing() -> int:
            sleep(seconds)
            return 0

        return self.window(nothing)

    def _end(self) -> Poll:
        """The first read that does not fail. Raises: SensorLost."""
        for _ in range(TRIES):
            poll = self._poll()
            if poll is not None:
                return poll
            sleep(AGAIN)
        raise SensorLost(f"{TRIES} reads in a row failed, the last: {self.why}; measure again")

    def _poll(self) -> Poll | None:
        """What the sensor says, with the time half-way through the read; None where it fails. Raises: SensorLost."""
        self.reads += 1
        before = self._clock()
        try:
            values = self.sensor.read()
        except (OSError, ValueError) as error:
            self.failed += 1
            self.why = f"{self.sensor.name}: {error}"
            return None
        return Poll((before + self._clock()) / 2, values)

    @contextmanager
    def _polled(self, log: list[Poll]) -> Iterator[None]:
        """Polls go to ``log`` meanwhile. The thread sleeps between them, and reading a file lets others run."""
        over = threading.Event()
        lost: list[SensorLost] = []

        def poll() -> None:
            try:
                while not over.wait(self.sensor.poll):
                    found = self._poll()
                    if found is not None:
                        log.append(found)
            except SensorLost as error:
                lost.append(error)

        thread = threading.Thread(target=poll, name="power", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if lost:
            raise lost[0]
