"""The ``archbench`` command as a shell runs it in a user's folder, and journals made of constructed measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pytest_archbench import store
from pytest_archbench.records import Conditions, Measurement, Verdict


def archbench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("archbench")), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def journal(path: Path, night: int, *rows: dict[str, Any], torch: str = "2.14.0") -> Path:
    """The journal of one night's run, at ``path``; its commit begins with the night's number."""
    header = {
        "run": f"night-{night:02}",
        "started": f"2026-01-{night:02}T03:00:00+00:00",
        "commit": f"{night:02}".ljust(40, "c"),
        "environment": {"python": "3.11.7", "packages": {"torch": torch}},
        "devices": {"cpu": {"model": "EPYC"}},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in ({"schema": 1, **header}, *rows)))
    return path


def row(metric: str, unit: str, *samples: float, judged: tuple[Verdict, ...] = (), **changed: Any) -> dict[str, Any]:
    conditions = Conditions(changed.pop("device", "cpu"), batch_size=changed.pop("batch_size", 1))
    found = Measurement("resnet18", metric, unit, "ok" if samples else "oom", conditions, samples,
                        message="" if samples else "no room")  # fmt: skip
    return store.row(found, judged) | changed


def latency(seconds: float, **changed: Any) -> dict[str, Any]:
    return row("latency", "s", seconds, **changed)


def macs(count: int, **changed: Any) -> dict[str, Any]:
    return row("macs", "MAC", count, **changed)
