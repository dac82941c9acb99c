"""Which cases a run has: by what was asked for, and by the data that were given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_archbench import plan
from pytest_archbench.meters import METERS
from pytest_archbench.options import OptionError, Shard
from pytest_archbench.plan import Plan, share
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


def test_variants_are_an_axis_of_what_runs_alone(tmp_path: Path) -> None:
    asked = {"arch": "alexnet", "batch_size": "1,4", "dtype": "float32,bfloat16", "runtime": "eager,onnxruntime"}
    planned = made(tmp_path, metric="params,latency", **asked)
    variants = ["", "-bfloat16", "-onnxruntime", "-onnxruntime-bfloat16"]
    assert ids(planned, "latency") == [f"alexnet-cpu-bs{size}{variant}" for size in (1, 4) for variant in variants]
    assert ids(planned, "params") == ["alexnet-cpu-bs1"]


def test_a_metric_that_does_not_exist_on_a_device_is_named_once_and_left_out(tmp_path: Path) -> None:
    usual = made(tmp_path, arch="alexnet")
    assert ids(usual, "device_memory") == ids(usual, "peak_reserved_memory") == []
    assert ids(usual, "peak_host_memory") == ["alexnet-cpu-bs1"]
    (said,) = (each for each in usual.left_out if each.startswith("on cpu: "))
    assert "peak_reserved_memory (exists on cuda, xpu alone)" in said
    both = replace(usual, devices=(Device("cpu", "cpu"), Device("cuda:0", "cuda")))
    assert ids(both, "device_memory") == ["alexnet-cuda:0-bs1"]
    assert ids(both, "peak_host_memory") == ["alexnet-cpu-bs1"]


def test_what_is_asked_for_by_name_is_tried_wherever_it_is(tmp_path: Path) -> None:
    asked = made(tmp_path, arch="alexnet", metric="device_memory")
    assert (ids(asked, "device_memory"), asked.left_out) == (["alexnet-cpu-bs1"], ())


def test_one_device_under_two_names_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_archbench.devices.find", lambda name: Device(name, name.partition(":")[0]))
    planned = made(tmp_path, arch="alexnet", device="cuda,cpu,cuda:0,cuda:1", metric="latency")
    assert [device.name for device in planned.devices] == ["cuda", "cpu", "cuda:1"]


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


def test_parts_are_all_networks_each_once_and_adding_one_moves_none(tmp_path: Path) -> None:
    whole = [entry.name for entry in made(tmp_path, metric="params").architectures]
    parts = [[entry.name for entry in made(tmp_path, metric="params", shard=f"{n}/3").architectures] for n in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(whole)
    assert all(len(part) > len(whole) / 6 for part in parts)
    fewer = [entry for entry in made(tmp_path, metric="params").architectures if entry.name != "alexnet"]
    assert [entry.name for entry in share(fewer, Shard(1, 3))] == [name for name in parts[0] if name != "alexnet"]
