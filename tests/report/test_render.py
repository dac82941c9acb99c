"""``render``: the files it leaves, whole, and the same for the same run."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest
from report_data import HEADER, SOURCES, Run, many, row, small

from pytest_archbench import report

FILES = {
    "index.html",
    "summary.md",
    "measurements.csv",
    *(
        f"figures/{name}.{kind}"
        for name in ("ball_chart", "accuracy_density", "latency_operations")
        for kind in ("png", "svg")
    ),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_every_file_and_says_so(tmp_path: Path) -> None:
    run, figures = small()
    written = report.render(run, tmp_path, figures, SOURCES)
    assert {path.relative_to(tmp_path).as_posix() for path in written} == FILES == set(contents(tmp_path))


def test_the_same_run_gives_the_same_files(tmp_path: Path) -> None:
    run, figures = small()
    report.render(run, tmp_path / "one", figures, SOURCES)
    report.render(run, tmp_path / "two", iter(figures), SOURCES)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_it_replaces_an_earlier_report(tmp_path: Path) -> None:
    run, figures = small()
    report.render(run, tmp_path, figures)
    report.render(Run({}, ()), tmp_path)
    assert "This run has no measurements." in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert b"network-" not in (tmp_path / "figures/ball_chart.svg").read_bytes()
    assert set(contents(tmp_path)) == FILES


def test_a_disk_that_cannot_be_written_raises(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(OSError, match="figures"):
        report.render(*small_at(tmp_path))


def small_at(folder: Path) -> tuple[Run, Path]:
    return small()[0], folder


def test_the_table_of_measurements_has_a_line_for_each_case(tmp_path: Path) -> None:
    run, _ = small()
    report.render(run, tmp_path)
    with (tmp_path / "measurements.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(run.rows)
    assert lines[4]["p90"] == "0.038"  # of 0.02, 0.03, 0.04: position 1.8, so 0.03 + 0.8 * 0.01


@pytest.mark.parametrize("kept", range(8))
def test_a_run_that_was_cut_short_is_rendered(kept: int, tmp_path: Path) -> None:
    run, figures = small()
    report.render(Run(run.header, run.rows[:kept]), tmp_path, figures, SOURCES)
    assert set(contents(tmp_path)) == FILES


def test_fourteen_hundred_networks_take_seconds_and_megabytes(tmp_path: Path) -> None:
    run, figures = many(1400, families=80)
    started = time.process_time()
    report.render(run, tmp_path, figures, SOURCES)
    assert time.process_time() - started < 30
    assert (tmp_path / "index.html").stat().st_size < 6e6
    assert (tmp_path / "summary.md").stat().st_size < 60e3


def test_messages_of_any_length_do_not_swell_the_page(tmp_path: Path) -> None:
    rows = tuple(row(f"net{n}", "latency", status="crashed", message="trace " * 5000) for n in range(400))
    report.render(Run(HEADER, rows), tmp_path)
    assert (tmp_path / "index.html").stat().st_size < 1e6
    assert "and 150 more" in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def imported() -> set[str]:
    """Modules that importing the report brings along, in an interpreter of its own."""
    program = "import sys, pytest_archbench.report; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def test_the_room_needs_neither_torch_nor_pytest_nor_global_figures(imported: set[str]) -> None:
    assert not imported & {
        "torch",
        "pytest",
        "matplotlib.pyplot",
        "pytest_archbench.devices",
        "pytest_archbench.meters",
    }
