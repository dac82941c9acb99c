"""The records of a run as pandas frames. Pure: a frame holds what the journal says, and NaN or None where it is silent.

Text from the journal is untrusted: control characters and lone surrogates, which neither XML nor UTF-8 can carry,
are replaced here, once, so that figures and pages need not think of them. Escaping is left to whoever writes.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from pytest_archbench.records import Baseline
from pytest_archbench.report.columns import measured
from pytest_archbench.stats import percentile
from pytest_archbench.tally import rank, words

Row = Mapping[str, Any]
Accuracies = Mapping[tuple[str, str], Sequence[Baseline]]

CONDITIONS = ("device", "batch_size", "dtype", "threads", "memory_format", "runtime")
NETWORK_METRICS = {
    "params": "params",
    "macs": "macs",
    "activations": "activations",
    "model_size": "model_size",
    "top1_accuracy": "top1",
    "top5_accuracy": "top5",
}
"""Metrics that no device changes, and the column of each: a value found on one device stands for all."""
DEVICE_METRICS = ("latency", "throughput", "peak_memory", "energy")
SOURCE_ORDER = (
    *("bianco2018", "torchvision", "canziani2016", "kaiminghe_resnet", "resnext_official", "senet_official"),
    *("dpn_official", "densenet_official", "mobilenets_paper", "mobilenetv2_paper", "shufflenet_official"),
    *("condensenet_official", "cadene", "tf_slim", "timm", "keras", "osmr"),
)
"""Whose accuracy is taken first where several print one: one evaluation of many networks, then the authors' own,
then collections, those that trained anew last. Sources that are not named come after these, in their own order."""
MEASURED = "measured"

CASE_COLUMNS = (
    *("architecture", "family", "topology", "metric", "unit", "status", "value", "n", "p50", "p90", "p99", "worst"),
    *CONDITIONS,
    *("input_shape", "convention", "uncounted", "message", "notes"),
)
VERDICT_COLUMNS = (
    *("architecture", "family", "topology", "metric", "status", "device", "batch_size", "value", "outcome"),
    *("source", "baseline", "unit", "change", "reason"),
)
NETWORK_COLUMNS = (
    *("architecture", "family", "topology"),
    *CONDITIONS,
    *("input_shape", "params", "macs", "activations", "model_size", *DEVICE_METRICS, "top1", "top1_source"),
    *("top5", "top5_source", "accuracy_density", "worst"),
)


_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Run(Protocol):
    """A run as the store reads it: the journal's first line and the rows after it."""

    @property
    def header(self) -> Mapping[str, Any]: ...

    @property
    def rows(self) -> Sequence[Row]: ...


def legible(value: object) -> str:
    """``value`` as text on one line, with U+FFFD for what no document can carry; None is the empty text."""
    return _UNFIT.sub("\ufffd", " ".join(("" if value is None else str(value)).split()))


def worst(rows: Iterable[Row]) -> str | None:
    """The worst word said of rows (``tally.words``), which decides about them; None where nothing was said."""
    return min((legible(word) for row in rows for word in words(row)), key=rank, default=None)


def cases(run: Run) -> pd.DataFrame:
    """One row per measurement.

    ``value`` is the journal's, an integer where it is one; ``p50``, ``p90`` and ``p99`` are percentiles of the
    ``n`` samples (``stats.percentile``), all in ``unit``. ``worst`` is the word that decides.
    """
    frame = pd.DataFrame([_case(row) for row in run.rows], columns=list(CASE_COLUMNS), dtype=object)
    return _typed(frame, {"n": "int64", "p50": "float64", "p90": "float64", "p99": "float64"})


def _typed(frame: pd.DataFrame, types: Mapping[str, str]) -> pd.DataFrame:
    """Columns that are computed with get a number's type; the others keep each cell as the journal holds it."""
    typed: pd.DataFrame = frame.astype(dict(types))
    return typed


def _case(row: Row) -> dict[str, Any]:
    samples = row.get("samples") or ()
    percentiles = [percentile(samples, percent) if samples else None for percent in (50, 90, 99)]
    return {
        **_identity(row),
        "metric": legible(row.get("metric")),
        "unit": legible(row.get("unit")),
        "status": legible(row.get("status")),
        "value": row.get("value"),
        "n": len(samples),
        **dict(zip(("p50", "p90", "p99"), percentiles, strict=True)),
        "worst": worst([row]),
        **_conditions(row),
        "input_shape": _input_shape(row),
        "convention": legible(row.get("convention")),
        "uncounted": "; ".join(legible(name) for name in row.get("uncounted") or ()),
        "message": legible(row.get("message")),
        "notes": "; ".join(legible(note) for note in row.get("notes") or ()),
    }


def _identity(row: Row) -> dict[str, Any]:
    name = legible(row.get("architecture"))
    return {
        "architecture": name,
        "family": legible(row.get("family")) or "unknown",
        "topology": legible(row.get("topology")) or name,
    }


def _conditions(row: Row) -> dict[str, Any]:
    given = row.get("conditions") or {}
    return {key: legible(value) if isinstance(value := given.get(key), str) else value for key in CONDITIONS}


def _input_shape(row: Row) -> str:
    shape = (row.get("conditions") or {}).get("input_shape")
    return "" if shape is None else legible(json.dumps(shape))


