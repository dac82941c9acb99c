"""Accuracy of networks whose every answer is known, on images that the tests make."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from pytest_archbench.meters import CannotMeasure, Part, evaluation
from pytest_archbench.meters.accuracy import accuracy, order
from pytest_archbench.meters.evaluation import Way, images_a_pass, loaders, logits, ranks
from pytest_archbench.proportions import unpack
from pytest_archbench.protocols import Learning, Missing, Unusable
from pytest_archbench.records import Architecture, Conditions, Reading, Settings

CLASSES = 8
STEP = 30
"""Grey levels between two classes, of which JPEG and resizing move none far enough to be another."""


class Grey(nn.Module):
    """Answers with the classes in the order of how near their grey level is to the image's mean."""

    levels: torch.Tensor

    def __init__(self, delay: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("levels", torch.arange(CLASSES) * STEP / 255)
        self.pretrained_cfg = {
            "input_size": (3, 32, 32),
            "crop_pct": 1.0,
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
        }
        self.delay = delay

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        time.sleep(self.delay)
        return -(pixels.mean((1, 2, 3))[:, None] - self.levels).abs()


def image_folder(root: Path, seen: Mapping[int, list[int]]) -> Path:
    """Images in ``class-K`` folders; ``seen[k]`` are the classes that the network takes them for."""
    for label, classes in seen.items():
        for number, level in enumerate(classes):
            file = root / f"class-{label}" / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 48), (level * STEP,) * 3).save(file)
    return root


RIGHT = {label: [label, label] for label in range(CLASSES)}
SEEN = {**RIGHT, 0: [0, 1, 2, 7], 7: [7, 6]}
"""Of 18 images 14 are right at first. Where 0 is taken for 1 or 2, or 7 for 6, the right class is among the first five;
where 0 is taken for 7, it is the last.
"""


def asked(
    folder: Path, kept: Path, build: Callable[[], nn.Module] = Grey, **more: Any
) -> tuple[Architecture, Conditions, Settings]:
    own = Architecture("grey", "test", build, input_shape=None, suites=("user",))
    learning = Learning(imagenet=str(folder), keep=str(kept), loaders=0, evaluation_batch=4, **more)
    return own, Conditions("cpu", input_shape=None), Settings(learning=learning)


def last(parts: Any) -> Part:
    found: list[Part] = list(parts)
    assert [part.whole for part in found] == [False] * (len(found) - 1) + [True]
    return found[-1]


def reading(part: Part, metric: str) -> Reading:
    found = part.readings[metric]
    assert isinstance(found, Reading)
    return found


