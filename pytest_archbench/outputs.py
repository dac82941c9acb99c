"""What a run leaves beside its journal: the report, and its samples in pytest-benchmark's format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_archbench import benchmark_json
from pytest_archbench.baselines import Published
from pytest_archbench.files import write_atomically
from pytest_archbench.past import MERGED
from pytest_archbench.points import fingerprint
from pytest_archbench.records import REDUCED
from pytest_archbench.store import Run

if TYPE_CHECKING:
    from pytest_archbench.report import Rendered
    from pytest_archbench.report.own import Give

BENCHMARK_JSON = "benchmark.json"
UNKNOWN = "unknown"


def publish(
    run: Run,
    out: Path,
    published: Published,
    *,
    shown: Iterable[str] = (),
    families: Mapping[str, str] | None = None,
    give: Give | None = None,
) -> Rendered:
    """Write every copy drawn from the journal to ``out``; see ``report.render``."""
    from pytest_archbench.report import Literature, render  # pandas and matplotlib: not for a run that only collects

    run = latest(run)
    addresses = {name: source.address for name, source in published.sources.items()}
    rendered = render(run, out, Literature(published.figures, addresses, families, tuple(shown)), give)
    target = out / BENCHMARK_JSON
    write_atomically(target, benchmark_json.text(run).encode())
    return rendered._replace(paths=[*rendered.paths, target])


def latest(run: Run) -> Run:
    """The run with each case as it was measured last: a resumed run says again what had failed before.

    One network may be measured at several inputs, or as several types; what failed says only what it was asked for.
    """
    kept: dict[tuple[str, str | None], dict[str, Any]] = {}
    for row in run.rows:
        case, conditions = _case(row), json.dumps(row.get("conditions") or {}, sort_keys=True)
        kept.pop((case, None), None)
        kept[case, conditions if row.get("status") == "ok" else None] = row
    return Run(run.header, tuple(kept.values()))


def _case(row: Mapping[str, Any]) -> str:
    """What was asked for, as text: a foreign journal may hold lists where names are expected."""
    conditions = row.get("conditions") or {}
    under = [conditions.get(key) for key in ("device", "batch_size", "runtime", "memory_format")]
    reduced = [conditions["dtype"]] if conditions.get("dtype") in REDUCED else []  # another type is the network's own
    return json.dumps([row.get("architecture"), row.get("metric"), *under, *reduced])


def merged(runs: Sequence[Run]) -> Run:
    """Several runs as one, the later run's cases in place of an earlier one's.

    A device that goes by one name in several runs and is not the same there (``cpu`` of a laptop and of a board, or of
    one machine with two versions of torch) gets the name of its model, or of its run, beside it: what was measured
    under other conditions never makes one row.

    The header has what all runs say, and when the last one started; a device whose host has another environment than
    that keeps its own.
    """
    if len(runs) == 1:
        return runs[0]
    pairs = list(zip(runs, _names(runs), strict=True))
    header = _shared([run.header for run in runs])
    devices = {name[device]: _told(run, device, header) for run, name in pairs for device in _devices(run)}
    rows: list[dict[str, Any]] = []
    for run, name in pairs:
        later = [_renamed(row, name) for row in run.rows]
        failed = {_case(row) for row in later if row.get("status") != "ok"}
        rows = [*(row for row in rows if _case(row) not in failed), *later]  # what failed now has no value any more
    names = (name for run in runs for name in str(run.header.get("run")).split(MERGED))
    title = MERGED.join(dict.fromkeys(names))
    started = max(str(run.header.get("started") or "") for run in runs)
    return Run({**header, "run": title, **({"started": started} if started else {}), "devices": devices}, tuple(rows))


class Common(NamedTuple):
    """A device that several runs have, by its name in all of them together; ``runs`` are their places.

    ``replaced``: how many cases an earlier run has that a later one has too, whose value or failure counts.
    """

    device: str
    runs: tuple[int, ...]
    replaced: int


def common(runs: Sequence[Run]) -> list[Common]:
    """The devices that several runs have, alike in every fact."""
    names = _names(runs)
    alone = [
        _cases(Run({}, tuple(_renamed(row, name) for row in run.rows))) for run, name in zip(runs, names, strict=True)
    ]
    together = _cases(merged(runs)) if len(runs) > 1 else []
    found = []
    for device in dict.fromkeys(name for each in names for name in each.values()):
        where = tuple(place for place, each in enumerate(names) if device in each.values())
        if len(where) > 1:
            twice = sum(alone[place].count(device) for place in where) - together.count(device)
            found.append(Common(device, where, twice))
    return found


def _cases(run: Run) -> list[Any]:
    """The device of each case."""
    return [(row.get("conditions") or {}).get("device") for row in latest(run).rows]


def _shared(several: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of several objects say, those inside them likewise."""
    first, *others = several
    found: dict[str, Any] = {}
    for key, value in first.items():
        values = [value, *(other.get(key) for other in others)]
        objects = [each for each in values if isinstance(each, Mapping)]
        if len(objects) == len(values):
            found[key] = _shared(objects)
        elif all(each == value for each in values):
            found[key] = value
    return found


