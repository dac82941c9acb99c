"""The suites that can be asked for by name; each is read only when it is."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from bench_suite import architectures
from bench_suite.providers import timm_entry, timm_models, torchvision_entry, torchvision_input, torchvision_models
from pytest_archbench.records import Architecture
from pytest_archbench.registry import ARCHITECTURES, suite

# Under which key figures of a model are published, where that is not the provider's own name.
TORCHVISION_TOPOLOGIES = {
    "mnasnet0_5": "mnasnet_050",
    "mnasnet0_75": "mnasnet_075",
    "mnasnet1_0": "mnasnet_100",
    "mnasnet1_3": "mnasnet_130",
    "mobilenet_v2": "mobilenet_v2_100",
}
TIMM_TOPOLOGIES = {
    "legacy_senet154": "senet154",
    "legacy_seresnet50": "se_resnet50",
    "legacy_seresnet101": "se_resnet101",
    "legacy_seresnet152": "se_resnet152",
    "legacy_seresnext50_32x4d": "se_resnext50_32x4d",
    "legacy_seresnext101_32x4d": "se_resnext101_32x4d",
    "legacy_xception": "xception",
    "mobilenetv1_100": "mobilenet_v1_100",
    "mobilenetv1_125": "mobilenet_v1_125",
    "mobilenetv2_035": "mobilenet_v2_035",
    "mobilenetv2_050": "mobilenet_v2_050",
    "mobilenetv2_075": "mobilenet_v2_075",
    "mobilenetv2_100": "mobilenet_v2_100",
    "mobilenetv2_140": "mobilenet_v2_140",
    "mobilenetv3_large_075": "mobilenet_v3_large_075",
    "mobilenetv3_large_100": "mobilenet_v3_large_100",
    "mobilenetv3_small_075": "mobilenet_v3_small_075",
    "mobilenetv3_small_100": "mobilenet_v3_small_100",
    "nasnetalarge": "nasnet_a_large",
    "pnasnet5large": "pnasnet5_large",
    "seresnet50": "se_resnet50_b",
    "seresnext50_32x4d": "se_resnext50_32x4d",
    "seresnext101_32x4d": "se_resnext101_32x4d",
}


@suite("seeds")
def seeds() -> Iterator[Architecture]:
    """The networks that the seed comparisons measured."""
    return _catalogue("seeds")


@suite("variants")
def variants() -> Iterator[Architecture]:
    """Widths and group counts beside the seeds that the papers publish figures of."""
    return _catalogue("variants")


@suite("blocks")
def blocks() -> Iterator[Architecture]:
    """One small network with each kind of building block, at four input sizes."""
    return _catalogue("blocks")


@suite("torchvision")
def torchvision_suite() -> Iterator[Architecture]:
    """Every classification model of the installed torchvision, at the crop its operations are published for."""
    for name, file in torchvision_models():
        yield torchvision_entry(
            name,
            file,
            input_shape=torchvision_input(name),
            topology=TORCHVISION_TOPOLOGIES.get(name, name),
            suites=("torchvision",),
        )


@suite("timm")
def timm_suite() -> Iterator[Architecture]:
    """Every model of the installed timm; the built model says its input size."""
    for name, file in timm_models():
        yield timm_entry(
            name,
            file,
            input_shape=None,
            topology=TIMM_TOPOLOGIES.get(name, name),
            suites=("timm",),
        )


def _catalogue(name: str) -> Iterator[Architecture]:
    """Entries of the catalogue that belong to one suite; importing a family's file is what enters it."""
    for module in pkgutil.iter_modules(architectures.__path__, f"{architectures.__name__}."):
        importlib.import_module(module.name)
    return (entry for entry in ARCHITECTURES.values() if name in entry.suites)
