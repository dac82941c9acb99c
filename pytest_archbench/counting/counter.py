"""Counting: one forward pass on the meta device under a dispatch mode; shapes only, no weights, no arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pytest_archbench import inputs
from pytest_archbench.counting.answers import ANSWERS, Answer
from pytest_archbench.counting.building import NEEDS_VALUES
from pytest_archbench.counting.formulas import formula_of

CONVENTION = (
    "one multiply-add is one MAC; convolutions and matrix products (attention included) count, "
    "biases, normalisation, activation functions, pooling and element-wise arithmetic do not; "
    "one image, evaluation mode, counted on shapes"
)


@dataclass(frozen=True, slots=True)
class ModuleCount:
    """One module's own share: ``params`` and ``macs`` of the module and everything inside it."""

    name: str
    kind: str
    params: int
    macs: int
    activations: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What a network is made of.

    ``params``: learnable parameters (count), shared ones once. ``macs`` (MAC) and ``activations`` (elements
    written by convolutions and matrix products) for the inputs given. ``model_size`` (B): parameters and persistent
    buffers as they lie in a state dict. ``input_shape``: of one image, as plain data; ``dtype``: what the network
    computes in. ``uncounted``: operators without a formula, as ``name ×calls``.
    """

    params: int
    macs: int
    activations: int
    model_size: int
    input_shape: Any
    dtype: str = "float32"
    uncounted: tuple[str, ...] = ()
    modules: tuple[ModuleCount, ...] = ()


class _CountingMode(TorchDispatchMode):
    """Adds up formulas over every operator that reaches the dispatcher."""

    def __init__(self, answers: Mapping[Any, Answer]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answers = answers
        self.macs = 0
        self.activations = 0
        self.uncounted: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operator: Any, _types: Any, arguments: tuple[Any, ...] = (), keywords: Mapping[str, Any] | None = None
    ) -> Any:
        keywords = keywords or {}
        formula = formula_of(operator)
        if formula is None:
            return self._unknown(operator, arguments, keywords)
        answer = self.answers.get(operator)
        out = answer(*arguments, **keywords) if answer else NotImplemented
        if out is NotImplemented:
            out = operator(*arguments, **keywords)
        if macs := formula(out, *arguments):
            self.macs += macs
            self.activations += _elements(out)
        return out

    def _unknown(self, operator: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """Count what a composite operator is made of (``torch.inference_mode`` lets it through whole); else list it."""
        with self:
            out = operator.decompose(*arguments, **keywords)
        if out is NotImplemented:
            self.uncounted[str(operator.overloadpacket)] += 1
            out = operator(*arguments, **keywords)
        return out


def _elements(out: Tensor | Sequence[Any]) -> int:
    return out.numel() if isinstance(out, Tensor) else out[0].numel()


def count(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    by_module: bool = False,
    forward: Callable[..., Any] | None = None,
) -> Counts:
    """Count ``model(*args, **kwargs)`` in evaluation mode, without changing the model.

    Args:
        model: on any device; it and the inputs are only read. On the meta device nothing is computed.
        args: positional inputs, tensors of shape (batch, ...) on the model's device.
        by_module: also break the counts down by module; slower, since every module call is followed.
        forward: what to call instead of the model itself.

    Raises: whatever the model raises.
    """
    # Answers make meta tensors, so they may only meet meta tensors.
    mode = _CountingMode(ANSWERS if _is_meta(args, kwargs or {}) else {})
    with _evaluating(model), _following(model, mode, by_module) as modules, torch.no_grad(), mode:
        (forward or model)(*args, **(kwargs or {}))
    return Counts(
        params=parameters(model),
        macs=mode.macs,
        activations=mode.activations,
        model_size=state_bytes(model),
        input_shape=inputs.shapes(args, kwargs or {}),
        dtype=inputs.fitting(model)[1],
        uncounted=tuple(f"{name} ×{calls}" for name, calls in sorted(mode.uncounted.items())),
        modules=tuple(modules),
    )


def count_in_place(model: nn.Module, spec: Any, *, by_module: bool = False) -> Counts:
    """Count a network that exists, weights and all, by lending it meta tensors in place of its own.

    ``spec`` is what ``inputs.make`` understands. A network that cannot run without values is run with them.
    """
    device, dtype = inputs.fitting(model)
    lent = _lent(model)

    def forward(*args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(model, lent, args, kwargs, tie_weights=False)

    try:
        args, kwargs = inputs.make(spec, 1, "meta", dtype)
        return count(model, args, kwargs, by_module=by_module, forward=forward)
    except NEEDS_VALUES:
        args, kwargs = inputs.make(spec, 1, device, dtype)
        return count(model, args, kwargs, by_module=by_module)


def _lent(model: nn.Module) -> dict[str, Tensor]:
    """A meta tensor for every place of a parameter or buffer; places that share one share the other.

    A module that stands in the model twice is one place, under the first of its names: replaced twice, it would be
    given back what was lent.
    """
    twins: dict[int, Tensor] = {}
    return {
        f"{prefix}.{name}".removeprefix("."): twins.setdefault(id(tensor), torch.empty_like(tensor, device="meta"))
        for prefix, module in model.named_modules()
        for name, tensor in (
            *module.named_parameters(recurse=False, remove_duplicate=False),
            *module.named_buffers(recurse=False, remove_duplicate=False),
        )
    }


def _is_meta(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
    return bool(tensors) and all(tensor.is_meta for tensor in tensors)


def parameters(model: nn.Module) -> int:
    """Learnable parameters (count); one that is shared by several modules counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def state_bytes(model: nn.Module) -> int:
    """Bytes (B) of the tensors of the state dict; a tensor that stands there under several names counts once."""
    tensors = {id(t): t for t in model.state_dict(keep_vars=True).values() if isinstance(t, Tensor)}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    if training:  # setting thousands of flags takes as long as counting a small network
        model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def _following(model: nn.Module, mode: _CountingMode, wanted: bool) -> Iterator[list[ModuleCount]]:
    """Follow every module call; the list is filled when the block ends, hooks are gone whatever happens."""
    rows: list[ModuleCount] = []
    if not wanted:
        yield rows
        return
    shares: dict[nn.Module, list[int]] = {module: [0, 0] for module in model.modules()}

    def enter(module: nn.Module, _args: Any) -> None:
        shares[module][0] -= mode.macs
        shares[module][1] -= mode.activations

    def leave(module: nn.Module, _args: Any, _out: Any) -> None:
        shares[module][0] += mode.macs
        shares[module][1] += mode.activations

    handles = [h for m in shares for h in (m.register_forward_pre_hook(enter), m.register_forward_hook(leave))]
    try:
        yield rows
    finally:
        for handle in handles:
            handle.remove()
    rows.extend(
        ModuleCount(name, type(module).__name__, parameters(module), *shares[module])
        for name, module in model.named_modules()
    )
