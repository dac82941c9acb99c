"""A history as one long table: a line for each value of each run, as CSV or Parquet, written night by night."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any, NamedTuple

from pytest_archbench.levels import is_normalised, level
from pytest_archbench.nights import Night
from pytest_archbench.points import flat
from pytest_archbench.records import Point
from pytest_archbench.registry import METRICS

GROUP = 50_000
"""Lines of a row group of Parquet: what is held in memory at a time."""

Facts = Mapping[str, Any]
Cell = str | int | float | bool | None


class Column(NamedTuple):
    """A column: its name, its type in Parquet, and what it has of a point and the facts of its run."""

    name: str
    kind: str
    of: Callable[[Point, Facts], Cell]


def facts(header: Mapping[str, Any], device: str) -> dict[str, Any]:
    """``dirty``, and what a header tells of the host that a device was measured on, by dotted name:
    ``packages.torch``. In a run of several hosts each device has its own.
    """
    devices = header.get("devices")
    own = devices.get(device) if isinstance(devices, Mapping) else None
    told = own if isinstance(own, Mapping) and "environment" in own else header
    found = told.get("environment")
    return {"dirty": header.get("dirty"), **(flat(found) if isinstance(found, Mapping) else {})}


def _level(point: Point, _: Facts) -> float | None:
    """What compares between runs; None of a metric that this version does not know."""
    return level(point, METRICS[point.metric]) if METRICS.owns(point.metric) else None


def _is_normalised(point: Point, _: Facts) -> bool | None:
    return is_normalised(point, METRICS[point.metric]) if METRICS.owns(point.metric) else None


def _dirty(_: Point, told: Facts) -> bool | None:
    found = told["dirty"]
    return found if isinstance(found, bool) else None


def _fact(name: str) -> Callable[[Point, Facts], str | None]:
    return lambda _, told: None if told.get(name) is None else str(told[name])


def _model(point: Point, _: Facts) -> str | None:
    found = point.fingerprint.get("device.model")
    return None if found is None else str(found)


COLUMNS = (
    Column("run", "string", lambda point, _: point.run),
    Column("started", "string", lambda point, _: point.started),
    Column("commit", "string", lambda point, _: point.commit),
    Column("dirty", "bool", _dirty),
    Column("architecture", "string", lambda point, _: point.architecture),
    Column("metric", "string", lambda point, _: point.metric),
    Column("device", "string", lambda point, _: point.conditions.device),
    Column("batch_size", "int64", lambda point, _: point.conditions.batch_size),
    Column("input_shape", "string", lambda point, _: json.dumps(point.conditions.input_shape)),
    Column("dtype", "string", lambda point, _: point.conditions.dtype),
    Column("memory_format", "string", lambda point, _: point.conditions.memory_format),
    Column("runtime", "string", lambda point, _: point.conditions.runtime),
    Column("threads", "int64", lambda point, _: point.conditions.threads),
    Column("value", "double", lambda point, _: point.value),
    Column("unit", "string", lambda point, _: point.unit),
    Column("uncertainty", "double", lambda point, _: point.uncertainty),
    Column("level", "double", _level),
    Column("normalised", "bool", _is_normalised),
    Column("processes", "int64", lambda point, _: len(point.trials)),
    Column("doubt", "string", lambda point, _: point.doubt or None),
    Column("alarmed", "bool", lambda point, _: point.alarmed),
    Column("convention", "string", lambda point, _: point.convention or None),
    Column("device_model", "string", _model),
    *(
        Column(name.removeprefix("packages."), "string", _fact(name))
        for name in ("python", "system", "machine", "kernel", "packages.torch", "packages.torchvision", "packages.timm")
    ),
)
"""``value`` is in ``unit``, ``uncertainty`` half the width of its 95 % interval relative to it, ``level`` what compares
between runs: where ``normalised`` free of the machine's pace, else the value. Of a host with several environments the
device's own counts."""


def lines(nights: Iterable[Night]) -> Iterator[list[Cell]]:
    """A line for each value, in the order of the runs."""
    for night in nights:
        told = {device: facts(night.header, device) for device in night.devices}
        for point in night.points.values():
            yield [_plain(column.of(point, told[point.conditions.device])) for column in COLUMNS]


def _plain(cell: Cell) -> Cell:
    """Text on one line: what cannot be printed, which no reader of CSV agrees on, is a space."""
    if not isinstance(cell, str) or cell.isprintable():
        return cell
    return "".join(sign if sign.isprintable() else " " for sign in cell)


def csv_to(file: IO[bytes], nights: Iterable[Night]) -> int:
    """Write CSV in UTF-8 and say how many lines it has beside the head: numbers to their last digit, an empty cell for
    what is not known.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer, count = csv.writer(text, lineterminator="\n"), 0
    writer.writerow(column.name for column in COLUMNS)
    for line in lines(nights):
        writer.writerow(_WORDS[cell] if isinstance(cell, bool) else cell for cell in line)
        count += 1
    text.flush()
    text.detach()  # the file stays open for its owner
    return count


_WORDS = {True: "true", False: "false"}


def parquet_to(file: IO[bytes], nights: Iterable[Night]) -> int:
    """Write Parquet, the value as a double, and say how many lines it has. Raises: ImportError without pyarrow."""
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema([(column.name, _types(pyarrow)[column.kind]) for column in COLUMNS])
    waiting, count = lines(nights), 0
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(waiting, GROUP)):
            count += len(group)
            columns = [
                pyarrow.array(_floats(cells) if column.kind == "double" else cells, type=schema.field(column.name).type)
                for column, cells in zip(COLUMNS, zip(*group, strict=True), strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
    return count


def _floats(cells: Iterable[Any]) -> list[float | None]:
    """Counts too, which beyond 2**53 are no longer exact."""
    return [None if cell is None else float(cell) for cell in cells]


def _types(pyarrow: Any) -> dict[str, Any]:
    return {"string": pyarrow.string(), "bool": pyarrow.bool_(), "int64": pyarrow.int64(), "double": pyarrow.float64()}


Form = Callable[[IO[bytes], Iterable[Night]], int]

FORMS: Mapping[str, Form] = {".csv": csv_to, ".parquet": parquet_to}
"""Writers by the ending of a file's name."""
