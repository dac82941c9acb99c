"""Accuracy raced: images a second through the accuracy meter and through timm's validation, on the same files.

The rival is the loop of timm's ``validate.py`` (which timm's package does not hold) over timm's own pieces: its data
set, its loader with 4 processes and batches of 256, its running averages. Ours is what a user gets who names a folder
of images and one of weights, with as many threads as the rival has. Each run has a process of its own, and the sides
take turns, so that the machine's moods fall on both.

``evaluating`` is from the first image asked for to the last one ranked; ``whole`` is all of it: starting a process,
importing, building, loading weights. Images are 500 x 375 JPEGs in folders of synsets. Each network has random weights
and statistics of these images; the folder of an image is the network's own first, third, fifth or seventh answer in
turn, so that a quarter is right at first and three quarters among five. Exits with 1 where an image was right with one
side and wrong with the other.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_archbench import datasets
from pytest_archbench.datasets.images import synsets
from pytest_archbench.meters.evaluation import ranks
from pytest_archbench.protocols import Learning
from pytest_archbench.records import Architecture, Case, Conditions, Settings
from pytest_archbench.runner import Runner, device_lock
from pytest_archbench.weights import of_timm

if TYPE_CHECKING:
    import torch
    from torch import nn

NETWORKS = {"mobilenetv3_small_100.lamb_in1k": 1000, "resnet50.tv_in1k": 200}
"""Names of timm's, and how many images each is raced over: one that waits for images, one that does not."""
WIDTH, HEIGHT, QUALITY = 500, 375, 90
GRAIN = 24
"""Standard deviation of the noise in grey levels: it makes a file about as large as ImageNet's usual 110 kB."""
ANSWERS = (0, 2, 4, 6)
"""Which of a network's answers is the right one, image by image in turn."""
CALIBRATED = 64
"""Images from which a network's batch normalisations take their statistics."""
VALIDATE_BATCH, VALIDATE_WORKERS = 256, 4
"""What timm's validate.py takes where nothing is said."""


@dataclass(frozen=True, slots=True)
class Course:
    """What both sides run over: ``folder`` holds ``val``, ``weights`` and ``classes.txt``."""

    folder: str
    network: str
    threads: int
    images: int

    @property
    def name(self) -> str:
        """The network's, as a file of weights may be called."""
        return self.network.split(".")[0]


@dataclass(frozen=True, slots=True)
class Run:
    """``found`` are the predicted class and the rank of the right one by image; ``cpu`` is time of processors, in s."""

    found: dict[str, tuple[int, int]]
    evaluating: float
    whole: float = 0.0
    cpu: float = 0.0
    note: str = ""


# --- what is raced over -------------------------------------------------------------------------------------------


def photographs(folder: Path, count: int) -> list[Path]:
    """Slopes of colour under grain: a decoder has to work for them as for a photograph."""
    import numpy
    from PIL import Image

    chance = numpy.random.default_rng(1)
    rows, columns = numpy.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    files = []
    for number in range(count):
        slopes = chance.uniform(-70, 70, (5, 3))
        terms = numpy.stack([rows, columns, rows * columns, numpy.sin(9 * rows), numpy.cos(7 * columns)], axis=-1)
        values = 128 + terms @ slopes + chance.normal(0, GRAIN, (HEIGHT, WIDTH, 3))
        files.append(folder / f"{number:05}.jpg")
        Image.fromarray(values.clip(0, 255).astype(numpy.uint8)).save(files[-1], quality=QUALITY)
    return files


def laid_out(folder: Path, network: str, files: Sequence[Path], threads: int) -> Course:
    """The network's weights in a file, and the images in folders by its own answers to them."""
    import timm
    import torch

    course = Course(str(folder), network, threads, len(files))
    torch.manual_seed(1)
    model: nn.Module = timm.create_model(network)
    answers = _answers(model, files)
    (folder / "weights").mkdir(parents=True)
    torch.save(model.state_dict(), folder / "weights" / f"{course.name}.pth")
    (folder / "classes.txt").write_text("\n".join(synsets()), encoding="utf-8")
    for place, (file, answer) in enumerate(zip(files, answers, strict=True)):
        home = folder / "val" / synsets()[answer[ANSWERS[place % len(ANSWERS)]]]
        home.mkdir(parents=True, exist_ok=True)
        (home / file.name).hardlink_to(file)
    return course


