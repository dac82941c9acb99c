"""How a time is taken: warm-up until steady, then bursts of passes with the reference workload between them.

The same way as ``pytest_archbench.meters.timing`` goes, so that the times compare. Knows no torch and no real clock.
"""

import math
import statistics
from time import perf_counter
from typing import Any, Callable, List, NamedTuple

from pytest_archbench.old_boards.rows import Reading, is_steady, relative_error
from pytest_archbench.old_boards.witness import Facts, disturbed

FEWEST, FEWEST_SLOW, MOST = 10, 5, 10000
"""Samples: never fewer; the same where ten passes take longer than three budgets; never more."""
SHORTEST_WARM_UP, LONGEST_WARM_UP = 3, 50
BURST, LARGEST_BURST = 0.05, 100
"""Seconds and passes between two runs of the reference workload."""
BURSTS_PER_PLACE, FEWEST_PLACES = 4, 3
"""After so many bursts the network moves to other memory; with fewer places no median is precise enough."""
REFERENCE = "4 x (conv 3x3 32-32 on 56x56, matmul 256); on a GPU 8 x matmul 1024"
BY_THE_WALL = (
    "wall time of a forward pass without autograd, input on the device, synchronised around each sample, "
    "memory kept between passes; reference: "
) + REFERENCE
BY_EVENTS = (
    "time between two device events around a forward pass without autograd, cuDNN autotuned, input on the device and "
    "the same each time, so that the L2 cache is warm, memory kept between passes; reference: "
) + REFERENCE
"""Word for word those of ``pytest_archbench.meters.latency``, since the way is the same."""

Clock = Callable[[], float]


class Timed(NamedTuple):
    """Samples (s) in the order taken, those of the reference workload and of the warm-up apart."""

    samples: List[float]
    reference: List[float]
    warm_up: List[float]


def sample(work: Any, budget: float, precision: float, clock: Clock = perf_counter) -> Timed:
    """Run ``work`` until its time is steady, then until its median is precise or the budget (s) is spent."""
    warm = warm_up(work, budget, clock)
    typical = statistics.median(warm[-SHORTEST_WARM_UP:])
    fewest = due = FEWEST if typical * FEWEST <= 3 * budget else FEWEST_SLOW
    size = max(1, min(LARGEST_BURST, math.ceil(BURST / typical))) if typical > 0 else LARGEST_BURST
    samples: List[float] = []
    reference: List[float] = []
    start = clock()
    while len(samples) < fewest or (len(samples) < MOST and clock() - start < budget):
        place, step = divmod(len(reference), BURSTS_PER_PLACE)
        if place and not step:
            work.move()
            work.lap()
        laps = [work.lap() for _ in range(size + (size > 1))]  # short passes begin with one that fills the caches
        samples += laps[-size:]
        reference.append(reference_time(work, clock))
        if len(samples) >= due and place >= FEWEST_PLACES - 1:
            if relative_error(samples) <= precision:
                break
            due = len(samples) * 11 // 10 + 1
    return Timed(samples, reference, warm)


def warm_up(work: Any, budget: float, clock: Clock) -> List[float]:
    """Times (s) of passes until they are steady, or the budget (s) is spent."""
    start = clock()
    times = [work.lap()]
    while len(times) < SHORTEST_WARM_UP or (
        len(times) < LONGEST_WARM_UP and not is_steady(times) and clock() - start < budget
    ):
        times.append(work.lap())
    return times


def reference_time(work: Any, clock: Clock) -> float:
    """Time (s) of the reference workload, its caches filled."""
    work.reference()
    start = clock()
    work.reference()
    return clock() - start


def latency(timed: Timed, precision: float, place: str, facts: Facts) -> Reading:
    """The reading of ``latency``, s, on what torch calls ``place``; ``facts``: what the machine did meanwhile."""
    error, doubts = relative_error(timed.samples), disturbed(facts)
    known = f"to ±{error:.2%}" if error < 1 else "from too few samples to state its precision"
    told = "{} warm-up passes, {}".format(len(timed.warm_up), "steady" if is_steady(timed.warm_up) else "not steady")
    wanted = f"the median is known {known}, ±{precision:.2%} was asked for; raise --time-budget"
    return Reading(
        timed.samples,
        BY_THE_WALL if place == "cpu" else BY_EVENTS,
        notes=[told, f"median known {known}", *(f"disturbed all the same: {doubt}" for doubt in doubts)],
        reference=timed.reference,
        machine=facts,
        disturbed=doubts,
        imprecise="" if error <= precision else wanted,
    )


def throughput(times: Reading, batch_size: int) -> Reading:
    """The reading of ``throughput``, img/s, of the same passes."""
    rates = [batch_size / each for each in times.samples]
    return times._replace(samples=rates, convention="batch size / " + times.convention)
