"""The records of a run as pandas frames. Pure: a frame holds what the journal says, and NaN or None where it is silent.

Text from the journal is untrusted, and replaced here, once, by what any document can carry (``cells.legible``).
Escaping is left to whoever writes.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from pytest_archbench.baselines import SIZELESS
from pytest_archbench.records import Baseline, Conditions
from pytest_archbench.report import provenance
from pytest_archbench.report.cells import legible, number
from pytest_archbench.report.columns import COLUMNS, ON_GPUS, measured
from pytest_archbench.stats import percentiles
from pytest_archbench.tally import doubts, rank, words

Row = Mapping[str, Any]
Accuracies = Mapping[tuple[str, str], Sequence[Baseline]]

CONDITIONS = ("device", "batch_size", "dtype", "threads", "memory_format", "runtime")
NUMBERED = ("batch_size", "threads")
VARIED = ("dtype", "memory_format", "runtime")
"""Conditions that make a variant, which the name of the device says."""
NETWORK_METRICS = {
    "params": "params",
    "macs": "macs",
    "activations": "activations",
    "model_size": "model_size",
    "top1_accuracy": "top1",
    "top5_accuracy": "top5",
    "train_accuracy": "train_accuracy",
    "valid_accuracy": "valid_accuracy",
    "train_loss": "train_loss",
    "valid_loss": "valid_loss",
    "weights_file_size": "weights_file_size",
}
"""Metrics that no device changes, and the column of each: a value found on one device stands for all."""
TRAINING_TIMES = ("epoch_time", "step_time")
CONSUMPTION = ("energy", "energy_above_idle", "power")
MEMORIES = ("peak_memory", "peak_host_memory", *ON_GPUS)
DEVICE_METRICS = ("latency", "throughput", *MEMORIES, *CONSUMPTION, *TRAINING_TIMES)
SOURCE_ORDER = (
    *("bianco2018", "torchvision", "canziani2016", "kaiminghe_resnet", "resnext_official", "senet_official"),
    *("dpn_official", "densenet_official", "mobilenets_paper", "mobilenetv2_paper", "shufflenet_official"),
    *("condensenet_official", "cadene", "tf_slim", "timm", "keras", "osmr"),
)
"""Whose accuracy is taken first where several print one: one evaluation of many networks, then the authors' own,
then collections, those that trained anew last. Sources that are not named come after these, in their own order."""
ACCOUNTED = (*provenance.EVALUATED, *provenance.CURVED)
"""Columns of ``NETWORK_METRICS`` that are worth nothing without what they are of."""
MEASURED = "measured"
NETWORK = ["origin", "architecture", "input_shape"]
"""What makes a network one among those of a frame."""

CASE_COLUMNS = (
    *("architecture", "family", "topology", "metric", "unit", "status", "value", "n", "p50", "p90", "p99", "worst"),
    *CONDITIONS,
    *("input_shape", "convention", "uncounted", "message", "notes", "doubts"),
)
VERDICT_COLUMNS = (
    *("architecture", "family", "topology", "metric", "status", "device", "batch_size", "value", "outcome"),
    *("source", "baseline", "unit", "change", "reason"),
)
QUANTITIES = tuple(COLUMNS)
NETWORK_COLUMNS = (
    *("origin", "architecture", "family", "topology"),
    *CONDITIONS,
    *("input_shape", *QUANTITIES, "top1_source", "top5_source"),
    *(*provenance.WORDS, *provenance.NUMBERS, *provenance.CURVES, "doubts", "worst"),
)


class Run(Protocol):
    """A run as the store reads it: the journal's first line and the rows after it."""

    @property
    def header(self) -> Mapping[str, Any]: ...

    @property
    def rows(self) -> Sequence[Row]: ...


def worst(rows: Iterable[Row]) -> str | None:
    """The worst word said of rows (``tally.words``), which decides about them; None where nothing was said."""
    return min((legible(word) for row in rows for word in words(row)), key=rank, default=None)


def cases(run: Run) -> pd.DataFrame:
    """One row per measurement.

    ``value`` is the journal's, an integer where it is one; ``p50``, ``p90`` and ``p99`` are percentiles of the
    ``n`` samples (``stats.percentiles``), all in ``unit``. ``worst`` is the word that decides.
    """
    frame = pd.DataFrame([_case(row) for row in run.rows], columns=list(CASE_COLUMNS), dtype=object)
    return _typed(frame, {"n": "int64", "p50": "float64", "p90": "float64", "p99": "float64"})


