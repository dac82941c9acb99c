"""Who and when: the commits of a project between two runs, as git tells them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

MOST = 5
"""Commits that are told one by one; the others are counted."""
PATIENCE = 60.0
"""Seconds after which git is taken to be stuck."""
SHORT = 7
"""Digits of a commit for a reader."""
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
"""What git sets for its hooks: with them one would ask another repository than the one named."""

_HASH = re.compile("[0-9a-f]{7,64}")


class NoCommits(LookupError):
    """The commits between two runs are not known; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its whole hash, its author, the day it was written (ISO, the author's time zone), its subject.

    Author and subject are whatever somebody typed.
    """

    name: str
    author: str
    day: str
    subject: str


@dataclass(frozen=True, slots=True)
class Between:
    """``count`` commits came between two runs, of which ``commits`` are the latest, and ``undone`` that the earlier run
    had are missing in the later one, as after a reset or on another branch; ``gone`` are the latest of these.
    """

    commits: tuple[Commit, ...]
    count: int
    undone: int
    gone: tuple[Commit, ...] = ()


def is_commit(text: str) -> bool:
    """Whether a header's commit is one, and nothing that git would take for an option."""
    return _HASH.fullmatch(text) is not None


def shallow(repository: Path) -> str:
    """What is wrong with a clone that lacks its past, or an empty text, also where there is no repository."""
    try:
        told = _git(repository, "rev-parse", "--is-shallow-repository").strip()
    except NoCommits:
        return ""
    advice = "git fetch --unshallow (in a workflow: fetch-depth: 0)"
    return f"{repository}: a shallow clone, commits between two runs may be missing: {advice}" if told == "true" else ""


def between(repository: Path, before: str, since: str, most: int = MOST) -> Between:
    """The commits of ``since`` that ``before`` has not, ``most`` of them one by one. Raises: NoCommits."""
    if not (is_commit(before) and is_commit(since)):
        raise NoCommits("the runs do not tell their commits: measure in a git repository")
    if before == since:
        raise NoCommits(f"both runs are of commit {since[:SHORT]}: what changed is not in it")
    try:
        here, gone = (_log(repository, span, most) for span in (f"{before}..{since}", f"{since}..{before}"))
        counts = [str(len(each)) for each in (gone, here)]
        if len(here) == most or len(gone) == most:
            counts = _git(repository, "rev-list", "--left-right", "--count", f"{before}...{since}").split()
    except NoCommits:
        _git(repository, "rev-parse", "--git-dir")
        for commit in (before, since):
            _require(repository, commit)
        raise
    undone, count = map(int, counts)
    return Between(here, count, undone, gone)


def _log(repository: Path, span: str, most: int) -> tuple[Commit, ...]:
    """The latest commits of a span. Raises: NoCommits."""
    form = ("-z", "--format=%H%n%aN%n%as%n%s", "--no-show-signature", f"--max-count={most}")
    told = _git(repository, "log", *form, span, "--")
    return tuple(Commit(*entry.split("\n", 3)) for entry in told.split("\0") if entry)


def _require(repository: Path, commit: str) -> None:
    """Raises: NoCommits where a repository has no such commit, or git cannot be asked."""
    try:
        _git(repository, "cat-file", "-e", f"{commit}^{{commit}}")
    except NoCommits:
        shallow = _git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"
        why = (
            "this clone is shallow: `git fetch --unshallow` brings the rest"
            if shallow
            else "name the project's repository, or fetch the branch that was measured"
        )
        raise NoCommits(f"{repository}: commit {commit[:SHORT]} is not here: {why}") from None


def _git(repository: Path, *arguments: str) -> str:
    """Raises: NoCommits with what git says."""
    surroundings = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    asked = ["git", "-c", "i18n.logOutputEncoding=UTF-8", *arguments]
    try:
        said = subprocess.run(
            asked,
            cwd=repository,
            env={**surroundings, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        told = " ".join(error.stderr.decode(errors="replace").split()).removeprefix("fatal: ")
        raise NoCommits(f"{repository}: {told or 'git does not say why'}; name the project's repository") from None
    except subprocess.TimeoutExpired:
        raise NoCommits(f"{repository}: git has not answered for {PATIENCE:.0f} s") from None
    except OSError as error:
        what = "git cannot be run" if repository.is_dir() else "expected a folder"
        raise NoCommits(f"{repository}: {what}: {error.strerror}") from None
    return said.stdout.decode(errors="replace")
