"""MobileNet v1 and v2: hand-multiplied layers, and the published counts of every width and resolution."""

from __future__ import annotations

import pytest
from counting_support import built, convolutions, macs, params
from torch import nn

from bench_suite.architectures import mobilenet
from pytest_archbench.registry import ARCHITECTURES

PUBLISHED_MACS = {
    "mobilenet_v1_100": 569e6,  # arXiv:1704.04861, Tables 6 and 7
    "mobilenet_v1_100_192": 418e6,
    "mobilenet_v1_100_128": 186e6,
    "mobilenet_v1_075": 325e6,
    "mobilenet_v1_050": 149e6,
    "mobilenet_v1_025": 41e6,
    "mobilenet_v1_shallow": 307e6,
    "mobilenet_v1_050_160": 77e6,  # TF-Slim
    "mobilenet_v1_100_160": 291e6,
    "mobilenet_v1_025_160": 21e6,
    "mobilenet_v1_025_128": 14e6,
    "mobilenet_v2_140": 582e6,
    "mobilenet_v2_130": 509e6,
    "mobilenet_v2_075": 209e6,
    "mobilenet_v2_050": 97e6,
    "mobilenet_v2_035": 59e6,
    "mobilenet_v2_100_192": 221e6,
    "mobilenet_v2_100_96": 56e6,
}

PUBLISHED_PARAMS = {
    "mobilenet_v1_100": 4_231_976,  # osmr/pytorchcv
    "mobilenet_v1_075": 2_585_560,
    "mobilenet_v1_050": 1_331_592,
    "mobilenet_v1_025": 470_072,
    "mobilenet_v2_100": 3_504_872,  # torchvision
}


@pytest.mark.parametrize("name", sorted(PUBLISHED_MACS))
def test_it_has_the_published_multiply_adds(name: str) -> None:
    entry = ARCHITECTURES[name]
    assert macs(built(entry.build), entry.input_shape) == pytest.approx(PUBLISHED_MACS[name], abs=0.5e6)


@pytest.mark.parametrize("name", sorted(PUBLISHED_PARAMS))
def test_it_has_the_published_parameters(name: str) -> None:
    assert params(built(ARCHITECTURES[name].build)) == PUBLISHED_PARAMS[name]


def test_it_multiplies_out_to_separable_and_full_convolutions() -> None:
    assert macs(built(lambda: mobilenet.separable(64, 128, 2)), (64, 112, 112)) == 56 * 56 * (64 * 9 + 64 * 128)
    assert macs(built(lambda: mobilenet.full(64, 128, 2)), (64, 112, 112)) == 56 * 56 * 64 * 128 * 9


def test_it_has_the_paper_s_full_convolutions_but_for_the_classifier() -> None:
    """Table 4 prints 4866 M: the linear layer's 1.024 M are not in it, though they are in the 569 M beside it."""
    network = built(ARCHITECTURES["mobilenet_v1_fullconv"].build)
    assert (macs(network, (3, 224, 224)) - 1024 * 1000) / 1e6 == pytest.approx(4866, abs=0.5)
    assert params(network) / 1e6 == pytest.approx(29.3, abs=0.05)


@pytest.mark.parametrize(("size", "printed"), [(224, 317), (192, 233), (160, 162), (128, 104)])
def test_it_has_tf_slim_s_three_quarters_but_for_the_first_convolution(size: int, printed: int) -> None:
    entry = ARCHITECTURES["mobilenet_v1_075" if size == 224 else f"mobilenet_v1_075_{size}"]
    first = (size // 2) ** 2 * 3 * 24 * 3 * 3
    assert (macs(built(entry.build), entry.input_shape) - first) / 1e6 == pytest.approx(printed, abs=0.5)


def test_it_has_tf_slim_s_parameters_but_for_batch_normalisation() -> None:
    printed = {"140": 6.06, "130": 5.34, "100": 3.47, "075": 2.61, "050": 1.95, "035": 1.66}
    for key, value in printed.items():
        network = built(ARCHITECTURES[f"mobilenet_v2_{key}"].build)
        norms = sum(params(layer) for layer in network.modules() if isinstance(layer, nn.BatchNorm2d))
        assert (params(network) - norms) / 1e6 == pytest.approx(value, abs=0.005), key


def test_it_names_parameters_like_the_original_weights() -> None:
    names = set(built(mobilenet.mobilenet_v1).state_dict())
    assert {"model.0.0.weight", "model.1.0.weight", "model.13.3.weight", "model.13.4.running_var"} <= names
    assert {"fc.weight", "fc.bias"} <= names
    assert "model.14.0.weight" not in names


def test_it_enters_every_width_at_every_resolution() -> None:
    for key, width in mobilenet.WIDTHS_V1.items():
        for size in (224, 192, 160, 128):
            entry = ARCHITECTURES[f"mobilenet_v1_{key}" if size == 224 else f"mobilenet_v1_{key}_{size}"]
            assert entry.topology == f"mobilenet_v1_{key}"
            assert entry.input_shape == (3, size, size)
            assert convolutions(built(entry.build))[0].out_channels == 32 * width
