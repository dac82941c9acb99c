"""NIN, the AlexNets and ENet: hand-multiplied layers, and the totals that Canziani et al. print."""

from __future__ import annotations

import pickle

import pytest
import torch
from counting_support import built, convolutions, macs, outputs_of, params
from torch import nn
from torch.nn import functional as F

from bench_suite.architectures import alexnet_variants, enet, nin
from bench_suite.suites import seeds, variants
from pytest_archbench.registry import ARCHITECTURES


def torch_operations(name: str) -> float:
    """Operations in G as Torch's opCounter has them, which Canziani et al. used: besides two for each multiply-add,
    one per output of a convolution or linear layer (the bias) and of an activation, and two per output of an addition.
    """
    entry = ARCHITECTURES[name]
    network = built(entry.build)
    counted = (nn.Conv2d, nn.Linear, nn.ReLU, nn.PReLU)
    extra = sum(out.numel() for out in outputs_of(network, counted, entry.input_shape).values())
    added = sum(2 * out.numel() for out in outputs_of(network, enet.Bottleneck, entry.input_shape).values())
    return (2 * macs(network, entry.input_shape) + extra + added) / 1e9


@pytest.mark.parametrize(("name", "printed"), [("bn_nin", 2.52), ("bn_alexnet", 1.30), ("enet", 1.57)])
def test_it_has_the_operations_of_canziani(name: str, printed: float) -> None:
    assert torch_operations(name) == pytest.approx(printed, abs=0.005)


@pytest.mark.parametrize(("name", "printed"), [("bn_alexnet", 60.54), ("enet", 5.86)])
def test_it_has_the_parameters_of_canziani(name: str, printed: float) -> None:
    assert params(built(ARCHITECTURES[name].build)) / 1e6 == pytest.approx(printed, abs=0.005)


def test_it_has_the_parameters_of_canziani_once_the_normalisation_of_bn_nin_is_folded() -> None:
    normalised, folded = built(nin.bn_nin), built(lambda: nin.bn_nin(batch_norm=False))
    assert params(normalised) - params(folded) == 2 * 3 * (96 + 256 + 384 + 1024)
    assert params(folded) / 1e6 == pytest.approx(8.64, abs=0.005)


def test_it_has_the_published_parameters_of_alexnet() -> None:
    assert params(built(alexnet_variants.alexnet_caffe)) == 60_965_224
    assert params(built(alexnet_variants.alexnet_ungrouped)) == 62_378_344  # osmr/pytorchcv


def test_it_multiplies_out_to_nin() -> None:
    assert macs(built(nin.nin), (3, 224, 224)) == (
        54 * 54 * (3 * 96 * 11 * 11 + 2 * 96 * 96)
        + 27 * 27 * (96 * 256 * 5 * 5 + 2 * 256 * 256)
        + 13 * 13 * (256 * 384 * 3 * 3 + 2 * 384 * 384)
        + 6 * 6 * (384 * 1024 * 3 * 3 + 1024 * 1024 + 1024 * 1000)
    )


def test_it_multiplies_out_to_bn_nin() -> None:
    assert macs(built(nin.bn_nin), (3, 224, 224)) == (
        56 * 56 * (3 * 96 * 11 * 11 + 2 * 96 * 96)
        + 28 * 28 * (96 * 256 * 5 * 5 + 2 * 256 * 256)
        + 14 * 14 * (256 * 384 * 3 * 3 + 2 * 384 * 384)
        + 7 * 7 * (384 * 1024 * 3 * 3 + 2 * 1024 * 1024)
        + 1024 * 1000
    )


def test_it_normalises_and_rectifies_every_convolution_of_bn_nin() -> None:
    kinds = [type(layer).__name__ for layer in built(nin.bn_nin).modules()]
    assert kinds.count("Conv2d") == kinds.count("BatchNorm2d") == kinds.count("ReLU") == 4 * 3


def test_it_multiplies_out_to_alexnet_in_two_groups() -> None:
    network = built(alexnet_variants.alexnet_caffe)
    assert [layer.groups for layer in convolutions(network)] == [1, 2, 1, 2, 2]
    assert macs(network, (3, 227, 227)) == (
        55 * 55 * 3 * 96 * 11 * 11
        + 27 * 27 * 48 * 256 * 5 * 5
        + 13 * 13 * 9 * (256 * 384 + 192 * 384 + 192 * 256)
        + 9216 * 4096
        + 4096 * 4096
        + 4096 * 1000
    )


