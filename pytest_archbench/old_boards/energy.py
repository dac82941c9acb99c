"""Energy of passes from a board's power rails: polled while windows of passes run, idle before and after."""

import statistics
import threading
from time import perf_counter, sleep
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from pytest_archbench.old_boards.rows import Reading
from pytest_archbench.power.rails import Rail

PERIOD = 0.1
"""Seconds between two polls, as in ``pytest_archbench.power.boards``."""
WINDOW = 50 * PERIOD
"""Seconds of a window at least: what is unknown at its ends is below 2 % of it."""
WINDOWS = 5
LOST = 0.1
"""Share of polls that may fail; with more the sensor is lost."""
SCATTER = 0.05
"""Windows that differ by more than this from their median say nothing precise."""
IDLE = 0.1
"""How far idle power before and after may differ."""

SENSOR = "INA3221, {}: measured energy of the whole module; "
CONVENTION = SENSOR + "its power, polled and integrated by trapezoids over a window of passes"

Power = Tuple[float, float]
"""Time (s, monotonic) and power (W) then."""


class SensorLost(RuntimeError):
    """A sensor that could be read at the start and cannot any more."""


class Poll:
    """Reads rails in a thread until it is left: ``with Poll(rails) as poll: ...``, then ``poll.joules()``."""

    def __init__(self, rails: Sequence[Rail]) -> None:
        self.rails = rails
        self.powers: List[Power] = []
        self.failures: List[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while True:
            before = perf_counter()
            try:
                power = sum(rail.read() for rail in self.rails)
            except (OSError, ValueError) as error:
                self.failures.append(str(error))
            else:
                self.powers.append(((before + perf_counter()) / 2, power))
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


def integral(powers: Sequence[Power], start: float, end: float) -> float:
    """Energy, J, by trapezoids over the true times; before the first and after the last reading power is theirs."""
    inside = [(min(max(time, start), end), power) for time, power in powers]
    points = [(start, inside[0][1]), *inside, (end, inside[-1][1])]
    return sum((later - time) * (power + then) / 2 for (time, power), (later, then) in zip(points, points[1:]))


class Window(NamedTuple):
    """What a window of passes took: energy (J) and time (s), and how many readings it rests on."""

    joules: float
    seconds: float
    images: int
    polls: int
    failures: int


def readings(rails: Sequence[Rail], work: Any, batch_size: int, length: float) -> Dict[str, Reading]:
    """Energy per image, the same above idle, and power, over windows of ``length`` s. Raises: SensorLost."""
    work.forward()
    before = _idle(rails, length)
    windows = [_window(rails, work, batch_size, length) for _ in range(WINDOWS)]
    after = _idle(rails, length)
    idle = (before + after) / 2
    names = " + ".join(rail.name for rail in rails)
    watts = [each.joules / each.seconds for each in windows]
    if min(watts) <= 0:
        raise SensorLost(f"power rails {names}: expected a power above 0 W; got {min(watts):.3g} W")
    gross = [each.joules / each.images for each in windows]
    net = [(each.joules - idle * each.seconds) / each.images for each in windows]
    notes = _notes(windows, before, after)

    def reading(samples: List[float], more: str) -> Reading:
        return Reading(samples, CONVENTION.format(names) + more, notes=notes, imprecise=_scattered(samples))

    return {
        "energy": reading(gross, ""),
        "energy_above_idle": reading(net, "; idle power before and after taken away"),
        "power": reading(watts, ""),
    }


def _notes(windows: Sequence[Window], before: float, after: float) -> List[str]:
    length = statistics.median(each.seconds for each in windows)
    images = statistics.median(each.images for each in windows)
    polls, failures = sum(each.polls for each in windows), sum(each.failures for each in windows)
    notes = [
        f"{len(windows)} windows of {length:.2f} s, {images:g} images in each, {polls} readings in all",
        f"idle {before:.3f} W before and {after:.3f} W after",
    ]
    if failures:
        notes.append(f"{failures} readings failed and are left out")
    if abs(after - before) > IDLE * max(abs(before), abs(after)):
        notes.append(f"idle power changed by more than {IDLE:.0%} meanwhile")
    return notes


def _idle(rails: Sequence[Rail], length: float) -> float:
    """Power, W, while the network is loaded and nothing runs."""
    with Poll(rails) as poll:
        sleep(length)
    return poll.joules() / (poll.end - poll.start)


def _window(rails: Sequence[Rail], work: Any, batch_size: int, length: float) -> Window:
    """A window of passes. Raises: SensorLost."""
    with Poll(rails) as poll:
        passes = _passes(work.forward, length)
    took = poll.end - poll.start
    return Window(poll.joules(), took, passes * batch_size, len(poll.powers), len(poll.failures))


def _passes(forward: Callable[[], Any], window: float) -> int:
    """How many passes began within ``window`` s; the last has ended."""
    count, start = 0, perf_counter()
    while perf_counter() - start < window:
        forward()
        count += 1
    return count


def _scattered(samples: Sequence[float]) -> str:
    middle = statistics.median(samples)
    spread = max(abs(each - middle) for each in samples)
    if spread <= SCATTER * abs(middle):
        return ""
    return f"the windows differ by up to {spread:.3g} from their median {middle:.3g}; let the board settle"
