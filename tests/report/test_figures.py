"""What the figures contain, and that the same data give the same files."""

from __future__ import annotations

import itertools
import math
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from overlap import overlapping_share
from report_data import HEADER, Run, many, published, row, small

from pytest_archbench.records import Baseline
from pytest_archbench.registry import DuplicateName
from pytest_archbench.report import figures, frames, marks
from pytest_archbench.report.palette import CAPACITY, HUES, OTHER, styles

BALLS = figures.FIGURES["ball_chart"]


def balls(drawn: Figure) -> dict[int, PathCollection]:
    """Row label of the frame -> its ball."""
    return {
        int(str(mark.get_gid()).removeprefix("network-")): mark
        for mark in drawn.axes[0].collections
        if isinstance(mark, PathCollection)
    }


def names(drawn: Figure) -> list[Text]:
    return [text for text in drawn.axes[0].texts if text.get_fontsize() == marks.LABEL_SIZE]


def name_overlap(drawn: Figure) -> float:
    boxes = np.array([text.get_window_extent().get_points() for text in names(drawn)])
    sizes = boxes[:, 1] - boxes[:, 0]
    return overlapping_share(boxes.mean(axis=1), sizes)


def frame_of(data: tuple[Run, list[Baseline]]) -> pd.DataFrame:
    return frames.networks(*data)


@pytest.fixture(scope="module")
def crowd() -> pd.DataFrame:
    """Forty-four networks of twenty families."""
    return frames.networks(*many(44, families=20))


@pytest.fixture(scope="module")
def chart(crowd: pd.DataFrame) -> Figure:
    return BALLS(crowd)


def test_the_area_of_a_ball_is_to_another_as_their_parameters(crowd: pd.DataFrame, chart: Figure) -> None:
    drawn = balls(chart)
    areas = {label: float(np.asarray(mark.get_sizes()).item()) for label, mark in drawn.items()}
    assert len(areas) == 44
    for one, other in itertools.pairwise(areas):
        expected = crowd["params"][one] / crowd["params"][other]
        assert areas[one] / areas[other] == pytest.approx(expected, rel=1e-12)


def test_the_key_of_sizes_has_the_scale_of_the_balls(crowd: pd.DataFrame, chart: Figure) -> None:
    label, mark = next(iter(balls(chart).items()))
    unit = float(np.asarray(mark.get_sizes()).item()) / crowd["params"][label]
    key = chart.axes[2]
    counts = [float(text.get_text()) * 1e6 for text in key.texts[1:]]
    sizes = [float(np.asarray(mark.get_sizes()).item()) for mark in key.collections if isinstance(mark, PathCollection)]
    assert counts
    assert sizes == pytest.approx([count * unit for count in counts])


def test_a_ball_stands_at_its_operations_and_accuracy(crowd: pd.DataFrame, chart: Figure) -> None:
    for label, mark in balls(chart).items():
        x, y = np.asarray(mark.get_offsets())[0]
        assert (x, y) == pytest.approx((crowd["macs"][label] / 1e9, crowd["top1"][label] * 100))


def test_a_family_has_one_colour_and_no_other_family_has_it(crowd: pd.DataFrame, chart: Figure) -> None:
    colours: dict[str, set[str]] = {}
    for label, mark in balls(chart).items():
        colours.setdefault(crowd["family"][label], set()).add(to_hex(np.asarray(mark.get_facecolor())[0]))
    assert len(colours) == 20
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 20


def test_every_ball_lies_whole_inside_the_axes(chart: Figure) -> None:
    axes = chart.axes[0]
    extent = axes.get_window_extent()
    for mark in balls(chart).values():
        centre = axes.transData.transform(np.asarray(mark.get_offsets()))[0]
        radius = math.sqrt(float(np.asarray(mark.get_sizes()).item())) / 2
        assert (centre - radius >= extent.p0).all()
        assert (centre + radius <= extent.p1).all()


def test_forty_four_networks_are_all_named_and_hardly_overlap(crowd: pd.DataFrame, chart: Figure) -> None:
    assert sorted(text.get_text() for text in names(chart)) == sorted(crowd["architecture"])
    assert name_overlap(chart) < 0.01


def test_seventy_networks_are_still_legible() -> None:
    drawn = BALLS(frames.networks(*many(70, families=25, seed=2)))
    assert len(names(drawn)) == 70
    assert name_overlap(drawn) < 0.02


