"""Which cases a run has: by what was asked for, and by the data that were given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_archbench import plan
from pytest_archbench.meters import METERS
from pytest_archbench.options import OptionError
from pytest_archbench.plan import Plan
from pytest_archbench.records import Device


def made(folder: Path, **given: str) -> Plan:
    return plan.make({name: (text, "here") for name, text in given.items()}, folder / "pyproject.toml", [])


def ids(planned: Plan, metric: str) -> list[str]:
    return [case.id for case in planned.cases(metric)]


def test_of_several_devices_the_first_trains_and_all_are_timed(tmp_path: Path) -> None:
    planned = made(tmp_path, metric="training", arch="digits_plain", batch_size="1,8")
    both = replace(planned, devices=(Device("cuda", "cuda"), Device("cpu", "cpu")))
    assert ids(both, "epoch_time") == ids(both, "valid_accuracy") == ["digits_plain-cuda-bs32"]
    assert ids(both, "latency") == [f"digits_plain-{device}-bs{size}" for device in ("cuda", "cpu") for size in (1, 8)]


def test_an_instrument_is_asked_for_with_all_its_metrics(tmp_path: Path) -> None:
    assert made(tmp_path, metric="counts", arch="alexnet").metrics == METERS["counts"].metrics
    assert made(tmp_path, metric="training,params").metrics == (*METERS["training"].metrics, "latency", "params")
    assert made(tmp_path, metric="latency", arch="alexnet").metrics == ("latency",), "the metric of that name alone"


def test_accuracy_is_usual_where_there_are_images_and_training_never(tmp_path: Path) -> None:
    assert not {"top1_accuracy", "valid_accuracy"} & set(made(tmp_path, arch="alexnet").metrics)
    asked = made(tmp_path, arch="alexnet", imagenet=str(tmp_path))
    assert "top1_accuracy" in asked.metrics
    assert "valid_accuracy" not in asked.metrics


@pytest.mark.parametrize(
    ("given", "names", "left_out"),
    [
        ({"metric": "accuracy"}, 9, 4),
        ({"metric": "accuracy", "data": "."}, 45, 0),
        ({"metric": "training", "suite": "blocks"}, 9, 4),
        ({"metric": "training", "suite": "blocks", "data": "."}, 45, 0),
        ({"metric": "accuracy", "arch": "digits_plain,vgg16"}, 1, 1),
        ({"metric": "params"}, 79, 0),
    ],
)
def test_networks_whose_data_were_not_given_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], names: int, left_out: int
) -> None:
    monkeypatch.chdir(tmp_path)
    planned = made(tmp_path, **given)
    assert (len(planned.architectures), len(planned.left_out)) == (names, left_out), planned.left_out


def test_where_nothing_can_learn_it_says_what_is_lacking(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"vgg16: the folder of imagenet was not given \(--archbench-imagenet DIR\)"):
        made(tmp_path, metric="accuracy", arch="vgg16")
    with pytest.raises(OptionError, match="vgg16: no recipe says how to train it"):
        made(tmp_path, metric="training", arch="vgg16", imagenet=str(tmp_path))
