"""What a network learns: accuracy and loss after each epoch of a training from nothing, and how long it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from pytest_archbench.computing import torch_device
from pytest_archbench.meters import Part, meter
from pytest_archbench.records import Architecture, Conditions, Metric, Number, Reading, Settings
from pytest_archbench.training import Progress, Task, train

CONVENTIONS = {
    "train_accuracy": "fraction of the training images that were right when they were learned from: a running value "
    "over the epoch, the network in training mode and its weights changing",
    "valid_accuracy": "fraction of the validation images that are right after the epoch, evaluation mode, no autograd",
    "train_loss": "mean cross entropy of the training images when they were learned from, over the epoch",
    "valid_loss": "mean cross entropy of the validation images after the epoch, evaluation mode, no autograd",
    "epoch_time": "wall time of an epoch's training, its images' preparing included, validation and keeping left out",
    "step_time": "wall time of forward, backward and update of one batch, synchronised around it: an epoch's median",
    "weights_file_size": "bytes of the state dict's file as torch.save writes it, the container included",
}
"""By metric."""
TIMES = ("epoch_time", "step_time")


LEARNED = partial(Metric, per_device=False)
"""A metric that a training ends with. Its tolerance is for what a change of no meaning makes of a training: one sum in
another order, and every weight ends elsewhere. The same code on the same CPU ends with the same bits."""


@meter(
    "training",
    LEARNED("train_accuracy", "fraction", "higher", tolerance=0.02, description="of training images, last epoch"),
    LEARNED("valid_accuracy", "fraction", "higher", tolerance=0.01, description="of validation images, at the end"),
    LEARNED("train_loss", "nat", "lower", tolerance=0.1, description="cross entropy in training, last epoch"),
    LEARNED("valid_loss", "nat", "lower", tolerance=0.1, description="cross entropy in validation, at the end"),
    Metric("epoch_time", "s", "lower", tolerance=0.1, description="time of an epoch's training, median"),
    Metric("step_time", "s", "lower", tolerance=0.1, description="time of a training step, median"),
    LEARNED("weights_file_size", "B", "lower", description="file of the trained weights"),
    worker="training",
    by_request=True,
    beside=("latency",),
)
def training(architecture: Architecture, conditions: Conditions, settings: Settings) -> Iterator[Part]:
    """Train a network by its recipe. Raises what ``training.train`` raises."""
    place = torch_device(conditions.device)
    for found in train(Task(architecture, settings.learning, conditions.device, place, conditions.threads)):
        yield Part(len(found.epochs), found.total, "epochs", found.left, readings(found))


def readings(found: Progress) -> Mapping[str, Reading]:
    """One reading a metric; the size of the file once there is one."""
    last = {name: _reading(found, name, (series[-1],), series) for name, series in _series(found).items()}
    times = {name: _reading(found, name, last[name].epochs, last[name].epochs) for name in TIMES}
    size = {} if found.weights_size is None else {"weights_file_size": _file_size(found, found.weights_size)}
    return {**last, **times, **size}


def _series(found: Progress) -> Mapping[str, tuple[float, ...]]:
    names = [name for name in CONVENTIONS if name != "weights_file_size"]
    return {name: tuple(getattr(epoch, name) for epoch in found.epochs) for name in names}


def _file_size(found: Progress, size: int) -> Reading:
    return _reading(found, "weights_file_size", (size,), ())


def _reading(found: Progress, name: str, samples: Sequence[Number], epochs: Sequence[Number]) -> Reading:
    return Reading(
        tuple(samples),
        CONVENTIONS[name],
        notes=_notes(found, name),
        input_shape=list(found.input_shape),
        dtype="float32",
        outcomes=found.outcomes if name == "valid_accuracy" else None,
        epochs=tuple(epochs),
        protocol={**found.protocol, "seconds": sum(epoch.epoch_time for epoch in found.epochs)},
    )


def _notes(found: Progress, name: str) -> tuple[str, ...]:
    """What happened that a reader should know."""
    said = {
        "the first epoch holds the warm-up": name in TIMES,
        f"begun again after epoch {', '.join(map(str, found.resumed))}": bool(found.resumed),
        "files of another training of this name were renamed": found.set_aside,
    }
    return tuple(note for note, applies in said.items() if applies)
