"""A network over labelled images: prepared beside it, ranked batch by batch, kept shard by shard."""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_archbench.computing import precision
from pytest_archbench.datasets import Images
from pytest_archbench.datasets.reading import words
from pytest_archbench.files import Lines, is_json, write_atomically
from pytest_archbench.machine import processors
from pytest_archbench.protocols import Unusable
from pytest_archbench.training.answers import scores

if TYPE_CHECKING:
    import torch
    from torch import nn

SHARD = 5.0
"""Seconds after which what was classified is kept: no more is lost when a run is killed."""
FEW = 500
"""Images below which starting processes that prepare them takes longer than they save."""
MOST_LOADERS = 16
PASS = 8
"""Images for each thread in a pass on a processor. What the layers of more write lies in no cache, and is so large that
the C library maps and clears its memory anew for every layer. Milliseconds of a processor's time an image, on an EPYC
with 2 cores and other work to do, 1 thread, 3 x 224 x 224: MobileNet V3 small 2.6 in passes of 16, 3.7 of 32, 6.5 of
64, 10.8 of 256; ResNet-50, preparing included, 89 in passes of 8, 96 of 16, 113 of 32, 128 of 64.
"""
WORTH_TRYING = 1000
"""Images from which on it is tried whether the network is faster with its channels last."""
ENDING = ".outcomes.jsonl"
"""Of the files that shards are kept in."""
WRONG = -1
"""The class predicted for an image that could not be read, or by values that are no numbers."""


@dataclass(frozen=True, slots=True)
class Shard:
    """What became of some images, in the order of the evaluation: ``ranks`` says how many classes the network puts
    before the right one (0: it is the first answer). ``unreadable`` has the decoder's words by name of the image.
    ``seconds`` is what the shard took, ``waited`` how much of that the network had no images.
    """

    images: tuple[str, ...]
    labels: tuple[int, ...]
    predicted: tuple[int, ...]
    ranks: tuple[int, ...]
    unreadable: Mapping[str, str]
    seconds: float
    waited: float


@dataclass(frozen=True, slots=True)
class Due:
    """What an evaluation will come to: all ``images`` in its order, the label of each among so many ``outputs``."""

    images: Sequence[str]
    labels: Sequence[int]
    outputs: int


class Kept:
    """A file of shards, from which an evaluation that was killed goes on. What another one left there, or somebody
    changed, is renamed and begun anew, with the first of its shards that are beyond doubt; they hold ``found`` images.
    ``notes`` say so.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], due: Due) -> None:
        """Raises: Unusable where the file can be neither read nor written."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.shards, aside = _gone_on_with(path, header, due)
            self._lines = Lines(path)
        except OSError as error:
            raise Unusable(f"{path}: cannot be read or written: {error.strerror}: mend or remove it") from error
        if not self._lines.size:
            self._append(header)
        self.found = sum(len(shard.images) for shard in self.shards)
        self.notes = tuple(_history(self.found, aside))

    def add(self, shard: Shard) -> None:
        """Write a shard down. Raises: Unusable where the disk is full; all before is whole."""
        self._append(asdict(shard))
        self.shards.append(shard)

    def _append(self, entry: Mapping[str, Any]) -> None:
        try:
            self._lines.append(entry)
        except OSError as error:
            advice = "what was written before is whole: make room and run again with --archbench-resume"
            raise Unusable(f"{self._path}: cannot be written: {error.strerror}; {advice}") from None

    def close(self) -> None:
        self._lines.close()


def _history(found: int, aside: Path | None) -> Iterator[str]:
    if aside is not None:
        yield f"outcomes of another evaluation, or changed ones, were renamed to {aside.name}"
    if found:
        yield f"begun again after {found:,} images"


def _gone_on_with(path: Path, header: Mapping[str, Any], due: Due) -> tuple[list[Shard], Path | None]:
    """The shards that a file has of this evaluation, and what it was renamed to where it held anything else. A last
    line that is torn is what a killed process leaves, and nothing else.
    """
    if not path.exists():
        return [], None
    begun = json.dumps(header).encode()
    entries, torn = _entries(path.read_bytes()) if path.is_file() else ([None], b"")
    if not entries and begun.startswith(torn):
        return [], None
    same = entries[:1] == [json.loads(begun)]
    found = _shards(entries[1:], due) if same else []
    if same and len(found) == len(entries) - 1:
        return found, None
    aside = _free(path)
    path.rename(aside)
    if found:
        write_atomically(path, b"".join(json.dumps(each).encode() + b"\n" for each in (header, *map(asdict, found))))
    return found, aside


