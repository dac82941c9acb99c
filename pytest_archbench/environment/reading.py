"""What a host's small files and commands say, or a recording's of one: an answer, or None. Nothing here raises."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

ROOT = Path("/")
"""Where this host's own files lie. Any other root is a recording, or was constructed."""
COMMANDS = "commands"
"""Folder of a recording that holds what commands printed."""
MOST = 2**20
"""Bytes of a file that are looked at: /proc/cpuinfo of 256 processors has 400,000."""
LONGEST = 200
"""Characters of a line that still is a name."""
PATIENCE = 10.0
"""Seconds after which a command is taken to be stuck."""

ANSWERS = {"systemd-detect-virt": (0, 1)}
"""Exit statuses of commands that answer with another than 0: that one says with 1 that there is none."""


class NoAnswer(LookupError):
    """A file or a command told nothing; the message says why."""


def content(path: Path, most: int = MOST) -> bytes:
    """The first ``most`` bytes of a regular file. Raises: NoAnswer, also for a pipe or a device, which could block."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise NoAnswer("it is no regular file")
        with path.open("rb") as file:
            return file.read(most)
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links is an OSError or a RuntimeError
        raise NoAnswer(getattr(error, "strerror", None) or str(error)) from None


def is_there(path: Path) -> bool:
    """Whether a path leads to something that may be looked at."""
    try:
        path.stat()
    except (OSError, ValueError, RuntimeError):
        return False
    return True


def text(path: Path) -> str | None:
    """The whole of a small file; None where it cannot be read."""
    try:
        return content(path).decode(errors="replace")
    except NoAnswer:
        return None


def line(path: Path) -> str | None:
    """The one line that a file of sysfs holds; None for anything that no name can be."""
    said = text(path)
    return None if said is None else name(said)


def name(said: str) -> str | None:
    """``said`` without the space around it, where it is one printable line of sensible length."""
    stripped = said.strip(" \t\r\n\0")
    return stripped if stripped.isprintable() and "\ufffd" not in stripped and 0 < len(stripped) <= LONGEST else None


def number(path: Path) -> int | None:
    """The count that a file of sysfs holds, from 0 to what 64 bits hold."""
    said = line(path)
    if said is None or not re.fullmatch(r"[0-9]{1,20}", said, re.ASCII):
        return None
    return int(said) if int(said) < 2**64 else None


def said(root: Path, *command: str) -> str | None:
    """What a command prints on the host, or what it printed when the recording under ``root`` was made."""
    try:
        return printed(*command) if root == ROOT else content(root / kept(command)).decode(errors="replace")
    except NoAnswer:
        return None


def kept(command: tuple[str, ...]) -> str:
    """Where a recording keeps what a command printed: ``commands/nvpmodel_q.txt`` for ``nvpmodel -q``."""
    words = re.findall(r"[A-Za-z0-9]+", " ".join(command))
    return f"{COMMANDS}/{'_'.join(words)}.txt"


def printed(*command: str) -> str:
    """Run a command, without a shell and without input. Raises: NoAnswer where it is missing, refuses or hangs."""
    program = shutil.which(command[0])
    if program is None:
        raise NoAnswer("it is not installed")
    try:
        ran = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"it took longer than {PATIENCE:g} s") from None
    except OSError as error:
        raise NoAnswer(str(error.strerror)) from None
    if ran.returncode not in ANSWERS.get(command[0], (0,)):
        complaint = (ran.stderr or ran.stdout).decode(errors="replace").strip().splitlines()
        raise NoAnswer(f"exit status {ran.returncode}: {complaint[0] if complaint else 'it says nothing'}"[:LONGEST])
    return ran.stdout.decode(errors="replace")
