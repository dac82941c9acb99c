"""Figures on paper: what stands where, that names are legible, and that the same data give the same files."""

from __future__ import annotations

import itertools
import math
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from overlap import overlapping_share
from report_data import HEADER, Run, evaluated, many, published, row, small, trained

from pytest_archbench.report import frames, marks, paper
from pytest_archbench.report.figures import FIGURES
from pytest_archbench.report.palette import looks
from pytest_archbench.report.published import published as published_frame


def draw(name: str, frame: pd.DataFrame) -> Figure:
    chart = FIGURES[name]
    return paper.draw(chart(frame), chart.title, frame, looks(frame))


def balls(drawn: Figure) -> PathCollection:
    (found,) = (mark for mark in drawn.axes[0].collections if isinstance(mark, PathCollection))
    return found


def sizes(mark: PathCollection) -> list[float]:
    return [float(size) for size in np.asarray(mark.get_sizes())]


def offsets(mark: PathCollection) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.asarray(mark.get_offsets(), dtype=np.float64)


def names(drawn: Figure) -> list[Text]:
    return [text for text in drawn.axes[0].texts if text.get_fontsize() == marks.LABEL_SIZE]


def name_overlap(drawn: Figure) -> float:
    boxes = np.array([text.get_window_extent().get_points() for text in names(drawn)])
    return overlapping_share(boxes.mean(axis=1), boxes[:, 1] - boxes[:, 0])


@pytest.fixture(scope="module")
def crowd() -> pd.DataFrame:
    """Forty-four networks of twenty families."""
    return frames.networks(*many(44, families=20))


@pytest.fixture(scope="module")
def chart(crowd: pd.DataFrame) -> Figure:
    return draw("ball_chart", crowd)


@pytest.fixture(scope="module")
def shown(crowd: pd.DataFrame) -> pd.DataFrame:
    """The rows of the chart, in the order of its marks."""
    found: pd.DataFrame = crowd.loc[list(FIGURES["ball_chart"](crowd).panels[0].rows)]
    return found


def test_the_area_of_a_ball_is_to_another_as_their_parameters(shown: pd.DataFrame, chart: Figure) -> None:
    areas, params = sizes(balls(chart)), list(shown["params"])
    assert len(areas) == 44
    for (area, other), (one, two) in zip(itertools.pairwise(areas), itertools.pairwise(params), strict=True):
        assert area / other == pytest.approx(one / two, rel=1e-12)


def test_the_key_of_sizes_has_the_scale_of_the_balls(shown: pd.DataFrame, chart: Figure) -> None:
    unit = sizes(balls(chart))[0] / shown["params"].iloc[0]
    key = chart.axes[2]
    assert key.texts[0].get_text() == "Parameters [M]"
    counts = [float(text.get_text()) * 1e6 for text in key.texts[1:]]
    drawn = [size for mark in key.collections if isinstance(mark, PathCollection) for size in sizes(mark)]
    assert counts
    assert drawn == pytest.approx([count * unit for count in counts])


def test_a_ball_stands_at_its_operations_and_accuracy(shown: pd.DataFrame, chart: Figure) -> None:
    assert offsets(balls(chart))[:, 0] == pytest.approx(list(shown["macs"] / 1e9))
    assert offsets(balls(chart))[:, 1] == pytest.approx(list(shown["top1"] * 100))


def test_a_family_has_one_colour_and_no_other_family_has_it(shown: pd.DataFrame, chart: Figure) -> None:
    colours: dict[str, set[str]] = {}
    for family, colour in zip(shown["family"], np.asarray(balls(chart).get_facecolor()), strict=True):
        colours.setdefault(family, set()).add(to_hex(colour))
    assert len(colours) == 20
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 20


