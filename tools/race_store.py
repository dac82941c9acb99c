"""In which form a history of nights is best kept: bytes and times of five forms, each read back into points.

``python tools/race_store.py [NIGHTS [NETWORKS]]``, usually 40 nights of 1,400 networks with four metrics each.
"""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pytest_archbench import nights, store
from pytest_archbench.nights import Night
from pytest_archbench.points import key, points_of
from pytest_archbench.records import Conditions, Measurement, Point, Trial

ENVIRONMENT = {
    "python": "3.11.7",
    "system": "Linux",
    "machine": "x86_64",
    "packages": {"torch": "2.15.0", "torchvision": "0.29.2", "timm": "1.0.31"},
    "torch": {"version": "2.15.0", "blas": "mkl", **{f"build{place}": str(place) for place in range(15)}},
}
PROCESSES, SAMPLES, REFERENCES = 5, 20, 20
NAMES = tuple(field.name for field in fields(Point))


def journal(day: int, networks: int, random_: random.Random) -> store.Run:
    """A night as a run writes it: a time of five processes, a memory, two counts of each network."""
    started = datetime(2026, 1, 1, 3, tzinfo=timezone.utc) + timedelta(days=day)
    header = {
        "schema": 1,
        "run": f"{started:%Y%m%dT%H%M%S}-1",
        "started": started.isoformat(),
        "commit": f"{day:040x}",
        "environment": ENVIRONMENT,
        "devices": {"cpu": {"kind": "cpu", "model": "Abacus", "cores": 2}},
    }
    under = Conditions("cpu", 1, (3, 224, 224))
    rows = []
    for number in range(networks):
        name, scale = f"network_{number:04}", 0.01 * (1 + number % 97)
        trials = tuple(
            Trial(
                tuple(scale * random_.gauss(1, 0.02) for _ in range(SAMPLES)),
                tuple(0.001 * random_.gauss(1, 0.02) for _ in range(REFERENCES)),
                {"pressure": random_.random(), "steal": 0.0, "clock": 2.4e9},
            )
            for _ in range(PROCESSES)
        )
        samples = tuple(sample for trial in trials for sample in trial.samples)
        rows += [
            store.row(Measurement(name, metric, unit, "ok", under, found, trials=parts, convention="as stated"), ())
            for metric, unit, found, parts in (
                ("latency", "s", samples, trials),
                ("peak_memory", "B", (int(scale * 1e10 * random_.gauss(1, 3e-4)),), ()),
                ("params", "count", (number * 1009,), ()),
                ("macs", "MAC", (number * 100_003,), ()),
            )
        ]
    return store.Run(header, tuple(json.loads(json.dumps(row)) for row in rows))


def plain(run: store.Run) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in (run.header, *run.rows)).encode()


def write_journal(run: store.Run, folder: Path) -> None:
    (folder / f"{run.header['run']}.jsonl").write_bytes(plain(run))


def read_journals(folder: Path) -> Iterator[Point]:
    for path in sorted(folder.iterdir()):
        yield from nights.read(path).points.values()


def write_packed(run: store.Run, folder: Path) -> None:
    (folder / f"{run.header['run']}.jsonl.gz").write_bytes(gzip.compress(plain(run), 6))


def read_packed(folder: Path) -> Iterator[Point]:
    for path in sorted(folder.iterdir()):
        header, *rows = (json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines())
        yield from points_of(store.Run(header, tuple(rows))).values()


def write_kept(run: store.Run, folder: Path) -> None:
    started = datetime.fromisoformat(run.header["started"])
    nights.keep(Night(Path("journal"), run.header, started, points_of(run)), folder)


def read_kept(folder: Path) -> Iterator[Point]:
    for path in sorted(folder.rglob(f"*{nights.ENDING}")):
        yield from nights.read(path).points.values()


def cells(point: Point) -> dict[str, Any]:
    """A point as a row of a table: what is no number or text as JSON."""
    found = {name: getattr(point, name) for name in NAMES}
    nested = {"conditions": asdict(point.conditions), "fingerprint": dict(point.fingerprint), "trials": point.trials}
    return found | {name: json.dumps(value) for name, value in nested.items()} | {"outcomes": None}


