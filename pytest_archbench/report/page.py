"""The page: one HTML file that needs nothing else, opens from a disk and loads nothing from anywhere.

Every text of a run is untrusted: the template escapes it, the script reads it from JSON and writes it as text. Only our
own style sheet and scripts, the drawing library, and what a user's conftest calls markup are taken as they are.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_archbench.report.beside import SAID, Beside
from pytest_archbench.report.cells import legible
from pytest_archbench.report.choice import UNDER, failures, stands
from pytest_archbench.report.columns import COLUMNS, ON_GPUS, TABLED, counted, measured, remedy
from pytest_archbench.report.findings import Record, commit, findings, left_out, place
from pytest_archbench.report.frames import CONDITIONS, MEASURED, VARIED, Run, cases, doubt, variant
from pytest_archbench.report.plotting import digest, library
from pytest_archbench.report.provenance import LEARNED, account, with_interval
from pytest_archbench.report.sheets import Extra, Sheet
from pytest_archbench.tally import WORDS, doubtful, rank
from pytest_archbench.units import readable

MOST_LISTED = 250
LONGEST = 600
ALWAYS = ("device", "batch_size")
"""Conditions that have a column even where all rows agree."""
HEADINGS = {"batch_size": "Batch", "memory_format": "Memory format"}
SCRIPTS = ("data", "names", "axes", "shapes", "library", "figures", "table", "legend", "recommend", "page")
"""The parts of the page's script in the order in which they build on one another."""
HOLDS = {True: "holds here", False: "does not hold here", None: "cannot be said"}


@dataclass(frozen=True, slots=True)
class Inset:
    """A figure of the page, drawn from the payload's chart of that name; ``lacking`` says why it cannot be."""

    name: str
    title: str
    lacking: str = ""


