"""Multiply-accumulates by operator: pure formulas over shapes, and the operators that are known to have none.

One multiply-add is one MAC. Convolutions and matrix products count (attention through its matrix products);
biases, normalisation, activation functions, pooling, interpolation and element-wise arithmetic are free by
convention. An operator that is in neither table is *unknown*, which is another thing than free.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

Formula = Callable[..., int]

MACS: dict[str, Formula] = {}
"""Operator, by name because names outlive torch versions -> ``formula(output, *arguments) -> MACs``."""


def _formula(*operators: str) -> Callable[[Formula], Formula]:
    def register(formula: Formula) -> Formula:
        for operator in operators:
            if operator in MACS:
                raise ValueError(f"{operator} has two formulas: {MACS[operator].__name__} and {formula.__name__}")
            MACS[operator] = formula
        return formula

    return register


@_formula("aten.convolution", "aten._convolution", "aten.convolution_overrideable", "aten.mkldnn_convolution")
def convolution(out: Tensor, x: Tensor, w: Tensor, _bias: Any = None, *rest: Any) -> int:
    # out[n, o, *p] = convolution(x[n, i, *q], w[o, i/g, *k]);  transposed: w[i, o/g, *k]
    transposed = len(rest) > 3 and rest[3] is True
    positions = x if transposed else out
    return prod(positions.shape) * prod(w.shape[1:])


@_formula("aten.mm")
def mm(_out: Tensor, a: Tensor, b: Tensor, *_: Any) -> int:
    # [n, p] = mm([n, m], [m, p])
    n, m = a.shape
    p = b.shape[1]
    return int(n * m * p)


@_formula("aten.addmm", "aten.addmm_", "aten._addmm_activation")
def addmm(_out: Tensor, _bias: Tensor, a: Tensor, b: Tensor, *_: Any) -> int:
    # [n, p] = addmm([p], [n, m], [m, p])
    n, m = a.shape
    p = b.shape[1]
    return int(n * m * p)


@_formula("aten.bmm")
def bmm(_out: Tensor, a: Tensor, b: Tensor, *_: Any) -> int:
    # [batch, n, p] = bmm([batch, n, m], [batch, m, p])
    batch, n, m = a.shape
    p = b.shape[2]
    return int(batch * n * m * p)


@_formula("aten.baddbmm", "aten.baddbmm_", "aten.addbmm", "aten.addbmm_")
def baddbmm(_out: Tensor, _bias: Tensor, a: Tensor, b: Tensor, *_: Any) -> int:
    # [batch, n, p] = baddbmm([batch, n, p], [batch, n, m], [batch, m, p])
    batch, n, m = a.shape
    p = b.shape[2]
    return int(batch * n * m * p)


@_formula("aten.mv")
def mv(_out: Tensor, a: Tensor, _b: Tensor) -> int:
    # [n] = mv([n, m], [m])
    return prod(a.shape)


@_formula("aten.addmv", "aten.addmv_")
def addmv(_out: Tensor, _bias: Tensor, a: Tensor, _b: Tensor, *_: Any) -> int:
    # [n] = addmv([n], [n, m], [m])
    return prod(a.shape)


@_formula("aten.dot", "aten.vdot")
def dot(_out: Tensor, a: Tensor, _b: Tensor) -> int:
    # [] = dot([m], [m])
    return prod(a.shape)


@_formula("aten.linear")
def linear(out: Tensor, x: Tensor, _w: Tensor, *_: Any) -> int:
    # [*n, p] = linear([*n, m], [p, m])
    return prod(out.shape) * int(x.shape[-1])


@_formula(
    "aten.scaled_dot_product_attention",
    "aten._scaled_dot_product_flash_attention",
    "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_efficient_attention",
    "aten._scaled_dot_product_cudnn_attention",
    "aten._scaled_dot_product_fused_attention_overrideable",
)
def attention(_out: Any, q: Tensor, _k: Tensor, v: Tensor, *_: Any) -> int:
    # out[*h, n, e] = softmax(q[*h, n, d] @ k[*h, m, d].T) @ v[*h, m, e]
    *heads, n, d = q.shape
    m, e = v.shape[-2:]
    return int(prod(heads) * n * m * (d + e))


NAMED_FREE: frozenset[str] = frozenset(
    f"aten.{name}"
    for names in (
        # normalisation
        """
        native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training
        _batch_norm_no_update cudnn_batch_norm batch_norm native_layer_norm native_group_norm
        _fused_rms_norm rms_norm linalg_vector_norm norm renorm _weight_norm_interface
        """,
        # pooling and interpolation: comparisons, additions and fixed weights
        """
        max_pool2d_with_indices max_pool2d mkldnn_max_pool2d avg_pool2d avg_pool1d
        _adaptive_avg_pool2d adaptive_avg_pool1d adaptive_max_pool2d avg_pool3d _adaptive_avg_pool3d
        max_pool3d_with_indices mkldnn_adaptive_avg_pool2d upsample_nearest1d upsample_nearest2d
        upsample_linear1d upsample_bilinear2d upsample_bicubic2d _upsample_bicubic2d_aa
        _upsample_bilinear2d_aa upsample_trilinear3d adaptive_max_pool3d fractional_max_pool2d
        fractional_max_pool3d max_unpool2d max_unpool3d grid_sampler_2d grid_sampler_3d
        """,
        # reductions and orderings
        """
        mean sum var var_mean std std_mean amax amin max min argmax argmin sort topk cumsum any all
        logsumexp prod aminmax count_nonzero median nanmedian nansum mode kthvalue cummax cummin
        cumsum_ cumprod cumprod_ logcumsumexp _logcumsumexp
        """,
        # softmax: exponentials and one division
        """
        _softmax _log_softmax _safe_softmax softmax _masked_softmax
        """,
        # moving, joining and picking elements
        """
        cat stack clone copy_ _to_copy contiguous constant_pad_nd reflection_pad1d reflection_pad2d
        replication_pad2d roll flip repeat index index_select index_put index_put_ gather scatter
        scatter_add embedding im2col col2im channel_shuffle native_channel_shuffle pixel_shuffle
        pixel_unshuffle as_strided_ _unsafe_view _reshape_copy resize_ resize_as_ set_ tril triu
        masked_select nonzero bincount repeat_interleave _unsafe_index _reshape_alias unbind split
        split_with_sizes unsafe_split unfold squeeze_ unsqueeze_ t_ transpose_ tril_indices
        squeeze_copy slice_scatter select_scatter searchsorted bucketize glu masked_fill masked_fill_
        masked_scatter masked_scatter_ index_add index_add_ index_fill index_fill_ index_reduce
        scatter_ scatter_add_ scatter_reduce scatter_reduce_ take put diag_embed diagonal_scatter
        replication_pad1d replication_pad3d reflection_pad3d pad rot90 tril_ triu_
        unsafe_split_with_sizes _unsafe_index_put
        """,
        # making tensors
        """
        empty empty_like empty_strided new_empty new_empty_strided zeros zeros_like new_zeros ones
        ones_like new_ones full full_like new_full arange linspace eye scalar_tensor lift_fresh
        lift_fresh_copy fill fill_ zero_ rand randn rand_like randn_like randperm randint normal_
        uniform_ bernoulli_ bernoulli native_dropout dropout dropout_ one_hot meshgrid
        """,
        # bookkeeping
        """
        _assert_async _local_scalar_dense is_same_size equal _assert_scalar sym_size sym_numel
        """,
        # activation functions and arithmetic without the pointwise tag, in some versions
        """
        hardswish hardswish_ prelu _prelu_kernel rrelu gelu_ mish_ threshold_ log_sigmoid_forward
        _thnn_fused_lstm_cell _thnn_fused_gru_cell abs_ rsub floor_divide floor_divide_ eq eq_ ne ne_
        ge_ gt_ le_ lt_
        """,
    )
    for name in names.split()
)
"""Operators without multiply-accumulates that neither carry torch's pointwise tag nor are views."""


