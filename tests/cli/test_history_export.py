"""``archbench history export``: what other tools read back is what was measured, to the last digit."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import journal, latency, macs, row

from pytest_archbench import ledger, nights, store
from pytest_archbench.cli import main
from pytest_archbench.records import Conditions, Measurement, Trial

HEAD = (
    "run,started,commit,dirty,architecture,metric,device,batch_size,input_shape,dtype,memory_format,runtime,threads,"
    "value,unit,uncertainty,level,normalised,processes,doubt,alarmed,convention,device_model,python,system,machine,"
    "kernel,torch,torchvision,timm"
)


def export(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["history", "export", str(folder), *arguments])


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def timed() -> dict[str, Any]:
    """A time of three processes: 0.4 s at best in each, of which the reference workload is an eighth."""
    trials = tuple(Trial((0.4,), (0.05,)) for _ in range(3))
    found = Measurement("resnet18", "latency", "s", "ok", Conditions("cpu"), (0.4,) * 3, trials=trials)
    return store.row(found, [])


def test_a_value_is_a_row_with_its_conditions_and_its_host(tmp_path: Path) -> None:
    journal(tmp_path / "1.jsonl", 1, timed(), macs(1814073344))
    journal(tmp_path / "2.jsonl", 2, macs(1814073345), row("latency", "s"), row("warmth", "K", 0.1 + 0.2))
    result = export(tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    commit = "01" + "c" * 38
    assert result.stdout.splitlines()[:3] == [
        HEAD,
        f'night-01,2026-01-01T03:00:00+00:00,{commit},,resnet18,latency,cpu,1,"[3, 224, 224]",float32,contiguous,eager,'
        "1,0.4,s,,8.0,true,3,,false,,EPYC,3.11.7,,,,2.14.0,,",
        f'night-01,2026-01-01T03:00:00+00:00,{commit},,resnet18,macs,cpu,1,"[3, 224, 224]",float32,contiguous,eager,'
        "1,1814073344,MAC,,1814073344,false,0,,false,,EPYC,3.11.7,,,,2.14.0,,",
    ]
    counted, warm = read(result.stdout)[2:]
    assert (counted["run"], counted["value"]) == ("night-02", "1814073345")
    assert (warm["value"], float(warm["value"]), warm["level"]) == ("0.30000000000000004", 0.1 + 0.2, "")


def test_a_file_holds_what_the_standard_output_says(tmp_path: Path) -> None:
    journal(tmp_path / "runs" / "1.jsonl", 1, timed(), macs(7))
    result = export(tmp_path / "runs", f"--out={tmp_path}/new/table.CSV")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}/new/table.CSV: 2 rows\n")
    assert (tmp_path / "new" / "table.CSV").read_text() == export(tmp_path / "runs").stdout
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.CSV"]


def test_pandas_reads_the_same_from_csv_and_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="Parquet is written by an extra: pip install 'pytest-archbench[parquet]'")
    monkeypatch.setattr(ledger, "GROUP", 4)  # so that three groups hold ten rows
    for night in range(1, 6):
        journal(tmp_path / "runs" / f"{night}.jsonl", night, latency(0.1 / 3 * night), macs(10**15 + night))
    for ending in ("csv", "parquet"):
        assert export(tmp_path / "runs", f"--out={tmp_path}/x.{ending}").stdout.endswith(": 10 rows\n")
    from pyarrow import parquet

    assert parquet.ParquetFile(tmp_path / "x.parquet").num_row_groups == 3
    one, other = pandas.read_csv(tmp_path / "x.csv"), pandas.read_parquet(tmp_path / "x.parquet")
    assert list(one.columns) == list(other.columns) == HEAD.split(",")
    for table in (one, other):
        assert table["value"].tolist()[::2] == [0.1 / 3 * night for night in range(1, 6)]
        assert table["value"].tolist()[1::2] == [10.0**15 + night for night in range(1, 6)]
        assert table["alarmed"].tolist() == [False] * 10
    assert other["dirty"].isna().all()
    assert other["batch_size"].dtype == "int64"


def test_kept_nights_can_be_cut_to_the_last(tmp_path: Path) -> None:
    for night in range(1, 4):
        nights.keep(nights.read(journal(tmp_path / f"{night}.jsonl", night, macs(night))), tmp_path / "kept")
    assert [each["value"] for each in read(export(tmp_path / "kept", "--last=2").stdout)] == ["2", "3"]


def test_each_host_of_a_merged_run_has_its_own_versions(tmp_path: Path) -> None:
    path = journal(tmp_path / "1.jsonl", 1, latency(0.1, device="nano"), latency(0.2))
    first, *rest = path.read_text().splitlines(keepends=True)
    board = {"model": "Nano", "environment": {"python": "3.6.9", "packages": {"torch": "1.10"}}}
    header = json.loads(first) | {"devices": {"nano": board, "cpu": {"model": "EPYC"}}, "dirty": True}
    path.write_text(json.dumps(header) + "\n" + "".join(rest))
    told = [
        (each["device_model"], each["python"], each["torch"], each["dirty"]) for each in read(export(tmp_path).stdout)
    ]
    assert told == [("Nano", "3.6.9", "1.10", "true"), ("EPYC", "3.11.7", "2.14.0", "true")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out=x.parqet"], "expected a name that ends in .csv or .parquet; got '.parqet': did you mean .parquet?"),
        (["--out=x"], "expected a name that ends in .csv or .parquet; got '': known: .csv, .parquet"),
        (["--out=1.jsonl/x.csv"], "--out 1.jsonl/x.csv: cannot be written: "),
        (["--last=-1"], "-1 is not in the range x>=0"),
    ],
)
def test_a_mistake_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    journal(tmp_path / "1.jsonl", 1, macs(7))
    monkeypatch.chdir(tmp_path)
    result = export(Path(), *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["1.jsonl"]


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal(tmp_path / "runs" / "1.jsonl", 1, macs(7))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_text("as it was")
    result = export(tmp_path / "runs", f"--out={tmp_path}/x.parquet")
    assert result.exit_code == 2
    assert "Parquet needs pyarrow, which is not here: pip install 'pytest-archbench[parquet]', or name a .csv" in (
        result.stderr
    )
    assert (tmp_path / "x.parquet").read_text() == "as it was"


def test_a_damaged_journal_is_named_and_the_rest_is_written(tmp_path: Path) -> None:
    journal(tmp_path / "1.jsonl", 1, macs(7))
    (tmp_path / "2.jsonl").write_text("[]\n")
    result = export(tmp_path)
    assert (result.exit_code, len(read(result.stdout))) == (0, 1)
    assert result.stderr == f"left out: {tmp_path}/2.jsonl:1: expected a JSON object; got list\n"


def test_an_empty_history_is_a_table_without_rows(tmp_path: Path) -> None:
    assert export(tmp_path).stdout == f"{HEAD}\n"


@settings(max_examples=40, deadline=None)
@given(st.text(), st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_number_come_back_whole(
    tmp_path_factory: pytest.TempPathFactory, convention: str, version: str, value: float
) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = journal(folder / "1.jsonl", 1, latency(value, convention=convention, imprecise=version), torch=version)
    path.rename(folder / "run.jsonl")
    found = read(export(folder).stdout)
    assert [each["run"] for each in found] == ["night-01"]
    assert float(found[0]["value"]) == value
    for name, text in (("convention", convention), ("doubt", version), ("torch", version)):
        assert found[0][name] == "".join(sign if sign.isprintable() else " " for sign in text)
