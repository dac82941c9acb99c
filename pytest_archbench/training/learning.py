"""A training in one process, from the first epoch or the last whole one to the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_archbench import datasets
from pytest_archbench.proportions import pack
from pytest_archbench.protocols import Outcomes
from pytest_archbench.training import answers, checkpoints
from pytest_archbench.training.checkpoints import Checkpoint, Places, State
from pytest_archbench.training.course import Course, settled
from pytest_archbench.training.feed import feed
from pytest_archbench.training.group import Group
from pytest_archbench.training.progress import Progress
from pytest_archbench.training.task import Task, protocol

if TYPE_CHECKING:
    from torch import nn

    from pytest_archbench.datasets import Images

ALONE = Group()


@dataclass(frozen=True, slots=True)
class Training:
    """A network ready to be trained, and where what is done is kept."""

    course: Course
    valid: Images
    files: Places
    identity: str


def learn(task: Task, group: Group = ALONE) -> Iterator[Progress]:
    """Train; what was found so far after every epoch, or once where all was done before.

    Raises: Missing, Unusable; Diverged; whatever the network raises.
    """
    name, learning = task.architecture.dataset, task.learning
    return learn_from(task, datasets.find(name, "train", learning), datasets.find(name, "valid", learning), group)


def learn_from(task: Task, train: Images, valid: Images, group: Group = ALONE) -> Iterator[Progress]:
    """``learn`` with the images given."""
    facts = protocol(task, train, valid)
    with settled(task):
        training = prepare(task, train, valid, facts, group)
        so_far = begin(training, facts)
    if so_far.whole:
        yield so_far
    for number in range(len(so_far.epochs), so_far.total):
        with settled(task):
            so_far = go_on(training, so_far, number)
        yield so_far


def prepare(task: Task, train: Images, valid: Images, facts: Mapping[str, Any], group: Group) -> Training:
    """Build the network, and get the images ready. Raises Unusable."""
    model = first_weights(task)
    outputs = _outputs(model, task)
    checkpoints.refuse_what_is_not_kept(model)
    identity = _identity(task, facts, model)
    feeds = [
        feed(
            images,
            datasets.labels_for(images, outputs),
            task.recipe,
            task.place,
            task.learning.loaders,
            learning=learns,
        )
        for images, learns in ((train, True), (valid, False))
    ]
    files = checkpoints.places(task.learning.keep, task.architecture.name, task.device)
    return Training(Course(task, model, feeds[0], feeds[1], group), valid, files, identity)


def first_weights(task: Task) -> nn.Module:
    """The network with the weights that the seed draws, those of lazy layers included; float32, as it is evaluated."""
    import torch

    torch.manual_seed(task.learning.seed)
    model: nn.Module = task.architecture.build()
    return model.float()


def _outputs(model: nn.Module, task: Task) -> int:
    """How many classes a network tells apart; lazy layers learn their shapes."""
    import torch

    model.eval()
    with torch.no_grad():
        said = model(torch.zeros(1, *task.input_shape, dtype=torch.float32))
    return answers.scores(said, type(model).__name__).shape[1]


def _identity(task: Task, facts: Mapping[str, Any], model: nn.Module) -> str:
    """What must be equal for a training to go on as another one: how it is done, and the network it began with.

    Of the network's code, its layers and their first weights are looked at, not what it does between them: two of other
    names are two networks.
    """
    import torch

    network = hashlib.sha256(str(model).encode())
    for name, one in model.state_dict().items():
        network.update(name.encode())
        if isinstance(one, torch.Tensor):  # what else layers keep need not be written alike twice
            network.update(one.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    also = {
        "architecture": task.architecture.name,
        "network": network.hexdigest(),
        "torch": torch.__version__,
        "threads": task.threads,
        "evaluation_batch": task.learning.evaluation_batch,
    }
    return json.dumps({**facts, **also}, sort_keys=True)


def begin(training: Training, facts: Mapping[str, Any]) -> Progress:
    """What was done before, taken over into the network; files of another training are set aside. Raises Unusable."""
    course = training.course
    fresh = Progress(course.task.epochs, facts, course.task.input_shape)
    done, others = _kept(training)
    if done is None:
        return replace(fresh, set_aside=others)
    so_far = replace(fresh, epochs=done.epochs, outcomes=done.outcomes, resumed=done.resumed)
    if so_far.whole:
        return replace(so_far, weights_size=_save_weights(training, done.model))
    course.restore(done.model, done.optimizer, done.scaler)
    return replace(so_far, resumed=(*done.resumed, len(done.epochs)))


def _kept(training: Training) -> tuple[Checkpoint | None, bool]:
    """The checkpoint of this very training, and whether another one's was set aside."""
    group, files = training.course.group, training.files
    if not group.leads:  # the first process looks first, and clears away
        group.wait()
    done = checkpoints.load(files.checkpoint)
    others = done is not None and done.identity != training.identity
    if done is not None and others:
        checkpoints.set_aside(files, done.identity)
    if group.leads:
        group.wait()
    return None if others else done, others


def go_on(training: Training, so_far: Progress, number: int) -> Progress:
    """One more epoch, kept. Raises Diverged; Unusable where it cannot be kept."""
    epoch, right = training.course.epoch(number)
    outcomes = _outcomes(training.valid, right)
    found = replace(so_far, epochs=(*so_far.epochs, epoch), outcomes=outcomes)
    if not training.course.group.leads:
        return found
    model = training.course.weights()
    size = _save_weights(training, model) if found.whole else None
    checkpoints.save(training.files.checkpoint, _checkpoint(training, found, outcomes, model))
    return replace(found, weights_size=size)


def _save_weights(training: Training, model: State) -> int | None:
    if not training.course.group.leads:
        return None
    return checkpoints.save_weights(training.files.weights, model)


def _checkpoint(training: Training, found: Progress, outcomes: Outcomes, model: State) -> Checkpoint:
    course = training.course
    states = (None, None) if found.whole else (course.optimizer.state_dict(), course.scaler.state_dict())
    return Checkpoint(training.identity, found.epochs, outcomes, found.resumed, model, *states)


def _outcomes(valid: Images, right: tuple[bool, ...]) -> Outcomes:
    count = len(right)
    return Outcomes(valid.identity, count, count, pack(right), valid.part, valid.random)
