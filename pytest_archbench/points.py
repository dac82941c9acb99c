"""A row of a journal as a point: what of it and of its run must be known before values of several runs compare."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from operator import attrgetter
from typing import Any

from pytest_archbench import store
from pytest_archbench.levels import PROTOCOL, quartile
from pytest_archbench.protocols import ACCOUNTS, Outcomes
from pytest_archbench.records import Conditions, Measurement, Point, Trial
from pytest_archbench.store import JournalError, Run

Key = tuple[str, str, str, int, str]
"""Architecture, metric, device, batch size and variant: the values that share them are one series."""

HOST = ("system", "machine", "container", "virtualisation")
"""What of the environment must be equal before times compare, beside Python (major.minor) and torch. Not the kernel: a
host gets a new one every few weeks, and each would begin every series anew, so that a regression that falls on it is
never seen. Not pytest or another package: none of them runs while a network is timed."""

ONNX_RUNTIME = ("onnxruntime", "onnxruntime-gpu")
ENGINES = {"onnxruntime": ONNX_RUNTIME, "tensorrt": (*ONNX_RUNTIME, "tensorrt")}
"""The packages beside torch that run a network, by runtime; for a GPU ONNX Runtime goes by another name."""

OWN = "run "
"""How the source of a verdict on a count begins where it is one's own."""

VARYING = ("memory_bytes",)
"""Facts of a device that are no part of its identity: the memory that a kernel reports differs by a few pages from boot
to boot, and no time depends on it."""


def key(point: Point) -> Key:
    """The series a point belongs to."""
    return key_of(point.architecture, point.metric, point.conditions)


def key_of(architecture: str, metric: str, under: Conditions) -> Key:
    """The series of a metric of a network under conditions."""
    return (architecture, metric, under.device, under.batch_size, under.variant)


def points_of(run: Run) -> dict[Key, Point]:
    """The comparable values of a run: of several of one case the last. Raises: JournalError as ``row_point``."""
    made = (row_point(row, run.header) for row in run.rows)
    return {key(each): each for each in made if each is not None}


def row_point(row: Mapping[str, Any], header: Mapping[str, Any]) -> Point | None:
    """A journal's row with its run's facts; None where nothing was measured, or operators were left uncounted.

    Raises: JournalError where row or header hold what no run writes; it names no file.
    """
    where = f"{row['architecture']} {row['metric']}"
    try:
        made = _point(store.measurement(row), row.get("interval"), header, any(map(is_alarm, row["verdicts"])))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise JournalError(f"{where}: not as a run writes it ({type(error).__name__}: {error})") from None
    if made is not None and (wrong := fault(made)):
        raise JournalError(f"{where}: {wrong}")
    return made


def point_of(measurement: Measurement, header: Mapping[str, Any]) -> Point | None:
    """What ``row_point`` makes of a measurement's row, with the facts of the run that it is of."""
    return _point(measurement, store.interval(measurement), header)


def _point(
    found: Measurement, interval: Mapping[str, Any] | None, header: Mapping[str, Any], alarmed: bool = False
) -> Point | None:
    value = found.value
    if value is None or found.uncounted:
        return None
    return Point(
        architecture=found.architecture,
        metric=found.metric,
        unit=found.unit,
        value=value,
        run=header["run"],
        commit=header.get("commit", "unknown"),
        started=header.get("started", ""),
        conditions=found.conditions,
        convention=found.convention,
        trials=_trials(found),
        uncertainty=_uncertainty(interval, value),
        fingerprint=fingerprint(header, found.conditions.device, ENGINES.get(found.conditions.runtime, ()))
        | _protocol(found),
        outcomes=found.outcomes,
        doubt=found.doubt,
        alarmed=alarmed,
    )


def is_alarm(verdict: Mapping[str, Any]) -> bool:
    """Whether a verdict says that something became worse than in one's own past, not that a publication differs."""
    outcome = verdict["outcome"]
    return bool(outcome == "regressed" or (outcome == "deviates" and verdict["source"].startswith(OWN)))


def _protocol(found: Measurement) -> dict[str, Any]:
    """What of a protocol must be equal before two accuracies compare, by dotted name."""
    return flat({name: fact for name, fact in found.protocol.items() if name not in ACCOUNTS}, f"{PROTOCOL}.")


def fingerprint(header: Mapping[str, Any], device: str, engine: Sequence[str] = ()) -> dict[str, Any]:
    """What must be equal before two values of ``device`` compare, by dotted name: ``device.model``, ``packages.torch``,
    ``torch.blas``. ``engine``: other packages that ran the network.

    In a run of several hosts each device has its own ``environment``. What the header does not tell is left out.

    Raises: JournalError where it holds something else than objects.
    """
    told = {**_object(_object(header, "devices"), str(device))}
    environment = _object(told if "environment" in told else header, "environment")
    told.pop("environment", None)
    facts = {f"device.{name}": fact for name, fact in flat(told).items()}
    found = {name: fact for name, fact in facts.items() if name.partition(".")[2] not in VARYING}
    if "python" in environment:
        found["python"] = ".".join(str(environment["python"]).split(".")[:2])
    found |= {name: environment[name] for name in HOST if name in environment}
    packages = _object(environment, "packages")
    used = {f"packages.{name}": packages[name] for name in ("torch", *engine) if name in packages}
    return found | used | flat(_object(environment, "torch"), "torch.")