class Claim(Protocol):
    """What a paper concluded, and whether it ``holds`` on the data at hand (None where they cannot say)."""

    @property
    def statement(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def holds(self) -> bool | None: ...

    @property
    def sentence(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Head:
    heading: str
    unit: str = ""
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """``value`` is what the column sorts by; empty where nothing was measured. ``doubt`` says what is doubtful."""

    text: str
    value: str = ""
    numeric: bool = False
    linked: bool = False
    doubt: str = ""


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


def html(
    run: Run,
    networks: pd.DataFrame,
    payload: Mapping[str, Any],
    insets: Iterable[Inset],
    sources: Mapping[str, str],
    sheets: Sequence[Sheet] = (),
    extras: Sequence[Extra] = (),
    claims: Sequence[Claim] = (),
    near: Beside | None = None,
) -> str:
    """The whole page of a run.

    ``payload`` is what the script draws from (``web.payload``), its row i being row i of ``networks``; ``sources``
    gives the address of each source of published figures; ``near`` is what was published on other devices.
    """
    environment = _environment()
    insets, script, packed = list(insets), _script(environment), library()
    return (
        environment.get_template("page.html.j2")
        .render(
            title=legible(run.header.get("run")) or ("a run" if run.rows or networks.empty else "published figures"),
            summary=_summary(run, networks),
            empty=not run.rows,
            published_only=not run.rows and not networks.empty,
            found=findings(run),
            doubtful=doubtful(run.rows),
            words=WORDS,
            counted=counted,
            charts=[inset for inset in insets if not inset.lacking],
            lacking=[inset for inset in insets if inset.lacking],
            sheets=sheets,
            extras=extras,
            claims=claims,
            holds=HOLDS,
            near=near,
            said_of_devices=SAID,
            variants=any(map(variant, networks[list(VARIED)].to_dict("records"))),
            table=table(networks, left_out(run.header)),
            left_out=left_out(run.header),
            header=header(run.header),
            addresses={legible(name): address for name, address in sources.items() if is_web(address)},
            place=place,
            most_listed=MOST_LISTED,
            sheet=Markup(_source(environment, "page.css")),
            data=_data({**payload, **_known(run, networks)}),
            library=Markup(packed.base64),
            script=Markup(script),
            digests=(digest(script.encode()), packed.digest),
        )
        .lstrip()
    )


def _known(run: Run, networks: pd.DataFrame) -> dict[str, Any]:
    """What the choice among networks needs beside the payload: how rows of one network differ, and what failed."""
    tried = failures(cases(run))
    return {
        "conditions": [[_text(value) for value in networks[key]] for key in UNDER if networks[key].nunique() > 1],
        "failures": [
            [name, device, batch_size, metric, clip(reason)]
            for (name, device, batch_size), reasons in tried.items()
            for metric, reason in reasons.items()
        ],
        "standing": [stands(record, tried) for record in networks.to_dict("records")],
        "sources": {key: [_text(name) for name in networks[f"{key}_source"]] for key in ("top1", "top5")},
    }


def _data(payload: Mapping[str, Any]) -> Markup:
    """JSON that cannot end its element: within strings ``<`` is spelt as an escape, outside of them there is none."""
    return Markup(json.dumps(payload, allow_nan=False, separators=(",", ":")).replace("<", r"\u003c"))


def _script(environment: Environment) -> str:
    """The parts as one script whose names are its own."""
    parts = (_source(environment, f"script/{name}.js") for name in SCRIPTS)
    return "\n".join(['"use strict";', "(() => {", *parts, "})();", ""])


def data_address(svg: bytes) -> str:
    """A picture as an address that holds it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


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
    environment.filters["data_address"] = data_address
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
    """What was run on what, in a line; then whose published figures stand beside it, or alone."""
    measured_here = networks[networks["origin"] == MEASURED]
    others = ", ".join(dict.fromkeys(_text(origin) for origin in networks["origin"] if origin != MEASURED))
    if others and not run.rows:
        return f"{counted(networks['architecture'].nunique(), 'network')} as published: {clip(others)}"
    devices = "; ".join(sorted({legible(device) for device in measured_here["device"]})) or "no device"
    return (
        f"Run {clip(run.header.get('run')) or 'without a name'} · {clip(commit(run.header))} · "
        f"{counted(measured_here['architecture'].nunique(), 'network')} on {clip(devices)} · "
        f"{counted(len(run.rows), 'case')}" + (f" · beside published figures of {clip(others)}" if others else "")
    )


def header(given: Mapping[str, Any]) -> list[tuple[str, list[Fact]]]:
    """The journal's first line as (heading, facts): the run, its environment, each device."""
    devices = found if isinstance(found := given.get("devices"), Mapping) else {}
    elsewhere = ("environment", "devices", "left_out")
    plain = {key: value for key, value in given.items() if key not in elsewhere}
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


def table(networks: pd.DataFrame, reasons: Sequence[str] = ()) -> Table:
    """The frame of networks as cells, a number beside its text so that the page sorts by the number. ``reasons`` say
    what could not be measured.
    """
    present = [key for key in TABLED if networks[key].notna().any()]
    conditions = [key for key in CONDITIONS if key in ALWAYS or _differs(networks, key)]
    sourced = [key for key in ("top1", "top5") if key in present]
    trained = ["training_of"] if networks["training_of"].notna().any() else []
    origins = ["origin"] if (networks["origin"] != MEASURED).any() else []
    heads = [Head("Network"), Head("Family")]
    heads += [Head(HEADINGS.get(key, key.capitalize()), numeric=key in ("batch_size", "threads")) for key in conditions]
    heads += [Head(COLUMNS[key].heading, COLUMNS[key].unit, numeric=True) for key in present]
    heads += [Head("Origin") for _ in origins]
    heads += [Head(f"{COLUMNS[key].heading} from") for key in sourced]
    heads += [Head("Trained on") for _ in trained] + [Head("Verdict")]
    rows = [
        [
            Cell(clip(record["architecture"])),
            Cell(clip(record["family"])),
            *(_condition(record[key], head.numeric) for key, head in zip(conditions, heads[2:], strict=False)),
            *(_quantity(record, key) for key in present),
            *(_origin(record[key]) for key in origins),
            *(_origin(account(record, key)) for key in sourced),
            *(Cell(_text(record[key])) for key in trained),
            _verdict(record["worst"]),
        ]
        for record in networks.to_dict("records")
    ]
    absent = [key for key in TABLED if key not in (*present, *ON_GPUS)]
    asked = [key for key in absent if key not in LEARNED]  # a training takes hours: it is asked for of its own
    return Table(heads, rows, [COLUMNS[key].name for key in absent], remedy(asked, reasons))


def _differs(networks: pd.DataFrame, key: str) -> bool:
    """Whether rows differ in a condition, and otherwise than the names of variants say."""
    if key in VARIED:
        return bool((networks.groupby("device", dropna=False)[key].nunique() > 1).any())
    return bool(networks[key].nunique() > 1)


def _condition(value: object, numeric: bool) -> Cell:
    text = _text(value)
    return Cell(text, value=text if numeric else "", numeric=numeric)


def _quantity(record: Record, key: str) -> Cell:
    value = record[key]
    if not measured(value):
        return Cell("", numeric=True)
    exact = repr(float(value)).removesuffix(".0")
    return Cell(with_interval(record, key), value=exact, numeric=True, doubt=clip(doubt(record, key)))


def _origin(source: object) -> Cell:
    """A source's name leads to it; ``measured`` and what was measured on do not."""
    text = _text(source)
    return Cell(text, linked=bool(text) and text.split()[0] != MEASURED)


def _verdict(word: object) -> Cell:
    """Sorted by how bad it is, not by its name."""
    text = _text(word)
    return Cell(text, value=f"{rank(text) + 1:02d}" if text else "")


def _text(value: object) -> str:
    """A cell of the frame as text; nothing where it holds nothing."""
    return clip(value) if measured(value) else ""
