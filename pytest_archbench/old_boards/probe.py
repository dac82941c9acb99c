"""The command line of the script: what to measure, the journal, and how far it is."""

import argparse
import json
import os
import sys
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from pytest_archbench.old_boards.children import Answer, ask, obstacle, serve
from pytest_archbench.old_boards.command import Parser, parser
from pytest_archbench.old_boards.host import header
from pytest_archbench.old_boards.networks import is_file, split
from pytest_archbench.old_boards.rows import Reading, row, unread

VERSION = "unknown"
JOURNAL = "measurements.jsonl"
METERS = (
    ("latency", ("latency", "throughput")),
    ("memory", ("peak_memory",)),
    ("energy", ("energy", "energy_above_idle", "power")),
)
"""Instruments and the metrics that each one yields."""
DECIMAL = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
BINARY = ((2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, ""))
"""Prefixes of units, those of ``pytest_archbench.units``."""
LONGEST_LOOK = 120.0
"""Seconds at least until a board has imported torch."""
PLACES = {"cuda": "cuda:0", "jetson": "cuda:0"}
"""What torch calls a device."""


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for; the exit status."""
    if list(arguments[:1]) == ["--child"]:
        return serve(json.loads(arguments[1]), arguments[2])
    options = parser()
    asked = options.parse_args(arguments)
    networks = _named(options, asked.networks)
    job = {"instrument": "look", "devices": asked.device, "sources": list(networks.values())}
    found = ask(job, max(asked.timeout, LONGEST_LOOK))
    if "message" in found:
        options.error(found["message"])
    head = header(VERSION, found)
    path = os.path.join(asked.out or "archbench-" + head["run"], JOURNAL)
    try:
        journal = Journal(path, head)
    except OSError as error:
        options.error(f"{path}: expected a place for a new journal; {error.strerror}; name another folder with --out")
    try:
        exhausted: Exhausted = {}
        made = [_measured(case, asked.timeout, journal, exhausted) for case in _cases(asked, networks)]
    except KeyboardInterrupt:
        _say(f"stopped; what was measured by then is in {path}")
        return 130
    except OSError as error:
        _say(f"{error.filename or path}: {error.strerror}; what was measured by then is in {path}")
        return 1
    copied = "copy that folder to where pytest-archbench is installed"
    _say(f"journal: {path}; {copied}, then: archbench merge {os.path.dirname(path)} OTHER_RUN... --out DIR")
    return 0 if all(made) else 1


def _named(options: Parser, texts: Sequence[str]) -> Dict[str, str]:
    """Sources of networks by name."""
    networks: Dict[str, str] = {}
    for text in texts:
        name, source = split(text)
        if not name or not source or not name.isprintable():
            options.error(f"network {text!r}: expected NAME=SOURCE or SOURCE")
        if name in networks:
            options.error(f"network {text!r}: {name} is there already; write OTHER_NAME={source}")
        networks[name] = source
    return networks


class Case(NamedTuple):
    """An instrument, what it is asked to do, and the metrics that are wanted of it."""

    job: Dict[str, Any]
    metrics: Tuple[str, ...]
    label: str


def _cases(asked: argparse.Namespace, networks: Dict[str, str]) -> Iterator[Case]:
    meters = {device: list(_meters(device, asked.metric)) for device in asked.device}
    count, whole = 0, len(networks) * len(asked.batch_size) * sum(map(len, meters.values()))
    for name, source in networks.items():
        for device in asked.device:
            for batch_size in asked.batch_size:
                for meter, names in meters[device]:
                    count += 1
                    job = {
                        "instrument": meter,
                        "name": name,
                        "source": source,
                        "device": device,
                        "place": PLACES.get(device, device),
                        "batch_size": batch_size,
                        "input_shape": asked.input,
                        "threads": asked.threads,
                        "time_budget": asked.time_budget,
                        "precision": asked.precision,
                        "window": asked.window,
                    }
                    yield Case(job, names, f"[{count}/{whole}] {name} {device} bs{batch_size} {meter}")


def _meters(device: str, asked: Sequence[str]) -> Iterator[Tuple[str, Tuple[str, ...]]]:
    """Instruments and what is wanted of them; where no metric was asked for by name, those that exist on the device."""
    for meter, names in METERS:
        wanted = tuple(name for name in names if name in (asked or names))
        reason = "" if asked else obstacle(meter, PLACES.get(device, device))
        if reason:
            _say(f"left out on {device}: {', '.join(names)}: {reason}")
        elif wanted:
            yield meter, wanted


Exhausted = Dict[Tuple[str, str, str], int]
"""The batch that ran out of memory, by network, device and instrument."""


def _asked(job: Dict[str, Any], timeout: float, exhausted: Exhausted) -> Answer:
    """What a new process answers to a job, or what is known without one: no instrument, a smaller batch was too big."""
    reason = obstacle(job["instrument"], job["place"])
    if reason:
        return {"status": "skipped", "message": reason}
    series = job["name"], job["device"], job["instrument"]
    smaller = exhausted.get(series, job["batch_size"])
    if smaller < job["batch_size"]:
        return {"status": "oom", "message": f"batch {smaller} ran out of memory already; this was not tried"}
    answer = ask(job, timeout)
    if answer.get("status") == "oom":
        exhausted[series] = job["batch_size"]
    return answer


def _measured(case: Case, timeout: float, journal: "Journal", exhausted: Exhausted) -> bool:
    """Measure a case and write its rows; whether it was measured, or cannot be here."""
    answer = _asked(case.job, timeout, exhausted)
    under = _conditions(case.job, answer)
    made = [row(case.job["name"], metric, under, _reading(answer, metric)) for metric in case.metrics]
    for each in made:
        journal.append(each)
    _say(f"{case.label}: {told(made)}")
    return all(each["status"] in ("ok", "skipped") for each in made)


def told(made: Sequence[Dict[str, Any]]) -> str:
    """The rows of a case for who waits: values, and after them what makes them doubtful."""
    values = [
        f"{each['metric']} {readable(each['value'], each['unit'])}"
        if each["status"] == "ok"
        else f"{each['status']}: {each['message']}"
        for each in made
    ]
    metrics: Dict[str, List[str]] = {}
    for each in made:
        causes = [cause for trial in each["trials"] for cause in trial["disturbed"]]
        disturbed = f"disturbed: {'; '.join(causes)}" if causes else ""
        for doubt in [each["imprecise"]] + [disturbed] * (disturbed not in each["imprecise"]):
            metrics.setdefault(doubt, []).append(each["metric"])
    doubts = [
        doubt if len(names) == len(made) else f"{' and '.join(names)}: {doubt}"
        for doubt, names in metrics.items()
        if doubt
    ]
    return "; ".join([*dict.fromkeys(values), *doubts])


def readable(value: float, unit: str) -> str:
    """A value in four places: ``readable(0.00001986, "s") == "19.86 µs"``."""
    if value == 0:
        return f"0 {unit}"
    scales = BINARY if unit == "B" else DECIMAL
    scale, prefix = next((each for each in scales if abs(value) >= each[0]), scales[-1])
    places = max(4 - len(str(int(abs(value / scale)))), 0)
    return f"{value / scale:.{places}f} {prefix}{unit}"


def _reading(answer: Answer, metric: str) -> Reading:
    if "readings" not in answer:
        return unread(answer["status"], answer["message"])
    return Reading(**answer["readings"][metric])


def _conditions(job: Dict[str, Any], answer: Answer) -> Dict[str, Any]:
    """Under what the numbers of a case were taken; where there are none, what was asked for."""
    return {
        "device": job["device"],
        "batch_size": job["batch_size"],
        "input_shape": job["input_shape"],
        "dtype": "float32",
        "threads": job["threads"],
        "memory_format": "contiguous",
        "runtime": "torchscript" if is_file(job["source"]) else "eager",
        **answer.get("under", {}),
    }


class Journal:
    """A new file of JSON objects, one a line; each is on disk before ``append`` returns."""

    def __init__(self, path: str, first: Dict[str, Any]) -> None:
        """Raises: OSError, also where the file is there already."""
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        self._file = open(path, "xb", buffering=0)
        self.append(first)

    def append(self, entry: Dict[str, Any]) -> None:
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        while line:
            line = line[self._file.write(line) or 0 :]
        os.fsync(self._file.fileno())


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
