"""Whether what a file holds fits a network, and how the two differ where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_archbench.protocols import Unusable
from pytest_archbench.weights.files import Stored, some

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pytest_archbench.records import Architecture

_DOES_NOT_FIT = (RuntimeError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
"""What loading raises, timm's own renaming of parameters included, where a file is another network's."""


def filled(architecture: Architecture, found: Stored) -> Callable[[], Any]:
    """Makes the network and loads what the file holds into it; raises RuntimeError where that does not fit."""

    def fill() -> nn.Module:
        model: nn.Module = architecture.build()
        model.load_state_dict(_named_as(model, found))
        return model

    return fill


def _named_as(model: nn.Module, found: Stored) -> dict[str, Tensor]:
    """With the prefix again where the network itself has it: a wrapper of the user's may be called ``module`` too."""
    ours = model.state_dict().keys()
    if found.prefix and not ours & found.state.keys():
        return {f"{found.prefix}{name}": value for name, value in found.state.items()}
    return found.state


def first_that_fits(
    builders: Sequence[Callable[[], Any]], architecture: Architecture, found: Stored, path: Path
) -> Any:
    """The network of the first builder that takes what the file holds. Raises: Unusable, with how the two differ."""
    for build in builders:
        try:
            return build()
        except _DOES_NOT_FIT as problem:
            failure = problem
    model = architecture.build()
    require_sizes(model)
    ours, theirs = _shapes(model.state_dict()), _shapes(_named_as(model, found))
    said = mismatch(ours, theirs) or " ".join(str(failure).split())[:300] or type(failure).__name__
    raise Unusable(f"{path}: not weights of {architecture.name}: {said}") from failure


def require_sizes(model: nn.Module) -> None:
    """Raises: Unusable for a network with lazy layers, which have no weights before they have seen an input."""
    from torch.nn.parameter import is_lazy

    tensors = [*model.named_parameters(), *model.named_buffers()]
    lazy = [name for name, value in tensors if is_lazy(value)]
    if lazy:
        what = f"{type(model).__name__}: expected parameters of known sizes; got {some(lazy)} of none"
        raise Unusable(f"{what}: give those layers their sizes, or call it once in its factory")


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Of the tensors; a layer may keep more than those in its state."""
    return {name: tuple(value.shape) for name, value in state.items() if hasattr(value, "shape")}


def mismatch(ours: Mapping[str, tuple[int, ...]], theirs: Mapping[str, tuple[int, ...]]) -> str:
    """A sentence on how two states differ, by shapes; empty where they do not. Counters of batches, which files of old
    versions have not, are nothing that is missing.
    """
    missing = [name for name in ours if name not in theirs and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in theirs if name not in ours]
    other = {name: (ours[name], theirs[name]) for name in ours if name in theirs and ours[name] != theirs[name]}
    heads = {(mine[:1], its[:1]) if mine[1:] == its[1:] else None for mine, its in other.values()}
    if not missing and not unexpected and len(heads) == 1 and (pair := heads.pop()) and all(pair):
        (mine,), (its,) = pair
        return f"expected {mine} outputs; the file has {its}: give weights for {mine} classes, or a network for {its}"
    shapes = [f"{name} (ours {_by(mine)}, theirs {_by(its)})" for name, (mine, its) in other.items()]
    parts = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    said = [f"{len(names)} {what}: {some(names)}" for what, names in parts.items() if names]
    return f"expected its {len(ours)} tensors; got {'; '.join(said)}: give weights of this network" if said else ""


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a scalar"