def test_a_family_has_the_same_colour_in_every_figure(crowd: pd.DataFrame, shown: pd.DataFrame, chart: Figure) -> None:
    by_family = dict(zip(shown["family"], map(to_hex, np.asarray(balls(chart).get_facecolor())), strict=True))
    ordered = crowd.loc[list(FIGURES["accuracy_density"](crowd).panels[0].rows)]
    bars = draw("accuracy_density", crowd).axes[0].patches
    assert {
        family: to_hex(bar.get_facecolor()) for family, bar in zip(ordered["family"], bars, strict=True)
    } == by_family


def test_every_ball_lies_whole_inside_the_axes(chart: Figure) -> None:
    axes = chart.axes[0]
    extent = axes.get_window_extent()
    centres = axes.transData.transform(offsets(balls(chart)))
    for centre, size in zip(centres, sizes(balls(chart)), strict=True):
        radius = math.sqrt(size) / 2
        assert (centre - radius >= extent.p0).all()
        assert (centre + radius <= extent.p1).all()


def test_forty_four_networks_are_all_named_and_hardly_overlap(crowd: pd.DataFrame, chart: Figure) -> None:
    assert sorted(text.get_text() for text in names(chart)) == sorted(crowd["architecture"])
    assert name_overlap(chart) < 0.01


def test_seventy_networks_are_still_legible() -> None:
    drawn = draw("ball_chart", frames.networks(*many(70, families=25, seed=2)))
    assert len(names(drawn)) == 70
    assert name_overlap(drawn) < 0.02


def test_a_crowd_is_named_by_its_front_and_its_largest_families() -> None:
    frame = frames.networks(*many(1400, families=60))
    started = time.process_time()
    drawn = draw("ball_chart", frame)
    assert time.process_time() - started < 15
    assert len(sizes(balls(drawn))) == 1400
    front = set(frame["architecture"][list(FIGURES["ball_chart"](frame).panels[0].front)])
    written = {text.get_text() for text in names(drawn)}
    assert front <= written
    assert len(front) <= len(written) <= len(front) + paper.LABELLED_FAMILIES
    assert name_overlap(drawn) < 0.01


