"""The loop: a network, its optimiser and its images; one epoch of training and one validation at a time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_archbench.computing import precision, synchroniser
from pytest_archbench.protocols import Unusable
from pytest_archbench.training import answers, chance
from pytest_archbench.training.feed import Feed
from pytest_archbench.training.group import Group
from pytest_archbench.training.progress import Diverged, Epoch
from pytest_archbench.training.task import Task

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Taught:
    """Of one pass over the training images: mean loss (nat) and accuracy as the network saw them; times in seconds."""

    loss: float
    accuracy: float
    time: float
    step_time: float


@dataclass(frozen=True, slots=True)
class Validated:
    """Mean loss (nat), whether each image was right, in the data set's order, and the seconds it took."""

    loss: float
    right: tuple[bool, ...]
    time: float

    @property
    def accuracy(self) -> float:
        return sum(self.right) / len(self.right)


class Course:
    """A network being trained; in a group of processes, one process's part of it."""

    def __init__(self, task: Task, model: nn.Module, train: Feed, valid: Feed, group: Group) -> None:
        import torch

        self.task, self.group, self.train, self.valid = task, group, train, valid
        self.model = model.to(task.place)
        self._name = type(model).__name__
        if task.kind == "cuda" and task.learning.amp:
            self._put_channels_last()
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=task.recipe.learning_rate, weight_decay=task.recipe.weight_decay
        )
        self.scaler = torch.amp.GradScaler(task.kind, enabled=task.learning.amp == "float16")
        self._joined = group.joined(self.model)
        self._wait = synchroniser(task.place)

    def _put_channels_last(self) -> None:
        """As mixed precision on a GPU is fastest, where the network runs so: a ``view`` of its images may not."""
        import torch

        self.model.to(memory_format=torch.channels_last)
        if not runs(self.model, self.task, self._precision()):
            self.model.to(memory_format=torch.contiguous_format)

    def epoch(self, number: int) -> tuple[Epoch, tuple[bool, ...]]:
        """Train once over all images and validate; the first epoch is 0. Raises Diverged."""
        taught = self.teach(number)
        found = self.validate()
        for which, loss in (("training", taught.loss), ("validation", found.loss)):
            if not abs(loss) < float("inf"):
                raise Diverged(
                    f"the {which} loss of epoch {number + 1} is {loss}; "
                    f"a recipe with a learning rate below {self.task.recipe.learning_rate:g} may help"
                )
        epoch = Epoch(
            taught.loss, taught.accuracy, found.loss, found.accuracy, taught.time, taught.step_time, found.time
        )
        return epoch, found.right

    def weights(self) -> Mapping[str, Any]:
        """The state dict, tensors on the CPU; what layers keep beside tensors is as they give it."""
        import torch

        state = self.model.state_dict()
        return {name: one.detach().cpu() if isinstance(one, torch.Tensor) else one for name, one in state.items()}

    def restore(self, model: Mapping[str, Any], optimizer: Any, scaler: Any) -> None:
        """Take over the states that a training had after an epoch."""
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        self.scaler.load_state_dict(scaler)

    def teach(self, number: int) -> Taught:
        """One pass over the training images."""
        import torch

        begin, steps, sums = time.perf_counter(), [], torch.zeros(2, dtype=torch.float64)
        self._prepare(number)
        wholes = self._batches(number)
        for whole, (inputs, labels) in zip(wholes, self._shown(number, wholes), strict=True):
            self._wait()
            start = time.perf_counter()
            loss, right = self.step(inputs, labels, len(whole))
            self._wait()
            steps.append(time.perf_counter() - start)
            sums += torch.tensor((loss.item(), right.item()), dtype=torch.float64)
        loss_sum, right_sum = self._totals(sums)
        seen = sum(map(len, wholes))
        return Taught(loss_sum / seen, right_sum / seen, time.perf_counter() - begin, statistics.median(steps))

    def _prepare(self, number: int) -> None:
        """Learning rate, mode, and the chance of layers such as dropout, of an epoch."""
        import torch

        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self.task.learning_rate(number)
        torch.manual_seed(chance.seed_of("layers", self.task.learning.seed, number, self.group.rank))
        self._joined.train()

    def _batches(self, number: int) -> Sequence[Tensor]:
        """Indices of the images of each step of an epoch, those of all processes."""
        order = chance.order(self.task.learning.seed, number, len(self.train))
        return batches(order, self.task.recipe.batch_size, self.group.size)

    def _shown(self, number: int, wholes: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's inputs and labels of each step of an epoch."""
        recipe, of = self.task.recipe, (self.task.learning.seed, number, len(self.train))
        return self.train.batches(
            [self.group.share(whole) for whole in wholes],
            chance.mirrored(*of) if recipe.flip else None,
            chance.corners(*of) if recipe.random_crop is not None else None,
        )

    def step(self, inputs: Tensor, labels: Tensor, whole: int) -> tuple[Tensor, Tensor]:
        """Forward, backward, update. The loss is that of this process's part of a batch of ``whole`` images.

        Returns the sum of the losses (nat) and how many were right, as tensors of no dimension, before the update.
        """
        from torch.nn import functional

        self.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            logits = answers.scores(self._joined(inputs), self._name)
            loss = functional.cross_entropy(logits.float(), labels, reduction="sum")
        # Gradients are averaged over the processes, whose parts of a batch may differ by an image.
        self.scaler.scale(loss * (self.group.size / whole)).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()

    def validate(self) -> Validated:
        """The validation images in their own order, in evaluation mode and without autograd."""
        import torch
        from torch.nn import functional

        self.group.agree(self.model)
        self.model.eval()
        right, total = torch.zeros(len(self.valid), dtype=torch.int64), torch.zeros(1, dtype=torch.float64)
        all_parts = torch.arange(len(self.valid)).split(self.task.learning.evaluation_batch)
        parts = all_parts[self.group.rank :: self.group.size]
        begin = time.perf_counter()
        with torch.inference_mode(), self._precision():
            for indices, (inputs, labels) in zip(parts, self.valid.batches(parts), strict=True):
                logits = answers.scores(self.model(inputs), self._name)
                total += functional.cross_entropy(logits.float(), labels, reduction="sum").item()
                right[indices] = (logits.argmax(1) == labels).long().cpu()
        (loss,) = self._totals(total)
        bits = tuple(bool(bit) for bit in self._totals(right))
        return Validated(loss / len(self.valid), bits, time.perf_counter() - begin)

    def _totals(self, values: Tensor) -> list[Any]:
        """Sums over the group, through the device, where a group on GPUs exchanges them."""
        if self.group.size == 1:
            return values.tolist()
        return self.group.total(values.to(self.task.place)).tolist()

    def _precision(self) -> Any:
        """Mixed where it was asked for."""
        return precision(self.task.place, self.task.learning.amp)


def batches(order: Tensor, size: int, processes: int) -> Sequence[Tensor]:
    """An order cut into batches. A last one that leaves a process fewer than two images is left out, since batch
    normalisation may find no variance in one. Raises Unusable where there are more processes than images in a batch.
    """
    most = min(size, len(order))
    if most < processes:
        raise Unusable(
            f"a batch of {most} images cannot be shared by {processes} processes; take --archbench-ranks={most}"
        )
    enough = min(most, 2 * processes)
    return [batch for batch in order.split(size) if len(batch) >= enough]


def runs(model: nn.Module, task: Task, precision: AbstractContextManager[Any]) -> bool:
    """Whether a network on its device takes two images forward and backward, as its layers lie in memory."""
    import torch

    model.eval()
    try:
        with precision:
            said = answers.scores(model(torch.zeros(2, *task.input_shape, device=task.place)), type(model).__name__)
        said.float().sum().backward()
    except RuntimeError:
        return False
    finally:
        model.zero_grad(set_to_none=True)
    return True


@contextmanager
def settled(task: Task) -> Iterator[None]:
    """Threads as asked for and, on the CPU, operators that give the same bits again; then as it was before."""
    import torch

    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(max(1, task.threads // task.learning.ranks))
        torch.use_deterministic_algorithms(strict or task.kind == "cpu")
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict)
            torch.set_num_threads(threads)
