"""What others published, as the frame that a run gives: one row per source, network, input size, device and batch."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pytest_archbench.baselines import SIZELESS
from pytest_archbench.records import Baseline
from pytest_archbench.report import provenance
from pytest_archbench.report.cells import legible
from pytest_archbench.report.frames import (
    ACCOUNTED,
    CONDITIONS,
    DEVICE_METRICS,
    NETWORK_METRICS,
    Accuracies,
    accuracy,
    by_rank,
    framed,
)

KNOWN_NETWORK = {**NETWORK_METRICS, "accuracy_density": "accuracy_density"}


def published(
    figures: Iterable[Baseline], families: Mapping[str, str] | None = None, others: Iterable[Baseline] = ()
) -> pd.DataFrame:
    """The frame of ``frames.networks`` from ``figures``, the name of whose source stands under ``origin``.

    ``families`` gives the family of each architecture key. Where a source prints one quantity more than once, the value
    with the most places counts. Where it prints accuracy and density but no parameters, they follow from the two. Where
    it prints no accuracy, one of ``others`` is taken for the same network and input size, as for a measured network.
    """
    accuracies = by_rank(others)
    groups: dict[tuple[str, str], list[Baseline]] = defaultdict(list)
    for figure in figures:
        if figure.metric in KNOWN_NETWORK or figure.metric in DEVICE_METRICS:
            groups[figure.source, figure.architecture].append(figure)
    return framed(
        record
        for (source, name), group in groups.items()
        for record in _records(source, name, (families or {}).get(name, ""), group, accuracies)
    )


def _records(
    source: str, name: str, family: str, group: Sequence[Baseline], accuracies: Accuracies
) -> Iterator[dict[str, Any]]:
    sizes: list[int | None] = [*sorted({figure.input_size for figure in group if figure.input_size is not None})]
    for size in sizes or [None]:
        network = _network(group, size)
        here = [figure for figure in group if figure.metric in DEVICE_METRICS and figure.input_size in (size, None)]
        for device, batch_size in dict.fromkeys((figure.device, figure.batch_size) for figure in here) or [
            (None, None)
        ]:
            there = [figure for figure in here if (figure.device, figure.batch_size) == (device, batch_size)]
            record = {
                **{"origin": source, "architecture": legible(name), "family": family or "unknown", "topology": name},
                **dict.fromkeys(CONDITIONS),
                **{"device": device and legible(device), "batch_size": batch_size},
                **{"input_shape": "" if size is None else json.dumps([size, size])},
                **network,
                **{metric: _value(there, metric, size) for metric in DEVICE_METRICS},
            }
            record["params"] = _params(record) if record["params"] is None else record["params"]
            yield record | accuracy(record, "top1", accuracies) | accuracy(record, "top5", accuracies)


def _network(group: Sequence[Baseline], size: int | None) -> dict[str, Any]:
    """What no device changes, and what its accuracies are of."""
    known = {column: _figure(group, metric, size) for metric, column in KNOWN_NETWORK.items()}
    found: dict[str, Any] = {column: None if figure is None else figure.value for column, figure in known.items()}
    for column in ACCOUNTED:
        found |= provenance.of_figure(column, figure) if (figure := known[column]) else {}
    return found


def _value(group: Sequence[Baseline], metric: str, size: int | None) -> float | None:
    figure = _figure(group, metric, size)
    return None if figure is None else figure.value


def _figure(group: Sequence[Baseline], metric: str, size: int | None) -> Baseline | None:
    """What is printed for this input size, else for none, with the most places; of parameters at any size."""
    found = [figure for figure in group if figure.metric == metric]
    fitting = [figure for figure in found if figure.input_size == size] or [
        figure for figure in found if figure.input_size is None or metric in SIZELESS
    ]
    return min(fitting, key=lambda figure: figure.precision, default=None)


def _params(record: Mapping[str, Any]) -> float | None:
    """From top-1 and its density: percent over percent per million (Bianco et al. 2018, Fig. 2)."""
    top1, density = record["top1"], record["accuracy_density"]
    return top1 * 100 / density * 1e6 if top1 and density else None
