"""What was published on other devices beside what was measured: the same topology, input and batch size, or nothing."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from page_data import html_of
from report_data import EVIL, HEADER, Run, many, row

from pytest_archbench.records import Baseline
from pytest_archbench.references import Reference
from pytest_archbench.report import Literature, beside, frames, render, text
from pytest_archbench.report.beside import Beside

CARD = Reference("card", "A Card", "gpu", "paper", ("a card",), dtype="float32", software="toolkit 1")
BOARD = Reference("board", "A Board", "board", "other", ("a board",), runtime="Caffe", memory="as the driver says")
DEVICES = (CARD, BOARD)


def figure(device: str, value: float, batch_size: int = 1, **more: object) -> Baseline:
    """A time of a whole batch of the network ``net`` at 224 pixels, in seconds; printed as the time of an image."""
    given = Baseline(
        architecture="net",
        metric="latency",
        value=value,
        precision=0.000005 * batch_size,
        unit="s",
        printed=f"{value / batch_size * 1e3:.2f}",
        printed_unit="ms",
        source="paper" if device == "a card" else "other",
        reference="Table 1, Net",
        input_size=224,
        device=device,
        batch_size=batch_size,
    )
    return replace(given, **more)  # type: ignore[arg-type]


def found(run: Run, *figures: Baseline, devices: tuple[Reference, ...] = DEVICES) -> Beside:
    near = beside.of(frames.networks(run), figures, devices)
    assert near is not None
    return near


def timed(*rows: dict[str, object]) -> Run:
    return Run(HEADER, (row("net", "latency", 0.012), row("net", "latency", 0.080, batch_size=8), *rows))


def cells(near: Beside, place: int = 0) -> list[list[str]]:
    return [[name, *(cell.text for cell in line)] for name, line in near.comparisons[place].rows]


def test_a_time_of_a_batch_stands_as_the_time_of_an_image_on_both_sides() -> None:
    near = found(timed(), figure("a card", 0.005), figure("a card", 0.016, 8), figure("a board", 0.1))
    assert [each.title for each in near.comparisons] == [
        "Time per image [ms/img], batch 1",
        "Time per image [ms/img], batch 8",
    ]
    assert near.comparisons[0].heads == (
        ("cpu", "measured here"),
        ("card", "float32, toolkit 1"),
        ("board", "dtype not stated, Caffe"),
    )
    assert cells(near, 0) == [["net", "12.00", "5.00", "100.00"]]
    assert cells(near, 1) == [["net", "10.00", "2.00"]]  # 80 ms and 16 ms for eight images; no board at batch 8
    assert near.comparisons[0].rows[0][1][1].told == "5.00 ms as printed, Net"


def test_all_numbers_are_in_the_file_unrounded_with_their_place() -> None:
    third = figure("a card", 0.01 / 3, note="average of 5")
    near = found(timed(), third)
    records = [*csv.DictReader(io.StringIO(frames.csv_text(near.frame)))]
    assert [(each["device"], each["origin"], each["batch_size"], each["unit"]) for each in records] == [
        ("cpu", "measured", "1", "s"),
        ("card", "paper", "1", "s"),
        ("cpu", "measured", "8", "s"),
    ]
    assert float(records[1]["value"]) == 0.01 / 3
    assert float(records[2]["value"]) == 0.080 / 8
    assert (records[1]["printed"], records[1]["printed_unit"], records[1]["reference"]) == (
        "3.33",
        "ms",
        "Table 1, Net",
    )
    assert (records[1]["conditions"], records[1]["note"]) == ("float32, toolkit 1", "average of 5")


@pytest.mark.parametrize(
    "other",
    [
        {"architecture": "another"},
        {"input_size": 299},
        {"input_size": None},
        {"batch_size": None},
        {"metric": "constrained_rank"},
        {"source": "third"},
    ],
)
def test_what_is_of_something_else_does_not_stand_beside(other: dict[str, object]) -> None:
    run = Run(HEADER, (row("net", "latency", 0.012),))
    near = found(run, figure("a board", 0.1), replace(figure("a card", 0.001), **other))  # type: ignore[arg-type]
    assert near.comparisons[0].heads == (("cpu", "measured here"), ("board", "dtype not stated, Caffe"))
    assert near.elsewhere == ""


def test_other_batch_sizes_are_said_and_not_compared() -> None:
    more = row("slow", "latency", 0.5, topology="slow")
    near = found(timed(more), figure("a board", 0.1), figure("a card", 0.4, 128), figure("a card", 0.2, 64))
    assert near.elsewhere == (
        "Published at other batch sizes only, and not compared: card (time per image at batch 64, 128)."
    )
    assert [each.device.name for each in near.cited] == ["board"]
    assert near.comparisons[0].note == "Nothing was published at this batch size of slow."
    both = found(
        timed(), figure("a card", 0.005), figure("a board", 0.1), figure("a board", 0.9, 8), figure("a card", 9, 64)
    )
    assert both.elsewhere == ""
    (line,) = both.comparisons[1].rows
    assert [head[0] for head in both.comparisons[1].heads] == ["cpu", "board"], "no column without a figure"
    assert [cell.text for cell in line[1]] == ["10.00", "112.50"]


def test_an_empty_cell_says_where_there_are_figures() -> None:
    rows = (row("two", "latency", 0.02, topology="two"),)
    near = found(timed(*rows), figure("a card", 0.005), figure("a card", 1.0, 64, architecture="two"),
                 figure("a board", 0.1, architecture="two"))  # fmt: skip
    assert cells(near) == [["net", "12.00", "5.00", ""], ["two", "20.00", "", "100.00"]]
    assert near.comparisons[0].rows[1][1][1].told == "not published at this batch size, but at 64"
    assert near.comparisons[0].rows[0][1][2].told == "not published"


def test_of_one_name_the_value_with_the_most_places_counts_and_other_names_stand_beside_it() -> None:
    coarse = figure("a card", 0.01, precision=0.005, reference="Fig. 2, Net")
    other = figure("a card", 0.5, precision=0.0005, reference="Table 1, Net (slow layer)", printed="500")
    near = found(timed(), coarse, figure("a card", 0.01234), other)
    assert cells(near) == [["net", "12.00", "12.34 / 500"]]


@pytest.mark.parametrize(
    ("value", "precision", "shown"),
    [(1.246, 0.0005, "1246"), (0.0458, 0.00005, "45.8"), (0.00134, 0.000005, "1.34"), (0.1, 0.002, "100")],
)
def test_a_figure_has_the_places_that_it_prints(value: float, precision: float, shown: str) -> None:
    near = found(timed(), figure("a card", value, precision=precision))
    assert cells(near) == [["net", "12.00", shown]]


def test_rates_and_memory_are_tables_of_their_own() -> None:
    run = Run(HEADER, (row("net", "throughput", 80.0), row("net", "peak_memory", 3 * 2**20)))
    rate = figure("a card", 200.0, metric="throughput", unit="img/s", precision=0.5)
    memory = figure("a board", 2.0**30, metric="peak_memory", unit="B", precision=2.0**20 / 2)
    near = found(run, rate, memory)
    assert [each.title for each in near.comparisons] == ["Throughput [img/s], batch 1", "Peak memory [MiB], batch 1"]
    assert (cells(near, 0), cells(near, 1)) == ([["net", "80.0", "200"]], [["net", "3.00", "1024"]])
    assert near.comparisons[1].heads[1] == ("board", "as the driver says")


def test_memory_of_a_whole_process_stands_beside_what_is_published_as_that() -> None:
    """Both include the context of the process; what torch's allocator gave out, beside it, does not."""
    run = Run(HEADER, (row("net", "peak_memory", 200 * 2.0**20), row("net", "device_memory", 800 * 2.0**20)))
    published = figure("a board", 0.75 * 2**30, metric="peak_memory", unit="B", precision=2.0**30 / 200)
    near = found(run, replace(published, printed="0.75", printed_unit="GiB"))
    titles = [each.title for each in near.comparisons]
    assert titles == ["Peak memory [MiB], batch 1", "Device memory [MiB], batch 1"]
    assert cells(near, titles.index("Device memory [MiB], batch 1"))[0][:2] == ["net", "800.0"]
    assert near.comparisons[1].heads[1] == ("board", "as the driver says")


