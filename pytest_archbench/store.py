"""A run and its journal: one JSON object per line, whole lines only, written and flushed case by case.

Schema 1 (first): a header line, then one line per measurement. Unknown keys are kept by readers.

A journal may end at any byte, where its writer was killed or the disk was full: what is read is its whole lines. One
that ends within its header is ``NOTHING``, a run without a name that has measured nothing, and a resumed run begins it
anew.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_archbench import proportions, stats
from pytest_archbench.files import UNREADABLE, Lines, as_file, is_json
from pytest_archbench.protocols import Outcomes
from pytest_archbench.records import Conditions, Measurement, Trial, Verdict

SCHEMA = 1
JOURNAL = "measurements.jsonl"


class JournalError(ValueError):
    """A journal that cannot be read; the message has file, line and reason."""


@dataclass(frozen=True, slots=True)
class Run:
    """A journal read back: the header and one mapping per measurement, as written."""

    header: dict[str, Any]
    rows: tuple[dict[str, Any], ...]


NOTHING = Run({"schema": SCHEMA, "run": "unnamed"}, ())
"""What a journal says that ends within its header."""
HEAD = '{"schema": '
"""How a header begins."""


def row(measurement: Measurement, verdicts: Iterable[Verdict], family: str = "", topology: str = "") -> dict[str, Any]:
    """The journal's object of a measurement and what was said of it. Nothing is rounded."""
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
        "interval": interval(measurement),
        "percentiles": stats.percentiles(measurement.samples) if measurement.samples else None,
        "trials": [_without_samples(trial) for trial in measurement.trials],
        "left_out": [asdict(trial) for trial in measurement.left_out],
        "imprecise": measurement.imprecise,
        "conditions": asdict(measurement.conditions),
        "convention": measurement.convention,
        "uncounted": list(measurement.uncounted),
        "message": measurement.message,
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "notes": list(measurement.notes),
        **_learned(measurement),
    }


def _learned(measurement: Measurement) -> dict[str, Any]:
    """The keys that only what is learned has."""
    outcomes = {"outcomes": asdict(measurement.outcomes)} if measurement.outcomes else {}
    epochs = {"epochs": list(measurement.epochs)} if measurement.epochs else {}
    return {**outcomes, **epochs, **({"protocol": dict(measurement.protocol)} if measurement.protocol else {})}


def interval(measurement: Measurement) -> dict[str, Any] | None:
    """The journal's object of the interval of the median, or of a proportion."""
    if measurement.outcomes is not None and measurement.value is not None:
        count = measurement.outcomes.count
        return asdict(proportions.wilson(round(measurement.value * count), count))
    return asdict(stats.median_interval(measurement.samples)) if measurement.samples else None


def _without_samples(trial: Trial) -> dict[str, Any]:
    """A trial as the journal has it: the row holds every sample, so here stands how many of them are its own."""
    return {**asdict(trial), "samples": len(trial.samples)}


def _trials(entry: Mapping[str, Any]) -> Iterator[Trial]:
    samples = iter(entry["samples"])
    for trial in entry.get("trials", ()):
        yield _trial({**trial, "samples": itertools.islice(samples, trial["samples"])})


def _trial(entry: Mapping[str, Any]) -> Trial:
    return Trial(tuple(entry["samples"]), tuple(entry["reference"]), entry["machine"], tuple(entry["disturbed"]))


def measurement(entry: Mapping[str, Any]) -> Measurement:
    """The record behind a journal's object; one written by an earlier version has no trials."""
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
        trials=tuple(_trials(entry)),
        left_out=tuple(map(_trial, entry.get("left_out", ()))),
        imprecise=entry.get("imprecise", ""),
        outcomes=Outcomes(**entry["outcomes"]) if "outcomes" in entry else None,
        epochs=tuple(entry.get("epochs", ())),
        protocol=entry.get("protocol", {}),
    )


