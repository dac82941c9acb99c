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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from pytest_archbench.meters import CannotMeasure, Part, evaluation
from pytest_archbench.meters.accuracy import accuracy, order
from pytest_archbench.meters.evaluation import (
    Due,
    Kept,
    Way,
    faster_with_channels_last,
    images_a_pass,
    loaders,
    logits,
    ranks,
)
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


def rows(kept: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in kept.read_text().splitlines()]


def written(kept: Path, entries: list[Any]) -> None:
    kept.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def in_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Images, and a file with the outcomes of all 18 in shards of 4."""
    monkeypatch.setattr(evaluation, "SHARD", 0.0)
    folder = image_folder(tmp_path / "val", SEEN)
    last(accuracy(*asked(folder, tmp_path / "kept")))
    return folder, tmp_path / "kept" / "grey-cpu.outcomes.jsonl"


def test_the_file_of_outcomes_says_of_which_network_and_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, kept = in_shards(tmp_path, monkeypatch)
    header = rows(kept)[0]
    assert (header["architecture"], header["device"]) == ("grey", "cpu")


def test_networks_whose_names_are_alike_have_outcomes_of_their_own(tmp_path: Path) -> None:
    own, conditions, settings = asked(image_folder(tmp_path / "val", SEEN), tmp_path / "kept")
    for name, build, right in (("mlp+relu", Grey, 14 / 18), ("mlp-relu", Silent, 0.0), ("mlp relu", Grey, 14 / 18)):
        found = reading(last(accuracy(replace(own, name=name, build=build), conditions, settings)), "top1_accuracy")
        assert found.samples == (right,), name
        assert "images in" in found.notes[0], "nothing was gone on with or renamed"
    assert len([*(tmp_path / "kept").iterdir()]) == 3


def test_going_on_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, kept = in_shards(tmp_path, monkeypatch)
    written(kept, rows(kept)[:3])
    found = reading(last(accuracy(*asked(folder, kept.parent))), "top1_accuracy")
    assert found.notes[0] == "begun again after 8 images"
    assert found.samples == (14 / 18,)


def doubled(shard: dict[str, Any]) -> list[Any]:
    return [shard, shard]


def changed(**fields: Any) -> Callable[[dict[str, Any]], list[Any]]:
    return lambda shard: [shard | fields]


def edited(field: str, value: Any) -> Callable[[dict[str, Any]], list[Any]]:
    return lambda shard: [shard | {field: [value, *shard[field][1:]]}]


def without_images(shard: dict[str, Any]) -> list[Any]:
    return [shard | {name: [] for name in ("images", "labels", "predicted", "ranks")}, shard]


def without_one(shard: dict[str, Any]) -> list[Any]:
    return [{name: value[1:] if isinstance(value, list) else value for name, value in shard.items()}]


DAMAGE: Mapping[str, Callable[[dict[str, Any]], list[Any]]] = {
    "doubled": doubled,
    "left out": lambda _: [],
    "turned": lambda shard: [{n: v[::-1] if isinstance(v, list) else v for n, v in shard.items()}],
    "no images": without_images,
    "an image less": without_one,
    "another image": edited("images", "class-0/x.jpg"),
    "no image": edited("images", 3),
    "another label": edited("labels", 9),
    "a label that is true": edited("labels", True),
    "a rank below 0": edited("ranks", -1),
    "a rank above all": edited("ranks", 10**9),
    "a rank of a part": edited("ranks", 0.5),
    "a class that is none": edited("predicted", 10**9),
    "no answer that is right": edited("predicted", -1),
    "one rank too few": lambda shard: [shard | {"ranks": shard["ranks"][1:]}],
    "ranks that are a text": changed(ranks="0000"),
    "seconds that are no number": changed(seconds=float("nan")),
    "no seconds": changed(seconds=0.0),
    "seconds below 0": changed(seconds=-1.0),
    "seconds that are text": changed(seconds="1"),
    "no end of waiting": changed(waited=float("inf")),
    "unreadable of nothing": changed(unreadable={"class-9/9.jpg": "gone"}),
    "unreadable without words": changed(unreadable={"class-0/0.jpg": None}),
    "unreadable as a list": changed(unreadable=["class-0/0.jpg"]),
    "a field more": changed(more=1),
    "a field less": lambda shard: [{name: value for name, value in shard.items() if name != "waited"}],
    "no mapping": lambda _: [[1, 2]],
    "nothing": lambda _: [None],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_from_a_shard_on_that_is_not_the_next_none_is_taken(damage: str, finished: tuple[Path, list[Any]]) -> None:
    kept, (header, *shards) = finished
    written(kept, [header, shards[0], *DAMAGE[damage](shards[1]), *shards[2:]])
    before = kept.read_bytes()
    taken = 2 if damage in {"doubled"} else 1
    again = Kept(kept, header, due(shards))
    again.close()
    assert [list(shard.images) for shard in again.shards] == [shard["images"] for shard in shards[:taken]]
    assert again.notes == (
        "outcomes of another evaluation, or changed ones, were renamed to grey-cpu.1.outcomes.jsonl",
        f"begun again after {4 * taken} images",
    )
    assert kept.with_name("grey-cpu.1.outcomes.jsonl").read_bytes() == before
    assert rows(kept) == [header, *shards[:taken]]


@pytest.fixture
def finished(tmp_path: Path) -> tuple[Path, list[Any]]:
    """A file of three shards of 4 images, as evaluation writes it, and its lines."""
    kept = tmp_path / "grey-cpu.outcomes.jsonl"
    names = [f"class-0/{number}.jpg" for number in range(12)]
    shards = [
        {
            "images": names[at : at + 4],
            "labels": [0, 1, 2, 3],
            "predicted": [0, 2, -1, 3],
            "ranks": [0, 1, 8, 0],
            "unreadable": {names[at + 2]: "torn"},
            "seconds": 1.5,
            "waited": 0.0,
        }
        for at in (0, 4, 8)
    ]
    lines = [{"data": "imagenet"}, *shards]
    written(kept, lines)
    return kept, lines


def due(shards: list[Any]) -> Due:
    return Due([name for each in shards for name in each["images"]], [0, 1, 2, 3] * len(shards), CLASSES)


def test_what_is_whole_is_gone_on_with_and_renamed_nowhere(finished: tuple[Path, list[Any]]) -> None:
    kept, (header, *shards) = finished
    again = Kept(kept, header, due(shards))
    again.close()
    assert again.notes == ("begun again after 12 images",)
    assert (rows(kept), [*kept.parent.iterdir()]) == ([header, *shards], [kept])


@pytest.mark.parametrize("torn", [1, 30])
def test_a_torn_line_is_left_out(finished: tuple[Path, list[Any]], torn: int) -> None:
    kept, (header, *shards) = finished
    kept.write_bytes(kept.read_bytes()[: -torn - 1])
    again = Kept(kept, header, due(shards))
    again.close()
    assert again.notes == ("begun again after 8 images",)
    assert (rows(kept), [*kept.parent.iterdir()]) == ([header, *shards[:2]], [kept])


@pytest.mark.parametrize("content", [b"", b'{"data": "ima', b'{"data": "imagenet"}', b'{"data": "imagenet"}\n'])
def test_a_file_without_shards_is_gone_on_with(finished: tuple[Path, list[Any]], content: bytes) -> None:
    kept, (header, *shards) = finished
    kept.write_bytes(content)
    again = Kept(kept, header, due(shards))
    again.close()
    assert (again.shards, again.notes, rows(kept)) == ([], (), [header])


@pytest.mark.parametrize("content", [b'{"data": "digits"}\n', b"\x00\xff", b"[" * 10_000, b"null\n", b'"data"\n{}\n'])
def test_a_file_of_anything_else_is_renamed(finished: tuple[Path, list[Any]], content: bytes) -> None:
    kept, (header, *shards) = finished
    kept.with_name("grey-cpu.1.outcomes.jsonl").write_text("of an earlier one")
    kept.write_bytes(content)
    again = Kept(kept, header, due(shards))
    again.close()
    assert again.notes == (
        "outcomes of another evaluation, or changed ones, were renamed to grey-cpu.2.outcomes.jsonl",
    )
    assert kept.with_name("grey-cpu.1.outcomes.jsonl").read_text() == "of an earlier one"
    assert kept.with_name("grey-cpu.2.outcomes.jsonl").read_bytes() == content
    assert (again.shards, rows(kept)) == ([], [header])


def test_a_folder_in_the_way_is_renamed(finished: tuple[Path, list[Any]]) -> None:
    kept, (header, *shards) = finished
    kept.unlink()
    (kept / "mine").mkdir(parents=True)
    Kept(kept, header, due(shards)).close()
    assert (kept.with_name("grey-cpu.1.outcomes.jsonl") / "mine").is_dir()
    assert rows(kept) == [header]


def test_where_outcomes_cannot_be_kept_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unusable, match=r"file/grey-cpu\.outcomes\.jsonl: cannot be read or written: File exists"):
        Kept(tmp_path / "file" / "grey-cpu.outcomes.jsonl", {}, Due((), (), 1))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 700), noise=st.binary(min_size=1, max_size=20))
def test_no_bytes_in_a_file_make_other_outcomes(finished: tuple[Path, list[Any]], at: int, noise: bytes) -> None:
    kept, (header, *shards) = finished
    written(kept, [header, *shards])
    whole = kept.read_bytes()
    kept.write_bytes(whole[:at] + noise + whole[at + len(noise) :])
    again = Kept(kept, header, due(shards))
    again.close()
    answers = [(list(each.images), list(each.labels)) for each in again.shards]
    assert answers == [(each["images"], each["labels"]) for each in shards[: len(answers)]]
    assert all(0 <= rank <= CLASSES for each in again.shards for rank in each.ranks)


def test_images_of_another_size_are_other_images(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", SEEN)
    last(accuracy(*asked(folder, tmp_path / "kept")))
    Image.new("RGB", (64, 64), (4 * STEP,) * 3).save(folder / "class-4" / "0.jpg", quality=100)
    Image.new("RGB", (64, 64), (5 * STEP,) * 3).save(folder / "class-4" / "1.jpg", quality=100)
    found = reading(last(accuracy(*asked(folder, tmp_path / "kept"))), "top1_accuracy")
    assert found.samples == (13 / 18,)
    assert found.notes[0].startswith("outcomes of another evaluation, or changed ones, were renamed to ")


def test_fewer_images_than_before_throw_none_away(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", SEEN)
    last(accuracy(*asked(folder, tmp_path / "kept")))
    part = last(accuracy(*asked(folder, tmp_path / "kept", images=5)))
    assert (part.done, part.total, part.left) == (18, 18, 0)
    assert reading(part, "top1_accuracy").notes[0].startswith("18 images in "), "nothing was begun again"


class Bordered(Grey):
    """Images are fitted whole into the input."""

    def __init__(self) -> None:
        super().__init__()
        self.pretrained_cfg["crop_mode"] = "border"


def test_an_image_that_cannot_be_prepared_is_named_and_counts_as_wrong(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "val", RIGHT)
    Image.new("RGB", (4000, 1)).save(folder / "class-3" / "line.png")
    found = reading(last(accuracy(*asked(folder, tmp_path / "kept", build=Bordered))), "top1_accuracy")
    assert found.outcomes is not None
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*"))
    assert [names[order(17, 0)[at]] for at in found.outcomes.unread] == ["class-3/line.png"]
    assert unpack(found.outcomes.correct, 17)[found.outcomes.unread[0]] is False
    assert found.imprecise.startswith(
        "1 image(s) could not be read and count as wrong: class-3/line.png: cannot be pre"
    )
    assert "height and width must be > 0" in found.imprecise


def test_an_image_whose_name_is_no_text_is_read_and_named(tmp_path: Path) -> None:
    folder, strange = image_folder(tmp_path / "val", RIGHT), os.fsdecode(b"\xff")
    (folder / "class-3" / f"a{strange}.jpg").write_bytes((folder / "class-3" / "0.jpg").read_bytes())
    (folder / "class-3" / f"b{strange}.jpg").write_bytes(b"\xff\xd8 no more")
    found = reading(last(accuracy(*asked(folder, tmp_path / "kept"))), "top1_accuracy")
    assert found.samples == (17 / 18,)
    assert r"class-3/b\udcff.jpg: not an image" in found.imprecise
    assert found.imprecise.isprintable()


class Viewing(nn.Module):
    def __init__(self, raises: bool) -> None:
        super().__init__()
        self.conv, self.raises = nn.Conv2d(3, 4, 3), raises

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.raises:
            raise RuntimeError("mine")
        said: torch.Tensor = self.conv(pixels)
        return said.view(len(pixels), -1)


def test_a_network_that_cannot_have_its_channels_last_has_them_first() -> None:
    way = Way("cpu", 4, 0, "", False, lambda: None)
    assert not faster_with_channels_last(Viewing(raises=False), (3, 8, 8), way)
    with pytest.raises(RuntimeError, match="mine"):
        faster_with_channels_last(Viewing(raises=True), (3, 8, 8), way)


def test_a_network_whose_channels_cannot_be_last_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "WORTH_TRYING", 1)
    own = asked(image_folder(tmp_path / "val", RIGHT), tmp_path / "kept", build=GreyViewing)
    assert reading(last(accuracy(*own)), "top1_accuracy").samples == (1.0,)


class GreyViewing(Grey):
    """Its convolution changes nothing, and its view needs the channels first."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        nn.init.dirac_(self.conv.weight)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return super().forward(self.conv(pixels).view(len(pixels), 3, 1, -1))


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
