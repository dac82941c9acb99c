"""Count every model of the suites named on the command line, beside torch's own counter; says what it found as JSON.

A process of its own, because the peak of its resident memory is part of the answer.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from dataclasses import asdict, dataclass, field

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench_suite import suites as _suites  # noqa: F401  entering the suites is what the import is for
from pytest_archbench import inputs
from pytest_archbench.counting import count, on_meta
from pytest_archbench.records import Architecture
from pytest_archbench.registry import SUITES


@dataclass
class Sweep:
    """What a sweep found, by model: ours and torch's where they differ, operators without formula, and errors."""

    models: int = 0
    differing: dict[str, tuple[int, int]] = field(default_factory=dict)
    uncounted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    not_countable: dict[str, str] = field(default_factory=dict)
    peak_bytes: int = 0


def sweep(suite: str, into: Sweep) -> None:
    """Count one suite, model by model; nothing is kept of a model but its findings."""
    for entry in SUITES[suite]():
        into.models += 1
        name = f"{suite}/{entry.name}"
        try:
            compare(name, entry, into)
        except Exception as error:  # noqa: BLE001  a model may raise anything, and the sweep says what
            into.not_countable[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"


def compare(name: str, entry: Architecture, into: Sweep) -> None:
    """Count one model on the meta device, by us and by torch."""
    model = on_meta(entry.build).requires_grad_(False)  # torch's module tracker asserts on some networks otherwise
    args, kwargs = inputs.make(inputs.shape_of(entry.input_shape, model), 1, "meta")
    ours = count(model, args, kwargs)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*args, **kwargs)
    theirs = counter.get_total_flops() // 2
    if ours.macs != theirs:
        into.differing[name] = (ours.macs, theirs)
    if ours.uncounted:
        into.uncounted[name] = ours.uncounted


def main(names: list[str]) -> None:
    """Sweep the suites in turn and print the findings."""
    found = Sweep()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what models say while they are built is no concern of counting
        for suite in names:
            sweep(suite, found)
    found.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(asdict(found)))  # noqa: T201  the answer goes to whoever started this process


if __name__ == "__main__":
    main(sys.argv[1:])
