"""The journal: whole lines whatever kills the writer, read back as written, and damage named by file and line."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench import store
from pytest_archbench.records import Conditions, Measurement, Trial, Verdict
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


@pytest.mark.parametrize("content", [b"torn", b"\x00\xff\n{}\n", b'{"run": 7, "schema": 99}\n'])
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
    assert re.fullmatch(r"\.\.-\.\.-x+-[0-9a-f]{8}\.jsonl", kept.name), "the mark tells long names apart"
    assert len(kept.stem) == 100


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


TRIALS = (
    Trial((0.1, 0.30000000000000004), (0.01, 0.011), {"wall": 2.5, "pressure": None}, ()),
    Trial((1e-9, 7.0), (0.012,), {"wall": 2.6, "pressure": 0.5}, ("tasks waited for a processor 50% of the time",)),
)
TIMED = replace(MEASURED, trials=TRIALS, left_out=(Trial((9.0,), (0.5,), {}, ("the heat",)),), imprecise="to ±7%")


def as_json(value: Any) -> Any:
    """Lists where a row has tuples."""
    return json.loads(json.dumps(value))


def test_trials_are_kept_without_writing_a_sample_twice(tmp_path: Path) -> None:
    written = as_json(row(TIMED, []))
    assert written["samples"] == [0.1, 0.30000000000000004, 1e-9, 7.0]
    assert [trial["samples"] for trial in written["trials"]] == [2, 2], "how many of the row's are its own"
    assert written["left_out"][0]["samples"] == [9.0], "which the row's do not hold"
    assert measurement(read(journal(tmp_path, written)).rows[0]) == TIMED


def test_the_percentiles_are_numpys() -> None:
    # Ordered 1e-9, 0.1, 0.3, 7: p50 between the middle two; p90 at 3 * 0.9 = 2.7, p99 at 2.97.
    found = row(MEASURED, [])["percentiles"]
    assert found == {
        "p50": pytest.approx(0.2), "p90": pytest.approx(0.3 + 0.7 * 6.7), "p99": pytest.approx(0.3 + 0.97 * 6.7)
    }  # fmt: skip
    assert row(FAILED, [])["percentiles"] is None


LATER = {"percentiles", "trials", "left_out", "imprecise"}
"""Keys that rows of earlier versions do not have."""


def test_rows_of_earlier_versions_are_read(tmp_path: Path) -> None:
    earlier = {name: value for name, value in row(TIMED, []).items() if name not in LATER}
    (found,) = read(journal(tmp_path, earlier)).rows
    assert found == earlier
    assert measurement(found) == MEASURED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trials": [{**row(TIMED, [])["trials"][0], "samples": 3}]}, "the trials' samples are not the samples"),
        ({"trials": [{**row(TIMED, [])["trials"][0], "samples": -1}]}, "must be None or an integer"),
        ({"trials": [{"samples": 4}]}, "the key 'reference' is missing"),
        ({"trials": 7}, "not iterable"),
        ({"left_out": [{"samples": 4}]}, "not iterable"),
        ({"left_out": None}, "not iterable"),
    ],
)
def test_trials_that_are_none_are_damage(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(JournalError, match=rf":2: not a measurement \(.*{reason}.*\); remove the line"):
        read(journal(tmp_path, row(TIMED, []) | changes))


EVERY_KIND = as_json(
    [
        *ROWS,
        row(TIMED, [DEVIATES, replace(DEVIATES, outcome="known deviation", reason="它 – ü – \U0001f600 \x00")]),
        row(replace(FAILED, status="oom", message="MemoryError: 256 MiB"), []),
        row(replace(MEASURED, metric="params", unit="count", samples=(25557032,)), [], "rés\n", "net\u2028work"),
        row(replace(FAILED, status="skipped", message="no sensor"), [replace(DEVIATES, outcome="incomparable")]),
    ]
)


def test_a_journal_may_end_at_any_byte(tmp_path: Path) -> None:
    """Reading it never fails and never invents a line; a resumed run completes it."""
    path = journal(tmp_path, *EVERY_KIND)
    content = path.read_bytes()
    ends = [at for at, byte in enumerate(content) if byte == ord("\n")]
    assert len(ends) == 1 + len(EVERY_KIND)
    for cut in reversed(range(len(content) + 1)):
        os.truncate(path, cut)
        lines = sum(end <= cut for end in ends)  # one that lacks its newline alone is whole
        expected = Run({"schema": SCHEMA, **HEADER}, tuple(EVERY_KIND[: lines - 1])) if lines else store.NOTHING
        assert read(path) == expected
    for cut in {0, 1, len(store.HEAD), ends[0] - 1, *ends, *(end + shift for end in ends for shift in (-9, 1, 9))}:
        path.write_bytes(content[: min(cut, len(content))])
        lines = max(1, sum(end <= cut for end in ends))
        journal(tmp_path, *EVERY_KIND[lines - 1 :], resume=True)
        assert path.read_bytes() == content, cut


def test_a_header_that_was_cut_off_is_set_aside_without_a_name(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b'{"schema": 1, "run": "2026')
    assert read(journal(tmp_path)).rows == ()
    assert [path.name for path in (tmp_path / "previous").iterdir()] == ["unnamed.jsonl"]


def test_resuming_leaves_alone_what_another_writes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read_bytes = journal(tmp_path), Path.read_bytes

    def read_while_another_writes(self: Path) -> bytes:
        found = read_bytes(self)
        with self.open("ab") as file:
            file.write(json.dumps(ROWS[0]).encode() + b"\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_while_another_writes)
        journal(tmp_path, ROWS[1], resume=True)
    assert read(path).rows == tuple(ROWS)


APPENDING = """
import json, sys
from pathlib import Path
from pytest_archbench.store import Journal
folder, row, name = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
journal = Journal(folder, {"run": "never"}, resume=True)
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    journal.append(row | {"family": f"{name} {number}"})
"""


def test_two_that_append_at_once_leave_whole_lines(tmp_path: Path) -> None:
    """A run locks its folder; should two meet all the same, no line of theirs is torn or lost."""
    journal(tmp_path)
    names = ("one", "other")
    text = json.dumps(ROWS[0] | {"notes": ["x" * 9_000]})
    with ExitStack() as stack:
        command = [sys.executable, "-c", APPENDING, str(tmp_path), text]
        both = [
            stack.enter_context(
                subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for name in names
        ]
        for writer in both:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in both:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
    assert [writer.returncode for writer in both] == [0, 0]
    found = [each["family"].split() for each in read(tmp_path).rows]
    for name in names:
        assert [number for whose, number in found if whose == name] == [str(number) for number in range(100)]
    assert len(found) == 200


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
small = {**row, "notes": []}
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
journal = Journal(folder, {"run": "full"})
written = 0
try:
    while True:
        journal.append(row)
        written += 1
except OSError as error:
    print(error.strerror)
assert len(read(folder).rows) == written > 3, written
assert journal.path.read_bytes().endswith(b"}\\n")
journal.append(small)  # what is small still fits
journal.close()
assert len(read(folder).rows) == written + 1  # and nothing is left of what did not
"""
DISK = 64 * 1024
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
    limit = str(DISK) if limited == "file size" else "0"
    padding = DISK // 10 - len(json.dumps(ROWS[0]))  # nine rows fit, and a small one beside the header
    entry = json.dumps(ROWS[0] | {"notes": [*MEASURED.notes, "x" * padding]})
    said = subprocess.run([*start, FILLING, str(tmp_path), entry, limit], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip() == ("File too large" if limited == "file size" else "No space left on device")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"torn", r":1: expected a header with the key 'run'; this is not an archbench journal"),
        (b'{"schema": 1, "ru\n', r":1: not a JSON object \(.*\); this is not an archbench journal"),
        (b"\n\n", r":1: expected a header with the key 'run'"),
        (b'{"schema": 1}\n', r":1: expected a header with the key 'run'"),
        (
            b'{"run": "a", "schema": 1}\nx\n',
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


def test_what_is_whole_of_a_damaged_journal_can_be_salvaged(tmp_path: Path) -> None:
    good = json.dumps(row(Measurement("resnet18", "params", "count", "ok", Conditions("cpu"), (5,)), ()))
    path = tmp_path / "damaged.jsonl"
    path.write_text("\n".join(['{"run": "a", "schema": 1}', good, "x", "{}", good, "[]", '{"torn']))
    run, damage = store.salvage(path)
    assert [row["architecture"] for row in run.rows] == ["resnet18", "resnet18"]
    assert [said.split(": ")[0].removeprefix(f"{path}:") for said in damage] == ["3", "4", "6"]


@pytest.mark.parametrize(
    "content",
    [
        b"x\ny\n",
        b"{}\n",
        b'{"run": "a", "schema": 1, "environment": 7}\n',
        b'{"run": "a", "schema": 1, "devices": []}\n',
        b'{"run": "a", "schema": 7}\n',
    ],
)
def test_of_what_is_no_journal_nothing_can_be_salvaged(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"foreign\.jsonl"):
        store.salvage(path)
