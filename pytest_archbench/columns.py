"""Points column by column, as a kept night has them: of each field the distinct values, and for each row which one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from operator import attrgetter
from typing import Any

from pytest_archbench.points import FIELDS
from pytest_archbench.protocols import Outcomes
from pytest_archbench.records import Conditions, Point

_FIELDS = tuple(field.name for field in fields(Point))
_RECORDS = {"conditions": Conditions, "outcomes": Outcomes}


def packed(points: Iterable[Point], without: Sequence[str] = ()) -> dict[str, Any]:
    """The columns of points, but for those of the fields ``without``."""
    rows = list(points)
    return {name: _column([getattr(row, name) for row in rows]) for name in _FIELDS if name not in without}


def unpacked(columns: Mapping[str, Any]) -> list[Point]:
    """The points of columns read from JSON. A column that is absent is the field's default, where it has one.

    Raises: ValueError, KeyError, TypeError or AttributeError where they are damaged.
    """
    count = _rows(columns)
    made = [
        [each.default] * count
        if each.name not in columns and each.default is not MISSING
        else _values(each.name, columns[each.name], count)
        for each in fields(Point)
    ]
    return [Point(*row) for row in zip(*made, strict=True)]


def _column(values: Sequence[Any]) -> dict[str, Any]:
    """Values of one field: the distinct ones, and for each row the place of its own; in row order where few repeat."""
    plain = [asdict(value) if isinstance(value, Conditions | Outcomes) else value for value in values]
    texts = [json.dumps(value, sort_keys=True, allow_nan=False) for value in plain]
    distinct = dict(zip(texts, plain, strict=True))
    if len(distinct) * 2 > len(plain) and len(distinct) > 1:
        return {"values": plain}
    places = {text: place for place, text in enumerate(distinct)}
    at = [places[text] for text in texts] if len(distinct) > 1 else len(plain)
    return {"values": list(distinct.values()), "at": at}


def _rows(columns: Mapping[str, Any]) -> int:
    """How many there are: as long as a column that is written out, and one where none is, as no two points of a run are
    of the same case.
    """
    listed = (column.get("at", column["values"]) for column in columns.values())
    return max((len(each) for each in listed if isinstance(each, list)), default=1)


def _values(name: str, column: Mapping[str, Any], count: int) -> list[Any]:
    """A column's values by row. Each distinct one is checked once, as one of a journal is."""
    distinct = [_made(name, value) for value in column["values"]]
    for field, expected, holds in FIELDS:
        head, _, part = field.partition(".")
        if head != name:
            continue
        found = map(attrgetter(part), distinct) if part else distinct
        for value in found:
            if not holds(value):
                raise ValueError(f"{field}: expected {expected}; got {value!r:.100}")
    at = column.get("at", range(len(distinct)))
    if type(at) is int and at == count and len(distinct) == 1:
        return distinct * count
    if isinstance(at, int) or len(at) != count or not {*map(type, at)} <= {int}:
        raise ValueError(f"{name}: expected a value for each of {count} rows, by its place; got {at!r:.100}")
    if at and not 0 <= min(at) <= max(at) < len(distinct):
        raise ValueError(f"{name}: expected places from 0 to below {len(distinct)}; got {min(at)} to {max(at)}")
    return [distinct[place] for place in at]


def _made(name: str, value: Any) -> Any:
    if name in _RECORDS and value is not None:
        return _RECORDS[name](**value)
    return tuple(map(tuple, value)) if name == "trials" else value
