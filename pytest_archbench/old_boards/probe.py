"""The command line of the script: what to measure, the journal, and how far it is."""

import argparse
import json
import os
import sys
from typing import Any, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

from pytest_archbench.old_boards.children import Answer, ask, obstacle, serve
from pytest_archbench.old_boards.energy import WINDOW
from pytest_archbench.old_boards.host import header
from pytest_archbench.old_boards.networks import is_file, split
from pytest_archbench.old_boards.rows import UNITS, Reading, row, unread

VERSION = "unknown"
JOURNAL = "measurements.jsonl"
METERS = (
    ("latency", ("latency", "throughput")),
    ("memory", ("peak_memory",)),
    ("energy", ("energy", "energy_above_idle", "power")),
)
"""Instruments and the metrics that each one yields."""
LONGEST_LOOK = 120.0
"""Seconds at least until a board has imported torch."""
PLACES = {"cuda": "cuda:0", "jetson": "cuda:0"}
"""What torch calls a device."""


class Parser(argparse.ArgumentParser):
    """Says a mistake in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for; the exit status."""
    if list(arguments[:1]) == ["--child"]:
        return serve(json.loads(arguments[1]), arguments[2])
    parser = _parser()
    asked = parser.parse_args(arguments)
    networks = _named(parser, asked.networks)
    job = {"instrument": "look", "devices": asked.device, "sources": list(networks.values())}
    found = ask(job, max(asked.timeout, LONGEST_LOOK))
    if "message" in found:
        parser.error(found["message"])
    head = header(VERSION, found)
    path = os.path.join(asked.out or "archbench-" + head["run"], JOURNAL)
    try:
        journal = Journal(path, head)
    except OSError as error:
        parser.error(f"{path}: expected a place for a new journal; {error.strerror}; name another folder with --out")
    try:
        failed = [case for case in _cases(asked, networks) if not _measured(case, asked, journal)]
    except KeyboardInterrupt:
        _say(f"stopped; what was measured by then is in {path}")
        return 130
    except OSError as error:
        _say(f"{error.filename or path}: {error.strerror}; what was measured by then is in {path}")
        return 1
    copied = "copy that folder to where pytest-archbench is installed"
    _say(f"journal: {path}; {copied}, then: archbench merge {os.path.dirname(path)} OTHER_RUN... --out DIR")
    return 1 if failed else 0


def _parser() -> Parser:
    parser = Parser(
        description="Measures networks on this board, with Python 3.6 and torch 1.4 or later. Each measurement has a "
        "process of its own; every number is on disk as soon as it is there.",
        epilog="exit status: 0 all done, 1 something failed, 2 a mistake in the command",
    )
    what = "torchvision's constructor (resnet18), package.module:function, or a TorchScript file (net.pt); NAME=... "
    parser.add_argument("networks", metavar="NETWORK", nargs="+", help=what + "gives it another name")
    parser.add_argument("--batch-size", type=_counts, default=[1], help="a list: 1,2,4 (default: 1)")
    parser.add_argument("--device", type=_devices, default=["cuda"], help="a list: cuda, cuda:1, cpu (default: cuda)")
    parser.add_argument("--input", type=_counts, default=[3, 224, 224], help="of one image (default: 3,224,224)")
    metrics = "a list of " + ", ".join(UNITS)
    parser.add_argument("--metric", type=_metrics, default=[], help=metrics + " (default: all that can be had here)")
    parser.add_argument("--threads", type=_count, default=1, help="threads of torch on the CPU (default: 1)")
    parser.add_argument("--time-budget", type=_amount, default=2.0, help="s of a latency's samples (default: 2)")
    parser.add_argument("--precision", type=_amount, default=0.01, help="relative, of the median (default: 0.01)")
    parser.add_argument("--window", type=_amount, default=WINDOW, help=f"s of a window of energy (default: {WINDOW:g})")
    parser.add_argument("--timeout", type=_amount, default=600.0, help="s of one measurement (default: 600)")
    parser.add_argument("--out", help="new folder of the journal (default: archbench-TIME)")
    return parser


def _named(parser: Parser, texts: Sequence[str]) -> Dict[str, str]:
    """Sources of networks by name."""
    networks: Dict[str, str] = {}
    for text in texts:
        name, source = split(text)
        if not name or not source or not name.isprintable():
            parser.error(f"network {text!r}: expected NAME=SOURCE or SOURCE")
        if name in networks:
            parser.error(f"network {text!r}: {name} is there already; write OTHER_NAME={source}")
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


def _measured(case: Case, asked: argparse.Namespace, journal: "Journal") -> bool:
    """Measure a case and write its rows; whether it was measured, or cannot be here."""
    reason = obstacle(case.job["instrument"], case.job["place"])
    answer = {"status": "skipped", "message": reason} if reason else ask(case.job, asked.timeout)
    under = _conditions(case.job, answer)
    made = [row(case.job["name"], metric, under, _reading(answer, metric)) for metric in case.metrics]
    for each in made:
        journal.append(each)
    _say(f"{case.label}: {'; '.join(dict.fromkeys(map(_told, made)))}")
    return all(each["status"] in ("ok", "skipped") for each in made)


def _told(made: Dict[str, Any]) -> str:
    """A row for who waits."""
    if made["status"] != "ok":
        return f"{made['status']}: {made['message']}"
    return f"{made['metric']} {made['value']:.5g} {made['unit']}"


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


def _list(text: str) -> List[str]:
    found = [each.strip() for each in text.split(",")]
    if not all(found) or len(set(found)) != len(found):
        raise argparse.ArgumentTypeError(f"expected a list with commas, nothing twice; got {text!r}")
    return found


def _count(text: str) -> int:
    if not text.strip().isdigit() or not 1 <= int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on; got {text!r}")
    return int(text)


def _counts(text: str) -> List[int]:
    return [_count(each) for each in text.split(",")]


def _amount(text: str) -> float:
    try:
        value: Optional[float] = float(text)
    except ValueError:
        value = None
    if value is None or not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number above 0; got {text!r}")
    return value


def _devices(text: str) -> List[str]:
    for name in _list(text):
        kind, _, number = name.partition(":")
        if not (name in ("cpu", "cuda", "jetson") or (kind == "cuda" and number.isdigit())):
            raise argparse.ArgumentTypeError(f"expected cpu, cuda, cuda:1 or jetson; got {name!r}")
    return _list(text)


def _metrics(text: str) -> List[str]:
    for name in _list(text):
        if name not in UNITS:
            raise argparse.ArgumentTypeError(f"expected a list of {', '.join(UNITS)}; got {name!r}")
    return _list(text)
