"""What the project's own git repository tells of the commits that nights were run at."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pytest_archbench.pages.commits import environment

HASH = re.compile(r"[0-9a-f]{7,64}")
MANY = 30
"""How many commits of a range are read."""
_SPLIT = "\x1f"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a range; ``is_gone`` where the later of two nights lacks it."""

    hash: str
    author: str
    subject: str
    is_gone: bool = False


def is_hash(commit: str) -> bool:
    """Whether a header's commit is one, and nothing that git would take for an option."""
    return HASH.fullmatch(commit) is not None


def shallow(repository: Path) -> str:
    """What is wrong with a clone that lacks its past, or an empty text."""
    if _said(repository, "rev-parse", "--is-shallow-repository") != "true":
        return ""
    advice = "git fetch --unshallow (in a workflow: fetch-depth: 0)"
    return f"{repository}: a shallow clone, in which commits between two nights are missing: {advice}"


@cache
def between(repository: Path, before: str, after: str) -> tuple[Commit, ...] | None:
    """The commits between two, newest first and at most ``MANY`` + 1; None where the repository lacks one of them."""
    if not (is_hash(before) and is_hash(after)):
        return None
    form = f"--format=%m{_SPLIT}%H{_SPLIT}%an{_SPLIT}%s"
    said = _said(repository, "log", "--left-right", f"--max-count={MANY + 1}", form, f"{before}...{after}", "--")
    if said is None:
        return None
    rows = (line.split(_SPLIT, 3) for line in said.split("\n") if line)
    return tuple(Commit(name, author, subject, side == "<") for side, name, author, subject in rows)


def _said(repository: Path, *arguments: str) -> str | None:
    """What git prints about a repository; None where it fails."""
    command = ["git", "-C", str(repository), *arguments]
    done = subprocess.run(command, capture_output=True, env=environment())
    return done.stdout.decode("utf-8", "replace").strip("\n") if done.returncode == 0 else None
