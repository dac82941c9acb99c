"""The counting engine: build on meta, one pass under a dispatch mode, formulas by operator."""

from pytest_archbench.counting.building import on_meta
from pytest_archbench.counting.counter import (
    CONVENTION,
    Counts,
    ModuleCount,
    count,
    count_in_place,
    parameters,
    state_bytes,
)

__all__ = ["CONVENTION", "Counts", "ModuleCount", "count", "count_in_place", "on_meta", "parameters", "state_bytes"]
