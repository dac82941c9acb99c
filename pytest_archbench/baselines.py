"""Published figures: TOML files read strictly, one file per source, one figure per line, into ``Baseline`` records.

The file keeps what the source prints; every conversion to our metrics and base units happens here, when it is
read. Standard library and tomli only. ``baselines/README.md`` describes the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import tomli

from pytest_archbench.conversions import CONVERSIONS, WITHOUT_COUNTERPART
from pytest_archbench.records import Architecture, Baseline, KnownDeviation, Measurement
from pytest_archbench.registry import near


class BaselineError(ValueError):
    """A file of published figures cannot be used; the message names file, line, key, expected and got."""


SIZELESS: frozenset[str] = frozenset({"params", "model_size"})
"""Metrics that the input size does not change, but for networks that are built for one size."""

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,17})?")
_SOURCE_ID = re.compile(r"[a-z0-9_]+")
_SOURCE_KEYS = {
    "title": True,
    "address": True,
    "obtained": True,
    "convention": True,
    "licence": True,
    "provider": False,
}
_FIGURE_KEYS: dict[str, type | tuple[type, ...]] = {
    "architecture": str,
    "metric": str,
    "value": str,
    "unit": str,
    "ref": str,
    "named": str,
    "input_size": int,
    "batch_size": int,
    "device": str,
    "note": str,
    "reading_error": str,
    "precision": str,
    "known": str,
    "expected": (int, float),
}
_REQUIRED = ("architecture", "metric", "value", "unit", "ref")
_IDENTITY = ("architecture", "named", "metric", "unit", "input_size", "ref", "device", "batch_size", "note")


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from. ``provider``: its architectures are that library's registry names, else topologies."""

    name: str
    title: str
    address: str
    obtained: str
    convention: str
    licence: str
    provider: str
    reasons: Mapping[str, str]
    figures: int


@dataclass(frozen=True, slots=True)
class Published:
    """Every figure that can be compared, by (architecture, metric), and the sources they come from."""

    sources: Mapping[str, Source]
    baselines: Mapping[tuple[str, str], tuple[Baseline, ...]]

    @property
    def figures(self) -> tuple[Baseline, ...]:
        """All of them, one after another."""
        return tuple(figure for group in self.baselines.values() for figure in group)


def load(directory: Path) -> Published:
    """Read every ``*.toml`` of ``directory``; raises BaselineError on anything that is not as the README says."""
    if not directory.is_dir():
        raise BaselineError(f"{directory}: expected a directory of *.toml files; got none: create it or name another")
    sources: dict[str, Source] = {}
    grouped: dict[tuple[str, str], list[Baseline]] = {}
    for path in sorted(directory.glob("*.toml")):
        source, figures = read(path)
        twin = next((other.name for other in sources.values() if other.title == source.title), None)
        if twin is not None:
            _refuse(
                path, 1, "title", "a source of its own", source.title, f"{twin}.toml has it too: merge the two files"
            )
        sources[source.name] = source
        for baseline in figures:
            grouped.setdefault((baseline.architecture, baseline.metric), []).append(baseline)
    return Published(sources, {key: tuple(found) for key, found in grouped.items()})


def read(path: Path) -> tuple[Source, list[Baseline]]:
    """One file: its source, and its figures that have a counterpart among our metrics, in the file's order."""
    if not _SOURCE_ID.fullmatch(path.stem):
        _refuse(
            path, 1, "file name", "lower-case letters, digits and _", path.stem, "rename it: the name is the source id"
        )
    try:
        text = path.read_text(encoding="utf-8")
        document = tomli.loads(text)
    except (OSError, ValueError, RecursionError) as problem:  # tomli's own errors are ValueErrors and name the line
        raise BaselineError(f"{path}: not readable as TOML: {problem}; mend the syntax there") from problem
    lines = text.split("\n")
    _require_keys(path, 1, document, {"source": dict, "reasons": dict, "published": dict}, ("source", "published"))
    figures = _figures(path, document["published"], lines)
    source = _source(path, document, lines, len(figures))
    seen: dict[tuple[object, ...], tuple[int, str]] = {}
    read_figures = []
    for line, figure in zip(_figure_lines(path, figures, lines), figures, strict=True):
        _check_figure(path, line, figure, source.reasons, seen)
        if figure["metric"] not in WITHOUT_COUNTERPART:
            read_figures.append(_baseline(path, line, figure, source))
    return source, read_figures


