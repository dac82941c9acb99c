"""Time of a forward pass: warm-up until steady, then samples until the median is precise or the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter

from pytest_archbench import stats
from pytest_archbench.meters import meter
from pytest_archbench.meters.running import prepare, synchroniser
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings

FEWEST = 10
"""Samples below this number are never enough, whatever the budget."""
FEWEST_SLOW = 5
"""The same where ten passes take longer than three budgets."""
MOST = 10_000
SHORTEST_WARM_UP = 3
"""Passes, whatever the budget: the first compiles, allocates and fills caches, and says nothing of the next."""
LONGEST_WARM_UP = 50


@meter(
    "latency",
    Metric("latency", "s", "lower", tolerance=0.1, description="time of one batch, median"),
    Metric("throughput", "img/s", "higher", tolerance=0.1, description="batch size divided by latency"),
    worker="timing",
)
def latency(architecture: Architecture, conditions: Conditions, settings: Settings) -> Mapping[str, Reading]:
    """Time whole forward passes without autograd, the device synchronised on both sides of each sample."""
    import torch

    ready = prepare(architecture, conditions)
    wait = synchroniser(conditions.device)

    def forward() -> None:
        ready.forward()
        wait()

    with torch.inference_mode():
        timed = sample(forward, settings.time_budget, settings.precision)
    notes = (
        f"{len(timed.warm_up)} warm-up passes, {'steady' if timed.steady else 'not steady'}",
        f"median known to ±{timed.error:.2%}" if timed.error < 1 else "too few samples to state the median's precision",
    )
    convention = "wall time of a forward pass without autograd, input on the device, synchronised around each sample"
    times = Reading(timed.samples, convention, notes=notes, input_shape=ready.fed, dtype=ready.dtype)
    rates = tuple(conditions.batch_size / seconds for seconds in timed.samples)
    return {"latency": times, "throughput": replace(times, samples=rates, convention=f"batch size / {convention}")}


@dataclass(frozen=True, slots=True)
class Timed:
    """Samples (s) in the order taken, the warm-up's apart, and the relative precision reached."""

    samples: tuple[float, ...]
    warm_up: tuple[float, ...]
    steady: bool
    error: float


def sample(
    forward: Callable[[], None], budget: float, precision: float, clock: Callable[[], float] = perf_counter
) -> Timed:
    """Call ``forward`` until its time is steady, then until its median is precise or the budget is spent.

    ``precision`` is relative; ``budget`` (s) holds for the samples; the warm-up may take as long again.
    """
    warm_up = _warm_up(forward, budget, clock)
    fewest = due = FEWEST if _budget_allows(warm_up, budget) else FEWEST_SLOW
    samples: list[float] = []
    start = clock()
    while len(samples) < fewest or (len(samples) < MOST and clock() - start < budget):
        samples.append(_time(forward, clock))
        if len(samples) >= due:
            if stats.relative_error(samples) <= precision:
                break
            due = len(samples) * 11 // 10 + 1  # looking takes time too
    return Timed(tuple(samples), tuple(warm_up), stats.is_steady(warm_up), stats.relative_error(samples))


def _budget_allows(warm_up: list[float], budget: float) -> bool:
    """Whether the fewest samples fit into a few budgets, going by the last warm-up pass."""
    return warm_up[-1] * FEWEST <= 3 * budget


def _warm_up(forward: Callable[[], None], budget: float, clock: Callable[[], float]) -> list[float]:
    start = clock()
    times = [_time(forward, clock)]
    while len(times) < SHORTEST_WARM_UP or (
        len(times) < LONGEST_WARM_UP and not stats.is_steady(times) and clock() - start < budget
    ):
        times.append(_time(forward, clock))
    return times


def _time(forward: Callable[[], None], clock: Callable[[], float]) -> float:
    start = clock()
    forward()
    return clock() - start
