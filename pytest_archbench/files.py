"""Writing files whole: a reader sees the old content or the new, or whole lines, never half of it; and saying where
they lie.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

FOLDERS = ("figures", "tables")
"""Of the report, and not listed file by file."""
UNREADABLE = (ValueError, RecursionError)
"""What reading a damaged line as JSON raises."""
LONGEST = 100
"""Bytes of a name as that of a file, to which an ending is added still; file systems take 255 in all."""


def write_atomically(path: Path, content: bytes) -> Path:
    """Write ``content`` in the place of ``path``. Raises: OSError, as ``replacing``."""
    with replacing(path) as file:
        file.write(content)
    return path


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written beside ``path``, which is moved there once it is whole and on disk; folders are made.

    Raises: OSError with ``path``, which is untouched, or with the folder that cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _beside(path) as file:
            yield file
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # a full disk names no file, others the one beside
        raise


@contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)  # else a power cut may leave the moved file empty
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def as_file(name: str) -> str:
    """A name, of a run or a network, as that of a file. One that cannot stay as it is ends in the first digits of its
    SHA-256, so that no two names share a file.
    """
    plain = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)
    if plain == name and len(name.encode()) <= LONGEST and name.strip("."):
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    short = plain.encode()[: LONGEST - len(mark) - 1].decode("utf-8", "ignore")
    return f"{short}-{mark}"


class Lines:
    """A file of JSON objects, one a line, that grows. Every line is whole and on disk before ``append`` returns."""

    def __init__(self, path: Path) -> None:
        """Go on after the last whole line of ``path``; the folder must be there."""
        if path.exists():
            _end_last_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line and wait until it is on disk.

        Raises: OSError where the disk is full; the file then ends with the line before.
        """
        line = memoryview(json.dumps(entry, allow_nan=False, default=repr).encode() + b"\n")
        whole = self.size
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(whole)
            raise

    @property
    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        self._file.close()


def _end_last_line(path: Path) -> None:
    """Give a last line its missing newline, or drop it where a process was killed while writing it."""
    data = path.read_bytes()
    last = data[data.rfind(b"\n") + 1 :]
    if not last:
        return
    with path.open("r+b") as file:
        if is_json(last):
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
        else:
            file.truncate(len(data) - len(last))


def is_json(line: bytes) -> bool:
    """Whether a line can be read as JSON."""
    try:
        json.loads(line)
    except UNREADABLE:
        return False
    return True


def places(written: Sequence[Path]) -> list[str]:
    """Where everything lies: a file by its path, a folder of many with their number."""
    files = [_short(path) for path in written if path.parent.name not in FOLDERS]
    folders = Counter(path.parent for path in written if path.parent.name in FOLDERS)
    return [*files, *(f"{_short(folder)}/ ({count} file{'s' * (count > 1)})" for folder, count in folders.items())]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
