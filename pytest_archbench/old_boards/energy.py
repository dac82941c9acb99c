"""Energy of passes from a board's power rails: polled while windows of passes run, idle before and after."""

import statistics
import threading
from time import perf_counter, sleep
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from pytest_archbench.old_boards.rows import Reading, relative_error
from pytest_archbench.old_boards.witness import Facts, between, disturbed, snapshot
from pytest_archbench.power.rails import Rail

PERIOD = 0.1
"""Seconds between two polls, as in ``pytest_archbench.power.boards``."""
WINDOW = 50 * PERIOD
"""Seconds of a window at least: what is unknown at its ends is below 2 % of it."""
WINDOWS = 6
"""Of so many samples the whole range holds the median with 97 %."""
SETTLE = 1.0
"""Seconds of rest, or of passes, before either is measured."""
LOST = 0.1
"""Share of polls that may fail; with more the sensor is lost."""
SCATTER = {"energy": 0.05, "energy_above_idle": 0.1, "power": 0.05}
"""How well (relative) the median of the windows must be known."""
IDLE = 0.1
"""How far power at rest may differ before and after."""
NEIGHBOURS = 0.1
"""Processors that others keep busy, for each of our threads, before energy that they share is doubtful."""
SLOW = 0.5
"""Share of the polls asked for below which a power is doubtful."""

SENSOR = "INA3221, {}: measured energy of the whole module; "
METHOD = SENSOR + "its power, polled and integrated by trapezoids over a window of passes, "
CONVENTIONS = {
    "energy": METHOD + "per image, idle included",
    "energy_above_idle": METHOD
    + "per image, less idle power times time; idle: network loaded, before and after its passes",
    "power": METHOD + "average over the windows, idle included",
}
"""Word for word those of ``pytest_archbench.meters.energy``, since the way is the same."""

Powers = Tuple[float, Sequence[float]]
"""Time (s, monotonic) and the power (W) of each rail then."""


class SensorLost(RuntimeError):
    """A sensor that could be read at the start and cannot any more."""


