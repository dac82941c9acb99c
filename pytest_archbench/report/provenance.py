"""What accuracies are of, and so which of them compare: here, and nowhere else in the report. Pure.

Two accuracies compare where they are of the same data. A random sample of a data set speaks of the whole; other
classes, own labels or chosen images are data of their own, and so is what was trained on a part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_archbench.protocols import IMAGENET
from pytest_archbench.records import Baseline
from pytest_archbench.report.cells import legible, number
from pytest_archbench.report.columns import COLUMNS, counted, measured

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
Record = Mapping[Any, Any]

EVALUATED = ("top1", "top5")
TRAINED = ("train_accuracy", "valid_accuracy", "train_loss", "valid_loss", "epoch_time", "step_time")
LEARNED = (*TRAINED, "weights_file_size")
"""What a training gives."""
CURVED = ("train_accuracy", "valid_accuracy", "train_loss", "valid_loss")
UNCERTAIN = ("top1", "top5", "valid_accuracy")
"""Columns with an interval: shares of images that the network did not change with."""
SHARES = (*UNCERTAIN, "train_accuracy")
DATA = {**{key: f"{key}_data" for key in EVALUATED}, **dict.fromkeys(TRAINED, "training_data")}
"""By quantity, the column of the frame that says which data it is of."""
UNSTATED = "data not stated"
ASSUMED = "preprocessing assumed"
"""How a note begins that says so: weights of one's own do not tell what they were evaluated with."""

WORDS = (
    *(f"{key}_{part}" for key in EVALUATED for part in ("data", "of", "weights", "assumed")),
    "training_data",
    "training_of",
)
NUMBERS = ("epochs", *(f"{key}_{part}" for key in UNCERTAIN for part in ("images", "low", "high")))
CURVES = tuple(f"{key}_epochs" for key in CURVED)
"""Columns of the frame beside the quantities: texts, numbers, and JSON of pairs (epoch, value)."""

ON_THE_WAY = "running value over the epoch, taken while the weights still change"
RUNNING = {
    "train_accuracy": f"Training accuracy is a {ON_THE_WAY}: it may lie below validation accuracy.",
    "train_loss": f"Training loss is a {ON_THE_WAY}: it may lie above validation loss.",
}

_DATA_SET = re.compile(r"\bdataset (\w+)")
_EPOCH = re.compile(r"\bepoch (\d{1,9})")


def data_column(key: str) -> str:
    """The column that names the data of a quantity, or of a part of it; empty where no data change it."""
    return next((DATA[part] for part in (key, *COLUMNS[key].of) if part in DATA), "") if key in COLUMNS else ""