def matching(published: Published, architecture: Architecture, measurement: Measurement) -> list[Baseline]:
    """The figures that speak of this measurement: same network (``key_of``), metric, input size and device.

    A figure that states no size is compared at the network's default size only. Metrics that no input size should
    change match at any size, each value of a source once; where a source has them at this very size, only there:
    the position embedding of a transformer grows with its input.
    """
    metric = measurement.metric
    here = (None, measurement.conditions.device)  # times of another device are a reader's, not a judge's, to compare
    found = [b for b in published.baselines.get((key_of(architecture), metric), ()) if b.device in here]
    size, default = square(measurement.conditions.input_shape), square(architecture.input_shape)
    same = [b for b in found if size is not None and size == (default if b.input_size is None else b.input_size)]
    if metric not in SIZELESS:
        return same
    settled = {b.source for b in same}
    anywhere = [b for b in found if b.source not in settled or b in same]
    return list({(b.source, b.printed, b.printed_unit, b.known): b for b in reversed(anywhere)}.values())[::-1]


def key_of(architecture: Architecture) -> str:
    """The key of an architecture's published figures: its topology, or for an entry of a library's own suite its name
    there, ``timm:resnet50``, so that it meets the figures that timm prints for it and never those of torchvision's.
    """
    if architecture.provider in architecture.suites:
        return provided(architecture.provider, architecture.name.removeprefix(f"{architecture.provider}."))
    return architecture.topology


def provided(provider: str, name: str) -> str:
    """The key of a figure: ``name`` is a topology where there is no provider, else the provider's registry name."""
    return f"{provider}:{name}" if provider else name


def square(input_shape: object) -> int | None:
    """The side of a square input of shape ``(channels, side, side)``; None for any other input."""
    if not isinstance(input_shape, Sequence) or len(input_shape) < 2:
        return None
    height, width = input_shape[-2:]
    return width if isinstance(width, int) and height == width else None


def _refuse(path: Path, line: int, key: str, expected: str, got: object, advice: str) -> NoReturn:
    raise BaselineError(f"{path}:{line}: {key}: expected {expected}; got {got!r}: {advice}")


def _line_of(lines: Sequence[str], pattern: str) -> int:
    """The number of the first line that matches, else 1."""
    return next((number for number, line in enumerate(lines, 1) if re.match(pattern, line)), 1)


def _require_keys(
    path: Path,
    line: int,
    table: Mapping[str, Any],
    types: Mapping[str, type | tuple[type, ...]],
    required: Iterable[str],
) -> None:
    """Refuse an unknown key, a wrong type, an empty text and a missing key."""
    for key, value in table.items():
        expected = types.get(key)
        if expected is None:
            _refuse(path, line, key, "a known key", key, f"{near(key, types)} remove or rename it")
        if not isinstance(value, expected) or isinstance(value, bool):
            names = expected if isinstance(expected, tuple) else (expected,)
            _refuse(path, line, key, " or ".join(t.__name__ for t in names), value, "write it in that type")
        if value == "":
            _refuse(path, line, key, "text", value, "state it, or leave the key out")
    for key in required:
        if key not in table:
            _refuse(path, line, key, "a value", None, "the key is required: add it")


def _source(path: Path, document: Mapping[str, Any], lines: Sequence[str], figures: int) -> Source:
    header, reasons = document["source"], document.get("reasons", {})
    required = [key for key, needed in _SOURCE_KEYS.items() if needed]
    _require_keys(path, _line_of(lines, r"\[source\]"), header, dict.fromkeys(_SOURCE_KEYS, str), required)
    _require_keys(path, _line_of(lines, r"\[reasons\]"), reasons, dict.fromkeys(reasons, str), ())
    return Source(path.stem, **{key: header.get(key, "") for key in _SOURCE_KEYS}, reasons=reasons, figures=figures)


def _figures(path: Path, published: Mapping[str, Any], lines: Sequence[str]) -> list[dict[str, Any]]:
    line = _line_of(lines, r"\[published\]")
    _require_keys(path, line, published, {"figures": list}, ("figures",))
    figures: list[Any] = published["figures"]
    for figure in figures:
        if not isinstance(figure, dict):
            _refuse(path, line, "figures", "inline tables { ... }", figure, "write one { ... } per line")
    return figures


