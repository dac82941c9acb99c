"""Figures and tables drawn from the published figures alone, beside the papers' own numbers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomli

from pytest_archbench import baselines
from pytest_archbench.report import fits
from pytest_archbench.report.figures import FIGURES
from pytest_archbench.report.published import published
from pytest_archbench.report.tables import TABLES

DATA = Path(__file__).parents[2] / "baselines/published"
TITAN, JETSON = "NVIDIA Titan X Pascal (Titan Xp), 3840 CUDA cores", "NVIDIA Jetson TX1"


def printed(source: str, metric: str, **where: Any) -> dict[str, list[Decimal]]:
    """What a source prints of a metric by its architecture, as the file has it: nothing of ours has read it."""
    figures = tomli.loads((DATA / f"{source}.toml").read_text(encoding="utf-8"))["published"]["figures"]
    found: dict[str, list[Decimal]] = {}
    for figure in figures:
        if figure["metric"] == metric and all(figure.get(key) == value for key, value in where.items()):
            found.setdefault(figure["architecture"], []).append(Decimal(figure["value"]))
    return found


@pytest.fixture(scope="module")
def of() -> dict[str, pd.DataFrame]:
    """The frame of each source."""
    names = ("bianco2018", "canziani2016", "bertmoons", "hei4")
    return {name: published(baselines.read(DATA / f"{name}.toml")[1]) for name in names}


def drawn(of: dict[str, pd.DataFrame], source: str, name: str) -> pd.DataFrame:
    """The rows of a figure's only panel, in the order they are drawn."""
    (panel,) = FIGURES[name](of[source]).panels
    found: pd.DataFrame = of[source].loc[list(panel.rows)]
    return found


@pytest.mark.parametrize("name", ["ball_chart", "ball_chart_linear"])
def test_canziani_fig_2_has_its_balls_where_the_paper_has_them(of: dict[str, pd.DataFrame], name: str) -> None:
    operations, top1 = printed("canziani2016", "flops"), printed("canziani2016", "top1_accuracy")
    params = printed("canziani2016", "params")
    rows = drawn(of, "canziani2016", name)
    assert len(rows) == 14
    for row in rows.to_dict("records"):
        key = row["architecture"]
        # Their operations count a multiplication and an addition as two.
        assert row["macs"] * 2 / 1e9 == pytest.approx(float(operations[key][0]))
        assert row["top1"] * 100 == pytest.approx(float(top1[key][0]))
        assert row["params"] / 1e6 == pytest.approx(float(params[key][0]))


def test_canziani_fig_10_follows_from_fig_2(of: dict[str, pd.DataFrame]) -> None:
    """The density that is printed, against top-1 over parameters as read off the other chart: both to 0.01."""
    density = printed("canziani2016", "top1_accuracy_density")
    rows = of["canziani2016"]
    reckoned = dict(zip(rows["architecture"], rows["top1"] * 100 / (rows["params"] / 1e6), strict=True))
    assert len(density) == 13
    for key, (value,) in density.items():
        assert reckoned[key] == pytest.approx(float(value), rel=0.006)
    bars = drawn(of, "canziani2016", "accuracy_density")
    best_first = sorted(density, key=lambda key: -density[key][0])
    assert [key for key in bars["architecture"] if key in density] == best_first


def test_moons_bars_are_its_numbers(of: dict[str, pd.DataFrame]) -> None:
    weights = printed("bertmoons", "params")
    bars = drawn(of, "bertmoons", "params_networks")
    assert list(bars["params"]) == sorted(bars["params"])
    assert len(bars) == sum(map(len, weights.values())) == 26  # MobileNet at four sizes of its input
    for row in bars.to_dict("records"):
        assert row["params"] / 1e6 == pytest.approx(float(weights[row["architecture"]][0]))


