"""The block networks: which layer has the stride, the groups and the bias, and hand-multiplied counts of each kind."""

from __future__ import annotations

import pickle

import pytest
import torch
from counting_support import built, convolutions, macs
from torch import nn

from bench_suite.architectures.block_networks import DATASETS, block_network
from bench_suite.architectures.blocks import BLOCKS, ChannelShuffle, Choices
from pytest_archbench.registry import ARCHITECTURES, UnknownName

KINDS = sorted(BLOCKS)
STEM = 14 * 14 * 64 * 1 * 7 * 7
LINEAR = 128 * 10

# Multiply-adds of the one stage on MNIST, 64 -> 128 channels, 14 x 14 = 196 -> 7 x 7 = 49 positions.
MNIST_STAGE = {
    "plain": 49 * (64 * 128 * 9 + 7 * 128 * 128 * 9),
    "residual": 49 * (64 * 128 * 9 + 7 * 128 * 128 * 9 + 64 * 128),
    "bottleneck": 49 * (64 * 32 + 32 * 32 * 9 + 32 * 128 + 64 * 128) + 3 * 49 * (128 * 32 + 32 * 32 * 9 + 32 * 128),
    "resnext": 49 * (64 * 32 + 32 * 1 * 9 + 32 * 128 + 64 * 128) + 3 * 49 * (128 * 32 + 32 * 1 * 9 + 32 * 128),
    "xception": 196 * (64 * 128 + 128 * 9 + 128 * 128 + 128 * 9) + 49 * 64 * 128 + 3 * 49 * 2 * (128 * 128 + 128 * 9),
    "dense": 196 * (8 * (64 + 72 + 80 + 88 + 96 + 104 + 112 + 120) + 8 * 8 * 8 * 9 + 128 * 128),
    "mobile_v1": 4 * 49 * 2 * (128 * 9 + 128 * 128),
    "mobile_v2": 196 * 64 * 384 + 49 * (384 * 9 + 384 * 128) + 7 * 49 * (128 * 768 + 768 * 9 + 768 * 128),
    "shuffle": 196 * 16 * 32 + 49 * (32 * 9 + 8 * 64) + 7 * 49 * (32 * 32 + 32 * 9 + 8 * 128),
}

# Inputs, outputs, kernel, stride, groups, bias of every convolution in a block 64 -> 128 with stride 2, in order.
FIRST_BLOCK = {
    "plain": [(64, 128, 3, 2, 1, False), (128, 128, 3, 1, 1, False)],
    "residual": [(64, 128, 3, 2, 1, False), (128, 128, 3, 1, 1, False), (64, 128, 1, 2, 1, False)],
    "bottleneck": [
        (64, 32, 1, 2, 1, False),
        (32, 32, 3, 1, 1, False),
        (32, 128, 1, 1, 1, False),
        (64, 128, 1, 2, 1, False),
    ],
    "resnext": [
        (64, 32, 1, 2, 1, False),
        (32, 32, 3, 1, 32, False),
        (32, 128, 1, 1, 1, False),
        (64, 128, 1, 2, 1, False),
    ],
    "xception": [
        (64, 128, 1, 1, 1, True),
        (128, 128, 3, 1, 128, False),
        (128, 128, 1, 1, 1, True),
        (128, 128, 3, 1, 128, False),
        (64, 128, 1, 2, 1, False),
    ],
    "mobile_v1": [
        (64, 128, 3, 2, 64, False),
        (128, 128, 1, 1, 1, False),
        (128, 128, 3, 1, 128, False),
        (128, 128, 1, 1, 1, False),
    ],
    "mobile_v2": [
        (64, 384, 1, 1, 1, False),
        (384, 384, 3, 2, 384, False),
        (384, 128, 1, 1, 1, False),
        (128, 768, 1, 1, 1, False),
        (768, 768, 3, 1, 768, False),
        (768, 128, 1, 1, 1, False),
    ],
    "shuffle": [
        (64, 32, 1, 1, 4, False),
        (32, 32, 3, 2, 32, False),
        (32, 64, 1, 1, 4, False),
        (128, 32, 1, 1, 4, False),
        (32, 32, 3, 1, 32, False),
        (32, 128, 1, 1, 4, False),
    ],
}


def geometry(module: nn.Module) -> list[tuple[int, int, int, int, int, bool]]:
    return [
        (c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.groups, c.bias is not None)
        for c in convolutions(module)
    ]