def verdicts(run: Run) -> pd.DataFrame:
    """One row per verdict; ``unit`` is that of ``baseline`` as its source prints it, ``change`` is relative."""
    found = [_verdict(row, verdict) for row in run.rows for verdict in row.get("verdicts") or ()]
    return _typed(pd.DataFrame(found, columns=list(VERDICT_COLUMNS), dtype=object), {"change": "float64"})


def _verdict(row: Row, verdict: Mapping[str, Any]) -> dict[str, Any]:
    conditions = _conditions(row)
    return {
        **_identity(row),
        "metric": legible(row.get("metric")),
        "status": legible(row.get("status")),
        "device": conditions["device"],
        "batch_size": conditions["batch_size"],
        "value": row.get("value"),
        **{key: legible(verdict.get(key)) for key in ("outcome", "source", "baseline", "unit", "reason")},
        "change": verdict.get("change"),
    }


def networks(run: Run, published: Iterable[Baseline] = (), source_order: Sequence[str] = SOURCE_ORDER) -> pd.DataFrame:
    """One row per architecture, device and batch size (more where the other conditions differ too).

    Base units: params and activations in counts, macs in MAC, model_size and peak_memory in B, latency in s per
    batch, throughput in img/s, energy in J per image, top-1 and top-5 as fractions. What no device changes is taken
    from any device of the run. An accuracy that was not measured is the published one of the topology at the same
    input size, ``top1_source`` naming its source. ``accuracy_density``: top-1 in percent per million parameters.
    """
    accuracies = _by_rank(published, source_order)
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in run.rows:
        by_name[legible(row.get("architecture"))].append(row)
    records = [record for rows in by_name.values() for record in _network_rows(rows, accuracies)]
    frame = pd.DataFrame(records, columns=list(NETWORK_COLUMNS), dtype=object)
    numeric = (*NETWORK_METRICS.values(), *DEVICE_METRICS, "accuracy_density")
    return _typed(frame, dict.fromkeys(numeric, "float64"))


def _by_rank(published: Iterable[Baseline], source_order: Sequence[str]) -> Accuracies:
    rank = {source: place for place, source in enumerate(source_order)}
    found: dict[tuple[str, str], list[Baseline]] = defaultdict(list)
    # Ten crops are another procedure than one: such a figure only where the source has no other.
    ordered = sorted(published, key=lambda figure: (rank.get(figure.source, len(rank)), "10-crop" in figure.note))
    for baseline in ordered:
        found[legible(baseline.architecture), baseline.metric].append(baseline)
    return found


def _network_rows(rows: Sequence[Row], accuracies: Accuracies) -> Iterable[dict[str, Any]]:
    on_device = [row for row in rows if row.get("metric") in DEVICE_METRICS]
    settings = dict.fromkeys(tuple(_conditions(row).values()) for row in on_device or rows)
    for setting in settings:
        place = dict(zip(CONDITIONS, setting, strict=True))
        here = [row for row in rows if _conditions(row) == place]
        record = {**_identity(rows[0]), **place, "input_shape": _input_shape((here or rows)[0])}
        record |= {metric: _last_value(here, metric) for metric in DEVICE_METRICS}
        record |= {column: _nearest_value(rows, metric, place) for metric, column in NETWORK_METRICS.items()}
        record |= _accuracy(record, "top1", accuracies) | _accuracy(record, "top5", accuracies)
        record["accuracy_density"] = _density(record["top1"], record["params"])
        speaking = [row for row in rows if _conditions(row) == place or row.get("metric") in NETWORK_METRICS]
        yield record | {"worst": worst(speaking)}


def _last_value(rows: Iterable[Row], metric: str) -> float | None:
    """A case that was run again stands later in the journal."""
    found = [row["value"] for row in rows if row.get("metric") == metric and row.get("value") is not None]
    return found[-1] if found else None


def _nearest_value(rows: Iterable[Row], metric: str, place: Mapping[str, Any]) -> float | None:
    """The value found under the same conditions, else on the same device, else with the smallest batch."""

    def distance(row: Row) -> tuple[bool, bool, int]:
        there = _conditions(row)
        return there != place, there["device"] != place["device"], there["batch_size"] or 0

    candidates = [row for row in rows if row.get("metric") == metric and row.get("value") is not None]
    return _last_value([row for row in candidates if distance(row) == min(map(distance, candidates))], metric)


def _accuracy(record: Mapping[str, Any], column: str, accuracies: Accuracies) -> dict[str, Any]:
    """``top1`` and ``top1_source``. A figure for another input size speaks of another point of the chart."""
    if record[column] is not None:
        return {f"{column}_source": MEASURED}
    shape = json.loads(record["input_shape"] or "null")
    size = shape[-1] if isinstance(shape, list) and len(shape) == 3 else None
    for baseline in accuracies.get((record["topology"], f"{column}_accuracy"), ()):
        if size is None or baseline.input_size in (None, size):
            return {column: baseline.value, f"{column}_source": legible(baseline.source)}
    return {f"{column}_source": None}


def _density(top1: float | None, params: float | None) -> float | None:
    return None if top1 is None or not params else top1 * 100 / (params / 1e6)


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV, every number by ``repr`` and so never rounded; an empty cell is "not measured"."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows([_cell(value) for value in record] for record in frame.itertuples(index=False, name=None))
    return table.getvalue()


def _cell(value: object) -> str:
    if not measured(value):
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)
