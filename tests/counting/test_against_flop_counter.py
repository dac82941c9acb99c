"""Our counts against torch's FlopCounterMode on the meta device, network by network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from registry_sweep import Sweep, compare

from bench_suite import suites as _suites  # noqa: F401  entering the suites is what the import is for
from pytest_archbench.records import Architecture
from pytest_archbench.registry import SUITES

CATALOGUE = ("seeds", "variants", "blocks")
ENTRIES = {entry.name: entry for suite in CATALOGUE for entry in SUITES[suite]()}

NOT_COUNTABLE: dict[str, str] = {}
"""Models of torchvision's and timm's registries that do not run on the meta device, with the reason: none is known."""
MODELS_AT_LEAST = 1400


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_it_counts_what_torch_counts(entry: Architecture) -> None:
    found = Sweep()
    compare(entry.name, entry, found)
    assert (found.differing, found.uncounted) == ({}, {})


@pytest.mark.slow
def test_it_counts_both_whole_registries() -> None:
    sweep = Path(__file__).parent / "registry_sweep.py"
    said = subprocess.run(
        [sys.executable, sweep, "torchvision", "timm"], capture_output=True, text=True, check=True, timeout=3600
    )
    found = Sweep(**json.loads(said.stdout))
    assert (found.differing, found.uncounted, found.not_countable) == ({}, {}, NOT_COUNTABLE)
    assert found.models > MODELS_AT_LEAST
    assert found.peak_bytes < 1.5e9