def stage(kind: str, inputs: int = 64, outputs: int = 128, choices: Choices | None = None) -> list[nn.Module]:
    return [module.eval() for module in BLOCKS[kind](inputs, outputs, choices or Choices())]


def silence(module: nn.Module) -> None:
    """Make every normalised branch give zero."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)


@pytest.mark.parametrize("kind", KINDS)
def test_it_counts_what_the_products_say(kind: str) -> None:
    assert macs(built(lambda: block_network(kind, "mnist")), (1, 28, 28)) == STEM + MNIST_STAGE[kind] + LINEAR


@pytest.mark.parametrize("kind", sorted(FIRST_BLOCK))
def test_it_has_stride_groups_and_bias_where_the_specification_has_them(kind: str) -> None:
    first, *rest = stage(kind)
    assert geometry(first) == FIRST_BLOCK[kind]
    assert len(rest) == 3
    assert {stride for block in rest for *_, stride, _, _ in geometry(block)} == {1}


def test_it_has_a_shortcut_convolution_only_where_the_shape_changes() -> None:
    for kind in ("residual", "bottleneck", "resnext", "xception"):
        first, second, *_ = stage(kind)
        assert geometry(first.get_submodule("shortcut")) == [(64, 128, 1, 2, 1, False)]
        assert isinstance(second.get_submodule("shortcut"), nn.Identity)


def test_it_adds_then_rectifies_in_residual_blocks() -> None:
    features = torch.randn(2, 128, 4, 4)
    for kind in ("residual", "bottleneck", "resnext", "xception"):
        second = stage(kind)[1]
        silence(second)
        assert torch.equal(second(features), features.relu()), kind


def test_it_pools_the_branch_of_xception() -> None:
    first, second, *_ = stage("xception")
    kinds = [[type(layer) for layer in block.get_submodule("branch").children()] for block in (first, second)]
    assert [kind.count(nn.MaxPool2d) for kind in kinds] == [1, 0]
    assert [kind.count(nn.ReLU) for kind in kinds] == [1, 1]


def test_it_caps_mobile_v2_at_six_after_every_addition_too() -> None:
    first, second, *_ = stage("mobile_v2")
    assert [type(m).__name__ for m in first.modules()].count("ReLU6") == 6
    assert not [m for block in (first, second) for m in block.modules() if type(m) is nn.ReLU]
    silence(second)
    features = torch.full((1, 128, 2, 2), 9.0)
    assert torch.equal(second(features), torch.full((1, 128, 2, 2), 6.0))


def test_it_adds_no_shortcut_to_the_strided_unit_of_mobile_v2() -> None:
    first = stage("mobile_v2")[0]
    silence(first)
    assert not first(torch.ones(1, 64, 4, 4)).any()


def test_it_joins_shuffle_to_the_pooled_input_behind_the_new_channels() -> None:
    first = stage("shuffle")[0]
    silence(first)
    features = torch.rand(1, 64, 6, 6)
    out = first(features)
    assert out.shape == (1, 128, 3, 3)
    assert not out[:, :64].any()
    assert torch.equal(out[:, 64:], nn.functional.avg_pool2d(features, 3, 2, 1))


def test_it_shuffles_so_that_each_group_reads_from_all() -> None:
    channels = torch.arange(8.0).view(1, 8, 1, 1)
    assert ChannelShuffle(4)(channels).flatten().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_it_makes_dense_of_eight_layers_and_a_transition() -> None:
    modules = stage("dense")
    layers, transition = modules[:8], modules[8:]
    assert [geometry(layer)[0][:2] for layer in layers] == [(64 + 8 * i, 8) for i in range(8)]
    assert {geometry(layer)[1] for layer in layers} == {(8, 8, 3, 1, 1, False)}
    assert geometry(nn.Sequential(*transition)) == [(128, 128, 1, 1, 1, False)]
    assert isinstance(transition[-1], nn.MaxPool2d)
    features = torch.randn(1, 64, 4, 4)
    assert torch.equal(layers[0](features)[:, :64], features)
    assert layers[0](features).shape == (1, 72, 4, 4)


@pytest.mark.parametrize("dataset", ["digits", "mnist", "cifar10"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_and_learns(kind: str, dataset: str) -> None:
    torch.manual_seed(0)
    network = block_network(kind, dataset)
    logits = network(torch.randn(2, *DATASETS[dataset].input_shape))
    assert logits.shape == (2, 10)
    nn.functional.cross_entropy(logits, torch.tensor([1, 2])).backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
    assert any(gradient is not None and gradient.any() for gradient in gradients)


@pytest.mark.parametrize("kind", ["resnext", "shuffle", "dense", "mobile_v1"])
def test_it_runs_at_96_pixels(kind: str) -> None:
    with torch.no_grad():
        assert block_network(kind, "stl10").eval()(torch.randn(2, 3, 96, 96)).shape == (2, 10)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["stl10", "food101"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_at_every_size(kind: str, dataset: str) -> None:
    data = DATASETS[dataset]
    with torch.no_grad():
        assert block_network(kind, dataset).eval()(torch.randn(1, *data.input_shape)).shape == (1, data.classes)


def test_it_halves_at_the_stem_and_in_every_stage() -> None:
    with torch.device("meta"):
        network, features = block_network("shuffle", "food101").eval(), torch.empty(1, 3, 224, 224)
    shapes = [tuple((features := part(features)).shape[1:]) for part in network]
    assert shapes == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (1024, 7, 7), (101,)]


def test_it_draws_weights_from_narrow_normals() -> None:
    torch.manual_seed(0)
    network = block_network("plain", "mnist")
    weights = torch.cat([m.weight.flatten() for m in network.modules() if isinstance(m, nn.Conv2d)])
    norms = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    linear = next(m for m in network.modules() if isinstance(m, nn.Linear))
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert norms.mean().item() == pytest.approx(1.0, abs=0.005)
    assert norms.std().item() == pytest.approx(0.02, rel=0.1)
    assert linear.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not linear.bias.any()


def test_it_takes_widths_groups_and_growth() -> None:
    resnext = block_network("resnext", widths=(16, 64), groups=4)
    assert (16, 16, 3, 1, 4, False) in geometry(resnext)
    assert (3, 16, 7, 2, 1, False) in geometry(resnext)
    shuffled = block_network("shuffle", widths=(16, 32), groups=2)
    assert (16, 8, 1, 1, 2, False) in geometry(shuffled)
    assert len(list(block_network("dense", "mnist", growth=16)[1].children())) == 4 + 4
    assert resnext(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_it_refuses_a_growth_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="growth 7 does not divide the 64 channels from 64 to 128"):
        block_network("dense", "mnist", growth=7)


def test_it_suggests_names() -> None:
    with pytest.raises(UnknownName, match="did you mean resnext"):
        block_network("resnet", "mnist")
    with pytest.raises(UnknownName, match="did you mean cifar10"):
        block_network("plain", "cifar100")


def test_it_registers_every_block_on_every_data_set() -> None:
    entries = {name: entry for name in ARCHITECTURES if "blocks" in (entry := ARCHITECTURES[name]).suites}
    assert set(entries) == {f"{dataset}_{kind}" for dataset in DATASETS for kind in KINDS}
    assert len(entries) == 45
    entry = entries["cifar10_resnext"]
    assert entry.topology == "hei4_cifar10_resnext"
    assert entry.input_shape == (3, 32, 32)
    rebuilt = pickle.loads(pickle.dumps(entry.build))
    with torch.device("meta"):
        assert sum(p.numel() for p in rebuilt().parameters()) == 217_802


@pytest.mark.parametrize(
    ("name", "epochs", "flip", "crop", "resize", "random_crop"),
    [
        ("digits_plain", 20, False, (8, 8), None, None),
        ("mnist_resnext", 40, False, (28, 28), None, None),
        ("cifar10_dense", 60, True, (32, 32), None, None),
        ("stl10_shuffle", 80, True, (96, 96), None, None),
        ("food101_xception", 100, True, (224, 224), 256, 256),
    ],
)
def test_it_is_trained_as_the_specification_says(
    name: str, epochs: int, flip: bool, crop: tuple[int, int], resize: int | None, random_crop: int | None
) -> None:
    entry = ARCHITECTURES[name]
    assert entry.dataset == name.split("_")[0]
    assert entry.recipe is not None
    assert (entry.recipe.epochs, entry.recipe.flip, entry.recipe.random_crop) == (epochs, flip, random_crop)
    assert (entry.recipe.batch_size, entry.recipe.learning_rate, entry.recipe.weight_decay) == (32, 1e-3, 1e-5)
    preprocessing = entry.recipe.preprocessing
    assert (preprocessing.crop, preprocessing.resize) == (crop, resize)
    assert preprocessing.mean == preprocessing.std == (0.5,) * entry.input_shape[0]
