"""A run and its journal: one JSON object per line, whole lines only, written and flushed case by case.

Schema 1 (first): a header line, then one line per measurement. Unknown keys are kept by readers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_archbench import stats
from pytest_archbench.records import Conditions, Measurement, Verdict

SCHEMA = 1
JOURNAL = "measurements.jsonl"


class JournalError(ValueError):
    """A journal that cannot be read; the message has file, line and reason."""


@dataclass(frozen=True, slots=True)
class Run:
    """A journal read back: the header and one mapping per measurement, as written."""

    header: dict[str, Any]
    rows: tuple[dict[str, Any], ...]


def row(measurement: Measurement, verdicts: Iterable[Verdict], family: str = "", topology: str = "") -> dict[str, Any]:
    """The journal's object of a measurement and what was said of it. Nothing is rounded."""
    interval = stats.median_interval(measurement.samples) if measurement.samples else None
    return {
        "schema": SCHEMA,
        "architecture": measurement.architecture,
        "family": family,
        "topology": topology or measurement.architecture,
        "metric": measurement.metric,
        "unit": measurement.unit,
        "status": measurement.status,
        "value": measurement.value,
        "samples": list(measurement.samples),
        "interval": asdict(interval) if interval else None,
        "conditions": asdict(measurement.conditions),
        "convention": measurement.convention,
        "uncounted": list(measurement.uncounted),
        "message": measurement.message,
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "notes": list(measurement.notes),
    }


def measurement(entry: Mapping[str, Any]) -> Measurement:
    """The record behind a journal's object."""
    return Measurement(
        architecture=entry["architecture"],
        metric=entry["metric"],
        unit=entry["unit"],
        status=entry["status"],
        conditions=Conditions(**entry["conditions"]),
        samples=tuple(entry["samples"]),
        convention=entry["convention"],
        uncounted=tuple(entry["uncounted"]),
        message=entry["message"],
        notes=tuple(entry["notes"]),
    )


class Journal:
    """The file of a run being made. Every line is whole and on disk before ``append`` returns."""

    def __init__(self, folder: Path, header: Mapping[str, Any], *, resume: bool = False) -> None:
        """Start a journal in ``folder``, the previous one set aside; with ``resume`` go on with it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / JOURNAL
        resuming = resume and self.path.exists()
        if self.path.exists():
            _cut_torn_line(self.path) if resuming else _set_aside(self.path)
        self._file = self.path.open("a", encoding="utf-8")
        if not resuming:
            self.append({"schema": SCHEMA, **header})

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line and wait until it is on disk.

        Raises: OSError where the disk is full; what was written before stays whole.
        """
        self._file.write(json.dumps(entry, allow_nan=False, default=repr) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _cut_torn_line(path: Path) -> None:
    """Drop an unfinished last line, left by a process that was killed while writing it."""
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def _set_aside(path: Path) -> None:
    """Keep an earlier run's journal under ``previous/``, named by its run or, failing that, by its age."""
    try:
        name = str(read(path).header.get("run", "unnamed"))
    except JournalError:
        name = f"damaged-{int(path.stat().st_mtime)}"
    folder = path.parent / "previous"
    folder.mkdir(exist_ok=True)
    path.replace(folder / f"{''.join(c if c.isalnum() or c in '-_.' else '-' for c in name)}.jsonl")


def read(path: Path) -> Run:
    """Read a journal, or the journal of a folder. A torn last line is tolerated, any other damage is not.

    Raises: JournalError with file, line and what to do.
    """
    path = path / JOURNAL if path.is_dir() else path
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise JournalError(
            f"{path}: no journal can be read here ({error.strerror}); run pytest --archbench first"
        ) from None
    entries = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            if number == len(lines):  # no newline after it: killed while writing
                break
            raise JournalError(
                f"{path}:{number}: not a JSON object ({error}); remove the line to read the rest"
            ) from None
        if not isinstance(entry, dict):
            raise JournalError(f"{path}:{number}: expected a JSON object; got {type(entry).__name__}")
        entries.append(entry)
    if not entries or "run" not in entries[0]:
        raise JournalError(f"{path}:1: expected a header with the key 'run'; this is not an archbench journal")
    if entries[0].get("schema") != SCHEMA:
        raise JournalError(
            f"{path}:1: expected schema {SCHEMA}; got {entries[0].get('schema')!r}; use the version that wrote it"
        )
    return Run(entries[0], tuple(entries[1:]))