def _figure_lines(path: Path, figures: Sequence[object], lines: Sequence[str]) -> list[int]:
    """The line of each figure: between ``figures = [`` and ``]`` stands one ``{ ... },`` per line, or a comment."""
    start = _line_of(lines, r"figures = \[")
    found = []
    for number, line in enumerate(lines[start:], start + 1):
        stripped = line.strip()
        if stripped == "]" or not figures:
            break
        if not stripped or stripped.startswith("#"):
            continue
        if not (stripped.startswith("{") and stripped.rstrip(",").endswith("}")):
            _refuse(path, number, "figures", "one figure per line, { ... },", stripped, "put the figure on one line")
        found.append(number)
    if len(found) != len(figures):
        _refuse(
            path, start, "figures", "one figure per line", f"{len(figures)} on {len(found)} lines", "split the lines"
        )
    return found


def _check_figure(
    path: Path,
    line: int,
    figure: Mapping[str, Any],
    reasons: Mapping[str, str],
    seen: dict[tuple[object, ...], tuple[int, str]],
) -> None:
    """Refuse what cannot be converted, explained or told apart from an earlier figure of the file."""
    _require_keys(path, line, figure, _FIGURE_KEYS, _REQUIRED)
    for key in ("input_size", "batch_size"):
        if figure.get(key, 1) < 1:
            _refuse(path, line, key, "at least 1", figure[key], "leave the key out where the source states none")
    for one, other in (("known", "expected"), ("expected", "known"), ("precision", "note")):
        if one in figure and other not in figure:
            _refuse(path, line, other, f"a value beside {one}", None, f"add {other}, or remove {one}")
    if "known" in figure and figure["known"] not in reasons:
        _refuse(path, line, "known", "a key of [reasons]", figure["known"], near(figure["known"], reasons))
    identity = tuple(figure.get(key) for key in _IDENTITY)
    earlier, value = seen.setdefault(identity, (line, figure["value"]))
    if earlier != line:
        what = "the same figure" if value == figure["value"] else f"another value, {value!r},"
        _refuse(path, line, "value", "one value per figure", figure["value"], f"line {earlier} has {what} already")


def _baseline(path: Path, line: int, figure: Mapping[str, Any], source: Source) -> Baseline:
    """The figure in our metric and base unit; ``precision``: half a unit of the last place plus the reading error."""
    published = (figure["metric"], figure["unit"])
    conversion = CONVERSIONS.get(published)
    if conversion is None:
        advice = near(" ".join(published), [" ".join(pair) for pair in CONVERSIONS])
        _refuse(path, line, "metric and unit", "a known pair", " ".join(published), advice)
    if conversion.batch_power > 0 and "batch_size" not in figure:
        _refuse(path, line, "batch_size", "a number", None, "a time per image needs the batch it was taken with")
    scale = conversion.scale * Decimal(figure.get("batch_size", 1)) ** conversion.batch_power
    printed = _number(path, line, figure, "value")
    last_place = Decimal(1).scaleb(-len(figure["value"].partition(".")[2])) / 2
    half_unit = _number(path, line, figure, "precision") if "precision" in figure else last_place
    reading_error = _number(path, line, figure, "reading_error") if "reading_error" in figure else Decimal(0)
    known = KnownDeviation(source.reasons[figure["known"]], figure["expected"]) if "known" in figure else None
    return Baseline(
        architecture=provided(source.provider, figure["architecture"]),
        metric=conversion.metric,
        value=float(printed * scale + conversion.offset),
        precision=float(abs(scale) * (half_unit + reading_error)),
        unit=conversion.unit,
        printed=figure["value"],
        printed_unit=figure["unit"],
        source=source.name,
        reference=f"{figure['ref']}, {figure['named']}" if "named" in figure else figure["ref"],
        convention=source.convention,
        input_size=figure.get("input_size"),
        device=figure.get("device"),
        batch_size=figure.get("batch_size"),
        note=figure.get("note", ""),
        known=known,
    )


def _number(path: Path, line: int, figure: Mapping[str, Any], key: str) -> Decimal:
    if not _NUMBER.fullmatch(figure[key]):
        _refuse(path, line, key, 'digits as printed, like "4.09"', figure[key], "put signs and marks into the note")
    return Decimal(figure[key])