def _answers(model: nn.Module, files: Sequence[Path]) -> list[list[int]]:
    """The first answers of a network to each image, once its statistics are of such images."""
    import torch
    from PIL import Image

    config: Any = model.pretrained_cfg
    prepare = datasets.transform(of_timm(config))
    with torch.no_grad():
        _calibrate(model, torch.stack([prepare(Image.open(file)) for file in files[:CALIBRATED]]))
        said = (model(prepare(Image.open(file))[None])[0] for file in files)
        return [values.topk(max(ANSWERS) + 1).indices.tolist() for values in said]


def _calibrate(model: nn.Module, pixels: torch.Tensor) -> None:
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean over all that was seen
    model.train()(pixels)
    model.eval()


# --- timm's side --------------------------------------------------------------------------------------------------


def theirs(course: Course) -> Run:
    """What ``validate.py DIR -m NETWORK --checkpoint FILE --class-map FILE --device cpu`` does and times."""
    import timm
    import torch
    from timm.models import load_checkpoint

    data: Any = importlib.import_module("timm.data")  # which states no types

    torch.set_num_threads(course.threads)
    folder, device = Path(course.folder), torch.device("cpu")
    model = timm.create_model(course.network)
    load_checkpoint(model, str(folder / "weights" / f"{course.name}.pth"))
    config = data.resolve_data_config(model=model, use_test_size=True)
    labelled = data.create_dataset("", str(folder), split="validation", class_map=str(folder / "classes.txt"))
    loader = data.create_loader(
        labelled,
        config["input_size"],
        VALIDATE_BATCH,
        use_prefetcher=True,
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
        num_workers=VALIDATE_WORKERS,
        crop_pct=config["crop_pct"],
        crop_mode=config["crop_mode"],
        device=device,
    )
    model.to(device).eval()
    with torch.inference_mode():
        model(torch.randn((VALIDATE_BATCH, *config["input_size"])))  # as the script warms up
        began = time.perf_counter()
        said = _validated(model, loader)
        seconds = time.perf_counter() - began
    return Run(dict(zip(labelled.filenames(basename=True), _ranked(said), strict=True)), seconds)


