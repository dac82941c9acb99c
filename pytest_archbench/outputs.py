"""What a run leaves beside its journal: the report, and its samples in pytest-benchmark's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_archbench import benchmark_json
from pytest_archbench.baselines import Published
from pytest_archbench.files import write_atomically
from pytest_archbench.store import Run

BENCHMARK_JSON = "benchmark.json"


def publish(run: Run, out: Path, published: Published) -> list[Path]:
    """Write every copy drawn from the journal to ``out``; returns what was written."""
    from pytest_archbench.report import render  # pandas and matplotlib: not for a run that only collects

    run = latest(run)
    figures = [baseline for group in published.baselines.values() for baseline in group]
    sources = {name: source.address for name, source in published.sources.items()}
    written = render(run, out, figures, sources)
    target = out / BENCHMARK_JSON
    write_atomically(target, benchmark_json.text(run).encode())
    return [*written, target]


def latest(run: Run) -> Run:
    """The run with each case as it was measured last: a resumed run says again what had failed before."""
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in run.rows:
        conditions = row.get("conditions") or {}
        case = (row.get("architecture"), row.get("metric"), conditions.get("device"), conditions.get("batch_size"))
        kept.pop((case, None), None)
        # One network may be measured at several inputs; what failed says only which it was asked for.
        kept[case, json.dumps(conditions.get("input_shape")) if row.get("status") == "ok" else None] = row
    return Run(run.header, tuple(kept.values()))
