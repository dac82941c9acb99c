"""The counting engine: build on meta, one pass under a dispatch mode, formulas by operator."""

from pytest_archbench.counting.building import NEEDS_VALUES, on_meta
from pytest_archbench.counting.counter import (
    CONVENTION,
    Counts,
    ModuleCount,
    count,
    count_in_place,
    parameters,
    state_bytes,
)

__all__ = [
    "CONVENTION",
    "NEEDS_VALUES",
    "Counts",
    "ModuleCount",
    "count",
    "count_in_place",
    "on_meta",
    "parameters",
    "state_bytes",
]
