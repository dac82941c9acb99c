"""Where a run happened: versions, commit and host, for the journal's header. Unknown is ``unknown``."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pytest_archbench.environment.build import torch_build
from pytest_archbench.environment.reading import ROOT
from pytest_archbench.environment.virtual import container, virtualisation

UNKNOWN = "unknown"
PACKAGES = (
    "pytest-archbench",
    "torch",
    "torchvision",
    "timm",
    "fvcore",
    "numpy",
    "pytest",
    "pytest-benchmark",
    "onnxruntime",
    "onnxruntime-gpu",
    "tensorrt",
)


def header(devices: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """The journal's first line: when, which commit of the project in ``folder``, with what, on what."""
    now = datetime.now(timezone.utc)
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {
        "run": f"{now:%Y%m%dT%H%M%S}-{os.getpid()}",
        "started": now.isoformat(),
        "commit": commit or UNKNOWN,
        "dirty": UNKNOWN if commit is None or changes is None else bool(changes),
        "commit_time": _git(folder, "show", "-s", "--format=%cI") or UNKNOWN,
        "author_time": _git(folder, "show", "-s", "--format=%aI") or UNKNOWN,
        "branch": _branch(folder),
        "project": _project(folder),
        "host": host(),
        "environment": environment(),
        "devices": devices,
    }


def environment(root: Path = ROOT) -> dict[str, Any]:
    """Versions and host; what two runs must share before their times compare. ``root``: where /proc and /sys lie."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "container": container(root),
        "virtualisation": virtualisation(root),
        "packages": {name: _version(name) for name in PACKAGES},
        "torch": torch_build(),
    }


def host() -> dict[str, Any]:
    """What else pytest-benchmark stores of a host. Two runs may differ in it and compare all the same."""
    return {
        "node": platform.node() or UNKNOWN,
        "processor": platform.processor(),
        "python_compiler": platform.python_compiler(),
        "python_implementation": platform.python_implementation(),
        "python_implementation_version": platform.python_version(),
        "python_build": list(platform.python_build()),
    }


def _branch(folder: Path) -> str:
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    return "(detached head)" if branch == "HEAD" else branch or UNKNOWN


def _project(folder: Path) -> str:
    """The last part of the repository's address, which alone may be shown, else the folder's name."""
    address = _git(folder, "config", "--local", "--get", "remote.origin.url") or ""
    return re.split(r"[/:]", address.rstrip("/"))[-1].removesuffix(".git") or folder.name


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return UNKNOWN


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says in ``folder``; None where it is missing or the folder is no repository."""
    try:
        said = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()