def _entries(content: bytes) -> tuple[list[Any], bytes]:
    """What the lines of a file say, None for one that is no JSON, and what is left of a torn last one."""
    *lines, last = content.split(b"\n")
    if is_json(last):
        lines, last = [*lines, last], b""
    return [json.loads(line) if is_json(line) else None for line in lines], last


def _free(path: Path) -> Path:
    """The name beside a file's that nothing has yet: ``net-cpu.1.outcomes.jsonl``."""
    stem = path.name.removesuffix(ENDING)
    names = (path.with_name(f"{stem}.{number}{ENDING}") for number in itertools.count(1))
    return next(name for name in names if not os.path.lexists(name))


def _shards(entries: Sequence[Any], due: Due) -> list[Shard]:
    """The first shards that are, image by image, what the evaluation comes to; none after one that is not."""
    found: list[Shard] = []
    done = 0
    for entry in entries:
        if not _is_shard(entry):
            break
        listed = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
        shard = Shard(**{**entry, **listed})
        end = done + len(shard.images)
        if not (shard.images and _is_due(shard, due, done, end) and _is_sound(shard, due.outputs)):
            break
        found.append(shard)
        done = end
    return found


def _is_shard(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == KINDS.keys()
        and all(KINDS[name](value) for name, value in entry.items())
    )


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(type(each) is kind for each in value)


def _is_time(value: Any) -> bool:
    return type(value) is float and 0 <= value < math.inf


KINDS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("labels", "predicted", "ranks"), _is_list_of(int)),
    "images": _is_list_of(str),
    "unreadable": lambda value: isinstance(value, dict) and all(type(said) is str for said in value.values()),
    "seconds": lambda value: _is_time(value) and value > 0,
    "waited": _is_time,
}
"""What each field of a shard is in a file."""


def _is_due(shard: Shard, due: Due, done: int, end: int) -> bool:
    """Whether it is of the images that come next."""
    return (shard.images, shard.labels) == (tuple(due.images[done:end]), tuple(due.labels[done:end]))


def _is_sound(shard: Shard, outputs: int) -> bool:
    """Whether there is an answer for every image, and one that a network of so many outputs can give."""
    if not len(shard.images) == len(shard.predicted) == len(shard.ranks):
        return False
    answers = list(zip(shard.images, shard.labels, shard.predicted, shard.ranks, strict=True))
    silent = {image for image, _, predicted, rank in answers if (predicted, rank) == (WRONG, outputs)}
    return silent.issuperset(shard.unreadable) and all(
        image in silent or (0 <= predicted < outputs and 0 <= rank < outputs and (rank > 0 or predicted == label))
        for image, label, predicted, rank in answers
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """Images as a network is fed them, for torch's loader. One that cannot be read is all zeros, with the reason."""

    images: Images
    order: Sequence[int]
    transform: Callable[[Any], torch.Tensor]
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, at: int) -> tuple[torch.Tensor, int, str]:
        """(channels, height, width), the image's index, and why it could not be read."""
        import torch

        index = self.order[at]
        try:
            return self._input(index), index, ""
        except Unusable as error:
            return torch.zeros(self.shape), index, str(error)

    def _input(self, index: int) -> torch.Tensor:
        try:
            return self.transform(self.images.read(index))
        except (MemoryError, Unusable):
            raise
        except Exception as error:  # of sides that no resizing can do, and whatever else an image may be
            raise Unusable(f"{self.images.names[index]}: cannot be prepared: {words(error)}") from error


@dataclass(frozen=True, slots=True)
class Way:
    """How a network is run over images. ``amp``: a type of mixed precision or empty; ``wait`` waits for the device."""

    device: str
    batch_size: int
    loaders: int
    amp: str
    channels_last: bool
    wait: Callable[[], None]


def loaders(asked: int, images: int, threads: int) -> int:
    """How many processes prepare images: as asked, or one for every processor that the network leaves, one at least.

    MobileNet V3 small on 2 processors, images a second with 0, 1, 2, 4 processes: 1 thread 149, 157 to 256, 205, 192;
    2 threads 205, 167, 175 with 0, 1, 2. None would do better there, but be one processor's 300 a second on any larger.
    """
    if asked >= 0:
        return asked
    return 0 if images < FEW else min(max(processors() - threads, 1), MOST_LOADERS)


def images_a_pass(asked: int, device: str, threads: int) -> int:
    """How many images a network is given at once: no more than asked for, and no more than a processor does well."""
    return min(asked, PASS * threads) if device == "cpu" else asked


