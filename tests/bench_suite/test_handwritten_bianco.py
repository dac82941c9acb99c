"""The networks of Bianco et al. that no library has, layer by layer against products worked out by hand."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench_suite import suites
from bench_suite.architectures import nasnet, shufflenet
from pytest_archbench.counting import on_meta

CATALOGUE = {entry.name: entry for entry in (*suites.seeds(), *suites.variants())}

LAYERS = [
    # channels out x (channels in x kernel) x positions
    ("caffe_resnet50", "layer2.0.conv1", 128 * 256 * 28 * 28),
    ("caffe_resnet50", "layer2.0.conv2", 128 * 128 * 3 * 3 * 28 * 28),
    ("caffe_resnet50", "layer2.0.downsample.0", 512 * 256 * 28 * 28),
    ("resnet50", "layer2.0.conv1", 128 * 256 * 56 * 56),  # torchvision strides one convolution later
    ("fb_resnet152", "conv1", 64 * 3 * 7 * 7 * 112 * 112),
    ("fb_resnet152", "layer3.35.conv3", 1024 * 256 * 14 * 14),
    ("densenet264", "features.denseblock3.denselayer64.conv2", 32 * 128 * 3 * 3 * 14 * 14),
    ("densenet264", "features.transition3.conv", (256 + 64 * 32) // 2 * (256 + 64 * 32) * 14 * 14),
    ("densenet264", "classifier", 1000 * (1152 + 48 * 32)),
    ("googlenet_caffe", "conv1_7x7_s2", 64 * 3 * 7 * 7 * 112 * 112),
    ("googlenet_caffe", "inception_3a_5x5", 32 * 16 * 5 * 5 * 28 * 28),
    ("googlenet_caffe", "inception_4a_1x1", 192 * (128 + 192 + 96 + 64) * 14 * 14),
    ("googlenet_caffe", "inception_5b_pool_proj", 128 * (256 + 320 + 128 + 128) * 7 * 7),
    ("googlenet_caffe", "loss3_classifier_1", 1000 * 1024),
    ("bn_inception", "conv2_3x3", 192 * 64 * 3 * 3 * 56 * 56),
    ("bn_inception", "inception_3c_double_3x3_1", 96 * 64 * 3 * 3 * 28 * 28),
    ("bn_inception", "inception_3c_double_3x3_2", 96 * 96 * 3 * 3 * 14 * 14),
    ("bn_inception", "inception_4a_1x1", 224 * (160 + 96 + 320) * 14 * 14),
    ("bn_inception", "inception_5b_pool_proj", 128 * (352 + 320 + 224 + 128) * 7 * 7),
    ("bn_inception", "last_linear", 1000 * 1024),
    ("nasnet_a_mobile", "conv0.conv", 32 * 3 * 3 * 3 * 111 * 111),
    ("nasnet_a_mobile", "cell_stem_0.comb_iter_0_right.separable_1.depthwise_conv2d", 32 * 7 * 7 * 56 * 56),
    ("nasnet_a_mobile", "cell_stem_0.comb_iter_0_right.separable_1.pointwise_conv2d", 11 * 32 * 56 * 56),
    ("nasnet_a_mobile", "cell_stem_1.path_2.conv", 11 * 32 * 56 * 56),
    ("nasnet_a_mobile", "reduction_cell_0.comb_iter_2_right.separable_1.depthwise_conv2d", 88 * 5 * 5 * 14 * 14),
    ("nasnet_a_mobile", "cell_7.conv_prev_1x1.conv", 88 * (4 * 88) * 14 * 14),
    ("nasnet_a_mobile", "last_linear", 1000 * (6 * 176)),
    ("shufflenet_g8", "features.init_block.conv", 24 * 3 * 3 * 3 * 112 * 112),
    ("shufflenet_g8", "features.stage1.unit1.compress_conv1", 96 * 24 * 56 * 56),  # not grouped
    ("shufflenet_g8", "features.stage1.unit1.dw_conv2", 96 * 3 * 3 * 28 * 28),
    ("shufflenet_g8", "features.stage1.unit1.expand_conv3", (384 - 24) * 96 // 8 * 28 * 28),
    ("shufflenet_g8", "features.stage2.unit2.compress_conv1", 192 * 768 // 8 * 14 * 14),
    ("shufflenet_g8", "output", 1000 * 1536),
    ("shufflenet_g4_x050", "features.stage1.unit2.dw_conv2", 36 * 3 * 3 * 28 * 28),  # 136 / 4 = 34, up to fours
]

# Entries of the state dicts of the public ports. Ours were once compared with them, name by name and (GoogLeNet apart)
# output by output: Cadene's pretrainedmodels 0.7.4, osmr's pytorchcv 0.0.74, Bianco et al.'s GoogLeNet.
PORTS = {
    "bn_inception": (485, "inception_3a_double_3x3_reduce_bn.running_var"),
    "caffe_resnet101": (626, "layer3.22.conv3.weight"),
    "fb_resnet152": (1087, "layer3.35.conv3.bias"),
    "googlenet_caffe": (116, "inception_4e_5x5_reduce.bias"),
    "nasnet_a_mobile": (1318, "cell_stem_1.comb_iter_0_right.separable_2.pointwise_conv2d.weight"),
    "shufflenet_g8": (296, "features.stage3.unit4.expand_bn3.weight"),
}


@cache
def macs(name: str) -> dict[str, int]:
    """Multiply-adds of one image by layer, from torch's own counter."""
    entry = CATALOGUE[name]
    model = on_meta(entry.build).requires_grad_(False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, *entry.input_shape, device="meta"))
    root = f"{type(model).__name__}."
    counts = counter.get_flop_counts().items()
    return {layer.removeprefix(root): sum(operators.values()) // 2 for layer, operators in counts}


@pytest.mark.parametrize(("name", "layer", "by_hand"), LAYERS)
def test_a_layer_costs_what_it_costs_by_hand(name: str, layer: str, by_hand: int) -> None:
    assert macs(name)[layer] == by_hand


@pytest.mark.parametrize("name", PORTS)
def test_the_state_dict_has_the_entries_of_the_public_weights(name: str) -> None:
    entries, example = PORTS[name]
    state = on_meta(CATALOGUE[name].build).state_dict()
    assert example in state
    assert len(state) == entries


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("bn_inception", 224),
        ("googlenet_caffe", 224),
        pytest.param("nasnet_a_mobile", 224, marks=pytest.mark.slow),
        ("nasnet_a_mobile", 103),  # padded otherwise: 51, 26, 13, 7, 4
        ("shufflenet_g8", 224),
        ("shufflenet_g4_x025", 224),
        ("caffe_resnet50", 224),
        ("fb_resnet152", 64),
        ("densenet264", 64),
    ],
)
def test_a_hand_written_network_runs(name: str, size: int) -> None:
    torch.manual_seed(0)
    model: nn.Module = CATALOGUE[name].build().eval()
    with torch.no_grad():
        scores = model(torch.randn(2, 3, size, size))
    assert scores.shape == (2, 1000)
    assert torch.isfinite(scores).all()
    assert not torch.equal(scores[0], scores[1])


@pytest.mark.parametrize("size", [7, 8, 28, 55, 56, 111, 112])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_keeps_or_halves_the_size(size: int, kernel: int, stride: int) -> None:
    before, after = nasnet.padding(size, kernel, stride)
    assert 0 <= after - before <= 1
    assert (size + before + after - kernel) // stride + 1 == -(-size // stride)


def test_padding_puts_the_odd_pixel_after() -> None:
    assert nasnet.padding(111, 5, 2) == (2, 2)
    assert nasnet.padding(56, 5, 2) == (1, 2)


@pytest.mark.parametrize("groups", shufflenet.CHANNELS)
def test_channels_are_raised_to_a_multiple_of_the_groups(groups: int) -> None:
    assert shufflenet.divisible(12, 8) == 16  # the authors' own choice for eight groups at half width
    assert shufflenet.divisible(shufflenet.CHANNELS[groups] // 4, groups) == shufflenet.CHANNELS[groups] // 4