def uncelled(row: dict[str, Any], known: dict[str, Any]) -> Point:
    """The point of a row; equal texts are read once."""
    for name in ("conditions", "fingerprint"):
        text = row[name]
        if text not in known:
            known[text] = Conditions(**json.loads(text)) if name == "conditions" else json.loads(text)
        row[name] = known[text]
    row["trials"] = tuple(map(tuple, json.loads(row["trials"])))
    row["alarmed"] = bool(row["alarmed"])
    return Point(**row)


def write_sqlite(run: store.Run, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "history.sqlite")) as base, base:
        base.execute("create table if not exists facts (id integer primary key, text text unique)")
        base.execute(f"create table if not exists points ({', '.join(map(json.dumps, NAMES))})")
        rows = [cells(point) for point in points_of(run).values()]
        shared = {row[name] for row in rows for name in ("conditions", "fingerprint", "convention")}
        base.executemany("insert or ignore into facts (text) values (?)", [(text,) for text in shared])
        places = dict(base.execute("select text, id from facts"))
        for row in rows:
            row |= {name: places[row[name]] for name in ("conditions", "fingerprint", "convention")}
        marks = ", ".join("?" * len(NAMES))
        base.executemany(f"insert into points values ({marks})", [tuple(row.values()) for row in rows])


def read_sqlite(folder: Path) -> Iterator[Point]:
    known: dict[str, Any] = {}
    with closing(sqlite3.connect(folder / "history.sqlite")) as base:
        texts = dict(base.execute("select id, text from facts"))
        for values in base.execute("select * from points"):
            row = dict(zip(NAMES, values, strict=True))
            row |= {name: texts[row[name]] for name in ("conditions", "fingerprint", "convention")}
            yield uncelled(row, known)


def write_parquet(run: store.Run, folder: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [cells(point) | {"value": float(point.value)} for point in points_of(run).values()]
    table = pyarrow.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, folder / f"{run.header['run']}.parquet", compression="zstd")


def read_parquet(folder: Path) -> Iterator[Point]:
    import pyarrow.parquet

    known: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        for row in pyarrow.parquet.read_table(path).to_pylist():
            yield uncelled(row, known)


FORMS: dict[str, tuple[Callable[[store.Run, Path], None], Callable[[Path], Iterator[Point]]]] = {
    "journals": (write_journal, read_journals),
    "journals, gzip": (write_packed, read_packed),
    "kept nights (columns of JSON, gzip)": (write_kept, read_kept),
    "one SQLite file": (write_sqlite, read_sqlite),
    "Parquet files, zstd": (write_parquet, read_parquet),
}


def main(days: int = 40, networks: int = 1400) -> None:
    """Print a table: per night kilobytes and seconds to write (median) and to read (median of three readings)."""
    runs = (journal(day, networks, random.Random(day)) for day in range(days))
    with tempfile.TemporaryDirectory() as name:
        folders = {form: Path(name) / str(place) for place, form in enumerate(FORMS)}
        written: dict[str, list[float]] = {form: [] for form in FORMS}
        for folder in folders.values():
            folder.mkdir()
        for run in runs:
            for form, (write, _) in FORMS.items():
                began = time.process_time()
                write(run, folders[form])
                written[form].append(time.process_time() - began)
        print(f"{days} nights of {networks} networks, {4 * networks} values each; processor time")
        print("| form | kB a night | s to write | s to read | a year | reading a year |\n|---|---|---|---|---|---|")
        for form, (_, read) in FORMS.items():
            size = sum(path.stat().st_size for path in folders[form].rglob("*") if path.is_file()) / days
            times = []
            for _ in range(3 if form != "journals" else 1):
                began = time.process_time()
                count = len({(*key(point), point.run) for point in read(folders[form])})
                times.append((time.process_time() - began) / days)
                assert count == days * networks * 4, f"{form}: {count} points came back"
            second = statistics.median(times)
            print(
                f"| {form} | {size / 1e3:,.0f} | {statistics.median(written[form]):.2f} | {second:.3f} "
                f"| {size * 365 / 1e6:,.0f} MB | {second * 365:.0f} s |"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
