"""The meter of trainings: a part for each epoch, of which the last is whole, and what each figure is of."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

from pytest_archbench.meters import METERS, Part
from pytest_archbench.meters.training import readings, training
from pytest_archbench.proportions import right
from pytest_archbench.protocols import Learning, Missing, Preprocessing, Recipe
from pytest_archbench.records import Architecture, Conditions, Reading, Settings
from pytest_archbench.registry import METRICS
from pytest_archbench.training import Epoch, Progress

RECIPE = Recipe(Preprocessing((8, 8), None, (0.5,), (0.5,)), epochs=3)
METRIC_NAMES = (
    *("train_accuracy", "valid_accuracy", "train_loss", "valid_loss"),
    *("epoch_time", "step_time", "weights_file_size"),
)


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def parts(recipe: Recipe | None = RECIPE, **learning: object) -> list[Part]:
    network = Architecture("net", "test", linear, (1, 8, 8), dataset="digits", recipe=recipe)
    found = training(network, Conditions("cpu"), Settings(learning=Learning(**learning)))  # type: ignore[arg-type]
    assert isinstance(found, Iterator)
    return list(found)


def read(part: Part) -> dict[str, Reading]:
    """Its readings, of which none is the want of an instrument."""
    found = {name: each for name, each in part.readings.items() if isinstance(each, Reading)}
    assert len(found) == len(part.readings)
    return found


def test_it_tells_each_epoch_until_all_are_done(tmp_path: Path) -> None:
    found = parts(keep=str(tmp_path))
    assert [(part.done, part.total, part.unit, part.whole) for part in found] == [
        (1, 3, "epochs", False),
        (2, 3, "epochs", False),
        (3, 3, "epochs", True),
    ]
    assert [part.left > 0 for part in found] == [True, True, False]
    assert "weights_file_size" not in found[0].readings
    assert tuple(read(found[-1])) == METRIC_NAMES
    assert read(found[-1])["weights_file_size"].samples == ((tmp_path / "net-cpu.pth").stat().st_size,)
    assert [part.done for part in parts(keep=str(tmp_path))] == [3]


def test_outcomes_are_those_of_the_accuracy() -> None:
    found = read(parts(epochs=1)[-1])
    outcomes = found["valid_accuracy"].outcomes
    assert outcomes is not None
    assert (outcomes.count, outcomes.total) == (360, 360)
    assert found["valid_accuracy"].samples == (right(outcomes) / 360,)
    assert {name for name in found if found[name].outcomes is not None} == {"valid_accuracy"}
    assert pickle.loads(pickle.dumps(found)) == found


def test_values_after_each_epoch_are_kept() -> None:
    epochs = (Epoch(0.5, 0.75, 0.25, 0.875, 3.0, 0.01, 1.0), Epoch(0.25, 0.875, 0.125, 1.0, 2.0, 0.02, 1.0))
    found = readings(Progress(4, {"amp": ""}, (1, 8, 8), epochs, resumed=(1,)))
    assert found["train_loss"].epochs == (0.5, 0.25)
    assert found["train_loss"].samples == (0.25,)
    assert found["valid_accuracy"].samples == (1.0,)
    assert found["epoch_time"].samples == found["epoch_time"].epochs == (3.0, 2.0)
    assert found["step_time"].samples == (0.01, 0.02)
    assert found["step_time"].notes == ("the first epoch holds the warm-up", "begun again after epoch 1")
    assert (found["valid_loss"].input_shape, found["valid_loss"].dtype) == ([1, 8, 8], "float32")
    # (3 + 1 + 2 + 1) / 2 s an epoch, two to go
    assert Progress(4, {}, (1,), epochs).left == 7.0


def test_it_is_measured_by_request_in_a_process_of_its_own() -> None:
    entry = METERS["training"]
    assert (entry.metrics, entry.worker, entry.by_request) == (METRIC_NAMES, "training", True)
    assert [METRICS[name].unit for name in METRIC_NAMES] == ["fraction", "fraction", "nat", "nat", "s", "s", "B"]


def test_a_network_without_a_recipe_is_missing_one() -> None:
    with pytest.raises(Missing, match=r"^no recipe says how it is trained"):
        parts(None)
