"""Which network should I take? Those of one device and batch size that keep to bounds, best first, and why not the
others. Pure: from a frame of networks to frozen records.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_archbench.bounds import BOUNDS, Bound
from pytest_archbench.registry import UnknownName, near
from pytest_archbench.report.columns import COLUMNS, measured
from pytest_archbench.report.frames import CONDITIONS, DEVICE_METRICS, MEASURED, NETWORK_METRICS, doubt, variant

if TYPE_CHECKING:
    import pandas as pd

Record = Mapping[Hashable, Any]
Place = tuple[str, str, int]
"""Architecture, device and batch size."""
Failures = Mapping[Place, Mapping[str, str]]
"""Where a network was tried and gave no number: why, by metric."""

QUANTITIES = tuple(bound.column for bound in BOUNDS.values())
HELD = {"throughput": "image_rate"}
"""Where the frame holds a quantity that it computes where it was not measured: batch size / latency is a throughput."""
SOURCED = ("top1", "top5")
QUESTIONED = tuple(key for key in QUANTITIES if key in DEVICE_METRICS)
"""Metrics whose failure on a device says that a network does not run there; others do not exclude it."""
UNDER = ("input_shape", *(key for key in CONDITIONS if key not in ("device", "batch_size")))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network that was measured at the chosen place: its ``values`` in base units by column, the absent left out.

    ``origin`` is ``measured`` or the source that published the row; ``sources`` says whose each accuracy is. ``label``
    is the network's name, and what tells it from others here of that name. ``data`` is what its top-1 is of, empty
    where none is known. ``doubts`` says of what values something is doubtful, and what.
    """

    network: str
    label: str
    origin: str
    values: Mapping[str, float]
    sources: Mapping[str, str]
    conditions: Mapping[str, Any]
    data: str = ""
    doubts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a network is excluded: ``cause`` is the same for all that it excludes, ``sentence`` has the value as well."""

    cause: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """A network that is not in the list; ``candidate`` is None where it was not measured at the chosen place."""

    label: str
    reasons: tuple[Reason, ...]
    candidate: Candidate | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer: the networks that keep to all bounds, best first, and all others.

    ``bounds`` are in base units by the key of ``BOUNDS``. ``nearest`` says per bound how near the networks come to it.
    ``elsewhere`` names the other devices, variants among them, that these networks were measured on.
    """

    device: str
    batch_size: int
    bounds: Mapping[str, float]
    ranked: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    nearest: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()


def choose(
    networks: pd.DataFrame, bounds: Mapping[str, float], device: str, batch_size: int, failures: Failures | None = None
) -> Choice:
    """The networks of ``frames.networks`` on ``device`` at ``batch_size`` that keep to ``bounds``.

    By falling top-1, then rising latency, then name; those without a known top-1 come last. Where these are of several
    data sets, which do not compare, those of the fullest come first. A value that is missing keeps to no bound.
    """
    tried, records = failures or {}, networks.to_dict("records")
    here = [record for record in records if (record["device"], record["batch_size"]) == (device, batch_size)]
    candidates = _candidates([record for record in here if stands(record, tried)])
    sets = _data_sets(candidates)
    names = {each.network for each in candidates}
    everyone = (*(record["architecture"] for record in records), *(name for name, _, _ in tried))
    absent = [name for name in dict.fromkeys(everyone) if name not in names]
    judged = [(each, _reasons(each, bounds, tried.get((each.network, device, batch_size), {}))) for each in candidates]
    excluded = [Excluded(each.label, reasons, each) for each, reasons in judged if reasons]
    excluded += [
        Excluded(name, (_absence(device, batch_size, tried.get((name, device, batch_size), {})),)) for name in absent
    ]
    return Choice(
        device,
        batch_size,
        dict(bounds),
        tuple(sorted((each for each, reasons in judged if not reasons), key=lambda each: _order(each, sets))),
        tuple(sorted(excluded, key=lambda each: (each.candidate is None, each.label))),
        tuple(_nearest(BOUNDS[key], bound, candidates) for key, bound in bounds.items()),
        _elsewhere(records, device),
    )


def _elsewhere(records: Iterable[Record], device: str) -> tuple[str, ...]:
    """The devices that something was measured on, other than this one, in the order of the run."""
    ours = (record["device"] for record in records if record["origin"] == MEASURED)
    return tuple(name for name in dict.fromkeys(ours) if isinstance(name, str) and name != device)


