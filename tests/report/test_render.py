"""``render``: the files it leaves, whole, and the same for the same run."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure
from report_data import HEADER, SOURCES, Run, many, published, row, small

from pytest_archbench import report
from pytest_archbench.records import Baseline
from pytest_archbench.report.drawing import Axis, Drawing, Panel
from pytest_archbench.report.own import Give

DRAWN = {
    "ball_chart",
    "ball_chart_linear",
    "top1_params",
    "top1_throughput",
    "latency_operations",
    "density_top1",
    "top1_networks",
    "accuracy_density",
    "operation_density",
    "operations_networks",
    "params_networks",
    "time_networks",
}
"""The figures of the small run: it has no energy, no memory, one batch size and no training."""
ALWAYS = {"index.html", "summary.md", "measurements.csv", "networks.csv"}
FILES = ALWAYS | {f"figures/{name}.{kind}" for name in DRAWN for kind in ("png", "svg", "pdf")}


def render(run: Run, folder: Path, figures: Iterable[Baseline] = (), give: Give | None = None) -> list[Path]:
    return report.render(run, folder, report.Literature(tuple(figures), SOURCES), give).paths


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_every_file_and_says_so(tmp_path: Path) -> None:
    run, figures = small()
    written = render(run, tmp_path, figures)
    assert {path.relative_to(tmp_path).as_posix() for path in written} == FILES == set(contents(tmp_path))


def test_the_same_run_gives_the_same_files(tmp_path: Path) -> None:
    run, figures = small()
    render(run, tmp_path / "one", figures)
    render(run, tmp_path / "two", figures)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_it_replaces_an_earlier_report(tmp_path: Path) -> None:
    run, figures = small()
    render(run, tmp_path, figures)
    render(Run({}, ()), tmp_path)
    assert "This run has no measurements." in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert set(contents(tmp_path)) == ALWAYS


def test_a_file_of_somebody_elses_beside_the_figures_stays(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/mine.png").write_bytes(b"mine")
    render(Run({}, ()), tmp_path)
    assert (tmp_path / "figures/mine.png").read_bytes() == b"mine"


def test_a_disk_that_cannot_be_written_raises(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(OSError, match="figures"):
        render(*small_at(tmp_path))


def small_at(folder: Path) -> tuple[Run, Path]:
    return small()[0], folder


def test_the_table_of_measurements_has_a_line_for_each_case(tmp_path: Path) -> None:
    run, _ = small()
    render(run, tmp_path)
    with (tmp_path / "measurements.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(run.rows)
    assert lines[4]["p90"] == "0.038"  # of 0.02, 0.03, 0.04: position 1.8, so 0.03 + 0.8 * 0.01


@pytest.mark.parametrize("kept", range(8))
def test_a_run_that_was_cut_short_is_rendered(kept: int, tmp_path: Path) -> None:
    run, figures = small()
    render(Run(run.header, run.rows[:kept]), tmp_path, figures)
    assert set(contents(tmp_path)) >= ALWAYS
    assert set(contents(tmp_path)) <= FILES


@pytest.mark.slow
def test_fourteen_hundred_networks_take_seconds_and_megabytes(tmp_path: Path) -> None:
    run, figures = many(1400, families=80)
    started = time.process_time()
    render(run, tmp_path, figures)
    assert time.process_time() - started < 30
    assert (tmp_path / "index.html").stat().st_size < 6e6
    assert (tmp_path / "summary.md").stat().st_size < 60e3


def test_messages_of_any_length_do_not_swell_the_page(tmp_path: Path) -> None:
    rows = tuple(row(f"net{n}", "latency", status="crashed", message="trace " * 5000) for n in range(400))
    render(Run(HEADER, rows), tmp_path)
    assert (tmp_path / "index.html").stat().st_size < 3e6
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


def test_published_networks_stand_beside_the_runs(tmp_path: Path) -> None:
    run, figures = small()
    others = [published("vgg16", 0.7163), published("vgg16", 138e6, metric="params"), *figures]
    literature = report.Literature(tuple(others), SOURCES, {"vgg16": "vgg"}, ("bianco2018",))
    networks = report.together(run, literature)
    beside = networks[networks["origin"] == "bianco2018"]
    assert list(beside["architecture"]) == ["vgg16", "alexnet", "resnet50"]  # resnet18 was published by another
    assert list(beside["family"]) == ["vgg", "alexnet", "resnet"]
    assert list(networks.index) == list(range(len(networks)))
    report.render(run, tmp_path, literature)
    with (tmp_path / "networks.csv").open(encoding="utf-8", newline="") as file:
        lines = {(line["origin"], line["architecture"]): line for line in csv.DictReader(file)}
    assert lines["bianco2018", "vgg16"]["params"] == "138000000.0"
    assert lines["measured", "resnet18"]["top1_source"] == "torchvision"


def test_a_user_adds_figures_and_tables_in_one_function(tmp_path: Path) -> None:
    def give(networks: pd.DataFrame) -> dict[str, Any]:
        picture = Figure()
        picture.add_subplot().plot(networks["params"], networks["macs"], "o")
        return {
            "Parameters & operations": picture,
            "Latency by family": networks.groupby("family")["latency"].median(),
            "Smallest": networks.nsmallest(1, "params")[["architecture", "params"]],
            "Ours by size": report.bars(networks, "params"),
        }

    run, figures = small()
    written = {path.relative_to(tmp_path).as_posix() for path in render(run, tmp_path, figures, give)}
    assert {f"figures/own_parameters_operations.{kind}" for kind in ("png", "svg", "pdf")} <= written
    assert "figures/own_ours_by_size.svg" in written
    assert (tmp_path / "tables/own_latency_by_family.csv").read_text() == "family,latency\nalexnet,\nresnet,0.03\n"
    assert (tmp_path / "tables/own_smallest.csv").read_text() == "architecture,params\nresnet18,11700000.0\n"
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Parameters &amp; operations" in page
    assert "Ours by size" in page
    render(run, tmp_path, figures)
    assert not list(tmp_path.rglob("own_*"))


def unwritable() -> Figure:
    """A figure whose formula matplotlib finds wrong only as it is saved."""
    picture = Figure()
    picture.text(0.5, 0.5, r"$\frac{$")
    return picture


def test_titles_that_differ_in_signs_alone_have_files_of_their_own(tmp_path: Path) -> None:
    def give(networks: pd.DataFrame) -> dict[str, Any]:
        table = pd.DataFrame({"params": [1.5]}, index=pd.Index([7], name="params"))
        return {"A b": report.bars(networks, "params"), "A-b": report.bars(networks, "macs"), "../a b": table}

    run, figures = small()
    written = {path.relative_to(tmp_path).as_posix() for path in render(run, tmp_path, figures, give)}
    assert {"figures/own_a_b.svg", "figures/own_a_b_2.svg", "tables/own_a_b_3.csv"} <= written
    assert (tmp_path / "tables/own_a_b_3.csv").read_text() == "params,params\n7,1.5\n"
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert [page.count(f'<figure id="{name}">') for name in ("own_a_b", "own_a_b_2")] == [1, 1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Mine": 7}, "Mine: expected a matplotlib Figure, a pandas DataFrame or Series"),
        ({"Mine": ZeroDivisionError("division by zero")}, "Mine: ZeroDivisionError: division by zero"),
        (None, "pytest_archbench_report: TypeError: expected figures and tables by title; got NoneType"),
        ({"Mine": Drawing("bars", Axis("params"), (Panel((77,)),))}, "Mine: ValueError: the drawing has rows [77]"),
        ({"Mine": Drawing("balls", Axis("params"), (Panel((0, 0)),), Axis("macs"))}, "Mine: InvalidIndexError: "),
        ({"Mine": unwritable()}, "Mine: ValueError: "),
    ],
)
def test_what_a_users_function_does_wrong_is_said_and_the_report_is_whole(
    given: object, said: str, tmp_path: Path
) -> None:
    run, figures = small()
    rendered = report.render(run, tmp_path, report.Literature(tuple(figures)), lambda _: given)
    (failure,) = rendered.failures
    assert failure.startswith(said)
    assert said.split("(")[0] in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert set(contents(tmp_path)) == FILES


def test_a_users_figure_may_have_any_style(tmp_path: Path) -> None:
    run, _ = small()

    def give(_: pd.DataFrame) -> dict[str, Any]:
        with mpl.rc_context({"axes.facecolor": "black"}):
            picture = Figure()
            picture.add_subplot().plot([1, 2])
        return {"Black": picture}

    render(run, tmp_path, (), give)
    assert b"#000000" in (tmp_path / "figures/own_black.svg").read_bytes()


def test_the_users_function_cannot_change_what_is_drawn(tmp_path: Path) -> None:
    run, figures = small()

    def give(networks: pd.DataFrame) -> dict[str, Any]:
        networks["params"] = 1.0
        return {}

    render(run, tmp_path / "one", figures, give)
    render(run, tmp_path / "two", figures)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
