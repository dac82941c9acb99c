"""Accuracy of a network on labelled images, with the weights and the preprocessing that belong to it."""

from __future__ import annotations

import importlib.metadata
import json
import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pytest_archbench import datasets, weights
from pytest_archbench.computing import synchroniser, torch_device
from pytest_archbench.datasets import Images
from pytest_archbench.files import as_file
from pytest_archbench.meters import CannotMeasure, Part, Readings, evaluation, meter
from pytest_archbench.meters.evaluation import ENDING, Due, Kept, Prepared, Shard, Way
from pytest_archbench.meters.training import training
from pytest_archbench.proportions import pack
from pytest_archbench.protocols import Learning, Missing, Outcomes, Preprocessing
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings
from pytest_archbench.training import trained
from pytest_archbench.weights import Loaded

DEPTHS = {"top1_accuracy": 1, "top5_accuracy": 5}
"""Among how many first answers the right class must be, by metric."""
TRAINED = "as trained here"
"""What weights are called that a network was given by its recipe."""
NAMED = 5
"""Images that could not be read that a measurement names; it counts the rest."""
DECODERS = ("pillow", "torchvision", "torch")
"""Packages whose versions move an accuracy by hundredths of a point."""


@meter(
    "accuracy",
    Metric("top1_accuracy", "fraction", "higher", per_device=False, description="right with the first answer"),
    Metric("top5_accuracy", "fraction", "higher", per_device=False, description="right among the first five answers"),
    worker="learning",
    by_request=True,
)
def accuracy(architecture: Architecture, conditions: Conditions, settings: Settings) -> Iterator[Part]:
    """Classify the validation images in a random order, each once; kept after every shard.

    A network with a recipe that has no weights yet is trained first. Raises: Missing, Unusable.
    """
    learning = settings.learning
    images = datasets.find(architecture.dataset, "valid", learning)
    loaded = yield from _with_weights(architecture, conditions, settings)
    evaluated = _set_up(images, loaded, conditions, learning)
    header = {**evaluated.protocol, "architecture": architecture.name, "device": conditions.device}
    kept = Kept(_file(architecture, conditions, learning), header, evaluated.due)
    try:
        yield from _evaluated(evaluated, kept)
    finally:
        kept.close()


def _with_weights(
    architecture: Architecture, conditions: Conditions, settings: Settings
) -> Generator[Part, None, Loaded]:
    """The network with its weights, trained here where it has a recipe and none."""
    try:
        return weights.loaded(architecture, settings.learning)
    except Missing:
        if architecture.recipe is None:
            raise
    for part in training(architecture, conditions, settings):
        yield Part(part.done, part.total + 1, part.unit, part.left, {})  # the evaluation is still to come
    path = trained(settings.learning, architecture, conditions.device)
    if path is None:
        raise Missing(f"{architecture.name}: its training left no weights in {settings.learning.keep!r}")
    found = weights.from_file(architecture, path)
    return replace(found, name=TRAINED, facts={**found.facts, "weights": TRAINED})


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """A network ready to be evaluated; ``order`` are indices of all ``images``, the first ``count`` are asked for."""

    loaded: Loaded
    images: Images
    order: Sequence[int]
    count: int
    labels: Sequence[int]
    outputs: int
    way: Way
    protocol: Mapping[str, Any]

    @property
    def preprocessing(self) -> Preprocessing:
        return self.loaded.preprocessing

    @property
    def due(self) -> Due:
        """What kept outcomes must be of."""
        names = [self.images.names[index] for index in self.order]
        return Due(names, [self.labels[index] for index in self.order], self.outputs)


def _set_up(images: Images, loaded: Loaded, conditions: Conditions, learning: Learning) -> _Evaluation:
    import torch

    torch.set_num_threads(conditions.threads)
    device = torch_device(conditions.device)
    count = min(learning.images or len(images.names), len(images.names))
    processes = evaluation.loaders(learning.loaders, count, conditions.threads)
    batch = evaluation.images_a_pass(learning.evaluation_batch, device, conditions.threads)
    way = Way(device, batch, processes, learning.amp, False, synchroniser(conditions.device))
    loaded.model.to(device)
    image = torch.zeros((1, *loaded.preprocessing.input_shape))
    outputs = evaluation.logits(loaded.model, image, way).shape[1]
    return _Evaluation(
        loaded=loaded,
        images=images,
        order=order(len(images.names), learning.seed),
        count=count,
        labels=datasets.labels_for(images, outputs),
        outputs=outputs,
        way=way,
        protocol=_protocol(images, loaded, learning),
    )


def order(count: int, seed: int) -> list[int]:
    """A random order of so many images: however early one stops, what was seen is a random sample."""
    shuffled = list(range(count))
    random.Random(seed).shuffle(shuffled)
    return shuffled