def place(networks: pd.DataFrame, device: str, batch_size: int) -> str:
    """The device that ``device`` names: whole, or by a part of its name in any case; empty where there is one only. Of
    a device and its variants, which are called ``cpu, compile-bfloat16``, it is the device itself. The nearest name
    counts (``_nearness``).

    Raises: UnknownName, with the devices or batch sizes that there are.
    """
    sizes: dict[str, set[int]] = defaultdict(set)
    variants: dict[str, str] = {}
    for record in networks.to_dict("records"):
        name, size = record["device"], record["batch_size"]
        if isinstance(name, str) and isinstance(size, int):
            sizes[name].add(size)
            variants[name] = variant(record)
    if not sizes:
        raise UnknownName("--device: these figures name no device: choose a run, or other figures")
    found = [device] if device in sizes else _named(device.casefold(), variants)
    if not found:
        raise UnknownName(f"--device: no network was measured on {device!r}: {near(device, sizes, '; ')}")
    found = [name for name in found if not variants[name]] if _of_one(found, variants) else found
    if len(found) > 1:
        which = f"{device!r} is a part of {len(found)} names" if device else f"there are {len(found)} devices"
        raise UnknownName(f"--device: {which}: name one of {'; '.join(sorted(found))}")
    if batch_size not in sizes[found[0]]:
        known = ", ".join(map(str, sorted(sizes[found[0]])))
        raise UnknownName(f"--batch-size: nothing was measured on {found[0]} at batch {batch_size}: known: {known}")
    return found[0]


def _named(asked: str, variants: Mapping[str, str]) -> list[str]:
    """The devices whose names ``asked``, in lower case, is nearest to; all of them where nothing is asked for."""
    if not asked:
        return list(variants)
    found = {name: _nearness(asked, name.casefold(), variant.casefold()) for name, variant in variants.items()}
    nearest = min((rank for rank in found.values() if rank is not None), default=None)
    return [name for name, rank in found.items() if rank is not None and rank == nearest]


def _nearness(asked: str, name: str, variant: str) -> int | None:
    """How a text names a device, the nearest first: as its variant, by whole words, by the beginning of a word, by a
    part of the device's own name. ``float16`` does not name a ``bfloat16``.
    """
    begins = rf"(?<!\w){re.escape(asked)}"
    own = name.removesuffix(f", {variant}")
    fits = (asked == variant, re.search(rf"{begins}(?!\w)", name), re.search(begins, name), asked in own)
    return next((rank for rank, fit in enumerate(fits) if fit), None)


def _of_one(names: Sequence[str], variants: Mapping[str, str]) -> bool:
    """Whether names are those of one device and of its variants."""
    plain = [name for name in names if not variants[name]]
    return len(plain) == 1 and all(name in (plain[0], f"{plain[0]}, {variants[name]}") for name in names)


def failures(cases: pd.DataFrame) -> Failures:
    """What ``frames.cases`` say of the cases that gave no number: ``oom: 2 GiB asked``."""
    found: dict[Place, dict[str, str]] = defaultdict(dict)
    for record in cases.to_dict("records"):
        if record["status"] != "ok":
            found[_place(record)][record["metric"]] = f"{record['status']}: {record['message']}"
    return found


def limit(bound: Bound, value: float) -> str:
    """A bound in the unit of its column: ``20 ms``, ``953.674 MiB``."""
    column = COLUMNS[bound.column]
    return f"{value / column.scale:.6g} {column.unit.removesuffix('/batch')}"


def demand(bound: Bound, value: float) -> str:
    """``latency at most 20 ms``"""
    return f"{COLUMNS[bound.column].name} at {_MOST[bound.side]} {limit(bound, value)}"


_MOST = {"max": "most", "min": "least"}
_BEYOND = {"max": ">", "min": "<"}
_BEST = {"max": ("lowest", min), "min": ("highest", max)}


def _place(record: Record) -> Place:
    return record["architecture"], record["device"], record["batch_size"]


def stands(record: Record, tried: Failures) -> bool:
    """Whether a network is one to choose from where it was measured: it runs there, and something is known of it.

    A metric that was skipped or failed excludes it only where the question is about it (``QUESTIONED``) and no other
    number of that device stands against it.
    """
    failed = tried.get(_place(record), {})
    if not failed or any(measured(record[metric]) for metric in DEVICE_METRICS):
        return True
    return not failed.keys() & set(QUESTIONED) and any(_known_itself(record, key) for key in NETWORK_METRICS.values())


def _known_itself(record: Record, key: str) -> bool:
    """Whether a quantity was found where the row is from, and not lent by another source."""
    return measured(record[key]) and record.get(f"{key}_source", record["origin"]) == record["origin"]


