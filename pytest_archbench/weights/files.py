"""What a file of weights holds: tensors by name, read without running code, wherever in a checkpoint they lie."""

from __future__ import annotations

import argparse
import hashlib
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_archbench import registry
from pytest_archbench.protocols import Unusable

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".safetensors", ".pth.tar", ".pth", ".pt", ".bin")
NESTED = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
"""Where a training keeps the parameters in its checkpoints; the first that is there is taken, as timm does."""
WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
LISTED = 5
_FORBIDDEN = re.compile(r"GLOBAL ([\w.]+)")
_REASON = re.compile(r"WeightsUnpickler error: ([^\n]+)")
"""Behind torch's own advice, which is to read the file without care."""
_ANEW = "save the network's state alone, torch.save(model.state_dict(), FILE), or as .safetensors"


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file holds: ``state``, tensors by name without the ``prefix`` that wrappers put before every name; the
    ``key`` they lay under, and the other keys that may hold parameters too.
    """

    state: dict[str, Tensor]
    prefix: str = ""
    key: str = ""
    passed_over: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        chosen = {"key": self.key, "passed_over": list(self.passed_over)}
        return {name: value for name, value in chosen.items() if value}


def read_state(path: Path) -> dict[str, Tensor]:
    """The parameters and buffers in a file by name, on the CPU; nothing in the file is run.

    Raises: Unusable where it would have to be, where the file is damaged, and where it holds no tensors by name.
    """
    return stored(path).state


def stored(path: Path) -> Stored:
    """``read_state``, and where in the file they were."""
    content = _unpacked(path)
    key, passed_over = "", tuple[str, ...]()
    while not _holds_tensors(content):
        there = [name for name in NESTED if isinstance(content, Mapping) and isinstance(content.get(name), Mapping)]
        if not there:
            raise Unusable(f"{path}: expected tensors by name; got {_outline(content)}: {_ANEW}")
        key, passed_over = f"{key}.{there[0]}".strip("."), tuple(there[1:])
        content = content[there[0]]
    state, prefix = _unwrapped(content)
    return Stored(state, prefix, key, passed_over)


def _unpacked(path: Path) -> Any:
    """Whatever a file holds. torch's unpickler makes tensors and plain containers, and calls nothing else."""
    import pickle

    try:
        return _from_safetensors(path) if path.name.endswith(".safetensors") else _from_pickle(path)
    except pickle.UnpicklingError as problem:
        forbidden = _FORBIDDEN.search(str(problem))
        if forbidden is None:
            raise Unusable(_damaged(path, problem)) from None
        raise Unusable(
            f"{path}: refused, since reading it would run code ({forbidden[1]}): expected tensors by name; where you "
            f"trust it, {_ANEW}"
        ) from None
    except Exception as problem:  # torch's reader lets whatever a foreign file provokes through
        raise Unusable(_damaged(path, problem)) from problem


def _damaged(path: Path, problem: Exception) -> str:
    reason = _REASON.search(str(problem))
    said = reason[1] if reason else (str(problem).strip() or type(problem).__name__).splitlines()[0][:160]
    return f"{path}: cannot be read: expected what torch.save or safetensors write; got {said}: copy or fetch it anew"


def _from_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except SafetensorError as problem:
        raise ValueError(str(problem)) from problem


def _from_pickle(path: Path) -> Any:
    import torch

    # timm keeps its arguments in a checkpoint, which are attributes and no code; before 2.5 torch refuses them.
    allowed = getattr(torch.serialization, "safe_globals", nullcontext)
    with warnings.catch_warnings(), allowed([argparse.Namespace]):
        warnings.simplefilter("ignore")  # of formats it may not know: it reads the file, or refuses it
        return torch.load(path, map_location="cpu", weights_only=True)


def _holds_tensors(content: Any) -> bool:
    import torch

    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items())
    )


def _outline(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    return f"a mapping with {some([str(name) for name in content]) or 'nothing in it'}"


def _unwrapped(content: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Without the wrappers' prefix, and that prefix. An averaged model's own counter goes with it. The versions of
    modules that torch keeps beside a state go along, for some modules read them.
    """
    names = [name for name in content if name != "n_averaged"]
    prefix = ""
    while wrapper := next((w for w in WRAPPERS if names and all(n.startswith(prefix + w) for n in names)), ""):
        prefix += wrapper
    kept = names if prefix else list(content)
    state: OrderedDict[str, Tensor] = OrderedDict((name.removeprefix(prefix), content[name]) for name in kept)
    versions = getattr(content, "_metadata", None)
    if isinstance(versions, Mapping):
        versions = {f"{module}.".removeprefix(prefix).rstrip("."): said for module, said in versions.items()}
        state._metadata = versions  # type: ignore[attr-defined]  # (where load_state_dict looks for them)
    return state, prefix


def suffix(name: str) -> str:
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits. Raises: Unusable where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as problem:
        raise Unusable(_damaged(path, problem)) from problem
    return digest.hexdigest()


def some(names: Sequence[str]) -> str:
    return registry.some(names, LISTED)
