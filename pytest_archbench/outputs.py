"""What a run leaves beside its journal: the report, and its samples in pytest-benchmark's format."""

from __future__ import annotations

from pathlib import Path

from pytest_archbench import benchmark_json
from pytest_archbench.baselines import Published
from pytest_archbench.files import write_atomically
from pytest_archbench.report import render
from pytest_archbench.store import Run

BENCHMARK_JSON = "benchmark.json"


def publish(run: Run, out: Path, published: Published) -> list[Path]:
    """Write every copy drawn from the journal to ``out``; returns what was written."""
    figures = [baseline for group in published.baselines.values() for baseline in group]
    sources = {name: source.address for name, source in published.sources.items()}
    written = render(run, out, figures, sources)
    target = out / BENCHMARK_JSON
    write_atomically(target, benchmark_json.text(run).encode())
    return [*written, target]
