"""Properties of the graph: parameters, multiply-accumulates, activations, size. No weights, no device."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_archbench import inputs
from pytest_archbench.meters import METERS, meter
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings

if TYPE_CHECKING:
    from torch import nn

    from pytest_archbench.counting import Counts

COUNTERS: dict[str, Callable[..., Counts]] = {}
"""``--archbench-counter``: name -> ``(build, input, by_module) -> Counts``."""


def _counter(name: str) -> Callable[[Callable[..., Counts]], Callable[..., Counts]]:
    def register(function: Callable[..., Counts]) -> Callable[..., Counts]:
        COUNTERS[name] = function
        return function

    return register


@meter(
    "counts",
    Metric("params", "count", "equal", per_device=False, description="learnable parameters, shared ones once"),
    Metric("macs", "MAC", "equal", per_device=False, description="multiply-accumulates of one image"),
    Metric("activations", "count", "equal", per_device=False, description="elements written by counted operators"),
    Metric("model_size", "B", "equal", per_device=False, description="parameters and buffers of the state dict"),
)
def counts(architecture: Architecture, _conditions: Conditions, settings: Settings) -> Mapping[str, Reading]:
    """Count one image of the architecture with the counter that the settings name."""
    found = COUNTERS[settings.counter](architecture.build, architecture.input_shape)
    return readings(found, conventions(settings.counter))


def readings(found: Counts, convention: Mapping[str, str]) -> Mapping[str, Reading]:
    """One reading a metric; operators without a formula are listed only where they matter."""
    values = {name: getattr(found, name) for name in METERS["counts"].metrics}
    return {
        name: Reading(
            (value,),
            convention[name],
            uncounted=found.uncounted if name in ("macs", "activations") else (),
            input_shape=found.input_shape,
            dtype=found.dtype,
        )
        for name, value in values.items()
    }


def conventions(counter: str) -> dict[str, str]:
    """What each count means, by metric."""
    from pytest_archbench.counting import CONVENTION

    macs = CONVENTION if counter == "archbench" else "fvcore's FlopCountAnalysis with its own table of operators"
    return {
        "params": "elements of model.parameters(), shared ones once; buffers are not parameters",
        "macs": macs,
        "activations": f"output elements of the counted operators; {macs}",
        "model_size": "bytes of the state dict's tensors as stored, without a file's container",
    }


@_counter("archbench")
def count_on_meta(build: Callable[[], nn.Module], shape: Any, *, by_module: bool = False) -> Counts:
    """Count on the meta device; a network whose control flow reads values is counted by a real pass on the CPU."""
    from pytest_archbench.counting import NEEDS_VALUES, count, on_meta

    model = on_meta(build)
    spec = inputs.shape_of(shape, model)
    try:
        args, kwargs = inputs.make(spec, 1, "meta", inputs.fitting(model)[1])
        return count(model, args, kwargs, by_module=by_module)
    except NEEDS_VALUES:  # it looks at values, or is broken: the CPU tells which, in the network's own words
        args, kwargs = inputs.make(spec, 1, "cpu")
        return count(build(), args, kwargs, by_module=by_module)


@_counter("fvcore")
def count_with_fvcore(build: Callable[[], nn.Module], shape: Any, *, by_module: bool = False) -> Counts:
    """fvcore's count, on the CPU with real weights: the independent second opinion."""
    from pytest_archbench.counting import Counts, parameters, state_bytes
    from pytest_archbench.counting.formulas import is_free_name

    if by_module:
        raise ValueError("fvcore: the breakdown by module is archbench's own; use --archbench-counter=archbench")
    model = build().eval()
    args, kwargs = inputs.make(inputs.shape_of(shape, model), 1, "cpu")
    if kwargs:
        raise ValueError(f"fvcore traces positional inputs only; this network takes {', '.join(kwargs)} by name")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it scripts and traces, which torch deprecates and networks complain of
        from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

        flops, activations = FlopCountAnalysis(model, args), ActivationCountAnalysis(model, args)
        flops.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        activations.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        macs, written = int(flops.total()), int(activations.total())  # first: what is unsupported shows on the way
    missed = {name: calls for name, calls in flops.unsupported_ops().items() if not is_free_name(name)}
    return Counts(
        params=parameters(model),
        macs=macs,
        activations=written,
        model_size=state_bytes(model),
        input_shape=inputs.shapes(args, kwargs),
        uncounted=tuple(f"{name} ×{calls}" for name, calls in sorted(missed.items())),
    )
