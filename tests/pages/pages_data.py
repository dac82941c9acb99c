"""Histories to publish: kept nights with planted steps, and a project whose commits they were run at."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pytest_archbench import history, meters, nights, pages  # noqa: F401  (meters enter the metrics)
from pytest_archbench.nights import Night
from pytest_archbench.pages import Project, Published
from pytest_archbench.points import key
from pytest_archbench.records import Conditions, Point

FIRST = datetime(2026, 1, 1, 3, tzinfo=timezone.utc)
EVIL = "<img src=x onerror=alert(1)>'\"),(%2e/..&amp;"
CPU = {"kind": "cpu", "model": "EPYC", "cores": 2}
UNITS = {
    "latency": "s",
    "macs": "MAC",
    "params": "count",
    "peak_memory": "B",
    "top1_accuracy": "fraction",
    "throughput": "img/s",
}

Values = Mapping[tuple[str, str], float]
"""By network and metric."""


def point(network: str, metric: str, value: float, night: Mapping[str, Any], **given: Any) -> Point:
    """A point of the night whose header it is; ``given``: fields of conditions or of the point."""
    names = ("device", "batch_size", "runtime", "dtype", "memory_format")
    conditions = Conditions(**{"device": "cpu"} | {name: given.pop(name) for name in names if name in given})
    device = {f"device.{name}": fact for name, fact in CPU.items()}
    return Point(
        architecture=network,
        metric=metric,
        unit=given.pop("unit", UNITS.get(metric, "s")),
        value=value,
        run=night["run"],
        commit=night["commit"],
        started=night["started"],
        conditions=conditions,
        fingerprint=given.pop("fingerprint", device),
        **given,
    )


def header(number: int, *, torch: str = "2.15.0", started: datetime | None = None, **changed: Any) -> dict[str, Any]:
    """The header of a night, the first of which is number 1."""
    start = started or FIRST + timedelta(days=number - 1)
    environment = {"python": "3.11.7", "system": "Linux", "machine": "x86_64", "packages": {"torch": torch}}
    base = {"schema": 1, "run": f"night-{number:02}", "started": start.isoformat(), "commit": f"{number:040x}"}
    return base | {"dirty": False, "environment": environment, "devices": {"cpu": CPU}} | changed


def keep(folder: Path, told: Mapping[str, Any], points: Iterable[Point]) -> list[Path]:
    """Keep a night in a history."""
    started = datetime.fromisoformat(told["started"])
    return nights.keep(Night(Path(told["run"]), told, started, {key(each): each for each in points}), folder)


def kept(folder: Path, values: Iterable[Values], **changed: Any) -> Path:
    """A history of one night after another, each with its values on ``cpu`` at a batch of one."""
    for number, night in enumerate(values, 1):
        told = header(number, **changed)
        keep(folder, told, [point(network, metric, value, told) for (network, metric), value in night.items()])
    return folder


def publish(folder: Path, out: Path, whose: Project | None = None, **renamed: str) -> Published:
    reading = history.opened(folder, renamed)
    return pages.publish(reading, out, whose or Project("networks", folder), 0)


def git(repository: Path, *arguments: str, **environment: str) -> str:
    """What git says; its author is fixed and nobody's settings count."""
    fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        fixed |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.org"}
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **fixed, **environment}
    ).stdout.strip()


def project(folder: Path, subjects: Iterable[str]) -> list[str]:
    """A repository with an empty commit for each subject; their hashes."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    hashes = []
    for subject in subjects:
        git(folder, "commit", "--quiet", "--allow-empty", "-m", subject)
        hashes.append(git(folder, "rev-parse", "HEAD"))
    return hashes


def planted(folder: Path, commits: Mapping[int, str] | None = None) -> Path:
    """Twenty-six nights of thirty networks on ``cpu`` and of two on ``cuda:0``. From night 13 on, with another torch,
    net03 takes a fifth longer on the processor; from night 9 on net05 has more multiply-accumulates, from night 17 on
    net07 is right less often; net11 becomes faster at night 15. In night 20 the machine was disturbed for net02.
    """
    chance = random.Random(4)
    for number in range(1, 27):
        torch = "2.16.0" if number >= 13 else "2.15.0"
        told = header(number, torch=torch, commit=(commits or {}).get(number, f"{number:040x}"))
        told["devices"] = {"cpu": CPU, "cuda:0": {"kind": "cuda", "model": "H200"}}
        points = []
        for place in range(30):
            name = f"net{place:02}"
            slower = {3: 1.2 if number >= 13 else 1.0, 11: 0.7 if number >= 15 else 1.0}.get(place, 1.0)
            seconds = 0.01 * (place + 1) * slower * (1 + 0.01 * chance.gauss(0, 1))
            macs = 1_000_000_007 * (place + 1) + (1000 if place == 5 and number >= 9 else 0)
            accuracy = 0.60 if place == 7 and number >= 17 else 0.70
            disturbed = "the machine was busy" if (place, number) == (2, 20) else ""
            points += [
                point(name, "latency", seconds, told, doubt=disturbed, alarmed=(place, number) == (3, 13)),
                point(name, "macs", macs, told),
                point(name, "top1_accuracy", accuracy, told),
            ]
            if place < 2:
                points.append(point(name, "latency", seconds / 10, told, device="cuda:0", batch_size=8))
        keep(folder, told, points)
    return folder
