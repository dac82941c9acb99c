"""Time of a forward pass on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_archbench import machine
from pytest_archbench.computing import synchroniser
from pytest_archbench.meters import allocator, meter, reference, timing
from pytest_archbench.meters.running import moved, prepare
from pytest_archbench.records import Architecture, Conditions, Metric, Number, Reading, Settings

CONVENTION = (
    "wall time of a forward pass without autograd, input on the device, synchronised around each sample, "
    "memory kept between passes; reference: "
) + reference.NAME
CONVENTIONS = {"latency": CONVENTION, "throughput": f"batch size / {CONVENTION}"}
"""By metric."""


@meter(
    "latency",
    Metric("latency", "s", "lower", tolerance=0.04, description="time of one batch, median"),
    Metric("throughput", "img/s", "higher", tolerance=0.04, description="batch size divided by latency"),
    worker="timing",
)
def latency(architecture: Architecture, conditions: Conditions, settings: Settings) -> Mapping[str, Reading]:
    """Time whole forward passes without autograd, the device synchronised on both sides of each sample."""
    watch = Stopwatch(architecture, conditions)
    before = machine.snapshot()
    timed = timing.sample(watch, settings.time_budget / settings.processes, settings.precision)
    facts = machine.between(before, machine.snapshot(), timed.reference)
    notes = (
        f"{len(timed.warm_up)} warm-up passes, {'steady' if timed.steady else 'not steady'}",
        f"median known to ±{timed.error:.2%}" if timed.error < 1 else "too few samples to state the median's precision",
    )
    times = Reading(
        timed.samples,
        CONVENTIONS["latency"],
        notes=notes,
        input_shape=watch.ready.fed,
        dtype=watch.ready.dtype,
        reference=timed.reference,
        machine=facts,
        disturbed=machine.disturbed(facts),
    )
    images = rates(timed.samples, conditions.batch_size)
    return {"latency": times, "throughput": replace(times, samples=images, convention=CONVENTIONS["throughput"])}


def rates(times: Sequence[Number], batch_size: int) -> tuple[float, ...]:
    """Images per second of batches that took so long (s)."""
    return tuple(batch_size / seconds for seconds in times)


class Stopwatch:
    """A network on its device that can be timed: ``timing.Work``."""

    def __init__(self, architecture: Architecture, conditions: Conditions) -> None:
        import torch

        allocator.keep_freed_memory()
        self._mode = torch.inference_mode
        self.ready = prepare(architecture, conditions)
        self.reference = reference.workload(conditions.device)
        self._wait = synchroniser(conditions.device)

    def forward(self) -> None:
        with self._mode():
            self.ready.forward()
        self._wait()

    def move(self) -> None:
        self.ready = moved(self.ready)
        self._wait()


class Side:
    """A network to be compared with another: ``timing.Contender``."""

    def __init__(self, watch: timing.Work, budget: float) -> None:
        self._watch = watch
        self.pace = timing.warm_up(watch, budget)[-1]

    def move(self) -> None:
        timing.move(self._watch)

    def burst(self, size: int) -> Sequence[float]:
        return timing.burst(self._watch, size)
