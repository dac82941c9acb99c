"""A folder of pages made anew, which takes the place of the former one at the end."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pytest_archbench.pages.commits import PagesError

MARK = ".archbench-pages"
"""A file in a folder that was published into, and may be replaced therefore."""
LEFT = 24 * 60 * 60
"""Seconds after which what a killed process left half done is taken away."""


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A new folder that becomes ``out``, or what that is a link to, if all goes well.

    Raises: PagesError for a folder that nothing was published into before, and that is not empty.
    """
    out = out.resolve()
    if out.exists() and not (out / MARK).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise PagesError(f"{out}: expected a new folder or one with pages; got other files: name another with --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear(out)
        beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=MARK))
    except OSError as error:
        raise PagesError(f"{out}: cannot be written: {error.strerror}; name another folder with --out") from None
    try:
        new = beside / "new"
        new.mkdir()
        (new / MARK).touch()
        (new / "results").mkdir()
        yield new
        if out.exists():
            out.replace(beside / "old")
        new.replace(out)
    finally:
        shutil.rmtree(beside)


def _clear(out: Path) -> None:
    """Take away what was left beside ``out`` by one that was killed."""
    for path in [*out.parent.iterdir()]:
        is_ours = path.name.startswith(f".{out.name}.") and path.name.endswith(MARK)
        if is_ours and path.stat().st_mtime < time.time() - LEFT:
            shutil.rmtree(path)