def test_it_ranks_the_right_class_with_ties_to_the_lower_and_no_numbers_last() -> None:
    values = torch.tensor(
        [[3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [2.0, 2.0, 1.0], [2.0, 2.0, 1.0], [float("nan"), 0.0, 0.0]]
    )
    right = torch.tensor([0, 0, 0, 1, 0])
    found, first = ranks(values, right)
    assert found.tolist() == [0, 2, 0, 1, 3]
    assert first.tolist() == [0, 1, 0, 0, -1]


def test_top_one_and_top_five_are_exact(tmp_path: Path) -> None:
    part = last(accuracy(*asked(image_folder(tmp_path / "val", SEEN), tmp_path / "kept")))
    assert (part.done, part.total, part.unit) == (18, 18, "images")
    top1, top5 = reading(part, "top1_accuracy"), reading(part, "top5_accuracy")
    assert top1.samples == (14 / 18,)
    assert top5.samples == (17 / 18,), "the image that has rank 7 alone is not among the first five"
    assert top1.input_shape == [3, 32, 32]


def test_outcomes_say_which_images_were_right(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", SEEN)
    part = last(accuracy(*asked(folder, tmp_path / "kept")))
    outcomes = reading(part, "top1_accuracy").outcomes
    assert outcomes is not None
    assert (outcomes.count, outcomes.total, outcomes.random) == (18, 18, False)
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.jpg"))
    wrong = {names[index] for index, right in zip(order(18, 0), unpack(outcomes.correct, 18), strict=True) if not right}
    assert wrong == {"class-0/1.jpg", "class-0/2.jpg", "class-0/3.jpg", "class-7/1.jpg"}


def test_the_protocol_says_how_it_was_taken(tmp_path: Path) -> None:
    found = reading(last(accuracy(*asked(image_folder(tmp_path / "val", RIGHT), tmp_path / "kept"))), "top1_accuracy")
    facts = {name: found.protocol[name] for name in ("data", "split", "weights", "seed", "amp")}
    assert facts == {
        "data": "own images",
        "split": "valid",
        "weights": "as its factory makes them",
        "seed": 0,
        "amp": "none",
    }
    assert found.protocol["preprocessing"] == {
        "crop": [32, 32],
        "resize": 32,
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "interpolation": "bicubic",
        "fit": "center",
    }


def test_an_image_that_cannot_be_read_is_named_and_counts_as_wrong(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", RIGHT)
    (folder / "class-3" / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    found = reading(last(accuracy(*asked(folder, tmp_path / "kept"))), "top1_accuracy")
    assert found.samples == (16 / 17,)
    assert found.imprecise.startswith("1 image(s) could not be read and count as wrong: ")
    assert "class-3/broken.jpg" in found.imprecise


def test_answers_that_are_no_numbers_are_wrong_and_counted(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", RIGHT)
    found = reading(last(accuracy(*asked(folder, tmp_path / "kept", build=Silent))), "top1_accuracy")
    assert found.samples == (0.0,)
    assert found.notes[-1] == "16 images got answers that are no numbers, and count as wrong"


class Silent(Grey):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return super().forward(pixels) * torch.nan


def test_top_five_of_four_classes_says_nothing(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", {label: [label] for label in range(4)})
    part = last(accuracy(*asked(folder, tmp_path / "kept", build=FourClasses)))
    assert isinstance(part.readings["top5_accuracy"], CannotMeasure)
    assert reading(part, "top1_accuracy").samples == (1.0,)


class FourClasses(Grey):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return super().forward(pixels)[:, :4]


def test_fewer_images_are_a_random_sample_of_all(tmp_path: Path) -> None:
    part = last(accuracy(*asked(image_folder(tmp_path / "val", SEEN), tmp_path / "kept", images=5)))
    outcomes = reading(part, "top1_accuracy").outcomes
    assert outcomes is not None
    assert (part.done, outcomes.count, outcomes.total) == (5, 5, 18)
    whole = last(accuracy(*asked(tmp_path / "val", tmp_path / "other")))
    all_of_them = reading(whole, "top1_accuracy").outcomes
    assert all_of_them is not None
    assert unpack(outcomes.correct, 5) == unpack(all_of_them.correct, 18)[:5]


@pytest.mark.parametrize("more", [{"loaders": 2}, {"evaluation_batch": 1}, {"amp": "bfloat16"}])
def test_no_way_of_feeding_changes_what_was_right(tmp_path: Path, more: dict[str, Any]) -> None:
    architecture, conditions, settings = asked(image_folder(tmp_path / "val", SEEN), tmp_path / "kept")
    other = replace(settings, learning=replace(settings.learning, **{**more, "keep": str(tmp_path / "other")}))
    one, two = (last(accuracy(architecture, conditions, each)) for each in (settings, other))
    assert reading(one, "top1_accuracy").outcomes == reading(two, "top1_accuracy").outcomes


def test_what_was_classified_is_not_classified_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SHARD", 0.0)
    folder = image_folder(tmp_path / "val", SEEN)
    parts: Any = accuracy(*asked(folder, tmp_path / "kept"))
    assert [next(parts).done, next(parts).done] == [4, 8]
    parts.close()
    again = list(accuracy(*asked(folder, tmp_path / "kept")))
    assert [part.done for part in again] == [12, 16, 18]
    whole = last(accuracy(*asked(folder, tmp_path / "other")))
    for metric in ("top1_accuracy", "top5_accuracy"):
        assert reading(again[-1], metric).outcomes == reading(whole, metric).outcomes


def test_shards_of_another_protocol_are_not_gone_on_with(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", SEEN)
    last(accuracy(*asked(folder, tmp_path / "kept")))
    (folder / "class-2" / "more.jpg").write_bytes((folder / "class-2" / "0.jpg").read_bytes())
    assert last(accuracy(*asked(folder, tmp_path / "kept"))).done == 19


def test_a_network_of_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", {label: [label] for label in range(5)})
    with pytest.raises(Unusable, match="5"):
        last(accuracy(*asked(folder, tmp_path / "kept")))


def test_without_images_it_says_how_to_give_them(tmp_path: Path) -> None:
    architecture, conditions, settings = asked(tmp_path, tmp_path / "kept")
    with pytest.raises(Missing, match="--archbench-imagenet"):
        last(accuracy(architecture, conditions, replace(settings, learning=replace(settings.learning, imagenet=""))))


def test_what_is_no_table_of_classes_is_refused() -> None:
    way = Way("cpu", 1, 0, "", False, lambda: None)
    with pytest.raises(Unusable, match=r"Flatten: expected values of shape \(batch, classes\); got .*\(1, 3, 64\)"):
        logits(nn.Flatten(2), torch.zeros(1, 3, 8, 8), way)


@pytest.mark.parametrize(
    ("wanted", "images", "threads", "expected"),
    [(3, 10, 1, 3), (0, 50_000, 1, 0), (-1, 10, 1, 0), (-1, 50_000, 10_000, 1)],
)
def test_loaders_are_as_asked_or_what_the_network_leaves(wanted: int, images: int, threads: int, expected: int) -> None:
    assert loaders(wanted, images, threads) == expected


@pytest.mark.parametrize(
    ("wanted", "device", "threads", "expected"),
    [(64, "cpu", 1, 8), (64, "cpu", 2, 16), (64, "cpu", 32, 64), (4, "cpu", 1, 4), (64, "cuda:0", 1, 64)],
)
def test_a_pass_is_as_large_as_asked_or_what_a_processor_does_well(
    wanted: int, device: str, threads: int, expected: int
) -> None:
    assert images_a_pass(wanted, device, threads) == expected


PROGRAM = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_accuracy import Slow, asked
from pytest_archbench.meters import evaluation
from pytest_archbench.meters.accuracy import accuracy
evaluation.SHARD = 0.0
for part in accuracy(*asked(Path({folder!r}), Path({kept!r}), build=Slow)):
    print(part.done, flush=True)
"""


def Slow() -> Grey:  # noqa: N802  named like the networks beside it
    return Grey(delay=0.2)


def test_killed_while_it_runs_it_goes_on_and_ends_as_if_it_had_not(tmp_path: Path) -> None:
    folder, kept = image_folder(tmp_path / "val", SEEN), tmp_path / "kept"
    program = PROGRAM.format(tests=str(Path(__file__).parent), folder=str(folder), kept=str(kept))
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "4\n"
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait(timeout=30) == -signal.SIGKILL
    running.stdout.close()
    again: list[Any] = list(accuracy(*asked(folder, kept)))
    whole = last(accuracy(*asked(folder, tmp_path / "other")))
    assert again[0].done > 4, "what the killed one had kept is there"
    for metric in ("top1_accuracy", "top5_accuracy"):
        assert reading(again[-1], metric).outcomes == reading(whole, metric).outcomes


FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
"""


def test_a_full_disk_ends_it_in_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    folder, kept = image_folder(tmp_path / "val", SEEN), tmp_path / "kept"
    program = FULL + PROGRAM.format(tests=str(Path(__file__).parent), folder=str(folder), kept=str(kept))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert "grey-cpu.outcomes.jsonl: cannot be written: File too large; what was written before is whole" in ran.stderr
    kept_lines = (kept / "grey-cpu.outcomes.jsonl").read_text().splitlines()
    assert len(kept_lines) == 1 + len(ran.stdout.split())
    assert [json.loads(line) for line in kept_lines]
    assert last(accuracy(*asked(folder, kept))).done == 18
