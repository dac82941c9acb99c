"""The journal: whole lines whatever kills the writer, read back as written, and damage named by file and line."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import store
from pytest_archbench.records import Conditions, Measurement, Verdict
from pytest_archbench.store import JOURNAL, SCHEMA, Journal, JournalError, Run, measurement, read, row

HEADER = {"run": "20260101T000000-1", "commit": "unknown"}
MEASURED = Measurement(
    architecture="resnet50",
    metric="latency",
    unit="s",
    status="ok",
    conditions=Conditions("cpu", batch_size=8, input_shape=[3, 224, 224], threads=2),
    samples=(0.1, 0.30000000000000004, 1e-9, 7.0),
    convention="wall time",
    uncounted=("aten.lstm ×2",),
    notes=("6 warm-up passes, steady", "naïve – 100 %"),
)
FAILED = replace(MEASURED, status="failed", samples=(), message='ValueError: "no"\n such\thead \u2028')
DEVIATES = Verdict("deviates", "resnet50 macs: 4.1 G", "bianco2018", "4.0", "G", 0.025)
ROWS = [row(MEASURED, [DEVIATES], "resnet", "resnet50"), row(FAILED, [])]


def journal(folder: Path, *rows: dict[str, Any], resume: bool = False) -> Path:
    """A journal with a header and some rows, closed."""
    made = Journal(folder, HEADER, resume=resume)
    for each in rows:
        made.append(each)
    made.close()
    return made.path


@pytest.mark.parametrize("found", [MEASURED, FAILED], ids=["ok", "failed"])
def test_a_row_is_the_measurement(found: Measurement) -> None:
    assert measurement(row(found, [DEVIATES])) == found
    assert measurement(json.loads(json.dumps(row(found, [])))) == found


def test_a_row_has_what_the_interface_promises() -> None:
    written = row(MEASURED, [DEVIATES], "resnet", "resnet50")
    assert written["schema"] == SCHEMA
    assert written["value"] == pytest.approx((0.1 + 0.3) / 2)
    assert written["samples"] == list(MEASURED.samples)
    assert written["interval"] == {"low": 1e-9, "high": 7.0, "confidence": pytest.approx(1 - 2 / 16)}
    assert (written["conditions"]["batch_size"], written["conditions"]["threads"]) == (8, 2)
    assert written["verdicts"] == [
        {"outcome": "deviates", "reason": "resnet50 macs: 4.1 G", "source": "bianco2018", "baseline": "4.0",
         "unit": "G", "change": 0.025},
    ]  # fmt: skip
    assert (row(FAILED, [])["value"], row(FAILED, [])["interval"]) == (None, None)
    assert (row(FAILED, [])["family"], row(FAILED, [])["topology"]) == ("", "resnet50")


def test_a_run_is_read_as_written(tmp_path: Path) -> None:
    path = journal(tmp_path / "new" / "folder", *ROWS)
    run = read(path)
    assert run == read(path.parent) == Run({"schema": SCHEMA, **HEADER}, tuple(ROWS))
    assert len(path.read_bytes().splitlines()) == 3


def test_every_line_is_on_disk_before_the_next(tmp_path: Path) -> None:
    writing = Journal(tmp_path, HEADER)
    for count in range(1, 4):
        writing.append(ROWS[0])
        assert len(read(tmp_path).rows) == count
    writing.close()


def test_what_is_no_json_is_written_as_it_calls_itself(tmp_path: Path) -> None:
    fed = replace(FAILED, conditions=Conditions("cpu", input_shape=Path("a/callable")))
    assert read(journal(tmp_path, row(fed, []))).rows[0]["conditions"]["input_shape"] == repr(Path("a/callable"))
    with closing(Journal(tmp_path, HEADER)) as writing, pytest.raises(ValueError, match="not JSON compliant"):
        writing.append({"value": float("nan")})


def test_a_previous_journal_is_set_aside(tmp_path: Path) -> None:
    first = journal(tmp_path, ROWS[0]).read_bytes()
    second = journal(tmp_path, ROWS[1])
    assert read(second).rows == (ROWS[1],)
    assert (tmp_path / "previous" / "20260101T000000-1.jsonl").read_bytes() == first


def test_no_previous_journal_takes_anothers_place(tmp_path: Path) -> None:
    contents = {journal(tmp_path, *ROWS[:count]).read_bytes() for count in (0, 1, 2)}
    journal(tmp_path)
    assert {path.read_bytes() for path in (tmp_path / "previous").iterdir()} == contents


@pytest.mark.parametrize("content", [b"", b"torn", b"\x00\xff\n{}\n", b'{"run": 7, "schema": 99}\n'])
def test_a_damaged_journal_is_set_aside_too(tmp_path: Path, content: bytes) -> None:
    for _ in range(2):
        (tmp_path / JOURNAL).write_bytes(content)
        os.utime(tmp_path / JOURNAL, (1000, 1000))
        assert read(journal(tmp_path)).rows == ()
    kept = [path for path in (tmp_path / "previous").iterdir() if path.read_bytes() == content]
    assert {"damaged-1000.jsonl", "damaged-1000-1.jsonl"} == {path.name for path in kept}


def test_a_runs_name_stays_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text(json.dumps({"schema": 1, "run": "../../" + "x" * 300}) + "\n")
    journal(tmp_path)
    (kept,) = (tmp_path / "previous").iterdir()
    assert kept.name == "..-..-" + "x" * 94 + ".jsonl"


def test_a_resumed_journal_goes_on(tmp_path: Path) -> None:
    journal(tmp_path, ROWS[0])
    run = read(journal(tmp_path, ROWS[1], resume=True))
    assert run == Run({"schema": SCHEMA, **HEADER}, tuple(ROWS))
    assert not (tmp_path / "previous").exists()


def test_resuming_nothing_starts_a_journal(tmp_path: Path) -> None:
    assert read(journal(tmp_path, resume=True)).header["run"] == HEADER["run"]


def test_a_torn_line_is_dropped_when_the_run_goes_on(tmp_path: Path) -> None:
    path = journal(tmp_path, *ROWS)
    whole = path.read_bytes()
    end_of_first = whole.rindex(b"\n", 0, -1) + 1
    for cut in (end_of_first, end_of_first + 1, len(whole) - 20, len(whole) - 2):
        path.write_bytes(whole[:cut])
        assert read(path).rows == (ROWS[0],)
        assert read(journal(tmp_path, ROWS[1], resume=True)).rows == tuple(ROWS)


def test_a_line_that_lacks_only_its_newline_is_kept(tmp_path: Path) -> None:
    path = journal(tmp_path, ROWS[0])
    path.write_bytes(path.read_bytes()[:-1])
    assert read(path).rows == (ROWS[0],)
    assert read(journal(tmp_path, ROWS[1], resume=True)).rows == tuple(ROWS)


def test_a_torn_header_is_written_again(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b'{"schema": 1, "ru')
    assert read(journal(tmp_path, ROWS[0], resume=True)) == Run({"schema": SCHEMA, **HEADER}, (ROWS[0],))


WRITING = """
import json, sys
from pathlib import Path
from pytest_archbench.store import Journal, read
folder, row = Path(sys.argv[1]), json.loads(sys.argv[2])
journal = Journal(folder, {"run": "killed"}, resume=True)
number = len(read(folder).rows)
print("writing", flush=True)
while True:
    journal.append(row | {"family": str(number), "notes": ["x" * 50_000]})
    number += 1