def test_devices_and_variants_of_the_run_each_have_a_column() -> None:
    rows = (
        row("net", "latency", 0.002, device="cuda:0"),
        row("net", "latency", 0.001, device="cuda:0", dtype="bfloat16", runtime="compile"),
        row("two", "latency", 0.02, topology="two", device="cuda:0"),
    )
    near = found(timed(*rows), figure("a card", 0.005), figure("a card", 0.006, architecture="two"))
    assert [head[0] for head in near.comparisons[0].heads] == ["cpu", "cuda:0", "cuda:0, compile-bfloat16", "card"]
    assert cells(near) == [["net", "12.00", "2.00", "1.00", "5.00"], ["two", "–", "20.00", "–", "6.00"]]


def test_inputs_of_several_sizes_are_told_apart() -> None:
    rows = tuple(row("net", "latency", side / 1e4, input_shape=[3, side, side]) for side in (128, 224))
    near = found(Run(HEADER, rows), figure("a card", 0.005), figure("a card", 0.002, input_size=128))
    assert cells(near) == [["net @128", "12.80", "2.00"], ["net @224", "22.40", "5.00"]]


def test_nothing_stands_beside_counts_or_where_no_device_is_known() -> None:
    counted = frames.networks(Run(HEADER, (row("net", "params", 5),)))
    assert beside.of(counted, [figure("a card", 0.005)], DEVICES) is None
    assert beside.of(frames.networks(timed()), [], DEVICES) is None
    assert beside.of(frames.networks(timed()), [figure("a card", 0.005)], [BOARD]) is None


