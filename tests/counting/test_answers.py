"""Answers against torch's own meta kernels: the same shapes and types, or left to torch with its own errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pytest_archbench.counting import count
from pytest_archbench.counting.answers import ANSWERS

aten = torch.ops.aten
Call = tuple[Any, tuple[Any, ...], dict[str, Any]]
"""An operator overload, its arguments and its keyword arguments."""

RAISED = "raised"
DTYPES = st.sampled_from(
    [torch.float32, torch.float32, torch.float32, torch.float16, torch.float64, torch.int64, torch.bool]
)
SIZES = st.integers(0, 5)


def empty(shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(tuple(shape), dtype=dtype, device="meta")


def seen(out: Any) -> Any:
    """What counting reads of an output."""
    if isinstance(out, Tensor):
        return (tuple(out.shape), out.dtype, out.device.type)
    return [seen(each) for each in out]


def by_torch(operator: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    try:
        return seen(operator(*arguments, **keywords))
    except (RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError):
        return RAISED


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    return empty(draw(st.lists(SIZES, max_size=5)), draw(DTYPES))


@st.composite
def nearly(draw: st.DrawFn, fitting: Sequence[int], like: Tensor) -> Tensor:
    """A tensor that fits, most of the time; else of another size, another number of dimensions or another type."""
    if draw(st.integers(0, 7)):
        return empty(fitting, like.dtype)
    return draw(st.one_of(tensors(), st.just(empty(fitting, torch.float64)), st.just(empty([*fitting, 1]))))


@st.composite
def convolutions(draw: st.DrawFn) -> Call:
    dims, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    within, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    small = st.integers(0, 2)

    def each(sizes: st.SearchStrategy[int]) -> list[int]:
        length = dims if draw(st.integers(0, 9)) else draw(st.integers(0, 3))
        return draw(st.lists(sizes, min_size=length, max_size=length))

    x = empty([draw(SIZES), within * groups, *draw(st.lists(SIZES, min_size=dims, max_size=dims))], draw(DTYPES))
    kernel = draw(st.lists(st.integers(1, 3), min_size=dims, max_size=dims))
    w = draw(nearly([per_group * groups, within, *kernel], x))
    bias = draw(st.one_of(st.none(), nearly([per_group * groups], x)))
    transposed = draw(st.integers(0, 5)) == 0
    asked = groups if draw(st.integers(0, 7)) else draw(small)
    arguments = (x, w, bias, each(small), each(small), each(small), transposed, [0] * dims, asked)
    return aten.convolution.default, arguments, {}


@st.composite
def normalisations(draw: st.DrawFn) -> Call:
    x = draw(tensors())
    channels = x.shape[1:2]
    four = [draw(st.one_of(nearly(channels, x), st.none()) if index < 2 else nearly(channels, x)) for index in range(4)]
    return aten.native_batch_norm.default, (x, *four, draw(st.integers(0, 4)) == 0, 0.1, 1e-5), {}


@st.composite
def products(draw: st.DrawFn) -> Call:
    n, m, p = draw(SIZES), draw(SIZES), draw(SIZES)
    a = draw(nearly([n, m], empty([], draw(DTYPES))))
    b = draw(nearly([m, p], a))
    bias = draw(st.one_of(nearly([p], a), nearly([n, p], a), nearly([1], a)))
    return aten.addmm.default, (bias, a, b), draw(st.sampled_from([{}, {"beta": 2, "alpha": 3}]))


@st.composite
def pairs(draw: st.DrawFn) -> Call:
    operators = [aten.add.Tensor, aten.mul.Tensor, aten.sub.Tensor, aten.div.Tensor, aten.add_.Tensor, aten.mul_.Tensor]
    operator, x = draw(st.sampled_from(operators)), draw(tensors())
    other = draw(st.one_of(nearly(x.shape, x), st.just(2.5) if "_" not in str(operator) else nearly(x.shape, x)))
    keywords = {"alpha": 2} if operator in (aten.add.Tensor, aten.sub.Tensor) and draw(st.booleans()) else {}
    return operator, (x, other), keywords


@st.composite
def single(draw: st.DrawFn) -> Call:
    unary = [op for op, answer in ANSWERS.items() if answer.__name__ in ("in_place", "same_shape", "gelu")]
    operator = draw(st.sampled_from(unary))
    keywords = {"approximate": draw(st.sampled_from(["none", "tanh", "erf"]))} if operator is aten.gelu.default else {}
    return operator, (draw(tensors()),), keywords


@st.composite
def joinings(draw: st.DrawFn) -> Call:
    first, dim = draw(tensors()), draw(st.integers(-6, 5))
    joined = [first]
    for _ in range(draw(st.integers(0, 3))):
        shape = list(first.shape)
        if -len(shape) <= dim < len(shape):
            shape[dim] = draw(SIZES)
        joined.append(draw(st.one_of(nearly(shape, first), st.just(empty([0], first.dtype)))))
    return aten.cat.default, (joined if draw(st.integers(0, 9)) else [], dim), {}


CALLS = {
    "convolution": convolutions(),
    "batch_norm": normalisations(),
    "addmm": products(),
    "binary": pairs(),
    "single": single(),
    "cat": joinings(),
}


@pytest.mark.parametrize("name", CALLS)
def test_it_answers_as_torch_does_or_not_at_all(name: str) -> None:
    answered = 0

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(CALLS[name])
    def compare(call: Call) -> None:
        nonlocal answered
        operator, arguments, keywords = call
        shapes = seen(arguments[0])
        answer = ANSWERS[operator](*arguments, **keywords)
        assert seen(arguments[0]) == shapes
        if answer is not NotImplemented:
            answered += 1
            assert seen(answer) == by_torch(operator, arguments, keywords)

    compare()
    assert answered > 20, "the examples hardly ever reach an answer"


def test_every_answer_is_among_those_compared() -> None:
    compared = {
        "convolution",
        "batch_norm",
        "addmm",
        "binary",
        "binary_in_place",
        "in_place",
        "same_shape",
        "gelu",
        "cat",
    }
    assert {answer.__name__ for answer in ANSWERS.values()} == compared


@pytest.mark.parametrize("operator", ANSWERS, ids=str)
def test_it_answers_the_plain_case(operator: Any) -> None:
    image, wide = empty((2, 3, 8, 8)), empty((3,))
    arguments: dict[str, tuple[Any, ...]] = {
        "convolution": (image, empty((4, 3, 3, 3)), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
        "batch_norm": (image, wide, wide, wide, wide, False, 0.1, 1e-5),
        "addmm": (empty((5,)), empty((2, 3)), empty((3, 5))),
        "cat": ([image, image], 1),
        "binary": (image, image),
        "binary_in_place": (image, image),
    }
    given_arguments = arguments.get(ANSWERS[operator].__name__, (image,))
    assert seen(ANSWERS[operator](*given_arguments)) == by_torch(operator, given_arguments, {})


WRONG: dict[str, Callable[[Tensor], Any]] = {
    "convolution of other channels": lambda x: nn.Conv2d(4, 8, 3, device="meta")(x),
    "convolution larger than its input": lambda x: nn.Conv2d(3, 8, 9, device="meta")(x),
    "convolution with other groups": lambda x: F.conv2d(x, empty((8, 1, 3, 3)), groups=2),
    "batch norm of other width": lambda x: nn.BatchNorm2d(4, device="meta").eval()(x),
    "linear of other width": lambda x: nn.Linear(9, 5, device="meta")(x.flatten(1)),
    "linear on an image": lambda x: nn.Linear(9, 5, device="meta")(x),
    "product of three dimensions": lambda x: torch.addmm(empty((8,)), x[0], empty((8, 8))),
    "cat of other sizes": lambda x: torch.cat([x, x[:, :, 1:]], 1),
    "cat of other dimensions": lambda x: torch.cat([x, x[0]], 1),
    "cat along no dimension": lambda x: torch.cat([x, x], 7),
    "cat of nothing": lambda _x: torch.cat([]),
    "sum of other sizes": lambda x: x + x[:, :2],
    "sum in place of other sizes": lambda x: x[:, :2].add_(x),
    "unknown approximation": lambda x: F.gelu(x, approximate="erf"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_network_raises_torchs_own_error(wrong: str) -> None:
    image = empty((1, 3, 8, 8))
    with pytest.raises(Exception) as by_torch_alone, torch.no_grad():  # noqa: PT011  whatever torch says is right
        WRONG[wrong](image)
    with pytest.raises(type(by_torch_alone.value)) as while_counting:
        count(nn.Module(), [image], forward=WRONG[wrong])
    assert str(while_counting.value) == str(by_torch_alone.value)
