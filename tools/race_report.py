"""How long the report of a large run takes: 60 architectures at 7 batch sizes, and 1,400 models.

Each is drawn by the command, in a process of its own.

Everything is written: the page, every figure as PNG, SVG and PDF, the tables. Exits with 1 where it takes longer than
promised (10 s, 30 s; of wall time, so on a quiet machine), or where a page is not under 6 MB.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

REPEATS = 3
LARGEST_PAGE = 6e6
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Size(NamedTuple):
    """A run: so many architectures, at so many batch sizes, drawn in at most ``promised`` seconds."""

    networks: int
    batch_sizes: tuple[int, ...]
    promised: float


SIZES = (Size(60, BATCH_SIZES, 10.0), Size(1400, (1,), 30.0))


def row(name: str, family: str, metric: str, unit: str, value: float, batch_size: int = 1) -> dict[str, Any]:
    """A line of a journal."""
    conditions = {"device": "cpu", "batch_size": batch_size, "input_shape": [3, 224, 224], "dtype": "float32",
                  "threads": 2, "memory_format": "contiguous", "runtime": "eager"}  # fmt: skip
    samples = [value * (1 + 0.01 * part) for part in (-1, 0, 1)] if unit == "s" else [value]
    return {"schema": 1, "architecture": name, "family": family, "topology": name, "metric": metric, "unit": unit,
            "status": "ok", "value": value, "samples": samples, "conditions": conditions, "convention": "",
            "uncounted": [], "message": "", "notes": [],
            "verdicts": [{"outcome": "no baseline", "reason": f"{name} {metric}: no baseline", "source": "",
                          "baseline": "", "unit": "", "change": None}]}  # fmt: skip


def rows(size: Size) -> list[dict[str, Any]]:
    """Networks crowded the way real ones are, with every quantity that this version measures, and accuracies."""
    chance, found = random.Random(1), []
    for index in range(size.networks):
        name, family = f"network_{index}_of_some_kind", f"family{index % max(20, size.networks // 18)}"
        macs, params = math.exp(chance.gauss(math.log(4e9), 1.1)), math.exp(chance.gauss(math.log(25e6), 0.9))
        top1 = min(0.9, 0.74 + 0.03 * math.log(macs / 4e9) + chance.gauss(0, 0.025))
        seconds = 2e-11 * macs * math.exp(chance.gauss(0, 0.3))
        counts = (
            ("params", "count", round(params)),
            ("macs", "MAC", round(macs)),
            ("model_size", "B", round(params) * 4),
            ("activations", "count", round(macs / 300)),
            ("top1_accuracy", "fraction", top1),
            ("top5_accuracy", "fraction", (1 + 2 * top1) / 3),
        )
        found += [row(name, family, metric, unit, value) for metric, unit, value in counts]
        for batch in size.batch_sizes:
            memory = params * 4 + macs / 100 * batch
            found.append(row(name, family, "latency", "s", seconds * batch**0.9, batch))
            found.append(row(name, family, "peak_memory", "B", round(memory), batch))
    return found


def journal(folder: Path, size: Size) -> None:
    header = {"schema": 1, "run": "race", "commit": "unknown", "environment": {}, "devices": {"cpu": {"model": "any"}}}
    lines = (json.dumps(line) for line in (header, *rows(size)))
    (folder / "measurements.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def seconds(folder: Path) -> float:
    """Wall time of ``archbench report`` on a journal, from nothing."""
    started = time.perf_counter()
    command = [str(Path(sys.executable).with_name("archbench")), "report", str(folder)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> int:
    missed = False
    for size in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            journal(folder, size)
            times = [seconds(folder) for _ in range(REPEATS)]
            page, figures = (folder / "index.html").stat().st_size, len(list((folder / "figures").iterdir()))
        median = statistics.median(times)
        missed |= median > size.promised or page >= LARGEST_PAGE
        print(f"{size.networks} networks x {len(size.batch_sizes)} batch sizes: median {median:.1f} s of {REPEATS}"
              f" ({min(times):.1f} to {max(times):.1f}; promised {size.promised:g}), page {page / 1e6:.2f} MB,"
              f" {figures} figure files")  # fmt: skip
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