def test_a_crowd_is_named_by_its_front_and_its_largest_families() -> None:
    frame = frames.networks(*many(1400, families=60))
    started = time.process_time()
    drawn = BALLS(frame)
    assert time.process_time() - started < 15
    assert len(balls(drawn)) == 1400
    front = set(frame["architecture"][figures.pareto(frame)])
    written = {text.get_text() for text in names(drawn)}
    assert front <= written
    assert len(front) <= len(written) <= len(front) + figures.LABELLED_FAMILIES
    assert name_overlap(drawn) < 0.01


def test_the_front_by_hand() -> None:
    # 1 costs more than 0 and is no better; 3 equals 2 in both; 4 is best and dearest.
    frame = pd.DataFrame({"macs": [1.0, 2.0, 3.0, 3.0, 9.0], "top1": [0.6, 0.6, 0.7, 0.7, 0.8]})
    assert figures.pareto(frame) == [0, 2, 4]


def test_a_power_law_by_hand() -> None:
    law = figures.fit([1, 10, 100], [3, 30, 300])
    assert law is not None
    assert (law.scale, law.exponent, law.r2) == pytest.approx((3.0, 1.0, 1.0))


def test_r_squared_by_hand() -> None:
    # Logarithms (0, 0), (1, 0), (2, 1.5): slope 0.75, residuals (0.25, -0.5, 0.25), so 1 - 0.375 / 1.5 = 0.75.
    law = figures.fit([1, 10, 100], [1, 1, 10**1.5])
    assert law is not None
    assert (law.exponent, law.r2) == pytest.approx((0.75, 0.75))


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([2, 2, 2], [1, 2, 3]), ([1, 2, 3], [5, 5, 5])])
def test_no_law_where_points_say_nothing(x: list[float], y: list[float]) -> None:
    assert figures.fit(x, y) is None


def test_density_bars_are_the_densities_in_order() -> None:
    frame = frame_of(small())
    axes = figures.FIGURES["accuracy_density"](frame).axes[0]
    # 69.64 / 11.7, 76.01 / 25 and 56.62 / 61
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([5.952137, 3.0404, 0.928197], abs=1e-6)  # type: ignore[attr-defined]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["resnet18", "5.95", "resnet50", "3.04", "alexnet", "0.928"]


def test_density_of_a_crowd_says_how_many_are_left_out() -> None:
    axes = figures.FIGURES["accuracy_density"](frames.networks(*many(100, families=9))).axes[0]
    assert len(axes.patches) == figures.MOST_BARS
    assert "20 more" in axes.get_title(loc="left")


def test_latency_is_drawn_per_image_and_with_its_law() -> None:
    rows = []
    for name, macs, seconds in (("a", 1e9, 0.8), ("b", 2e9, 1.6), ("c", 4e9, 3.2)):
        rows += [row(name, "macs", macs), row(name, "latency", seconds, batch_size=8, device="cuda:0")]
    axes = figures.FIGURES["latency_operations"](frames.networks(Run(HEADER, tuple(rows)))).axes[0]
    dots = [line for line in axes.lines if str(line.get_gid()).startswith("network-")]
    assert [float(np.asarray(dot.get_ydata())[0]) for dot in dots] == pytest.approx([100, 200, 400])
    assert any("r² = 1.000" in text.get_text() for text in axes.texts)
    assert axes.get_title(loc="left").startswith("cuda:0, batch 8")


def test_each_setting_has_its_panel() -> None:
    rows = [row("a", "macs", 1e9)]
    rows += [row("a", "latency", 0.1, device="cpu", batch_size=size) for size in range(1, 8)]
    drawn = figures.FIGURES["latency_operations"](frames.networks(Run(HEADER, tuple(rows))))
    assert len(drawn.axes) == figures.MOST_PANELS + 1  # and the key


def test_what_is_lacking_is_said_with_the_command_that_measures_it() -> None:
    chart = figures.FIGURES["latency_operations"]
    frame = frames.networks(Run(HEADER, (row("a", "macs", 5),)))
    assert "no latency" in chart.lacking(frame)
    assert "To measure: `pytest --archbench --archbench-metric=latency`." in chart.lacking(frame)
    drawn = chart(frame)
    assert not drawn.axes
    assert chart.lacking(frame) in drawn.texts[0].get_text()


