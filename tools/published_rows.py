"""Rows of the collected CSV tables -> figures as the TOML files carry them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, str]
Figure = dict[str, Any]

ORDER = (
    "architecture", "named", "metric", "value", "unit", "input_size", "batch_size", "device", "ref", "reading_error",
    "precision", "note", "known", "expected",
)  # fmt: skip
_SIX_DIGITS = re.compile(r"rounded to (\d+) significant digits")


def rows(directory: Path) -> Iterator[Row]:
    """Every row of every tidy table, in file order."""
    for path in sorted(directory.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)


def filings(row: Row, source: Mapping[str, Any]) -> list[Row]:
    """A row, and the same under another topology where the source speaks of that one (``also`` in sources.toml).

    A row of a network that only has the name of ours is filed under another (``apart``), where it judges nothing.
    """
    row = {**row, "architecture": source.get("apart", {}).get(row["architecture"], row["architecture"])}
    also = [
        entry for entry in source.get("also", ()) if all(row[key] == entry[key] for key in ("architecture", "metric"))
    ]
    return [row, *({**row, "architecture": entry["as"], "notes": entry["note"]} for entry in also)]


def figure(row: Row, source: Mapping[str, Any]) -> Figure:
    """One row as a figure; ``source`` is its entry in sources.toml. Values stay as printed."""
    unit, note = row["unit"], row["notes"]
    if unit == "MB" and source.get("megabyte", unit) != unit:
        unit, note = source["megabyte"], "; ".join(filter(None, ["printed in MB", note]))
    found: Figure = {
        "architecture": row["architecture"],
        "named": row["architecture_as_named_by_source"],
        "metric": row["metric"],
        "value": row["value"],
        "unit": unit,
        "ref": row["source_ref"],
        "device": row["device"],
        "note": note,
    }
    width, _, height = row["input_size"].partition("x")
    if width == (height or width) and width:
        found["input_size"] = int(width)
    elif width:
        found["note"] = "; ".join(filter(None, [f"input {row['input_size']}", note]))
    if row["batch_size"]:
        found["batch_size"] = int(row["batch_size"])
    if found["named"] == found["architecture"]:
        del found["named"]
    found |= _uncertainty(row, source)
    return {key: value for key, value in found.items() if value != ""}


def _uncertainty(row: Row, source: Mapping[str, Any]) -> Figure:
    """The error of a chart reading and a coarser rounding than the digits show, where the notes state them."""
    for reading in source.get("reading", ()):
        match = re.search(reading["pattern"], row["notes"])
        if match and reading["metric"] in ("*", row["metric"]):
            error = Decimal(match[1])
            if reading.get("relative"):
                error = (error * Decimal(row["value"]) / 100).quantize(Decimal("0.0001"))
            return {"reading_error": str(error)}
    rounded = _SIX_DIGITS.search(row["notes"])
    if rounded:
        return {"precision": str(Decimal(10) ** (len(row["value"]) - int(rounded[1])) / 2)}
    return {}


def distinct(figures: Iterable[Figure]) -> list[Figure]:
    """Sorted, each figure once."""
    return sorted({line(f): f for f in figures}.values(), key=_place)


def _place(found: Figure) -> tuple[Any, ...]:
    keys = ("architecture", "metric", "input_size", "device", "batch_size", "ref", "named", "note", "value")
    return tuple((0 if isinstance(found.get(key, ""), str) else 1, found.get(key, "")) for key in keys)


def line(found: Figure) -> str:
    """The figure as one line of TOML; JSON's strings are TOML's."""
    pairs = (f"{key} = {json.dumps(found[key], ensure_ascii=False)}" for key in ORDER if key in found)
    return f"  {{{', '.join(pairs)}}},"


def document(header: Mapping[str, str], reasons: Mapping[str, str], figures: Iterable[Figure]) -> str:
    """A whole file: header, reasons, one figure per line."""
    parts = ["[source]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in header.items())]
    if reasons:
        parts += ["", "[reasons]"]
        parts += [f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in sorted(reasons.items())]
    return "\n".join([*parts, "", "[published]", "figures = [", *map(line, figures), "]", ""])
