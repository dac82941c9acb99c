"""What the emulated services share: a real shell, real git, folders as artifacts. Commands run as they are written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

INSTALLS = (
    "python -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu",
    "python -m pip install pytest-archbench --editable .",
)
"""Commands that are not run: what they install is here already."""
STRICT = ["bash", "--noprofile", "--norc", "-euo", "pipefail"]
"""How both run a script; -u is ours, so that a variable nobody sets is found."""


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def git(folder: Path, *arguments: str) -> str:
    """What git says; subprocess.CalledProcessError where it fails."""
    whose = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(["git", *whose, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def runnable(script: str) -> str:
    """A script whose installing lines do nothing."""
    return "\n".join(":" if line.strip() in INSTALLS else line for line in script.splitlines())


def variables(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """A machine's variables: nothing of this process's but where its programs are."""
    home.mkdir(exist_ok=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", **more}


def shell(script: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and all that was said."""
    done = subprocess.run(
        [*STRICT, "-c", runnable(script)],
        cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    return done.returncode, done.stdout


def copied(source: Path, target: Path) -> None:
    """A file, or what a folder holds, into the folder ``target``; hidden files stay, as they do on GitHub."""
    target.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    else:
        shutil.copy(source, target)
