"""What the figures show: which networks, where, along which front, by which law."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from report_data import HEADER, Run, evaluated, published, row, small, trained

from pytest_archbench.registry import DuplicateName
from pytest_archbench.report import figures, frames
from pytest_archbench.report.drawing import Axis, Drawing, Law
from pytest_archbench.report.figures import FIGURES
from pytest_archbench.report.published import published as published_frame


def names(run: Run, drawing: Drawing, *given: object) -> list[list[str]]:
    """The networks of each panel in the order they are drawn."""
    frame = frames.networks(run, *given)  # type: ignore[arg-type]
    return [list(frame["architecture"][list(panel.rows)]) for panel in drawing.panels]


def drawn(name: str, *rows: dict[str, object]) -> Drawing:
    return FIGURES[name](frames.networks(Run(HEADER, rows)))


def test_balls_are_drawn_the_largest_first_and_have_a_front() -> None:
    run, accuracies = small()
    frame = frames.networks(run, accuracies)
    chart = FIGURES["ball_chart"](frame)
    assert (chart.kind, chart.x, chart.y, chart.size) == ("balls", Axis("macs", log=True), Axis("top1"), "params")
    assert names(run, chart, accuracies) == [["alexnet", "resnet50", "resnet18"]]
    (panel,) = chart.panels
    assert list(frame["architecture"][list(panel.front)]) == ["alexnet", "resnet18", "resnet50"]
    assert FIGURES["ball_chart_linear"](frame).x == Axis("macs")


def test_density_bars_are_in_order() -> None:
    run, accuracies = small()
    chart = FIGURES["accuracy_density"](frames.networks(run, accuracies))
    assert chart.kind == "bars"
    # 69.64 / 11.7 is 5.95, 76.01 / 25 is 3.04, 56.62 / 61 is 0.93
    assert names(run, chart, accuracies) == [["resnet18", "resnet50", "alexnet"]]


def test_bars_of_what_should_be_small_begin_with_the_smallest() -> None:
    run, accuracies = small()
    chart = FIGURES["params_networks"](frames.networks(run, accuracies))
    assert names(run, chart, accuracies) == [["resnet18", "resnet50", "alexnet"]]


def test_time_is_per_image_and_has_its_law() -> None:
    rows = []
    for name, macs, seconds in (("a", 1e9, 0.8), ("b", 2e9, 1.6), ("c", 4e9, 3.2)):
        rows += [row(name, "macs", macs), row(name, "latency", seconds, batch_size=8, device="cuda:0")]
    (panel,) = drawn("latency_operations", *rows).panels
    assert panel.title == "cuda:0, float32, 1 thread, contiguous, eager, batch 8"
    assert panel.group == "8"
    assert panel.law is not None
    # 0.8 s for 8 images is 0.1 s for one of 1e9 multiply-adds: 1e-10 s each
    assert (panel.law.scale, panel.law.exponent, panel.law.r2) == pytest.approx((1e-10, 1.0, 1.0))


def test_each_device_and_batch_size_has_its_panel_those_of_the_fullest_batch_size_first() -> None:
    rows = [row("a", "macs", 1e9), row("b", "macs", 1e9)]
    rows += [row("a", "latency", 0.1, device="cpu", batch_size=size) for size in (1, 8)]
    rows += [row("a", "latency", 0.1, device="mps", batch_size=8), row("b", "latency", 0.1, device="mps", batch_size=8)]
    panels = drawn("latency_operations", *rows).panels
    assert [(panel.group, panel.title.split(",")[0], len(panel.rows)) for panel in panels] == [
        ("8", "mps", 2),
        ("8", "cpu", 1),
        ("1", "cpu", 1),
    ]


def test_a_line_goes_through_the_batch_sizes_of_a_network_and_one_alone_is_no_line() -> None:
    rows = [row("b", "latency", 0.1 * size, batch_size=size) for size in (8, 1)]
    rows += [row("a", "latency", 0.2, batch_size=1)]
    run = Run(HEADER, tuple(rows))
    chart = FIGURES["time_batch"](frames.networks(run))
    assert names(run, chart) == [["b", "b"]]
    assert list(frames.networks(run)["batch_size"][list(chart.panels[0].rows)]) == [1, 8]
    assert drawn("time_batch", rows[2]).panels == ()


def test_networks_for_other_inputs_compete_in_other_panels() -> None:
    rows = [row(f"net{side}_{n}", "params", 5 + n, input_shape=[3, side, side]) for side in (32, 96) for n in (1, 2)]
    panels = figures.bars_by_input(frames.networks(Run(HEADER, tuple(rows))), "params").panels
    assert [(panel.title, panel.rows) for panel in panels] == [("input 32 × 32", (0, 1)), ("input 96 × 96", (2, 3))]


def test_networks_that_learned_other_data_compete_in_other_panels() -> None:
    accuracies = {"a": ("digits", 0.7), "b": ("mnist", 0.99), "c": ("digits", 0.8)}
    rows = [trained(name, data, valid_accuracy=(0.5, value)) for name, (data, value) in accuracies.items()]
    panels = drawn("valid_accuracy", *rows).panels
    assert [(panel.title, panel.rows) for panel in panels] == [("digits", (2, 0)), ("mnist", (1,))]


def test_an_accuracy_on_other_data_has_a_panel_of_its_own_in_every_figure_of_accuracies() -> None:
    rows = [row(name, metric, 5e6) for name in "abc" for metric in ("macs", "params")]
    rows += [row(name, "latency", 0.1) for name in "abc"]
    rows += [evaluated("a", "digits", 0.97, 360), evaluated("b", "imagenet", 0.76, 50_000)]
    frame = frames.networks(Run(HEADER, tuple(rows)), [published("c", 0.69)])
    for name in ("ball_chart", "top1_params", "density_top1", "top1_networks", "accuracy_density"):
        panels = FIGURES[name](frame).panels
        assert [(panel.title, sorted(panel.rows)) for panel in panels] == [("imagenet", [1, 2]), ("digits", [0])], name
    titles = [panel.title.partition(":")[0] for panel in FIGURES["top1_throughput"](frame).panels]
    assert titles == ["imagenet", "digits"]
    assert [panel.title for panel in FIGURES["params_networks"](frame).panels] == [""]


def test_a_training_says_its_data_and_device_and_no_batch_that_was_not_its_own() -> None:
    (panel,) = drawn("epoch_time", trained("a", "digits", epoch_time=(2.0, 3.0, 2.5))).panels
    assert panel.title == "digits: cpu, float32, 1 thread, contiguous, eager"


def test_curves_are_of_networks_with_two_epochs_at_least_the_best_first() -> None:
    rows = [trained("a", "digits", valid_accuracy=(0.5, 0.7)), trained("b", "digits", valid_accuracy=(0.6, 0.9))]
    rows.append(trained("once", "digits", valid_accuracy=(0.4,)))
    chart = FIGURES["learning_accuracy"](frames.networks(Run(HEADER, tuple(rows))))
    assert (chart.kind, chart.x, chart.beside) == ("curves", Axis("epoch"), "train_accuracy")
    assert names(Run(HEADER, tuple(rows)), chart) == [["b", "a"]]
    frame = frames.networks(Run(HEADER, (rows[2],)))
    assert "was trained for two epochs" in FIGURES["learning_accuracy"].lacking(frame)


def test_what_was_published_of_a_trained_network_stands_beside_its_curve_and_of_others_nothing() -> None:
    own = frames.networks(Run(HEADER, (trained("a", "cifar10", topology="hei4_a", valid_accuracy=(0.5, 0.7)),)))
    notes = "dataset cifar10; epoch 60"
    theirs = [published(name, 0.8, "hei4", "valid_accuracy", note=notes) for name in ("hei4_a", "hei4_b")]
    frame = frames.framed([*own.to_dict("records"), *published_frame(theirs).to_dict("records")])
    chart = FIGURES["learning_accuracy"](frame)
    assert [(panel.title, panel.rows) for panel in chart.panels] == [("cifar10", (0, 1))]
    assert "Hollow: as published" in chart.note
    assert frame["valid_accuracy_epochs"][1] == "[[60, 0.8]]"


def test_power_follows_from_energy_and_speed() -> None:
    rows = [row("a", metric, value, batch_size=size)
            for size in (1, 2) for metric, value in (("energy", 0.5), ("latency", 0.1))]  # fmt: skip
    frame = frames.networks(Run(HEADER, tuple(rows)))
    assert list(frame["power"]) == pytest.approx([5.0, 10.0])  # 0.5 J an image, 10 and 20 images a second
    assert FIGURES["power_batch"](frame).panels[0].rows == (0, 1)
    told = frames.networks(Run(HEADER, (*rows, row("a", "power", 7.0, batch_size=1))))
    assert list(told["power"]) == pytest.approx([7.0, 10.0]), "what was measured is not derived"


def test_what_is_lacking_is_said_with_the_command_that_measures_it() -> None:
    chart = FIGURES["latency_operations"]
    frame = frames.networks(Run(HEADER, (row("a", "macs", 5),)))
    assert "no latency" in chart.lacking(frame)
    assert chart.lacking(frame).endswith("To measure: the same `pytest --archbench` with `--archbench-metric=latency`.")
    assert chart(frame).panels == ()


@pytest.mark.parametrize("chart", FIGURES.values(), ids=list(FIGURES))
def test_an_empty_run_gives_sentences(chart: figures.Chart) -> None:
    empty = frames.networks(Run({}, ()))
    said = chart.lacking(empty)
    assert "`pytest --archbench`" in said or "easured by this version" in said
    assert chart(empty).panels == ()


def test_data_spread_over_networks_are_not_enough() -> None:
    rows = (row("a", "macs", 5), row("b", "params", 7))
    frame = frames.networks(Run(HEADER, rows), [published("b", 0.7)])
    said = FIGURES["ball_chart"].lacking(frame)
    assert said.endswith(": no network of this run has all of operations, top-1, parameters.")


def test_one_command_measures_all_that_is_lacking_and_none_is_named_where_there_is_none() -> None:
    empty = frames.networks(Run({}, ()))
    assert (
        FIGURES["ball_chart"]
        .lacking(empty)
        .endswith(
            " has no operations, top-1, parameters."
            " To measure: the same `pytest --archbench` with `--archbench-metric=macs,top1_accuracy,params`."
        )
    )
    counted_only = frames.networks(Run(HEADER, (row("own", "params", 7), row("own", "macs", 5))))
    said = FIGURES["accuracy_density"].lacking(counted_only)
    assert said.endswith("no top-1. To measure: the same `pytest --archbench` with `--archbench-metric=top1_accuracy`.")
    lacking = FIGURES["top1_energy"].lacking(counted_only.assign(top1=0.7))
    assert lacking.endswith("no energy. To measure: the same `pytest --archbench` with `--archbench-metric=energy`.")


def test_what_is_derived_lacks_only_the_part_that_is_absent() -> None:
    frame = frames.networks(Run(HEADER, (row("a", "latency", 0.1),)))
    assert "no energy. To measure" in FIGURES["power_batch"].lacking(frame)


@pytest.mark.parametrize(("threads", "said"), [(1, "1 thread,"), (2, "2 threads,")])
def test_a_panel_says_its_threads(threads: int, said: str) -> None:
    panels = drawn("latency_operations", row("a", "macs", 1e9), row("a", "latency", 0.1, threads=threads)).panels
    assert panels[0].title == f"cpu, float32, {said} contiguous, eager, batch 1"


def test_a_panel_says_its_threads_also_beside_networks_without_any() -> None:
    run = Run(HEADER, (row("a", "macs", 1e9), row("a", "latency", 0.1, threads=2)))
    others = frames.networks(run).assign(origin="bianco2018", device="board", threads=None)
    both = frames.framed([*frames.networks(run).to_dict("records"), *others.to_dict("records")])
    titles = [panel.title for panel in FIGURES["latency_operations"](both).panels]
    assert titles == [
        "cpu, float32, 2 threads, contiguous, eager, batch 1",
        "board, float32, contiguous, eager, batch 1",
    ]


def test_batch_sizes_of_two_inputs_are_no_line() -> None:
    rows = (row("a", "latency", 0.1, batch_size=1), row("a", "latency", 0.2, batch_size=2))
    frame = frames.networks(Run(HEADER, rows))
    assert len(FIGURES["time_batch"](frame).panels) == 1
    assert FIGURES["time_batch"](frame.assign(input_shape=["[3, 32, 32]", "[3, 64, 64]"])).panels == ()


def test_a_network_without_operations_is_left_out_and_not_drawn_at_zero() -> None:
    rows = (row("a", "macs", 0), row("a", "params", 7), row("b", "macs", 5), row("b", "params", 7))
    run, accuracies = Run(HEADER, rows), [published("a", 0.5), published("b", 0.6)]
    assert names(run, FIGURES["ball_chart"](frames.networks(run, accuracies)), accuracies) == [["b"]]


@pytest.mark.parametrize("value", [1e-300, 1e300, -5.0, 5e-324])
def test_what_no_network_can_have_has_no_place(value: float) -> None:
    run, accuracies = small()
    odd = row("odd", "macs", value), row("odd", "params", value), row("odd", "latency", value)
    networks = frames.networks(Run(HEADER, (*run.rows, *odd)), [*accuracies, published("odd", 0.7)])
    for chart in FIGURES.values():
        shown = [label for panel in chart(networks).panels for label in panel.rows]
        if "top1" not in chart.needs or len(chart.needs) > 1:
            assert "odd" not in list(networks["architecture"][shown])


def test_a_users_drawing_leaves_out_what_was_not_measured() -> None:
    run, accuracies = small()
    networks = frames.networks(run, accuracies)  # only resnet50 has a latency, none an energy
    assert names(run, figures.bars(networks, "latency"), accuracies) == [["resnet50"]]
    times = figures.dots(networks, Axis("macs"), Axis("image_latency"), "power")
    assert names(run, times, accuracies) == [["resnet50"]]
    assert figures.balls(networks, Axis("energy", log=True), Axis("top1"), "params").panels == ()
    mine = figures.Chart.of("own_mine", "Mine", figures.lines(networks, "energy"))
    assert mine.lacking(networks) == (
        "Mine: this run has no energy. To measure: the same `pytest --archbench` with `--archbench-metric=energy`."
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Axis("laten"), "an axis: expected a quantity of the frame; got 'laten': did you mean latency"),
        (lambda: Drawing("pie", Axis("macs"), ()), "expected one of balls, bars, lines, curves; got 'pie'"),  # type: ignore[arg-type]
        (lambda: Drawing("balls", Axis("macs"), ()), "a drawing of balls: give it an x"),
        (lambda: Drawing("bars", Axis("macs"), (), Axis("top1")), "a drawing of bars: bars have no x"),
        (lambda: Drawing("balls", Axis("macs"), (), Axis("top1"), "weight"), "the size of balls: expected a quantity"),
        (lambda: Law(1.0, 1.0, float("nan")), "a law holds finite numbers"),
    ],
)
def test_a_drawing_that_cannot_be_drawn_is_refused_as_it_is_made(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        make()


def test_a_figure_is_registered_once() -> None:
    with pytest.raises(DuplicateName, match="ball_chart"):
        figures.figure("ball_chart", title="again", needs=("macs",))(lambda _: Drawing("bars", Axis("macs"), ()))


def _of_nothing(name: str) -> list[dict[str, object]]:
    return [evaluated(name, "digits", 0.0, 360), row(name, "macs", 10**9), row(name, "params", 10**6)]


@pytest.mark.parametrize("name", ["top1_networks", "ball_chart", "top1_params", "accuracy_density"])
def test_an_accuracy_of_nothing_is_drawn(name: str) -> None:
    frame = frames.networks(Run(HEADER, tuple(_of_nothing("a"))))
    assert FIGURES[name].lacking(frame) == ""
    assert [panel.rows for panel in FIGURES[name](frame).panels] == [(0,)]


def test_nothing_is_left_out_of_a_logarithm_and_an_area_which_is_said() -> None:
    frame = frames.networks(Run(HEADER, (*_of_nothing("a"), row("b", "macs", 0), row("b", "params", 5))))
    assert FIGURES["density_top1"](frame).panels == ()
    assert (
        FIGURES["density_top1"]
        .lacking(frame)
        .endswith(": density is 0 of every network, which neither a logarithm nor an area can show.")
    )
    (panel,) = FIGURES["operations_networks"](frame).panels
    assert panel.rows == (1, 0)


def test_figures_of_training_say_that_its_accuracy_is_taken_on_the_way() -> None:
    rows = (trained("a", "digits", valid_accuracy=(0.5, 0.9)), trained("a", "digits", train_accuracy=(0.4, 0.8)))
    for name in ("learning_accuracy", "train_accuracy"):
        note = drawn(name, *rows).note
        assert re.search("running value over the epoch, taken while the weights still change", note)
    assert drawn("valid_accuracy", *rows).note == ""
    assert drawn("learning_accuracy", *rows).heading == "Accuracy"