def _free(*_: Any, **__: Any) -> int:
    return 0


_FORMULAS: dict[Any, Formula | None] = {}


def formula_of(operator: Any) -> Formula | None:
    """The formula of an operator overload; one that answers 0 where it is free; None where it is unknown."""
    if operator not in _FORMULAS:
        _FORMULAS[operator] = MACS.get(str(operator.overloadpacket)) or (_free if _is_free(operator) else None)
    return _FORMULAS[operator]


def _is_free(operator: Any) -> bool:
    return (
        str(operator.overloadpacket) in NAMED_FREE
        or operator.namespace == "profiler"
        or operator.is_view
        or torch.Tag.pointwise in operator.tags
        or torch.Tag.inplace_view in operator.tags
    )


def is_free_name(name: str) -> bool:
    """Whether an operator, by its name in a traced graph (``aten::add_``), is known to have no multiply-accumulates."""
    namespace, _, short = name.partition("::")
    packet = getattr(torch.ops.aten, short, None) if namespace == "aten" else None
    overloads = [getattr(packet, each) for each in packet.overloads()] if packet else []
    on_tensors = [overload for overload in overloads if _works_on_tensors(overload)]
    return bool(on_tensors) and all(formula_of(overload) is _free for overload in on_tensors)


def _works_on_tensors(overload: Any) -> bool:
    """Neither one of TorchScript's on its own numbers and lists, nor the twin that writes to ``out=``."""
    arguments = overload._schema.arguments
    return any("Tensor" in str(each.type) for each in arguments) and not any(each.is_out for each in arguments)