def _devices(run: Run) -> Mapping[str, Any]:
    found: Mapping[str, Any] = run.header.get("devices") or {}
    return found


def _with_environment(run: Run, device: str) -> dict[str, Any]:
    """A device's facts with the environment of its host among them, which may be another in each run."""
    facts = _devices(run)[device]
    facts = dict(facts) if isinstance(facts, Mapping) else {"model": facts}
    return {"environment": run.header.get("environment") or {}, **facts}


def _identity(run: Run, device: str) -> dict[str, Any]:
    """What makes values of a device comparable, by dotted name: hosts whose kernels alone differ share it."""
    facts = _with_environment(run, device)
    return fingerprint({"devices": {device: facts}}, device)


def _told(run: Run, device: str, header: Mapping[str, Any]) -> Any:
    """A device's facts as a run of several hosts has them, whose header is given."""
    alike = run.header.get("environment") == header.get("environment")
    return _devices(run)[device] if alike else _with_environment(run, device)


def _names(runs: Sequence[Run]) -> list[dict[str, str]]:
    """The names of each run's devices among those of all: one name has the same fingerprint in every run that has it,
    and stands for one device in each.
    """
    found = [{device: _identity(run, device) for device in _devices(run)} for run in runs]
    told: dict[str, list[dict[str, Any]]] = {}
    for devices in found:
        for device, facts in devices.items():
            if facts not in told.setdefault(device, []):
                told[device].append(facts)
    owners = {device: several[0] if len(several) == 1 else None for device, several in told.items()}
    names = [{device: device for device in devices if owners[device] is not None} for devices in found]
    for run, devices, given in zip(runs, found, names, strict=True):
        for device in [each for each in devices if each not in given]:
            facts = devices[device]
            others = zip(names, found, strict=True)
            known = [named[device] for named, other in others if device in named and other[device] == facts]
            wanted = chain(known, _wanted(device, facts, run, told[device]))
            free = (each for each in wanted if each not in given.values() and owners.get(each, facts) == facts)
            given[device] = next(free)
            owners[given[device]] = facts
    return names


def _wanted(device: str, facts: Mapping[str, Any], run: Run, alike: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What a device may be called beside others of its name, the best first: by its model where that tells it from
    all of them, by its run, and with a number.
    """
    title = run.header.get("run") or UNKNOWN
    if all(_model(other) != _model(facts) for other in alike if other != facts):
        yield f"{device} ({_model(facts)})"
    yield f"{device} ({title})"
    yield from (f"{device} ({title}, {number})" for number in count(2))


def _model(facts: Mapping[str, Any]) -> Any:
    """What a device is called among others: its board, of which several have one GPU, else its own model."""
    known = (facts.get(f"device.{fact}") for fact in ("board", "model"))
    return next((name for name in known if name not in (None, UNKNOWN)), UNKNOWN)


def named(run: Run, label: str) -> Run:
    """The run with its device called ``label``; of several each has its own name behind that."""
    devices = _devices(run)
    names = {device: label if len(devices) == 1 else f"{label} {device}" for device in devices}
    header = {**run.header, "devices": {names[device]: facts for device, facts in devices.items()}}
    return Run(header, tuple(_renamed(row, names) for row in run.rows))


def _renamed(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    conditions = dict(row.get("conditions") or {})
    if conditions.get("device") in names:
        conditions["device"] = names[conditions["device"]]
    return {**row, "conditions": conditions}
