"""Time, operations, parameters, memory and error of every network, each in what asv takes for worse when it grows.

A version is written down for each, and changes only with what the number means: asv would begin every series anew
with each change of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pytest_archbench.meters import timing
from pytest_archbench.records import Number

from .cases import batch_sizes, chosen, measured, networks, stopwatch

__all__ = ["time_latency", "track_macs", "track_params", "track_peak_memory", "track_top1_error"]

F = TypeVar("F", bound=Callable[..., object])

SPARE = 60.0
"""Seconds by which asv waits longer than the meters, so that they say themselves what took too long."""
WEEK = 7 * 24 * 3600.0
"""A training has no limit as a whole; each of its answers has that of the meters."""
Parameters = Mapping[str, Callable[[], Sequence[object]]]
BY_NETWORK: Parameters = {"model": networks}
BY_BATCH: Parameters = {"model": networks, "batch_size": batch_sizes}


def benchmark(parameters: Parameters, setup: Callable[..., object], **attributes: Any) -> Callable[[F], F]:
    """Give a function the attributes by which asv knows it; ``setup`` is called before it with the same parameters."""

    def described(function: F) -> F:
        vars(function).update(
            param_names=list(parameters),
            params=[values() for values in parameters.values()],
            setup=setup,
            version="1",
            **{"timeout": chosen().options.timeout + SPARE, **attributes},
        )
        return function

    return described


def of(metric: str) -> Callable[..., None]:
    """A setup that measures ``metric``: in it a case can be skipped. The benchmark asks for the same value again."""

    def setup(model: str, batch_size: int = 1) -> None:
        measured(metric, model, batch_size)

    return setup


def ready(model: str, batch_size: int) -> None:
    """Have the network ready; asv calls it before every sample, the first time alone it does anything."""
    stopwatch(model, batch_size)


@benchmark(
    BY_BATCH,
    ready,
    number=1,
    repeat=(timing.FEWEST_SLOW, timing.MOST, chosen().options.time_budget / chosen().options.processes),
    rounds=chosen().options.processes,
)
def time_latency(model: str, batch_size: int) -> None:
    """One forward pass of a batch, finished on the device."""
    stopwatch(model, batch_size).forward()


@benchmark(BY_NETWORK, of("macs"), unit="MAC")
def track_macs(model: str) -> Number:
    """Multiply-accumulates of one image."""
    return measured("macs", model)


@benchmark(BY_NETWORK, of("params"), unit="count")
def track_params(model: str) -> Number:
    """Learnable parameters."""
    return measured("params", model)


@benchmark(BY_BATCH, of("peak_memory"), unit="bytes")
def track_peak_memory(model: str, batch_size: int) -> Number:
    """Weights, input and working memory at the peak of a forward pass, in a process of its own."""
    return measured("peak_memory", model, batch_size)


@benchmark(BY_NETWORK, of("top1_accuracy"), unit="fraction", timeout=WEEK)
def track_top1_error(model: str) -> Number:
    """How often the first answer is wrong."""
    return 1 - measured("top1_accuracy", model)
