"""Where and why the second counter differs: it counts normalisation and pooling, and misses fused attention."""

from __future__ import annotations

from math import prod

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from pytest_archbench.meters.counts import COUNTERS, count_on_meta, count_with_fvcore

IMAGE = (3, 224, 224)


def built(name: str) -> nn.Module:
    network: nn.Module = models.get_model(name, weights=None)
    return network.eval()


def through(model: nn.Module, *kinds: type[nn.Module]) -> list[tuple[nn.Module, Tensor, Tensor]]:
    """Every layer of some kinds with its input and output for one image."""
    seen: list[tuple[nn.Module, Tensor, Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, given, out: seen.append((layer, given[0], out)))
        for layer in model.modules()
        if isinstance(layer, kinds)
    ]
    with torch.device("meta"), torch.no_grad():
        model.to("meta")(torch.empty(1, *IMAGE))
    for hook in hooks:
        hook.remove()
    return seen


def normalisation(model: nn.Module) -> int:
    """fvcore's price of a batch norm in evaluation mode: one scaling and one shift an element, so 2; layer norm 5."""
    return sum(
        (2 if isinstance(layer, nn.BatchNorm2d) else 5) * given.numel()
        for layer, given, _ in through(model, nn.BatchNorm2d, nn.LayerNorm)
    )


def pooling(model: nn.Module) -> int:
    """fvcore's price of adaptive pooling: an addition for every element read."""
    return sum(given.numel() for _, given, _ in through(model, nn.AdaptiveAvgPool2d))


@pytest.mark.parametrize(
    "name", ["resnet18", "densenet121", "mobilenet_v3_small", "squeezenet1_0", "shufflenet_v2_x0_5"]
)
def test_it_differs_by_normalisation_and_pooling_alone(name: str) -> None:
    ours, theirs = (count(lambda: built(name), IMAGE) for count in (count_on_meta, count_with_fvcore))
    priced = normalisation(built(name)) + pooling(built(name))
    if name == "densenet121":  # its last pooling is no module: 1024 channels of 7 × 7
        priced += 1024 * 7 * 7
    if name == "shufflenet_v2_x0_5":  # a mean instead of a pooling, which fvcore counts as nothing
        assert pooling(built(name)) == 0
    assert theirs.macs - ours.macs == priced
    assert (theirs.params, theirs.activations, theirs.model_size) == (ours.params, ours.activations, ours.model_size)
    assert (theirs.uncounted, ours.uncounted) == ((), ())


@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_it_agrees_where_there_is_nothing_to_price(name: str) -> None:
    ours, theirs = (count(lambda: built(name), IMAGE) for count in (count_on_meta, count_with_fvcore))
    assert theirs.macs - ours.macs == pooling(built(name))
    assert theirs.activations == ours.activations


def test_it_misses_fused_attention_and_says_so() -> None:
    ours, theirs = (count(lambda: built("vit_b_16"), IMAGE) for count in (count_on_meta, count_with_fvcore))
    layers, heads, tokens, width = 12, 12, 14 * 14 + 1, 64
    attention = layers * 2 * heads * tokens * tokens * width
    assert theirs.macs + attention - normalisation(built("vit_b_16")) == ours.macs
    assert theirs.uncounted == ("aten::scaled_dot_product_attention ×12",)
    assert ours.uncounted == ()
    # In two products, attention writes its weights and its values; fvcore saw neither.
    assert ours.activations - theirs.activations == layers * heads * tokens * (tokens + width)


def test_it_prices_a_batch_norm_by_hand() -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())

    ours, theirs = (count(network, (3, 8, 8)) for count in (count_on_meta, count_with_fvcore))
    assert ours.macs == 4 * 36 * 27
    assert theirs.macs == ours.macs + 2 * prod((4, 6, 6))


def test_it_refuses_what_it_cannot_trace() -> None:
    with pytest.raises(ValueError, match="traces positional inputs only; this network takes text, image by name"):
        count_with_fvcore(nn.Identity, {"text": (3,), "image": IMAGE})
    with pytest.raises(ValueError, match="breakdown by module is archbench's own"):
        count_with_fvcore(nn.Identity, IMAGE, by_module=True)


def test_both_counters_can_be_asked_for() -> None:
    assert {"archbench": count_on_meta, "fvcore": count_with_fvcore} == COUNTERS
