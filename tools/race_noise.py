"""Verdicts raced under real noise: unchanged runs and runs slowed by a known share, protocol beside protocol, in turn.

Each turn gives every protocol a fresh run, unchanged and slowed, in rotating order, so that the machine's moods fall on
all alike. Every raw result is written at once, and what is written is not run again. Exits with 1 where a protocol of
the plugin's own misses what it promises. Twenty turns of mobilenet_v2 take about 40 minutes on two quiet cores, and
longer where something disturbs: disturbed trials are taken again, and unclear verdicts take more pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import race_noise_ours as ours
import race_noise_rivals as rivals
from race_noise_networks import NETWORKS, SLOWED, UNCHANGED, Asked
from race_noise_report import failures, table

from pytest_archbench import devices, environment
from pytest_archbench.runner import device_lock

Take = Callable[[Asked, float, Sequence[str]], dict[str, Any]]
"""(how, by which fraction to slow, kinds in the order to take them) -> what was measured of each kind."""
DEVICE = "cpu"


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to measure, and the slowdown (relative) that it is to find. ``locks``: it reserves the device itself."""

    name: str
    take: Take
    fraction: float
    locks: bool = False


PROTOCOLS = (
    Protocol("pytest-benchmark", rivals.pytest_benchmark, 0.05),
    Protocol("torch.utils.benchmark", rivals.torch_benchmark, 0.05),
    Protocol("timm-like loop", rivals.timm_loop, 0.05),
    Protocol("ours, one process", ours.one_process, 0.03),
    Protocol("ours, pairs of processes", ours.pairs_of_processes, 0.05),
    Protocol("ours, nightly", ours.nightly, 0.07, locks=True),
)


def where() -> dict[str, Any]:
    """What must be equal before runs go into one table."""
    return {"environment": environment.environment(), "model": devices.find(DEVICE).model, "processors": os.cpu_count()}


def turns(number: int) -> Iterator[tuple[int, Protocol, tuple[str, str]]]:
    """Who is next: in every turn another begins, and in every other turn the slowed run comes first."""
    for turn in range(number):
        start = turn % len(PROTOCOLS)
        for protocol in (*PROTOCOLS[start:], *PROTOCOLS[:start]):
            yield turn, protocol, (UNCHANGED, SLOWED) if turn % 2 == 0 else (SLOWED, UNCHANGED)


def taken(protocol: Protocol, turn: int, asked: Asked, order: tuple[str, str]) -> dict[str, Any]:
    """One run of a protocol as the file has it; ``wall`` in s, the wait for a device in use left out where it can be.

    Raises: RuntimeError where something could not be measured.
    """
    with nullcontext() if protocol.locks else device_lock(DEVICE):
        start = time.perf_counter()
        measured = protocol.take(asked, protocol.fraction, order)
        wall = time.perf_counter() - start
    about = {"protocol": protocol.name, "turn": turn, "fraction": protocol.fraction, "first": order[0], "wall": wall}
    return {**about, "asked": asdict(asked), "where": where(), **measured}


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file; one that a killed race left unfinished is no row. Raises: ValueError with file and line."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            row = json.loads(line)
            row["protocol"], row["turn"], row["fraction"], row["wall"], row["asked"], row["where"]
            row[UNCHANGED], row[SLOWED]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path}:{number}: expected a run of this race; got {line[:60]!r} ({error!r}); remove the line"
            ) from None
        found.append(row)
    return found


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Write a row whole, in the place of one that was left unfinished."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def race(path: Path, asked: Asked, number: int, names: Sequence[str]) -> None:
    """Run what is missing in the file. Raises: RuntimeError, ValueError."""
    here = where()
    alike = [row for row in read(path) if row["asked"] == asdict(asked) and row["where"] == here]
    known = {(row["turn"], row["protocol"], row["fraction"]) for row in alike}
    missing = [
        (turn, protocol, order)
        for turn, protocol, order in turns(number)
        if protocol.name in names and (turn, protocol.name, protocol.fraction) not in known
    ]
    walls = {
        protocol.name: [row["wall"] for row in alike if row["protocol"] == protocol.name] for protocol in PROTOCOLS
    }
    for at, (turn, protocol, order) in enumerate(missing):
        row = taken(protocol, turn, asked, order)
        append(path, row)
        walls[protocol.name].append(row["wall"])
        left = _left([name.name for _, name, _ in missing[at + 1 :]], walls)
        print(f"turn {turn + 1} of {number}, {protocol.name}: {row['wall']:.0f} s; {left}", file=sys.stderr, flush=True)


def _left(names: Sequence[str], walls: Mapping[str, Sequence[float]]) -> str:
    known = [seconds for each in walls.values() for seconds in each]
    seconds = sum(statistics.fmean(walls[name] or known) for name in names)
    return f"about {seconds / 60:.0f} min left"


def report(path: Path, only: Mapping[str, Any] | None = None) -> list[str]:
    """Print a table for all runs under equal conditions, ``only`` those asked for if given; promises not kept."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in read(path):
        if only is None or row["asked"] == only:
            groups.setdefault(json.dumps([row["asked"], row["where"]], sort_keys=True), []).append(row)
    missed = []
    for rows in groups.values():
        asked, there = Asked(**rows[0]["asked"]), rows[0]["where"]
        rows.sort(key=lambda row: row["turn"])
        print(f"{asked.network}, batch 1, one thread, on {there['processors']} processors ({there['model']}), ", end="")
        print(f"torch {there['environment']['packages']['torch']}")
        print(
            f"Sampling: {asked.seconds:g} s per network and process; nightly {asked.nightly_seconds:g} s over ", end=""
        )
        print(f"{ours.PROCESSES} processes; pairs until the verdict is clear, tolerance {asked.tolerance:.1%}\n")
        print("\n".join(table(rows, asked.tolerance)), end="\n\n")
        missed += [f"{asked.network}: {sentence}" for sentence in failures(rows, asked.tolerance)]
    return missed if groups else [f"{path}: no runs of this race in it; run it without --report first"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, default="mobilenet_v2")
    parser.add_argument("--runs", type=int, default=20, help="turns (default: 20)")
    parser.add_argument("--seconds", type=float, default=1.0, help="that a process samples one network (default: 1)")
    parser.add_argument(
        "--nightly-seconds", type=float, help="of a nightly run's processes together (default: five times)"
    )
    parser.add_argument("--tolerance", type=float, default=0.02, help="of the verdicts on pairs (default: 0.02)")
    names = [protocol.name for protocol in PROTOCOLS]
    parser.add_argument("--protocol", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, default=Path("reports/race-noise.jsonl"), help="where the raw results go")
    parser.add_argument("--report", type=Path, metavar="FILE", help="run nothing; print the tables of this file")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    os.environ["OMP_NUM_THREADS"] = "1"  # before any measuring process is started
    asked = Asked(
        given.network, given.seconds, given.nightly_seconds or ours.PROCESSES * given.seconds, given.tolerance
    )
    try:
        if not given.report:
            race(given.out, asked, given.runs, given.protocol or [protocol.name for protocol in PROTOCOLS])
        missed = report(given.report or given.out, None if given.report else asdict(asked))
    except (RuntimeError, ValueError) as error:
        raise SystemExit(f"race-noise: {error}; what was measured is kept: run again to go on") from None
    if missed:
        raise SystemExit("less than promised:\n" + "\n".join(missed))


if __name__ == "__main__":
    main()
