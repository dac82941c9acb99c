"""Formulas against products multiplied by hand; every operator is really run under the counting mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytest_archbench.counting import Counts, count
from pytest_archbench.counting.formulas import MACS, NAMED_FREE, _formula, formula_of, is_free_name

aten = torch.ops.aten
Shape = tuple[int, ...]


class Row(NamedTuple):
    """An operator on tensors of some shapes, the product by hand, and the elements that it writes."""

    name: str
    operator: Callable[..., Any]
    shapes: tuple[Shape, ...]
    macs: int
    written: int


def conv(function: Callable[..., Tensor], **settings: Any) -> Callable[..., Tensor]:
    return lambda x, w: function(x, w, **settings)


Q, K, V = (2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 8)  # (batch, heads, tokens, width)
ATTENTION = (2 * 3 * 5 * 7) * (8 + 8)
IMAGE = (2, 6, 9, 11)  # (batch, channels, height, width)
ONES, ZEROS = [1, 1], [0, 0]

# fmt: off
ROWS = (
    # convolutions: output elements × (input channels of a group × kernel)
    Row("conv2d", F.conv2d, (IMAGE, (8, 6, 3, 5)), (2 * 8 * 7 * 7) * (6 * 3 * 5), 2 * 8 * 7 * 7),
    Row("conv2d 1x1", F.conv2d, (IMAGE, (8, 6, 1, 1)), (2 * 8 * 9 * 11) * 6, 2 * 8 * 9 * 11),
    Row("conv2d stride and padding", conv(F.conv2d, stride=(2, 1), padding=(1, 2)), (IMAGE, (8, 6, 3, 5)),
        (2 * 8 * 5 * 11) * (6 * 3 * 5), 2 * 8 * 5 * 11),
    Row("conv2d dilation", conv(F.conv2d, dilation=(2, 3)), (IMAGE, (8, 6, 3, 3)),
        (2 * 8 * 5 * 5) * (6 * 3 * 3), 2 * 8 * 5 * 5),
    Row("conv2d groups", conv(F.conv2d, groups=3), (IMAGE, (9, 2, 3, 3)), (2 * 9 * 7 * 9) * (2 * 3 * 3), 2 * 9 * 7 * 9),
    Row("conv2d depthwise", conv(F.conv2d, groups=6, padding="same"), (IMAGE, (6, 1, 3, 3)),
        (2 * 6 * 9 * 11) * (1 * 3 * 3), 2 * 6 * 9 * 11),
    Row("conv1d", F.conv1d, ((2, 4, 10), (5, 4, 3)), (2 * 5 * 8) * (4 * 3), 2 * 5 * 8),
    Row("conv3d", conv(F.conv3d, stride=2), ((1, 2, 5, 6, 7), (3, 2, 3, 3, 3)), (1 * 3 * 2 * 2 * 3) * (2 * 27), 36),
    # transposed: every input element meets (output channels of a group × kernel)
    Row("conv_transpose1d", F.conv_transpose1d, ((2, 4, 10), (4, 5, 3)), (2 * 4 * 10) * (5 * 3), 2 * 5 * 12),
    Row("conv_transpose2d stride", conv(F.conv_transpose2d, stride=2), (IMAGE, (6, 4, 3, 3)),
        (2 * 6 * 9 * 11) * (4 * 3 * 3), 2 * 4 * 19 * 23),
    Row("conv_transpose2d groups", conv(F.conv_transpose2d, groups=3), (IMAGE, (6, 4, 3, 3)),
        (2 * 6 * 9 * 11) * (4 * 3 * 3), 2 * 12 * 11 * 13),
    Row("conv_transpose3d", F.conv_transpose3d, ((1, 2, 3, 4, 5), (2, 3, 2, 2, 2)), (2 * 3 * 4 * 5) * (3 * 8),
        3 * 4 * 5 * 6),
    Row("_convolution", lambda x, w: aten._convolution(
        x, w, None, ONES, ZEROS, ONES, False, ZEROS, 2, False, False, False, False),
        (IMAGE, (8, 3, 3, 3)), (2 * 8 * 7 * 9) * (3 * 3 * 3), 2 * 8 * 7 * 9),
    # matrix products: [n, m] @ [m, p] is n × m × p
    Row("mm", torch.mm, ((3, 4), (4, 5)), 3 * 4 * 5, 3 * 5),
    Row("addmm", torch.addmm, ((5,), (3, 4), (4, 5)), 3 * 4 * 5, 3 * 5),
    Row("addmm full bias", torch.addmm, ((3, 5), (3, 4), (4, 5)), 3 * 4 * 5, 3 * 5),
    Row("bmm", torch.bmm, ((2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 2 * 3 * 5),
    Row("baddbmm", torch.baddbmm, ((2, 3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 2 * 3 * 5),
    Row("addbmm", torch.addbmm, ((3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 3 * 5),
    Row("mv", torch.mv, ((3, 4), (4,)), 3 * 4, 3),
    Row("addmv", torch.addmv, ((3,), (3, 4), (4,)), 3 * 4, 3),
    Row("addmm in place", Tensor.addmm_, ((3, 5), (3, 4), (4, 5)), 3 * 4 * 5, 3 * 5),
    Row("baddbmm in place", Tensor.baddbmm_, ((2, 3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 2 * 3 * 5),
    Row("addbmm in place", Tensor.addbmm_, ((3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 3 * 5),
    Row("addmv in place", Tensor.addmv_, ((3,), (3, 4), (4,)), 3 * 4, 3),
    Row("addmm with activation", aten._addmm_activation, ((5,), (3, 4), (4, 5)), 3 * 4 * 5, 3 * 5),
    Row("dot", torch.dot, ((7,), (7,)), 7, 1),
    Row("vdot", torch.vdot, ((7,), (7,)), 7, 1),
    Row("matmul", torch.matmul, ((2, 1, 3, 4), (5, 4, 6)), 2 * 5 * 3 * 4 * 6, 2 * 5 * 3 * 6),
    Row("einsum", lambda a, b: torch.einsum("bij,bkj->bik", a, b), ((2, 3, 4), (2, 5, 4)), 2 * 3 * 4 * 5, 2 * 3 * 5),
    Row("linear on a vector", F.linear, ((6,), (8, 6)), 6 * 8, 8),
    Row("linear without bias", F.linear, ((3, 6), (8, 6)), 3 * 6 * 8, 3 * 8),
    Row("linear on tokens", F.linear, ((2, 3, 6), (8, 6), (8,)), 2 * 3 * 6 * 8, 2 * 3 * 8),
    Row("linear, kept whole", torch.inference_mode()(F.linear), ((2, 3, 6), (8, 6), (8,)), 2 * 3 * 6 * 8, 2 * 3 * 8),
    # attention: queries × keys × (width of a key + width of a value), per head; in two products, or in a fused one
    Row("attention in two products", F.scaled_dot_product_attention, (Q, K, V), ATTENTION,
        2 * 3 * 5 * 7 + 2 * 3 * 5 * 8),
    Row("attention with wider values", F.scaled_dot_product_attention, (Q, K, (2, 3, 7, 4)),
        (2 * 3 * 5 * 7) * (8 + 4), 2 * 3 * 5 * 7 + 2 * 3 * 5 * 4),
    Row("attention with shared keys", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        ((2, 6, 5, 8), K, V), 2 * ATTENTION, 2 * (2 * 3 * 5 * 7 + 2 * 3 * 5 * 8)),
    Row("attention kept whole", torch.inference_mode()(F.scaled_dot_product_attention), (Q, K, V), ATTENTION,
        2 * 3 * 5 * 8),
    Row("fused, flash", aten._scaled_dot_product_flash_attention, (Q, K, V), ATTENTION, 2 * 3 * 5 * 8),
    Row("fused, CPU", aten._scaled_dot_product_flash_attention_for_cpu, (Q, K, V), ATTENTION, 2 * 3 * 5 * 8),
    Row("fused, efficient", lambda q, k, v: aten._scaled_dot_product_efficient_attention(q, k, v, None, False),
        (Q, K, V), ATTENTION, 2 * 3 * 5 * 8),
    Row("fused, cuDNN", lambda q, k, v: aten._scaled_dot_product_cudnn_attention(q, k, v, None, False),
        (Q, K, V), ATTENTION, 2 * 3 * 5 * 8),
    Row("fused, other devices", aten._scaled_dot_product_fused_attention_overrideable, (Q, K, V), ATTENTION,
        2 * 3 * 5 * 8),
)
# fmt: on

ON_OTHER_DEVICES = {"aten.convolution_overrideable"}
"""Has neither a CPU nor a meta kernel: its formula is tried on tensors alone."""


def counted(operator: Callable[..., Any], *shapes: Shape, device: str = "meta") -> Counts:
    """What the counting mode makes of one call."""
    return count(nn.Module(), [torch.zeros(shape, device=device) for shape in shapes], forward=operator)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_equals_the_product_by_hand(row: Row) -> None:
    found = counted(row.operator, *row.shapes)
    assert (found.macs, found.activations, found.uncounted) == (row.macs, row.written, ())


@pytest.mark.parametrize("row", [row for row in ROWS if "fused" not in row.name], ids=lambda row: row.name)
def test_it_counts_the_same_where_values_are_computed(row: Row) -> None:
    found = counted(row.operator, *row.shapes, device="cpu")
    assert (found.macs, found.uncounted) == (row.macs, ())


def test_it_has_a_row_for_every_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    met: set[str] = set()

    def noting(name: str, formula: Callable[..., int]) -> Callable[..., int]:
        def noted(*arguments: Any) -> int:
            met.add(name)
            return formula(*arguments)

        return noted

    for name, formula in MACS.items():
        monkeypatch.setitem(MACS, name, noting(name, formula))
    monkeypatch.setattr("pytest_archbench.counting.formulas._FORMULAS", {})
    for row in ROWS:
        counted(row.operator, *row.shapes)
    counted(lambda x, w: aten.mkldnn_convolution(x, w, None, ZEROS, ONES, ONES, 2), IMAGE, (8, 3, 3, 3), device="cpu")
    assert MACS.keys() - met == ON_OTHER_DEVICES


def test_it_counts_the_convolutions_of_other_backends() -> None:
    x, w, out = torch.empty(IMAGE), torch.empty(8, 3, 3, 3), torch.empty(2, 8, 7, 9)
    expected = (2 * 8 * 7 * 9) * (3 * 3 * 3)
    assert MACS["aten.convolution_overrideable"](out, x, w, None, ONES, ZEROS, ONES, False, ZEROS, 2) == expected
    found = counted(
        lambda x, w: aten.mkldnn_convolution(x, w, None, ZEROS, ONES, ONES, 2), IMAGE, (8, 3, 3, 3), device="cpu"
    )
    assert found.macs == expected


@pytest.mark.parametrize(
    "operator",
    [
        F.relu,
        lambda x: F.batch_norm(x, torch.zeros(6, device="meta"), torch.ones(6, device="meta")),
        lambda x: F.layer_norm(x, x.shape[1:]),
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.adaptive_avg_pool2d(x, 1),
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
        lambda x: F.local_response_norm(x, 5),
        lambda x: torch.cat([x, x]).softmax(1) + x.mean() * 2,
        lambda x: x.permute(0, 2, 3, 1).reshape(-1).clamp(0, 6),
        lambda x: x.masked_fill_(x > 0, -1).floor_divide(2),
        lambda x: F.grid_sample(x, torch.zeros(2, 4, 4, 2, device="meta"), align_corners=False),
        lambda x: F.dropout(F.pad(x, (1, 1)), 0.5, training=True),
    ],
)
def test_it_knows_what_is_free(operator: Callable[[Tensor], Tensor]) -> None:
    found = counted(operator, IMAGE)
    assert (found.macs, found.activations, found.uncounted) == (0, 0, ())


@pytest.fixture
def custom_operator() -> Iterator[Callable[[Tensor], Tensor]]:
    """An operator that no table has heard of."""
    with torch.library._scoped_library("archbench_test", "DEF") as library:
        library.define("mystery(Tensor x) -> Tensor")
        library.impl("mystery", lambda x: x.clone(), "CompositeExplicitAutograd")
        yield lambda x: torch.ops.archbench_test.mystery(x)


def test_it_lists_an_operator_of_a_users_own(custom_operator: Callable[[Tensor], Tensor]) -> None:
    found = counted(lambda x: custom_operator(custom_operator(x)) @ x.T, (3, 4))
    assert found.uncounted == ("archbench_test.mystery ×2",)
    assert found.macs == 3 * 4 * 3  # what is known is counted all the same


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        (torch.fft.rfft2, "aten._fft_r2c ×1"),
        (lambda x: torch.cdist(x, x), "aten._cdist_forward ×1"),
        (lambda x: F.bilinear(x, x, x.new_empty(5, 4, 4)), "aten._trilinear ×1"),
        (lambda x: torch.inference_mode()(torch.fft.rfft2)(x), "aten._fft_r2c ×1"),
    ],
)
def test_it_lists_what_it_has_no_formula_for(operator: Callable[[Tensor], Tensor], name: str) -> None:
    found = counted(operator, (3, 4))
    assert (found.macs, found.uncounted) == (0, (name,))


def test_free_is_another_thing_than_unknown() -> None:
    free, unknown = formula_of(aten.relu.default), formula_of(aten._fft_r2c.default)
    assert free is not None
    assert free(torch.empty(3), torch.empty(3)) == 0
    assert unknown is None


def test_no_operator_is_both_free_and_counted() -> None:
    assert not NAMED_FREE & MACS.keys()
    assert all(not is_free_name(name.replace("aten.", "aten::")) for name in MACS)


def test_every_named_operator_exists() -> None:
    missing = [name for name in NAMED_FREE | MACS.keys() if not hasattr(aten, name.removeprefix("aten."))]
    assert missing == []


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("aten::add_", True),
        ("aten::mm", False),
        ("aten::_fft_r2c", False),
        ("aten::nonsense", False),
        ("my::add", False),
    ],
)
def test_it_answers_by_the_name_in_a_traced_graph(name: str, free: bool) -> None:
    assert is_free_name(name) is free


def test_it_refuses_a_second_formula() -> None:
    with pytest.raises(ValueError, match=r"aten\.mm has two formulas: mm and another"):

        @_formula("aten.mm")
        def another(*_: Any) -> int:
            raise AssertionError("never called")

    assert MACS["aten.mm"].__name__ == "mm"