"""


def test_a_killed_writer_leaves_whole_lines(tmp_path: Path) -> None:
    generator, counts = random.Random(2), [0]
    for _ in range(12):
        command = [sys.executable, "-c", WRITING, str(tmp_path), json.dumps(ROWS[0])]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(generator.uniform(0, 0.05))
            writer.kill()
        rows = read(tmp_path).rows
        assert [each["family"] for each in rows] == [str(number) for number in range(len(rows))]
        assert all(measurement(each).samples == MEASURED.samples for each in rows)
        counts.append(len(rows))
    assert counts == sorted(counts)
    assert counts[-1] > 20


FILLING = """
import json, resource, signal, sys
from pathlib import Path
from pytest_archbench.store import Journal, read
folder, row, limit = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
journal = Journal(folder, {"run": "full"})
written = 0
try:
    while True:
        journal.append(row | {"notes": ["x" * 5_000]})
        written += 1
except OSError as error:
    print(error.strerror)
assert len(read(folder).rows) == written > 3, written
assert journal.path.read_bytes().endswith(b"}\\n")
journal.append(row)  # what is small still fits, and nothing is left of what did not
journal.close()
assert len(read(folder).rows) == written + 1
"""
IN_A_SMALL_FILESYSTEM = ["unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=64k tmpfs "$2" && exec "$0" -c "$@"']


def may_mount(folder: Path) -> bool:
    if not shutil.which("unshare"):
        return False
    probe = ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("limited", ["file size", "filesystem"])
def test_a_full_disk_is_an_error_and_earlier_lines_stay_whole(tmp_path: Path, limited: str) -> None:
    if limited == "filesystem" and not may_mount(tmp_path):
        pytest.skip("a filesystem of its own needs unshare and the right to mount")
    start = [sys.executable, "-c"] if limited == "file size" else [*IN_A_SMALL_FILESYSTEM, sys.executable]
    limit = "64000" if limited == "file size" else "0"
    said = subprocess.run(
        [*start, FILLING, str(tmp_path), json.dumps(ROWS[0]), limit], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip() == ("File too large" if limited == "file size" else "No space left on device")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r":1: expected a header with the key 'run'; this is not an archbench journal"),
        (b"\n\n", r":1: expected a header with the key 'run'"),
        (b'{"schema": 1}\n', r":1: expected a header with the key 'run'"),
        (
            b'{"run": "a", "schema": 2}\nx\n',
            r":2: not a JSON object \(Expecting value.*remove the line to read the rest",
        ),
        (b'{"run": "a", "schema": 2}\n{}\n', r":1: expected schema 1; got 2; use the version that wrote it"),
        (b'{"run": "a"}\n', r":1: expected schema 1; got None"),
        (b'{"run": "a", "schema": 1}\n[1]\n', r":2: expected a JSON object; got list"),
        (b'{"run": "a", "schema": 1}\n\n{}\n', r":3: not a measurement \(the key 'architecture' is missing\)"),
        (b'{"run": "a", "schema": 1}\n{"a": NaN}\n', r":2: not a JSON object \(NaN is no JSON number\)"),
        (b'{"run": "a", "schema": 1}\n' + b"[" * 100_000 + b"\n", r":2: not a JSON object \(maximum recursion depth"),
    ],
)
def test_damage_is_named_by_file_and_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=f"damaged.jsonl{sentence}"):
        read(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"samples": []}, "status ok needs at least one sample"),
        ({"samples": ["fast"]}, "must be real number"),
        ({"samples": [10**400]}, "int too large to convert to float"),
        ({"samples": None}, "'NoneType' object is not iterable"),
        ({"status": "fine"}, "status: expected one of ok, skipped"),
        ({"conditions": {"device": "cpu", "batch_size": 0}}, "batch_size must be at least 1; got 0"),
        ({"conditions": {"device": "cpu", "moon": "full"}}, "moon"),
        ({"conditions": 7}, "argument after .* must be a mapping"),
        ({"verdicts": [{"outcome": "fine", "reason": "because"}]}, "verdict: outcome: expected one of"),
        ({"verdicts": [{"reason": "because"}]}, "the key 'outcome' is missing"),
        ({"verdicts": [7]}, "not subscriptable"),
    ],
)
def test_a_line_that_is_no_measurement_is_damage(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = journal(tmp_path, ROWS[0] | changes)
    with pytest.raises(JournalError, match=rf":2: not a measurement \(.*{reason}.*\); remove the line"):
        read(path)


def test_unknown_keys_are_kept(tmp_path: Path) -> None:
    later = ROWS[0] | {"joules": 3, "verdicts": [ROWS[0]["verdicts"][0] | {"confidence": 0.9}]}
    assert read(journal(tmp_path, later)).rows == (later,)


def test_where_there_is_no_journal_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"measurements\.jsonl: no journal can be read here \(No such file"):
        read(tmp_path / JOURNAL)
    with pytest.raises(JournalError, match=r"run pytest --archbench first"):
        read(tmp_path / "nowhere")


SOUND = b"".join(json.dumps(each).encode() + b"\n" for each in ({"schema": SCHEMA, **HEADER}, *ROWS, *ROWS))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A journal with bytes overwritten, cut out, put in or doubled."""
    content = SOUND
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 400)))
        middle = draw(st.one_of(st.binary(max_size=12), st.just(content[start:end] * 2), st.sampled_from(PIECES)))
        content = content[:start] + middle + content[end:]
    return content


PIECES = [b"", b"\n", b"null", b"NaN", b"-1", b"1e999", b"{}", b"[]", b'""', b'{"run": 1}', b"\xff", b"\x00", b"\r\n"]


@settings(max_examples=600, deadline=None)
@given(damaged())
def test_whatever_the_damage_it_is_a_run_or_a_journal_error(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    try:
        run = read(path)
    except JournalError as error:
        assert str(error).startswith(f"{path}:")  # noqa: PT017  either is right
    else:
        assert run.header["schema"] == SCHEMA
        assert all(isinstance(measurement(each), Measurement) for each in run.rows)


def test_the_schema_is_the_documented_one() -> None:
    assert store.SCHEMA == 1
    assert store.__doc__ is not None
    assert "Schema 1" in store.__doc__
