"""A small git repository with one commit for each night, whose differences explain a step; asv wants a commit for each
point.

The same nights give the same hashes, and a commit says nothing of those after it. It holds what was known of each
device when it was last measured.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

BRANCH = "main"
AUTHOR = "archbench <archbench@localhost>"


class PagesError(RuntimeError):
    """Pages that cannot be published; the message is a sentence for the user."""


def environment() -> dict[str, str]:
    """For git: nothing of a repository that we are called from, and nobody's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


class Commits:
    """The repository while it is written, through one ``git fast-import``."""

    def __init__(self, folder: Path) -> None:
        """Raises: PagesError where there is no git."""
        command = ["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(folder)]
        try:
            subprocess.run(command, check=True, env=environment(), capture_output=True, text=True)
        except FileNotFoundError:
            raise PagesError("git: expected the program, which keeps the nights; got none: install git") from None
        except subprocess.CalledProcessError as error:
            raise PagesError(f"{folder}: git cannot make a repository there: {error.stderr.strip()}") from None
        self._folder = folder
        self._marks = 0

    def __enter__(self) -> Commits:
        self._git = subprocess.Popen(
            ["git", "-C", str(self._folder), "fast-import", "--quiet", "--done", "--date-format=raw"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._git.kill()
        said = self._git.communicate(b"done\n" if kind is None else None)[1]
        if kind is None and self._git.returncode != 0:
            raise PagesError(f"{self._folder}: git fast-import failed: {said.decode(errors='replace').strip()}")

    def commit(self, started: datetime, subject: str, files: Mapping[str, Mapping[str, Any]]) -> str:
        """Write files, each an object, over those of the night before; the commit's hash."""
        self._marks += 1
        when = f"{AUTHOR} {int(started.timestamp())} +0000".encode()
        parts = [b"commit refs/heads/" + BRANCH.encode(), b"mark :%d" % self._marks]
        parts += [b"author " + when, b"committer " + when, _data(subject.encode("utf-8", "replace"))]
        for path, content in sorted(files.items()):
            text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
            parts += [f"M 100644 inline {path}".encode(), _data(text.encode("utf-8", "replace"))]
        return self._asked(b"\n".join(parts) + b"\nget-mark :%d\n" % self._marks)

    def _asked(self, commands: bytes) -> str:
        assert self._git.stdin is not None, "a pipe was asked for"
        assert self._git.stdout is not None, "a pipe was asked for"
        try:
            self._git.stdin.write(commands)
            self._git.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self._git.stdout.readline().decode().strip()
        if not answer:
            said = self._git.communicate()[1].decode(errors="replace").strip()
            raise PagesError(f"{self._folder}: git fast-import stopped: {said}")
        return answer


def _data(content: bytes) -> bytes:
    return b"data %d\n%s" % (len(content), content)