def _candidates(here: Sequence[Record]) -> list[Candidate]:
    """Each with a label of its own: where the rows come from several origins, its origin; where several are of one
    network, the conditions in which these differ.
    """
    rows: dict[str, list[Record]] = defaultdict(list)
    for record in here:
        rows[record["architecture"]].append(record)
    shared = _differing(("origin",), here)
    if len({record["top1_data"] for record in here if record["top1_data"]}) > 1:
        shared.append("top1_data")
    return [_candidate(record, (*shared, *_differing(UNDER, rows[record["architecture"]]))) for record in here]


def _differing(keys: Iterable[str], rows: Sequence[Record]) -> list[str]:
    return [key for key in keys if len({row[key] for row in rows}) > 1]


def _candidate(record: Record, telling: Sequence[str]) -> Candidate:
    name = record["architecture"]
    told = [
        record[key] if key in ("origin", "top1_data") else f"{key.replace('_', ' ')} {record[key]}"
        for key in telling
        if key != "top1_data" or record[key]
    ]
    return Candidate(
        name,
        f"{name} ({', '.join(told)})" if told else name,
        record["origin"],
        {key: value for key in QUANTITIES if measured(value := record[HELD.get(key, key)])},
        {key: record[f"{key}_source"] for key in SOURCED if record[f"{key}_source"]},
        {key: record[key] for key in UNDER},
        record["top1_data"] or "",
        {key: said for key in QUANTITIES if (said := doubt(record, HELD.get(key, key)))},
    )


def _data_sets(candidates: Iterable[Candidate]) -> list[str]:
    """What the candidates' accuracies are of, the fullest first, then by name; the empty text, of none, last."""
    counts = Counter(each.data for each in candidates)
    return sorted(counts, key=lambda name: (not name, -counts[name], name))


def _order(each: Candidate, sets: Sequence[str]) -> tuple[int, float, float, str]:
    values = each.values
    return sets.index(each.data), -values.get("top1", -math.inf), values.get("latency", math.inf), each.label


def _reasons(each: Candidate, bounds: Mapping[str, float], failed: Mapping[str, str]) -> tuple[Reason, ...]:
    found = (_reason(each, BOUNDS[key], value, failed) for key, value in bounds.items())
    return tuple(reason for reason in found if reason)


def _reason(each: Candidate, bound: Bound, most: float, failed: Mapping[str, str]) -> Reason | None:
    column, value = COLUMNS[bound.column], each.values.get(bound.column)
    if value is None:
        cause = _unknown(bound.column, each.origin)
        why = next((failed[metric] for metric in _metrics(bound.column) if metric in failed), "")
        return Reason(cause, f"{cause} ({why})" if why else cause)
    if bound.admits(value, most):
        return None
    shown = column.show(value)
    if bound.admits(float(shown) * column.scale, most):  # rounded it would seem to keep to the bound
        shown = f"{value / column.scale:.12g}"
    beyond = f"{_BEYOND[bound.side]} {limit(bound, most)}"
    return Reason(f"{column.name} {beyond}", f"{column.name} {shown} {column.unit} {beyond}")


def _unknown(key: str, origin: str) -> str:
    column = COLUMNS[key]
    if key in SOURCED:
        return f"no {column.name} known"
    return f"{column.name} {'not measured' if origin == MEASURED else f'not published by {origin}'}"


def _metrics(key: str) -> Iterable[str]:
    """The metrics without which a column has no value."""
    return [key, *COLUMNS[HELD.get(key, key)].of]


def _absence(device: str, batch_size: int, failed: Mapping[str, str]) -> Reason:
    cause = f"not measured on {device} at batch {batch_size}"
    why = "; ".join(dict.fromkeys(failed.values()))
    return Reason(cause, f"{cause} ({why})" if why else cause)


def _nearest(bound: Bound, most: float, candidates: Iterable[Candidate]) -> str:
    """``the lowest latency is 24.10 ms/batch (squeezenet1_1); 0 of 12 networks keep to 20 ms``"""
    column, all_of_them = COLUMNS[bound.column], list(candidates)
    known = [(each.values[column.key], each.label) for each in all_of_them if column.key in each.values]
    keeping = sum(bound.admits(value, most) for value, _ in known)
    kept = f"{keeping} of {len(all_of_them)} networks keep to {limit(bound, most)}"
    if not known:
        return f"{column.name} is known of no network; {kept}"
    word, best = _BEST[bound.side]
    value, name = best(known)
    return f"the {word} {column.name} is {column.show(value)} {column.unit} ({name}); {kept}"