@pytest.mark.parametrize("device", [TITAN, JETSON])
def test_bianco_table_1_is_drawn_cell_by_cell(of: dict[str, pd.DataFrame], device: str) -> None:
    (table,) = (each for each in TABLES["times"](of["bianco2018"]) if each.title.endswith(device))
    assert list(table.frame.columns[1:]) == [f"batch {size}" for size in (1, 2, 4, 8, 16, 32, 64)]
    cells = 0
    for size in (1, 2, 4, 8, 16, 32, 64):
        times = printed("bianco2018", "inference_time_per_image", device=device, batch_size=size)
        column = dict(zip(table.frame["Network"], table.frame[f"batch {size}"], strict=True))
        assert {key for key, value in column.items() if not pd.isna(value)} == set(times)
        for key, (value,) in times.items():
            assert column[key] == pytest.approx(float(value), rel=1e-12)
            cells += 1
    assert cells == {TITAN: 308, JETSON: 264}[device]


def test_bianco_fig_1_and_2(of: dict[str, pd.DataFrame]) -> None:
    rows = drawn(of, "bianco2018", "ball_chart")
    operations, top5 = printed("bianco2018", "macs"), printed("bianco2018", "top5_accuracy")
    assert len(rows) == len(drawn(of, "bianco2018", "top5_operations")) == 44
    density = printed("bianco2018", "top1_accuracy_density")
    for row in rows.to_dict("records"):
        key = row["architecture"]
        assert row["macs"] / 1e9 == pytest.approx(float(operations[key][0]))
        assert row["top5"] * 100 == pytest.approx(float(top5[key][0]))
        assert row["accuracy_density"] == pytest.approx(float(density[key][0]))
    # "NASNet-A-Large reaches the highest accuracy", "the SqueezeNets use their parameters best" (V.A, V.B)
    assert drawn(of, "bianco2018", "top1_networks")["architecture"].iloc[0] == "nasnet_a_large"
    assert list(drawn(of, "bianco2018", "accuracy_density")["architecture"][:2]) == ["squeezenet1_1", "squeezenet1_0"]


def test_bianco_fig_3_has_its_upper_bound(of: dict[str, pd.DataFrame]) -> None:
    frame = of["bianco2018"]
    panels = {panel.title: panel for panel in FIGURES["top1_throughput"](frame).panels if panel.group == "1"}
    fronts = {title: list(frame["architecture"][list(panel.front)]) for title, panel in panels.items()}
    assert fronts[f"{JETSON}, batch 1"][0] == "nasnet_a_large"
    assert fronts[f"{JETSON}, batch 1"][-1] == "squeezenet1_1"
    assert fronts[f"{TITAN}, batch 1"][-1] == "alexnet"
    for panel in panels.values():
        rows = frame.loc[list(panel.rows)]
        for label in panel.front:
            better = (rows["image_rate"] >= frame["image_rate"][label]) & (rows["top1"] > frame["top1"][label])
            assert not better.any()


def test_bianco_fig_4_is_a_line(of: dict[str, pd.DataFrame]) -> None:
    frame = of["bianco2018"]
    (panel,) = (each for each in FIGURES["memory_size"](frame).panels if each.group == "1")
    files, memory = printed("bianco2018", "weights_file_size"), printed("bianco2018", "gpu_memory_mib")
    assert len(panel.rows) == len(files) == len(memory) == 40
    # Three networks have their numbers in the text as well, more exactly than they can be read off the chart.
    assert [str(values[-1]) for values in memory.values() if len(values) > 1] == ["648", "943", "921"]
    law = fits.law([float(files[key][-1]) for key in files], [float(memory[key][-1]) for key in files], "line")
    assert law is not None
    assert panel.law is not None
    # Where a marker of the chart is partly hidden (8 MiB), Table 2 says it more exactly (0.005 GiB), and is taken.
    assert (panel.law.scale, panel.law.offset / 2**20) == pytest.approx((law.scale, law.offset), rel=1e-3)


def test_the_block_types_are_those_of_the_logs(of: dict[str, pd.DataFrame]) -> None:
    frame = of["hei4"]
    last = printed("hei4", "valid_accuracy_last_epoch", input_size=32)
    (panel,) = (each for each in FIGURES["valid_accuracy"](frame).panels if each.title == "cifar10")
    rows = frame.loc[list(panel.rows)]
    assert list(rows["valid_accuracy"]) == sorted((float(value) for (value,) in last.values()), reverse=True)
    places = {panel.title for panel in FIGURES["time_networks"](frame).panels}
    assert places == {"CPU, model not stated, batch 1", "GPU, model not stated, batch 1"}