class Journal:
    """The file of a run being made. Every line is whole and on disk before ``append`` returns."""

    def __init__(self, folder: Path, header: Mapping[str, Any], *, resume: bool = False) -> None:
        """Start a journal in ``folder``, the previous one set aside; with ``resume`` go on with it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / JOURNAL
        if self.path.exists() and not resume:
            _set_aside(self.path)
        self._lines = Lines(self.path)
        if not self._lines.size:
            self.append({"schema": SCHEMA, **header})

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line and wait until it is on disk.

        Raises: OSError where the disk is full; the file then ends with the line before.
        """
        self._lines.append(entry)

    def close(self) -> None:
        self._lines.close()


def _set_aside(path: Path) -> None:
    """Keep an earlier run's journal under ``previous/``, named by its run or, failing that, by its age."""
    try:
        name = str(read(path).header.get("run", "unnamed"))
    except JournalError:
        name = f"damaged-{int(path.stat().st_mtime)}"
    folder = path.parent / "previous"
    folder.mkdir(exist_ok=True)
    stem = as_file(name)
    targets = (folder / f"{stem}{f'-{number}' if number else ''}.jsonl" for number in itertools.count())
    path.replace(next(target for target in targets if not target.exists()))


def read(path: Path) -> Run:
    """Read a journal, or the journal of a folder. A torn last line is left out, any other damage is not tolerated.

    Raises: JournalError with file, line and what to do.
    """
    run, damage = salvage(path)
    if damage:
        raise JournalError(f"{damage[0]}; remove the line to read the rest")
    return run


def salvage(path: Path) -> tuple[Run, list[str]]:
    """What can be read of a journal, and a sentence for each line that cannot.

    Raises: JournalError where there is no journal, or a file that is none.
    """
    path = path / JOURNAL if path.is_dir() else path
    lines = _lines(path)
    if len(lines) == 1 and _is_cut_header(lines[0]):
        return NOTHING, []
    damage: list[str] = []
    objects = _objects(path, lines, damage)
    where, header = next(objects, (f"{path}:1", {}))
    if "run" not in header:
        foreign = f"{where}: expected a header with the key 'run'; this is not an archbench journal"
        raise JournalError(damage[0] if damage else foreign)
    if header.get("schema") != SCHEMA:
        raise JournalError(
            f"{where}: expected schema {SCHEMA}; got {header.get('schema')!r}; use the version that wrote it"
        )
    for key in ("environment", "devices"):
        if not isinstance(header.get(key, {}), Mapping):
            raise JournalError(f"{where}: {key}: expected an object; got {type(header[key]).__name__}")
    rows = tuple(row for where, row in objects if _is_row(row, where, damage))
    return Run(header, rows), damage


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise JournalError(
            f"{path}: no journal can be read here ({error.strerror}); run pytest --archbench first"
        ) from None


def _is_cut_header(line: str) -> bool:
    return HEAD.startswith(line[: len(HEAD)]) and not is_json(line.encode())


def _objects(path: Path, lines: Sequence[str], damage: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every line's object, with file and line; what is none adds its sentence to ``damage``."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            entry = json.loads(line, parse_constant=_no_number)
        except UNREADABLE as error:
            if number == len(lines):  # no newline after it: killed while writing
                break
            foreign = "" if number > 1 else "; this is not an archbench journal"
            damage.append(f"{where}: not a JSON object ({error}){foreign}")
        else:
            if isinstance(entry, dict):
                yield where, entry
            else:
                damage.append(f"{where}: expected a JSON object; got {type(entry).__name__}")


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _is_row(entry: Mapping[str, Any], where: str, damage: list[str]) -> bool:
    """Whether an object is a measurement with verdicts; where it is none, ``damage`` gets the sentence why."""
    try:
        measurement(entry)
        for name in ("architecture", "metric"):
            if not isinstance(entry[name], str):
                raise TypeError(f"{name}: expected a text; got {entry[name]!r:.100}")
        for verdict in entry["verdicts"]:
            Verdict(verdict["outcome"], verdict["reason"])
    except KeyError as error:
        reason = f"the key {error} is missing"
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = str(error)
    else:
        return True
    damage.append(f"{where}: not a measurement ({reason})")
    return False
