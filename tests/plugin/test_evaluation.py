"""Runs that evaluate networks: a user's own on images of their own, a published one, and what comes along."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from lifecycle import Ran, bench, journal, only, outcomes, start, write
from PIL import Image

from pytest_archbench import own, store
from pytest_archbench.points import points_of

STEP, CLASSES, EACH = 30, 8, 6
NETS = """
import time

import torch
from torch import nn


class Grey(nn.Module):
    def __init__(self, blind=0, delay=0.0):
        super().__init__()
        self.register_buffer("levels", torch.arange(8) * 30 / 255)
        self.blind, self.delay = blind, delay
        self.pretrained_cfg = {"input_size": (3, 16, 16), "crop_pct": 1.0, "mean": (0.0,) * 3, "std": (1.0,) * 3}

    def forward(self, x):
        time.sleep(self.delay)
        answers = -(x.mean((1, 2, 3))[:, None] - self.levels).abs()
        answers[:, : self.blind] = -9
        return answers


def grey():
    return Grey(BLIND, DELAY)
"""
PROJECT = """
[tool.archbench]
suite = "user"
metric = ["accuracy"]
imagenet = "val"
evaluation-batch = 4

[tool.archbench.architectures]
grey = {factory = "nets:grey", input = [3, 16, 16]}
"""
SENTENCE = "grey top1_accuracy: 97.92 % (89.10 % to 99.63 %), 48 images (own images, own labels: 8 classes)"
WEIGHTS = ", weights as its factory makes them"


def nets(blind: int = 0, delay: float = 0.0) -> str:
    """A network that never answers with its first ``blind`` classes, and takes ``delay`` s a batch."""
    return NETS.replace("BLIND", str(blind)).replace("DELAY", str(delay))


def project(folder: Path, blind: int = 0, delay: float = 0.0) -> Path:
    """Forty-eight images of eight grey levels, one of which lies in a folder that it does not belong to."""
    write(folder, {"nets.py": nets(blind, delay), "pyproject.toml": PROJECT})
    for number in range(CLASSES * EACH):
        level = number % CLASSES
        label = 5 if number == 0 else level
        file = folder / "val" / f"class-{label}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 24), (level * STEP,) * 3).save(file)
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return bench(project(tmp_path_factory.mktemp("first")), "--benchmark-json=theirs.json")


def test_a_users_own_network_is_evaluated_on_their_own_images(first: Ran) -> None:
    assert (first.code, first.outcomes) == (0, {"skipped": 2}), first.output
    assert SENTENCE + WEIGHTS in first.output.splitlines()
    (row,) = only(first.rows, "grey", "top1_accuracy")
    assert (row["value"], row["outcomes"]["count"]) == (47 / 48, 48)
    assert row["conditions"]["input_shape"] == [3, 16, 16]
    assert row["protocol"]["weights"] == "as its factory makes them"
    assert outcomes(row) == ["no baseline"]


def test_pytest_benchmark_has_it_beside_the_seconds_it_took(first: Ran) -> None:
    (row,) = only(first.rows, "grey", "top1_accuracy")
    for file in ("theirs.json", "reports/benchmark.json"):
        entries = json.loads((first.folder / file).read_text())["benchmarks"]
        (entry,) = [each for each in entries if each["extra_info"]["metric"] == "top1_accuracy"]
        assert entry["extra_info"]["value"] == 47 / 48
        assert entry["extra_info"]["protocol"]["data"] == "own images"
        assert entry["stats"]["data"] == [row["protocol"]["seconds"]]


@pytest.fixture
def promoted(first: Ran, tmp_path: Path) -> Path:
    own.promote(points_of(store.read(first.folder / "reports")).values(), tmp_path / "baselines/devices")
    return tmp_path


def test_the_same_network_passes_image_by_image(promoted: Path) -> None:
    ran = bench(project(promoted))
    assert (ran.code, ran.outcomes) == (0, {"passed": 2}), ran.output
    (row,) = only(ran.rows, "grey", "top1_accuracy")
    assert "of 48 common images 0 are right only here and 0 only there" in row["verdicts"][-1]["reason"]


def test_a_network_that_has_grown_worse_fails(promoted: Path) -> None:
    """Blind for two of eight classes it loses eleven images, and wins none: 2 / 2^11 = 0.00098."""
    ran = bench(project(promoted, blind=2), "-k", "top1")
    assert (ran.code, ran.outcomes) == (1, {"failed": 1, "deselected": 1}), ran.output
    (row,) = only(ran.rows, "grey", "top1_accuracy")
    said = row["verdicts"][-1]
    assert said["outcome"] == "regressed"
    assert "0 are right only here and 11 only there, McNemar's p = 0.00098" in said["reason"]


def test_other_images_do_not_compare(promoted: Path) -> None:
    project(promoted)
    (promoted / "val/class-3/3.png").unlink()
    ran = bench(promoted, "-k", "top1")
    assert ran.outcomes == {"skipped": 1, "deselected": 1}, ran.output
    (row,) = ran.rows
    assert row["verdicts"][-1]["outcome"] == "incomparable"


def test_as_many_images_as_asked_for_are_evaluated_and_the_sample_is_named(promoted: Path) -> None:
    ran = bench(project(promoted), "--archbench-accuracy-budget=20", "-k", "top1")
    (row,) = ran.rows
    assert (row["outcomes"]["count"], row["outcomes"]["total"]) == (20, 48)
    assert outcomes(row)[-1] == "passed"
    assert "of 20 common images" in row["verdicts"][-1]["reason"]


def test_what_was_evaluated_is_not_evaluated_again(tmp_path: Path) -> None:
    folder = project(tmp_path)
    bench(folder, "-k", "top1")
    ran = bench(folder, "--archbench-resume")
    assert ran.outcomes == {"skipped": 2}, ran.output
    assert [row["metric"] for row in ran.rows] == ["top1_accuracy", "top5_accuracy"]


def test_a_resumed_run_looks_at_the_weights_again(tmp_path: Path) -> None:
    folder = project(tmp_path)
    bench(folder, "-k", "top1")
    write(folder, {"nets.py": nets().replace("torch.arange(8)", "torch.arange(7, -1, -1)")})
    ran = bench(folder, "-k", "top1", "--archbench-resume")
    assert [row["value"] for row in ran.rows] == [47 / 48, 0.0], "what it answers is turned about"


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(tmp_path: Path, first: Ran) -> None:
    folder = project(tmp_path, delay=2.0)  # twelve batches of two seconds, kept every five
    running = start(folder, "--archbench")
    kept = folder / "reports/learned"
    while not [file for file in kept.rglob("*.outcomes.jsonl") if file.read_text().count("\n") > 1]:
        assert running.poll() is None
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    write(folder, {"nets.py": nets()})
    (file,) = kept.rglob("*.outcomes.jsonl")
    before = file.read_text()
    ran = bench(folder, "--archbench-resume")
    assert [*kept.rglob("*.outcomes.jsonl")] == [file], "it is the same run, though it was killed in its first case"
    assert file.read_text().startswith(before)
    for metric in ("top1_accuracy", "top5_accuracy"):
        (ours,), (theirs,) = only(ran.rows, "grey", metric), only(first.rows, "grey", metric)
        assert (ours["value"], ours["outcomes"]) == (theirs["value"], theirs["outcomes"])


@pytest.mark.slow
def test_it_stops_when_the_verdict_is_certain_and_says_so(promoted: Path) -> None:
    """Of forty-eight images in both runs, blind for seven classes of eight, some twenty tell that it is worse."""
    asked = ("--archbench-accuracy-budget=5%", "--archbench-metric=top1_accuracy")
    ran = bench(project(promoted, blind=7, delay=1.3), *asked)
    (row,) = ran.rows
    assert row["outcomes"]["risk"] == 0.05
    assert row["outcomes"]["count"] < 48
    assert row["verdicts"][-1]["outcome"] == "regressed"
    assert "stopped early at a risk of 5 %" in row["verdicts"][-1]["reason"]


SYNSETS = ("n01440764", "n01443537", "n01484850", "n01491361", "n01494475", "n01496331")


def test_a_published_network_on_some_classes_is_compared_with_no_figure_of_all(tmp_path: Path) -> None:
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    (tmp_path / "zoo").mkdir()
    state = {f"module.{name}": value for name, value in squeezenet1_1().state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "zoo/squeezenet1_1.SqueezeNet1_1_Weights.pth.tar")
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "zoo/SqueezeNet1_1_Weights.IMAGENET1K_V1.pth.tar")
    for number, synset in enumerate(SYNSETS):
        (tmp_path / "val" / synset).mkdir(parents=True)
        Image.new("RGB", (250, 260), (number * 40,) * 3).save(tmp_path / f"val/{synset}/ILSVRC2012_val_{number}.JPEG")
    ran = bench(
        tmp_path,
        "--archbench-arch=squeezenet1_1",
        "--archbench-metric=top1_accuracy",
        "--archbench-imagenet=val",
        "--archbench-weights=zoo",
    )
    assert ran.outcomes == {"skipped": 1}, ran.output
    (row,) = ran.rows
    assert row["protocol"]["weights"] == "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert row["protocol"]["preprocessing"]["resize"] == 256
    said = row["verdicts"][-1]
    assert (said["outcome"], said["source"], said["baseline"]) == ("incomparable", "torchvision", "58.178")
    assert "6 of 1,000 classes" in said["reason"]


def test_a_mistaken_folder_is_one_sentence(tmp_path: Path) -> None:
    arguments = ("--archbench-metric=top1_accuracy", "--archbench-imagenet=nowhere")
    said = bench(tmp_path, *arguments).refuses()
    assert "--archbench-imagenet: " in said
    assert said.endswith("nowhere: expected a folder; got nothing; name one that is there")


def test_networks_without_their_data_are_named_with_what_to_do(tmp_path: Path) -> None:
    said = bench(tmp_path, "--archbench-metric=top1_accuracy", "--archbench-arch=resnet18,vgg16").refuses()
    assert "resnet18, vgg16: the folder of imagenet was not given (--archbench-imagenet DIR)" in said
    assert said.endswith("--archbench-suite=blocks takes handwritten digits, which come along")


def test_without_any_data_there_are_the_digits(tmp_path: Path) -> None:
    ran = bench(tmp_path, "--archbench-metric=top1_accuracy", "--co", "-q")
    assert len(ran.ids) == 9
    assert all(name.startswith("archbench/accuracy::test_top1_accuracy[digits_") for name in ran.ids)


def test_a_run_of_everything_needs_no_data(tmp_path: Path) -> None:
    ran = bench(tmp_path, "--archbench-arch=resnet18", "--co", "-q")
    assert not [name for name in ran.ids if "accuracy" in name or "training" in name]


def test_it_trains_what_it_evaluates_and_keeps_the_weights(tmp_path: Path) -> None:
    asked = ("--archbench-suite=blocks", "--archbench-arch=digits_mobile_v1", "--archbench-epochs=1")
    ran = bench(tmp_path, *asked, "--archbench-metric=top1_accuracy,valid_accuracy")
    assert ran.outcomes == {"skipped": 2}, ran.output
    (evaluated,), (trained,) = (only(ran.rows, "digits_mobile_v1", f"{kind}_accuracy") for kind in ("top1", "valid"))
    assert evaluated["value"] == trained["value"], "the same images, by one way and by the other"
    assert journal(tmp_path)[0]["environment"]["learning"]["epochs"] == 1
    assert [file.suffix for file in (tmp_path / "reports/learned").rglob("digits_mobile_v1-cpu.pth")] == [".pth"]


def test_a_data_set_that_nobody_knows_is_one_sentence(tmp_path: Path) -> None:
    declared = PROJECT.replace("[3, 16, 16]", "[3, 16, 16], dataset = 'digit'").replace('imagenet = "val"\n', "")
    said = bench(write(tmp_path, {"nets.py": nets(), "pyproject.toml": declared})).refuses()
    assert "architecture 'grey': unknown data set 'digit': did you mean digits?" in said


def test_a_users_own_network_may_be_of_another_data_set(tmp_path: Path) -> None:
    declared = PROJECT.replace("[3, 16, 16]", "[1, 8, 8], dataset = 'digits'").replace('imagenet = "val"\n', "")
    net = "from torch import nn\n\ndef grey():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    ran = bench(write(tmp_path, {"nets.py": net, "pyproject.toml": declared}), "-k", "top1")
    (row,) = ran.rows
    assert (row["outcomes"]["count"], row["protocol"]["data"]) == (360, "digits")
    assert row["protocol"]["preprocessing"]["crop"] == [8, 8]


def test_digits_need_no_suite_to_be_named(tmp_path: Path) -> None:
    asked = ("--archbench-arch=digits_plain,resnet18", "--archbench-metric=top1_accuracy")
    ran = bench(tmp_path, *asked, "--co")
    assert (
        "archbench: left out: resnet18: the folder of imagenet was not given (--archbench-imagenet DIR)" in ran.output
    )
    assert "test_top1_accuracy[digits_plain-cpu-bs1]" in ran.output


def test_a_network_without_a_recipe_is_not_trained(tmp_path: Path) -> None:
    said = bench(tmp_path, "--archbench-arch=resnet18", "--archbench-metric=training").refuses()
    assert "--archbench-metric=train_accuracy: resnet18: no recipe says how to train it; " in said


def test_an_image_that_cannot_be_read_is_left_out_of_the_comparison(promoted: Path) -> None:
    """It must not read as a network that has grown worse, nor switch the guard off."""
    project(promoted)
    file = promoted / "val/class-3/3.png"
    file.write_bytes(b"rubbish".ljust(file.stat().st_size, b"!"))  # a disk that goes bad keeps the size
    ran = bench(promoted, "-k", "top1")
    (row,) = ran.rows
    assert outcomes(row) == ["inconclusive", "passed"]
    assert "1 image(s) could not be read and count as wrong: " in row["verdicts"][0]["reason"]
    assert "of 47 common images" in row["verdicts"][1]["reason"]
