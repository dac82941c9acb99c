"""Time of a forward pass on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_archbench import machine
from pytest_archbench.computing import autotuned, stopwatch, synchroniser, tf32, torch_device
from pytest_archbench.meters import allocator, meter, reference, timing
from pytest_archbench.meters.running import moved, prepare
from pytest_archbench.meters.runtimes import holds_weights
from pytest_archbench.meters.witness import Witness
from pytest_archbench.records import Architecture, Conditions, Metric, Number, Reading, Settings

BY_THE_WALL = (
    "wall time of a forward pass without autograd, input on the device, synchronised around each sample, "
    "memory kept between passes; reference: "
) + reference.NAME
BY_EVENTS = (
    "time between two device events around a forward pass without autograd, cuDNN autotuned, input on the device and "
    "the same each time, so that the L2 cache is warm, memory kept between passes; reference: "
) + reference.NAME


def convention(metric: str, device: str) -> str:
    """What a time, or a rate, on a device is of."""
    time = BY_EVENTS if torch_device(device).startswith("cuda") else BY_THE_WALL
    return time if metric == "latency" else f"batch size / {time}"


@meter(
    "latency",
    Metric("latency", "s", "lower", tolerance=0.04, description="time of one batch, median"),
    Metric("throughput", "img/s", "higher", tolerance=0.04, description="batch size divided by latency"),
    worker="timing",
    varied=True,
)
def latency(architecture: Architecture, conditions: Conditions, settings: Settings) -> Mapping[str, Reading]:
    """Time whole forward passes without autograd, each to its end on the device."""
    watch = Stopwatch(architecture, conditions)
    witness = Witness(conditions.device)
    timed = timing.sample(watch, settings.time_budget / settings.processes, settings.precision)
    facts = witness.facts(timed.reference)
    notes = (
        *watch.ready.notes,
        *(() if holds_weights(conditions.runtime) else tf32(conditions.device)),
        f"{len(timed.warm_up)} warm-up passes, {'steady' if timed.steady else 'not steady'}",
        f"median known to ±{timed.error:.2%}" if timed.error < 1 else "too few samples to state the median's precision",
    )
    times = Reading(
        timed.samples,
        convention("latency", conditions.device),
        notes=notes,
        input_shape=watch.ready.fed,
        dtype=watch.ready.dtype,
        reference=timed.reference,
        machine=facts,
        disturbed=machine.disturbed(facts),
    )
    images = rates(timed.samples, conditions.batch_size)
    rate = replace(times, samples=images, convention=convention("throughput", conditions.device))
    return {"latency": times, "throughput": rate}


def rates(times: Sequence[Number], batch_size: int) -> tuple[float, ...]:
    """Images per second of batches that took so long (s)."""
    return tuple(batch_size / seconds for seconds in times)


class Stopwatch:
    """A network on its device that can be timed: ``timing.Work``."""

    def __init__(self, architecture: Architecture, conditions: Conditions) -> None:
        import torch

        allocator.keep_freed_memory()
        autotuned(conditions.device)
        self._mode = torch.inference_mode
        self.ready = prepare(architecture, conditions)
        self.reference = reference.workload(conditions.device)
        self._wait = synchroniser(conditions.device)
        self._timed = stopwatch(conditions.device)

    def begin(self) -> None:
        """Hand one pass to the device, which may be at it yet when this returns."""
        with self._mode():
            self.ready.forward()

    def forward(self) -> None:
        """One pass, finished when it returns."""
        self.begin()
        self._wait()

    def lap(self) -> float:
        return self._timed(self.begin)

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