def test_bars_are_the_densities_with_their_numbers() -> None:
    axes = draw("accuracy_density", frames.networks(*small())).axes[0]
    # 69.64 / 11.7, 76.01 / 25 and 56.62 / 61
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([5.952137, 3.0404, 0.928197], abs=1e-6)  # type: ignore[attr-defined]
    assert [text.get_text().strip() for text in axes.texts] == ["5.95", "3.04", "0.928"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["resnet18", "resnet50", "alexnet"]


def test_a_network_of_two_inputs_is_named_with_each() -> None:
    rows = [row("a", "macs", 4, input_shape=[3, 192, 192]), row("a", "macs", 7, input_shape=[3, 224, 224])]
    frame = frames.networks(
        Run(HEADER, (*rows, row("a", "params", 5, input_shape=[3, 192, 192]))), [published("a", 0.7)]
    )
    axes = draw("operations_networks", frame).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a @192", "a @224"]
    assert {text.get_text() for text in names(draw("ball_chart", frame))} == {"a @192", "a @224"}


def test_the_words_of_an_axis_lie_within_the_picture_beside_long_numbers() -> None:
    rows = []
    for name, macs, seconds in (("a", 1e9, 2.0), ("b", 2e9, 60.0), ("c", 4e9, 300.0)):  # 300,000 ms
        rows += [row(name, "macs", macs), row(name, "latency", seconds)]
    drawn = draw("latency_operations", frames.networks(Run(HEADER, tuple(rows))))
    paper.picture(drawn, "png")
    assert drawn.axes[0].yaxis.label.get_window_extent().x0 >= 0


@pytest.mark.parametrize(("low", "high"), [(75e6, 185e6), (0.9e9, 1.1e9), (3e9, 17e9), (1e9, 900e9)])
def test_a_logarithmic_axis_has_marks_enough_to_be_read(low: float, high: float) -> None:
    rows = [row(name, metric, macs) for name, macs in (("a", low), ("b", high)) for metric in ("macs", "params")]
    drawn = draw("ball_chart", frames.networks(Run(HEADER, tuple(rows)), [published("a", 0.6), published("b", 0.7)]))
    axis = drawn.axes[0].xaxis
    first, last = axis.get_view_interval()
    assert 3 <= sum(first <= place <= last for place in axis.get_majorticklocs()) <= 12


def test_a_law_stands_above_its_marks_and_below_the_title() -> None:
    rows = []
    for name, macs, seconds in (("a", 1e9, 3.2), ("b", 2e9, 1.6), ("c", 4e9, 0.8)):  # the first stands where it was
        rows += [row(name, "macs", macs), row(name, "latency", seconds)]
    drawn = draw("latency_operations", frames.networks(Run(HEADER, tuple(rows))))
    paper.picture(drawn, "png")
    axes = drawn.axes[0]
    (law,) = (text for text in axes.texts if "r²" in text.get_text())
    (title,) = (text for text in axes.findobj(Text) if text.get_text().endswith("batch 1"))
    box, top = law.get_window_extent(), axes.get_window_extent().y1
    assert top <= box.y0 < box.y1 <= title.get_window_extent().y0


def test_lines_of_many_devices_stand_two_in_a_row() -> None:
    sizes = [
        row("a", "latency", 0.1, batch_size=size, device=f"cuda:{device}") for size in (1, 2) for device in range(4)
    ]
    drawn = draw("time_batch", frames.networks(Run(HEADER, tuple(sizes))))
    assert len({round(axes.get_position().y0, 6) for axes in drawn.axes[:4]}) == 2


def test_families_of_one_kind_differ_in_the_key() -> None:
    assert marks.both_ends("swin_transformer_v2_cr", 15) == "swin_tr…r_v2_cr"
    assert marks.both_ends("swin_transformer", 16) == "swin_transformer"


def test_bars_of_a_crowd_say_how_many_are_left_out() -> None:
    axes = draw("accuracy_density", frames.networks(*many(100, families=9))).axes[0]
    assert len(axes.patches) == paper.MOST_BARS
    assert "20 more" in axes.get_title(loc="left")


def test_the_law_is_written_in_the_units_of_the_axes() -> None:
    rows = []
    for name, macs, seconds in (("a", 1e9, 0.8), ("b", 2e9, 1.6), ("c", 4e9, 3.2)):
        rows += [row(name, "macs", macs), row(name, "latency", seconds, batch_size=8)]
    axes = draw("latency_operations", frames.networks(Run(HEADER, tuple(rows)))).axes[0]
    # 0.1 s an image at one GMAC is 100 ms
    assert any(text.get_text() == "y = 100.00 x^1.00,  r² = 1.000 (logarithms)" for text in axes.texts)


def test_a_line_has_an_offset_in_its_formula() -> None:
    rows = []
    for name, size, memory in (("a", 2**20, 5 * 2**20), ("b", 2 * 2**20, 7 * 2**20), ("c", 3 * 2**20, 9 * 2**20)):
        rows += [row(name, "model_size", size), row(name, "peak_memory", memory)]
    axes = draw("memory_size", frames.networks(Run(HEADER, tuple(rows)))).axes[0]
    assert any(text.get_text() == "y = 3.00 + 2.00 x,  r² = 1.000" for text in axes.texts)


def test_named_are_the_networks_farthest_from_the_line_as_it_is_drawn() -> None:
    rows = []
    for place in range(1, 21):  # on y = x, but for two: a tenth of the smallest, and a fifth of the largest
        memory = {1: 1.1, 20: 24.0}.get(place, float(place))
        rows += [row(f"n{place}", "model_size", place * 2**20), row(f"n{place}", "peak_memory", memory * 2**20)]
    named = [text.get_text() for text in names(draw("memory_size", frames.networks(Run(HEADER, tuple(rows)))))]
    assert len(named) == paper.FARTHEST_NAMED
    assert named[0] == "n20"
    assert "n2" not in named[:5]


def test_panels_share_their_limits_and_are_four_at_most() -> None:
    rows = [row("a", "macs", 1e9), row("b", "macs", 2e9)]
    rows += [row(name, "latency", 0.1 * place, device=f"cuda:{place}") for place in range(1, 7) for name in ("a", "b")]
    drawn = draw("latency_operations", frames.networks(Run(HEADER, tuple(rows))))
    panels = [axes for axes in drawn.axes if axes.get_xlabel()]
    assert len(panels) == paper.MOST_PANELS
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in panels}) == 1