def test_where_nothing_compares_the_page_says_so() -> None:
    near = found(timed(), figure("a card", 0.4, 128))
    assert near.comparisons == ()
    page = html_of(timed(), near=near)
    assert "Nothing of what was measured was published for these devices at the same input and batch size." in page
    assert "and not compared: card (time per image at batch 128)." in page
    assert "Beside published devices" not in text.summary(timed(), frames.networks(timed()), near)


def literature(*figures: Baseline, shown: tuple[str, ...] = ()) -> Literature:
    return Literature(figures, {"bianco2018": "https://example.org/bianco"}, shown=shown)


TITAN = "NVIDIA Titan X Pascal (Titan Xp), 3840 CUDA cores"


def test_the_report_has_it_on_the_page_in_the_summary_and_in_a_file(tmp_path: Path) -> None:
    titan = figure(TITAN, 0.005, source="bianco2018")
    render(timed(), tmp_path, literature(titan, figure("GTX 1080, cuDNN 5.1.05", 0.003, source="jcjohnson")))
    page, summary = ((tmp_path / name).read_text(encoding="utf-8") for name in ("index.html", "summary.md"))
    assert beside.SAID in page
    assert beside.SAID in summary
    assert "| Network | cpu | titan-xp | " in summary, "jcjohnson is shown where it is asked for"
    assert "| `net` | 12.00 | 5.00 | " in summary
    assert '<td title="5.00 ms as printed, Net">5.00</td>' in page
    assert '<a href="https://example.org/bianco" rel="noopener noreferrer">bianco2018</a>: Table 1' in page
    written = (tmp_path / "tables/beside_published.csv").read_text(encoding="utf-8")
    assert written.splitlines()[2].startswith("image_latency,net,224,1,titan-xp,bianco2018,0.005,s,5.00,ms,")
    render(Run(HEADER, (row("net", "params", 5),)), tmp_path, literature(titan))
    assert not (tmp_path / "tables/beside_published.csv").exists()
    assert "Beside published devices" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_source_that_is_shown_brings_its_devices(tmp_path: Path) -> None:
    other = figure("GTX 1080, cuDNN 5.1.05", 0.003, source="jcjohnson")
    render(timed(), tmp_path, literature(other, shown=("jcjohnson",)))
    assert "| Network | cpu | gtx-1080 | " in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_hostile_names_are_text() -> None:
    run = Run(HEADER, (row(EVIL, "latency", 0.012, topology="net", device=EVIL),))
    near = found(run, figure("a card", 0.005, note=EVIL, reference=f"{EVIL}, {EVIL}"))
    tame = found(timed(), figure("a card", 0.005))
    pages = html_of(run, near=near), html_of(timed(), near=tame)
    assert pages[0].count("<script") == pages[1].count("<script")
    assert "<img" not in pages[0]
    heads = next(line for line in text.summary(run, frames.networks(run), near).splitlines() if "| card |" in line)
    assert "&lt;img" in heads
    assert "<img" not in heads


def test_the_summary_stays_below_its_limit_with_many_networks() -> None:
    run, _ = many(400, 30)
    figures = [figure("a card", 0.005, architecture=f"network_{index}_of_some_kind") for index in range(400)]
    near = found(run, *figures)
    assert len(near.comparisons[0].rows) == 400
    said = text.summary(run, frames.networks(run), near)
    assert len(said.encode()) < text.LIMIT
    assert "more" in said.partition("Beside published devices")[2]