def test_it_multiplies_out_to_alexnet_without_groups() -> None:
    network = built(alexnet_variants.alexnet_ungrouped)
    assert macs(network, (3, 224, 224)) == (
        54 * 54 * 3 * 96 * 11 * 11
        + 27 * 27 * 96 * 256 * 5 * 5
        + 13 * 13 * 9 * (256 * 384 + 384 * 384 + 384 * 256)
        + (9216 + 4096 + 1000) * 4096
    )


def test_it_multiplies_out_to_two_columns() -> None:
    network = built(alexnet_variants.bn_alexnet)
    assert {layer.groups for layer in convolutions(network)} == {1}
    assert macs(network, (3, 224, 224)) == (
        2 * 55 * 55 * 3 * 48 * 11 * 11
        + 2 * 27 * 27 * 48 * 128 * 5 * 5
        + 2 * 13 * 13 * 9 * (128 * 192 + 192 * 192 + 192 * 128)
        + (9216 + 4096 + 1000) * 4096
    )


def test_it_joins_the_columns_only_at_the_classifier() -> None:
    shapes = [
        tuple(out.shape) for out in outputs_of(built(alexnet_variants.bn_alexnet), nn.Flatten, (3, 224, 224)).values()
    ]
    assert shapes == [(1, 2 * 128 * 6 * 6)]
    column = built(alexnet_variants.bn_alexnet).get_submodule("columns.0")
    assert column(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 128, 6, 6)


def test_it_multiplies_out_to_the_first_blocks_of_enet() -> None:
    network = built(enet.enet)
    initial, first, second = (network.get_submodule(str(position)) for position in range(3))
    assert macs(initial, (3, 224, 224)) == 112 * 112 * 3 * 13 * 3 * 3
    assert macs(first, (16, 112, 112)) == 56 * 56 * (16 * 64 * 2 * 2 + 64 * 64 * 3 * 3 + 64 * 64)
    assert macs(second, (64, 56, 56)) == 56 * 56 * (64 * 32 + 32 * 32 * 3 * 3 + 32 * 128)


def test_it_dilates_the_last_block_at_each_resolution_but_the_first() -> None:
    middle = [layer for layer in convolutions(built(enet.enet)) if layer.kernel_size == (3, 3)][1:]
    assert [layer.dilation[0] for layer in middle] == [1, 1, 1, 1, 1, 2, 1, 1, 4, 1, 1, 8]
    assert all(layer.bias is not None and layer.padding == layer.dilation for layer in middle)


def test_it_pools_and_pads_what_a_bottleneck_is_added_to() -> None:
    block = enet.Bottleneck(4, 8, scale=2, stride=2, dilation=1, dropout=0.1).eval()
    last = [layer for layer in block.main if isinstance(layer, nn.BatchNorm2d)][-1]
    nn.init.zeros_(last.weight)
    features = torch.rand(1, 4, 6, 6)
    out = block(features)
    assert torch.equal(out[:, :4], F.max_pool2d(features, 2))
    assert out.shape == (1, 8, 3, 3)
    assert not out[:, 4:].any()


FAMILIES = {"nin", "enet", "msdnet", "mobilenet_v1", "mobilenet_v2"}
NAMES = [entry.name for entry in (*seeds(), *variants()) if entry.family in FAMILIES]


@pytest.mark.parametrize("name", sorted([*NAMES, "alexnet_caffe", "alexnet_ungrouped", "bn_alexnet"]))
def test_it_survives_pickling_and_answers_for_every_class(name: str) -> None:
    entry = ARCHITECTURES[name]
    network = built(pickle.loads(pickle.dumps(entry.build)))
    assert network(torch.empty(2, *entry.input_shape, device="meta")).shape == (2, 1000)


@pytest.mark.parametrize(
    "name",
    [
        "nin",
        "bn_nin",
        "alexnet_caffe",
        "alexnet_ungrouped",
        "bn_alexnet",
        "enet",
        "msdnet_imagenet_exit1",
        "msdnet_imagenet_exit5",
        "mobilenet_v1_025",
        "mobilenet_v1_050_128",
        "mobilenet_v1_shallow",
    ],
)
def test_it_runs(name: str) -> None:
    torch.manual_seed(0)
    entry = ARCHITECTURES[name]
    with torch.no_grad():
        logits = entry.build().eval()(torch.randn(2, *entry.input_shape))
    assert logits.shape == (2, 1000)
    assert logits.isfinite().all()


def test_it_finds_them_by_other_names() -> None:
    names = {"mobilenet_v1": "mobilenet_v1_100", "mobilenet_v2": "mobilenet_v2_100", "bvlc_alexnet": "alexnet_caffe"}
    assert {alias: ARCHITECTURES.resolve(alias) for alias in names} == names
