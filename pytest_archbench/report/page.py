"""The page: one HTML file that needs nothing else, opens from a disk and loads nothing from anywhere.

Every text of a run is untrusted and escaped by the template; only our own style sheet, script and figures are not.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_archbench.report.columns import COLUMNS, counted, measured, remedy
from pytest_archbench.report.findings import Record, commit, findings, place
from pytest_archbench.report.frames import CONDITIONS, MEASURED, Run, legible
from pytest_archbench.tally import WORDS, rank
from pytest_archbench.units import readable

MOST_LISTED = 250
LONGEST = 600
ALWAYS = ("device", "batch_size")
"""Conditions that have a column even where all rows agree."""
HEADINGS = {"batch_size": "Batch", "memory_format": "Memory format"}


@dataclass(frozen=True, slots=True)
class Inset:
    """A figure on the page: its SVG, or what it lacks."""

    name: str
    title: str
    svg: Markup
    lacking: str


@dataclass(frozen=True, slots=True)
class Head:
    heading: str
    unit: str = ""
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """``value`` is what the column sorts by; empty where nothing was measured."""

    text: str
    value: str = ""
    numeric: bool = False
    linked: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The networks: only columns in which something was measured; ``absent`` names the others, ``remedy`` says why."""

    heads: list[Head]
    rows: list[list[Cell]]
    absent: list[str]
    remedy: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line about a run; ``exact`` is the number behind a text that is rounded for readers."""

    key: str
    text: str
    exact: str = ""


def html(run: Run, networks: pd.DataFrame, insets: Iterable[Inset], sources: Mapping[str, str]) -> str:
    """The whole page of a run; ``sources`` gives the address of each source of published figures."""
    environment = _environment()
    script = _source(environment, "page.js")
    found = findings(run)
    return (
        environment.get_template("page.html.j2")
        .render(
            title=legible(run.header.get("run")) or "a run",
            summary=_summary(run, networks),
            empty=not run.rows,
            found=found,
            words=WORDS,
            counted=counted,
            charts=list(insets),
            table=table(networks),
            header=header(run.header),
            addresses={legible(name): address for name, address in sources.items() if is_web(address)},
            place=place,
            most_listed=MOST_LISTED,
            sheet=Markup(_source(environment, "page.css")),
            script=Markup(script),
            script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        )
        .lstrip()
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pytest_archbench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["clip"] = clip
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None, "the environment above has one"
    return environment.loader.get_source(environment, name)[0]


def clip(value: object) -> str:
    """Text of a bounded length: a message may hold a whole log."""
    text = legible(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def is_web(address: str) -> bool:
    """Whether an address may become a link; ``javascript:`` and the like may not."""
    try:
        return urlsplit(address).scheme in ("http", "https")
    except ValueError:
        return False


def _summary(run: Run, networks: pd.DataFrame) -> str:
    devices = ", ".join(sorted({legible(device) for device in networks["device"]})) or "no device"
    return (
        f"Run {clip(run.header.get('run')) or 'without a name'} · {clip(commit(run.header))} · "
        f"{counted(networks['architecture'].nunique(), 'network')} on {clip(devices)} · "
        f"{counted(len(run.rows), 'case')}"
    )


def header(given: Mapping[str, Any]) -> list[tuple[str, list[Fact]]]:
    """The journal's first line as (heading, facts): the run, its environment, each device."""
    devices = given.get("devices") or {}
    plain = {key: value for key, value in given.items() if key not in ("environment", "devices")}
    parts = [("Run", plain), ("Environment", given.get("environment") or {})]
    parts += [(f"Device {clip(name)}", facts) for name, facts in devices.items()]
    return [(heading, facts) for heading, part in parts if (facts := flat(part))]


def flat(value: object, key: str = "") -> list[Fact]:
    """Nested mappings as dotted keys: ``{"a": {"b": 1}}`` is ``a.b`` with the text ``1``; bytes are made readable."""
    if key.endswith("_bytes") and isinstance(value, int):
        return [Fact(key.removesuffix("_bytes"), readable(value, "B", digits=3), f"{value} B")]
    if not isinstance(value, Mapping):
        return [Fact(key, legible(value))]
    return [fact for name, part in value.items() for fact in flat(part, f"{key}.{legible(name)}".lstrip("."))]


def table(networks: pd.DataFrame) -> Table:
    """The frame of networks as cells, a number beside its text so that the page sorts by the number."""
    present = [key for key in COLUMNS if networks[key].notna().any()]
    conditions = [key for key in CONDITIONS if key in ALWAYS or networks[key].nunique(dropna=False) > 1]
    sourced = [key for key in ("top1", "top5") if key in present]
    heads = [Head("Network"), Head("Family")]
    heads += [Head(HEADINGS.get(key, key.capitalize()), numeric=key in ("batch_size", "threads")) for key in conditions]
    heads += [Head(COLUMNS[key].heading, COLUMNS[key].unit, numeric=True) for key in present]
    heads += [Head(f"{COLUMNS[key].heading} from") for key in sourced] + [Head("Verdict")]
    rows = [
        [
            Cell(clip(record["architecture"])),
            Cell(clip(record["family"])),
            *(_condition(record[key], head.numeric) for key, head in zip(conditions, heads[2:], strict=False)),
            *(_quantity(record, key) for key in present),
            *(_origin(record[f"{key}_source"]) for key in sourced),
            _verdict(record["worst"]),
        ]
        for record in networks.to_dict("records")
    ]
    absent = [key for key in COLUMNS if key not in present]
    return Table(heads, rows, [COLUMNS[key].name for key in absent], remedy(absent))


def _condition(value: object, numeric: bool) -> Cell:
    text = legible(value)
    return Cell(text, value=text if numeric else "", numeric=numeric)


def _quantity(record: Record, key: str) -> Cell:
    value = record[key]
    if not measured(value):
        return Cell("", numeric=True)
    exact = repr(float(value)).removesuffix(".0")
    return Cell(COLUMNS[key].show(value), value=exact, numeric=True)


def _origin(source: str | None) -> Cell:
    return Cell(source or "", linked=source not in (None, MEASURED))


def _verdict(word: str | None) -> Cell:
    """Sorted by how bad it is, not by its name."""
    return Cell(word or "", value=f"{rank(word) + 1:02d}" if word else "")
