"""What each suite lists, that listing is cheap, and that the provider tables agree with the providers."""

from __future__ import annotations

import importlib.util
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torchvision
from torchvision.models import get_model_weights

import bench_suite
from bench_suite import suites
from bench_suite.providers import MissingLibrary, timm_model, timm_models, torchvision_model, torchvision_models
from pytest_archbench import inputs
from pytest_archbench.counting import on_meta
from pytest_archbench.records import Architecture
from pytest_archbench.registry import ARCHITECTURES, SUITES

BIANCO = """
alexnet bn_inception caffe_resnet101 densenet121 densenet161 densenet169 densenet201 dpn131 dpn68 dpn98 fb_resnet152
googlenet_caffe inception_resnet_v2 inception_v3 inception_v4 mobilenet_v1_100 mobilenet_v2_100 nasnet_a_large
nasnet_a_mobile resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x4d resnext101_64x4d se_resnet101
se_resnet152 se_resnet50 se_resnext101_32x4d se_resnext50_32x4d senet154 shufflenet_g8 squeezenet1_0 squeezenet1_1
vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn xception
"""

LISTING = """
import json, sys, time
start = time.perf_counter()
from bench_suite.suites import timm_suite, torchvision_suite
names = [entry.name for suite in (torchvision_suite, timm_suite) for entry in suite()]
heavy = sorted({"torch", "torchvision", "timm", "numpy"} & set(sys.modules))
print(json.dumps({"names": len(names), "heavy": heavy, "seconds": time.perf_counter() - start}))
"""


def names(entries: object) -> list[str]:
    return [entry.name for entry in entries]  # type: ignore[attr-defined]


def test_the_torchvision_suite_lists_what_torchvision_registers() -> None:
    assert names(suites.torchvision_suite()) == torchvision.models.list_models(module=torchvision.models)


def test_the_timm_suite_lists_what_timm_registers() -> None:
    assert names(suites.timm_suite()) == sorted(timm.list_models())


def test_deprecated_names_are_not_listed() -> None:
    deprecated = timm.models.get_deprecated_models()
    assert deprecated
    assert not set(deprecated) & set(names(suites.timm_suite()))


def test_listing_imports_no_library_and_takes_less_than_a_second() -> None:
    root = Path(bench_suite.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", LISTING], cwd=root, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert found["heavy"] == []
    assert found["names"] == len(timm.list_models()) + len(torchvision.models.list_models(module=torchvision.models))
    assert found["seconds"] < 1


def test_a_provider_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingLibrary, match="pip install timm"):
        timm_models()


def test_suites_are_found_by_name() -> None:
    assert {"seeds", "variants", "blocks", "torchvision", "timm"} <= set(SUITES)
    assert SUITES["timm"] is suites.timm_suite


def test_the_seeds_hold_every_network_of_bianco_et_al() -> None:
    assert len(BIANCO.split()) == 44
    assert set(BIANCO.split()) <= set(names(SUITES["seeds"]()))


def test_a_catalogue_suite_holds_its_own_entries_only() -> None:
    found = {suite: names(SUITES[suite]()) for suite in ("seeds", "variants", "blocks")}
    assert all(found.values())
    for suite, listed in found.items():
        assert all(suite in ARCHITECTURES[name].suites for name in listed)
    assert not set(found["seeds"]) & set(found["blocks"])


def test_an_alias_is_no_entrys_own_name() -> None:
    list(SUITES["seeds"]())
    own = set(ARCHITECTURES)
    for entry in ARCHITECTURES.values():
        assert not own & set(entry.aliases), entry.name
        assert all(ARCHITECTURES[alias] is entry for alias in entry.aliases)


def test_every_constructor_can_be_sent_to_another_process() -> None:
    entries = [entry for suite in ("seeds", "variants", "torchvision", "timm") for entry in SUITES[suite]()]
    assert len(entries) > 1400
    for entry in entries:
        assert callable(pickle.loads(pickle.dumps(entry.build)))


def torchvision_entries() -> list[Architecture]:
    return list(suites.torchvision_suite())


@pytest.mark.parametrize("entry", torchvision_entries(), ids=lambda entry: entry.name)
def test_torchvisions_models_have_the_published_crop_and_parameters(entry: Architecture) -> None:
    weights = next(iter(get_model_weights(entry.name)))
    crop = weights.transforms().crop_size[0]
    assert entry.input_shape == (3, crop, crop)
    model = on_meta(entry.build)
    assert sum(parameter.numel() for parameter in model.parameters()) == weights.meta["num_params"]


def test_timms_models_say_their_own_input_size() -> None:
    entry = next(entry for entry in suites.timm_suite() if entry.name == "inception_v4")
    assert entry.input_shape is None
    assert inputs.shape_of(entry.input_shape, on_meta(entry.build)) == (3, 299, 299)


def test_families_are_the_providers_files() -> None:
    families = {entry.name: entry.family for entry in (*suites.torchvision_suite(), *suites.timm_suite())}
    assert families["wide_resnet50_2"] == "resnet"
    assert families["vit_base_patch16_224"] == "vision_transformer"


def test_the_topology_tables_name_models_that_exist() -> None:
    assert set(suites.TORCHVISION_TOPOLOGIES) <= {model.name for model in torchvision_models()}
    assert set(suites.TIMM_TOPOLOGIES) <= {model.name for model in timm_models()}


def test_settings_given_by_the_caller_win() -> None:
    assert on_meta(torchvision_model("inception_v3")).AuxLogits is not None
    assert on_meta(torchvision_model("inception_v3", aux_logits=False)).AuxLogits is None
    assert on_meta(timm_model("resnet18", num_classes=10)).get_parameter("fc.weight").shape == (10, 512)
