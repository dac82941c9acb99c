"""When an evaluation may end early, by outcomes that the tests make."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_archbench import store
from pytest_archbench.baselines import Published
from pytest_archbench.certainty import is_certain
from pytest_archbench.meters import CannotMeasure, Part
from pytest_archbench.points import Key, key, points_of
from pytest_archbench.proportions import pack
from pytest_archbench.protocols import Learning, Outcomes
from pytest_archbench.records import Architecture, Baseline, Case, Conditions, Point, Reading, Settings
from pytest_archbench.runner import Answered, measurement
from pytest_archbench.yardsticks import Yardsticks

NAME = "Net_Weights.IMAGENET1K_V1"
CASE = Case(Architecture("net", "test", dict), "top1_accuracy", Conditions("cpu"))
BOTH = ("top1_accuracy", "top5_accuracy")
HEADER = {"run": "r1", "started": "2026-01-01T00:00:00+00:00"}


def reading(right: int, count: int) -> Reading:
    bits = pack([number < right for number in range(count)])
    outcomes = Outcomes("set", count, 50_000, bits)
    return Reading((right / count,), input_shape=[3, 224, 224], outcomes=outcomes, protocol={"weights": NAME})


def figure(metric: str, value: float, weights: str = NAME) -> Baseline:
    return Baseline(
        *("net", metric, value, 0.00005, "fraction", str(value), "fraction", "torchvision"), reference=weights
    )


def published(*figures: Baseline) -> Published:
    return Published({}, {(each.architecture, each.metric): (each,) for each in figures})


def part(**readings: Reading | CannotMeasure) -> Part:
    return Part(20_000, 50_000, "images", 60.0, readings)


FAR, NEAR = reading(13_000, 20_000), reading(15_200, 20_000)
"""65 % and 76 % of 20,000 images, where the figure is 76 %; at 76 % they know it to about a point."""
FIGURES = published(figure("top1_accuracy", 0.76), figure("top5_accuracy", 0.93))


def ask(
    found: Part,
    figures: Published,
    risk: float = 0.01,
    asked: tuple[str, ...] = ("top1_accuracy",),
    promoted: Mapping[Key, Point] | None = None,
) -> bool:
    settings = Settings(learning=Learning(risk=risk))
    return is_certain(CASE, found, asked, figures, Yardsticks(HEADER, promoted or {}), settings)


def test_it_ends_when_the_figure_is_out_of_reach() -> None:
    assert ask(part(top1_accuracy=FAR), FIGURES)


@pytest.mark.parametrize(
    ("why", "found", "figures", "risk"),
    [
        ("no risk was allowed", part(top1_accuracy=FAR), FIGURES, 0.0),
        ("nothing was read yet", part(), FIGURES, 0.01),
        ("nothing was published", part(top1_accuracy=FAR), published(), 0.01),
        ("it is of other weights", part(top1_accuracy=FAR), published(figure("top1_accuracy", 0.76, "V2")), 0.01),
        ("it is too near to tell", part(top1_accuracy=reading(760, 1000)), FIGURES, 0.01),
    ],
)
def test_it_goes_on_where(why: str, found: Part, figures: Published, risk: float) -> None:
    assert not ask(found, figures, risk), why


def test_it_ends_when_all_that_was_asked_for_is_certain() -> None:
    sure, unsure = reading(16_000, 20_000), reading(930, 1000)
    assert not ask(part(top1_accuracy=FAR, top5_accuracy=unsure), FIGURES, asked=BOTH)
    assert ask(part(top1_accuracy=FAR, top5_accuracy=sure), FIGURES, asked=BOTH)
    assert ask(part(top1_accuracy=FAR, top5_accuracy=unsure), FIGURES), "top-5 was not asked for"
    assert ask(part(top1_accuracy=FAR, top5_accuracy=CannotMeasure("four classes")), FIGURES, asked=BOTH)


def test_it_ends_when_the_same_images_tell_it_from_ones_own() -> None:
    (before,) = points_of(_run(reading(15_000, 20_000))).values()
    promoted = {key(before): before}
    worse, same = reading(14_000, 20_000), reading(15_000, 20_000)
    assert ask(part(top1_accuracy=worse), published(), promoted=promoted)
    assert ask(part(top1_accuracy=same), published(), promoted=promoted)
    assert not ask(part(top1_accuracy=reading(90, 100)), published(), promoted=promoted)


def _run(found: Reading) -> store.Run:
    row = store.row(measurement(CASE, [Answered({"top1_accuracy": found})], Settings()), ())
    return store.Run(HEADER, (row,))