class Poll:
    """Reads rails in a thread until it is left: ``with Poll(rails) as poll: ...``, then ``poll.joules()``."""

    def __init__(self, rails: Sequence[Rail]) -> None:
        self.rails = rails
        self.powers: List[Powers] = []
        self.failures: List[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while True:
            before = perf_counter()
            try:
                powers = tuple(map(_positive, self.rails))
            except (OSError, ValueError) as error:
                self.failures.append(str(error))
            else:
                self.powers.append(((before + perf_counter()) / 2, powers))
            if self._over.wait(PERIOD):
                return

    def __enter__(self) -> "Poll":
        self.start = perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.end = perf_counter()
        self._over.set()
        self._thread.join()

    def joules(self) -> float:
        """Energy, J, from the start to the end. Raises: SensorLost."""
        polls = len(self.powers) + len(self.failures)
        if not self.powers or len(self.failures) > LOST * polls:
            names = " + ".join(rail.name for rail in self.rails)
            said = self.failures[-1] if self.failures else "no poll"
            raise SensorLost(f"power rails {names}: {len(self.failures)} of {polls} readings failed: {said}")
        return integral(self.powers, self.start, self.end)


def integral(powers: Sequence[Powers], start: float, end: float) -> float:
    """Energy, J, by trapezoids over the true times; before the first and after the last reading power is theirs."""
    inside = [(min(max(time, start), end), sum(each)) for time, each in powers]
    points = [(start, inside[0][1]), *inside, (end, inside[-1][1])]
    return sum((later - time) * (power + then) / 2 for (time, power), (later, then) in zip(points, points[1:]))


class Window(NamedTuple):
    """What a window of passes, or of rest, took: energy (J) and time (s), and the readings that it rests on."""

    joules: float
    seconds: float
    images: int
    polls: Sequence[Powers]
    failures: int

    @property
    def power(self) -> float:
        """Average, W."""
        return self.joules / self.seconds


def readings(rails: Sequence[Rail], work: Any, batch_size: int, length: float, threads: int) -> Dict[str, Reading]:
    """Energy per image, the same above idle, and power, over windows of ``length`` s. Raises: SensorLost."""
    start = snapshot()
    before = _idle(rails, length)
    _passes(work.forward, SETTLE)
    windows = [_window(rails, lambda: _passes(work.forward, length) * batch_size) for _ in range(WINDOWS)]
    after = _idle(rails, length)
    facts = between(start, snapshot(), [])
    names = " + ".join(rail.name for rail in rails)
    if len({powers for each in [before, *windows, after] for _, powers in each.polls}) == 1:
        raise SensorLost(f"power rails {names} said the same at rest and at work: they are stuck; look at their driver")
    idle = (before.power + after.power) / 2
    samples = {
        "energy": [each.joules / each.images for each in windows],
        "energy_above_idle": [(each.joules - idle * each.seconds) / each.images for each in windows],
        "power": [each.power for each in windows],
    }
    doubts = [*disturbed(facts), *neighbours(facts, threads)]
    told = [f"disturbed: {'; '.join(doubts)}"] if doubts else []
    notes = [*_notes(windows, before.power, after.power), *told]
    return {
        metric: Reading(
            found,
            CONVENTIONS[metric].format(names),
            notes=notes,
            machine=facts,
            disturbed=doubts,
            imprecise="; ".join([*_imprecise(metric, found, before.power, after.power), *_seldom(windows), *told]),
        )
        for metric, found in samples.items()
    }


def neighbours(facts: Facts, threads: int) -> List[str]:
    """A sentence where other processes took energy that a board's rails cannot tell from ours."""
    others, limit = facts["others"], NEIGHBOURS * threads
    if others is None or others <= limit:
        return []
    return [f"other processes kept {others:.2f} processors busy, whose energy is in it (limit {limit:g})"]


def _rate(windows: Sequence[Window]) -> float:
    """Polls a second."""
    return statistics.median(len(each.polls) / each.seconds for each in windows)


def _notes(windows: Sequence[Window], before: float, after: float) -> List[str]:
    length = statistics.median(each.seconds for each in windows)
    failures = sum(each.failures for each in windows)
    notes = [
        f"{len(windows)} windows of {length:.3g} s, {sum(each.images for each in windows)} images",
        f"sensor period {PERIOD:g} s, read {_rate(windows):.3g} times a second",
        f"at rest {before:.4g} W before and {after:.4g} W after",
    ]
    return [*notes, f"{failures} readings failed and were left out"] if failures else notes


def _imprecise(metric: str, found: Sequence[float], before: float, after: float) -> List[str]:
    """Why nothing can be concluded from a metric's samples."""
    error, limit = relative_error(found), SCATTER[metric]
    told = []
    if statistics.median(found) <= 0:
        told.append("no more energy than at rest: the network takes less than the sensor tells")
    elif error > limit:
        told.append(f"the windows scatter by ±{error:.1%}, ±{limit:.0%} goes unremarked; raise --window")
    if metric == "energy_above_idle" and abs(after - before) > IDLE * before:
        told.append(f"the power at rest changed from {before:.4g} W to {after:.4g} W meanwhile (limit {IDLE:.0%})")
    return told


def _seldom(windows: Sequence[Window]) -> List[str]:
    """A sentence where the rails were read too seldom to follow their power."""
    rate, asked = _rate(windows), 1 / PERIOD
    return [f"the sensor was read {rate:.3g} times a second, {asked:.3g} were asked for"] if rate < SLOW * asked else []


def _positive(rail: Rail) -> float:
    """Power, W. Raises: OSError, ValueError."""
    power = rail.read()
    if power < 0:
        raise ValueError(f"rail {rail.name}: expected a power from 0 W on; got {power:.3g} W")
    return power


def _idle(rails: Sequence[Rail], length: float) -> Window:
    """A window while the network is loaded and nothing runs. Raises: SensorLost."""
    sleep(SETTLE)

    def nothing() -> int:
        sleep(length)
        return 0

    return _window(rails, nothing)


def _window(rails: Sequence[Rail], action: Callable[[], int]) -> Window:
    """The window in which ``action`` runs, which answers how many images it took. Raises: SensorLost."""
    with Poll(rails) as poll:
        images = action()
    return Window(poll.joules(), poll.end - poll.start, images, poll.powers, len(poll.failures))


def _passes(forward: Callable[[], Any], window: float) -> int:
    """How many passes began within ``window`` s; the last has ended."""
    count, start = 0, perf_counter()
    while perf_counter() - start < window:
        forward()
        count += 1
    return count
