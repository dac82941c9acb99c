"""Inputs: every form of description becomes tensors, and what is none of them is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pytest_archbench.inputs import InvalidInput, fitting, is_shape, make, plain, shape_of, shapes

GIVEN = torch.zeros(5, 7)


def sizes(made: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
    args, kwargs = made
    return [tuple(t.shape) for t in args], {name: tuple(t.shape) for name, t in kwargs.items()}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ((3, 8, 9), ([(2, 3, 8, 9)], {})),
        ([3, 8, 9], ([(2, 3, 8, 9)], {})),
        ((7,), ([(2, 7)], {})),
        ([(3, 8, 8), [10]], ([(2, 3, 8, 8), (2, 10)], {})),
        (((3, 8, 8), GIVEN), ([(2, 3, 8, 8), (5, 7)], {})),
        (GIVEN, ([(5, 7)], {})),
        ({"image": (3, 8, 8), "text": [10]}, ([], {"image": (2, 3, 8, 8), "text": (2, 10)})),
        ({"mask": GIVEN}, ([], {"mask": (5, 7)})),
        (lambda batch: torch.zeros(batch, 4), ([(2, 4)], {})),
        (lambda batch: [torch.zeros(batch, 4), torch.ones(batch)], ([(2, 4), (2,)], {})),
        (lambda batch: {"x": torch.zeros(batch, 4)}, ([], {"x": (2, 4)})),
        (lambda batch: (3, 4 * batch), ([(2, 3, 8)], {})),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_it_makes_tensors_of(spec: Any, expected: Any, device: str) -> None:
    made = make(spec, 2, device)
    assert sizes(made) == expected
    assert {t.device.type for t in (*made[0], *made[1].values())} == {device}


@pytest.mark.parametrize(
    "spec",
    [
        (),
        [],
        None,
        "3x224x224",
        7,
        (3, 0, 8),
        (3, -1),
        (3, 8.0, 8.0),
        (True, 8, 8),
        ["ab", "cd"],
        [(3, 8, 8), "text"],
        [(3, 8, 8), ()],
        {"image": "large"},
        lambda _batch: None,
        lambda _batch: "image",
    ],
)
def test_it_refuses(spec: Any) -> None:
    with pytest.raises(InvalidInput, match="input: expected a shape"):
        make(spec, 1, "meta")


def test_what_a_callable_raises_is_its_own() -> None:
    def broken(_batch: int) -> Tensor:
        raise KeyError("no data here")

    with pytest.raises(KeyError, match="no data here"):
        make(broken, 1, "cpu")


def test_values_are_standard_normal_from_the_seed() -> None:
    (first,), _ = make((3, 64, 64), 4, "cpu")
    (again,), _ = make((3, 64, 64), 4, "cpu")
    (other,), _ = make((3, 64, 64), 4, "cpu", seed=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert abs(first.mean().item()) < 0.02
    assert abs(first.std().item() - 1) < 0.02


def test_several_inputs_differ() -> None:
    (one, two), _ = make([(8,), (8,)], 1, "cpu")
    assert not torch.equal(one, two)


def test_it_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    make((3, 8, 8), 1, "cpu")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_it_makes_the_type_asked_for(device: str) -> None:
    (half,), _ = make((3, 8), 1, device, dtype="float16")
    assert half.dtype == torch.float16


def test_a_model_may_say_its_input() -> None:
    model = nn.Identity()
    assert shape_of(None, model) == (3, 224, 224)
    assert shape_of((1, 28, 28), model) == (1, 28, 28)
    model.default_cfg = {"num_classes": 10}  # type: ignore[assignment]
    assert shape_of(None, model) == (3, 224, 224)
    model.default_cfg = {"input_size": [3, 299, 299]}  # type: ignore[assignment]
    assert shape_of(None, model) == (3, 299, 299)
    assert shape_of((3, 32, 32), model) == (3, 32, 32)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ((3, 8, 9), [3, 8, 9]),
        ([(3, 8, 9), (4,)], [[3, 8, 9], [4]]),
        ({"image": (3, 8, 9)}, {"image": [3, 8, 9]}),
        (lambda batch: torch.zeros(batch), []),
    ],
)
def test_it_says_what_was_fed_for_one_image(spec: Any, expected: Any) -> None:
    assert shapes(*make(spec, 5, "meta")) == expected


@pytest.mark.parametrize(
    ("item", "answer"), [((1,), True), ([3, 4], True), ((), False), ("12", False), ((1, True), False), (3, False)]
)
def test_it_knows_a_shape(item: Any, answer: bool) -> None:
    assert is_shape(item) is answer


@pytest.mark.parametrize(
    ("spec", "data"),
    [
        ((3, 8, 9), [3, 8, 9]),
        ([(3, 8, 9), (4,)], [[3, 8, 9], [4]]),
        ({"image": (3, 8, 9)}, {"image": [3, 8, 9]}),
        (GIVEN, None),
        ([(3, 8, 9), GIVEN], None),
        ({"mask": GIVEN}, None),
        (make, None),
        (None, None),
        ((), None),
    ],
)
def test_it_is_plain_data_where_it_is_plain_shapes(spec: Any, data: Any) -> None:
    assert plain(spec) == data


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (nn.Linear(2, 2), ("cpu", "float32")),
        (nn.Linear(2, 2, dtype=torch.float64), ("cpu", "float64")),
        (nn.Linear(2, 2, device="meta", dtype=torch.bfloat16), ("meta", "bfloat16")),
        (nn.BatchNorm1d(2, affine=False).half(), ("cpu", "float16")),
        (nn.ReLU(), ("cpu", "float32")),
    ],
)
def test_it_fits_the_model(model: nn.Module, expected: tuple[str, str]) -> None:
    assert fitting(model) == expected


def test_numpys_integers_are_sizes_and_plain_in_a_journal() -> None:
    shape = tuple(np.array([3, 4]))
    assert is_shape(shape)
    assert not is_shape(tuple(np.array([3.0, 4.0])))
    assert (
        json.dumps([plain(shape), plain([shape]), plain({"image": shape})]) == '[[3, 4], [[3, 4]], {"image": [3, 4]}]'
    )
    (made,), _ = make(shape, 2, "cpu")
    assert made.shape == (2, 3, 4)
