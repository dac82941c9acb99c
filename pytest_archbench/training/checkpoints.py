"""What is half done, and what is done: the files of a training in the folder that keeps them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_archbench.files import as_file, write_atomically
from pytest_archbench.protocols import Outcomes, Unusable
from pytest_archbench.training.progress import Epoch

if TYPE_CHECKING:
    from torch import nn

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a training needs to go on as if it had never stopped; nothing random, which the epoch's number gives.

    ``identity`` tells apart trainings that would not end with the same weights. ``optimizer`` and ``scaler`` are None
    once all epochs are done.
    """

    identity: str
    epochs: tuple[Epoch, ...]
    outcomes: Outcomes
    resumed: tuple[int, ...]
    model: State
    optimizer: State | None
    scaler: State | None


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one training: ``checkpoint`` of the last whole epoch, ``weights`` at the end."""

    checkpoint: Path
    weights: Path


def places(keep: str, architecture: str, device: str) -> Places:
    stem = as_file(f"{architecture}-{device}")
    return Places(Path(keep) / f"{stem}.checkpoint", Path(keep) / f"{stem}.pth")


def make_folder(keep: str) -> None:
    """Before hours were spent for what cannot be kept. Raises Unusable."""
    try:
        Path(keep).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(
            f"{keep}: no folder that trainings can be kept in: {os.strerror(error.errno or 0)}; name another one"
        ) from error


def refuse_what_is_not_kept(model: nn.Module) -> None:
    """What layers keep beside tensors (``get_extra_state``) is tried before hours were spent. Raises Unusable where it
    is no plain data, or is not taken back.
    """
    import torch

    state = model.state_dict()
    others = [name for name, one in state.items() if not isinstance(one, torch.Tensor)]
    if not others:
        return
    buffer = io.BytesIO()
    try:
        torch.save(state, buffer)
        model.load_state_dict(torch.load(io.BytesIO(buffer.getvalue()), weights_only=True))
    except Exception as error:  # a layer's own code may raise anything
        first, *_ = f"{type(error).__name__}: {error}".splitlines()
        raise Unusable(
            f"{', '.join(others)} of {type(model).__name__}: expected plain data that set_extra_state takes back; "
            f"got {first[:200]}: have get_extra_state return numbers, texts, lists or dicts"
        ) from error


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Raises Unusable where it cannot be written; the checkpoint before stays whole."""
    content = {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}
    content["epochs"] = [asdict(epoch) for epoch in checkpoint.epochs]
    content["outcomes"] = asdict(checkpoint.outcomes)
    before = len(checkpoint.epochs) - 1
    _write(path, content, f"that of epoch {before} is whole" if before else "there is none yet")


def save_weights(path: Path, model: State) -> int:
    """Write a plain state dict; its size (B). Raises Unusable."""
    _write(path, dict(model), "the checkpoint of the epoch before is whole")
    return path.stat().st_size


def _write(path: Path, content: Mapping[str, Any], otherwise: str) -> None:
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise Unusable(
            f"{path}: cannot be written: {os.strerror(error.errno or 0)}; {otherwise}: "
            "make room and run again, the training goes on from there"
        ) from error


def load(path: Path) -> Checkpoint | None:
    """The checkpoint, tensors on the CPU; None where there is no file. No code of the file is run. Raises Unusable."""
    import torch

    try:
        written = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(f"{path}: cannot be read: {os.strerror(error.errno or 0)}: mend that and run again") from error
    try:
        content = torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
        return Checkpoint(
            **{
                **content,
                "epochs": tuple(Epoch(**epoch) for epoch in content["epochs"]),
                "outcomes": Outcomes(**content["outcomes"]),
                "resumed": tuple(content["resumed"]),
            }
        )
    except Exception as error:  # torch raises anything on bytes that are no checkpoint
        first, *_ = f"{type(error).__name__}: {error}".splitlines()
        raise Unusable(
            f"{path}: expected the checkpoint of a training; got {first[:200]}: remove it to train afresh"
        ) from error


def set_aside(there: Places, identity: str) -> None:
    """Rename a training's files, so that another one's do not take their place."""
    mark = hashlib.sha256(identity.encode()).hexdigest()[:8]
    for path in (there.checkpoint, there.weights):
        if path.exists():
            path.rename(path.with_name(f"{path.stem}.{mark}{path.suffix}"))
