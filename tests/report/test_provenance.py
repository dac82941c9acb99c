"""What accuracies are of: as the journal says it, as it is told, and which of them compare."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_data import HEADER, Run, evaluated, published, row, trained

from pytest_archbench.report import frames
from pytest_archbench.report.provenance import account, comparable, contests, points, with_interval


def network(*rows: dict[str, Any]) -> dict[str, Any]:
    """The only row of the frame."""
    (found,) = frames.networks(Run(HEADER, rows)).to_dict("records")
    return {str(key): value for key, value in found.items()}


def test_a_measured_accuracy_says_on_which_images_with_which_weights() -> None:
    found = network(evaluated("a", "digits", 0.95, 360))
    assert (found["top1_data"], found["top1_of"], found["top1_weights"]) == ("digits", "digits, 360 images", "a.pth")
    assert account(found, "top1") == "measured on digits, 360 images, weights a.pth"
    assert with_interval(found, "top1") == "95.00 (94.00 to 96.00)"
    assert (found["top1_images"], found["top1_low"], found["top1_high"]) == (360, 0.94, 0.96)


def test_a_published_accuracy_says_whose_it_is_and_has_no_interval() -> None:
    run = Run(HEADER, (row("a", "macs", 5),))
    (found,) = frames.networks(run, [published("a", 0.76)]).to_dict("records")
    assert (account(found, "top1"), with_interval(found, "top1")) == ("bianco2018", "76.00")
    assert (found["top1_data"], found["top1_of"]) == ("imagenet", None)


def test_a_network_without_an_accuracy_is_of_no_data() -> None:
    found = network(row("a", "macs", 5))
    assert [found[key] for key in ("top1_source", "top1_data", "top1_of", "training_data", "training_of")] == [None] * 5


@pytest.mark.parametrize(
    ("given", "data", "said"),
    [
        ({"total": 5000}, "imagenet", "imagenet, 500 of 5,000 images"),
        (
            {"total": 5000, "risk": 0.05},
            "imagenet",
            "imagenet, 500 of 5,000 images, stopped early at a risk of 5 %",
        ),
        (
            {"part": "10 of 1,000 classes", "random": False},
            "imagenet, 10 of 1,000 classes",
            "imagenet, 10 of 1,000 classes, 500 images",
        ),
        (
            {"part": "own labels: 2 classes", "random": False},
            "imagenet, own labels: 2 classes",
            "imagenet, own labels: 2 classes, 500 images",
        ),
        ({"part": "500 of 50,000 images"}, "imagenet", "imagenet, 500 of 50,000 images"),
    ],
)
def test_a_random_part_is_of_the_whole_and_any_other_of_its_own(given: dict[str, Any], data: str, said: str) -> None:
    found = network(evaluated("a", "imagenet", 0.75, 500, **given))
    assert (found["top1_data"], found["top1_of"]) == (data, said)


def test_a_chosen_part_of_the_images_is_of_its_own() -> None:
    found = network(evaluated("a", "imagenet", 0.75, 500, total=5000, random=False))
    assert found["top1_data"] == "imagenet, 500 of 5,000 images"


def test_a_training_says_its_data_epochs_and_batches_and_has_its_curve() -> None:
    found = network(trained("a", "digits", valid_accuracy=(0.5, 0.75, 0.7)))
    assert (found["training_data"], found["training_of"]) == ("digits", "digits, 3 epochs, batches of 32")
    assert (found["valid_accuracy"], found["epochs"]) == (0.7, 3)
    assert points(found["valid_accuracy_epochs"]) == [(1, 0.5), (2, 0.75), (3, 0.7)]
    assert points(found["valid_loss_epochs"]) == []


def test_a_training_on_a_part_is_of_that_part() -> None:
    found = network(trained("a", "mnist", ("1,000 of 60,000 images", ""), valid_loss=(0.5,)))
    assert found["training_data"] == "mnist, trained on 1,000 of 60,000 images"


def test_a_curve_is_that_of_the_row_whose_value_is_shown() -> None:
    rows = [trained("a", "digits", valid_accuracy=curve, device=device)
            for device, curve in (("cuda:0", (0.1, 0.2)), ("cpu", (0.3, 0.4)))]  # fmt: skip
    found = frames.networks(Run(HEADER, (*rows, row("a", "latency", 0.1), row("a", "latency", 0.2, device="cuda:0"))))
    assert found[["device", "valid_accuracy", "valid_accuracy_epochs"]].to_numpy().tolist() == [
        ["cpu", 0.4, "[[1, 0.3], [2, 0.4]]"],
        ["cuda:0", 0.2, "[[1, 0.1], [2, 0.2]]"],
    ]


def frame_of(**data: str) -> Any:
    return frames.networks(Run(HEADER, tuple(evaluated(name, each, 0.7, 100) for name, each in data.items())))


def test_accuracies_of_several_data_sets_are_apart_and_counts_are_not() -> None:
    frame = frame_of(a="digits", b="imagenet", c="digits")
    assert [(name, list(rows.index)) for name, rows in contests(frame, ["accuracy_density"])] == [
        ("digits", [0, 2]),
        ("imagenet", [1]),
    ]
    assert [(name, len(rows)) for name, rows in contests(frame, ["params", "macs"])] == [("", 3)]
    assert list(comparable(frame, ["top1"]).index) == [1]
    assert list(comparable(frame.drop(1), ["top1"]).index) == [0, 2]


def test_imagenet_alone_needs_no_name_and_other_data_do() -> None:
    assert [name for name, _ in contests(frame_of(a="imagenet"), ["top1"])] == [""]
    assert [name for name, _ in contests(frame_of(a="digits"), ["top1"])] == ["digits"]
    assert [
        name for name, _ in contests(frames.networks(Run(HEADER, (row("a", "top1_accuracy", 0.5),))), ["top1"])
    ] == ["data not stated"]


def test_what_was_measured_here_comes_before_what_others_published() -> None:
    others = frame_of(b="mnist", c="mnist").assign(origin="hei4")
    both = frames.framed([*others.to_dict("records"), *frame_of(a="digits").to_dict("records")])
    assert [name for name, _ in contests(both, ["top1"])] == ["digits", "mnist"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["data", "train", "valid", "weights", "count", "total", "part", "risk", "random", "low", "high"])


@settings(max_examples=60, deadline=None)
@given(
    metric=st.sampled_from(["top1_accuracy", "valid_accuracy", "epoch_time"]),
    learned=st.dictionaries(
        st.sampled_from(["outcomes", "protocol", "interval", "epochs"]),
        JUNK | st.dictionaries(KEYS, JUNK, max_size=5),
    ),
)
def test_whatever_a_foreign_journal_says_is_read(metric: str, learned: dict[str, Any]) -> None:
    found = network(row("a", metric, 0.5, **learned))
    assert found["top1" if metric == "top1_accuracy" else metric] == 0.5
    frames.csv_text(frames.networks(Run(HEADER, (row("a", metric, 0.5, **learned),)))).encode()


def test_no_mixed_precision_is_not_spoken_of() -> None:
    plain, mixed = (trained("a", "digits", valid_accuracy=(0.5, 0.9)) for _ in range(2))
    plain["protocol"]["amp"], mixed["protocol"]["amp"] = "none", "bfloat16"
    assert network(plain)["training_of"] == "digits, 2 epochs, batches of 32"
    assert network(mixed)["training_of"] == "digits, 2 epochs, batches of 32, bfloat16"


def test_what_was_assumed_of_weights_is_told_with_them() -> None:
    found = network(evaluated("a", "digits", 0.95, 360) | {"notes": ["preprocessing assumed: of B.V1", 7]})
    assert found["top1_assumed"] == "preprocessing assumed: of B.V1"
    assert account(found, "top1") == "measured on digits, 360 images, weights a.pth, preprocessing assumed: of B.V1"
    assert network(evaluated("a", "digits", 0.95, 360) | {"notes": "preprocessing assumed"})["top1_assumed"] is None
