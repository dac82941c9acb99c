"""Writing files whole: a reader sees the old content or the new, never half of it; and saying where they lie."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

FOLDERS = ("figures", "tables")
"""Of the report, and not listed file by file."""


def write_atomically(path: Path, content: bytes) -> Path:
    """Write ``content`` beside ``path`` and move it there; folders are made. Raises OSError, the target untouched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def places(written: Sequence[Path]) -> list[str]:
    """Where everything lies: a file by its path, a folder of many with their number."""
    files = [_short(path) for path in written if path.parent.name not in FOLDERS]
    folders = Counter(path.parent for path in written if path.parent.name in FOLDERS)
    return [*files, *(f"{_short(folder)}/ ({count} file{'s' * (count > 1)})" for folder, count in folders.items())]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