def test_published_marks_are_hollow_beside_measured_ones_and_filled_alone() -> None:
    both = frames.networks(*many(6, families=2)).assign(origin=["measured"] * 3 + ["bianco2018"] * 3)
    alphas = np.asarray(balls(draw("ball_chart", both)).get_facecolor())[:, 3]
    order = FIGURES["ball_chart"](both).panels[0].rows
    assert {int(label) for label, alpha in zip(order, alphas, strict=True) if alpha == 0} == {3, 4, 5}
    alone = both.assign(origin="bianco2018")
    assert (np.asarray(balls(draw("ball_chart", alone)).get_facecolor())[:, 3] == marks.ALPHA).all()


def test_names_at_line_ends_stand_apart_and_near_their_ends() -> None:
    found = marks.spread(np.array([0.0, 1.0, 2.0, 50.0]), 10.0, 0.0, 100.0)
    # Three crowd around 1 and would reach below the floor, so they are moved up to it; the fourth stays.
    assert list(found) == pytest.approx([0.0, 10.0, 20.0, 50.0])
    middle = marks.spread(np.array([40.0, 41.0, 42.0]), 10.0, 0.0, 100.0)
    assert list(middle) == pytest.approx([31.0, 41.0, 51.0])
    assert list(marks.spread(np.array([99.0, 99.5]), 10.0, 0.0, 100.0)) == pytest.approx([90.0, 100.0])


@pytest.mark.parametrize("kind", paper.KINDS)
def test_the_same_data_give_the_same_bytes(kind: str) -> None:
    frame = frames.networks(*small())
    first, second = (paper.picture(draw("ball_chart", frame), kind) for _ in range(2))
    assert first == second
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])
    assert b"<dc:date>" not in first


@pytest.mark.parametrize("name", ["$x^2$", "_hidden", r"\frac{", "日本語", "<b>&amp;", "$", "x" * 500])
def test_any_name_can_be_drawn(name: str) -> None:
    rows = [row(name, "macs", 5, family=name), row(name, "params", 7)]
    rows += [row(name, metric, 0.1 * size, batch_size=size) for size in (1, 2) for metric in ("latency", "peak_memory")]
    frame = frames.networks(Run(HEADER, tuple(rows)), [published(name, 0.6)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for key in ("ball_chart", "accuracy_density", "time_batch", "top1_throughput"):
            for kind in paper.KINDS:
                assert paper.picture(draw(key, frame), kind)
    assert names(draw("ball_chart", frame))[0].get_text()[:30] == name[:30]


def test_the_users_settings_of_matplotlib_do_not_change_a_figure() -> None:
    import matplotlib as mpl

    frame = frames.networks(*small())
    plain = paper.picture(draw("ball_chart", frame), "svg")
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30.0, "svg.fonttype": "path"}):
        assert paper.picture(draw("ball_chart", frame), "svg") == plain


def test_a_bar_of_a_share_has_its_interval_and_its_number_beyond_it() -> None:
    rows = (evaluated("a", "digits", 0.95, 360), evaluated("b", "digits", 0.90, 360))
    axes = draw("top1_networks", frames.networks(Run(HEADER, rows))).axes[0]
    (whiskers,) = (lines for lines in axes.collections if isinstance(lines, LineCollection))
    assert [list(line[:, 0]) for line in whiskers.get_segments()] == [
        pytest.approx([94.0, 96.0]),
        pytest.approx([89.0, 91.0]),
    ]
    assert [text.get_position()[0] for text in axes.texts] == pytest.approx([96.0, 91.0])
    assert [text.get_text().strip() for text in axes.texts] == ["95.00", "90.00"]


