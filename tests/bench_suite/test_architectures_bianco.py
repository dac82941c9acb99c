"""The networks of Bianco et al., and ShuffleNet in its other widths, against what is published of them."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench_suite import suites
from pytest_archbench.counting import on_meta
from pytest_archbench.registry import ARCHITECTURES

CATALOGUE = {entry.name: entry for entry in (*suites.seeds(), *suites.variants())}

EXACT_PARAMETERS = {
    # torchvision 0.29.2, metadata of the weights
    "alexnet": 61_100_840,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "googlenet": 6_624_904,
    "inception_v3": 27_161_264 - 3_326_696,  # theirs has the auxiliary classifier; osmr gives 23,834,568
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_64x4d": 83_455_272,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
    # osmr/pytorchcv at 7f31dc8fe5, README
    "bn_inception": 11_295_240,
    "caffe_resnet50": 25_557_032,
    "caffe_resnet101": 44_549_160,
    "caffe_resnet152": 60_192_808,
    "dpn68": 12_611_602,
    "dpn98": 61_570_728,
    "dpn131": 79_254_504,
    "inception_resnet_v2": 55_843_464,
    "inception_v4": 42_679_816,
    "nasnet_a_large": 88_753_150,
    "nasnet_a_mobile": 5_289_978,
    "resnext101_32x4d": 44_177_704,
    "se_resnet50": 28_088_024,
    "se_resnet101": 49_326_872,
    "se_resnet152": 66_821_848,
    "se_resnext50_32x4d": 27_559_896,
    "se_resnext101_32x4d": 48_955_416,
    "senet154": 115_088_984,
    "shufflenet_g1": 1_531_936,
    "shufflenet_g2": 1_733_848,
    "shufflenet_g3": 1_865_728,
    "shufflenet_g4": 1_968_344,
    "shufflenet_g8": 2_434_768,
    "shufflenet_g1_x025": 209_746,
    "shufflenet_g3_x025": 305_902,
    "shufflenet_g1_x050": 534_484,
    "shufflenet_g3_x050": 718_324,
    "shufflenet_g1_x075": 975_214,
    "shufflenet_g3_x075": 1_238_266,
    "xception": 22_855_952,
}

PRINTED_PARAMETERS = {  # M, as printed
    "densenet264": "33.3",  # arXiv:1608.06993v5 Fig. 3
    "dpn68b": "12.61",  # this and the next two: rwightman/pytorch-dpn-pretrained
    "dpn92": "37.67",
    "dpn107": "86.92",
    "fb_resnet152": "60.27",  # ptflops, of Cadene's port; Canziani et al. Fig. 2 too
    "googlenet_caffe": "7.00",  # Canziani et al. 6.99; dd_performances 6.9902 without the 8,280 biases
    "shufflenet_g8_x050": "1.0",  # this and the next two: megvii-model/ShuffleNet-Series
    "shufflenet_g3_x150": "3.4",
    "shufflenet_g8_x150": "4.3",
}

PRINTED_MACS = {  # as printed; convolutions and linear layers
    # torchvision 0.29.2, metadata of the weights, G
    "alexnet": ("0.714", 1e9),
    "densenet121": ("2.834", 1e9),
    "densenet161": ("7.728", 1e9),
    "densenet201": ("4.291", 1e9),
    "googlenet": ("1.498", 1e9),
    "inception_v3": ("5.713", 1e9),
    "resnet18": ("1.814", 1e9),
    "resnet34": ("3.664", 1e9),
    "resnet50": ("4.089", 1e9),
    "resnet101": ("7.801", 1e9),
    "resnet152": ("11.514", 1e9),
    "squeezenet1_0": ("0.819", 1e9),
    "squeezenet1_1": ("0.349", 1e9),
    "vgg16": ("15.470", 1e9),
    # jolibrain/dd_performances at a687a9bb7c, from the Caffe definitions, G
    "caffe_resnet50": ("3.8580", 1e9),
    "caffe_resnet101": ("7.5702", 1e9),
    "caffe_resnet152": ("11.282", 1e9),
    "googlenet_caffe": ("1.583", 1e9),  # cut off there: 1.5826
    # the authors
    "dpn92": ("6.5", 1e9),
    "dpn107": ("18.3", 1e9),
    "nasnet_a_mobile": ("564", 1e6),
    "shufflenet_g3_x050": ("38", 1e6),
    "shufflenet_g8_x050": ("40", 1e6),
    "shufflenet_g3_x150": ("292", 1e6),
    "shufflenet_g8_x150": ("290", 1e6),
    "shufflenet_g3_x200": ("524", 1e6),
    "shufflenet_g8_x200": ("522", 1e6),
}

# Bianco et al. Fig. 1, convolutions only, in G read to 0.02. DenseNet-161, -169 and -201 are labelled 201, 161 and 169
# there; NASNet-A-Large (23.81) is left out: the port convolves a row and a column more and cuts them off.
BIANCO_CONVOLUTIONS = {
    "alexnet": 0.66,
    "bn_inception": 2.03,
    "caffe_resnet101": 7.57,
    "densenet121": 2.83,
    "densenet161": 7.73,
    "densenet169": 3.36,
    "densenet201": 4.29,
    "dpn68": 2.33,
    "dpn98": 11.67,
    "dpn131": 16.00,
    "fb_resnet152": 11.51,
    "googlenet_caffe": 1.58,
    "inception_resnet_v2": 13.16,
    "inception_v3": 5.71,
    "inception_v4": 12.25,
    "nasnet_a_mobile": 0.57,
    "resnet18": 1.81,
    "resnet34": 3.66,
    "resnet50": 4.09,
    "resnet101": 7.80,
    "resnet152": 11.51,
    "resnext101_32x4d": 7.97,
    "resnext101_64x4d": 15.45,
    "se_resnet50": 3.86,
    "se_resnet101": 7.57,
    "se_resnet152": 11.29,
    "se_resnext50_32x4d": 4.23,
    "se_resnext101_32x4d": 7.97,
    "senet154": 20.69,
    "shufflenet_g8": 0.14,
    "squeezenet1_0": 0.81,
    "squeezenet1_1": 0.35,
    "vgg11": 7.49,
    "vgg13": 11.19,
    "vgg16_bn": 15.35,
    "vgg19_bn": 19.52,
    "xception": 8.36,
}

ALIASES = {
    "bninception": "bn_inception",
    "bvlc_googlenet": "googlenet_caffe",
    "cafferesnet101": "caffe_resnet101",
    "fbresnet152": "fb_resnet152",
    "inceptionresnetv2": "inception_resnet_v2",
    "inceptionv3": "inception_v3",
    "inceptionv4": "inception_v4",
    "legacy_senet154": "senet154",
    "legacy_seresnet50": "se_resnet50",
    "legacy_seresnext101_32x4d": "se_resnext101_32x4d",
    "legacy_xception": "xception",
    "nasnetalarge": "nasnet_a_large",
    "nasnetamobile": "nasnet_a_mobile",
    "shufflenet_g1_wd4": "shufflenet_g1_x025",
    "shufflenet_g8_w1": "shufflenet_g8",
}


@cache
def macs(name: str) -> dict[str, int]:
    """Multiply-adds of one image by operator, from torch's own counter."""
    entry = CATALOGUE[name]
    model = on_meta(entry.build).requires_grad_(False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, *entry.input_shape, device="meta"))
    return {str(operator): flops // 2 for operator, flops in counter.get_flop_counts()["Global"].items()}


def parameters(name: str) -> int:
    return sum(parameter.numel() for parameter in on_meta(CATALOGUE[name].build).parameters())


def half_a_unit(printed: str) -> float:
    """Half a unit of the last printed place."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])


@pytest.mark.parametrize("name", EXACT_PARAMETERS)
def test_parameters_are_the_published_count(name: str) -> None:
    assert parameters(name) == EXACT_PARAMETERS[name]


@pytest.mark.parametrize("name", PRINTED_PARAMETERS)
def test_parameters_round_to_the_printed_figure(name: str) -> None:
    printed = PRINTED_PARAMETERS[name]
    assert abs(parameters(name) / 1e6 - float(printed)) <= half_a_unit(printed)


def test_the_torch7_resnet_has_a_bias_for_each_channel_that_is_normalised() -> None:
    layers = on_meta(CATALOGUE["resnet152"].build).modules()
    normalised = sum(layer.num_features for layer in layers if isinstance(layer, torch.nn.BatchNorm2d))
    assert parameters("fb_resnet152") == 60_192_808 + normalised


@pytest.mark.parametrize("name", PRINTED_MACS)
def test_macs_round_to_the_printed_figure(name: str) -> None:
    printed, unit = PRINTED_MACS[name]
    assert abs(sum(macs(name).values()) / unit - float(printed)) <= half_a_unit(printed)


@pytest.mark.parametrize("name", BIANCO_CONVOLUTIONS)
def test_convolutions_lie_where_bianco_et_al_draw_them(name: str) -> None:
    assert macs(name)["aten.convolution"] / 1e9 == pytest.approx(BIANCO_CONVOLUTIONS[name], abs=0.02)


@pytest.mark.parametrize(("groups", "printed"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenets_convolutions_are_table_1_of_its_paper(groups: int, printed: int) -> None:
    assert round(macs(f"shufflenet_g{groups}")["aten.convolution"] / 1e6) == printed


@pytest.mark.parametrize("name", [*EXACT_PARAMETERS, *PRINTED_PARAMETERS])
def test_an_entry_is_complete(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.topology == name
    assert entry.paper
    assert entry.provider in ("torchvision", "timm", "archbench")


@pytest.mark.parametrize("alias", ALIASES)
def test_a_providers_own_name_finds_the_entry(alias: str) -> None:
    assert ARCHITECTURES.resolve(alias) == ALIASES[alias]