@pytest.mark.parametrize("chart", figures.FIGURES.values(), ids=list(figures.FIGURES))
def test_an_empty_run_gives_sentences(chart: figures.Chart) -> None:
    empty = frames.networks(Run({}, ()))
    assert "To measure: `pytest" in chart.lacking(empty)
    assert figures.picture(chart(empty), "png").startswith(b"\x89PNG")


def test_data_spread_over_networks_are_not_enough() -> None:
    rows = (row("a", "macs", 5), row("b", "params", 7))
    frame = frames.networks(Run(HEADER, rows), [published("b", 0.7)])
    assert BALLS.lacking(frame).endswith(": no network of this run has all of operations, top-1, parameters.")


def test_one_command_measures_all_that_is_lacking_and_none_is_named_where_there_is_none() -> None:
    empty = frames.networks(Run({}, ()))
    assert BALLS.lacking(empty).endswith(
        " has no operations, top-1, parameters. To measure: `pytest --archbench --archbench-metric=macs,params`."
        " Neither measured by this version nor published for these networks: top-1."
    )
    counted_only = frames.networks(Run(HEADER, (row("own", "params", 7), row("own", "macs", 5))))
    said = figures.FIGURES["accuracy_density"].lacking(counted_only)
    assert "no top-1. Neither" in said
    assert "pytest" not in said


@pytest.mark.parametrize(("threads", "said"), [(1, "1 thread,"), (2, "2 threads,")])
def test_a_panel_says_its_threads(threads: int, said: str) -> None:
    rows = (row("a", "macs", 1e9), row("a", "latency", 0.1, threads=threads))
    axes = figures.FIGURES["latency_operations"](frames.networks(Run(HEADER, rows))).axes[0]
    assert axes.get_title(loc="left") == f"cpu, batch 1, float32, {said} contiguous, eager"


def test_a_network_without_operations_is_left_out_and_not_drawn_at_zero() -> None:
    rows = (row("a", "macs", 0), row("a", "params", 7), row("b", "macs", 5), row("b", "params", 7))
    drawn = BALLS(frames.networks(Run(HEADER, rows), [published("a", 0.5), published("b", 0.6)]))
    assert len(balls(drawn)) == 1


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_data_give_the_same_bytes(kind: str) -> None:
    frame = frame_of(small())
    first, second = (figures.picture(BALLS(frame), kind) for _ in range(2))
    assert first == second
    assert b"<dc:date>" not in first


@pytest.mark.parametrize("name", ["$x^2$", "_hidden", r"\frac{", "日本語", "<b>&amp;", "$", "x" * 500])
def test_any_name_can_be_drawn(name: str) -> None:
    run = Run(HEADER, (row(name, "macs", 5, family=name), row(name, "params", 7), row(name, "latency", 0.1)))
    frame = frames.networks(run, [published(name, 0.6)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for chart in figures.FIGURES.values():
            drawn = chart(frame)
            assert figures.picture(drawn, "svg").startswith(b"<?xml")
            assert figures.picture(drawn, "png").startswith(b"\x89PNG")
    assert names(BALLS(frame))[0].get_text()[:30] == name[:30]


def test_a_figure_is_registered_once() -> None:
    with pytest.raises(DuplicateName, match="ball_chart"):
        figures.figure("ball_chart", title="again", needs=("macs",))(lambda _: Figure())


def test_the_users_settings_of_matplotlib_do_not_change_a_figure() -> None:
    import matplotlib as mpl

    frame = frame_of(small())
    plain = figures.picture(BALLS(frame), "svg")
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30.0, "svg.fonttype": "path"}):
        assert figures.picture(BALLS(frame), "svg") == plain


def test_hues_stand_apart_from_each_other() -> None:
    pairs = itertools.combinations([np.array(to_rgb(hue)) for hue in HUES], 2)
    assert min(float(np.abs(one - other).max()) for one, other in pairs) > 0.12


def test_families_keep_their_colour_when_another_is_added() -> None:
    before = styles(["resnet", "vgg", "densenet", "alexnet"])
    after = styles(["resnet", "vgg", "densenet", "alexnet", "zfnet"])
    assert {name: after[name] for name in before} == before


def test_no_two_families_look_alike_up_to_the_capacity() -> None:
    found = styles(f"family{index}" for index in range(CAPACITY + 5))
    distinct = list(found.values())[:CAPACITY]
    assert len(set(distinct)) == CAPACITY == 48
    assert list(found.values())[CAPACITY:] == [OTHER] * 5
    assert len({style.fill for style in distinct[: len(HUES)]}) == len(HUES) >= 20