def _typed(frame: pd.DataFrame, types: Mapping[str, str]) -> pd.DataFrame:
    """Columns that are computed with get a number's type; the others keep each cell as the journal holds it."""
    typed: pd.DataFrame = frame.astype(dict(types))
    return typed


def _case(row: Row) -> dict[str, Any]:
    samples = row.get("samples") or ()
    return {
        **_identity(row),
        "metric": legible(row.get("metric")),
        "unit": legible(row.get("unit")),
        "status": legible(row.get("status")),
        "value": row.get("value"),
        "n": len(samples),
        **(percentiles(samples) if samples else {}),
        "worst": worst([row]),
        **_conditions(row),
        "input_shape": _input_shape(row),
        "convention": legible(row.get("convention")),
        "uncounted": "; ".join(legible(name) for name in row.get("uncounted") or ()),
        "message": legible(row.get("message")),
        "notes": "; ".join(legible(note) for note in row.get("notes") or ()),
        "doubts": _doubts(row),
    }


def _doubts(row: Row) -> str:
    return legible("; ".join(doubts(row)))


def _identity(row: Row) -> dict[str, Any]:
    name = legible(row.get("architecture"))
    return {
        "architecture": name,
        "family": legible(row.get("family")) or "unknown",
        "topology": legible(row.get("topology")) or name,
    }


def _conditions(row: Row) -> dict[str, Any]:
    """The conditions of a row. A variant of a device is a place of its own: ``cpu, compile-bfloat16``."""
    given = row.get("conditions") or {}
    found = {key: _condition(key, given.get(key)) for key in CONDITIONS}
    return found | {"device": ", ".join(filter(None, [found["device"], variant(found)])) or None}


def variant(conditions: Mapping[Any, Any]) -> str:
    """``compile-bfloat16`` of conditions or of a row of the frame; empty of what is no variant (``Conditions``)."""
    stated = {key: conditions[key] for key in VARIED if isinstance(conditions[key], str)}
    return Conditions("", **stated).variant


def _condition(key: str, value: object) -> Any:
    return number(value) if key in NUMBERED else None if value is None else legible(value)


def _input_shape(row: Row) -> str:
    shape = (row.get("conditions") or {}).get("input_shape")
    return "" if shape is None else legible(json.dumps(shape))


def verdicts(run: Run) -> pd.DataFrame:
    """One row per verdict; ``unit`` is that of ``baseline`` as its source prints it, ``change`` is relative."""
    found = [verdict_record(row, verdict) for row in run.rows for verdict in row.get("verdicts") or ()]
    return _typed(pd.DataFrame(found, columns=list(VERDICT_COLUMNS), dtype=object), {"change": "float64"})