def contests(frame: pd.DataFrame, keys: Iterable[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows whose values of ``keys`` compare, by the name of their data: those that were measured here first, then
    the fullest.

    The name is empty where no data change these quantities, or all of them are of ImageNet as a whole.
    """
    columns = [column for column in dict.fromkeys(map(data_column, keys)) if column]
    if not columns or frame.empty:
        yield "", frame
        return
    named = frame[columns].fillna(UNSTATED).apply(lambda names: "; ".join(dict.fromkeys(names)), axis=1)
    counts, ours = named.value_counts(), set(named[frame["origin"].eq("measured")])
    for name in sorted(counts.index, key=lambda each: (each not in ours, -counts[each], each)):
        alone = len(counts) == 1 and name == IMAGENET
        yield "" if alone else str(name), frame[named == name]


def comparable(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The rows of one contest: those of ImageNet, which the papers speak of, else the fullest."""
    found = dict(contests(frame, keys))
    return found.get(IMAGENET, next(iter(found.values())))


def of_row(key: str, row: Row | None) -> dict[str, Any]:
    """What the journal's row of an accuracy or a loss says of it, by the columns of the frame; nothing of no row."""
    if row is None:
        return {}
    found = _evaluation(key, row) if key in EVALUATED else _training(row)
    found |= _uncertainty(key, row) if key in UNCERTAIN else {}
    return found | ({f"{key}_epochs": _curve(row)} if key in CURVED else {})


def of_figure(key: str, figure: Baseline) -> dict[str, Any]:
    """The same of a published figure, whose note names the data where they are not ImageNet's, and the epoch."""
    stated, epoch = _DATA_SET.search(figure.note), _EPOCH.search(figure.note)
    data = stated[1] if stated else IMAGENET
    if key not in CURVED or epoch is None:
        return {DATA[key]: data}
    last = int(epoch[1])
    training = f"{data}, {counted(last, 'epoch')}"
    return {DATA[key]: data, "training_of": training, "epochs": last, f"{key}_epochs": f"[[{last}, {figure.value!r}]]"}


def told_in(key: str) -> str:
    """The column that says in words what a quantity is of; empty where no data change it."""
    return data_column(key).replace("_data", "_of")


def account(record: Record, key: str) -> str:
    """Whose an accuracy is and what of: ``measured on digits, 360 images, weights a.pth``, or the source's name."""
    source = record[f"{key}_source"] or ""
    return f"{source} on {said}" if (said := evaluation(record, key)) else source


def evaluation(record: Record, key: str) -> str:
    """What a measured accuracy is of: data, images, weights, and what was assumed; empty of any other."""
    said, weights, assumed = (record[f"{key}_{part}"] or "" for part in ("of", "weights", "assumed"))
    return ", ".join(filter(None, [said, weights and f"weights {weights}", assumed]))


def with_interval(record: Record, key: str) -> str:
    """A quantity as tables show it, with its 95 % interval where it is a share: ``92.80 (89.60 to 95.00)``."""
    column = COLUMNS[key]
    ends = [record.get(f"{key}_{end}") for end in ("low", "high")] if key in UNCERTAIN else []
    shown = [column.show(value) for value in (record[key], *ends) if value is not None and measured(value)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})" if len(shown) == 3 else shown[0]


def _evaluation(key: str, row: Row) -> dict[str, Any]:
    protocol, outcomes = _mapping(row.get("protocol")), _mapping(row.get("outcomes"))
    part = _part(outcomes)
    whole = legible(protocol.get("data")) or UNSTATED
    speaks = outcomes.get("random") is True or not part
    return {
        DATA[key]: whole if speaks else f"{whole}, {part}",
        f"{key}_of": ", ".join(filter(None, [whole, *_said(outcomes, part)])),
        f"{key}_weights": legible(protocol.get("weights")) or None,
        f"{key}_assumed": "; ".join(note for note in _notes(row) if note.startswith(ASSUMED)) or None,
    }


def _notes(row: Row) -> list[str]:
    given = row.get("notes")
    return [*map(legible, given)] if isinstance(given, list | tuple) else []


def _part(outcomes: Row) -> str:
    """What of the data set was evaluated, other than all of it."""
    count, total = number(outcomes.get("count")), number(outcomes.get("total"))
    fewer = f"{count:,} of {total:,} images" if count is not None and total is not None and count < total else ""
    return ", ".join(filter(None, [legible(outcomes.get("part")), fewer]))


def _said(outcomes: Row, part: str) -> Iterator[str]:
    """What a reader must know of an evaluation: which part, how many images, and why no more."""
    count, risk = number(outcomes.get("count")), number(outcomes.get("risk"))
    yield part
    if count is not None and "images" not in part:
        yield f"{count:,} images"
    if risk:
        yield f"stopped early at a risk of {risk * 100:g} %"


def _training(row: Row) -> dict[str, Any]:
    protocol = _mapping(row.get("protocol"))
    parts = {name: legible(_mapping(protocol.get(name)).get("part")) for name in ("train", "valid")}
    names = [legible(protocol.get("data")) or UNSTATED]
    names += [f"{word} on {part}" for word, part in zip(("trained", "validated"), parts.values(), strict=True) if part]
    found = {"training_data": ", ".join(names)}
    if not (epochs := _series(row)):
        return found
    batch = number(protocol.get("batch_size"))
    said = [counted(len(epochs), "epoch"), f"batches of {batch}" if batch else "", _mixed(protocol)]
    return found | {"training_of": ", ".join(filter(None, [*names, *said])), "epochs": len(epochs)}


def _mixed(protocol: Row) -> str:
    """The mixed precision of a training; empty where it had none."""
    return "" if (amp := legible(protocol.get("amp"))) == "none" else amp


def _uncertainty(key: str, row: Row) -> dict[str, Any]:
    interval, outcomes = _mapping(row.get("interval")), _mapping(row.get("outcomes"))
    if not outcomes:
        return {}
    ends = {f"{key}_{end}": number(interval.get(end)) for end in ("low", "high")}
    return {f"{key}_images": number(outcomes.get("count")), **ends}


def _series(row: Row) -> list[Any]:
    """The values after each epoch, as far as they are numbers."""
    given = row.get("epochs")
    return [*map(number, given)] if isinstance(given, list | tuple) else []


def _curve(row: Row) -> str | None:
    """The column ``CURVES`` of a row; None of one without epochs."""
    pairs = [[place, value] for place, value in enumerate(_series(row), 1) if value is not None]
    return json.dumps(pairs) if pairs else None


def points(curve: object) -> list[tuple[int, float]]:
    """The pairs (epoch, value) of a cell of ``CURVES``; none of an empty one."""
    return [(epoch, value) for epoch, value in json.loads(curve)] if isinstance(curve, str) else []


def _mapping(value: object) -> Row:
    """A journal of others may hold anything."""
    return value if isinstance(value, Mapping) else {}