def fault(point: Point) -> str:
    """The first field of a point that holds what it cannot, with what was expected and what it is; else ``""``."""
    for name, expected, holds in FIELDS:
        found = attrgetter(name)(point)
        if not holds(found):
            return f"{name}: expected {expected}; got {found!r:.100}"
    return ""


_NUMBERS = (float, int)


def is_number(value: object) -> bool:
    """Whether a value read from JSON is a number that a float can hold."""
    # by its type: a bool is no number, and a year of nights has millions of them
    return type(value) in _NUMBERS and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_time(value: object) -> bool:
    return isinstance(value, str) and time(value) is not None


def _is_trial(value: Any) -> bool:
    """(quartile of the samples, median of the reference in s or None)"""
    if not isinstance(value, tuple) or len(value) != 2 or not is_number(value[0]):
        return False
    return value[1] is None or (is_number(value[1]) and value[1] > 0)


def _is_fact(value: object, depth: int = 4) -> bool:
    """Whether a shape or a device's fact can be compared: finite, and not nested beyond names of lists of shapes."""
    if isinstance(value, Mapping | list | tuple):
        return depth > 0 and all(_is_fact(each, depth - 1) for each in (*value, *_values(value)))
    return not isinstance(value, float) or is_number(value)


def _values(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, Mapping) else ()


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


NAME = "a name on one line"
WORD = "a text on one line"
FIELDS: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("architecture", NAME, is_name),
    ("metric", NAME, is_name),
    ("unit", WORD, _is_word),
    ("value", "a finite number", is_number),
    ("run", NAME, is_name),
    ("commit", NAME, is_name),
    ("started", "a time such as 2026-01-31T03:00:00+00:00", _is_time),
    ("conditions.device", NAME, is_name),
    ("conditions.batch_size", "a whole number >= 1", _counts),
    ("conditions.input_shape", "a shape, or shapes by name", _is_fact),
    ("conditions.dtype", NAME, is_name),
    ("conditions.threads", "a whole number >= 1", _counts),
    ("conditions.memory_format", NAME, is_name),
    ("conditions.runtime", NAME, is_name),
    ("convention", "a text", lambda value: isinstance(value, str)),
    (
        "trials",
        "pairs of a number and a reference time > 0 or null",
        lambda value: isinstance(value, tuple) and all(map(_is_trial, value)),
    ),
    (
        "uncertainty",
        "a fraction >= 0 or null",
        lambda value: value is None or (is_number(value) and value >= 0),
    ),
    ("outcomes", "outcomes of images, or null", lambda value: value is None or isinstance(value, Outcomes)),
    ("doubt", "a text", lambda value: isinstance(value, str)),
    ("alarmed", "true or false", lambda value: isinstance(value, bool)),
    ("fingerprint", "an object of facts", lambda value: isinstance(value, Mapping) and _is_fact(value)),
)
"""What each field of a point must be where it was read from a file."""


def time(text: str) -> datetime | None:
    """A time as a header has it, UTC where it names no zone; None for any other text, and for a time that UTC has not,
    such as the last minutes of the year 9999 west of Greenwich.
    """
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        found.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return found


def _trials(found: Measurement) -> tuple[tuple[float, float | None], ...]:
    """Per process the quartile of its samples and the median of its reference times; an older journal has one."""
    parts = found.trials or ((Trial(found.samples),) if len(found.samples) > 1 else ())
    return tuple(
        (quartile(part.samples, found.unit), statistics.median(part.reference) if part.reference else None)
        for part in parts
    )


def _uncertainty(interval: Any, value: float) -> float | None:
    """Half the width of the interval of the median, relative to the value; None where it says less than 95 %."""
    known = interval is not None and value != 0 and interval["confidence"] >= 0.95
    return (interval["high"] - interval["low"]) / 2 / abs(value) if known else None


def _object(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under ``name``, an empty one where there is none. Raises: JournalError for anything else."""
    inner = found.get(name, {})
    if not isinstance(inner, Mapping):
        raise JournalError(f"header: {name}: expected an object; got {inner!r:.100}")
    return inner


def flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as one, by dotted name."""
    found: dict[str, Any] = {}
    for name, fact in facts.items():
        found |= flat(fact, f"{prefix}{name}.") if isinstance(fact, Mapping) else {f"{prefix}{name}": fact}
    return found