def _validated(model: nn.Module, loader: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Loss and accuracies of every batch, averaged; what was said, and what was right, is kept to be compared."""
    from torch import nn

    timm: Any = importlib.import_module("timm.utils")
    criterion, kept = nn.CrossEntropyLoss(), []
    losses, top1, top5 = (timm.AverageMeter() for _ in range(3))
    for pixels, labels in loader:
        output = model(pixels)
        loss = criterion(output, labels)
        first, five = timm.accuracy(output, labels, topk=(1, 5))
        for average, value in ((losses, loss), (top1, first), (top5, five)):
            average.update(value.item(), len(output))
        kept.append((output, labels))
    return kept


def _ranked(said: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Iterator[tuple[int, int]]:
    for values, labels in said:
        found, predicted = ranks(values, labels)
        yield from zip(predicted.tolist(), found.tolist(), strict=True)


def in_a_process(course: Course) -> Run:
    """Timm's side, run as a program."""
    command = [sys.executable, "-W", "ignore", __file__, "--theirs", json.dumps(asdict(course))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(course.threads)}
    ran = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    said = json.loads(ran.stdout)
    return Run({name: tuple(each) for name, each in said["found"].items()}, said["evaluating"])


# --- our side -----------------------------------------------------------------------------------------------------


def ours(course: Course, loaders: int, batch: int) -> Run:
    """The accuracy of a case, as a run of the plugin measures it."""
    import timm

    folder = Path(course.folder)
    build = partial(timm.create_model, course.network)
    network = Architecture(course.name, "race", build, input_shape=None, provider="timm", suites=("user",))
    with tempfile.TemporaryDirectory() as kept:
        learning = Learning(
            imagenet=str(folder), weights=str(folder / "weights"), keep=kept, loaders=loaders, evaluation_batch=batch
        )
        runner = Runner(Settings(learning=learning))
        try:
            found = runner.measure(
                Case(network, "top1_accuracy", Conditions("cpu", input_shape=None, threads=course.threads))
            )
        finally:
            runner.close()
        if found.status != "ok":
            raise SystemExit(f"{course.network}: {found.status}: {found.message}")
        shards = [json.loads(line) for line in next(Path(kept).glob("*.jsonl")).read_text().splitlines()[1:]]
    classified = {
        Path(name).name: (predicted, rank)
        for shard in shards
        for name, predicted, rank in zip(shard["images"], shard["predicted"], shard["ranks"], strict=True)
    }
    return Run(classified, found.protocol["seconds"], note=f"{found.protocol['loaders']} loader(s); {found.notes[0]}")


# --- the race -----------------------------------------------------------------------------------------------------


class Sides(NamedTuple):
    """Runs of each side, round by round."""

    ours: list[Run]
    theirs: list[Run]


def timed(run: Any, *arguments: Any) -> Run:
    """A run with what all its processes took."""
    before, began = _used(), time.perf_counter()
    done: Run = run(*arguments)
    return Run(done.found, done.evaluating, time.perf_counter() - began, _used() - before, done.note)


def _used() -> float:
    """Seconds that processors worked for processes that this one has started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def race(course: Course, rounds: int, loaders: int, batch: int) -> Sides:
    sides = Sides([], [])
    for number in range(rounds):
        turns = [(sides.ours, ours, (course, loaders, batch)), (sides.theirs, in_a_process, (course,))]
        for kept, run, arguments in turns if number % 2 == 0 else reversed(turns):
            with device_lock("cpu"):  # what else is measured here ends first, and ours does not wait for it
                pass
            kept.append(timed(run, *arguments))
            rate = course.images / kept[-1].evaluating
            side = "ours" if run is ours else "timm"
            print(f"{course.network} round {number + 1} {side}: {rate:.1f} images/s", file=sys.stderr)
    return sides


def differing(sides: Sides) -> dict[str, int]:
    """Images that the sides do not agree on, in any round."""
    pairs = [
        (run.found[name], other.found[name])
        for run, other in zip(sides.ours, sides.theirs, strict=True)
        for name in run.found.keys() | other.found.keys()
    ]
    return {
        "top-1": sum((a[1] < 1) != (b[1] < 1) for a, b in pairs),
        "top-5": sum((a[1] < 5) != (b[1] < 5) for a, b in pairs),
        "first answer": sum(a[0] != b[0] for a, b in pairs),
        "rank": sum(a[1] != b[1] for a, b in pairs),
    }


def report(course: Course, sides: Sides) -> None:
    top1, top5 = (statistics.mean(rank < depth for _, rank in sides.ours[-1].found.values()) for depth in (1, 5))
    print(f"\n{course.network}, {course.threads} thread(s), {course.images:,} images; {sides.ours[-1].note}")
    print(f"{'':14}{'archbench':>26}{'timm':>26}{'ours : timm':>13}")
    for kind in ("evaluating", "whole"):
        rates = [[course.images / getattr(run, kind) for run in runs] for runs in sides]
        print(f"{kind:14}{_spread(rates[0])}{_spread(rates[1])}{_ratio(rates):13.2f}   images/s")
    times = [[run.cpu for run in runs] for runs in sides]
    print(f"{'processors':14}{_spread(times[0])}{_spread(times[1])}{_ratio(times):13.2f}   s of CPU time")
    told = ", ".join(f"{kind} {count}" for kind, count in differing(sides).items())
    print(f"top-1 {top1:.4f}, top-5 {top5:.4f}; images that differ over {len(sides.ours)} rounds: {told}")


def _ratio(values: Sequence[Sequence[float]]) -> float:
    return statistics.median(values[0]) / statistics.median(values[1])


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):10.1f} ({min(values):.1f}-{max(values):.1f})".rjust(26)


def main() -> int:
    asked = arguments()
    if asked.theirs:
        print(json.dumps(asdict(theirs(Course(**json.loads(asked.theirs))))))
        return 0
    differ = 0
    with tempfile.TemporaryDirectory(prefix="race-accuracy-") as scratch:
        counts = {network: asked.images or NETWORKS.get(network, max(NETWORKS.values())) for network in asked.networks}
        files = photographs(Path(scratch), max(counts.values()))
        print(f"{len(files):,} JPEGs of {statistics.mean(file.stat().st_size for file in files) / 1e3:.0f} kB,"
              f" {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}")  # fmt: skip
        for network, count in counts.items():
            for threads in asked.threads:
                folder = Path(scratch) / f"{network}-{threads}"
                course = laid_out(folder, network, files[:count], threads)
                sides = race(course, asked.rounds, asked.loaders, asked.batch)
                report(course, sides)
                differ += differing(sides)["top-1"] + differing(sides)["top-5"]
    return int(differ > 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), help="names of timm's")
    parser.add_argument("--images", type=int, default=0, help="how many; 0 for as many as the network is given")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, os.cpu_count() or 1])
    parser.add_argument("--loaders", type=int, default=Learning().loaders, help="of ours; -1 is its own choice")
    parser.add_argument("--batch", type=int, default=Learning().evaluation_batch, help="of ours")
    parser.add_argument("--theirs", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
