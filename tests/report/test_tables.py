"""The tables: exact in their files, readable on the page."""

from __future__ import annotations

import pandas as pd
import pytest
from report_data import HEADER, Run, evaluated, published, row

from pytest_archbench.report import frames, tables
from pytest_archbench.report.tables import TABLES, Table, sheet


def test_times_are_a_line_for_each_network_and_a_column_for_each_batch_size() -> None:
    rows = [row("a", "latency", 0.010, batch_size=1), row("a", "latency", 0.032, batch_size=8)]
    rows += [row("b", "latency", 0.004, batch_size=8), row("a", "latency", 1.0, device="mps")]
    (found,) = TABLES["times"](frames.networks(Run(HEADER, tuple(rows))))
    assert found.title == "Time per image [ms/img]: cpu, float32, 1 thread, contiguous, eager"
    assert list(found.frame.columns) == ["Network", "batch 1", "batch 8"]
    assert found.frame["Network"].tolist() == ["a", "b"]
    assert found.frame["batch 8"].tolist() == pytest.approx([4.0, 0.5])
    assert sheet("times_0", found).rows == (("a", "10.00", "4.00"), ("b", "–", "0.500"))


def test_times_of_two_inputs_or_of_two_sources_are_lines_of_their_own() -> None:
    sizes = [
        row("a", "latency", 0.01, batch_size=batch, input_shape=[3, side, side])
        for batch in (1, 8)
        for side in (32, 64)
    ]
    networks = frames.networks(Run(HEADER, tuple(sizes)))
    (found,) = TABLES["times"](networks)
    assert found.frame["Network"].tolist() == ["a @32", "a @64"]
    (both,) = TABLES["times"](pd.concat([networks, networks.assign(origin="zoo", latency=1.0)]))
    assert both.frame["Network"].tolist() == ["a @32 (measured)", "a @64 (measured)", "a @32 (zoo)", "a @64 (zoo)"]


def test_one_batch_size_is_no_table_of_times() -> None:
    assert list(TABLES["times"](frames.networks(Run(HEADER, (row("a", "latency", 0.1),))))) == []


def network(name: str, seconds: float, gib: float) -> list[dict[str, object]]:
    return [row(name, "latency", seconds), row(name, "peak_memory", gib * 2**30)]


def test_limits_are_a_line_for_each_memory_and_rank_and_a_column_for_each_speed() -> None:
    # 20, 40 and 100 images a second; 0.5, 0.9 and 1.2 GiB.
    rows = [*network("slow", 0.05, 0.5), *network("middle", 0.025, 0.9), *network("fast", 0.01, 1.2)]
    accuracies = [published("slow", 0.8), published("middle", 0.7), published("fast", 0.6)]
    (found,) = TABLES["limits"](frames.networks(Run(HEADER, tuple(rows)), accuracies))
    assert found.title == "The most accurate networks under limits: cpu, batch 1"
    assert sheet("limits_0", found).heads == ("Memory", "Rank", "≥ 15 img/s", "≥ 30 img/s", "≥ 60 img/s")
    assert sheet("limits_0", found).rows == (
        ("≤ 0.7 GiB", "1", "slow 80.00", "", ""),
        ("≤ 1 GiB", "1", "slow 80.00", "middle 70.00", ""),
        ("≤ 1 GiB", "2", "middle 70.00", "", ""),
        ("≤ 1.4 GiB", "1", "slow 80.00", "middle 70.00", "fast 60.00"),
        ("≤ 1.4 GiB", "2", "middle 70.00", "fast 60.00", ""),
        ("≤ 1.4 GiB", "3", "fast 60.00", "", ""),
    )
    assert len(found.frame) == 10
    assert found.frame["peak_memory"].iloc[0] == 0.5 * 2**30


def test_an_empty_run_has_no_tables() -> None:
    empty = frames.networks(Run({}, ()))
    assert [found for make in TABLES.values() for found in make(empty)] == []


def test_text_of_a_table_is_what_a_document_can_carry() -> None:
    texts = pd.Series(["b\ud800", None], dtype=object)  # where pyarrow is, no other column holds it
    shown = sheet("x", Table("T\x00", pd.DataFrame({"a\x1b": texts, "n": [1e-7, float("nan")]})))
    assert (shown.title, shown.heads) == ("T\ufffd", ("a\ufffd", "n"))
    assert shown.rows == (("b\ufffd", "0.000000100"), ("–", "–"))
    assert tables.sheet("y", Table("T", pd.DataFrame({"n": [3]}))).rows == (("3",),)


def test_limits_of_accuracies_of_other_data_are_tables_of_their_own() -> None:
    rows = [row(name, metric, value) for name in "ab" for metric, value in (("latency", 0.01), ("peak_memory", 2**20))]
    rows += [evaluated("a", "digits", 0.97, 360), evaluated("b", "imagenet", 0.7, 500)]
    titles = [found.title for found in TABLES["limits"](frames.networks(Run(HEADER, tuple(rows))))]
    base = "The most accurate networks under limits: cpu, batch 1"
    assert titles == [f"{base} (top-1 on digits)", base]