def curves_of(frame: pd.DataFrame) -> tuple[Figure, list[Line2D]]:
    """The figure and its curves; lines that lead to names have two points and no mark."""
    drawn = draw("learning_accuracy", frame)
    return drawn, [line for line in drawn.axes[0].lines if line.get_marker() == "o" or line.is_dashed()]


def points_of(line: Line2D) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.asarray(line.get_xydata(), dtype=np.float64)


def test_curves_go_through_their_epochs_training_dashed_and_end_with_their_names() -> None:
    rows = (
        trained("a", "digits", valid_accuracy=(0.5, 0.75, 0.9)),
        trained("a", "digits", train_accuracy=(0.6, 0.8, 0.95)),
    )
    drawn, lines = curves_of(frames.networks(Run(HEADER, rows)))
    assert [line.is_dashed() for line in lines] == [True, False]
    assert points_of(lines[0]) == pytest.approx(np.array([[1, 60.0], [2, 80.0], [3, 95.0]]))
    assert points_of(lines[1]) == pytest.approx(np.array([[1, 50.0], [2, 75.0], [3, 90.0]]))
    assert [text.get_text() for text in drawn.axes[0].texts] == ["a"]
    assert drawn.axes[0].get_title(loc="left") == "digits"


def test_networks_of_one_family_have_curves_of_different_colours_and_what_was_published_that_of_its_network() -> None:
    rows = [
        trained(name, "digits", topology=f"hei4_{name}", family="blocks", valid_accuracy=(0.5, 0.7)) for name in "ab"
    ]
    own = frames.networks(Run(HEADER, tuple(rows)))
    figure = published("hei4_a", 0.8, "hei4", "valid_accuracy", note="dataset digits; epoch 60")
    both = frames.framed([*own.to_dict("records"), *published_frame([figure]).to_dict("records")])
    _, lines = curves_of(both)
    colours = {(len(points_of(line)), line.get_color()) for line in lines}
    of_published = next(colour for points, colour in colours if points == 1)
    assert len(colours) == 3
    assert (2, of_published) in colours


def test_panels_of_other_data_have_limits_of_their_own_and_those_of_devices_share_them() -> None:
    rows = [evaluated("a", "digits", 0.97, 360), evaluated("b", "imagenet", 0.7, 50_000)]
    rows += [row(name, "latency", seconds, device=device)
             for name, seconds in (("a", 0.1), ("b", 0.2)) for device in ("cpu", "mps")]  # fmt: skip
    axes = draw("top1_throughput", frames.networks(Run(HEADER, tuple(rows)))).axes[:4]
    limits = {each.get_title(loc="left").split(",")[0]: each.get_ylim() for each in axes}
    assert limits["digits: cpu"] == limits["digits: mps"]
    assert limits["digits: cpu"][0] > limits["imagenet: cpu"][1]


def test_an_axis_of_epochs_has_marks_from_the_first_to_the_last_and_is_named_after_both_curves() -> None:
    for count, expected in ((2, [1, 2]), (3, [1, 2, 3]), (60, [10, 20, 30, 40, 50, 60])):
        curve = tuple(place / 100 for place in range(1, count + 1))
        drawn = draw("learning_accuracy", frames.networks(Run(HEADER, (trained("a", "digits", valid_accuracy=curve),))))
        assert list(drawn.axes[0].get_xticks()) == expected
        assert drawn.axes[0].get_ylabel() == "Accuracy [%]"


def test_bars_of_nothing_say_so() -> None:
    axes = draw("top1_networks", frames.networks(Run(HEADER, (evaluated("a", "digits", 0.0, 360),)))).axes[0]
    assert [text.get_text().strip() for text in axes.texts] == ["0.00"]