def verdict_record(row: Row, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """One row of ``verdicts``."""
    conditions = _conditions(row)
    return {
        **_identity(row),
        "metric": legible(row.get("metric")),
        "status": legible(row.get("status")),
        "device": conditions["device"],
        "batch_size": conditions["batch_size"],
        "value": row.get("value"),
        **{key: legible(verdict.get(key)) for key in ("outcome", "source", "baseline", "unit", "reason")},
        "change": number(verdict.get("change")),
    }


def networks(run: Run, published: Iterable[Baseline] = (), source_order: Sequence[str] = SOURCE_ORDER) -> pd.DataFrame:
    """One row per architecture, input, device and batch size (more where the other conditions differ too). A variant is
    a device of its own, ``cpu, compile-bfloat16``.

    Base units: params and activations in counts, macs in MAC, model_size and memories in B, latency in s per batch,
    throughput and image_rate in img/s, energies in J per image, power in W, accuracies as fractions. What no device
    changes is taken from any device of the run, at the same input. An accuracy that was not measured is the published
    one of the topology at the same input size, ``top1_source`` naming its source. What an accuracy is of, and whether
    two compare, is said by ``provenance``. ``derived`` says what is computed from what.
    """
    accuracies = by_rank(published, source_order)
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in run.rows:
        by_name[legible(row.get("architecture"))].append(row)
    return framed(record for rows in by_name.values() for record in _network_rows(rows, accuracies))


def framed(records: Iterable[Mapping[Any, Any]]) -> pd.DataFrame:
    """Records of networks as a frame with every column, numbers as float64 and NaN where there is none."""
    told = dict.fromkeys((*provenance.WORDS, *provenance.CURVES, "doubts"))
    frame = pd.DataFrame([told | derived(record) for record in records], columns=list(NETWORK_COLUMNS), dtype=object)
    return _typed(frame, dict.fromkeys((*QUANTITIES, *provenance.NUMBERS), "float64"))


def derived(record: Mapping[Any, Any]) -> dict[str, Any]:
    """A record with what its own numbers say: nothing is derived from a number that is absent.

    Time per image is latency over batch size, images per second its inverse unless throughput was measured, power
    energy per image times images per second. Densities: top-1 in percent per million parameters (Canziani et al. 2016,
    Fig. 10) and per billion multiply-adds. A power or a density that is given stays as it is.
    """
    found: dict[str, Any] = dict(record)
    per_image = _ratio(found.get("latency"), found.get("batch_size"))
    rate = _ratio(1.0, per_image) if found.get("throughput") is None else found["throughput"]
    percent = _ratio(found.get("top1"), 0.01)
    own: dict[str, float | None] = {
        "image_latency": per_image,
        "image_rate": rate,
        "power": _ratio(found.get("energy"), _ratio(1.0, rate)),
        "accuracy_density": _ratio(percent, _ratio(found.get("params"), 1e6)),
        "operation_density": _ratio(percent, _ratio(found.get("macs"), 1e9)),
    }
    return found | {key: value for key, value in own.items() if found.get(key) is None}


def _ratio(above: Any, below: Any) -> float | None:
    """A quotient of numbers; None where one is absent, the divisor is 0, or a foreign journal holds something else."""
    if not (isinstance(above, int | float) and isinstance(below, int | float)):
        return None
    return above / below if below else None


def by_rank(published: Iterable[Baseline], source_order: Sequence[str] = SOURCE_ORDER) -> Accuracies:
    """Published figures by (topology, metric), those of the sources named first coming first."""
    rank = {source: place for place, source in enumerate(source_order)}
    found: dict[tuple[str, str], list[Baseline]] = defaultdict(list)
    # Ten crops are another procedure than one: such a figure only where the source has no other.
    ordered = sorted(published, key=lambda figure: (rank.get(figure.source, len(rank)), "10-crop" in figure.note))
    for baseline in ordered:
        found[legible(baseline.architecture), baseline.metric].append(baseline)
    return found


def _network_rows(rows: Sequence[Row], accuracies: Accuracies) -> Iterable[dict[str, Any]]:
    """Those of one architecture. What failed says which input it was asked for, which may be none that was fed."""
    fed = dict.fromkeys(_input_shape(row) for row in rows if row.get("status") == "ok")
    for shape in fed or dict.fromkeys([_input_shape(rows[0])]):
        elsewhere = fed.keys() - {shape}
        here = [row for row in rows if _input_shape(row) not in elsewhere]
        known = [row for row in rows if _input_shape(row) not in elsewhere or _metric(row) in SIZELESS]
        yield from _rows_of_input(shape, here, known, accuracies)


def _rows_of_input(
    shape: str, rows: Sequence[Row], known: Sequence[Row], accuracies: Accuracies
) -> Iterable[dict[str, Any]]:
    """``rows`` are those of one input, ``known`` all that say something of the network there."""
    for place in _places(rows):
        here = [row for row in rows if _conditions(row) == place or _is_training_on(place["device"], row)]
        record = {"origin": MEASURED, **_identity(rows[0]), **place, "input_shape": shape}
        on_device = {metric: _last(here, metric) for metric in DEVICE_METRICS}
        record |= {metric: _value(row) for metric, row in on_device.items()}
        found = {column: _nearest(known, metric, place) for metric, column in NETWORK_METRICS.items()}
        record |= {column: _value(row) for column, row in found.items()}
        record |= _last_told(here, TRAINING_TIMES)
        for column in ACCOUNTED:
            record |= provenance.of_row(column, found[column])
        record |= {f"{key}_source": MEASURED for key in provenance.EVALUATED if record[key] is not None}
        record |= accuracy(record, "top1", accuracies) | accuracy(record, "top5", accuracies)
        speaking = [row for row in known if _conditions(row) == place or _metric(row) in NETWORK_METRICS]
        yield record | {"doubts": _told_of({**on_device, **found}), "worst": worst(speaking)}


def _told_of(rows: Mapping[str, Row | None]) -> str | None:
    """The cell ``doubts``: JSON of what is doubtful about the number of each column; None where nothing is."""
    told = {column: said for column, row in rows.items() if row is not None and (said := _doubts(row))}
    return json.dumps(told) if told else None


def doubt(record: Mapping[Any, Any], key: str) -> str:
    """What is doubtful about a quantity of a row of ``networks``, or about those that give it; empty where nothing."""
    told = json.loads(record["doubts"]) if isinstance(record["doubts"], str) else {}
    return "; ".join(dict.fromkeys(told[part] for part in (key, *COLUMNS[key].of) if part in told))


def _places(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The conditions of each row of a table: those of what was tried on a device, else of all. The batches of a
    training are of its recipe, and make a row only where nothing else was measured on the device. What was skipped,
    such as a variant that does not exist there, makes none, and a network of which all was skipped has none.
    """
    tried = [row for row in rows if row.get("status") != "skipped"]
    on_device = [row for row in tried if _metric(row) in DEVICE_METRICS]
    used = [row for row in on_device if _metric(row) not in TRAINING_TIMES]
    there = {_conditions(row)["device"] for row in used}
    alone = [row for row in on_device if _metric(row) in TRAINING_TIMES and _conditions(row)["device"] not in there]
    found = dict.fromkeys(tuple(_conditions(row).values()) for row in [*used, *alone] or tried)
    return [dict(zip(CONDITIONS, setting, strict=True)) for setting in found]


def _is_training_on(device: str, row: Row) -> bool:
    return _metric(row) in TRAINING_TIMES and _conditions(row)["device"] == device


def _metric(row: Row) -> str:
    return legible(row.get("metric"))


def _value(row: Row | None) -> float | None:
    return None if row is None else number(row.get("value"))


def _last(rows: Iterable[Row], metric: str) -> Row | None:
    """A case that was run again stands later in the journal."""
    found = [row for row in rows if _metric(row) == metric and _value(row) is not None]
    return found[-1] if found else None


def _last_told(rows: Sequence[Row], metrics: Iterable[str]) -> dict[str, Any]:
    """What times of a training say of the data that was trained on."""
    return {key: said for metric in metrics for key, said in provenance.of_row(metric, _last(rows, metric)).items()}


def _nearest(rows: Iterable[Row], metric: str, place: Mapping[str, Any]) -> Row | None:
    """The row found under the same conditions, else on the same device, else with the smallest batch."""

    def distance(row: Row) -> tuple[bool, bool, int]:
        there = _conditions(row)
        return there != place, there["device"] != place["device"], there["batch_size"] or 0

    candidates = [row for row in rows if _metric(row) == metric and _value(row) is not None]
    nearest = min(map(distance, candidates), default=None)
    return _last([row for row in candidates if distance(row) == nearest], metric)


def accuracy(record: Mapping[str, Any], column: str, accuracies: Accuracies) -> dict[str, Any]:
    """``top1`` and ``top1_source``. A figure for another input size speaks of another point of the chart.

    Beside an accuracy that was measured none is lent: a published one would be of other weights or other images.
    """
    if record.get(column) is not None:
        return {f"{column}_source": record["origin"]}
    if any(record.get(f"{key}_source") == MEASURED for key in provenance.EVALUATED):
        return {f"{column}_source": None}
    size = side(record["input_shape"])
    for baseline in accuracies.get((record["topology"], f"{column}_accuracy"), ()):
        if size is None or baseline.input_size in (None, size):
            told = provenance.of_figure(column, baseline)
            return {column: baseline.value, f"{column}_source": legible(baseline.source), **told}
    return {f"{column}_source": None}


def side(input_shape: str) -> int | None:
    """The side of the image in a shape as the frame holds it: 224 of ``[3, 224, 224]`` or ``[224, 224]``."""
    shape = json.loads(input_shape or "null")
    found = number(shape[-1]) if isinstance(shape, list) and len(shape) in (2, 3) else None
    return None if found is None else int(found)


def labels(networks: pd.DataFrame) -> list[str]:
    """The name of each row's network, with the side of its input where its origin has it at several: ``a @192``."""
    rows = list(zip(networks["origin"], networks["architecture"], networks["input_shape"], strict=True))
    shapes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for origin, name, shape in rows:
        shapes[origin, name].add(shape)
    return [
        f"{name} @{side(shape) or shape}" if len(shapes[origin, name]) > 1 else name for origin, name, shape in rows
    ]


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
