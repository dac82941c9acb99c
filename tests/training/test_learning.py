"""A training: the steps worked by hand, the same bits again, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_trainings import (
    DIGITS,
    Pair,
    Two,
    chancy,
    last,
    last_of,
    linear,
    pictures,
    raising,
    same,
    task,
    timeless,
    weights,
    zeroed,
)
from torch import Tensor, nn

from bench_suite.architectures import block_networks
from bench_suite.architectures.blocks import BLOCKS
from pytest_archbench import training
from pytest_archbench.proportions import unpack
from pytest_archbench.protocols import Learning, Missing, Preprocessing, Recipe, Unusable
from pytest_archbench.registry import ARCHITECTURES
from pytest_archbench.training import Diverged, Task
from pytest_archbench.training.course import runs

ENTRIES = {dataset: [f"{dataset}_{kind}" for kind in BLOCKS] for dataset in block_networks.DATASETS}
ONE_PIXEL = Recipe(Preprocessing((1, 1), None, (0.0,), (1.0,)), 1, batch_size=4, learning_rate=0.1, weight_decay=0.0)
FOUR = pictures([[[0]], [[0]], [[255]], [[255]]], [0, 0, 1, 1])


def test_one_step_is_what_is_worked_by_hand(tmp_path: Path) -> None:
    asked = task(zeroed, ONE_PIXEL, keep=str(tmp_path))
    found = last_of(asked, FOUR)
    (epoch,) = found.epochs
    # Scores 0 and 0: each class has probability 1/2, and the first of equals is taken, right for the two black images.
    assert epoch.train_loss == pytest.approx(math.log(2))
    assert epoch.train_accuracy == 0.5
    # The gradient of the loss by the weights is the mean of (probability - truth) x pixel: 1/4 and -1/4, by the biases
    # 0. Adam's first step is the learning rate against the gradient's sign: weights -0.1 and 0.1.
    state = weights(asked)
    assert state["1.weight"].flatten().tolist() == pytest.approx([-0.1, 0.1], rel=1e-5)
    assert state["1.bias"].tolist() == [0, 0]
    # Black images still lose ln 2, white ones ln(1 + exp(-0.2)).
    assert epoch.valid_loss == pytest.approx((math.log(2) + math.log(1 + math.exp(-0.2))) / 2)
    assert epoch.valid_accuracy == 1
    assert min(epoch.epoch_time, epoch.step_time, epoch.valid_time) > 0
    assert epoch.step_time < epoch.epoch_time
    assert (found.total, found.whole, found.left) == (1, True, 0)


def test_outcomes_say_which_images_are_right(tmp_path: Path) -> None:
    recipe = replace(ONE_PIXEL, learning_rate=1e-12)  # it stays where it is: the first class for all, but for the white
    found = last_of(task(zeroed, recipe, keep=str(tmp_path)), pictures([[[0]]] * 4, [0, 1, 1, 0]))
    assert found.outcomes is not None
    assert unpack(found.outcomes.correct, found.outcomes.count) == [True, False, False, True]
    assert (found.outcomes.count, found.outcomes.total) == (4, 4)
    assert found.outcomes.images == pictures([[[0]]] * 4, [0, 1, 1, 0]).identity
    assert found.epochs[-1].valid_accuracy == 0.5


@pytest.mark.parametrize(
    ("epochs", "rates"), [(1, [0.1]), (2, [0.1, 0.01]), (3, [0.1, 0.1, 0.01]), (4, [0.1, 0.1, 0.01, 0.01])]
)
def test_the_learning_rate_is_a_tenth_after_half_of_the_epochs(epochs: int, rates: list[float]) -> None:
    asked = task(zeroed, ONE_PIXEL, epochs=epochs)
    assert [asked.learning_rate(number) for number in range(asked.epochs)] == pytest.approx(rates)


def test_the_recipe_says_the_epochs_unless_asked_otherwise() -> None:
    assert task(linear).epochs == 12
    assert task(linear, epochs=3).epochs == 3


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    asked = [
        task(chancy, epochs=2, seed=seed, keep=str(tmp_path / name)) for seed, name in ((5, "a"), (5, "b"), (6, "c"))
    ]
    one, again, other = (last(each) for each in asked)
    assert timeless(one.epochs) == timeless(again.epochs)
    assert one.outcomes == again.outcomes
    assert same(weights(asked[0]), weights(asked[1]))
    assert timeless(one.epochs) != timeless(other.epochs)
    assert not same(weights(asked[0]), weights(asked[2]))


def test_it_leaves_the_process_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    last(task(chancy, epochs=1))
    assert torch.equal(torch.rand(4), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_it_learns_digits_and_says_how(tmp_path: Path) -> None:
    found = last(task(chancy, keep=str(tmp_path)))
    assert found.epochs[-1].valid_accuracy > 0.9
    assert found.epochs[-1].valid_loss < found.epochs[0].valid_loss
    assert found.input_shape == (1, 8, 8)
    said = found.protocol
    assert (said["data"], said["train"]["images"], said["valid"]["images"]) == ("digits", 1437, 360)
    assert (said["epochs"], said["batch_size"], said["seed"], said["deterministic"]) == (12, 32, 0, True)
    assert said["preprocessing"]["mean"] == [0.5]
    assert (tmp_path / "chancy-cpu.pth").stat().st_size == found.weights_size


def test_mixed_precision_is_taken_when_asked_for(tmp_path: Path) -> None:
    mixed, full = (last(task(chancy, epochs=2, amp=amp, keep=str(tmp_path / amp))) for amp in ("bfloat16", ""))
    assert mixed.protocol["amp"] == "bfloat16"
    assert timeless(mixed.epochs) != timeless(full.epochs)
    assert mixed.epochs[-1].valid_loss == pytest.approx(full.epochs[-1].valid_loss, rel=0.2)


def test_float16_is_trained_with_scaled_gradients(tmp_path: Path) -> None:
    found = last(task(linear, epochs=2, amp="float16", keep=str(tmp_path)))
    assert found.epochs[-1].valid_loss < found.epochs[0].valid_loss


def test_auxiliary_answers_are_left_out() -> None:
    two = last(task(Two, epochs=1))
    assert two.epochs[-1].train_loss > 0


def test_without_a_folder_nothing_stays() -> None:
    asked = task(linear, epochs=1)
    assert last(asked).weights_size
    assert training.trained(asked.learning, asked.architecture, "cpu") is None


def test_weights_are_found_once_they_are_there(tmp_path: Path) -> None:
    asked = task(linear, epochs=1, keep=str(tmp_path))
    assert training.trained(asked.learning, asked.architecture, "cpu") is None
    last(asked)
    assert training.trained(asked.learning, asked.architecture, "cpu") == tmp_path / "linear-cpu.pth"
    assert training.trained(asked.learning, asked.architecture, "cuda") is None


def test_a_network_without_a_recipe_is_refused() -> None:
    with pytest.raises(Missing, match=r"^no recipe says how it is trained; give its Architecture recipe="):
        last(task(linear, None))


def eleven() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 11))


def flat() -> nn.Module:
    return nn.Sequential(nn.Flatten(0), nn.Linear(64, 10))


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(Unusable, match="expected 10 outputs, one for each class; got a network with 11"):
        last(task(eleven))


def test_an_answer_that_is_no_score_for_each_class_is_refused() -> None:
    with pytest.raises(
        Unusable, match=r"Sequential: expected values of shape \(batch, classes\); got a tensor of shape"
    ):
        last(task(flat))


def test_one_of_several_answers_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"Pair: expected values of shape \(batch, classes\); got tuple; have it return"):
        last(task(Pair, keep=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def double() -> nn.Module:
    return linear().double()


def test_a_network_of_another_precision_is_trained_in_float32(tmp_path: Path) -> None:
    asked = task(double, epochs=1, keep=str(tmp_path))
    assert last(asked).epochs[-1].train_loss > 0
    assert {tensor.dtype for tensor in weights(asked).values()} == {torch.float32}


class Viewing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(1, 4, 3), nn.Linear(144, 10)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.convolution(x)
        scored: Tensor = self.linear(features.view(len(features), -1))
        return scored


@pytest.mark.parametrize(("build", "last_runs"), [(Viewing, False), (chancy, True)])
def test_it_is_tried_whether_a_network_runs_with_its_channels_last(
    build: Callable[[], nn.Module], last_runs: bool
) -> None:
    model = build()
    for layout, expected in ((torch.channels_last, last_runs), (torch.contiguous_format, True)):
        assert runs(model.to(memory_format=layout), task(build), nullcontext()) == expected
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_cut_larger_than_the_image_is_refused() -> None:
    with pytest.raises(Unusable, match=r"random_crop=4 is smaller than the input of 8: give it a random_crop of 8 at"):
        last(task(linear, replace(DIGITS, random_crop=4)))


def test_a_training_that_diverges_says_when() -> None:
    with pytest.raises(
        Diverged, match=r"^the training loss of epoch 1 is (nan|inf); a recipe with a learning rate below"
    ):
        last(task(linear, replace(DIGITS, learning_rate=1e36)))


def test_what_the_network_raises_is_passed_on() -> None:
    with pytest.raises(LookupError, match="this network cannot learn"):
        last(task(raising))


def test_mirrored_parts_of_images_are_the_same_however_many_processes_prepare_them(tmp_path: Path) -> None:
    recipe = Recipe(Preprocessing((8, 8), 9, (0.5,), (0.5,)), 1, batch_size=256, flip=True, random_crop=10)
    alone, helped = (task(chancy, recipe, loaders=loaders, keep=str(tmp_path / str(loaders))) for loaders in (0, 2))
    assert timeless(last(alone).epochs) == timeless(last(helped).epochs)
    assert same(weights(alone), weights(helped))


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES["digits"])
def test_every_kind_of_block_learns_digits(name: str) -> None:
    found = last(Task(ARCHITECTURES[name], Learning(), "cpu", "cpu"))
    assert found.epochs[-1].valid_accuracy > 0.95


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("amp", ["", "bfloat16", "float16"])
def test_it_learns_on_a_gpu(tmp_path: Path, amp: str) -> None:
    asked = Task(ARCHITECTURES["digits_bottleneck"], Learning(epochs=6, amp=amp, keep=str(tmp_path)), "cuda", "cuda:0")
    found = last(asked)
    assert found.epochs[-1].valid_accuracy > 0.9
    assert {str(tensor.device) for tensor in weights(asked).values()} == {"cpu"}
    assert found.protocol["deterministic"] is False
