"""What is asked of a training, and the facts of it that its figures depend on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_archbench.protocols import Learning, Missing, Recipe
from pytest_archbench.records import Architecture

if TYPE_CHECKING:
    from pytest_archbench.datasets import Images

FASTER_PART = 0.5
"""Of the epochs: the part with the recipe's own learning rate, after which it is a tenth."""


@dataclass(frozen=True, slots=True)
class Task:
    """One network to be trained. ``device`` is as asked for and names the files; ``place`` is what torch calls it.

    ``threads`` are those of all processes together.
    """

    architecture: Architecture
    learning: Learning
    device: str
    place: str
    threads: int = 1

    @property
    def recipe(self) -> Recipe:
        """Raises Missing where the architecture has none."""
        if self.architecture.recipe is None:
            raise Missing(
                "no recipe says how it is trained; "
                "give its Architecture recipe=Recipe(...), or take --archbench-suite=blocks"
            )
        return self.architecture.recipe

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of an image as the network sees it."""
        return self.recipe.preprocessing.input_shape

    @property
    def epochs(self) -> int:
        return self.learning.epochs or self.recipe.epochs

    @property
    def kind(self) -> str:
        """``cpu``, ``cuda``: what torch calls the kind of device."""
        return self.place.split(":")[0]

    def learning_rate(self, epoch: int) -> float:
        """Of an epoch, the first being 0."""
        return self.recipe.learning_rate * (1.0 if epoch < FASTER_PART * self.epochs else 0.1)


def protocol(task: Task, train: Images, valid: Images) -> dict[str, Any]:
    """How the figures come about, as plain data."""
    recipe, learning = task.recipe, task.learning
    facts = {
        "data": train.name,
        "train": images_facts(train),
        "valid": images_facts(valid),
        **{name: value for name, value in asdict(recipe).items() if name != "epochs"},
        "epochs": task.epochs,
        "optimizer": "Adam",
        "loss": "cross entropy",
        "schedule": f"learning rate x 0.1 after {FASTER_PART:.0%} of the epochs",
        "seed": learning.seed,
        "amp": learning.amp or "none",
        "ranks": learning.ranks,
        "batch_normalisation": "over the images of one process",
        "device": task.device,
        "deterministic": is_deterministic(task),
    }
    plain: dict[str, Any] = json.loads(json.dumps(facts))
    return plain


def images_facts(images: Images) -> Mapping[str, Any]:
    return {"images": len(images.names), "classes": len(images.classes), "part": images.part, "of": images.identity}


def is_deterministic(task: Task) -> bool:
    """Whether two runs end with the same bits: nobody promises the order of sums on a GPU or over processes."""
    return task.kind == "cpu" and task.learning.ranks == 1