def shards(model: nn.Module, prepared: Prepared, labels: Sequence[int], way: Way) -> Iterator[Shard]:
    """Classify all images, in shards of some seconds; ``labels`` are indices among the network's outputs, by image."""
    gathered: list[tuple[int, int, int, str]] = []
    began, waited = time.perf_counter(), 0.0
    batches = iter(_loader(prepared, way))
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        waited += time.perf_counter() - asked
        if batch is not None:
            gathered += _classified(model, batch, labels, way)
        now = time.perf_counter()
        if gathered and (batch is None or now - began >= SHARD):
            yield _shard(prepared.images, labels, gathered, now - began, waited)
            gathered, began, waited = [], now, 0.0
        if batch is None:
            return


def _loader(prepared: Prepared, way: Way) -> Any:
    from torch.utils.data import DataLoader

    on_gpu = way.device.startswith("cuda")
    return DataLoader(prepared, way.batch_size, num_workers=way.loaders, pin_memory=on_gpu)  # type: ignore[arg-type]


def _classified(
    model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor, Sequence[str]], labels: Sequence[int], way: Way
) -> list[tuple[int, int, int, str]]:
    """Of each image its index, the predicted class, the rank of the right one, and why it could not be read."""
    import torch

    pixels, indices, reasons = batch
    right = torch.tensor([labels[index] for index in indices.tolist()])
    values = logits(model, pixels, way)
    broken = torch.tensor([bool(reason) for reason in reasons])
    values = values.masked_fill(broken[:, None], torch.nan)
    found, predicted = ranks(values, right)
    return list(zip(indices.tolist(), predicted.tolist(), found.tolist(), reasons, strict=True))


def logits(model: nn.Module, pixels: torch.Tensor, way: Way) -> torch.Tensor:
    """(batch, channels, height, width) -> (batch, classes), float32 on the CPU. Raises: Unusable for another output."""
    import torch

    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    moved = pixels.to(way.device, non_blocking=True, memory_format=layout)
    with torch.inference_mode(), precision(way.device, way.amp):
        said = model(moved)
    return scores(said, type(model).__name__).float().cpu()


def ranks(values: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How many classes come before the right one, and the first class, of ``values`` (batch, classes).

    Of equal values the lower class comes first. Values that are no numbers put the right class last: nothing was said.
    """
    import torch

    own = values.gather(1, right[:, None])
    lower = torch.arange(values.shape[1])[None, :] < right[:, None]
    before = (values > own).sum(1) + ((values == own) & lower).sum(1)
    first = torch.where(before == 0, right, values.argmax(1))
    silent = values.isnan().any(1)
    return before.masked_fill(silent, values.shape[1]), first.masked_fill(silent, WRONG)


def _shard(
    images: Images, labels: Sequence[int], gathered: Sequence[tuple[int, int, int, str]], seconds: float, waited: float
) -> Shard:
    indices, predicted, found, reasons = zip(*gathered, strict=True)
    names = tuple(images.names[index] for index in indices)
    unreadable = {name: reason for name, reason in zip(names, reasons, strict=True) if reason}
    return Shard(names, tuple(labels[index] for index in indices), predicted, found, unreadable, seconds, waited)


def faster_with_channels_last(model: nn.Module, shape: tuple[int, ...], way: Way) -> bool:
    """Whether a network with convolutions is, if it runs so at all: a small batch is timed both ways, in turn."""
    import torch
    from torch import nn

    if not any(isinstance(layer, nn.Conv2d) for layer in model.modules()):
        return False
    pixels = torch.zeros((min(way.batch_size, TRIED), *shape))
    times: dict[Any, list[float]] = {torch.contiguous_format: [], torch.channels_last: []}
    for _ in range(TURNS):
        for layout, taken in times.items():
            model.to(memory_format=layout)
            try:
                taken.append(_seconds(model, pixels.to(memory_format=layout), way))
            except Exception:  # a view of values that lie in another order, or what its author says to that
                if layout is torch.contiguous_format:
                    raise
                return False
    best = {layout: min(taken) for layout, taken in times.items()}
    return best[torch.channels_last] < GAIN * best[torch.contiguous_format]


TRIED, TURNS = 8, 4
"""Images in a batch, and batches, that each layout is tried with."""
GAIN = 0.97
"""What share of the time the other layout must take to be chosen: below it both are alike."""


def _seconds(model: nn.Module, pixels: torch.Tensor, way: Way) -> float:
    import torch

    moved = pixels.to(way.device)
    with torch.inference_mode(), precision(way.device, way.amp):
        way.wait()
        began = time.perf_counter()
        model(moved)
        way.wait()
    return time.perf_counter() - began