def _protocol(images: Images, loaded: Loaded, learning: Learning) -> dict[str, Any]:
    """How the accuracy is taken, as plain data."""
    preprocessing = {name: value for name, value in asdict(loaded.preprocessing).items() if name != "note"}
    facts = {
        "data": images.name,
        "split": images.split,
        "images": images.identity,
        **loaded.facts,
        "preprocessing": preprocessing,
        "seed": learning.seed,
        "amp": learning.amp or "none",
    }
    plain: dict[str, Any] = json.loads(json.dumps(facts))  # as a journal gives it back, to be compared with that
    return plain


def _file(architecture: Architecture, conditions: Conditions, learning: Learning) -> Path:
    """Where the shards of a case are kept."""
    return Path(learning.keep) / f"{as_file(f'{architecture.name}-{conditions.device}')}{ENDING}"


def _evaluated(asked: _Evaluation, kept: Kept) -> Iterator[Part]:
    """A part for every shard; one at least, though all had been kept before."""
    if kept.found >= asked.count:
        yield _part(asked, kept)
        return
    left = asked.order[kept.found : asked.count]
    way = _fastest(asked, len(left))
    preprocessing = asked.preprocessing
    prepared = Prepared(asked.images, left, datasets.transform(preprocessing), preprocessing.input_shape)
    for shard in evaluation.shards(asked.loaded.model, prepared, asked.labels, way):
        kept.add(shard)
        yield _part(asked, kept)


def _fastest(asked: _Evaluation, left: int) -> Way:
    """The way that the network is run, its channels last where that is faster and worth finding out."""
    import torch

    last = left >= evaluation.WORTH_TRYING and evaluation.faster_with_channels_last(
        asked.loaded.model, asked.preprocessing.input_shape, asked.way
    )
    asked.loaded.model.to(memory_format=torch.channels_last if last else torch.contiguous_format)
    return replace(asked.way, channels_last=last)


def _part(asked: _Evaluation, kept: Kept) -> Part:
    found = [rank for shard in kept.shards for rank in shard.ranks]
    seconds = sum(shard.seconds for shard in kept.shards)
    total = max(asked.count, len(found))  # of an evaluation that went further before, nothing is thrown away
    left = (total - len(found)) * seconds / len(found)
    return Part(len(found), total, "images", left, _readings(asked, kept, found, seconds))


def _readings(asked: _Evaluation, kept: Kept, found: Sequence[int], seconds: float) -> Readings:
    return {metric: _reading(asked, kept, found, seconds, depth) for metric, depth in DEPTHS.items()}


def _reading(
    asked: _Evaluation, kept: Kept, found: Sequence[int], seconds: float, depth: int
) -> Reading | CannotMeasure:
    if depth > 1 and asked.outputs <= depth:
        return CannotMeasure(f"among {asked.outputs} classes the first {depth} answers hold every one")
    right = [rank < depth for rank in found]
    before = kept.notes if kept.found < asked.count else ()  # of what was whole before, nothing was begun again
    return Reading(
        (sum(right) / len(right),),
        CONVENTION.format(depth=depth),
        notes=(*before, *_notes(asked, kept.shards, seconds)),
        input_shape=list(asked.preprocessing.input_shape),
        outcomes=Outcomes(
            images=f"{asked.protocol['images']}-{asked.protocol['seed']}",
            count=len(right),
            total=len(asked.images.names),
            correct=pack(right),
            part=asked.images.part,
            random=asked.images.random,
            unread=_unread(kept.shards),
        ),
        protocol={**asked.protocol, "seconds": seconds, "loaders": asked.way.loaders, "versions": _versions()},
        imprecise=_unreadable(kept.shards),
    )


CONVENTION = (
    "share of images whose class is among the first {depth} of a network's answers, one crop each, autograd off; of"
    " equal answers the lower class comes first, answers that are no numbers are wrong"
)


def _notes(asked: _Evaluation, shards: Sequence[Shard], seconds: float) -> Iterator[str]:
    count, waited = sum(len(shard.images) for shard in shards), sum(shard.waited for shard in shards)
    rate = f"{count:,} images in {seconds:.3g} s, {count / seconds:.3g} a second"
    yield f"{rate}; {waited / seconds:.0%} of it waiting for images"
    if asked.preprocessing.note:
        yield f"preprocessing {asked.preprocessing.note}"
    silent = sum(each == evaluation.WRONG for shard in shards for each in shard.predicted)
    silent -= sum(len(shard.unreadable) for shard in shards)
    if silent:
        yield f"{silent:,} images got answers that are no numbers, and count as wrong"


def _unread(shards: Sequence[Shard]) -> tuple[int, ...]:
    """Places in the order of the images that could not be read."""
    seen = (name in shard.unreadable for shard in shards for name in shard.images)
    return tuple(at for at, missing in enumerate(seen) if missing)


def _unreadable(shards: Sequence[Shard]) -> str:
    """A sentence about the images that could not be read, or an empty text."""
    reasons = [reason for shard in shards for reason in shard.unreadable.values()]
    if not reasons:
        return ""
    more = f", and {len(reasons) - NAMED:,} more" if len(reasons) > NAMED else ""
    which = "; ".join(reasons[:NAMED]) + more
    return f"{len(reasons):,} image(s) could not be read and count as wrong: {which}; mend them and run again"


@cache
def _versions() -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in DECODERS}
